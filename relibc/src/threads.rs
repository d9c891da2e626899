//! C11's threads: `threads.h`, over `pthread`. ISO C11, 7.26; thrd_create(3) and the pages beside it.

use crate::pthread::{cond, create, keys, mutex, once};
use crate::sys;
use core::ffi::{c_int, c_void};
use core::ptr;
use libc::{pthread_cond_t, pthread_key_t, pthread_mutex_t, pthread_mutexattr_t, pthread_once_t, pthread_t, timespec};

/// glibc's thrd_success and its like.
const SUCCESS: c_int = 0;
const BUSY: c_int = 1;
const ERROR: c_int = 2;
const NO_MEMORY: c_int = 3;
const TIMED_OUT: c_int = 4;

/// glibc's mtx_recursive. The other bits say nothing: every mutex can be waited for with a deadline.
const RECURSIVE: c_int = 1;

type Start = unsafe extern "C" fn(*mut c_void) -> c_int;

/// An error number of the pthread functions as C11 has it.
fn result(errno: c_int) -> c_int {
    match errno {
        0 => SUCCESS,
        libc::EBUSY => BUSY,
        libc::ENOMEM => NO_MEMORY,
        libc::ETIMEDOUT => TIMED_OUT,
        _ => ERROR,
    }
}

c_api! {
    /// thrd_create(3).
    fn thrd_create(out: *mut pthread_t, start: Start, arg: *mut c_void) -> c_int {
        // SAFETY: both return in rax, of which thrd_join takes the low half: a start routine that returns int serves.
        let start = core::mem::transmute::<Start, unsafe extern "C" fn(*mut c_void) -> *mut c_void>(start);
        match create::pthread_create(out, ptr::null(), start, arg) {
            libc::EAGAIN => NO_MEMORY,
            errno => result(errno),
        }
    }

    /// thrd_join(3).
    fn thrd_join(thread: pthread_t, out: *mut c_int) -> c_int {
        let mut value = ptr::null_mut();
        let errno = create::pthread_join(thread, &mut value);
        if errno == 0 && !out.is_null() {
            *out = value.addr() as c_int;
        }
        result(errno)
    }

    /// thrd_detach(3).
    fn thrd_detach(thread: pthread_t) -> c_int { result(create::pthread_detach(thread)) }

    /// thrd_exit(3).
    fn thrd_exit(value: c_int) -> ! {
        crate::pthread::cancel::pthread_exit(ptr::without_provenance_mut(value as usize))
    }

    /// thrd_current(3).
    fn thrd_current() -> pthread_t { create::pthread_self() }

    /// thrd_equal(3).
    fn thrd_equal(a: pthread_t, b: pthread_t) -> c_int { (a == b) as c_int }

    /// thrd_sleep(3): 0, −1 if a signal came first, −2 for another error.
    fn thrd_sleep(time: *const timespec, left: *mut timespec) -> c_int {
        match crate::pthread::cancel::point(|| sys::clock_nanosleep(libc::CLOCK_REALTIME, 0, time, left)) {
            0 => 0,
            raw if raw == -libc::EINTR as isize => -1,
            _ => -2,
        }
    }

    /// thrd_yield(3).
    fn thrd_yield() { sys::sched_yield(); }

    /// mtx_init(3).
    fn mtx_init(mtx: *mut pthread_mutex_t, kind: c_int) -> c_int {
        let mut attr: pthread_mutexattr_t = core::mem::zeroed();
        mutex::pthread_mutexattr_init(&mut attr);
        let kind = if kind & RECURSIVE != 0 { libc::PTHREAD_MUTEX_RECURSIVE } else { libc::PTHREAD_MUTEX_NORMAL };
        mutex::pthread_mutexattr_settype(&mut attr, kind);
        result(mutex::pthread_mutex_init(mtx, &attr))
    }

    /// mtx_destroy(3).
    fn mtx_destroy(mtx: *mut pthread_mutex_t) { mutex::pthread_mutex_destroy(mtx); }

    /// mtx_lock(3).
    fn mtx_lock(mtx: *mut pthread_mutex_t) -> c_int { result(mutex::pthread_mutex_lock(mtx)) }

    /// mtx_trylock(3).
    fn mtx_trylock(mtx: *mut pthread_mutex_t) -> c_int { result(mutex::pthread_mutex_trylock(mtx)) }

    /// mtx_timedlock(3).
    fn mtx_timedlock(mtx: *mut pthread_mutex_t, deadline: *const timespec) -> c_int {
        result(mutex::pthread_mutex_timedlock(mtx, deadline))
    }

    /// mtx_unlock(3).
    fn mtx_unlock(mtx: *mut pthread_mutex_t) -> c_int { result(mutex::pthread_mutex_unlock(mtx)) }

    /// cnd_init(3).
    fn cnd_init(cnd: *mut pthread_cond_t) -> c_int { result(cond::pthread_cond_init(cnd, ptr::null())) }

    /// cnd_destroy(3).
    fn cnd_destroy(cnd: *mut pthread_cond_t) { cond::pthread_cond_destroy(cnd); }

    /// cnd_signal(3).
    fn cnd_signal(cnd: *mut pthread_cond_t) -> c_int { result(cond::pthread_cond_signal(cnd)) }

    /// cnd_broadcast(3).
    fn cnd_broadcast(cnd: *mut pthread_cond_t) -> c_int { result(cond::pthread_cond_broadcast(cnd)) }

    /// cnd_wait(3).
    fn cnd_wait(cnd: *mut pthread_cond_t, mtx: *mut pthread_mutex_t) -> c_int {
        result(cond::pthread_cond_wait(cnd, mtx))
    }

    /// cnd_timedwait(3).
    fn cnd_timedwait(cnd: *mut pthread_cond_t, mtx: *mut pthread_mutex_t, deadline: *const timespec) -> c_int {
        result(cond::pthread_cond_timedwait(cnd, mtx, deadline))
    }

    /// tss_create(3).
    fn tss_create(key: *mut pthread_key_t, destructor: Option<unsafe extern "C" fn(*mut c_void)>) -> c_int {
        result(keys::pthread_key_create(key, destructor))
    }

    /// tss_delete(3).
    fn tss_delete(key: pthread_key_t) { keys::pthread_key_delete(key); }

    /// tss_get(3).
    fn tss_get(key: pthread_key_t) -> *mut c_void { keys::pthread_getspecific(key) }

    /// tss_set(3).
    fn tss_set(key: pthread_key_t, value: *mut c_void) -> c_int { result(keys::pthread_setspecific(key, value)) }

    /// call_once(3).
    fn call_once(flag: *mut pthread_once_t, function: unsafe extern "C" fn()) { once::pthread_once(flag, function); }
}
