//! Timers that send signals: setitimer(2), alarm(2), timer_create(2), RLIMIT_CPU.

use runtime_tests::sys::{self, Take, Timer, bit};
use runtime_tests::{Result, checks, ensure, errno, same};
use std::time::{Duration, Instant};

checks!("timers": once, periodic, alarms, cpu_time, posix, overrun, several, forked, refused, cpu_limit);

const SOON: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(1000);
const NEVER: Duration = Duration::ZERO;
const PATIENCE: Duration = Duration::from_secs(20);

fn once() -> Result {
    sys::mask(bit(libc::SIGALRM))?;
    let start = Instant::now();
    same!(sys::set_itimer(libc::ITIMER_REAL as i32, SOON, NEVER)?, (NEVER, NEVER));
    let info = sys::wait_for(bit(libc::SIGALRM), PATIENCE)?;
    same!(info.signal, libc::SIGALRM);
    ensure!(start.elapsed() >= SOON);
    same!(sys::set_itimer(libc::ITIMER_REAL as i32, NEVER, NEVER)?, (NEVER, NEVER));
    Ok(())
}

fn periodic() -> Result {
    sys::mask(bit(libc::SIGALRM))?;
    sys::set_itimer(libc::ITIMER_REAL as i32, SOON, SOON)?;
    for _ in 0..5 {
        same!(sys::wait_for(bit(libc::SIGALRM), PATIENCE)?.signal, libc::SIGALRM);
    }
    let (left, interval) = sys::set_itimer(libc::ITIMER_REAL as i32, NEVER, NEVER)?;
    ensure!(left <= SOON);
    same!(interval, SOON);
    Ok(())
}

fn alarms() -> Result {
    same!(sys::alarm(100), 0);
    same!(sys::alarm(50), 100);
    let (left, _) = sys::set_itimer(libc::ITIMER_REAL as i32, LONG, NEVER)?;
    ensure!(left > Duration::from_secs(49) && left <= Duration::from_secs(50));
    same!(sys::alarm(0), 1000);
    same!(sys::alarm(0), 0);
    Ok(())
}

fn burn_until(done: impl Fn() -> bool) -> Result {
    let start = Instant::now();
    while !done() {
        ensure!(start.elapsed() < PATIENCE);
    }
    Ok(())
}

/// ITIMER_VIRTUAL and ITIMER_PROF count what the process uses, not what passes.
fn cpu_time() -> Result {
    for (which, signal) in [(libc::ITIMER_VIRTUAL, libc::SIGVTALRM), (libc::ITIMER_PROF, libc::SIGPROF)] {
        sys::take(signal, Take::Note, 0, 0)?;
        let before = sys::count();
        sys::set_itimer(which as i32, SOON, NEVER)?;
        burn_until(|| sys::count() > before)?;
        same!(sys::last().info.signal, signal);
    }
    Ok(())
}

fn posix() -> Result {
    let signal = sys::rtmin() + 2;
    sys::mask(bit(signal))?;
    let timer = Timer::new(libc::CLOCK_MONOTONIC, signal, 0x1234_5678)?;
    same!(timer.left()?, NEVER);
    timer.set(LONG, NEVER)?;
    ensure!(timer.left()? > LONG - PATIENCE);
    timer.set(SOON, NEVER)?;
    let info = sys::wait_for(bit(signal), PATIENCE)?;
    same!((info.code, info.value), (libc::SI_TIMER, 0x1234_5678));
    same!(timer.left()?, NEVER);
    Ok(())
}

/// Periods that pass while the signal waits are counted, and not queued.
fn overrun() -> Result {
    let signal = sys::rtmin() + 2;
    sys::mask(bit(signal))?;
    let timer = Timer::new(libc::CLOCK_REALTIME, signal, 1)?;
    timer.set(Duration::from_millis(1), Duration::from_millis(1))?;
    std::thread::sleep(Duration::from_millis(60));
    sys::wait_for(bit(signal), PATIENCE)?;
    ensure!(timer.overrun()? >= 50);
    timer.set(NEVER, NEVER)?;
    Ok(())
}

fn several() -> Result {
    let signal = sys::rtmin() + 3;
    sys::mask(bit(signal))?;
    let timers: Vec<Timer> =
        (0..20).map(|n| Timer::new(libc::CLOCK_MONOTONIC, signal, n)).collect::<std::io::Result<_>>()?;
    for timer in &timers {
        timer.set(SOON, NEVER)?;
    }
    let mut seen = Vec::new();
    for _ in &timers {
        seen.push(sys::wait_for(bit(signal), PATIENCE)?.value);
    }
    seen.sort_unstable();
    same!(seen, (0..20).collect::<Vec<_>>());
    Ok(())
}

/// A child has none of its parent's timers.
fn forked() -> Result {
    sys::set_itimer(libc::ITIMER_REAL as i32, LONG, LONG)?;
    let timer = Timer::new(libc::CLOCK_MONOTONIC, libc::SIGUSR1, 0)?;
    timer.set(LONG, NEVER)?;
    let ended = sys::child(|| {
        let none = sys::set_itimer(libc::ITIMER_REAL as i32, NEVER, NEVER).is_ok_and(|old| old == (NEVER, NEVER));
        i32::from(!(none && errno(timer.left()) == libc::EINVAL))
    })?;
    same!(ended, sys::Ended::Status(0));
    ensure!(timer.left()? > LONG - PATIENCE);
    same!(sys::set_itimer(libc::ITIMER_REAL as i32, NEVER, NEVER)?.1, LONG);
    Ok(())
}

fn refused() -> Result {
    same!(errno(sys::set_itimer(3, SOON, NEVER)), libc::EINVAL);
    same!(errno(Timer::new(99, libc::SIGUSR1, 0)), libc::EINVAL);
    same!(errno(Timer::new(libc::CLOCK_MONOTONIC, 65, 0)), libc::EINVAL);
    Ok(())
}

/// RLIMIT_CPU: SIGXCPU at the soft limit, SIGKILL at the hard one.
fn cpu_limit() -> Result {
    let burn = || loop {
        std::hint::spin_loop();
    };
    let soft = sys::child(|| {
        let _ = sys::limit(0, libc::RLIMIT_CPU, Some((1, 5)));
        burn()
    })?;
    same!(soft, sys::Ended::Signal(libc::SIGXCPU));
    let hard = sys::child(|| {
        let _ = sys::take(libc::SIGXCPU, Take::Note, 0, 0);
        let _ = sys::limit(0, libc::RLIMIT_CPU, Some((1, 2)));
        burn()
    })?;
    same!(hard, sys::Ended::Signal(libc::SIGKILL));
    Ok(())
}
