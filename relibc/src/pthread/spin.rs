//! Spin locks: `pthread_spinlock_t`, an int. pthread_spin_lock(3) and the pages beside it.

use core::ffi::c_int;
use core::sync::atomic::{AtomicI32, Ordering};
use libc::pthread_spinlock_t;

const FREE: c_int = 0;
const HELD: c_int = 1;
/// Looks at a held lock before the CPU is given up: its holder may wait for it.
const SPINS: usize = 1000;

unsafe fn word<'a>(lock: *mut pthread_spinlock_t) -> &'a AtomicI32 {
    &*lock.cast::<AtomicI32>()
}

fn take(word: &AtomicI32) -> bool {
    word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
}

c_api! {
    /// pthread_spin_init(3). Every lock can be shared between processes.
    fn pthread_spin_init(lock: *mut pthread_spinlock_t, _shared: c_int) -> c_int {
        word(lock).store(FREE, Ordering::Relaxed);
        0
    }

    /// pthread_spin_destroy(3).
    fn pthread_spin_destroy(_lock: *mut pthread_spinlock_t) -> c_int { 0 }

    /// pthread_spin_lock(3).
    fn pthread_spin_lock(lock: *mut pthread_spinlock_t) -> c_int {
        let word = word(lock);
        while !take(word) {
            for _ in 0..SPINS {
                if word.load(Ordering::Relaxed) == FREE {
                    break;
                }
                core::hint::spin_loop();
            }
            if word.load(Ordering::Relaxed) != FREE {
                crate::sys::sched_yield();
            }
        }
        0
    }

    /// pthread_spin_trylock(3).
    fn pthread_spin_trylock(lock: *mut pthread_spinlock_t) -> c_int {
        if take(word(lock)) { 0 } else { libc::EBUSY }
    }

    /// pthread_spin_unlock(3).
    fn pthread_spin_unlock(lock: *mut pthread_spinlock_t) -> c_int {
        word(lock).store(FREE, Ordering::Release);
        0
    }
}
