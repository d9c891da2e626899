//! Blocked and pending signals: sigprocmask(2), sigpending(2), sigsuspend(2), sigtimedwait(2).

use runtime_tests::sys::{self, Take, bit};
use runtime_tests::{Result, checks, ensure, errno, same};
use std::time::{Duration, Instant};

checks!("masks": pending, once, suspend, wait, wait_in_vain, poll_with_mask);

const A: i32 = libc::SIGUSR1;
const B: i32 = libc::SIGUSR2;

fn pending() -> Result {
    sys::take(A, Take::Note, 0, 0)?;
    sys::mask(bit(A) | bit(B))?;
    same!(sys::pending()?, 0);
    sys::kill(sys::pid(), A)?;
    sys::raise(B)?;
    same!(sys::pending()?, bit(A) | bit(B));
    same!(sys::count(), 0);
    sys::mask(bit(B))?;
    same!((sys::count(), sys::pending()?), (1, bit(B)));
    Ok(())
}

/// A signal that is no real-time signal is pending once at the most.
fn once() -> Result {
    sys::take(A, Take::Note, 0, 0)?;
    sys::mask(bit(A))?;
    for _ in 0..5 {
        sys::kill(sys::pid(), A)?;
    }
    sys::mask(0)?;
    same!(sys::count(), 1);
    Ok(())
}

fn suspend() -> Result {
    sys::take(A, Take::Note, 0, 0)?;
    sys::mask(bit(A))?;
    sys::kill(sys::pid(), A)?;
    same!(sys::suspend(0).raw_os_error(), Some(libc::EINTR));
    same!(sys::count(), 1);
    same!(sys::mask(0)?, bit(A));
    Ok(())
}

fn wait() -> Result {
    sys::mask(bit(A) | bit(B))?;
    sys::kill(sys::pid(), B)?;
    let info = sys::wait_for(bit(A) | bit(B), Duration::from_secs(5))?;
    same!((info.signal, info.code, info.pid), (B, libc::SI_USER, sys::pid()));
    same!(sys::pending()?, 0);
    Ok(())
}

fn wait_in_vain() -> Result {
    sys::mask(bit(A) | bit(B))?;
    sys::raise(B)?;
    let start = Instant::now();
    same!(errno(sys::wait_for(bit(A), Duration::from_millis(30))), libc::EAGAIN);
    ensure!(start.elapsed() >= Duration::from_millis(30));
    same!(errno(sys::wait_for(bit(A), Duration::ZERO)), libc::EAGAIN);
    Ok(())
}

fn poll_with_mask() -> Result {
    sys::take(A, Take::Note, 0, 0)?;
    sys::mask(bit(A))?;
    sys::kill(sys::pid(), A)?;
    same!(sys::ppoll(-1, Duration::from_millis(10), bit(A))?, 0);
    same!(errno(sys::ppoll(-1, Duration::from_secs(5), 0)), libc::EINTR);
    same!((sys::count(), sys::mask(0)?), (1, bit(A)));
    Ok(())
}
