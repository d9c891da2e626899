//! The page cache under load: a file server that cleans, evicts and truncates its file, a process that writes, reads and maps it in every
//! way there is, and others that take all memory meanwhile. Each page has one thread that writes to it and knows what must be in it.

use super::store::{Shared, Store, figure};
use crate::sys::mapping::Mapping;
use crate::{PAGE, Result, holds, same};
use ochre_rt::{Errno, OwnedFd, syscall};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Pages that the writers share out among themselves; the truncating thread has as many behind them.
const PAGES: usize = 1536;
const TAIL: usize = 256;
const WRITERS: usize = 3;

/// Numbers that look random, the same for the same seed (xorshift64).
pub struct Random(u64);

impl Random {
    /// Starts with a seed.
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}

/// What the threads of the file server have.
#[derive(Clone)]
struct World {
    store: Arc<Shared>,
    /// A file server's lock of the file: held to write back, and to truncate.
    inode: Arc<Mutex<()>>,
    stop: Arc<AtomicBool>,
}

impl World {
    fn running(&self) -> bool {
        !self.stop.load(SeqCst)
    }
}

/// The server: runs for so many seconds, with a process of writers and one after the other that take all memory; a line of what happened.
pub fn hold(seconds: u64, seed: u64) -> Result<String> {
    let (reclaimed, size) = (figure("reclaimed_frames")?, (PAGES + TAIL) * PAGE);
    let store = Store::with_limit(vec![0; size], None, PAGES / 4)?;
    let world =
        World { store: store.shared(), inode: Arc::new(Mutex::new(())), stop: Arc::new(AtomicBool::new(false)) };
    let (cleaner, cutter) = (world.clone(), world.clone());
    let cleaner = std::thread::spawn(move || stopping(&cleaner, clean, Random::new(seed + 10)));
    let cutter = std::thread::spawn(move || stopping(&cutter, truncate, Random::new(seed + 11)));
    let program = std::env::current_exe()?;
    let arguments = ["--write", &store.fd().to_string(), &seconds.to_string(), &seed.to_string()].map(String::from);
    let mut writers = Command::new(&program).args(arguments).spawn()?;
    let mut squeezes = 0;
    let ended = loop {
        if let Some(ended) = writers.try_wait()? {
            break ended;
        }
        holds!(Command::new(&program).arg("--squeeze").status()?.success());
        squeezes += 1;
    };
    world.stop.store(true, SeqCst);
    let cleaned = cleaner.join().map_err(|_| "the cleaner panicked")??;
    let cuts = cutter.join().map_err(|_| "the cutter panicked")??;
    holds!(ended.success());
    let reclaimed = figure("reclaimed_frames")? - reclaimed;
    holds!(reclaimed > 0 && cleaned > 0 && cuts > 0);
    let waits = store.full.load(SeqCst);
    store.end()?;
    Ok(format!("cleaned {cleaned}, truncations {cuts}, squeezes {squeezes}, reclaimed {reclaimed}, waits {waits}"))
}

/// A thread's work; a failure ends that of the others.
fn stopping(world: &World, work: fn(&World, Random) -> Result<usize>, random: Random) -> Result<usize> {
    let result = work(world, random);
    world.stop.fetch_or(result.is_err(), SeqCst);
    result
}

/// The process that writes, through the inherited descriptor of the object; how many steps it made.
pub fn write(fd: i32, seconds: u64, seed: u64) -> Result<usize> {
    let end = Instant::now() + Duration::from_secs(seconds);
    let writers: Vec<_> = (0..WRITERS)
        .map(|n| std::thread::spawn(move || run_writer(fd, n, end, Random::new(seed + n as u64))))
        .collect();
    let mut steps = 0;
    for writer in writers {
        steps += writer.join().map_err(|_| "a writer panicked")??;
    }
    Ok(steps)
}

/// A process that takes all memory that it gets, and ends.
pub fn squeeze() -> Result {
    let hog = OwnedFd::new(syscall::object_create(1 << 40, 0)?);
    let refused = (0..1 << 28).find_map(|page| syscall::pwrite(hog.get(), &[1; PAGE], page * PAGE as u64).err());
    holds!(matches!(refused, Some(Errno::ENOMEM | Errno::ENOSPC)));
    Ok(())
}

/// One writer: its pages, what must be in them, and the ways to them.
struct Writer {
    fd: i32,
    n: usize,
    random: Random,
    view: Mapping,
    memory: File,
    /// The contents of its pages, one after another.
    model: Vec<u8>,
}

fn run_writer(fd: i32, n: usize, end: Instant, random: Random) -> Result<usize> {
    let view = Mapping::shared(fd, PAGES * PAGE)?;
    let memory = OpenOptions::new().write(true).open("/scheme/proc/self/mem")?;
    let mut writer = Writer { fd, n, random, view, memory, model: vec![0; PAGES / WRITERS * PAGE] };
    let mut steps = 0;
    while Instant::now() < end {
        writer.step()?;
        steps += 1;
    }
    for own in 0..PAGES / WRITERS {
        writer.compare(own, 0, PAGE)?;
    }
    Ok(steps)
}

impl Writer {
    /// Where a page of its own is in the file.
    fn place(&self, own: usize) -> usize {
        (own * WRITERS + self.n) * PAGE
    }

    fn step(&mut self) -> Result {
        let own = self.random.below(PAGES / WRITERS);
        let whole = self.random.below(3) == 0;
        let from = if whole { 0 } else { self.random.below(PAGE) };
        let len = if whole { PAGE } else { 1 + self.random.below((PAGE - from).min(200)) };
        let at = self.place(own) + from;
        let model = own * PAGE + from..own * PAGE + from + len;
        let value = self.random.below(256) as u8;
        match self.random.below(9) {
            0 | 1 => {
                self.model[model.clone()].fill(value);
                same!(syscall::pwrite(self.fd, &self.model[model], at as u64), Ok(len));
            }
            2 | 3 => {
                for n in (0..len).step_by(1 + len / 16) {
                    self.model[own * PAGE + from + n] = value;
                    self.view.set(at + n, value);
                }
            }
            4 => {
                // Through the kernel's own window on this memory.
                self.model[model.clone()].fill(value);
                self.memory.write_all_at(&self.model[model], (self.view.address() + at) as u64)?;
            }
            5 => {
                let (at, len) = (self.random.below(PAGES) * PAGE, self.random.below(64) * PAGE + 1);
                super::store::advise(self.fd, at, len, 3 + self.random.below(2) as u64)?;
            }
            _ => self.compare(own, from, len)?,
        }
        Ok(())
    }

    /// What is read and what is mapped is what was written.
    fn compare(&mut self, own: usize, from: usize, len: usize) -> Result {
        let at = self.place(own) + from;
        let wanted = &self.model[own * PAGE + from..own * PAGE + from + len];
        let mut read = vec![0; len];
        same!(syscall::pread(self.fd, &mut read, at as u64), Ok(len));
        if read != wanted {
            let wrong = read.iter().zip(wanted).position(|(a, b)| a != b);
            return Err(format!("page {} reads wrong at {from} + {wrong:?}", at / PAGE).into());
        }
        for (n, byte) in wanted.iter().enumerate().step_by(1 + len / 16) {
            if self.view.get(at + n) != *byte {
                return Err(format!("page {} is mapped wrong at {from} + {n}", at / PAGE).into());
            }
        }
        Ok(())
    }
}

/// The file server's write-back: what it takes is stored, or not, and then sometimes evicted.
fn clean(world: &World, mut random: Random) -> Result<usize> {
    let mut total = 0;
    while world.running() {
        let _inode = world.inode.lock().unwrap_or_else(PoisonError::into_inner);
        if random.below(20) == 0 {
            // Writing failed: all is dirty again.
            world.store.take()?;
            syscall::object_stored(world.store.fd(), 0, u64::MAX, true)?;
        }
        total += world.store.write_back()?;
        if random.below(4) == 0 {
            let at = random.below(PAGES) * PAGE;
            syscall::object_evict(world.store.fd(), at as u64, (64 * PAGE) as u64)?;
        }
    }
    Ok(total)
}

/// Cuts the file's tail off and makes it longer again: what was cut off never comes back.
fn truncate(world: &World, mut random: Random) -> Result<usize> {
    let view = Mapping::shared(world.store.fd(), (PAGES + TAIL) * PAGE)?;
    let mut total = 0;
    while world.running() {
        let cut = PAGES * PAGE + random.below(TAIL * PAGE / 2);
        for _ in 0..40 {
            let at = PAGES * PAGE + random.below(TAIL * PAGE);
            view.set(at, 1 + random.below(200) as u8);
            holds!(view.get(at) != 0);
        }
        {
            let _inode = world.inode.lock().unwrap_or_else(PoisonError::into_inner);
            world.store.truncate(cut)?;
            world.store.bytes()[cut..].fill(0);
            world.store.truncate((PAGES + TAIL) * PAGE)?;
        }
        for _ in 0..40 {
            let at = cut + random.below((PAGES + TAIL) * PAGE - cut);
            same!((at, view.get(at)), (at, 0));
            same!(world.store.byte(at), Ok(0));
        }
        total += 1;
    }
    Ok(total)
}
