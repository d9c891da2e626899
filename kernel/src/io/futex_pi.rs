//! Futexes with priority inheritance: FUTEX_LOCK_PI and its like of futex(2).
//!
//! The word holds the owner's thread id, with FUTEX_WAITERS as long as the kernel has waiters for it. A lock without waiters never
//! comes here; with some, the word is changed under [`LOCKS`] only, by owners that unlock and by waiters that take over. While
//! threads wait, the owner runs at the highest priority among them, and so does whoever the owner waits for in turn.

use super::futex::key_of;
use crate::clock;
use crate::mm::space::FutexKey;
use crate::process;
use crate::sched::{self, Wake};
use crate::thread::Thread;
use crate::user;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicU8,
    Ordering::{Acquire, Release},
};
use hal::SpinLock;
use ochre_abi::event::*;
use ochre_abi::syscall::FOREVER;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// Owners that wait for owners that wait … : a priority is lent so far.
const CHAIN: usize = 16;

/// A waiter's fate.
const WAITING: u8 = 0;
/// The word names it: it owns the lock.
const GRANTED: u8 = 1;
/// The owner died: it is to take the word itself.
const INHERITED: u8 = 2;

struct Waiter {
    thread: Arc<Thread>,
    fate: AtomicU8,
}

/// A lock that somebody waits for.
struct Lock {
    key: FutexKey,
    owner: Weak<Thread>,
    waiters: Vec<Arc<Waiter>>,
}

static LOCKS: SpinLock<Vec<Lock>> = SpinLock::new(Vec::new());

/// The priority that `owner` is lent by those who wait for locks of its.
fn lent_to(locks: &[Lock], owner: &Arc<Thread>) -> u8 {
    locks
        .iter()
        .filter(|lock| core::ptr::eq(lock.owner.as_ptr(), Arc::as_ptr(owner)))
        .flat_map(|lock| &lock.waiters)
        .map(|waiter| waiter.thread.sched.base())
        .max()
        .unwrap_or(0)
}

/// Recomputes what `owner` is lent, and along the chain of those that it waits for.
fn lend(locks: &[Lock], owner: &Arc<Thread>) {
    let mut owner = owner.clone();
    for _ in 0..CHAIN {
        if !sched::lend(&owner, lent_to(locks, &owner)) {
            return;
        }
        let next = locks
            .iter()
            .find(|lock| lock.waiters.iter().any(|waiter| Arc::ptr_eq(&waiter.thread, &owner)))
            .and_then(|lock| lock.owner.upgrade());
        match next {
            Some(next) => owner = next,
            None => return,
        }
    }
}

/// The first waiter of the highest priority, taken out.
fn take_first(lock: &mut Lock) -> Option<Arc<Waiter>> {
    let highest = lock.waiters.iter().map(|waiter| waiter.thread.sched.base()).max()?;
    let at = lock.waiters.iter().position(|waiter| waiter.thread.sched.base() == highest)?;
    Some(lock.waiters.remove(at))
}

fn thread_of(me: &Arc<Thread>, tid: u32, shared: bool) -> Result<Arc<Thread>> {
    if !shared {
        return process::own_thread(me, tid.into());
    }
    process::all().iter().flat_map(|process| process.threads()).find(|thread| thread.tid == tid).ok_or(Errno::ESRCH)
}

/// Brings the word's page in, writable, without changing the word.
fn touch(addr: u64) -> Result<u32> {
    let now = user::load_u32(addr)?;
    let _ = user::compare_exchange_u32(addr, now, now)?;
    Ok(now)
}

/// What to do once the word was looked at.
enum Step {
    Done,
    Again,
    Wait(Arc<Waiter>),
}

/// One attempt to take the word or to be queued for it.
fn attempt(me: &Arc<Thread>, addr: u64, key: &FutexKey, owner: Option<&Arc<Thread>>, word: u32) -> Result<Step> {
    let mut locks = LOCKS.lock();
    let at = locks.iter().position(|lock| lock.key == *key);
    let new = if word & FUTEX_TID_MASK == 0 {
        // With waiters queued, only they take it, in their order.
        if at.is_some() {
            return Ok(Step::Again);
        }
        me.tid | word & FUTEX_OWNER_DIED
    } else {
        word | FUTEX_WAITERS
    };
    match hal::user::compare_exchange_u32(addr as usize, word, new) {
        Ok(Ok(_)) => {}
        Ok(Err(_)) | Err(_) => return Ok(Step::Again),
    }
    if word & FUTEX_TID_MASK == 0 {
        return Ok(Step::Done);
    }
    let Some(owner) = owner else { return Ok(Step::Again) };
    let waiter = Arc::new(Waiter { thread: me.clone(), fate: AtomicU8::new(WAITING) });
    match at {
        Some(at) => locks[at].waiters.push(waiter.clone()),
        None => locks.push(Lock { key: *key, owner: Arc::downgrade(owner), waiters: Vec::from([waiter.clone()]) }),
    }
    lend(&locks, owner);
    Ok(Step::Wait(waiter))
}

/// Leaves the queue; false if the waiter's fate was decided before.
fn leave(key: &FutexKey, waiter: &Arc<Waiter>) -> bool {
    let mut locks = LOCKS.lock();
    if waiter.fate.load(Acquire) != WAITING {
        return false;
    }
    let Some(at) = locks.iter().position(|lock| lock.key == *key) else { return true };
    locks[at].waiters.retain(|other| !Arc::ptr_eq(other, waiter));
    let owner = locks[at].owner.upgrade();
    if locks[at].waiters.is_empty() {
        locks.swap_remove(at);
    }
    if let Some(owner) = owner {
        lend(&locks, &owner);
    }
    true
}

/// Takes the word after its owner's death, and the queue with it.
fn take_over(me: &Arc<Thread>, addr: u64, key: &FutexKey) -> Result<()> {
    loop {
        let word = touch(addr)?;
        let mut locks = LOCKS.lock();
        let at = locks.iter().position(|lock| lock.key == *key);
        let more = at.is_some_and(|at| !locks[at].waiters.is_empty());
        let new = me.tid | FUTEX_OWNER_DIED | if more { FUTEX_WAITERS } else { 0 };
        if let Ok(Ok(_)) = hal::user::compare_exchange_u32(addr as usize, word, new) {
            match at {
                Some(at) if more => locks[at].owner = Arc::downgrade(me),
                Some(at) => drop(locks.swap_remove(at)),
                None => {}
            }
            lend(&locks, me);
            return Ok(());
        }
    }
}

/// FUTEX_LOCK_PI: `(addr, deadline, flags)`; FUTEX_TRY in the flags never waits.
pub fn futex_lock_pi(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [addr, deadline, flags, ..] = *a;
    if flags & !(FUTEX_SHARED | FUTEX_REALTIME | FUTEX_TRY) != 0 {
        return Err(Errno::EINVAL);
    }
    let shared = flags & FUTEX_SHARED != 0;
    let key = key_of(me, addr, shared)?;
    let deadline = match deadline {
        FOREVER => None,
        at if flags & FUTEX_REALTIME != 0 => Some(clock::to_monotonic(CLOCK_REALTIME, at)?),
        at => Some(at),
    };
    let waiter = loop {
        let word = touch(addr)?;
        let tid = word & FUTEX_TID_MASK;
        if tid == me.tid {
            return Err(Errno::EDEADLK);
        }
        if me.is_killed() || me.signal_deliverable() {
            return Err(Errno::EINTR);
        }
        let owner = match tid {
            0 => None,
            _ if flags & FUTEX_TRY != 0 => return Err(Errno::EAGAIN),
            tid => match thread_of(me, tid, shared) {
                Ok(owner) => Some(owner),
                // It may have unlocked and ended since the word was read.
                Err(_) if touch(addr)? != word => continue,
                Err(error) => return Err(error),
            },
        };
        match attempt(me, addr, &key, owner.as_ref(), word)? {
            Step::Done => return Ok(0),
            Step::Again => sched::yield_now(me),
            Step::Wait(waiter) => break waiter,
        }
    };
    loop {
        let wake = sched::park(me, deadline, true);
        match waiter.fate.load(Acquire) {
            GRANTED => return Ok(0),
            INHERITED => return take_over(me, addr, &key).map(|()| 0),
            _ => {}
        }
        let error = match wake {
            Wake::Unparked => continue,
            Wake::TimedOut => Errno::ETIMEDOUT,
            Wake::Interrupted | Wake::Killed => Errno::EINTR,
        };
        if leave(&key, &waiter) {
            return Err(error);
        }
    }
}

/// FUTEX_UNLOCK_PI: `(addr, flags)`.
pub fn futex_unlock_pi(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [addr, flags, ..] = *a;
    if flags & !FUTEX_SHARED != 0 {
        return Err(Errno::EINVAL);
    }
    let key = key_of(me, addr, flags & FUTEX_SHARED != 0)?;
    loop {
        let word = touch(addr)?;
        if word & FUTEX_TID_MASK != me.tid {
            return Err(Errno::EPERM);
        }
        let mut locks = LOCKS.lock();
        let at = locks.iter().position(|lock| lock.key == key);
        let first = at.and_then(|at| take_first(&mut locks[at]));
        let more = at.is_some_and(|at| !locks[at].waiters.is_empty());
        let new = first.as_ref().map_or(0, |first| first.thread.tid | if more { FUTEX_WAITERS } else { 0 });
        if !matches!(hal::user::compare_exchange_u32(addr as usize, word, new), Ok(Ok(_))) {
            // The page went, or a thread set FUTEX_WAITERS meanwhile: look again, with the queue as it was.
            if let (Some(at), Some(first)) = (at, first) {
                locks[at].waiters.insert(0, first);
            }
            continue;
        }
        if let (Some(at), Some(first)) = (at, first) {
            locks[at].owner = Arc::downgrade(&first.thread);
            if !more {
                locks.swap_remove(at);
            }
            lend(&locks, &first.thread);
            first.fate.store(GRANTED, Release);
            sched::unpark(&first.thread);
        }
        lend(&locks, me);
        return Ok(0);
    }
}

/// A thread ends: the first waiter of each lock that it owns takes over.
pub fn owner_ends(me: &Arc<Thread>) {
    let mut locks = LOCKS.lock();
    for lock in locks.iter_mut().filter(|lock| core::ptr::eq(lock.owner.as_ptr(), Arc::as_ptr(me))) {
        lock.owner = Weak::new();
        if let Some(first) = take_first(lock) {
            first.fate.store(INHERITED, Release);
            sched::unpark(&first.thread);
        }
    }
}
