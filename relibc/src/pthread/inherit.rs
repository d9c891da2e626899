//! Mutexes with priority inheritance: the kernel lends their owner the priority of whoever waits. futex(2), "Priority-inheritance futexes".
//!
//! The lock word is the owner's thread id, or 0, with FUTEX_WAITERS once the kernel has waiters, which then hands the lock over itself.

use super::mutex::Mutex;
use super::robust::{OWNER_DIED, TID, WAITERS};
use crate::sys;
use core::ffi::c_int;
use core::sync::atomic::Ordering;
use libc::{clockid_t, timespec};

/// FUTEX_LOCK_PI with a deadline on any clock.
const FUTEX_LOCK_PI2: c_int = 13;

unsafe fn futex(mutex: &Mutex, operation: c_int, deadline: *const timespec) -> isize {
    let private = if mutex.shared() { 0 } else { libc::FUTEX_PRIVATE_FLAG };
    sys::futex(mutex.lock.as_ptr(), operation | private, 0, deadline.expose_provenance(), core::ptr::null(), 0)
}

/// Takes the lock word; the word as it was taken (OWNER_DIED tells of a dead owner), or an error number. Without `wait`, EBUSY.
///
/// # Safety
/// The mutex is initialised, and `me` is the calling thread.
pub unsafe fn take(mutex: &Mutex, me: u32, wait: Option<(clockid_t, *const timespec)>) -> Result<u32, c_int> {
    if mutex.lock.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).is_ok() {
        return Ok(me);
    }
    let raw = match wait {
        None if mutex.lock.load(Ordering::Relaxed) & OWNER_DIED == 0 => return Err(libc::EBUSY),
        None => futex(mutex, libc::FUTEX_TRYLOCK_PI, core::ptr::null()),
        Some((clock, deadline)) => loop {
            let clock = if clock == libc::CLOCK_REALTIME { libc::FUTEX_CLOCK_REALTIME } else { 0 };
            let raw = futex(mutex, FUTEX_LOCK_PI2 | clock, deadline);
            if raw != -libc::EINTR as isize {
                break raw;
            }
        },
    };
    match -raw as c_int {
        0 => {
            let word = mutex.lock.load(Ordering::Relaxed);
            // The kernel leaves the mark for us to clear.
            mutex.lock.fetch_and(!OWNER_DIED, Ordering::Relaxed);
            Ok(word)
        }
        libc::EAGAIN if wait.is_none() => Err(libc::EBUSY),
        errno => Err(errno),
    }
}

/// Gives the lock word back, to whoever the kernel chooses if someone waits.
///
/// # Safety
/// The calling thread holds the lock.
pub unsafe fn release(mutex: &Mutex) {
    let word = mutex.lock.load(Ordering::Relaxed);
    if word & WAITERS != 0 || mutex.lock.compare_exchange(word & TID, 0, Ordering::Release, Ordering::Relaxed).is_err()
    {
        futex(mutex, libc::FUTEX_UNLOCK_PI, core::ptr::null());
    }
}
