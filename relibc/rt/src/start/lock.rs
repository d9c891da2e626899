//! A mutual exclusion lock on a futex.

use crate::syscall;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicU32, Ordering::*};
use ochre_abi::event::FUTEX_BITSET_ALL;
use ochre_abi::syscall::FOREVER;

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody waits (or did).
const CONTENDED: u32 = 2;

/// A value that one thread uses at a time (Drepper, "Futexes Are Tricky", mutex 2).
#[derive(Debug)]
pub struct Lock<T> {
    state: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through a guard only, and there is one guard at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// An unlocked lock.
    pub const fn new(value: T) -> Self {
        Self { state: AtomicU32::new(FREE), value: UnsafeCell::new(value) }
    }

    /// Waits for the lock.
    pub fn lock(&self) -> Guard<'_, T> {
        if self.state.compare_exchange(FREE, HELD, Acquire, Relaxed).is_err() {
            while self.state.swap(CONTENDED, Acquire) != FREE {
                // Whatever ended the wait, the state decides.
                let _ = syscall::futex_wait(self.state.as_ptr(), CONTENDED, FUTEX_BITSET_ALL as u32, FOREVER, 0);
            }
        }
        Guard { lock: self }
    }
}

/// Unlocks when it is dropped.
#[derive(Debug)]
pub struct Guard<'l, T> {
    lock: &'l Lock<T>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: there is one guard at a time.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: there is one guard at a time, borrowed mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        if self.lock.state.swap(FREE, Release) == CONTENDED {
            // Nobody to wake is fine.
            let _ = syscall::futex_wake(self.lock.state.as_ptr(), 1, FUTEX_BITSET_ALL as u32, 0);
        }
    }
}
