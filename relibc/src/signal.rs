//! `signal.h`.

use crate::errno::{self, int};
use crate::pthread::cancel::point;
use crate::{sys, thread};
use core::ffi::c_int;
use core::ptr;
use libc::{pid_t, sighandler_t, siginfo_t, sigset_t, stack_t, timespec};

/// Bytes of the kernel's signal set: one bit a signal.
const SIGSET: usize = 8;
const SIGNALS: c_int = 64;
/// Signals 32 and 33 belong to the C library, as in glibc; programs cannot block them.
const OWN: u64 = 0b11 << 31;

unsafe fn word<'a>(set: *mut sigset_t) -> &'a mut u64 {
    &mut *set.cast::<u64>()
}

fn bit(signal: c_int) -> Option<u64> {
    (1..=SIGNALS).contains(&signal).then(|| 1u64 << (signal - 1))
}

/// Changes and reads the calling thread's signal mask; raw result.
///
/// # Safety
/// The pointers are null or valid.
pub unsafe fn mask(how: c_int, new: *const sigset_t, old: *mut sigset_t) -> isize {
    let wanted = if new.is_null() { 0 } else { *new.cast::<u64>() & !OWN };
    let pointer = if new.is_null() { ptr::null() } else { &raw const wanted };
    if !old.is_null() {
        // Only the first word is the kernel's.
        old.write_bytes(0, 1);
    }
    sys::rt_sigprocmask(how, pointer, old.cast(), SIGSET)
}

/// Sends a signal to a thread of this process; raw result.
pub fn to_thread(tid: c_int, signal: c_int) -> isize {
    // SAFETY: no pointers.
    unsafe { sys::tgkill(sys::getpid() as pid_t, tid, signal) }
}

/// The siginfo_t of a queued signal: number, errno, code, padding, sender's pid and uid, value.
unsafe fn queued(signal: c_int, value: libc::sigval) -> [u64; 16] {
    let mut info = [0u64; 16];
    info[0] = u64::from(signal as u32);
    info[1] = u64::from(libc::SI_QUEUE as u32);
    info[2] = (sys::getuid() as u64 & 0xffff_ffff) << 32 | sys::getpid() as u64;
    info[3] = value.sival_ptr.expose_provenance() as u64;
    info
}

c_api! {
    /// sigaction(2).
    fn sigaction(signal: c_int, new: *const libc::sigaction, old: *mut libc::sigaction) -> c_int {
        match bit(signal) {
            Some(bit) if bit & OWN == 0 => int(sys::sigaction(signal, new, old)),
            _ => errno::fail(libc::EINVAL),
        }
    }

    /// signal(2), BSD's meaning: the handler stays and calls are restarted.
    fn signal(signal: c_int, handler: sighandler_t) -> sighandler_t {
        let mut new: libc::sigaction = core::mem::zeroed();
        let mut old: libc::sigaction = core::mem::zeroed();
        new.sa_sigaction = handler;
        new.sa_flags = libc::SA_RESTART;
        if sigaction(signal, &new, &mut old) < 0 { libc::SIG_ERR } else { old.sa_sigaction }
    }

    /// sigprocmask(2).
    fn sigprocmask(how: c_int, new: *const sigset_t, old: *mut sigset_t) -> c_int { int(mask(how, new, old)) }

    /// sigpending(2).
    fn sigpending(out: *mut sigset_t) -> c_int {
        out.write_bytes(0, 1);
        int(sys::rt_sigpending(out.cast(), SIGSET))
    }

    /// sigsuspend(2).
    fn sigsuspend(mask: *const sigset_t) -> c_int { int(point(|| sys::rt_sigsuspend(mask.cast(), SIGSET))) }

    /// sigwaitinfo(2).
    fn sigwaitinfo(set: *const sigset_t, info: *mut siginfo_t) -> c_int { sigtimedwait(set, info, ptr::null()) }

    /// sigtimedwait(2).
    fn sigtimedwait(set: *const sigset_t, info: *mut siginfo_t, timeout: *const timespec) -> c_int {
        int(point(|| sys::rt_sigtimedwait(set.cast(), info, timeout, SIGSET)))
    }

    /// sigwait(3).
    fn sigwait(set: *const sigset_t, out: *mut c_int) -> c_int {
        loop {
            match sys::result(point(|| sys::rt_sigtimedwait(set.cast(), ptr::null_mut(), ptr::null(), SIGSET))) {
                Ok(signal) => {
                    *out = signal as c_int;
                    return 0;
                }
                Err(libc::EINTR) => {}
                Err(errno) => return errno,
            }
        }
    }

    /// sigaltstack(2).
    fn sigaltstack(new: *const stack_t, old: *mut stack_t) -> c_int { int(sys::sigaltstack(new, old)) }

    /// kill(2).
    fn kill(pid: pid_t, signal: c_int) -> c_int { int(sys::kill(pid, signal)) }

    /// killpg(3).
    fn killpg(group: pid_t, signal: c_int) -> c_int {
        if group < 0 { errno::fail(libc::EINVAL) } else { kill(-group, signal) }
    }

    /// tgkill(2).
    fn tgkill(group: pid_t, tid: pid_t, signal: c_int) -> c_int { int(sys::tgkill(group, tid, signal)) }

    /// raise(3).
    fn raise(signal: c_int) -> c_int { int(to_thread(thread::current_tid(), signal)) }

    /// sigemptyset(3).
    fn sigemptyset(set: *mut sigset_t) -> c_int {
        set.write_bytes(0, 1);
        0
    }

    /// sigfillset(3).
    fn sigfillset(set: *mut sigset_t) -> c_int {
        set.write_bytes(0xff, 1);
        *word(set) = !OWN;
        0
    }

    /// sigaddset(3).
    fn sigaddset(set: *mut sigset_t, signal: c_int) -> c_int {
        let Some(bit) = bit(signal) else { return errno::fail(libc::EINVAL) };
        *word(set) |= bit;
        0
    }

    /// sigdelset(3).
    fn sigdelset(set: *mut sigset_t, signal: c_int) -> c_int {
        let Some(bit) = bit(signal) else { return errno::fail(libc::EINVAL) };
        *word(set) &= !bit;
        0
    }

    /// sigismember(3).
    fn sigismember(set: *const sigset_t, signal: c_int) -> c_int {
        let Some(bit) = bit(signal) else { return errno::fail(libc::EINVAL) };
        (*set.cast::<u64>() & bit != 0) as c_int
    }

    /// sigisemptyset(3).
    fn sigisemptyset(set: *const sigset_t) -> c_int { (*set.cast::<u64>() == 0) as c_int }

    /// siginterrupt(3).
    fn siginterrupt(signal: c_int, interrupt: c_int) -> c_int {
        let mut action: libc::sigaction = core::mem::zeroed();
        if sigaction(signal, ptr::null(), &mut action) < 0 {
            return -1;
        }
        if interrupt != 0 {
            action.sa_flags &= !libc::SA_RESTART;
        } else {
            action.sa_flags |= libc::SA_RESTART;
        }
        sigaction(signal, &action, ptr::null_mut())
    }

    /// sigsetmask(3): the first 32 signals.
    fn sigsetmask(new: c_int) -> c_int {
        let mut set: sigset_t = core::mem::zeroed();
        let mut old: sigset_t = core::mem::zeroed();
        *word(&mut set) = u64::from(new as u32);
        if sigprocmask(libc::SIG_SETMASK, &set, &mut old) < 0 { -1 } else { *word(&mut old) as c_int }
    }

    /// sigqueue(3).
    fn sigqueue(pid: pid_t, signal: c_int, value: libc::sigval) -> c_int {
        let info = queued(signal, value);
        let info = (&raw const info).expose_provenance();
        int(sys::call(libc::SYS_rt_sigqueueinfo, [pid as usize, signal as usize, info, 0, 0, 0]))
    }

    /// pthread_sigqueue(3).
    fn pthread_sigqueue(thread: libc::pthread_t, signal: c_int, value: libc::sigval) -> c_int {
        let tid = (*(thread as *mut thread::Thread)).tid.load(core::sync::atomic::Ordering::Acquire);
        if tid == 0 {
            return libc::ESRCH;
        }
        let info = queued(signal, value);
        let info = (&raw const info).expose_provenance();
        let pid = sys::getpid() as usize;
        errno::code(sys::call(libc::SYS_rt_tgsigqueueinfo, [pid, tid as usize, signal as usize, info, 0, 0]))
    }

    /// sigset(3): a disposition, or SIG_HOLD (2) to block the signal.
    fn sigset(signal: c_int, disposition: sighandler_t) -> sighandler_t {
        const SIG_HOLD: sighandler_t = 2;
        let mut set: sigset_t = core::mem::zeroed();
        let mut before: sigset_t = core::mem::zeroed();
        if sigaddset(&mut set, signal) < 0 {
            return libc::SIG_ERR;
        }
        let mut old: libc::sigaction = core::mem::zeroed();
        if disposition == SIG_HOLD {
            if sigprocmask(libc::SIG_BLOCK, &set, &mut before) < 0 || sigaction(signal, ptr::null(), &mut old) < 0 {
                return libc::SIG_ERR;
            }
        } else {
            let mut new: libc::sigaction = core::mem::zeroed();
            new.sa_sigaction = disposition;
            if sigaction(signal, &new, &mut old) < 0 || sigprocmask(libc::SIG_UNBLOCK, &set, &mut before) < 0 {
                return libc::SIG_ERR;
            }
        }
        if sigismember(&before, signal) == 1 { SIG_HOLD } else { old.sa_sigaction }
    }

    /// sysv_signal(3): the handler runs once, and calls are not restarted.
    fn __sysv_signal(signal: c_int, handler: sighandler_t) -> sighandler_t {
        let mut new: libc::sigaction = core::mem::zeroed();
        let mut old: libc::sigaction = core::mem::zeroed();
        new.sa_sigaction = handler;
        new.sa_flags = libc::SA_RESETHAND | libc::SA_NODEFER;
        if sigaction(signal, &new, &mut old) < 0 { libc::SIG_ERR } else { old.sa_sigaction }
    }

    /// First real-time signal for programs.
    fn __libc_current_sigrtmin() -> c_int { 34 }

    /// Last real-time signal.
    fn __libc_current_sigrtmax() -> c_int { SIGNALS }
}

c_alias! {
    fn __sigaction = sigaction[signal: c_int, new: *const libc::sigaction, old: *mut libc::sigaction] -> c_int;
    fn bsd_signal = signal[number: c_int, handler: sighandler_t] -> sighandler_t;
}
