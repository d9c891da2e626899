//! `/scheme/sys/kmsg`: the kernel log in the form of Linux's /dev/kmsg (Documentation/ABI/testing/dev-kmsg).
//!
//! A read gives one record, `PRIORITY,NUMBER,MICROSECONDS,-;TEXT` and a line end; each open file has a place of its own in the log, which is
//! left by reading on and by lseek to the first line (0 with SEEK_SET or SEEK_DATA) or behind the last one (0 with SEEK_END). A write adds a
//! line. At the end a read gives EAGAIN, or without O_NONBLOCK looks again from time to time: who logs may be anywhere, and wakes nobody.

use crate::file::{File, Object};
use crate::io::{anonymous_stat, need_room};
use crate::log::{self, Record};
use crate::thread::Thread;
use crate::user::UserSlice;
use crate::wait::WaitQueue;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use hal::Level;
use ochre_abi::file::{O_ACCMODE, O_NONBLOCK, O_RDONLY, S_IFCHR, SEEK_DATA, SEEK_END, Stat};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// How long a reader waits until it looks again, in ns.
const AGAIN: u64 = 100_000_000;
/// Bytes of one write that count.
const WRITE_MAX: usize = 400;
/// Linux's number: major 1, minor 11.
const DEVICE: u64 = 1 << 8 | 11;

/// An open log.
pub struct Kmsg {
    next: AtomicU64,
}

impl Kmsg {
    /// At the first line that there is. EACCES for writing, but for the superuser.
    pub fn open(me: &Arc<Thread>, flags: u32) -> Result<Arc<dyn Object>> {
        if flags & O_ACCMODE != O_RDONLY && me.process.credentials().euid != 0 {
            return Err(Errno::EACCES);
        }
        need_room(4096)?;
        Ok(Arc::new(Kmsg { next: AtomicU64::new(0) }))
    }
}

/// A record's text for programs.
fn shown(record: &Record) -> String {
    let line = String::from_utf8_lossy(&record.line);
    let (time, text) = line.strip_prefix('[').and_then(|line| line.split_once("] ")).unwrap_or(("0.0", &line));
    let (seconds, micros) = time.trim_start().split_once('.').unwrap_or(("0", "0"));
    let micros = seconds.parse::<u64>().unwrap_or(0) * 1_000_000 + micros.parse::<u64>().unwrap_or(0);
    format!("{},{},{micros},-;{text}\n", record.priority, record.number)
}

impl Object for Kmsg {
    fn kind(&self) -> &'static str {
        "kmsg"
    }

    fn read(&self, file: &File, to: UserSlice, _offset: Option<u64>) -> Result<usize> {
        let record = loop {
            match log::record(self.next.load(Relaxed)) {
                Some(record) => break record,
                None if file.flags() & O_NONBLOCK != 0 => return Err(Errno::EAGAIN),
                None => {}
            }
            let deadline = hal::time::now().saturating_add(AGAIN);
            match WaitQueue::new().wait_until(Some(deadline), || None::<()>) {
                Ok(()) | Err(Errno::ETIMEDOUT) => {}
                Err(error) => return Err(error),
            }
        };
        let text = shown(&record);
        if text.len() > to.len {
            return Err(Errno::EINVAL);
        }
        to.copy_out(0, text.as_bytes())?;
        self.next.store(record.number + 1, Relaxed);
        Ok(text.len())
    }

    fn write(&self, _file: &File, from: UserSlice, _offset: Option<u64>) -> Result<usize> {
        let mut bytes = [0u8; WRITE_MAX];
        let len = from.len.min(WRITE_MAX);
        from.copy_in(0, &mut bytes[..len])?;
        let text = String::from_utf8_lossy(&bytes[..len]);
        let (level, text) = match text.strip_prefix('<').and_then(|text| text.split_once('>')) {
            Some((number, text)) => (number.parse::<u32>().map_or(Level::Info, level), text),
            None => (Level::Info, &*text),
        };
        log::write(level, format_args!("{}", text.trim_end().escape_debug()));
        Ok(from.len)
    }

    fn takes_offsets(&self) -> bool {
        true
    }

    fn seek(&self, _file: &File, offset: i64, whence: u64) -> Result<u64> {
        let next = match whence {
            _ if offset != 0 => return Err(Errno::ESPIPE),
            SEEK_DATA => 0,
            SEEK_END => log::next_number(),
            _ => return Err(Errno::EINVAL),
        };
        self.next.store(next, Relaxed);
        Ok(0)
    }

    fn stat(&self, _file: &File) -> Result<Stat> {
        Ok(Stat { rdev: DEVICE, ..anonymous_stat(S_IFCHR | 0o644, 0) })
    }
}

/// The level of a priority as syslog(2) counts.
fn level(priority: u32) -> Level {
    match priority & 7 {
        0..=3 => Level::Error,
        4 => Level::Warn,
        5 | 6 => Level::Info,
        _ => Level::Debug,
    }
}
