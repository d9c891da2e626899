//! Mutexes: normal, recursive, error-checking, adaptive; private and process-shared.
//!
//! glibc's layout: lock word, recursion count, owner, users, kind. Robust and priority-inheriting
//! mutexes are refused where they would be made.

use crate::sys;
use crate::thread;
use core::ffi::{c_int, c_uint};
use core::ptr;
use core::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use libc::{clockid_t, pthread_mutex_t, pthread_mutexattr_t, timespec};

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

const NORMAL: c_int = 0;
const RECURSIVE: c_int = 1;
const ADAPTIVE: c_int = 3;
const KIND_MASK: c_int = 3;
/// glibc's PTHREAD_MUTEX_PSHARED_BIT.
const SHARED: c_int = 0x80;
/// Tries before an adaptive mutex sleeps.
const SPINS: usize = 100;

/// A `pthread_mutex_t` from inside. Statically initialised ones are all zero but for the kind.
#[repr(C)]
pub struct Mutex {
    lock: AtomicU32,
    count: c_uint,
    owner: AtomicI32,
    users: c_uint,
    /// PTHREAD_MUTEX_* and flags.
    kind: c_int,
}

impl Mutex {
    /// The object behind a `pthread_mutex_t`.
    ///
    /// # Safety
    /// The mutex is initialised.
    #[inline]
    pub unsafe fn from<'a>(mutex: *mut pthread_mutex_t) -> &'a Mutex {
        &*mutex.cast::<Mutex>()
    }

    #[inline]
    fn kind(&self) -> c_int {
        self.kind & KIND_MASK
    }

    #[inline]
    fn shared(&self) -> bool {
        self.kind & SHARED != 0
    }

    fn set_count(&self, count: c_uint) {
        // SAFETY: only the owner touches the count.
        unsafe { (&raw const self.count).cast_mut().write(count) };
    }

    #[inline]
    fn take(&self) -> bool {
        self.lock.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    fn wait(&self, clock: clockid_t, deadline: *const timespec) -> c_int {
        if self.kind() == ADAPTIVE {
            for _ in 0..SPINS {
                core::hint::spin_loop();
                if self.lock.load(Ordering::Relaxed) == FREE && self.take() {
                    return 0;
                }
            }
        }
        while self.lock.swap(CONTENDED, Ordering::Acquire) != FREE {
            // SAFETY: the word lives as long as the mutex; the deadline is null or the caller's.
            let raw = unsafe { sys::futex_wait(self.lock.as_ptr(), CONTENDED, self.shared(), clock, deadline) };
            if raw == -libc::ETIMEDOUT as isize || raw == -libc::EINVAL as isize {
                return -raw as c_int;
            }
        }
        0
    }

    /// Locks; `deadline` null waits for ever.
    #[inline]
    pub fn lock(&self, clock: clockid_t, deadline: *const timespec) -> c_int {
        if self.kind() == NORMAL {
            if self.take() {
                return 0;
            }
            return self.wait(clock, deadline);
        }
        self.lock_checked(Some((clock, deadline)))
    }

    /// Locks, keeping the owner; without `wait`, EBUSY instead of waiting.
    fn lock_checked(&self, wait: Option<(clockid_t, *const timespec)>) -> c_int {
        let me = thread::current_tid();
        if self.kind() != ADAPTIVE && self.owner.load(Ordering::Relaxed) == me {
            if self.kind() == RECURSIVE {
                if self.count == c_uint::MAX {
                    return libc::EAGAIN;
                }
                self.set_count(self.count + 1);
                return 0;
            }
            return if wait.is_some() { libc::EDEADLK } else { libc::EBUSY };
        }
        if !self.take() {
            let Some((clock, deadline)) = wait else { return libc::EBUSY };
            let errno = self.wait(clock, deadline);
            if errno != 0 {
                return errno;
            }
        }
        self.owner.store(me, Ordering::Relaxed);
        self.set_count(1);
        0
    }

    /// Locks unless someone holds it.
    pub fn try_lock(&self) -> c_int {
        if self.kind() == NORMAL {
            return if self.take() { 0 } else { libc::EBUSY };
        }
        self.lock_checked(None)
    }

    /// Unlocks.
    #[inline]
    pub fn unlock(&self) -> c_int {
        if self.kind() != NORMAL {
            let me = thread::current_tid();
            if self.kind() != ADAPTIVE && self.owner.load(Ordering::Relaxed) != me {
                return libc::EPERM;
            }
            if self.kind() == RECURSIVE && self.count > 1 {
                self.set_count(self.count - 1);
                return 0;
            }
            self.owner.store(0, Ordering::Relaxed);
            self.set_count(0);
        }
        // After the swap another thread may free the mutex: only the address is used then.
        let (word, shared) = (self.lock.as_ptr(), self.shared());
        if self.lock.swap(FREE, Ordering::Release) == CONTENDED {
            // SAFETY: waking an address that no longer is a futex is harmless.
            unsafe { sys::futex_wake(word, 1, shared) };
        }
        0
    }
}

unsafe fn attr_word<'a>(attr: *mut pthread_mutexattr_t) -> &'a mut c_int {
    &mut *attr.cast::<c_int>()
}

c_api! {
    /// pthread_mutex_init(3).
    fn pthread_mutex_init(mutex: *mut pthread_mutex_t, attr: *const pthread_mutexattr_t) -> c_int {
        mutex.write_bytes(0, 1);
        if !attr.is_null() {
            (*mutex.cast::<Mutex>()).kind = *attr.cast::<c_int>();
        }
        0
    }

    /// pthread_mutex_destroy(3).
    fn pthread_mutex_destroy(mutex: *mut pthread_mutex_t) -> c_int {
        if Mutex::from(mutex).lock.load(Ordering::Relaxed) != FREE { libc::EBUSY } else { 0 }
    }

    /// pthread_mutex_lock(3).
    fn pthread_mutex_lock(mutex: *mut pthread_mutex_t) -> c_int {
        Mutex::from(mutex).lock(libc::CLOCK_MONOTONIC, ptr::null())
    }

    /// pthread_mutex_trylock(3).
    fn pthread_mutex_trylock(mutex: *mut pthread_mutex_t) -> c_int {
        Mutex::from(mutex).try_lock()
    }

    /// pthread_mutex_timedlock(3).
    fn pthread_mutex_timedlock(mutex: *mut pthread_mutex_t, deadline: *const timespec) -> c_int {
        Mutex::from(mutex).lock(libc::CLOCK_REALTIME, deadline)
    }

    /// pthread_mutex_clocklock(3).
    fn pthread_mutex_clocklock(mutex: *mut pthread_mutex_t, clock: clockid_t, deadline: *const timespec) -> c_int {
        Mutex::from(mutex).lock(clock, deadline)
    }

    /// pthread_mutex_unlock(3).
    fn pthread_mutex_unlock(mutex: *mut pthread_mutex_t) -> c_int {
        Mutex::from(mutex).unlock()
    }

    /// pthread_mutexattr_init(3).
    fn pthread_mutexattr_init(attr: *mut pthread_mutexattr_t) -> c_int {
        *attr_word(attr) = 0;
        0
    }

    /// pthread_mutexattr_destroy(3).
    fn pthread_mutexattr_destroy(_attr: *mut pthread_mutexattr_t) -> c_int {
        0
    }

    /// pthread_mutexattr_settype(3).
    fn pthread_mutexattr_settype(attr: *mut pthread_mutexattr_t, kind: c_int) -> c_int {
        if !(NORMAL..=ADAPTIVE).contains(&kind) {
            return libc::EINVAL;
        }
        let word = attr_word(attr);
        *word = *word & !KIND_MASK | kind;
        0
    }

    /// pthread_mutexattr_gettype(3).
    fn pthread_mutexattr_gettype(attr: *const pthread_mutexattr_t, out: *mut c_int) -> c_int {
        *out = *attr.cast::<c_int>() & KIND_MASK;
        0
    }

    /// pthread_mutexattr_setpshared(3).
    fn pthread_mutexattr_setpshared(attr: *mut pthread_mutexattr_t, shared: c_int) -> c_int {
        let word = attr_word(attr);
        match shared {
            libc::PTHREAD_PROCESS_PRIVATE => *word &= !SHARED,
            libc::PTHREAD_PROCESS_SHARED => *word |= SHARED,
            _ => return libc::EINVAL,
        }
        0
    }

    /// pthread_mutexattr_getpshared(3).
    fn pthread_mutexattr_getpshared(attr: *const pthread_mutexattr_t, out: *mut c_int) -> c_int {
        *out = (*attr.cast::<c_int>() & SHARED != 0) as c_int;
        0
    }

    /// pthread_mutexattr_setprotocol(3): no priority protocol is supported yet.
    fn pthread_mutexattr_setprotocol(_attr: *mut pthread_mutexattr_t, protocol: c_int) -> c_int {
        match protocol {
            0 => 0,
            1 | 2 => libc::ENOTSUP,
            _ => libc::EINVAL,
        }
    }

    /// pthread_mutexattr_setrobust(3): robust mutexes are not supported yet.
    fn pthread_mutexattr_setrobust(_attr: *mut pthread_mutexattr_t, robust: c_int) -> c_int {
        match robust {
            0 => 0,
            1 => libc::ENOTSUP,
            _ => libc::EINVAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutex(kind: c_int) -> pthread_mutex_t {
        // SAFETY: all-zero is a valid mutex, and the attribute's word is the kind.
        unsafe {
            let mut mutex = core::mem::zeroed();
            let mut attr: pthread_mutexattr_t = core::mem::zeroed();
            assert_eq!(pthread_mutexattr_settype(&mut attr, kind), 0);
            pthread_mutex_init(&mut mutex, &attr);
            mutex
        }
    }

    #[test]
    fn kinds_differ_as_posix_says() {
        // SAFETY: initialised mutexes of this thread.
        unsafe {
            (*thread::current()).tid.store(7, Ordering::Relaxed);
            let mut recursive = mutex(RECURSIVE);
            assert_eq!(pthread_mutex_lock(&mut recursive), 0);
            assert_eq!(pthread_mutex_lock(&mut recursive), 0);
            assert_eq!(pthread_mutex_unlock(&mut recursive), 0);
            assert_eq!(pthread_mutex_unlock(&mut recursive), 0);
            assert_eq!(pthread_mutex_unlock(&mut recursive), libc::EPERM);
            let mut checked = mutex(libc::PTHREAD_MUTEX_ERRORCHECK);
            assert_eq!(pthread_mutex_lock(&mut checked), 0);
            assert_eq!(pthread_mutex_lock(&mut checked), libc::EDEADLK);
            assert_eq!(pthread_mutex_destroy(&mut checked), libc::EBUSY);
            assert_eq!(pthread_mutex_unlock(&mut checked), 0);
            let mut normal = mutex(NORMAL);
            assert_eq!(pthread_mutex_trylock(&mut normal), 0);
            assert_eq!(pthread_mutex_trylock(&mut normal), libc::EBUSY);
            let past = timespec { tv_sec: 1, tv_nsec: 0 };
            assert_eq!(pthread_mutex_timedlock(&mut normal, &past), libc::ETIMEDOUT);
            assert_eq!(pthread_mutex_unlock(&mut normal), 0);
        }
    }
}
