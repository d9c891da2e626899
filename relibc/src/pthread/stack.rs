//! Memory of a thread: guard, stack, static thread-local storage, control block, in one mapping.

use crate::ld::tls;
use crate::sys;
use crate::thread::Thread;
use core::ffi::c_void;
use core::ptr;

const PAGE: usize = 4096;

/// Bytes that storage and control block take above the stack.
fn control_size() -> usize {
    (tls::static_size() + tls::static_align() + size_of::<Thread>()).next_multiple_of(PAGE)
}

/// Maps a stack of `stack` bytes above `guard` inaccessible ones, with storage and an empty control
/// block on top. Returns the mapping's start and the control block; None when memory is exhausted.
///
/// # Safety
/// The thread-local segments are laid out.
pub unsafe fn map_control(stack: usize, guard: usize) -> Option<(usize, *mut Thread)> {
    let guard = guard.checked_next_multiple_of(PAGE)?;
    let stack = stack.checked_next_multiple_of(PAGE)?;
    let len = guard.checked_add(stack)?.checked_add(control_size())?;
    let raw = sys::mmap(
        ptr::null_mut(),
        len,
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK,
        -1,
        0,
    );
    let start = sys::result(raw).ok()?;
    if guard > 0 && sys::result(sys::mprotect(start as *mut c_void, guard, libc::PROT_NONE)).is_err() {
        sys::munmap(start as *mut c_void, len);
        return None;
    }
    let thread = control_at(start + len);
    thread.write(Thread::new());
    (*thread).tcb = thread;
    (*thread).this = thread;
    (*thread).map = start as *mut c_void;
    (*thread).map_len = len;
    (*thread).guard_len = guard;
    (*thread).stack = start + guard;
    (*thread).stack_len = stack;
    Some((start, thread))
}

/// The highest place for a control block below `end`.
fn control_at(end: usize) -> *mut Thread {
    ((end - size_of::<Thread>()) & !(tls::static_align() - 1)) as *mut Thread
}

/// Maps storage and control block for a thread whose stack the program provides.
///
/// # Safety
/// As [`map_control`]; `stack..stack + len` stays valid while the thread runs.
pub unsafe fn map_for_stack(stack: usize, len: usize) -> Option<*mut Thread> {
    let (_, thread) = map_control(0, 0)?;
    (*thread).stack = stack;
    (*thread).stack_len = len;
    Some(thread)
}

/// Frees an ended thread's memory.
///
/// # Safety
/// The kernel has cleared its tid word, or never wrote it.
pub unsafe fn unmap(thread: *mut Thread) {
    let (map, len) = ((*thread).map, (*thread).map_len);
    if len > 0 {
        sys::munmap(map, len);
    }
}
