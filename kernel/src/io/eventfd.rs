//! Event counters: eventfd(2).

use super::{install, need_room};
use crate::file::{File, Object};
use crate::readiness::Readiness;
use crate::thread::Thread;
use crate::user::{self, UserSlice};
use crate::wait::WaitQueue;
use alloc::sync::Arc;
use hal::SpinLock;
use ochre_abi::event::{EFD_SEMAPHORE, EPOLLIN, EPOLLOUT};
use ochre_abi::file::{O_CLOEXEC, O_NONBLOCK, O_RDWR};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// The greatest value of a counter.
const MAX: u64 = u64::MAX - 1;

/// A 64-bit counter.
pub struct EventFd {
    count: SpinLock<u64>,
    semaphore: bool,
    readers: WaitQueue,
    writers: WaitQueue,
    readiness: Readiness,
}

impl EventFd {
    fn new(initial: u64, semaphore: bool) -> Arc<EventFd> {
        let event = EventFd {
            count: SpinLock::new(initial),
            semaphore,
            readers: WaitQueue::new(),
            writers: WaitQueue::new(),
            readiness: Readiness::new(0),
        };
        event.refresh(initial);
        Arc::new(event)
    }

    /// Called with the counter locked, so that bits and counter agree.
    fn refresh(&self, count: u64) {
        let bits = if count > 0 { EPOLLIN } else { 0 } | if count < MAX { EPOLLOUT } else { 0 };
        self.readiness.clear(!bits);
        let new = bits & !self.readiness.get();
        if new != 0 {
            self.readiness.raise(new);
        }
    }

    fn take(&self, nonblocking: bool) -> Option<Result<u64>> {
        let mut count = self.count.lock();
        if *count == 0 {
            return nonblocking.then_some(Err(Errno::EAGAIN));
        }
        let taken = if self.semaphore { 1 } else { *count };
        *count -= taken;
        self.refresh(*count);
        let left = *count > 0;
        drop(count);
        self.writers.wake_one();
        if left {
            self.readers.wake_one();
        }
        Some(Ok(taken))
    }

    fn add(&self, nonblocking: bool, n: u64) -> Option<Result<()>> {
        let mut count = self.count.lock();
        if n > MAX - *count {
            return nonblocking.then_some(Err(Errno::EAGAIN));
        }
        *count += n;
        self.refresh(*count);
        if n > 0 {
            // Each write is an edge.
            self.readiness.raise(EPOLLIN);
        }
        let room = *count < MAX;
        drop(count);
        self.readers.wake_one();
        if room {
            self.writers.wake_one();
        }
        Some(Ok(()))
    }
}

impl Object for EventFd {
    fn kind(&self) -> &'static str {
        "eventfd"
    }

    fn read(&self, file: &File, to: UserSlice, _offset: Option<u64>) -> Result<usize> {
        if to.len < 8 {
            return Err(Errno::EINVAL);
        }
        let nonblocking = file.nonblocking();
        let value = self.readers.wait_until(None, || self.take(nonblocking))??;
        user::write(to.addr, &value)?;
        Ok(8)
    }

    fn write(&self, file: &File, from: UserSlice, _offset: Option<u64>) -> Result<usize> {
        if from.len < 8 {
            return Err(Errno::EINVAL);
        }
        let n: u64 = user::read(from.addr)?;
        if n == u64::MAX {
            return Err(Errno::EINVAL);
        }
        let nonblocking = file.nonblocking();
        self.writers.wait_until(None, || self.add(nonblocking, n))??;
        Ok(8)
    }

    fn readiness(&self) -> Option<&Readiness> {
        Some(&self.readiness)
    }
}

/// EVENTFD.
pub fn eventfd(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let flags = a[1];
    if flags & !(EFD_SEMAPHORE | u64::from(O_CLOEXEC | O_NONBLOCK)) != 0 {
        return Err(Errno::EINVAL);
    }
    need_room(0)?;
    let event = EventFd::new(u64::from(a[0] as u32), flags & EFD_SEMAPHORE != 0);
    install(me, File::new(event, O_RDWR | flags as u32 & O_NONBLOCK), flags)
}
