//! Advisory locks of files: flock(2), and record locks of fcntl(2), owned by a process (POSIX) or by an open file (OFD).
//!
//! Pure: a file server asks here, and answers a caller that has to wait with [`crate::Answer::wait`]; the kernel asks again when the
//! server says so. No request is held meanwhile, so that any number of callers can wait.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use ochre_abi::{Errno, Result};

/// F_RDLCK, F_WRLCK, F_UNLCK.
pub const READ: i16 = 0;
/// See [`READ`].
pub const WRITE: i16 = 1;
/// See [`READ`].
pub const UNLOCK: i16 = 2;
/// flock(2)'s operations.
pub const LOCK_SH: u64 = 1;
/// See [`LOCK_SH`].
pub const LOCK_EX: u64 = 2;
/// See [`LOCK_SH`].
pub const LOCK_NB: u64 = 4;
/// See [`LOCK_SH`].
pub const LOCK_UN: u64 = 8;
/// Record locks of one file.
const RECORDS_MAX: usize = 4096;

/// Whose a record lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A process's (POSIX): gone when it closes the file, by whatever descriptor.
    Process(u32),
    /// An open file's (OFD): gone with its handle.
    Handle(u64),
}

/// Bytes from `start` to `last`, both among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first byte.
    pub start: u64,
    /// The last; i64::MAX is the end of every file.
    pub last: u64,
}

impl Range {
    /// From a struct flock's start and length, counted from `base`. EINVAL, EOVERFLOW.
    pub fn new(base: u64, start: i64, len: i64) -> Result<Range> {
        const END: i64 = i64::MAX;
        let start = i64::try_from(base).ok().and_then(|base| base.checked_add(start)).ok_or(Errno::EOVERFLOW)?;
        let (start, last) = match len {
            0 => (start, END),
            1.. => (start, start.checked_add(len - 1).ok_or(Errno::EOVERFLOW)?),
            _ => (start.checked_add(len).ok_or(Errno::EINVAL)?, start - 1),
        };
        if start < 0 { Err(Errno::EINVAL) } else { Ok(Range { start: start as u64, last: last as u64 }) }
    }

    /// A struct flock's length.
    pub fn len(&self) -> i64 {
        if self.last == i64::MAX as u64 { 0 } else { (self.last - self.start + 1) as i64 }
    }

    /// Never: a range has a byte.
    pub fn is_empty(&self) -> bool {
        false
    }

    fn meets(&self, other: &Range) -> bool {
        self.start <= other.last && other.start <= self.last
    }
}

/// A record lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose.
    pub owner: Owner,
    /// [`READ`] or [`WRITE`].
    pub kind: i16,
    /// Where.
    pub range: Range,
}

/// What came of asking for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is so.
    Done,
    /// Ask again when something is released.
    Wait,
}

#[derive(Debug, Default)]
struct Locks {
    /// Of each owner without overlaps.
    records: Vec<Record>,
    /// flock's: handle, and whether it is exclusive.
    whole: Vec<(u64, bool)>,
}

/// Who waits, by the process and the handle it asked through: for which processes.
type Waits = BTreeMap<(u32, u64), Vec<u32>>;

/// The locks of all files of a server; `K` names a file.
#[derive(Debug)]
pub struct LockTable<K> {
    files: BTreeMap<K, Locks>,
    /// Handles to tell of a release, by file.
    waiting: BTreeMap<K, Vec<u64>>,
    waits: Waits,
    /// Handles of which the callers must ask again.
    woken: Vec<u64>,
}

impl<K: Ord + Copy> Default for LockTable<K> {
    fn default() -> Self {
        Self { files: BTreeMap::new(), waiting: BTreeMap::new(), waits: Waits::new(), woken: Vec::new() }
    }
}

impl<K: Ord + Copy> LockTable<K> {
    /// No locks.
    pub fn new() -> Self {
        Self::default()
    }

    /// flock(2) on a handle. EINVAL, EWOULDBLOCK. As on Linux a conversion gives the old lock up first.
    pub fn flock(&mut self, file: K, handle: u64, operation: u64) -> Result<Outcome> {
        let exclusive = match operation & !LOCK_NB {
            LOCK_SH => Some(false),
            LOCK_EX => Some(true),
            LOCK_UN => None,
            _ => return Err(Errno::EINVAL),
        };
        let locks = self.files.entry(file).or_default();
        if exclusive.is_some_and(|exclusive| locks.whole.contains(&(handle, exclusive))) {
            return Ok(Outcome::Done);
        }
        let held = locks.whole.len();
        locks.whole.retain(|(other, _)| *other != handle);
        if locks.whole.len() < held {
            self.woken.append(&mut self.waiting.remove(&file).unwrap_or_default());
        }
        if let Some(exclusive) = exclusive {
            if locks.whole.iter().any(|(_, other)| exclusive || *other) {
                if operation & LOCK_NB != 0 {
                    return Err(Errno::EAGAIN);
                }
                self.note(file, handle);
                return Ok(Outcome::Wait);
            }
            locks.whole.push((handle, exclusive));
        }
        self.tidy(file);
        Ok(Outcome::Done)
    }

    /// F_GETLK: the first lock that stands in the way.
    pub fn blocker(&self, file: K, wanted: &Record) -> Option<Record> {
        let locks = self.files.get(&file)?;
        locks.records.iter().filter(|record| conflict(record, wanted)).min_by_key(|record| record.range.start).copied()
    }

    /// F_SETLK, and with `wait` F_SETLKW, by a process through a handle. EAGAIN, EDEADLK, ENOLCK.
    pub fn set(&mut self, file: K, wanted: Record, handle: u64, wait: bool) -> Result<Outcome> {
        let asker = match wanted.owner {
            Owner::Process(pid) => Some(pid),
            Owner::Handle(_) => None,
        };
        if let Some(pid) = asker {
            self.waits.remove(&(pid, handle));
        }
        let locks = self.files.entry(file).or_default();
        if wanted.kind != UNLOCK {
            let blockers: Vec<Owner> =
                locks.records.iter().filter(|record| conflict(record, &wanted)).map(|record| record.owner).collect();
            if !blockers.is_empty() {
                if !wait {
                    return Err(Errno::EAGAIN);
                }
                if let Some(pid) = asker {
                    let pids: Vec<u32> = blockers.iter().filter_map(process).collect();
                    if self.leads_to(&pids, pid) {
                        return Err(Errno::EDEADLK);
                    }
                    self.waits.insert((pid, handle), pids);
                }
                self.note(file, handle);
                return Ok(Outcome::Wait);
            }
            if locks.records.len() >= RECORDS_MAX {
                return Err(Errno::ENOLCK);
            }
        }
        apply(&mut locks.records, wanted);
        // It may have been less than before.
        self.wake(file);
        self.tidy(file);
        Ok(Outcome::Done)
    }

    /// Whether one of these processes waits, perhaps through others, for `pid`.
    fn leads_to(&self, from: &[u32], pid: u32) -> bool {
        let mut seen = Vec::new();
        let mut next = from.to_vec();
        while let Some(process) = next.pop() {
            if process == pid {
                return true;
            }
            if !seen.contains(&process) {
                seen.push(process);
                let waits = self.waits.range((process, 0)..=(process, u64::MAX));
                next.extend(waits.flat_map(|(_, pids)| pids.iter().copied()));
            }
        }
        false
    }

    /// A caller that was told to wait does so no more.
    pub fn give_up(&mut self, pid: u32, handle: u64) {
        self.waits.remove(&(pid, handle));
    }

    /// A process closed a descriptor of the file, or ended: its POSIX locks go.
    pub fn release_process(&mut self, file: K, pid: u32) {
        self.release(file, |owner| owner == Owner::Process(pid));
    }

    /// The handle is closed: its flock and its OFD locks go.
    pub fn release_handle(&mut self, file: K, handle: u64) {
        if let Some(locks) = self.files.get_mut(&file) {
            locks.whole.retain(|(other, _)| *other != handle);
        }
        self.release(file, |owner| owner == Owner::Handle(handle));
    }

    fn release(&mut self, file: K, gone: impl Fn(Owner) -> bool) {
        if let Some(locks) = self.files.get_mut(&file) {
            locks.records.retain(|record| !gone(record.owner));
        }
        self.wake(file);
        self.tidy(file);
    }

    fn wake(&mut self, file: K) {
        self.woken.append(&mut self.waiting.remove(&file).unwrap_or_default());
    }

    /// Whether the file has record locks of processes, so that closes matter.
    pub fn has_process_locks(&self, file: K) -> bool {
        let locks = self.files.get(&file);
        locks.is_some_and(|locks| locks.records.iter().any(|record| process(&record.owner).is_some()))
    }

    /// The handles whose callers must ask again, because something was released since this was last asked.
    pub fn take_woken(&mut self) -> Vec<u64> {
        core::mem::take(&mut self.woken)
    }

    /// Nothing is locked, and nobody waits: the common case.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.waiting.is_empty()
    }

    fn note(&mut self, file: K, handle: u64) {
        let waiting = self.waiting.entry(file).or_default();
        if !waiting.contains(&handle) {
            waiting.push(handle);
        }
    }

    fn tidy(&mut self, file: K) {
        if self.files.get(&file).is_some_and(|locks| locks.records.is_empty() && locks.whole.is_empty()) {
            self.files.remove(&file);
        }
    }
}

fn process(owner: &Owner) -> Option<u32> {
    match owner {
        Owner::Process(pid) => Some(*pid),
        Owner::Handle(_) => None,
    }
}

fn conflict(held: &Record, wanted: &Record) -> bool {
    held.owner != wanted.owner && (held.kind == WRITE || wanted.kind == WRITE) && held.range.meets(&wanted.range)
}

/// Replaces what the owner has in the range: POSIX, fcntl.
fn apply(records: &mut Vec<Record>, wanted: Record) {
    let mut next = Vec::with_capacity(records.len() + 2);
    let mut new = wanted;
    for record in records.drain(..) {
        let Record { owner, kind, range } = record;
        // Neighbours of the same kind become one.
        let touches =
            range.start <= new.range.last.saturating_add(1) && new.range.start <= range.last.saturating_add(1);
        if owner != wanted.owner || !touches {
            next.push(record);
        } else if kind == wanted.kind {
            new.range.start = new.range.start.min(range.start);
            new.range.last = new.range.last.max(range.last);
        } else {
            if range.start < wanted.range.start {
                let last = range.last.min(wanted.range.start - 1);
                next.push(Record { range: Range { last, ..range }, ..record });
            }
            if range.last > wanted.range.last {
                let start = range.start.max(wanted.range.last + 1);
                next.push(Record { range: Range { start, ..range }, ..record });
            }
        }
    }
    if wanted.kind != UNLOCK {
        next.push(new);
    }
    *records = next;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pid: u32, kind: i16, start: u64, last: u64) -> Record {
        Record { owner: Owner::Process(pid), kind, range: Range { start, last } }
    }

    /// Compared with a lock for each byte.
    #[test]
    fn ranges_are_bytes() {
        let mut table = LockTable::new();
        let mut model = [[UNLOCK; 24]; 3];
        let mut random = 1u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for _ in 0..20_000 {
            let (pid, kind, start) = (next(3) as u32, next(3) as i16, next(24));
            let last = start + next(24 - start);
            let wanted = record(pid, kind, start, last);
            let bytes = start as usize..=last as usize;
            let free = kind == UNLOCK
                || (0..3).filter(|other| *other != pid as usize).all(|other| {
                    model[other][bytes.clone()].iter().all(|held| *held == UNLOCK || (*held == READ && kind == READ))
                });
            let result = table.set(7, wanted, 1, false);
            assert_eq!(result, if free { Ok(Outcome::Done) } else { Err(Errno::EAGAIN) });
            assert_eq!(table.blocker(7, &wanted).is_none() || kind == UNLOCK, free);
            if free {
                model[pid as usize][bytes].fill(kind);
            }
        }
        for pid in 0..3 {
            table.release_process(7, pid);
        }
        assert_eq!(table.take_woken(), []);
        assert!(table.is_empty());
    }

    #[test]
    fn cycles_are_noticed() {
        let mut table = LockTable::new();
        for pid in 1..=3 {
            assert_eq!(table.set(pid, record(pid, WRITE, 0, 0), pid.into(), true), Ok(Outcome::Done));
        }
        assert_eq!(table.set(2, record(1, WRITE, 0, 0), 1, true), Ok(Outcome::Wait));
        assert_eq!(table.set(3, record(2, READ, 0, 0), 2, true), Ok(Outcome::Wait));
        assert_eq!(table.set(1, record(3, READ, 0, 0), 3, true), Err(Errno::EDEADLK));
        table.give_up(2, 2);
        assert_eq!(table.set(1, record(3, READ, 0, 0), 3, true), Ok(Outcome::Wait));
        table.release_process(1, 1);
        assert_eq!(table.take_woken(), [3]);
        assert_eq!(table.set(1, record(3, READ, 0, 0), 3, true), Ok(Outcome::Done));
    }

    #[test]
    fn whole_files() {
        let mut table = LockTable::new();
        assert_eq!(table.flock(1, 10, LOCK_SH), Ok(Outcome::Done));
        assert_eq!(table.flock(1, 11, LOCK_SH), Ok(Outcome::Done));
        assert_eq!(table.flock(1, 11, LOCK_EX | LOCK_NB), Err(Errno::EAGAIN));
        // The conversion that failed gave the shared lock up.
        assert_eq!(table.flock(1, 10, LOCK_EX), Ok(Outcome::Done));
        assert_eq!(table.flock(1, 11, LOCK_SH), Ok(Outcome::Wait));
        assert_eq!(table.flock(1, 10, 77), Err(Errno::EINVAL));
        table.release_handle(1, 10);
        assert_eq!(table.take_woken(), [11]);
        assert_eq!(table.flock(1, 11, LOCK_EX), Ok(Outcome::Done));
        assert_eq!(table.flock(1, 11, LOCK_UN), Ok(Outcome::Done));
        assert!(table.is_empty());
    }

    #[test]
    fn lengths() {
        assert_eq!(Range::new(10, -5, 3), Ok(Range { start: 5, last: 7 }));
        assert_eq!(Range::new(10, 0, -4), Ok(Range { start: 6, last: 9 }));
        assert_eq!(Range::new(10, 0, 0).map(|range| range.len()), Ok(0));
        assert_eq!(Range::new(2, 0, -4), Err(Errno::EINVAL));
        assert_eq!(Range::new(2, i64::MAX, 1), Err(Errno::EOVERFLOW));
    }
}
