//! A mutual exclusion lock on a futex.

use crate::syscall;
use core::sync::atomic::{AtomicU32, Ordering::*};
use lock_api::{GuardSend, RawMutex};
use ochre_abi::event::FUTEX_BITSET_ALL;
use ochre_abi::syscall::FOREVER;

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody waits (or did).
const CONTENDED: u32 = 2;

/// A value that one thread uses at a time.
pub type Lock<T> = lock_api::Mutex<RawFutex, T>;

/// The lock itself: Drepper, "Futexes Are Tricky", mutex 2.
#[derive(Debug)]
pub struct RawFutex(AtomicU32);

// SAFETY: the state is FREE exactly while nobody holds the lock; taking it is one atomic step.
unsafe impl RawMutex for RawFutex {
    #[allow(clippy::declare_interior_mutable_const, reason = "the trait wants an initial value")]
    const INIT: Self = Self(AtomicU32::new(FREE));
    type GuardMarker = GuardSend;

    fn lock(&self) {
        if !self.try_lock() {
            while self.0.swap(CONTENDED, Acquire) != FREE {
                // Whatever ended the wait, the state decides.
                let _ = syscall::futex_wait(self.0.as_ptr(), CONTENDED, FUTEX_BITSET_ALL as u32, FOREVER, 0);
            }
        }
    }

    fn try_lock(&self) -> bool {
        self.0.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok()
    }

    unsafe fn unlock(&self) {
        if self.0.swap(FREE, Release) == CONTENDED {
            // Nobody to wake is fine.
            let _ = syscall::futex_wake(self.0.as_ptr(), 1, FUTEX_BITSET_ALL as u32, 0);
        }
    }
}
