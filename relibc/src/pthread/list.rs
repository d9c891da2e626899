//! All threads of the process.

use crate::lock::Lock;
use crate::thread::Thread;
use core::ptr;

struct Head {
    first: *mut Thread,
    count: usize,
}

static THREADS: Lock<Head> = Lock::new(Head { first: ptr::null_mut(), count: 0 });

/// Enters a thread before it runs.
///
/// # Safety
/// The block stays valid until [`remove`].
pub unsafe fn add(thread: *mut Thread) {
    let mut head = THREADS.lock();
    (*thread).prev = ptr::null_mut();
    (*thread).next = head.first;
    if !head.first.is_null() {
        (*head.first).prev = thread;
    }
    head.first = thread;
    head.count += 1;
}

/// Takes a thread out when it ends; returns how many are left.
///
/// # Safety
/// The thread was added.
pub unsafe fn remove(thread: *mut Thread) -> usize {
    let mut head = THREADS.lock();
    let (next, prev) = ((*thread).next, (*thread).prev);
    if prev.is_null() {
        head.first = next;
    } else {
        (*prev).next = next;
    }
    if !next.is_null() {
        (*next).prev = prev;
    }
    head.count -= 1;
    head.count
}

/// Calls `each` with every thread. `each` must not start or end threads.
pub fn for_each(mut each: impl FnMut(*mut Thread)) {
    let head = THREADS.lock();
    let mut at = head.first;
    while !at.is_null() {
        each(at);
        // SAFETY: listed blocks are valid while the lock is held.
        at = unsafe { (*at).next };
    }
}

/// Takes the lock before a fork.
pub fn fork_prepare() {
    THREADS.raw.lock();
}

/// Gives the lock back in the parent.
pub fn fork_parent() {
    THREADS.raw.unlock();
}

/// In the child only the calling thread is left.
///
/// # Safety
/// Called by that thread right after the fork.
pub unsafe fn fork_child(thread: *mut Thread) {
    super::robust::fork_child(thread);
    THREADS.raw.unlock();
    let mut head = THREADS.lock();
    (*thread).next = ptr::null_mut();
    (*thread).prev = ptr::null_mut();
    *head = Head { first: thread, count: 1 };
}
