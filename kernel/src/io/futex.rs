//! Futexes: futex(2).
//!
//! Waiters stand in a table of buckets by key. A waiter looks at its word under its bucket's lock, with hal's copy that fails instead
//! of bringing a page in, so that no wake-up falls between the look and the queue; if the page is absent the lock is given up first.

use crate::clock;
use crate::mm::space::FutexKey;
use crate::sched::{self, Wake};
use crate::thread::Thread;
use crate::user;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Acquire, Release},
};
use hal::{SpinGuard, SpinLock};
use ochre_abi::event::*;
use ochre_abi::syscall::FOREVER;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

pub use super::robust::exit_robust_list;

const BUCKETS: usize = 256;

struct Waiter {
    thread: Arc<Thread>,
    bitset: u32,
    woken: AtomicBool,
    /// Where it stands; requeueing moves it with both buckets locked.
    bucket: AtomicUsize,
}

type Bucket = Vec<(FutexKey, Arc<Waiter>)>;

static TABLE: [SpinLock<Bucket>; BUCKETS] = [const { SpinLock::new(Vec::new()) }; BUCKETS];

/// FNV-1a (Fowler, Noll, Vo), a word at a time.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.write_u64(u64::from(*b)));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0 ^ n).wrapping_mul(0x0100_0000_01b3);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn write_isize(&mut self, n: isize) {
        self.write_u64(n as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

fn bucket_of(key: &FutexKey) -> usize {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    key.hash(&mut hasher);
    hasher.finish() as usize % BUCKETS
}

/// EINVAL if the address is not aligned; EFAULT if it is no user address.
pub(super) fn key_of(me: &Thread, addr: u64, shared: bool) -> Result<FutexKey> {
    if addr % 4 != 0 {
        return Err(Errno::EINVAL);
    }
    me.process.space().futex_key(addr as usize, shared)
}

/// Two buckets, locked in the order that avoids deadlock.
struct Two {
    first: SpinGuard<'static, Bucket>,
    second: Option<SpinGuard<'static, Bucket>>,
    swapped: bool,
}

impl Two {
    fn lock(a: usize, b: usize) -> Two {
        let first = TABLE[a.min(b)].lock();
        let second = (a != b).then(|| TABLE[a.max(b)].lock());
        Two { first, second, swapped: a > b }
    }

    fn a(&mut self) -> &mut Bucket {
        match (self.swapped, &mut self.second) {
            (true, Some(second)) => second,
            _ => &mut self.first,
        }
    }

    fn b(&mut self) -> &mut Bucket {
        match (self.swapped, &mut self.second) {
            (false, Some(second)) => second,
            _ => &mut self.first,
        }
    }
}

/// Wakes up to `count` waiters of `key` in its bucket, those that waited longest first.
fn wake_in(bucket: &mut Bucket, key: &FutexKey, count: usize, bitset: u32) -> usize {
    let matches = |(other, waiter): &(FutexKey, Arc<Waiter>)| other == key && waiter.bitset & bitset != 0;
    let tell = |waiter: &Waiter| {
        waiter.woken.store(true, Release);
        sched::unpark(&waiter.thread);
    };
    if count == 1 {
        let Some(index) = bucket.iter().position(matches) else { return 0 };
        tell(&bucket.remove(index).1);
        return 1;
    }
    let mut woken = 0;
    bucket.retain(|entry| {
        let wakes = woken < count && matches(entry);
        if wakes {
            woken += 1;
            tell(&entry.1);
        }
        !wakes
    });
    woken
}

fn wake(key: &FutexKey, count: usize, bitset: u32) -> usize {
    wake_in(&mut TABLE[bucket_of(key)].lock(), key, count, bitset)
}

/// A count argument: negative ones and those beyond i32 wake everybody.
fn count_of(value: u64) -> usize {
    usize::try_from(value as i32).unwrap_or(usize::MAX)
}

impl Waiter {
    /// Leaves its bucket; false if it was woken before.
    fn leave(self: &Arc<Self>) -> bool {
        loop {
            let index = self.bucket.load(Acquire);
            let mut bucket = TABLE[index].lock();
            if self.woken.load(Acquire) {
                return false;
            }
            if self.bucket.load(Acquire) == index {
                bucket.retain(|(_, other)| !Arc::ptr_eq(other, self));
                return true;
            }
        }
    }
}

/// FUTEX_WAIT.
pub fn futex_wait(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [addr, value, bitset, deadline, flags, _] = *a;
    let bitset = bitset as u32;
    if bitset == 0 || flags & !(FUTEX_SHARED | FUTEX_REALTIME) != 0 {
        return Err(Errno::EINVAL);
    }
    let key = key_of(me, addr, flags & FUTEX_SHARED != 0)?;
    let deadline = match deadline {
        FOREVER => None,
        at if flags & FUTEX_REALTIME != 0 => Some(clock::to_monotonic(CLOCK_REALTIME, at)?),
        at => Some(at),
    };
    let index = bucket_of(&key);
    let waiter = loop {
        let mut bucket = TABLE[index].lock();
        match hal::user::load_u32(addr as usize) {
            Ok(now) if now != value as u32 => return Err(Errno::EAGAIN),
            Ok(_) => {
                let waiter = Arc::new(Waiter {
                    thread: me.clone(),
                    bitset,
                    woken: AtomicBool::new(false),
                    bucket: AtomicUsize::new(index),
                });
                bucket.push((key, waiter.clone()));
                break waiter;
            }
            Err(_) => {
                drop(bucket);
                user::load_u32(addr)?;
            }
        }
    };
    loop {
        let wake = sched::park(me, deadline, true);
        if waiter.woken.load(Acquire) {
            return Ok(0);
        }
        let error = match wake {
            Wake::Unparked => continue,
            Wake::TimedOut => Errno::ETIMEDOUT,
            Wake::Interrupted | Wake::Killed => Errno::EINTR,
        };
        return if waiter.leave() { Err(error) } else { Ok(0) };
    }
}

/// FUTEX_WAKE.
pub fn futex_wake(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [addr, count, bitset, flags, ..] = *a;
    if bitset as u32 == 0 || flags & !FUTEX_SHARED != 0 {
        return Err(Errno::EINVAL);
    }
    let key = key_of(me, addr, flags & FUTEX_SHARED != 0)?;
    Ok(wake(&key, count_of(count), bitset as u32))
}

/// FUTEX_REQUEUE.
pub fn futex_requeue(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [addr, wake, requeue, addr2, value, flags] = *a;
    if flags & !(FUTEX_SHARED | FUTEX_NO_COMPARE) != 0 || (wake as i32) < 0 || (requeue as i32) < 0 {
        return Err(Errno::EINVAL);
    }
    let shared = flags & FUTEX_SHARED != 0;
    let (from, to) = (key_of(me, addr, shared)?, key_of(me, addr2, shared)?);
    let (from_index, to_index) = (bucket_of(&from), bucket_of(&to));
    loop {
        let mut both = Two::lock(from_index, to_index);
        if flags & FUTEX_NO_COMPARE == 0 {
            match hal::user::load_u32(addr as usize) {
                Ok(now) if now != value as u32 => return Err(Errno::EAGAIN),
                Ok(_) => {}
                Err(_) => {
                    drop(both);
                    user::load_u32(addr)?;
                    continue;
                }
            }
        }
        let woken = wake_in(both.a(), &from, wake as usize, u32::MAX);
        let mut moved = Vec::new();
        both.a().retain_mut(|(key, waiter)| {
            if moved.len() == requeue as usize || *key != from {
                return true;
            }
            waiter.bucket.store(to_index, Release);
            moved.push((to, waiter.clone()));
            false
        });
        let count = woken + moved.len();
        both.b().append(&mut moved);
        return Ok(count);
    }
}

/// FUTEX_WAKE_OP. `a[4]`: the operation as futex(2) encodes it.
pub fn futex_wake_op(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [addr, wake, wake2, addr2, encoded, flags] = *a;
    if flags & !FUTEX_SHARED != 0 {
        return Err(Errno::EINVAL);
    }
    let shared = flags & FUTEX_SHARED != 0;
    let (first, second) = (key_of(me, addr, shared)?, key_of(me, addr2, shared)?);
    let operation = Operation::decode(encoded as u32)?;
    loop {
        let mut both = Two::lock(bucket_of(&first), bucket_of(&second));
        let Some(old) = operation.apply(addr2)? else {
            drop(both);
            // Brings the page in, writable, without changing the word.
            let now = user::load_u32(addr2)?;
            let _ = user::compare_exchange_u32(addr2, now, now)?;
            continue;
        };
        let mut woken = wake_in(both.a(), &first, count_of(wake), u32::MAX);
        if operation.holds(old) {
            woken += wake_in(both.b(), &second, count_of(wake2), u32::MAX);
        }
        return Ok(woken);
    }
}

/// What FUTEX_WAKE_OP does to the second word, and what it asks of the old value.
struct Operation {
    op: u32,
    compare: u32,
    arg: u32,
    against: i32,
}

impl Operation {
    /// ENOSYS for an operation that futex(2) does not know.
    fn decode(encoded: u32) -> Result<Operation> {
        let signed = |twelve_bits: u32| ((twelve_bits << 20) as i32) >> 20;
        let op = encoded >> 28;
        let arg = signed(encoded >> 12 & 0xfff) as u32;
        let arg = if op & 8 != 0 { 1u32.wrapping_shl(arg) } else { arg };
        let operation = Operation { op: op & 7, compare: encoded >> 24 & 15, arg, against: signed(encoded & 0xfff) };
        if operation.op > 4 || operation.compare > 5 { Err(Errno::ENOSYS) } else { Ok(operation) }
    }

    /// Changes the word; the old value. `None`: its page must be brought in first.
    fn apply(&self, addr: u64) -> Result<Option<u32>> {
        let Ok(mut old) = hal::user::load_u32(addr as usize) else { return Ok(None) };
        loop {
            let new = match self.op {
                0 => self.arg,
                1 => old.wrapping_add(self.arg),
                2 => old | self.arg,
                3 => old & !self.arg,
                _ => old ^ self.arg,
            };
            match hal::user::compare_exchange_u32(addr as usize, old, new) {
                Ok(Ok(_)) => return Ok(Some(old)),
                Ok(Err(now)) => old = now,
                Err(_) => return Ok(None),
            }
        }
    }

    fn holds(&self, old: u32) -> bool {
        let old = old as i32;
        match self.compare {
            0 => old == self.against,
            1 => old != self.against,
            2 => old < self.against,
            3 => old <= self.against,
            4 => old > self.against,
            _ => old >= self.against,
        }
    }
}

/// Wakes one waiter of a word in `me`'s address space, whether it waits as for private or for shared memory.
pub fn wake_address(me: &Arc<Thread>, addr: u64) {
    for shared in [false, true] {
        if let Ok(key) = key_of(me, addr, shared) {
            if wake(&key, 1, u32::MAX) > 0 {
                return;
            }
        }
    }
}
