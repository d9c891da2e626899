//! The library's own lock: a word and a futex, without ownership, usable before anything is set up.

use crate::sys;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering};

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

/// A lock without data (Drepper, "Futexes are tricky", the second mutex).
pub struct RawLock(AtomicU32);

impl RawLock {
    /// A free lock.
    pub const fn new() -> RawLock {
        RawLock(AtomicU32::new(FREE))
    }

    /// Takes the lock, waiting as long as it needs.
    #[inline]
    pub fn lock(&self) {
        if self.0.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.lock_slow();
        }
    }

    #[cold]
    fn lock_slow(&self) {
        while self.0.swap(CONTENDED, Ordering::Acquire) != FREE {
            // SAFETY: the word outlives the call.
            unsafe {
                sys::futex_wait(self.0.as_ptr(), CONTENDED, false, libc::CLOCK_MONOTONIC, core::ptr::null());
            }
        }
    }

    /// Gives the lock back. Only its holder may.
    #[inline]
    pub fn unlock(&self) {
        if self.0.swap(FREE, Ordering::Release) == CONTENDED {
            // SAFETY: as above.
            unsafe { sys::futex_wake(self.0.as_ptr(), 1, false) };
        }
    }
}

impl Default for RawLock {
    fn default() -> RawLock {
        RawLock::new()
    }
}

/// A value behind a [`RawLock`].
pub struct Lock<T> {
    /// The lock, open to `fork`, which holds all of them across the call.
    pub raw: RawLock,
    value: UnsafeCell<T>,
}

// SAFETY: the value is only reached by the lock's holder. Loader and allocator tables hold raw
// pointers to memory of their own, which may be used from any thread.
unsafe impl<T> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// A free lock around `value`.
    pub const fn new(value: T) -> Lock<T> {
        Lock { raw: RawLock::new(), value: UnsafeCell::new(value) }
    }

    /// Takes the lock until the guard goes.
    #[inline]
    pub fn lock(&self) -> Guard<'_, T> {
        self.raw.lock();
        Guard { lock: self }
    }
}

/// The right to use a [`Lock`]'s value.
pub struct Guard<'a, T> {
    lock: &'a Lock<T>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        self.lock.raw.unlock();
    }
}
