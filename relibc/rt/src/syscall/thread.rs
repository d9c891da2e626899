//! Threads and scheduling.

use super::{id, sys, unit};
use ochre_abi::Result;
use ochre_abi::process::ThreadArgs;

/// The calling thread's id.
pub fn gettid() -> i32 {
    sys!(GETTID).unwrap_or(0) as i32
}

/// Starts a thread; its tid.
///
/// # Safety
/// Entry, stack, TLS and the two tid words are valid for as long as the thread runs.
pub unsafe fn thread_create(args: &ThreadArgs) -> Result<i32> {
    id(sys!(THREAD_CREATE, core::ptr::from_ref(args)))
}

/// Ends the calling thread; its clear_tid word is cleared and woken.
///
/// # Safety
/// Nothing on this thread's stack is borrowed by another thread.
pub unsafe fn thread_exit() -> ! {
    loop {
        // THREAD_EXIT does not return; the loop is for the type only.
        let _ = sys!(THREAD_EXIT);
    }
}

/// set_tid_address(2); the tid.
///
/// # Safety
/// `addr` is 0 or a u32 that the kernel may clear when the thread ends.
pub unsafe fn set_clear_tid(addr: usize) -> Result<()> {
    unit(sys!(SET_CLEAR_TID, addr))
}

/// set_robust_list(2).
///
/// # Safety
/// `head` is 0 or a list head that stays valid until the thread ends.
pub unsafe fn set_robust_list(head: usize, len: usize) -> Result<()> {
    unit(sys!(SET_ROBUST_LIST, head, len))
}

/// Sets the FS base.
///
/// # Safety
/// `addr` is a thread control block as the running code expects it.
pub unsafe fn set_fs_base(addr: usize) -> Result<()> {
    unit(sys!(SET_FS_BASE, addr))
}

/// sched_yield(2).
pub fn yield_now() {
    // Always succeeds.
    let _ = sys!(YIELD);
}

/// The CPUs that a thread (0: the caller) may run on; bit 0 is CPU 0.
pub fn set_affinity(tid: i32, mask: u64) -> Result<()> {
    unit(sys!(SET_AFFINITY, tid, mask))
}

/// The CPUs that a thread (0: the caller) may run on.
pub fn get_affinity(tid: i32) -> Result<u64> {
    sys!(GET_AFFINITY, tid).map(|mask| mask as u64)
}

/// A thread's (0: the caller's) priority, 0 to 31; above 16 needs RIGHT_PRIORITY.
pub fn set_priority(tid: i32, priority: u32) -> Result<()> {
    unit(sys!(SET_PRIORITY, tid, priority))
}

/// The number of CPUs.
pub fn cpu_count() -> usize {
    sys!(CPU_COUNT).unwrap_or(1)
}

/// The calling thread's name, of which the first 15 bytes count.
pub fn set_name(name: &[u8]) -> Result<()> {
    let name = name.get(..15).unwrap_or(name);
    unit(sys!(SET_NAME, name.as_ptr(), name.len()))
}
