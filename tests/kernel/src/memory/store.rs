//! A pager that keeps a file's bytes, as a file server would: for the checks of the page cache.

use crate::Result;
use crate::sys::mapping::Mapping;
use crate::{PAGE, same};
use ochre_rt::abi::call::*;
use ochre_rt::abi::file::Stat;
use ochre_rt::call::Call;
use ochre_rt::region::{Region, Slot};
use ochre_rt::{Errno, OwnedFd, syscall};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use zerocopy::IntoBytes;

/// How long anything that must happen may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pages of a record, which is what requests are aligned to.
pub const RECORD: usize = 32 * PAGE;

/// A paged object and the thread that supplies its pages.
pub struct Store {
    shared: Arc<Shared>,
    server: Option<JoinHandle<ochre_rt::Result<()>>>,
}

/// What both sides look at.
pub struct Shared {
    /// The object.
    pub object: OwnedFd,
    /// What is stored.
    bytes: Mutex<Vec<u8>>,
    /// Ranges that were asked for.
    requests: Mutex<Vec<(usize, usize)>>,
    /// First dirty pages, and notices that writers wait.
    pub told: AtomicU32,
    /// See `told`.
    pub full: AtomicU32,
    /// Writes that asked for space.
    pub reserves: AtomicU32,
    /// The greatest size for which there is space.
    pub space: AtomicU64,
    /// Requests are kept until this is taken back.
    hold: AtomicBool,
    stop: AtomicBool,
}

impl Shared {
    /// What is stored.
    pub fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ranges that were asked for since this was called last: offset and length.
    pub fn requests(&self) -> Vec<(usize, usize)> {
        core::mem::take(&mut self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The object's descriptor.
    pub fn fd(&self) -> i32 {
        self.object.get()
    }

    /// Reads one byte of the object.
    pub fn byte(&self, at: usize) -> ochre_rt::Result<u8> {
        let mut byte = [0];
        match syscall::pread(self.fd(), &mut byte, at as u64)? {
            1 => Ok(byte[0]),
            _ => Err(Errno::ENODATA),
        }
    }

    /// Takes the dirty pages of the object: their offsets.
    pub fn take(&self) -> ochre_rt::Result<Vec<usize>> {
        let mut offsets = [0; 512];
        let count = syscall::object_clean(self.fd(), 0, u64::MAX, &mut offsets)?;
        Ok(offsets[..count].iter().map(|at| *at as usize).collect())
    }

    /// Stores the dirty pages; how many there were.
    pub fn write_back(&self) -> ochre_rt::Result<usize> {
        let taken = self.take()?;
        for &at in &taken {
            let mut page = [0; PAGE];
            let len = syscall::pread(self.fd(), &mut page, at as u64)?;
            let mut bytes = self.bytes();
            if bytes.len() < at + len {
                bytes.resize(at + len, 0);
            }
            bytes[at..at + len].copy_from_slice(&page[..len]);
            drop(bytes);
            syscall::object_stored(self.fd(), at as u64, PAGE as u64, false)?;
        }
        Ok(taken.len())
    }

    /// posix_fadvise(2).
    pub fn advise(&self, at: usize, len: usize, advice: u64) -> ochre_rt::Result<()> {
        advise(self.fd(), at, len, advice)
    }

    /// The object's size in bytes.
    pub fn size(&self) -> ochre_rt::Result<usize> {
        let mut stat = Stat::default();
        Call::new(OP_STAT, [0; 3]).output(stat.as_mut_bytes()).send(self.fd())?;
        Ok(stat.size as usize)
    }

    /// Sets the object's size; the store's bytes stay.
    pub fn truncate(&self, size: usize) -> ochre_rt::Result<()> {
        Call::new(OP_TRUNCATE, [size as u64, 0, 0]).send(self.fd()).map(drop)
    }

    /// What is stored of a range; zeroes behind the end.
    fn stored(&self, offset: usize, len: usize) -> Vec<u8> {
        let bytes = self.bytes();
        let from = offset.min(bytes.len());
        let mut data = bytes[from..(offset + len).min(bytes.len()).max(from)].to_vec();
        data.resize(len, 0);
        data
    }
}

impl Store {
    /// A store with these bytes, and an object of as many; with `scheme`, it serves that too: any path is the file.
    pub fn new(bytes: Vec<u8>, scheme: Option<&'static [u8]>) -> Result<Self> {
        Self::with_limit(bytes, scheme, 0)
    }

    /// The same, whose object may have so many dirty pages (0: the kernel's bound).
    pub fn with_limit(bytes: Vec<u8>, scheme: Option<&'static [u8]>, dirty: usize) -> Result<Self> {
        let port = OwnedFd::new(syscall::port_create(0)?);
        let region = Region::map(port.get())?;
        let object = OwnedFd::new(syscall::object_create(bytes.len() as u64, 0)?);
        syscall::object_pager(object.get(), port.get(), 1)?;
        syscall::pager_limit(port.get(), dirty)?;
        if let Some(name) = scheme {
            syscall::scheme_register(name, port.get(), 0)?;
        }
        let shared = Arc::new(Shared {
            object,
            bytes: Mutex::new(bytes),
            requests: Mutex::new(Vec::new()),
            told: AtomicU32::new(0),
            full: AtomicU32::new(0),
            reserves: AtomicU32::new(0),
            space: AtomicU64::new(u64::MAX),
            hold: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let of_server = shared.clone();
        let server = std::thread::spawn(move || serve(port, region, &of_server));
        Ok(Self { shared, server: Some(server) })
    }

    /// What other threads need of it.
    pub fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Maps all of the object, shared.
    pub fn map(&self, len: usize) -> Result<Mapping> {
        Ok(Mapping::shared(self.shared.fd(), len)?)
    }

    /// Requests are answered no more, or again.
    pub fn hold(&self, on: bool) {
        self.shared.hold.store(on, SeqCst);
    }

    /// Ends the pager, which must not have failed.
    pub fn end(mut self) -> Result {
        self.shared.stop.store(true, SeqCst);
        if let Some(server) = self.server.take() {
            server.join().map_err(|_| "the pager panicked")??;
        }
        Ok(())
    }
}

impl core::ops::Deref for Store {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
    }
}

/// posix_fadvise(2).
pub fn advise(fd: i32, at: usize, len: usize, advice: u64) -> ochre_rt::Result<()> {
    Call::new(OP_ADVISE, [at as u64, len as u64, advice]).send(fd).map(drop)
}

/// Waits until something holds.
pub fn eventually(mut holds: impl FnMut() -> Result<bool>) -> Result {
    let start = Instant::now();
    while !holds()? {
        if start.elapsed() > PATIENCE {
            return Err("it never came true".into());
        }
        syscall::yield_now();
    }
    Ok(())
}

/// A number of `/scheme/sys/memory`.
pub fn figure(name: &str) -> Result<u64> {
    let text = std::fs::read_to_string("/scheme/sys/memory")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line.ok_or_else(|| format!("no {name} in /scheme/sys/memory"))?.parse()?)
}

/// A byte that tells where it is from.
pub fn pattern(at: usize) -> u8 {
    (at / PAGE % 251) as u8 ^ (at % 241) as u8
}

/// So many bytes of [`pattern`].
pub fn patterned(len: usize) -> Vec<u8> {
    (0..len).map(pattern).collect()
}

/// Compares what was read at an offset with [`pattern`].
pub fn check_pattern(at: usize, bytes: &[u8]) -> Result {
    let wrong = bytes.iter().enumerate().find(|(n, byte)| **byte != pattern(at + n)).map(|(n, _)| at + n);
    same!(wrong, None);
    Ok(())
}

fn serve(port: OwnedFd, region: Arc<Region>, store: &Shared) -> ochre_rt::Result<()> {
    let mut seen = 0u32;
    let mut answers = 0;
    let mut held = Vec::new();
    while !store.stop.load(SeqCst) {
        syscall::reply_receive(port.get(), answers, 0, 5_000_000)?;
        answers = 0;
        while seen != region.submitted() {
            let mut slot = region.take(region.announced(seen)).ok_or(Errno::EIO)?;
            seen = seen.wrapping_add(1);
            let completion = handle(store, &mut slot, &mut held)?;
            region.set_completion(answers, completion);
            answers += 1;
        }
        if !store.hold.load(SeqCst) {
            for (request, data) in held.drain(..) {
                syscall::object_supply_for(store.fd(), request.handle, request.args[1], &data, 0)?;
            }
        }
    }
    Ok(())
}

fn handle(store: &Shared, slot: &mut Slot, held: &mut Vec<(Request, Vec<u8>)>) -> ochre_rt::Result<Completion> {
    let request = slot.entry();
    let [_, second, third] = request.args;
    let value = |result: i64| Completion { tag: request.tag, result };
    Ok(match request.op {
        OP_PAGE_IN => {
            // What is stored now is the answer, also if it changes as soon as the request is seen.
            held.push((request, store.stored(second as usize, third as usize)));
            let mut requests = store.requests.lock().unwrap_or_else(PoisonError::into_inner);
            requests.push((second as usize, third as usize));
            drop(requests);
            value(0)
        }
        OP_DIRTY => {
            let counter = if second == 1 { &store.full } else { &store.told };
            counter.fetch_add(1, SeqCst);
            value(0)
        }
        OP_OPEN => {
            let flags = OPENED_SEEKABLE | OPENED_WRITE_ATTACHED | OPENED_GROW_ATTACHED;
            slot.set_entry(&Request { len: 0, args: [flags, store.fd() as u64 + 1, 0], ..request });
            Completion { tag: request.tag | u64::from(ANSWER_OPENED) << ANSWER_SHIFT, result: 7 }
        }
        OP_RESERVE => {
            store.reserves.fetch_add(1, SeqCst);
            let space = store.space.load(SeqCst);
            syscall::object_limit(store.fd(), (request.args[0] + 4000).min(space))?;
            value(if request.args[0] > space { -i64::from(Errno::ENOSPC.0) } else { 0 })
        }
        _ => value(0),
    })
}
