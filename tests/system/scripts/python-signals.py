"""Signals and interval timers in Python."""
import os, signal


def signals():
    caught = []
    signal.signal(signal.SIGUSR1, lambda number, frame: caught.append(signal.Signals(number).name))
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    signal.signal(signal.SIGALRM, lambda number, frame: caught.append("alarm"))
    signal.pause()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    os.kill(os.getpid(), signal.SIGUSR2)
    print("signals", caught, signal.sigpending(), signal.sigwait([signal.SIGUSR2]))
    print("sigtimedwait", signal.sigtimedwait([signal.SIGUSR2], 0.01), signal.strsignal(11))


signals()
