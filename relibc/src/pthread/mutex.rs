//! Mutexes: normal, recursive, error-checking, adaptive; private and process-shared; robust, with priority inheritance or a ceiling.
//!
//! glibc's layout: lock word, recursion count, owner, users, kind, links of the list of robust mutexes. Plain mutexes have one of three
//! states in the lock word; robust and inheriting ones have their owner's id there, for the kernel to read ([`robust`], [`inherit`]).

use super::robust::{INCONSISTENT, Links};
use super::{ceiling, inherit, robust};
use crate::sys;
use crate::thread;
use core::cell::UnsafeCell;
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
/// The kind of a mutex that was destroyed: using it is EINVAL.
const DESTROYED: c_int = -1;
/// glibc's PTHREAD_MUTEX_ROBUST_NORMAL_NP.
const ROBUST: c_int = 0x10;
/// glibc's PTHREAD_MUTEX_PRIO_INHERIT_NP.
const INHERIT: c_int = 0x20;
/// glibc's PTHREAD_MUTEX_PRIO_PROTECT_NP.
const PROTECT: c_int = 0x40;
/// glibc's PTHREAD_MUTEX_PSHARED_BIT.
const SHARED: c_int = 0x80;
/// Where an attribute object and, here, a mutex keep the priority ceiling in their kind.
const CEILING_SHIFT: u32 = 16;
const CEILING_MASK: c_int = 0xff;
/// From the lock word to the link that the kernel follows.
pub const LINK_OFFSET: usize = core::mem::offset_of!(Mutex, links) + core::mem::offset_of!(Links, next);
/// Tries before an adaptive mutex sleeps.
const SPINS: usize = 100;

/// A `pthread_mutex_t` from inside. Statically initialised ones are all zero but for the kind.
#[repr(C)]
pub struct Mutex {
    pub(super) lock: AtomicU32,
    count: c_uint,
    pub(super) owner: AtomicI32,
    users: c_uint,
    /// PTHREAD_MUTEX_* and flags.
    kind: AtomicI32,
    spins: c_int,
    pub(super) links: UnsafeCell<Links>,
}

const _: () = assert!(size_of::<Mutex>() == 40 && core::mem::offset_of!(Mutex, kind) == 16);

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
    fn word(&self) -> c_int {
        self.kind.load(Ordering::Relaxed)
    }

    #[inline]
    fn kind(&self) -> c_int {
        self.word() & KIND_MASK
    }

    /// Whether other processes use it.
    #[inline]
    pub(super) fn shared(&self) -> bool {
        self.word() & SHARED != 0
    }

    /// Whether its owner inherits priorities.
    pub(super) fn inherits(&self) -> bool {
        self.word() & INHERIT != 0
    }

    /// Whether the lock word holds the owner's id.
    fn owner_in_word(&self) -> bool {
        self.word() & (ROBUST | INHERIT) != 0
    }

    /// A normal mutex without any flag but [`SHARED`].
    #[inline]
    fn plain(&self) -> bool {
        self.word() & !SHARED == NORMAL
    }

    /// The least priority that its owner runs with.
    fn ceiling(&self) -> Option<c_int> {
        (self.word() & PROTECT != 0).then(|| self.word() >> CEILING_SHIFT & CEILING_MASK)
    }

    pub(super) fn set_count(&self, count: c_uint) {
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
        if self.plain() {
            if self.take() {
                return 0;
            }
            return self.wait(clock, deadline);
        }
        self.lock_checked(Some((clock, deadline)))
    }

    /// Whether the calling thread holds it.
    fn mine(&self, me: c_int) -> bool {
        if self.owner_in_word() {
            return self.lock.load(Ordering::Relaxed) & robust::TID == me as u32;
        }
        self.owner.load(Ordering::Relaxed) == me
    }

    /// Locks, keeping the owner; without `wait`, EBUSY instead of waiting.
    fn lock_checked(&self, wait: Option<(clockid_t, *const timespec)>) -> c_int {
        if self.word() == DESTROYED {
            return libc::EINVAL;
        }
        let me = thread::current_tid();
        if matches!(self.kind(), RECURSIVE | libc::PTHREAD_MUTEX_ERRORCHECK) && self.mine(me) {
            if self.kind() == RECURSIVE {
                if self.count == c_uint::MAX {
                    return libc::EAGAIN;
                }
                self.set_count(self.count + 1);
                return 0;
            }
            return if wait.is_some() || self.owner_in_word() { libc::EDEADLK } else { libc::EBUSY };
        }
        let Some(ceiling) = self.ceiling() else { return self.lock_other(me, wait) };
        if let Err(errno) = ceiling::enter(ceiling) {
            return errno;
        }
        let errno = self.lock_other(me, wait);
        if errno != 0 {
            ceiling::leave(ceiling);
        }
        errno
    }

    /// [`Self::lock_checked`] for a mutex that is not held by the caller as far as its kind cares.
    fn lock_other(&self, me: c_int, wait: Option<(clockid_t, *const timespec)>) -> c_int {
        if self.word() & ROBUST != 0 {
            // SAFETY: initialised as a robust one; the caller does not hold it, or waits for itself as POSIX says.
            return match unsafe { robust::lock(self, wait) } {
                libc::EDEADLK if self.kind() != libc::PTHREAD_MUTEX_ERRORCHECK => self.wait_for_ever(wait),
                errno => errno,
            };
        }
        if self.inherits() {
            // SAFETY: initialised.
            if let Err(errno) = unsafe { inherit::take(self, me as u32, wait) } {
                if errno == libc::EDEADLK && self.kind() != libc::PTHREAD_MUTEX_ERRORCHECK {
                    // A normal mutex waits for itself for ever; the kernel says so instead.
                    return self.wait_for_ever(wait);
                }
                return errno;
            }
        } else if !self.take() {
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

    /// What a normal mutex does to its own owner: nothing, until the deadline.
    fn wait_for_ever(&self, wait: Option<(clockid_t, *const timespec)>) -> c_int {
        let Some((clock, deadline)) = wait else { return libc::EBUSY };
        let never = AtomicU32::new(0);
        loop {
            // SAFETY: the word is ours; the deadline is null or the caller's.
            let raw = unsafe { sys::futex_wait(never.as_ptr(), 0, false, clock, deadline) };
            if raw == -libc::ETIMEDOUT as isize || raw == -libc::EINVAL as isize {
                return -raw as c_int;
            }
        }
    }

    /// Locks unless someone holds it.
    pub fn try_lock(&self) -> c_int {
        if self.plain() {
            return if self.take() { 0 } else { libc::EBUSY };
        }
        self.lock_checked(None)
    }

    /// Unlocks.
    #[inline]
    pub fn unlock(&self) -> c_int {
        if !self.plain() {
            if self.word() == DESTROYED {
                return libc::EINVAL;
            }
            let me = thread::current_tid();
            let must_own = self.owner_in_word() || matches!(self.kind(), RECURSIVE | libc::PTHREAD_MUTEX_ERRORCHECK);
            if must_own && !self.mine(me) {
                return libc::EPERM;
            }
            if self.kind() == RECURSIVE && self.count > 1 {
                self.set_count(self.count - 1);
                return 0;
            }
            let ceiling = self.ceiling();
            self.unlock_held();
            if let Some(ceiling) = ceiling {
                ceiling::leave(ceiling);
            }
            return 0;
        }
        self.release();
        0
    }

    /// Unlocks a mutex that keeps its owner, for the last time.
    fn unlock_held(&self) {
        if self.word() & ROBUST != 0 {
            // SAFETY: the caller holds it.
            return unsafe { robust::unlock(self) };
        }
        self.owner.store(0, Ordering::Relaxed);
        self.set_count(0);
        if self.inherits() {
            // SAFETY: the caller holds it.
            unsafe { inherit::release(self) };
        } else {
            self.release();
        }
    }

    /// Gives a plain lock word back.
    #[inline]
    fn release(&self) {
        // After the swap another thread may free the mutex: only the address is used then.
        let (word, shared) = (self.lock.as_ptr(), self.shared());
        if self.lock.swap(FREE, Ordering::Release) == CONTENDED {
            // SAFETY: waking an address that no longer is a futex is harmless.
            unsafe { sys::futex_wake(word, 1, shared) };
        }
    }

    /// pthread_mutex_consistent(3).
    fn make_consistent(&self) -> c_int {
        if self.word() & ROBUST == 0 || self.owner.load(Ordering::Relaxed) != INCONSISTENT {
            return libc::EINVAL;
        }
        self.owner.store(thread::current_tid(), Ordering::Relaxed);
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
            let kind = *attr.cast::<c_int>();
            if kind & (ROBUST | PROTECT) == ROBUST | PROTECT {
                return libc::ENOTSUP;
            }
            Mutex::from(mutex).kind.store(kind, Ordering::Relaxed);
        }
        0
    }

    /// pthread_mutex_destroy(3).
    fn pthread_mutex_destroy(mutex: *mut pthread_mutex_t) -> c_int {
        let mutex = Mutex::from(mutex);
        if mutex.word() & ROBUST == 0 && mutex.lock.load(Ordering::Relaxed) != FREE {
            return libc::EBUSY;
        }
        mutex.kind.store(DESTROYED, Ordering::Relaxed);
        0
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

    /// pthread_mutex_consistent(3).
    fn pthread_mutex_consistent(mutex: *mut pthread_mutex_t) -> c_int {
        Mutex::from(mutex).make_consistent()
    }

    /// pthread_mutexattr_setprotocol(3).
    fn pthread_mutexattr_setprotocol(attr: *mut pthread_mutexattr_t, protocol: c_int) -> c_int {
        let flags = match protocol {
            libc::PTHREAD_PRIO_NONE => 0,
            libc::PTHREAD_PRIO_INHERIT => INHERIT,
            libc::PTHREAD_PRIO_PROTECT => PROTECT,
            _ => return libc::EINVAL,
        };
        let word = attr_word(attr);
        *word = *word & !(INHERIT | PROTECT) | flags;
        if flags == PROTECT && *word >> CEILING_SHIFT & CEILING_MASK == 0 {
            *word |= ceiling::LEAST << CEILING_SHIFT;
        }
        0
    }

    /// pthread_mutexattr_getprotocol(3).
    fn pthread_mutexattr_getprotocol(attr: *const pthread_mutexattr_t, out: *mut c_int) -> c_int {
        *out = match *attr.cast::<c_int>() & (INHERIT | PROTECT) {
            0 => libc::PTHREAD_PRIO_NONE,
            INHERIT => libc::PTHREAD_PRIO_INHERIT,
            _ => libc::PTHREAD_PRIO_PROTECT,
        };
        0
    }

    /// pthread_mutexattr_setprioceiling(3): a priority of SCHED_FIFO.
    fn pthread_mutexattr_setprioceiling(attr: *mut pthread_mutexattr_t, priority: c_int) -> c_int {
        if !(ceiling::LEAST..=ceiling::GREATEST).contains(&priority) {
            return libc::EINVAL;
        }
        let word = attr_word(attr);
        *word = *word & !(CEILING_MASK << CEILING_SHIFT) | priority << CEILING_SHIFT;
        0
    }

    /// pthread_mutexattr_getprioceiling(3).
    fn pthread_mutexattr_getprioceiling(attr: *const pthread_mutexattr_t, out: *mut c_int) -> c_int {
        *out = (*attr.cast::<c_int>() >> CEILING_SHIFT & CEILING_MASK).max(ceiling::LEAST);
        0
    }

    /// pthread_mutex_getprioceiling(3).
    fn pthread_mutex_getprioceiling(mutex: *const pthread_mutex_t, out: *mut c_int) -> c_int {
        let Some(ceiling) = Mutex::from(mutex.cast_mut()).ceiling() else { return libc::EINVAL };
        *out = ceiling;
        0
    }

    /// pthread_mutex_setprioceiling(3): under the mutex's lock.
    fn pthread_mutex_setprioceiling(mutex: *mut pthread_mutex_t, priority: c_int, old: *mut c_int) -> c_int {
        let mutex = Mutex::from(mutex);
        let Some(before) = mutex.ceiling() else { return libc::EINVAL };
        if !(ceiling::LEAST..=ceiling::GREATEST).contains(&priority) {
            return libc::EINVAL;
        }
        let errno = mutex.lock(libc::CLOCK_MONOTONIC, ptr::null());
        if errno != 0 {
            return errno;
        }
        if !old.is_null() {
            *old = before;
        }
        let word = mutex.word() & !(CEILING_MASK << CEILING_SHIFT) | priority << CEILING_SHIFT;
        mutex.kind.store(word, Ordering::Relaxed);
        mutex.unlock()
    }

    /// pthread_mutexattr_setrobust(3).
    fn pthread_mutexattr_setrobust(attr: *mut pthread_mutexattr_t, robust: c_int) -> c_int {
        let word = attr_word(attr);
        match robust {
            libc::PTHREAD_MUTEX_STALLED => *word &= !ROBUST,
            libc::PTHREAD_MUTEX_ROBUST => *word |= ROBUST,
            _ => return libc::EINVAL,
        }
        0
    }

    /// pthread_mutexattr_getrobust(3).
    fn pthread_mutexattr_getrobust(attr: *const pthread_mutexattr_t, out: *mut c_int) -> c_int {
        *out = (*attr.cast::<c_int>() & ROBUST != 0) as c_int;
        0
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
