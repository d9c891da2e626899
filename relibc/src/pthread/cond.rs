//! Condition variables: a sequence number that every signal changes and that waiters sleep on.
//!
//! The waiter reads the number while it holds the mutex; a signal given after that changes the number, so
//! that the futex call returns at once. Wake-ups without reason are possible, as POSIX allows.

use super::cancel;
use super::mutex::Mutex;
use super::unwind::Cleanup;
use crate::sys;
use core::ffi::{c_int, c_uint, c_void};
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};
use libc::{clockid_t, pthread_cond_t, pthread_condattr_t, pthread_mutex_t, timespec};

/// A `pthread_cond_t` from inside; a statically initialised one is all zero.
#[repr(C)]
struct Cond {
    sequence: AtomicU32,
    waiters: AtomicU32,
    /// 1 for CLOCK_MONOTONIC.
    monotonic: u32,
    /// 1 for process-shared.
    shared: u32,
}

const _: () = assert!(size_of::<Cond>() <= size_of::<pthread_cond_t>());

unsafe fn cond<'a>(cond: *mut pthread_cond_t) -> &'a Cond {
    &*cond.cast::<Cond>()
}

impl Cond {
    fn clock(&self) -> clockid_t {
        if self.monotonic != 0 { libc::CLOCK_MONOTONIC } else { libc::CLOCK_REALTIME }
    }

    /// Waits. A cancelled thread has the mutex again when its cleanup handlers run.
    unsafe fn wait(&self, mutex: &Mutex, clock: clockid_t, deadline: *const timespec) -> c_int {
        if !deadline.is_null() && !(0..1_000_000_000).contains(&(*deadline).tv_nsec) {
            return libc::EINVAL;
        }
        cancel::test();
        self.waiters.fetch_add(1, Ordering::SeqCst);
        let sequence = self.sequence.load(Ordering::SeqCst);
        let unlocked = mutex.unlock();
        if unlocked != 0 {
            self.waiters.fetch_sub(1, Ordering::SeqCst);
            return unlocked;
        }
        let leave = Leave { cond: self, mutex };
        let mut out = Cleanup::around(Leave::cancelled, (&raw const leave).cast_mut().cast(), || {
            loop {
                let raw = cancel::point(|| {
                    sys::futex_wait(self.sequence.as_ptr(), sequence, self.shared != 0, clock, deadline)
                });
                if raw == -libc::ETIMEDOUT as isize {
                    return libc::ETIMEDOUT;
                }
                // A signal handler is no reason to return while the sequence stands still.
                if raw != -libc::EINTR as isize || self.sequence.load(Ordering::SeqCst) != sequence {
                    return 0;
                }
            }
        });
        match leave.take_back() {
            0 => {}
            // The mutex's owner died; the caller must know.
            errno => out = errno,
        }
        out
    }

    unsafe fn wake(&self, count: c_int) {
        if self.waiters.load(Ordering::SeqCst) != 0 {
            self.sequence.fetch_add(1, Ordering::SeqCst);
            sys::futex_wake(self.sequence.as_ptr(), count, self.shared != 0);
        }
    }
}

/// What a waiter has to do at the end.
struct Leave<'a> {
    cond: &'a Cond,
    mutex: &'a Mutex,
}

impl Leave<'_> {
    /// Locks the mutex again.
    fn take_back(&self) -> c_int {
        self.cond.waiters.fetch_sub(1, Ordering::SeqCst);
        self.mutex.lock(libc::CLOCK_MONOTONIC, ptr::null())
    }

    /// The waiter is cancelled. A signal that was meant for it goes to another.
    unsafe fn cancelled(this: *mut c_void) {
        let this = &*this.cast::<Leave>();
        this.take_back();
        this.cond.wake(1);
    }
}

/// Bits of a `pthread_condattr_t`.
const ATTR_MONOTONIC: c_uint = 2;
const ATTR_SHARED: c_uint = 1;

c_api! {
    /// pthread_cond_init(3).
    fn pthread_cond_init(out: *mut pthread_cond_t, attr: *const pthread_condattr_t) -> c_int {
        out.write_bytes(0, 1);
        if !attr.is_null() {
            let bits = *attr.cast::<c_uint>();
            (*out.cast::<Cond>()).monotonic = (bits & ATTR_MONOTONIC != 0) as u32;
            (*out.cast::<Cond>()).shared = (bits & ATTR_SHARED != 0) as u32;
        }
        0
    }

    /// pthread_cond_destroy(3): waits until woken threads have left it.
    fn pthread_cond_destroy(on: *mut pthread_cond_t) -> c_int {
        while cond(on).waiters.load(Ordering::SeqCst) != 0 {
            sys::sched_yield();
        }
        0
    }

    /// pthread_cond_wait(3).
    fn pthread_cond_wait(on: *mut pthread_cond_t, mutex: *mut pthread_mutex_t) -> c_int {
        cond(on).wait(Mutex::from(mutex), libc::CLOCK_MONOTONIC, ptr::null())
    }

    /// pthread_cond_timedwait(3).
    fn pthread_cond_timedwait(on: *mut pthread_cond_t, mutex: *mut pthread_mutex_t, deadline: *const timespec) -> c_int {
        let on = cond(on);
        on.wait(Mutex::from(mutex), on.clock(), deadline)
    }

    /// pthread_cond_clockwait(3).
    fn pthread_cond_clockwait(
        on: *mut pthread_cond_t,
        mutex: *mut pthread_mutex_t,
        clock: clockid_t,
        deadline: *const timespec,
    ) -> c_int {
        if clock != libc::CLOCK_REALTIME && clock != libc::CLOCK_MONOTONIC {
            return libc::EINVAL;
        }
        cond(on).wait(Mutex::from(mutex), clock, deadline)
    }

    /// pthread_cond_signal(3).
    fn pthread_cond_signal(on: *mut pthread_cond_t) -> c_int {
        cond(on).wake(1);
        0
    }

    /// pthread_cond_broadcast(3).
    fn pthread_cond_broadcast(on: *mut pthread_cond_t) -> c_int {
        cond(on).wake(c_int::MAX);
        0
    }

    /// pthread_condattr_init(3).
    fn pthread_condattr_init(attr: *mut pthread_condattr_t) -> c_int {
        *attr.cast::<c_uint>() = 0;
        0
    }

    /// pthread_condattr_destroy(3).
    fn pthread_condattr_destroy(_attr: *mut pthread_condattr_t) -> c_int {
        0
    }

    /// pthread_condattr_setclock(3).
    fn pthread_condattr_setclock(attr: *mut pthread_condattr_t, clock: clockid_t) -> c_int {
        let bits = &mut *attr.cast::<c_uint>();
        match clock {
            libc::CLOCK_MONOTONIC => *bits |= ATTR_MONOTONIC,
            libc::CLOCK_REALTIME => *bits &= !ATTR_MONOTONIC,
            _ => return libc::EINVAL,
        }
        0
    }

    /// pthread_condattr_getclock(3).
    fn pthread_condattr_getclock(attr: *const pthread_condattr_t, out: *mut clockid_t) -> c_int {
        let monotonic = *attr.cast::<c_uint>() & ATTR_MONOTONIC != 0;
        *out = if monotonic { libc::CLOCK_MONOTONIC } else { libc::CLOCK_REALTIME };
        0
    }

    /// pthread_condattr_setpshared(3).
    fn pthread_condattr_setpshared(attr: *mut pthread_condattr_t, shared: c_int) -> c_int {
        let bits = &mut *attr.cast::<c_uint>();
        match shared {
            libc::PTHREAD_PROCESS_SHARED => *bits |= ATTR_SHARED,
            libc::PTHREAD_PROCESS_PRIVATE => *bits &= !ATTR_SHARED,
            _ => return libc::EINVAL,
        }
        0
    }

    /// pthread_condattr_getpshared(3).
    fn pthread_condattr_getpshared(attr: *const pthread_condattr_t, out: *mut c_int) -> c_int {
        *out = (*attr.cast::<c_uint>() & ATTR_SHARED != 0) as c_int;
        0
    }
}
