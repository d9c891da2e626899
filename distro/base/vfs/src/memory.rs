//! Files' bytes in memory objects: slices of a read-only object (the boot module) until they are written, then objects of their own.
//!
//! The kernel reads and maps them without asking; an object's size is the file's size.

use crate::server::{self, Statfs};
use crate::tree::{FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, Ino, NAME_MAX, Status, Store, Usage};
use alloc::collections::VecDeque;
use alloc::vec;
use core::cell::RefCell;
use ochre_abi::call::{OP_FALLOCATE, OP_STAT, OP_TRUNCATE};
use ochre_abi::file::Stat;
use ochre_abi::memory::{OBJECT_CLOEXEC, OBJECT_READ_ONLY};
use ochre_abi::{Errno, Result};
use ochre_rt::call::Call;
use ochre_rt::{OwnedFd, syscall, time};
use zerocopy::FromBytes;

/// Bytes copied at a time.
const CHUNK: usize = 64 * 1024;
/// Descriptors of replaced data are kept open for as many replacements: an answer that names one may not have been sent yet.
const TMPFS_MAGIC: i64 = 0x0102_1994;
const RETIRED: usize = ochre_abi::call::SLOTS;

/// One file's bytes.
#[derive(Debug)]
pub enum Data {
    /// A part of the module, whose slice is made when it is first needed.
    Module { offset: u64, size: u64, slice: RefCell<Option<OwnedFd>> },
    /// An object of its own.
    Own { object: OwnedFd, size: u64 },
}

/// Where objects come from.
#[derive(Debug)]
pub struct Objects {
    module: Option<OwnedFd>,
    device: u64,
    retired: VecDeque<OwnedFd>,
}

impl Objects {
    /// For a tree with a device number, with a module of which files are parts, if there is one.
    pub fn new(device: u64, module: Option<OwnedFd>) -> Self {
        Self { module, device, retired: VecDeque::new() }
    }

    fn module(&self) -> Result<i32> {
        self.module.as_ref().map(OwnedFd::get).ok_or(Errno::EBADF)
    }

    /// Reads the module.
    pub fn read_module(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        read_fully(self.module()?, offset, buffer)
    }

    /// A part of the module as a file's data. One that does not start on a page is copied.
    pub fn part(&mut self, offset: u64, size: u64) -> Result<Data> {
        let part = Data::Module { offset, size, slice: RefCell::new(None) };
        if offset.is_multiple_of(ochre_abi::layout::PAGE_SIZE as u64) && size > 0 { Ok(part) } else { self.copy(&part) }
    }
}

impl server::Objects for Objects {
    fn device(&self) -> u64 {
        self.device
    }

    /// As Linux's tmpfs.
    fn statfs(&mut self, usage: &Usage) -> Result<Statfs> {
        let free = usage.limit.saturating_sub(usage.used) / 4096;
        Ok(Statfs {
            kind: TMPFS_MAGIC,
            block_size: 4096,
            blocks: usage.limit / 4096,
            blocks_free: free,
            blocks_available: free,
            files: usage.nodes + free,
            files_free: free,
            name_max: NAME_MAX as i64,
            fragment_size: 4096,
            ..Statfs::default()
        })
    }

    fn object(&self, data: &Data) -> Result<(i32, u64)> {
        match data {
            Data::Own { object, size } => Ok((object.get(), *size)),
            Data::Module { offset, size, slice } => {
                let mut slice = slice.try_borrow_mut().map_err(|_| Errno::EBUSY)?;
                if let Some(fd) = &*slice {
                    return Ok((fd.get(), *size));
                }
                let flags = OBJECT_READ_ONLY | OBJECT_CLOEXEC;
                let fd = OwnedFd::new(syscall::object_slice(self.module()?, *offset, *size, flags)?);
                let number = fd.get();
                *slice = Some(fd);
                Ok((number, *size))
            }
        }
    }

    fn retire_fd(&mut self, fd: OwnedFd) {
        self.retired.push_back(fd);
        if self.retired.len() > RETIRED {
            self.retired.pop_front();
        }
    }
}

impl Store for Objects {
    type Data = Data;

    fn create(&mut self, _ino: Ino, _size: u64) -> Result<Data> {
        Ok(Data::Own { object: OwnedFd::new(syscall::object_create(0, OBJECT_CLOEXEC)?), size: 0 })
    }

    fn copy(&mut self, data: &Data) -> Result<Data> {
        let mut copy = self.create(0, 0)?;
        let mut buffer = vec![0; CHUNK];
        let mut offset = 0;
        loop {
            let read = self.read(data, offset, &mut buffer)?;
            if read == 0 {
                return Ok(copy);
            }
            let mut chunk = buffer.get(..read).ok_or(Errno::EIO)?;
            while !chunk.is_empty() {
                let written = self.write(&mut copy, offset, chunk)?;
                offset += written as u64;
                chunk = chunk.get(written..).filter(|_| written > 0).ok_or(Errno::EIO)?;
            }
        }
    }

    fn retire(&mut self, data: Data) {
        let fd = match data {
            Data::Own { object, .. } => Some(object),
            Data::Module { slice, .. } => slice.into_inner(),
        };
        if let Some(fd) = fd {
            server::Objects::retire_fd(self, fd);
        }
    }

    fn is_read_only(&self, data: &Data) -> bool {
        matches!(data, Data::Module { .. })
    }

    fn size(&self, data: &Data) -> u64 {
        match data {
            Data::Own { size, .. } | Data::Module { size, .. } => *size,
        }
    }

    fn read(&mut self, data: &Data, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        match data {
            Data::Own { object, .. } => syscall::pread(object.get(), buffer, offset),
            Data::Module { offset: start, size, .. } => {
                let left = size.saturating_sub(offset).min(buffer.len() as u64) as usize;
                let buffer = buffer.get_mut(..left).ok_or(Errno::EIO)?;
                read_fully(self.module()?, start + offset, buffer)
            }
        }
    }

    fn write(&mut self, data: &mut Data, offset: u64, bytes: &[u8]) -> Result<usize> {
        let Data::Own { object, size } = data else { return Err(Errno::EROFS) };
        let written = syscall::pwrite(object.get(), bytes, offset)?;
        *size = (*size).max(offset + written as u64);
        Ok(written)
    }

    fn truncate(&mut self, data: &mut Data, new: u64) -> Result<()> {
        let Data::Own { object, size } = data else { return Err(Errno::EROFS) };
        Call::new(OP_TRUNCATE, [new, 0, 0]).send(object.get())?;
        *size = new;
        Ok(())
    }

    fn punch(&mut self, data: &mut Data, offset: u64, len: u64) -> Result<()> {
        let Data::Own { object, .. } = data else { return Err(Errno::EROFS) };
        Call::new(OP_FALLOCATE, [FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, offset, len]).send(object.get()).map(drop)
    }

    fn status(&mut self, data: &mut Data, _settled: bool) -> Result<Status> {
        let Data::Own { object, .. } = data else { return Ok(Status { modified: 0, allocated: self.size(data) }) };
        let mut bytes = [0; size_of::<Stat>()];
        Call::new(OP_STAT, [0; 3]).output(&mut bytes).send(object.get())?;
        let stat = Stat::read_from_bytes(&bytes).map_err(|_| Errno::EIO)?;
        let modified = (stat.mtime as u64).saturating_mul(1_000_000_000).saturating_add(stat.mtime_nsec as u64);
        Ok(Status { modified, allocated: (stat.blocks as u64).saturating_mul(512) })
    }

    fn now(&self) -> u64 {
        time::realtime()
    }
}

fn read_fully(fd: i32, offset: u64, buffer: &mut [u8]) -> Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match syscall::pread(fd, rest, offset + done as u64)? {
            0 => break,
            read => done += read,
        }
    }
    Ok(done)
}
