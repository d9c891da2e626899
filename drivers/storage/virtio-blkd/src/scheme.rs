//! What clients ask.

use crate::disk::Disk;
use ochre_block::protocol::{ATTACH, ATTACH_MAX, DETACH, INFO, TRANSFER, Transfer};
use ochre_scheme::abi::file::{S_IFBLK, SEEK_END, Stat};
use ochre_scheme::{Answer, Errno, Op, Request, Result, Scheme};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The disk's file, which only root may open.
pub struct Front(pub Arc<Mutex<Disk>>);

static NEXT: AtomicU64 = AtomicU64::new(1);

impl Front {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scheme for Front {
    fn open(&mut self, request: &mut Request, _flags: u32, _mode: u32) -> Result<Answer> {
        if !request.payload().is_empty() {
            return Err(Errno::ENOTDIR);
        }
        if request.caller().uid != 0 {
            return Err(Errno::EACCES);
        }
        Ok(Answer::opened(NEXT.fetch_add(1, Ordering::Relaxed)).seekable())
    }

    fn close(&mut self, handle: u64) {
        self.disk().close(handle);
    }

    fn read(&mut self, request: &mut Request, position: Option<u64>, len: usize) -> Result<Answer> {
        self.disk().copy(request, position.ok_or(Errno::EINVAL)?, len, false)
    }

    fn write(&mut self, request: &mut Request, position: Option<u64>, len: usize) -> Result<Answer> {
        self.disk().copy(request, position.ok_or(Errno::EINVAL)?, len, true)
    }

    fn stat(&mut self, handle: u64) -> Result<Stat> {
        Ok(Stat { ino: handle, nlink: 1, mode: S_IFBLK | 0o600, blksize: 4096, ..Stat::default() })
    }

    fn other(&mut self, request: &mut Request, op: Op) -> Result<Answer> {
        match op {
            Op::Seek { offset, whence: SEEK_END } => {
                let target = i64::try_from(self.disk().size()).ok().and_then(|size| size.checked_add(offset));
                let target = target.and_then(|target| usize::try_from(target).ok()).ok_or(Errno::EINVAL)?;
                Ok(Answer::value(target))
            }
            Op::Sync { .. } => self.disk().flush(request),
            Op::Private { op: INFO, .. } => {
                let info = self.disk().info();
                request.put_value(&info)?;
                Ok(Answer::done())
            }
            Op::Private { op: ATTACH, args: [len, ..] } => {
                if len == 0 || len > ATTACH_MAX || !len.is_multiple_of(4096) {
                    return Err(Errno::EINVAL);
                }
                let object = request.take_fd(0)?;
                self.disk().attach(request.handle(), object.get(), len).map(|number| Answer::value(number as usize))
            }
            Op::Private { op: DETACH, args: [number, ..] } => {
                let mut disk = self.disk();
                let own = disk.objects.get(&number).is_some_and(|object| object.owner == request.handle());
                if !own {
                    return Err(Errno::EINVAL);
                }
                disk.detach(number);
                Ok(Answer::done())
            }
            Op::Private { op: TRANSFER, .. } => {
                let transfer: Transfer = request.parse()?;
                self.disk().direct(request, transfer)
            }
            Op::Seek { .. } => Err(Errno::EINVAL),
            _ => Err(Errno::ENOSYS),
        }
    }
}
