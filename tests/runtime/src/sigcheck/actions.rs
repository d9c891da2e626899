//! Dispositions: sigaction(2), sigaltstack(2).

use runtime_tests::sys::{self, Take, bit};
use runtime_tests::{Result, checks, ensure, errno, same};

checks!("actions": siginfo, mask_in_handler, nodefer, resethand, onstack, overflow, ignored, unchangeable, repaired_fault, again_and_again);

const A: i32 = libc::SIGUSR1;
const B: i32 = libc::SIGUSR2;

fn siginfo() -> Result {
    sys::take(A, Take::Note, 0, 0)?;
    sys::kill(sys::pid(), A)?;
    let info = sys::last().info;
    same!((info.signal, info.code, info.pid), (A, libc::SI_USER, sys::pid()));
    sys::raise(A)?;
    same!(sys::last().info.code, libc::SI_TKILL);
    same!(sys::count(), 2);
    Ok(())
}

fn mask_in_handler() -> Result {
    sys::take(A, Take::Note, 0, bit(libc::SIGHUP))?;
    sys::mask(bit(B))?;
    sys::raise(A)?;
    same!(sys::last().mask, bit(A) | bit(B) | bit(libc::SIGHUP));
    same!(sys::mask(0)?, bit(B));
    Ok(())
}

fn nodefer() -> Result {
    sys::take(A, Take::Note, libc::SA_NODEFER, 0)?;
    sys::raise(A)?;
    same!(sys::last().mask, 0);
    Ok(())
}

fn resethand() -> Result {
    sys::take(A, Take::Note, libc::SA_RESETHAND, 0)?;
    sys::raise(A)?;
    same!(sys::disposition(A)?, libc::SIG_DFL);
    same!(sys::child(|| sys::raise(A).map_or(1, |()| 0))?, sys::Ended::Signal(A));
    Ok(())
}

fn onstack() -> Result {
    let (start, size) = sys::alternate_stack()?;
    let on = || (start..start + size).contains(&sys::last().stack);
    sys::take(A, Take::Note, libc::SA_ONSTACK, 0)?;
    sys::raise(A)?;
    ensure!(on());
    sys::take(A, Take::Note, 0, 0)?;
    sys::raise(A)?;
    ensure!(!on());
    Ok(())
}

fn overflow() -> Result {
    fn deep(n: u64) -> u64 {
        let room = std::hint::black_box([n; 100]);
        if n == u64::MAX { 0 } else { deep(n + 1) + std::hint::black_box(&room)[3] }
    }
    // std's handler runs on an alternate stack, says so, and aborts.
    same!(sys::child(|| deep(0) as i32)?, sys::Ended::Signal(libc::SIGABRT));
    Ok(())
}

fn ignored() -> Result {
    sys::take(libc::SIGTERM, Take::Ignore, 0, 0)?;
    sys::kill(sys::pid(), libc::SIGTERM)?;
    sys::raise(libc::SIGTERM)?;
    // What is ignored when it is let through leaves no trace.
    sys::take(A, Take::Ignore, 0, 0)?;
    sys::mask(bit(A))?;
    sys::raise(A)?;
    sys::mask(0)?;
    sys::take(A, Take::Note, 0, 0)?;
    same!(sys::count(), 0);
    Ok(())
}

fn unchangeable() -> Result {
    for signal in [libc::SIGKILL, libc::SIGSTOP, 0, 65, -1] {
        same!(errno(sys::take(signal, Take::Note, 0, 0)), libc::EINVAL);
    }
    // Nor can they be blocked.
    sys::mask(u64::MAX)?;
    let blocked = sys::mask(0)?;
    same!(blocked & (bit(libc::SIGKILL) | bit(libc::SIGSTOP)), 0);
    ensure!(blocked & bit(A) != 0);
    Ok(())
}

fn repaired_fault() -> Result {
    let page = sys::read_only_page()?;
    sys::take(libc::SIGSEGV, Take::Repair, 0, 0)?;
    same!(sys::write_page(page, 5), 5);
    same!(sys::count(), 1);
    // SEGV_ACCERR of sigaction(2).
    same!(sys::last().info.code, 2);
    Ok(())
}

/// A handler that sends its own signal again does not use up the stack.
fn again_and_again() -> Result {
    sys::allow(20_000);
    sys::take(A, Take::Again, 0, 0)?;
    sys::raise(A)?;
    same!(sys::count(), 20_001);
    Ok(())
}
