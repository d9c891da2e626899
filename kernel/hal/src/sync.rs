//! Locks and write-once cells for the kernel.
//!
//! The kernel runs with interrupts off, so a lock needs no interrupt state; a waiting CPU answers TLB shootdowns, since
//! the holder may wait for this very CPU's answer.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Mutual exclusion by spinning. Not reentrant: a CPU that locks twice hangs.
pub struct SpinLock<T: ?Sized> {
    locked: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the lock lets one CPU at a time reach the value, which may move between CPUs if it is Send.
unsafe impl<T: ?Sized + Send> Sync for SpinLock<T> {}
// SAFETY: as above; the lock itself is plain data.
unsafe impl<T: ?Sized + Send> Send for SpinLock<T> {}

impl<T> SpinLock<T> {
    /// An unlocked lock around `value`.
    pub const fn new(value: T) -> Self {
        Self { locked: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Gives the value back.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> SpinLock<T> {
    /// Waits for the lock and takes it.
    #[inline]
    pub fn lock(&self) -> SpinGuard<'_, T> {
        match self.try_lock() {
            Some(guard) => guard,
            None => self.lock_contended(),
        }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_lock(&self) -> Option<SpinGuard<'_, T>> {
        if self.locked.swap(true, Ordering::Acquire) {
            return None;
        }
        depth::add();
        Some(SpinGuard { lock: self, not_send: PhantomData })
    }

    #[cold]
    #[inline(never)]
    fn lock_contended(&self) -> SpinGuard<'_, T> {
        loop {
            while self.locked.load(Ordering::Relaxed) {
                core::hint::spin_loop();
                crate::paging::service_shootdown();
            }
            if let Some(guard) = self.try_lock() {
                return guard;
            }
        }
    }

    /// The value, without locking: the exclusive borrow proves that nobody else can reach it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: ?Sized> fmt::Debug for SpinLock<T> {
    /// Says no more than that it is a lock: looking inside could wait.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpinLock").finish_non_exhaustive()
    }
}

/// Proof that this CPU holds a [`SpinLock`]; dropping it unlocks.
pub struct SpinGuard<'a, T: ?Sized> {
    lock: &'a SpinLock<T>,
    not_send: PhantomData<*mut ()>,
}

impl<'a, T: ?Sized> SpinGuard<'a, T> {
    /// The value for as long as the lock lives; it stays locked for ever.
    pub fn leak(self) -> &'a mut T {
        let lock = self.lock;
        depth::sub();
        core::mem::forget(self);
        // SAFETY: the lock is held and nobody gives it up any more, so nobody else gets at the value.
        unsafe { &mut *lock.value.get() }
    }
}

// SAFETY: a shared guard gives `&T` only.
unsafe impl<T: ?Sized + Sync> Sync for SpinGuard<'_, T> {}

impl<T: ?Sized> Deref for SpinGuard<'_, T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the guard exists only while this CPU holds the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for SpinGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard exists only while this CPU holds the lock, and it is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for SpinGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        depth::sub();
        self.lock.locked.store(false, Ordering::Release);
    }
}

/// How many locks each CPU holds: a check of debug builds that nobody idles or takes interrupts with a lock held.
pub(crate) mod depth {
    #[cfg(debug_assertions)]
    static DEPTH: [core::sync::atomic::AtomicU32; crate::cpu::MAX_CPUS] =
        [const { core::sync::atomic::AtomicU32::new(0) }; crate::cpu::MAX_CPUS];

    #[inline]
    pub fn add() {
        #[cfg(debug_assertions)]
        DEPTH[crate::cpu::id()].fetch_add(1, core::sync::atomic::Ordering::Relaxed);
    }

    #[inline]
    pub fn sub() {
        #[cfg(debug_assertions)]
        DEPTH[crate::cpu::id()].fetch_sub(1, core::sync::atomic::Ordering::Relaxed);
    }

    /// Debug builds: panics if this CPU holds a lock.
    #[inline]
    pub fn assert_none() {
        #[cfg(debug_assertions)]
        assert_eq!(DEPTH[crate::cpu::id()].load(core::sync::atomic::Ordering::Relaxed), 0, "a spin lock is held");
    }
}

/// A cell that is written once and then only read.
pub struct Once<T> {
    state: AtomicU8,
    value: UnsafeCell<MaybeUninit<T>>,
}

const EMPTY: u8 = 0;
const WRITING: u8 = 1;
const SET: u8 = 2;

// SAFETY: the value is written before `state` says SET and shared afterwards; it may be set on one CPU and dropped on another.
unsafe impl<T: Send + Sync> Sync for Once<T> {}
// SAFETY: plain data around a Send value.
unsafe impl<T: Send> Send for Once<T> {}

impl<T> Once<T> {
    /// An empty cell.
    pub const fn new() -> Self {
        Self { state: AtomicU8::new(EMPTY), value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// Sets the value; gives it back if there is one already (or one is just being set).
    pub fn set(&self, value: T) -> Result<(), T> {
        if self.state.compare_exchange(EMPTY, WRITING, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return Err(value);
        }
        // SAFETY: only the winner of the exchange above gets here, and readers wait for SET.
        unsafe { (*self.value.get()).write(value) };
        self.state.store(SET, Ordering::Release);
        Ok(())
    }

    /// The value, if it is set.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // SAFETY: SET is stored after the value was written, and nothing writes it again.
        (self.state.load(Ordering::Acquire) == SET).then(|| unsafe { (*self.value.get()).assume_init_ref() })
    }
}

impl<T: fmt::Debug> fmt::Debug for Once<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Once").field(&self.get()).finish()
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for Once<T> {
    fn drop(&mut self) {
        if *self.state.get_mut() == SET {
            // SAFETY: SET says that the value is there; this is its last use.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}
