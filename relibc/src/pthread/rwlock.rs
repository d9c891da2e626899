//! Read-write locks. Readers are preferred, as in glibc by default; waiting writers sleep on the state word.

use crate::sys;
use crate::thread;
use core::ffi::{c_int, c_uint};
use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use libc::{clockid_t, pthread_rwlock_t, pthread_rwlockattr_t, timespec};

/// The state word: number of readers, or [`WRITER`]; and whether anyone sleeps.
const WRITER: u32 = 0x3fff_ffff;
const COUNT: u32 = 0x3fff_ffff;
const SLEEPERS: u32 = 0x8000_0000;

#[repr(C)]
struct RwLock {
    state: AtomicU32,
    shared: u32,
    writer: AtomicI32,
}

const _: () = assert!(size_of::<RwLock>() <= size_of::<pthread_rwlock_t>());

unsafe fn rwlock<'a>(lock: *mut pthread_rwlock_t) -> &'a RwLock {
    &*lock.cast::<RwLock>()
}

impl RwLock {
    /// One attempt: Ok when taken, Err with the state seen when someone is in the way.
    fn attempt(&self, write: bool) -> Result<(), u32> {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            let count = state & COUNT;
            let next = match (write, count) {
                (true, 0) => state | WRITER,
                (false, count) if count < WRITER - 1 => state + 1,
                _ => return Err(state),
            };
            match self.state.compare_exchange_weak(state, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => {
                    if write {
                        self.writer.store(thread::current_tid(), Ordering::Relaxed);
                    }
                    return Ok(());
                }
                Err(seen) => state = seen,
            }
        }
    }

    unsafe fn lock(&self, write: bool, clock: clockid_t, deadline: *const timespec) -> c_int {
        loop {
            let Err(state) = self.attempt(write) else { return 0 };
            if state & COUNT == WRITER && self.writer.load(Ordering::Relaxed) == thread::current_tid() {
                return libc::EDEADLK;
            }
            let marked = state | SLEEPERS;
            if state != marked
                && self.state.compare_exchange(state, marked, Ordering::Relaxed, Ordering::Relaxed).is_err()
            {
                continue;
            }
            let raw = sys::futex_wait(self.state.as_ptr(), marked, self.shared != 0, clock, deadline);
            if raw == -libc::ETIMEDOUT as isize || raw == -libc::EINVAL as isize {
                return -raw as c_int;
            }
        }
    }

    unsafe fn unlock(&self) -> c_int {
        let mut state = self.state.load(Ordering::Relaxed);
        if state & COUNT == WRITER {
            self.writer.store(0, Ordering::Relaxed);
        }
        let shared = self.shared != 0;
        loop {
            let last = matches!(state & COUNT, WRITER | 1);
            let next = if last { 0 } else { state - 1 };
            match self.state.compare_exchange_weak(state, next, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => {
                    if last && state & SLEEPERS != 0 {
                        sys::futex_wake(self.state.as_ptr(), c_int::MAX, shared);
                    }
                    return 0;
                }
                Err(seen) => state = seen,
            }
        }
    }
}

c_api! {
    /// pthread_rwlock_init(3).
    fn pthread_rwlock_init(out: *mut pthread_rwlock_t, attr: *const pthread_rwlockattr_t) -> c_int {
        out.write_bytes(0, 1);
        if !attr.is_null() {
            (*out.cast::<RwLock>()).shared = *attr.cast::<c_uint>().add(1);
        }
        0
    }

    /// pthread_rwlock_destroy(3).
    fn pthread_rwlock_destroy(_lock: *mut pthread_rwlock_t) -> c_int {
        0
    }

    /// pthread_rwlock_rdlock(3).
    fn pthread_rwlock_rdlock(lock: *mut pthread_rwlock_t) -> c_int {
        rwlock(lock).lock(false, libc::CLOCK_MONOTONIC, ptr::null())
    }

    /// pthread_rwlock_wrlock(3).
    fn pthread_rwlock_wrlock(lock: *mut pthread_rwlock_t) -> c_int {
        rwlock(lock).lock(true, libc::CLOCK_MONOTONIC, ptr::null())
    }

    /// pthread_rwlock_timedrdlock(3).
    fn pthread_rwlock_timedrdlock(lock: *mut pthread_rwlock_t, deadline: *const timespec) -> c_int {
        rwlock(lock).lock(false, libc::CLOCK_REALTIME, deadline)
    }

    /// pthread_rwlock_timedwrlock(3).
    fn pthread_rwlock_timedwrlock(lock: *mut pthread_rwlock_t, deadline: *const timespec) -> c_int {
        rwlock(lock).lock(true, libc::CLOCK_REALTIME, deadline)
    }

    /// pthread_rwlock_clockrdlock(3).
    fn pthread_rwlock_clockrdlock(lock: *mut pthread_rwlock_t, clock: clockid_t, deadline: *const timespec) -> c_int {
        rwlock(lock).lock(false, clock, deadline)
    }

    /// pthread_rwlock_clockwrlock(3).
    fn pthread_rwlock_clockwrlock(lock: *mut pthread_rwlock_t, clock: clockid_t, deadline: *const timespec) -> c_int {
        rwlock(lock).lock(true, clock, deadline)
    }

    /// pthread_rwlock_tryrdlock(3).
    fn pthread_rwlock_tryrdlock(lock: *mut pthread_rwlock_t) -> c_int {
        if rwlock(lock).attempt(false).is_ok() { 0 } else { libc::EBUSY }
    }

    /// pthread_rwlock_trywrlock(3).
    fn pthread_rwlock_trywrlock(lock: *mut pthread_rwlock_t) -> c_int {
        if rwlock(lock).attempt(true).is_ok() { 0 } else { libc::EBUSY }
    }

    /// pthread_rwlock_unlock(3).
    fn pthread_rwlock_unlock(lock: *mut pthread_rwlock_t) -> c_int {
        rwlock(lock).unlock()
    }

    /// pthread_rwlockattr_init(3).
    fn pthread_rwlockattr_init(attr: *mut pthread_rwlockattr_t) -> c_int {
        *attr.cast::<[c_uint; 2]>() = [0, 0];
        0
    }

    /// pthread_rwlockattr_destroy(3).
    fn pthread_rwlockattr_destroy(_attr: *mut pthread_rwlockattr_t) -> c_int {
        0
    }

    /// pthread_rwlockattr_setpshared(3).
    fn pthread_rwlockattr_setpshared(attr: *mut pthread_rwlockattr_t, shared: c_int) -> c_int {
        if shared != libc::PTHREAD_PROCESS_SHARED && shared != libc::PTHREAD_PROCESS_PRIVATE {
            return libc::EINVAL;
        }
        *attr.cast::<c_uint>().add(1) = shared as c_uint;
        0
    }

    /// pthread_rwlockattr_getpshared(3).
    fn pthread_rwlockattr_getpshared(attr: *const pthread_rwlockattr_t, out: *mut c_int) -> c_int {
        *out = *attr.cast::<c_int>().add(1);
        0
    }

    /// pthread_rwlockattr_setkind_np(3): kept, and readers preferred all the same.
    fn pthread_rwlockattr_setkind_np(attr: *mut pthread_rwlockattr_t, kind: c_int) -> c_int {
        if !(0..=2).contains(&kind) {
            return libc::EINVAL;
        }
        *attr.cast::<c_int>() = kind;
        0
    }
}
