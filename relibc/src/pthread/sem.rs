//! Unnamed semaphores: `semaphore.h`.

use super::cancel;
use super::unwind::Cleanup;
use crate::errno;
use crate::sys;
use core::ffi::{c_int, c_uint, c_void};
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};
use libc::{clockid_t, sem_t, timespec};

#[repr(C)]
struct Sem {
    value: AtomicU32,
    waiters: AtomicU32,
    shared: u32,
}

const _: () = assert!(size_of::<Sem>() <= size_of::<sem_t>());
const VALUE_MAX: u32 = 0x7fff_ffff;

unsafe fn sem<'a>(at: *mut sem_t) -> &'a Sem {
    &*at.cast::<Sem>()
}

impl Sem {
    fn take(&self) -> bool {
        let mut value = self.value.load(Ordering::Relaxed);
        while value > 0 {
            match self.value.compare_exchange_weak(value, value - 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(seen) => value = seen,
            }
        }
        false
    }

    /// A waiter is cancelled. A post that was meant for it wakes another.
    unsafe fn cancelled(this: *mut c_void) {
        let this = &*this.cast::<Sem>();
        this.waiters.fetch_sub(1, Ordering::SeqCst);
        if this.value.load(Ordering::SeqCst) > 0 {
            sys::futex_wake(this.value.as_ptr(), 1, this.shared != 0);
        }
    }

    unsafe fn wait(&self, clock: clockid_t, deadline: *const timespec) -> c_int {
        cancel::test();
        while !self.take() {
            self.waiters.fetch_add(1, Ordering::SeqCst);
            let raw = Cleanup::around(Sem::cancelled, (&raw const *self).cast_mut().cast(), || {
                cancel::point(|| sys::futex_wait(self.value.as_ptr(), 0, self.shared != 0, clock, deadline))
            });
            self.waiters.fetch_sub(1, Ordering::SeqCst);
            if raw < 0 && raw != -libc::EAGAIN as isize {
                return errno::fail(-raw as c_int);
            }
        }
        0
    }
}

c_api! {
    /// sem_init(3).
    fn sem_init(out: *mut sem_t, shared: c_int, value: c_uint) -> c_int {
        if value > VALUE_MAX {
            return errno::fail(libc::EINVAL);
        }
        out.write_bytes(0, 1);
        let inner = &mut *out.cast::<Sem>();
        inner.value = AtomicU32::new(value);
        inner.shared = (shared != 0) as u32;
        0
    }

    /// sem_destroy(3).
    fn sem_destroy(_sem: *mut sem_t) -> c_int {
        0
    }

    /// sem_wait(3).
    fn sem_wait(at: *mut sem_t) -> c_int {
        sem(at).wait(libc::CLOCK_MONOTONIC, ptr::null())
    }

    /// sem_timedwait(3).
    fn sem_timedwait(at: *mut sem_t, deadline: *const timespec) -> c_int {
        sem(at).wait(libc::CLOCK_REALTIME, deadline)
    }

    /// sem_clockwait(3).
    fn sem_clockwait(at: *mut sem_t, clock: clockid_t, deadline: *const timespec) -> c_int {
        if clock != libc::CLOCK_REALTIME && clock != libc::CLOCK_MONOTONIC {
            return errno::fail(libc::EINVAL);
        }
        sem(at).wait(clock, deadline)
    }

    /// sem_trywait(3).
    fn sem_trywait(at: *mut sem_t) -> c_int {
        if sem(at).take() { 0 } else { errno::fail(libc::EAGAIN) }
    }

    /// sem_post(3).
    fn sem_post(at: *mut sem_t) -> c_int {
        let sem = sem(at);
        let shared = sem.shared != 0;
        let mut value = sem.value.load(Ordering::Relaxed);
        loop {
            if value == VALUE_MAX {
                return errno::fail(libc::EOVERFLOW);
            }
            match sem.value.compare_exchange_weak(value, value + 1, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => break,
                Err(seen) => value = seen,
            }
        }
        if sem.waiters.load(Ordering::SeqCst) != 0 {
            sys::futex_wake(sem.value.as_ptr(), 1, shared);
        }
        0
    }

    /// sem_getvalue(3).
    fn sem_getvalue(at: *mut sem_t, out: *mut c_int) -> c_int {
        *out = sem(at).value.load(Ordering::Relaxed) as c_int;
        0
    }
}
