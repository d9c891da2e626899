//! The page cache: what the kernel does with the pages of a pager's object by itself.

use super::store::{RECORD, Store, check_pattern, eventually, figure, pattern, patterned};
use crate::sys::mapping::Mapping;
use crate::sys::process::{exited, fork};
use crate::{Check, PAGE, Result, holds, same};
use ochre_rt::abi::call::{Completion, OP_FALLOCATE};
use ochre_rt::abi::file::{AT_FDCWD, O_APPEND, O_RDWR, O_WRONLY};
use ochre_rt::call::Call;
use ochre_rt::region::Region;
use ochre_rt::{Errno, OwnedFd, syscall};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;

/// All checks of this subject.
pub const CHECKS: &[Check] = &[
    ("cache.told", told),
    ("cache.stored", stored),
    ("cache.successor", successor),
    ("cache.limit", limit),
    ("cache.late", late),
    ("cache.sequential", sequential),
    ("cache.random", random),
    ("cache.advice", advice),
    ("cache.foreign-write", foreign_write),
    ("cache.punch", punch),
    ("cache.grow", grow),
    ("cache.no-space", no_space),
    ("cache.larger-than-memory", larger_than_memory),
];

const WILLNEED: u64 = 3;
const DONTNEED: u64 = 4;

/// The pager hears of the first dirty page, once.
fn told() -> Result {
    let store = Store::new(patterned(64 * PAGE), None)?;
    let view = store.map(64 * PAGE)?;
    same!(view.get(5), pattern(5));
    view.set(9 * PAGE, 1);
    eventually(|| Ok(store.told.load(SeqCst) == 1))?;
    view.set(10 * PAGE, 1);
    same!(syscall::pwrite(store.fd(), b"x", 11 * PAGE as u64), Ok(1));
    same!(store.write_back(), Ok(3));
    // Messages come in order: had there been another one, it would have come before this.
    view.set(12 * PAGE, 1);
    eventually(|| Ok(store.told.load(SeqCst) >= 2))?;
    same!(store.told.load(SeqCst), 2);
    same!(store.full.load(SeqCst), 0);
    store.end()
}

/// What the pager took stays until it is stored.
fn stored() -> Result {
    let store = Store::new(patterned(64 * PAGE), None)?;
    let at = 3 * PAGE;
    same!(syscall::pwrite(store.fd(), &[200], at as u64), Ok(1));
    same!(store.take(), Ok(vec![at]));
    store.advise(0, 0, DONTNEED)?;
    same!(store.byte(at), Ok(200));
    // The pager failed: it is dirty again.
    syscall::object_stored(store.fd(), 0, u64::MAX, true)?;
    same!(store.take(), Ok(vec![at]));
    // Stored, though the store has not got it: the page goes, and comes back as it was.
    syscall::object_stored(store.fd(), 0, u64::MAX, false)?;
    store.advise(0, 0, DONTNEED)?;
    same!(store.byte(at), Ok(pattern(at)));
    store.end()
}

/// What a pager took and did not store is dirty for its successor.
fn successor() -> Result {
    let first = Store::new(patterned(64 * PAGE), None)?;
    same!(syscall::pwrite(first.fd(), &[200], 3 * PAGE as u64), Ok(1));
    same!(syscall::pwrite(first.fd(), &[201], 7 * PAGE as u64), Ok(1));
    same!(first.take(), Ok(vec![3 * PAGE, 7 * PAGE]));
    syscall::object_stored(first.fd(), 3 * PAGE as u64, PAGE as u64, false)?;
    let port = OwnedFd::new(syscall::port_create(0)?);
    syscall::object_pager(first.fd(), port.get(), 2)?;
    same!(first.take(), Ok(vec![7 * PAGE]));
    first.end()
}

/// Writers wait while there are too many dirty pages; the pager does not.
fn limit() -> Result {
    let store = Store::with_limit(patterned(64 * PAGE), None, 4)?;
    for page in 40..50 {
        same!(syscall::pwrite(store.fd(), &[1], (page * PAGE) as u64), Ok(1));
    }
    same!(store.take()?.len(), 10);
    syscall::object_stored(store.fd(), 0, u64::MAX, false)?;
    let view = store.map(64 * PAGE)?;
    let fd = store.fd();
    let writer = fork(|| {
        (0..10).for_each(|page| view.set(page * PAGE, 77));
        u64::from((10..20).any(|page| syscall::pwrite(fd, &[78], (page * PAGE) as u64) != Ok(1)))
    })?;
    // Nothing is written back until the kernel says that the writer waits: so it meets the limit however the two are scheduled.
    eventually(|| Ok(store.full.load(SeqCst) > 0))?;
    same!(exited(writer)?, None);
    let mut ended = None;
    eventually(|| {
        // A page may be taken between its fault and the write, and is then dirty once more: their number says nothing.
        holds!(store.write_back()? <= 4);
        ended = exited(writer)?;
        Ok(ended.is_some())
    })?;
    same!(ended, Some((1, 0)));
    store.write_back()?;
    let bytes = store.bytes();
    same!((bytes[9 * PAGE], bytes[19 * PAGE]), (77, 78));
    drop(bytes);
    store.end()
}

/// A page-in that is answered after a truncation brings nothing back.
fn late() -> Result {
    let store = Store::new(patterned(64 * PAGE), None)?;
    store.hold(true);
    let shared = store.shared();
    let reader = std::thread::spawn(move || shared.byte(40 * PAGE + 1));
    let mut requests = Vec::new();
    eventually(|| {
        requests.extend(store.requests());
        Ok(!requests.is_empty())
    })?;
    // The old bytes are on their way; the file loses and gets back the part that they are of.
    store.bytes()[10 * PAGE..].fill(0);
    store.truncate(10 * PAGE)?;
    store.truncate(64 * PAGE)?;
    store.hold(false);
    let read = reader.join().map_err(|_| "the reader panicked")?;
    // It was asked before the truncation and may see either its end or the zeroes after it.
    holds!(matches!(read, Ok(0) | Err(Errno::ENODATA)));
    same!(store.byte(40 * PAGE + 1), Ok(0));
    same!(store.byte(9 * PAGE + 1), Ok(pattern(9 * PAGE + 1)));
    store.end()
}

/// Reading in sequence is asked for in whole records, and ahead.
fn sequential() -> Result {
    let len = 16 * RECORD;
    let store = Store::new(patterned(len), None)?;
    let mut buffer = [0; PAGE];
    for at in (0..len).step_by(PAGE) {
        same!(syscall::pread(store.fd(), &mut buffer, at as u64), Ok(PAGE));
        check_pattern(at, &buffer)?;
    }
    let requests = store.requests();
    holds!(requests.len() <= 16 + 4);
    holds!(requests.iter().all(|(at, len)| at / RECORD == (at + len - 1) / RECORD));
    holds!(requests.iter().filter(|(at, len)| at % RECORD == 0 && *len == RECORD).count() >= 14);
    store.end()
}

/// Pages here and there are not.
fn random() -> Result {
    let len = 16 * RECORD;
    let store = Store::new(patterned(len), None)?;
    for page in [300, 77, 411, 200, 5, 500] {
        same!(store.byte(page * PAGE), Ok(pattern(page * PAGE)));
    }
    let requests = store.requests();
    same!(requests.len(), 6);
    holds!(requests.iter().all(|(_, len)| *len <= 4 * PAGE));
    store.end()
}

/// posix_fadvise: what will be needed comes without a reader; what will not goes, unless it is dirty.
fn advice() -> Result {
    let store = Store::new(patterned(16 * RECORD), None)?;
    store.advise(2 * RECORD, 2 * RECORD, WILLNEED)?;
    let mut requests = Vec::new();
    eventually(|| {
        requests.extend(store.requests());
        Ok(requests.len() == 2)
    })?;
    same!(requests, vec![(2 * RECORD, RECORD), (3 * RECORD, RECORD)]);
    same!(store.byte(3 * RECORD + 5), Ok(pattern(3 * RECORD + 5)));
    same!(store.requests().len(), 0);
    let view = store.map(16 * RECORD)?;
    same!(view.get(2 * RECORD), pattern(2 * RECORD));
    view.set(2 * RECORD + PAGE, 99);
    store.advise(0, 0, DONTNEED)?;
    same!((view.get(2 * RECORD + PAGE), store.requests().len()), (99, 0));
    same!(view.get(2 * RECORD), pattern(2 * RECORD));
    same!(store.requests().len(), 1);
    store.end()
}

/// A write that another process makes into a shared mapping is noted as one.
fn foreign_write() -> Result {
    let store = Store::new(patterned(64 * PAGE), None)?;
    let view = store.map(64 * PAGE)?;
    let memory = std::fs::OpenOptions::new().write(true).open("/scheme/proc/self/mem")?;
    for round in 1..4 {
        view.set(9 * PAGE, round);
        same!(store.take(), Ok(vec![9 * PAGE]));
        memory.write_all_at(&[100 + round], (view.address() + 9 * PAGE + 1) as u64)?;
        same!(store.take(), Ok(vec![9 * PAGE]));
        same!((view.get(9 * PAGE), view.get(9 * PAGE + 1)), (round, 100 + round));
    }
    store.end()
}

/// The pager punches a hole: the pages leave, dirty or not, and are asked for anew.
fn punch() -> Result {
    const PUNCH_HOLE_KEEP_SIZE: u64 = 3;
    let store = Store::new(patterned(64 * PAGE), None)?;
    let view = store.map(64 * PAGE)?;
    view.set(20 * PAGE, 1);
    view.set(10 * PAGE + 5, 1);
    store.bytes()[10 * PAGE + 100..30 * PAGE].fill(0);
    let (at, len) = (10 * PAGE as u64 + 100, 20 * PAGE as u64 - 100);
    Call::new(OP_FALLOCATE, [PUNCH_HOLE_KEEP_SIZE, at, len]).send(store.fd())?;
    same!((view.get(20 * PAGE), view.get(15 * PAGE), view.get(10 * PAGE + 100)), (0, 0, 0));
    same!((view.get(10 * PAGE + 5), view.get(30 * PAGE)), (1, pattern(30 * PAGE)));
    same!(store.take(), Ok(vec![10 * PAGE]));
    store.end()
}

/// Writes extend the object without the server, and appends do not mix.
fn grow() -> Result {
    const RECORDS: usize = 300;
    let store = Store::new(Vec::new(), Some(b"cachegrow"))?;
    let writers: Vec<_> = (0..3u8)
        .map(|writer| {
            std::thread::spawn(move || -> ochre_rt::Result<()> {
                let path = b"/scheme/cachegrow/file";
                let file = OwnedFd::new(syscall::openat(AT_FDCWD, path, O_WRONLY | O_APPEND, 0)?);
                for n in 0..RECORDS {
                    let record = [b'a' + writer; 40 + 7];
                    let len = 40 + n % 7;
                    if syscall::write(file.get(), &[&record[..len], b"\n"].concat())? != len + 1 {
                        return Err(Errno::EIO);
                    }
                }
                Ok(())
            })
        })
        .collect();
    for writer in writers {
        writer.join().map_err(|_| "a writer panicked")??;
    }
    let size = 3 * (0..RECORDS).map(|n| 41 + n % 7).sum::<usize>();
    same!(store.size(), Ok(size));
    let mut text = vec![0; size + 1];
    same!(syscall::pread(store.fd(), &mut text, 0), Ok(size));
    text.truncate(size);
    let lines: Vec<&[u8]> = text.strip_suffix(b"\n").unwrap_or(&text).split(|byte| *byte == b'\n').collect();
    same!(lines.len(), 3 * RECORDS);
    holds!(lines.iter().all(|line| line.len() >= 40 && line.iter().all(|byte| *byte == line[0])));
    // Asked for 4,000 bytes more each time, the server heard of one write in eighty.
    holds!(store.reserves.load(SeqCst) as usize <= size / 4000 + 2);
    holds!(store.write_back()? == size.div_ceil(PAGE));
    same!(store.bytes()[..], text[..]);
    store.end()
}

/// The server refuses space: what fits is written, then the error comes.
fn no_space() -> Result {
    let store = Store::new(Vec::new(), Some(b"cachefull"))?;
    store.space.store(10_000, SeqCst);
    let file = OwnedFd::new(syscall::openat(AT_FDCWD, b"/scheme/cachefull/file", O_RDWR, 0)?);
    same!(syscall::pwrite(file.get(), &[1; 6000], 0), Ok(6000));
    same!(syscall::pwrite(file.get(), &[2; 6000], 6000), Ok(4000));
    same!(syscall::pwrite(file.get(), &[3; 6000], 10_000), Err(Errno::ENOSPC));
    same!(syscall::pwrite(file.get(), &[4; 100], 9_900), Ok(100));
    same!(store.size(), Ok(10_000));
    store.space.store(20_000, SeqCst);
    same!(syscall::pwrite(file.get(), &[5; 100], 15_000), Ok(100));
    same!((store.byte(15_001), store.byte(12_000), store.byte(9_950)), (Ok(5), Ok(0), Ok(4)));
    store.end()
}

/// A file larger than memory is read from end to end, twice, also through a mapping; nobody else is refused memory.
fn larger_than_memory() -> Result {
    let total = figure("total_frames")? as usize;
    let (before, text) = (figure("reclaimed_frames")?, patterned(RECORD));
    let object = PatternFile::new((total + total / 4) * PAGE)?;
    let mut buffer = vec![0; RECORD];
    for at in (0..object.len).step_by(RECORD) {
        let n = syscall::pread(object.fd.get(), &mut buffer, at as u64)?;
        holds!(n > 0 && buffer[..n] == text[..n]);
        if at % (64 * RECORD) == 0 {
            let own = Mapping::anonymous(512 * PAGE)?;
            (0..512).for_each(|page| own.set(page * PAGE, 1));
        }
    }
    holds!(figure("reclaimed_frames")? > before + total as u64 / 8);
    holds!(figure("cached_frames")? > total as u64 / 4);
    let view = Mapping::shared(object.fd.get(), object.len)?;
    for at in (0..object.len).step_by(16 * PAGE) {
        same!(view.get(at + 7), text[at % RECORD + 7]);
    }
    drop(view);
    object.end()
}

/// An object each of whose records is the same.
struct PatternFile {
    fd: Arc<OwnedFd>,
    len: usize,
    stop: Arc<AtomicBool>,
    server: JoinHandle<ochre_rt::Result<()>>,
}

impl PatternFile {
    fn new(len: usize) -> Result<Self> {
        let port = OwnedFd::new(syscall::port_create(0)?);
        let region = Region::map(port.get())?;
        let fd = Arc::new(OwnedFd::new(syscall::object_create(len as u64, 0)?));
        syscall::object_pager(fd.get(), port.get(), 1)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (of_server, stopped) = (fd.clone(), stop.clone());
        let server = std::thread::spawn(move || {
            let text = patterned(RECORD);
            let (mut seen, mut answers) = (0u32, 0);
            while !stopped.load(SeqCst) {
                syscall::reply_receive(port.get(), answers, 0, 5_000_000)?;
                answers = 0;
                while seen != region.submitted() {
                    let slot = region.take(region.announced(seen)).ok_or(Errno::EIO)?;
                    seen = seen.wrapping_add(1);
                    let [_, offset, len] = slot.entry().args;
                    let from = offset as usize % RECORD;
                    syscall::object_supply(of_server.get(), offset, &text[from..from + len as usize], 0)?;
                    let completion = Completion { tag: slot.entry().tag, result: 0 };
                    region.set_completion(answers, completion);
                    answers += 1;
                }
            }
            Ok(())
        });
        Ok(Self { fd, len, stop, server })
    }

    fn end(self) -> Result {
        self.stop.store(true, SeqCst);
        self.server.join().map_err(|_| "the pager panicked")??;
        Ok(())
    }
}
