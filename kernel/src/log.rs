//! The kernel log: kept in a ring for /scheme/sys/log, and written to COM1.

use crate::thread::Thread;
use crate::user;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};
use hal::serial::COM1;
use hal::{Level, SpinLock};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// Bytes that the ring keeps.
const RING_SIZE: usize = 64 * 1024;
/// Bytes of a line that a program logs at the most.
const LINE_MAX: usize = 512;

static RING: SpinLock<Ring> = SpinLock::new(Ring { bytes: VecDeque::new(), first: 0 });
static LEAST: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// Lines, each behind a byte with its priority as syslog(2) counts.
struct Ring {
    bytes: VecDeque<u8>,
    /// How many lines were there before those that are still here.
    first: u64,
}

impl Ring {
    fn add(&mut self, priority: u8, line: &[u8]) {
        while self.bytes.len() + line.len() + 1 > RING_SIZE {
            let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') else { break };
            drop(self.bytes.drain(..=end));
            self.first += 1;
        }
        self.bytes.push_back(priority);
        self.bytes.extend(line);
    }
}

/// A line of the log.
pub struct Record {
    /// Its number, from 0 on.
    pub number: u64,
    /// As syslog(2) counts: 3 for an error, 7 for what only helps to debug.
    pub priority: u8,
    /// With the time and without the line end.
    pub line: Vec<u8>,
}

/// Messages below this level are dropped.
pub fn set_level(level: Level) {
    LEAST.store(level as u8, Relaxed);
}

/// A line on its way to the ring and the serial line.
struct Line([u8; LINE_MAX + 64], usize);

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.0.len() - 1 - self.1;
        let len = text.len().min(room);
        self.0[self.1..self.1 + len].copy_from_slice(&text.as_bytes()[..len]);
        self.1 += len;
        Ok(())
    }
}

/// Logs a line: `[seconds] text`. Callable wherever no more than leaf locks are held.
pub fn write(level: Level, args: fmt::Arguments<'_>) {
    if (level as u8) < LEAST.load(Relaxed) {
        return;
    }
    let mut line = Line([0; LINE_MAX + 64], 0);
    let now = hal::time::now() / 1000;
    // A line that is too long is cut; nothing else can fail.
    let _ = write!(line, "[{:4}.{:06}] {args}", now / 1_000_000, now % 1_000_000);
    line.0[line.1] = b'\n';
    let bytes = &line.0[..=line.1];
    console(bytes);
    // Whoever holds the ring may be logging on another CPU, or be the flow that this one interrupted: then serial has to do.
    if let Some(mut ring) = RING.try_lock() {
        let priority = match level {
            Level::Debug => 7,
            Level::Info => 6,
            Level::Warn => 4,
            Level::Error => 3,
        };
        ring.add(priority, bytes);
    }
}

/// Writes to the console as it is, and to no log.
pub fn console(bytes: &[u8]) {
    COM1.write(bytes);
}

/// What the ring holds.
pub fn snapshot() -> Vec<u8> {
    let ring = RING.lock();
    let mut starts = true;
    let kept = ring.bytes.iter().filter(|byte| !core::mem::replace(&mut starts, **byte == b'\n'));
    kept.copied().collect()
}

/// The first line whose number is not below `number`.
pub fn record(number: u64) -> Option<Record> {
    let ring = RING.lock();
    let mut at = 0;
    let mut line = ring.first;
    loop {
        let priority = *ring.bytes.get(at)?;
        let rest = ring.bytes.range(at + 1..);
        let len = rest.clone().position(|byte| *byte == b'\n')?;
        if line >= number {
            return Some(Record { number: line, priority, line: rest.take(len).copied().collect() });
        }
        (at, line) = (at + len + 2, line + 1);
    }
}

/// The number that the next line will have.
pub fn next_number() -> u64 {
    let ring = RING.lock();
    ring.first + ring.bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// LOG.
pub fn log(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let level = match a[0] {
        0 => Level::Debug,
        1 => Level::Info,
        2 => Level::Warn,
        3 => Level::Error,
        _ => return Err(Errno::EINVAL),
    };
    let mut text = [0u8; LINE_MAX];
    let len = (a[2] as usize).min(LINE_MAX);
    user::copy_in(&mut text[..len], a[1])?;
    for line in text[..len].split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        let name = me.name();
        let name = core::str::from_utf8(&name).unwrap_or("?").trim_end_matches('\0');
        write(level, format_args!("{name}: {}", line.escape_ascii()));
    }
    Ok(a[2] as usize)
}
