//! Sending and taking signals; [`crate::signal`] has what stands on them.

use super::{id, sys, unit};
use ochre_abi::signal::{SigInfo, SignalPage};
use ochre_abi::{Errno, Result};

/// kill(2) for one process; signal 0 probes.
pub fn kill(pid: i32, signal: u32) -> Result<()> {
    unit(sys!(KILL, pid, signal))
}

/// tgkill(2).
pub fn tgkill(pid: i32, tid: i32, signal: u32) -> Result<()> {
    unit(sys!(TGKILL, pid, tid, signal))
}

/// rt_sigqueueinfo(2) (`tid` 0) and rt_tgsigqueueinfo(2).
pub fn sigqueue(pid: i32, tid: i32, signal: u32, info: &SigInfo) -> Result<()> {
    unit(sys!(SIGQUEUE, pid, tid, signal, core::ptr::from_ref(info)))
}

/// Sets the process's trampoline and maps this thread's page; its address.
///
/// # Safety
/// `trampoline` is code that keeps to the convention of [`ochre_abi::signal`].
pub unsafe fn signal_setup(trampoline: usize) -> Result<*mut SignalPage> {
    sys!(SIGNAL_SETUP, trampoline).map(|address| address as *mut SignalPage)
}

/// Has the kernel look at pending signals against the mask again.
pub fn signal_deliver() -> Result<()> {
    unit(sys!(SIGNAL_DELIVER))
}

/// sigsuspend(2): always an error, EINTR after a signal.
pub fn signal_suspend(mask: u64) -> Errno {
    match sys!(SIGNAL_SUSPEND, mask) {
        Ok(_) => Errno::EINTR,
        Err(error) => error,
    }
}

/// sigtimedwait(2): takes one pending signal of `set`; EAGAIN after the timeout (0: at once).
pub fn signal_take(set: u64, timeout: u64) -> Result<SigInfo> {
    let mut info = SigInfo::default();
    sys!(SIGNAL_TAKE, set, timeout, core::ptr::from_mut(&mut info))?;
    Ok(info)
}

/// signalfd4(2): a new descriptor, or another mask for `fd`.
pub fn signal_fd(fd: i32, mask: u64, flags: u32) -> Result<i32> {
    id(sys!(SIGNAL_FD, fd, mask, flags))
}
