//! Barriers: a round number that the last to arrive changes.

use crate::sys;
use core::ffi::{c_int, c_uint};
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};
use libc::{pthread_barrier_t, pthread_barrierattr_t};

#[repr(C)]
struct Barrier {
    round: AtomicU32,
    arrived: AtomicU32,
    count: u32,
    shared: u32,
    /// Threads that have not left `wait` yet.
    inside: AtomicU32,
}

const _: () = assert!(size_of::<Barrier>() <= size_of::<pthread_barrier_t>());

unsafe fn barrier<'a>(at: *mut pthread_barrier_t) -> &'a Barrier {
    &*at.cast::<Barrier>()
}

c_api! {
    /// pthread_barrier_init(3).
    fn pthread_barrier_init(out: *mut pthread_barrier_t, attr: *const pthread_barrierattr_t, count: c_uint) -> c_int {
        if count == 0 || count > c_int::MAX as c_uint {
            return libc::EINVAL;
        }
        out.write_bytes(0, 1);
        let inner = &mut *out.cast::<Barrier>();
        inner.count = count;
        inner.shared = if attr.is_null() { 0 } else { *attr.cast::<u32>() };
        0
    }

    /// pthread_barrier_wait(3).
    fn pthread_barrier_wait(at: *mut pthread_barrier_t) -> c_int {
        let barrier = barrier(at);
        barrier.inside.fetch_add(1, Ordering::AcqRel);
        let round = barrier.round.load(Ordering::Acquire);
        let serial = barrier.arrived.fetch_add(1, Ordering::AcqRel) + 1 == barrier.count;
        if serial {
            barrier.arrived.store(0, Ordering::Relaxed);
            barrier.round.fetch_add(1, Ordering::Release);
            sys::futex_wake(barrier.round.as_ptr(), c_int::MAX, barrier.shared != 0);
        } else {
            while barrier.round.load(Ordering::Acquire) == round {
                sys::futex_wait(barrier.round.as_ptr(), round, barrier.shared != 0, libc::CLOCK_MONOTONIC, ptr::null());
            }
        }
        let (word, shared) = (barrier.inside.as_ptr(), barrier.shared != 0);
        if barrier.inside.fetch_sub(1, Ordering::AcqRel) == 1 {
            sys::futex_wake(word, c_int::MAX, shared);
        }
        if serial { libc::PTHREAD_BARRIER_SERIAL_THREAD } else { 0 }
    }

    /// pthread_barrier_destroy(3): waits until all threads have left.
    fn pthread_barrier_destroy(at: *mut pthread_barrier_t) -> c_int {
        let barrier = barrier(at);
        loop {
            match barrier.inside.load(Ordering::Acquire) {
                0 => return 0,
                inside => {
                    sys::futex_wait(barrier.inside.as_ptr(), inside, barrier.shared != 0, libc::CLOCK_MONOTONIC, ptr::null());
                }
            }
        }
    }

    /// pthread_barrierattr_init(3).
    fn pthread_barrierattr_init(attr: *mut pthread_barrierattr_t) -> c_int {
        *attr.cast::<u32>() = 0;
        0
    }

    /// pthread_barrierattr_destroy(3).
    fn pthread_barrierattr_destroy(_attr: *mut pthread_barrierattr_t) -> c_int {
        0
    }

    /// pthread_barrierattr_setpshared(3).
    fn pthread_barrierattr_setpshared(attr: *mut pthread_barrierattr_t, shared: c_int) -> c_int {
        *attr.cast::<u32>() = shared as u32;
        0
    }
}
