//! Robust mutexes: the list by which the kernel finds what a dying thread holds, and locking with the owner's death in mind.
//! pthread_mutexattr_setrobust(3), get_robust_list(2), Linux's robust-futex-ABI.
//!
//! The lock word is the owner's thread id, FUTEX_WAITERS and FUTEX_OWNER_DIED; the list's links stand in the mutex, as in glibc.

use super::mutex::Mutex;
use crate::sys;
use crate::thread::{self, Thread};
use core::ffi::c_int;
use core::ptr;
use core::sync::atomic::Ordering;
use libc::{clockid_t, timespec};

/// Somebody waits (Linux's FUTEX_WAITERS).
pub const WAITERS: u32 = 0x8000_0000;
/// The owner died (Linux's FUTEX_OWNER_DIED).
pub const OWNER_DIED: u32 = 0x4000_0000;
/// The owner's id.
pub const TID: u32 = 0x3fff_ffff;
/// In `Mutex::owner`: taken over from a dead owner, and not made consistent yet. glibc's numbers.
pub const INCONSISTENT: c_int = c_int::MAX;
/// In `Mutex::owner`: of no use any more.
pub const NOT_RECOVERABLE: c_int = c_int::MAX - 1;

/// A link of the list: a `struct robust_list`, preceded in the mutex by the link back.
#[repr(C)]
pub struct Links {
    /// The entry before, as the address of its `next`.
    pub previous: *mut Links,
    /// The entry after, as the address of its `next`; bit 0: that is a priority-inheriting one.
    pub next: *mut Links,
}

/// `struct robust_list_head`, and whether the kernel knows it.
#[repr(C)]
pub struct RobustList {
    first: *mut Links,
    /// From a link's `next` to the lock word.
    offset: isize,
    /// What is being locked or unlocked.
    pending: *mut Links,
    known: bool,
}

impl RobustList {
    /// Of a thread that has locked no robust mutex yet.
    pub const fn new() -> RobustList {
        RobustList { first: ptr::null_mut(), offset: 0, pending: ptr::null_mut(), known: false }
    }
}

impl Default for RobustList {
    fn default() -> RobustList {
        RobustList::new()
    }
}

/// The address by which the kernel knows a mutex: that of its `next` link.
fn entry(mutex: &Mutex) -> *mut Links {
    mutex.links.get().map_addr(|address| address + core::mem::offset_of!(Links, next))
}

/// The `Links` around an entry's address.
unsafe fn links_of<'a>(entry: *mut Links) -> &'a mut Links {
    &mut *entry.map_addr(|address| (address & !1) - core::mem::offset_of!(Links, next))
}

/// The calling thread's list, made known to the kernel.
unsafe fn list() -> *mut RobustList {
    let list = &raw mut (*thread::current()).robust;
    if !(*list).known {
        (*list).first = list.cast();
        (*list).offset = -(super::mutex::LINK_OFFSET as isize);
        (*list).known = true;
        sys::call(libc::SYS_set_robust_list, [list.expose_provenance(), 24, 0, 0, 0, 0]);
    }
    list
}

/// The child of a fork holds none of its parent's mutexes, and its kernel thread knows no list.
///
/// # Safety
/// `thread` is the calling thread's block, right after the fork.
pub unsafe fn fork_child(thread: *mut Thread) {
    (*thread).robust = RobustList::new();
}

/// Puts `mutex` in front of the list.
unsafe fn enqueue(list: *mut RobustList, mutex: &Mutex, pi: bool) {
    let entry = entry(mutex);
    let links = links_of(entry);
    let head: *mut Links = list.cast();
    let first = (*list).first;
    links.next = first;
    // The head's first word stands where an entry's `next` does.
    links.previous = head;
    if first.addr() & !1 != head.addr() {
        links_of(first).previous = entry;
    }
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    (*list).first = entry.map_addr(|address| address | pi as usize);
}

/// Takes `mutex` out.
unsafe fn dequeue(list: *mut RobustList, mutex: &Mutex) {
    let links = links_of(entry(mutex));
    let head: *mut Links = list.cast();
    if links.next.addr() & !1 != head.addr() {
        links_of(links.next).previous = links.previous;
    }
    // `previous` is the address of a `next`, be it the head's or an entry's.
    *links.previous.cast::<*mut Links>() = links.next;
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    links.previous = ptr::null_mut();
    links.next = ptr::null_mut();
}

/// What an attempt on the lock word came to.
enum Taken {
    Clean,
    FromTheDead,
    Not(c_int),
}

unsafe fn take(mutex: &Mutex, me: u32, wait: Option<(clockid_t, *const timespec)>) -> Taken {
    if mutex.inherits() {
        return match super::inherit::take(mutex, me, wait) {
            Ok(word) if word & OWNER_DIED != 0 => Taken::FromTheDead,
            Ok(_) => Taken::Clean,
            Err(errno) => Taken::Not(errno),
        };
    }
    // Once this thread has slept, others may sleep too: the mark stays in the word it takes.
    let mut slept = 0;
    let mut word = mutex.lock.load(Ordering::Relaxed);
    loop {
        let next = match word {
            0 => me | slept,
            _ if word & OWNER_DIED != 0 => me | word & WAITERS | slept,
            _ => {
                let Some((clock, deadline)) = wait else { return Taken::Not(libc::EBUSY) };
                let marked = word | WAITERS;
                if word != marked
                    && let Err(seen) = mutex.lock.compare_exchange(word, marked, Ordering::Relaxed, Ordering::Relaxed)
                {
                    word = seen;
                    continue;
                }
                let raw = sys::futex_wait(mutex.lock.as_ptr(), marked, mutex.shared(), clock, deadline);
                if raw == -libc::ETIMEDOUT as isize || raw == -libc::EINVAL as isize {
                    return Taken::Not(-raw as c_int);
                }
                slept = WAITERS;
                word = mutex.lock.load(Ordering::Relaxed);
                continue;
            }
        };
        match mutex.lock.compare_exchange_weak(word, next, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) if word & OWNER_DIED != 0 => return Taken::FromTheDead,
            Ok(_) => return Taken::Clean,
            Err(seen) => word = seen,
        }
    }
}

/// Gives the lock word back.
unsafe fn release(mutex: &Mutex) {
    if mutex.inherits() {
        super::inherit::release(mutex);
    } else if mutex.lock.swap(0, Ordering::Release) & WAITERS != 0 {
        sys::futex_wake(mutex.lock.as_ptr(), 1, mutex.shared());
    }
}

/// Locks: 0, EOWNERDEAD with the mutex locked, or another error number. Without `wait`, EBUSY instead of waiting.
///
/// # Safety
/// The mutex is initialised, robust, and the calling thread is not its owner.
pub unsafe fn lock(mutex: &Mutex, wait: Option<(clockid_t, *const timespec)>) -> c_int {
    let me = thread::current_tid();
    let list = list();
    (*list).pending = entry(mutex).map_addr(|address| address | mutex.inherits() as usize);
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    let taken = take(mutex, me as u32, wait);
    let result = match taken {
        Taken::Not(errno) => errno,
        Taken::FromTheDead => {
            enqueue(list, mutex, mutex.inherits());
            mutex.set_count(1);
            mutex.owner.store(INCONSISTENT, Ordering::Relaxed);
            libc::EOWNERDEAD
        }
        Taken::Clean if mutex.owner.load(Ordering::Relaxed) == NOT_RECOVERABLE => {
            release(mutex);
            libc::ENOTRECOVERABLE
        }
        Taken::Clean => {
            enqueue(list, mutex, mutex.inherits());
            mutex.set_count(1);
            mutex.owner.store(me, Ordering::Relaxed);
            0
        }
    };
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    (*list).pending = ptr::null_mut();
    result
}

/// Unlocks. A mutex that was not made consistent is of no use afterwards.
///
/// # Safety
/// The calling thread holds the mutex.
pub unsafe fn unlock(mutex: &Mutex) {
    let list = list();
    let lost = mutex.owner.load(Ordering::Relaxed) == INCONSISTENT;
    (*list).pending = entry(mutex).map_addr(|address| address | mutex.inherits() as usize);
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    dequeue(list, mutex);
    mutex.set_count(0);
    mutex.owner.store(if lost { NOT_RECOVERABLE } else { 0 }, Ordering::Relaxed);
    release(mutex);
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    (*list).pending = ptr::null_mut();
}
