//! Open files: what a file descriptor refers to.

use crate::mm::object::MemoryObject;
use crate::readiness::Readiness;
use crate::user::{self, UserSlice};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::any::Any;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use hal::SpinLock;
use ochre_abi::call::{CallArgs, OP_IOCTL, OP_STAT};
use ochre_abi::file::{self as abi, Stat};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// What an open file description refers to. Dropping the last reference is the close.
///
/// The defaults are those of an object that can do nothing but be described.
pub trait Object: Send + Sync + Any {
    /// A word for listings.
    fn kind(&self) -> &'static str;

    /// Reads into user memory; returns bytes, 0 at the end. `offset` is set for pread and for seekable objects.
    fn read(&self, _file: &File, _to: UserSlice, _offset: Option<u64>) -> Result<usize> {
        Err(Errno::EINVAL)
    }

    /// Writes from user memory; returns bytes. `offset` as for read.
    fn write(&self, _file: &File, _from: UserSlice, _offset: Option<u64>) -> Result<usize> {
        Err(Errno::EINVAL)
    }

    /// Read and write go by the file's position, and lseek moves it. Asked once, when the file is opened.
    fn seekable(&self) -> bool {
        false
    }

    /// pread and pwrite work: it is seekable, or takes any offset for the same (/dev/null), so that lseek always gives 0.
    fn takes_offsets(&self) -> bool {
        self.seekable()
    }

    /// Bytes, for SEEK_END.
    fn size(&self) -> Result<u64> {
        Err(Errno::ESPIPE)
    }

    /// SEEK_END, SEEK_DATA, SEEK_HOLE: the new position.
    fn seek(&self, _file: &File, offset: i64, whence: u64) -> Result<u64> {
        let size = self.size()?;
        let target = match whence {
            abi::SEEK_END => i64::try_from(size).ok().and_then(|s| s.checked_add(offset)).ok_or(Errno::EOVERFLOW)?,
            abi::SEEK_DATA if (offset as u64) < size && offset >= 0 => offset,
            abi::SEEK_HOLE if (offset as u64) < size && offset >= 0 => size as i64,
            abi::SEEK_DATA | abi::SEEK_HOLE => return Err(Errno::ENXIO),
            _ => return Err(Errno::EINVAL),
        };
        u64::try_from(target).map_err(|_| Errno::EINVAL)
    }

    /// What fstat(2) tells.
    fn stat(&self, _file: &File) -> Result<Stat> {
        Ok(Stat { mode: 0o600, nlink: 1, blksize: 4096, ..Stat::default() })
    }

    /// Any other operation (crate `ochre_abi::call`).
    fn call(&self, file: &File, args: &CallArgs) -> Result<usize> {
        match args.op as u16 {
            OP_STAT => {
                if args.output_len < size_of::<Stat>() as u64 {
                    return Err(Errno::EINVAL);
                }
                user::write(args.output, &self.stat(file)?)?;
                Ok(0)
            }
            OP_IOCTL => Err(Errno::ENOTTY),
            _ => Err(Errno::EINVAL),
        }
    }

    /// `None`: always ready, and epoll refuses it (EPERM), as it does regular files.
    fn readiness(&self) -> Option<&Readiness> {
        None
    }

    /// What mmap maps.
    fn memory(&self, _file: &File, _writable: bool) -> Result<Arc<MemoryObject>> {
        Err(Errno::ENODEV)
    }

    /// DUP_NAMED: another object made from this one.
    fn dup_named(&self, _name: &[u8]) -> Result<Arc<dyn Object>> {
        Err(Errno::EINVAL)
    }

    /// A process closed a descriptor of the file, or ended with one.
    fn descriptor_closed(&self, _pid: u32) {}

    /// F_SETFL changed the file's flags.
    fn flags_changed(&self, _file: &File) {}
}

/// Flags that F_SETFL can change.
const CHANGEABLE: u32 = abi::O_NONBLOCK | abi::O_APPEND;

/// An open file description: shared by dup and fork, with one position and one set of status flags (POSIX, XBD 3.258).
pub struct File {
    /// What it refers to.
    pub object: Arc<dyn Object>,
    /// [`Object::seekable`], which never changes.
    seekable: bool,
    flags: AtomicU32,
    position: SpinLock<u64>,
    path: Option<Box<[u8]>>,
}

impl File {
    /// `flags`: O_ACCMODE, O_NONBLOCK, O_APPEND, O_PATH.
    pub fn new(object: Arc<dyn Object>, flags: u32) -> Arc<File> {
        Self::make(object, flags, None)
    }

    /// The same, opened under an absolute path.
    pub fn with_path(object: Arc<dyn Object>, flags: u32, path: Box<[u8]>) -> Arc<File> {
        Self::make(object, flags, Some(path))
    }

    fn make(object: Arc<dyn Object>, flags: u32, path: Option<Box<[u8]>>) -> Arc<File> {
        let seekable = object.seekable();
        Arc::new(File { object, seekable, flags: AtomicU32::new(flags), position: SpinLock::new(0), path })
    }

    /// Read and write go by the position.
    pub fn seekable(&self) -> bool {
        self.seekable
    }

    /// The status flags.
    pub fn flags(&self) -> u32 {
        self.flags.load(Relaxed)
    }

    /// F_SETFL.
    pub fn set_flags(&self, flags: u32) {
        let kept = self.flags() & !CHANGEABLE;
        self.flags.store(kept | (flags & CHANGEABLE), Relaxed);
        self.object.flags_changed(self);
    }

    /// O_NONBLOCK is set.
    pub fn nonblocking(&self) -> bool {
        self.flags() & abi::O_NONBLOCK != 0
    }

    /// Opened for reading.
    pub fn readable(&self) -> bool {
        let flags = self.flags();
        flags & abi::O_PATH == 0 && flags & abi::O_ACCMODE != abi::O_WRONLY
    }

    /// Opened for writing.
    pub fn writable(&self) -> bool {
        let flags = self.flags();
        flags & abi::O_PATH == 0 && flags & abi::O_ACCMODE != abi::O_RDONLY
    }

    /// A process closed a descriptor of it.
    pub fn descriptor_closed(&self, pid: u32) {
        self.object.descriptor_closed(pid);
    }

    /// The object, if it is a `T`.
    pub fn object<T: Object>(&self) -> Option<&T> {
        let any: &dyn Any = &*self.object;
        any.downcast_ref()
    }

    /// The absolute path it was opened under, if it has one.
    pub fn path(&self) -> Option<&[u8]> {
        self.path.as_deref()
    }

    /// An inode number for what has none of its own: the same for the same path, so that programs tell files apart (FNV-1a).
    pub fn path_inode(&self) -> u64 {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        self.path().unwrap_or_default().iter().fold(0xcbf2_9ce4_8422_2325, step)
    }

    /// read(2), or pread(2) with an offset.
    #[inline(always)]
    pub fn read(&self, to: UserSlice, offset: Option<u64>) -> Result<usize> {
        if !self.readable() {
            return Err(Errno::EBADF);
        }
        if offset.is_some() || !self.seekable {
            return self.object.read(self, to, offset);
        }
        let position = *self.position.lock();
        let bytes = self.object.read(self, to, Some(position))?;
        self.advance(position, bytes);
        Ok(bytes)
    }

    /// write(2), or pwrite(2) with an offset.
    #[inline(always)]
    pub fn write(&self, from: UserSlice, offset: Option<u64>) -> Result<usize> {
        if !self.writable() {
            return Err(Errno::EBADF);
        }
        if offset.is_some() || !self.seekable {
            return self.object.write(self, from, offset);
        }
        if self.flags() & abi::O_APPEND != 0 {
            let bytes = self.object.write(self, from, Some(APPEND))?;
            if let Ok(size) = self.object.size() {
                *self.position.lock() = size;
            }
            return Ok(bytes);
        }
        let position = *self.position.lock();
        let bytes = self.object.write(self, from, Some(position))?;
        self.advance(position, bytes);
        Ok(bytes)
    }

    /// lseek(2).
    pub fn seek(&self, offset: i64, whence: u64) -> Result<u64> {
        if self.flags() & abi::O_PATH != 0 {
            return Err(Errno::EBADF);
        }
        if !self.seekable {
            return if self.object.takes_offsets() { Ok(0) } else { Err(Errno::ESPIPE) };
        }
        let target = match whence {
            abi::SEEK_SET => u64::try_from(offset).map_err(|_| Errno::EINVAL)?,
            abi::SEEK_CUR => {
                let position = *self.position.lock();
                let target =
                    i64::try_from(position).ok().and_then(|p| p.checked_add(offset)).ok_or(Errno::EOVERFLOW)?;
                u64::try_from(target).map_err(|_| Errno::EINVAL)?
            }
            _ => self.object.seek(self, offset, whence)?,
        };
        if target > i64::MAX as u64 {
            return Err(Errno::EOVERFLOW);
        }
        *self.position.lock() = target;
        Ok(target)
    }

    /// The position, for operations that keep it themselves (getdents).
    pub fn position(&self) -> u64 {
        *self.position.lock()
    }

    /// Sets the position.
    pub fn set_position(&self, position: u64) {
        *self.position.lock() = position;
    }

    fn advance(&self, from: u64, bytes: usize) {
        *self.position.lock() = from.saturating_add(bytes as u64).min(i64::MAX as u64);
    }
}

/// As an offset for [`Object::write`]: at the end, whatever that is then (O_APPEND).
pub const APPEND: u64 = u64::MAX - 1;
