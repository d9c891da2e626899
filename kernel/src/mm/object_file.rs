//! Memory objects as files: memfd, shared memory, DMA buffers, slices of them.

use super::PAGE;
use super::object::MemoryObject;
use super::time_page;
use crate::file::{APPEND, File, Object};
use crate::user::{self, UserSlice};
use alloc::sync::Arc;
use ochre_abi::call::{CallArgs, OP_ADVISE, OP_FALLOCATE, OP_LOCK, OP_STAT, OP_SYNC, OP_TRUNCATE};
use ochre_abi::file::{S_IFREG, Stat};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// Seals, of `linux/fcntl.h`: no more seals.
pub const F_SEAL_SEAL: u32 = 1;
/// The size cannot shrink.
pub const F_SEAL_SHRINK: u32 = 2;
/// The size cannot grow.
pub const F_SEAL_GROW: u32 = 4;
/// Nothing can be written.
pub const F_SEAL_WRITE: u32 = 8;
/// Nothing can be written but through mappings that exist.
pub const F_SEAL_FUTURE_WRITE: u32 = 16;
const F_SEAL_ALL: u32 = 31;

/// Commands of OP_LOCK here: args\[1\] holds the seals to add, the answer to the other is the seals there are.
const F_ADD_SEALS: u64 = 1033;
const F_GET_SEALS: u64 = 1034;

/// fallocate(2)'s modes.
const FALLOC_FL_KEEP_SIZE: u64 = 1;
const FALLOC_FL_PUNCH_HOLE: u64 = 2;

/// A file over a memory object.
pub struct MemoryFile {
    /// The memory.
    pub object: Arc<MemoryObject>,
    /// When it was made, ns since the epoch.
    created: u64,
}

impl MemoryFile {
    /// For an object.
    pub fn new(object: Arc<MemoryObject>) -> MemoryFile {
        MemoryFile { object, created: hal::time::now().wrapping_add(time_page::realtime_offset()) }
    }

    fn truncate(&self, file: &File, size: u64) -> Result<()> {
        if !file.writable() {
            return Err(Errno::EINVAL);
        }
        let (seals, old) = (self.object.seals(), self.object.size());
        if size < old && seals & F_SEAL_SHRINK != 0 || size > old && seals & F_SEAL_GROW != 0 {
            return Err(Errno::EPERM);
        }
        self.object.resize(size)?;
        self.object.note_change();
        Ok(())
    }

    fn allocate(&self, file: &File, mode: u64, offset: u64, len: u64) -> Result<()> {
        if !file.writable() {
            return Err(Errno::EBADF);
        }
        let end = offset.checked_add(len).filter(|end| *end <= i64::MAX as u64).ok_or(Errno::EFBIG)?;
        if len == 0 {
            return Err(Errno::EINVAL);
        }
        match mode {
            0 if end > self.object.size() => self.truncate(file, end),
            0 | FALLOC_FL_KEEP_SIZE => Ok(()),
            _ if mode == FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE => {
                if self.object.seals() & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) != 0 {
                    return Err(Errno::EPERM);
                }
                self.object.punch(offset, len)?;
                self.object.note_change();
                Ok(())
            }
            _ => Err(Errno::EOPNOTSUPP),
        }
    }
}

impl Object for MemoryFile {
    fn kind(&self) -> &'static str {
        "memory"
    }

    fn read(&self, _file: &File, to: UserSlice, offset: Option<u64>) -> Result<usize> {
        if self.object.is_device() {
            return Err(Errno::EINVAL);
        }
        self.object.read(offset.unwrap_or(0), to)
    }

    fn write(&self, _file: &File, from: UserSlice, offset: Option<u64>) -> Result<usize> {
        if self.object.is_device() {
            return Err(Errno::EINVAL);
        }
        let size = self.object.size();
        let offset = match offset {
            Some(APPEND) => size,
            offset => offset.unwrap_or(0),
        };
        let seals = self.object.seals();
        if seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) != 0 {
            return Err(Errno::EPERM);
        }
        if seals & F_SEAL_GROW != 0 && offset.saturating_add(from.len as u64) > size {
            if offset >= size && from.len > 0 {
                return Err(Errno::EPERM);
            }
            return self.object.write(offset, from, false);
        }
        self.object.write(offset, from, true)
    }

    fn seekable(&self) -> bool {
        true
    }

    fn size(&self) -> Result<u64> {
        Ok(self.object.size())
    }

    fn stat(&self, _file: &File) -> Result<Stat> {
        let time = |at: u64| ((at / 1_000_000_000) as i64, (at % 1_000_000_000) as i64);
        let (seconds, ns) = time(self.created);
        let (changed_seconds, changed_ns) = time(self.object.modified().max(self.created));
        Ok(Stat {
            ino: self.object.id(),
            nlink: 1,
            mode: S_IFREG | 0o777,
            size: self.object.size() as i64,
            blksize: PAGE as i64,
            blocks: (self.object.resident() / 512) as i64,
            atime: seconds,
            atime_nsec: ns,
            mtime: changed_seconds,
            mtime_nsec: changed_ns,
            ctime: changed_seconds,
            ctime_nsec: changed_ns,
            ..Stat::default()
        })
    }

    fn call(&self, file: &File, args: &CallArgs) -> Result<usize> {
        let [first, second, third] = args.args;
        match u16::try_from(args.op).map_err(|_| Errno::EINVAL)? {
            OP_STAT if args.output_len < size_of::<Stat>() as u64 => Err(Errno::EINVAL),
            OP_STAT => user::write(args.output, &self.stat(file)?).map(|()| 0),
            OP_TRUNCATE => self.truncate(file, first).map(|()| 0),
            OP_FALLOCATE => self.allocate(file, first, second, third).map(|()| 0),
            OP_SYNC => Ok(0),
            OP_ADVISE => Ok(self.object.advise(args.args)),
            OP_LOCK if first == F_GET_SEALS => Ok(self.object.seals() as usize),
            OP_LOCK if first == F_ADD_SEALS => {
                let seals = u32::try_from(second).ok().filter(|seals| seals & !F_SEAL_ALL == 0).ok_or(Errno::EINVAL)?;
                if !file.writable() {
                    return Err(Errno::EPERM);
                }
                self.object.add_seals(seals).map(|()| 0)
            }
            ochre_abi::call::OP_IOCTL => Err(Errno::ENOTTY),
            _ => Err(Errno::EINVAL),
        }
    }

    fn memory(&self, _file: &File, _writable: bool) -> Result<Arc<MemoryObject>> {
        Ok(self.object.clone())
    }
}
