//! `/scheme/time/CLOCK`, by Linux's clock numbers (`time` alone is the monotonic clock, 1). Reading gives the clock's struct timespec at
//! once; writing one sets a deadline, after which the file is readable for poll and event queues.

use super::KernelScheme;
use super::text::Directory;
use crate::clock;
use crate::file::{File, Object};
use crate::io::need_room;
use crate::io::timerfd::timespec_ns;
use crate::readiness::Readiness;
use crate::thread::{self, Thread};
use crate::timer::{self, TimerId, TimerTarget};
use crate::user::{self, UserSlice};
use alloc::sync::{Arc, Weak};
use hal::SpinLock;
use ochre_abi::event::{CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME, EPOLLIN};
use ochre_abi::file::O_DIRECTORY;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// The scheme.
pub struct Time;

impl KernelScheme for Time {
    fn open(&self, me: &Arc<Thread>, path: &[u8], flags: u32) -> Result<Arc<dyn Object>> {
        let clock = match path {
            b"" if flags & O_DIRECTORY != 0 => return Directory::of_files(flags, &["0", "1", "7"]),
            b"" | b"1" => CLOCK_MONOTONIC,
            b"0" => CLOCK_REALTIME,
            b"7" => CLOCK_BOOTTIME,
            _ => return Err(Errno::ENOENT),
        };
        clock::read(me, clock)?;
        need_room(0)?;
        Ok(Arc::new_cyclic(|this| Clock {
            clock,
            this: this.clone(),
            armed: SpinLock::new(None),
            readiness: Readiness::new(0),
        }))
    }
}

/// A clock with a deadline.
struct Clock {
    clock: u64,
    this: Weak<Clock>,
    /// Deadline, ns since boot.
    armed: SpinLock<Option<(u64, TimerId)>>,
    readiness: Readiness,
}

impl TimerTarget for Clock {
    fn expired(&self, now: u64) {
        let mut armed = self.armed.lock();
        if armed.is_some_and(|(deadline, _)| deadline <= now) {
            *armed = None;
            self.readiness.raise(EPOLLIN);
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        if let Some((_, id)) = self.armed.get_mut().take() {
            timer::cancel(id);
        }
    }
}

impl Object for Clock {
    fn kind(&self) -> &'static str {
        "clock"
    }

    fn read(&self, _file: &File, to: UserSlice, _offset: Option<u64>) -> Result<usize> {
        if to.len < 16 {
            return Err(Errno::EINVAL);
        }
        let now = clock::read(&thread::current(), self.clock)?;
        user::write(to.addr, &[now / 1_000_000_000, now % 1_000_000_000])?;
        Ok(16)
    }

    fn write(&self, _file: &File, from: UserSlice, _offset: Option<u64>) -> Result<usize> {
        if from.len < 16 {
            return Err(Errno::EINVAL);
        }
        let [sec, nsec]: [i64; 2] = user::read(from.addr)?;
        let deadline = clock::to_monotonic(self.clock, timespec_ns(sec, nsec)?)?;
        let mut armed = self.armed.lock();
        if let Some((_, id)) = armed.take() {
            timer::cancel(id);
        }
        self.readiness.clear(EPOLLIN);
        if deadline <= hal::time::now() {
            self.readiness.raise(EPOLLIN);
        } else {
            let this: Weak<dyn TimerTarget> = self.this.clone();
            *armed = Some((deadline, timer::arm(deadline, this)));
        }
        Ok(16)
    }

    fn readiness(&self) -> Option<&Readiness> {
        Some(&self.readiness)
    }
}
