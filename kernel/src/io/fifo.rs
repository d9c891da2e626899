//! FIFOs: fifo(7). A file system's server makes one with FIFO_CREATE, keeps it with the inode, and answers an open with it
//! (OPENED_FIFO); the kernel opens the end. Bytes then need no server; what else is asked of the file, its handle answers.

use super::pipe::{OP_PIPE_GET_SIZE, OP_PIPE_SET_SIZE, Pipe, ReadEnd, WriteEnd};
use super::{Vectors, install, need_room};
use crate::file::{File, Object};
use crate::readiness::Readiness;
use crate::scheme_handle::SchemeHandle;
use crate::thread::Thread;
use crate::user::UserSlice;
use alloc::sync::Arc;
use ochre_abi::call::{CallArgs, OP_IOCTL};
use ochre_abi::file::{O_CLOEXEC, O_RDWR};
use ochre_abi::{Errno, Result};

/// What the server keeps.
pub struct Fifo(pub Arc<Pipe>);

impl Object for Fifo {
    fn kind(&self) -> &'static str {
        "fifo"
    }
}

/// One that is open, to read, to write or both.
pub struct FifoEnd {
    /// The server's handle of it.
    handle: Arc<SchemeHandle>,
    pipe: Arc<Pipe>,
    read: Option<Arc<ReadEnd>>,
    write: Option<Arc<WriteEnd>>,
}

impl FifoEnd {
    /// Opens an end; waits for the other unless `nonblocking`. ENXIO, EINTR as open(2).
    pub fn open(
        handle: Arc<SchemeHandle>,
        pipe: Arc<Pipe>,
        (read, write): (bool, bool),
        nonblocking: bool,
    ) -> Result<Arc<FifoEnd>> {
        let (read, write) = pipe.open(read, write, nonblocking)?;
        Ok(Arc::new(FifoEnd { handle, pipe, read, write }))
    }

    /// readv(2).
    pub fn read_vectors(&self, file: &File, to: &mut Vectors) -> Result<usize> {
        self.read.as_ref().ok_or(Errno::EBADF)?.read_vectors(file, to)
    }

    /// writev(2).
    pub fn write_vectors(&self, file: &File, from: &mut Vectors) -> Result<usize> {
        self.write.as_ref().ok_or(Errno::EBADF)?.write_vectors(file, from)
    }
}

impl Object for FifoEnd {
    fn kind(&self) -> &'static str {
        "fifo"
    }

    fn read(&self, file: &File, to: UserSlice, _offset: Option<u64>) -> Result<usize> {
        self.read_vectors(file, &mut Vectors::one(to))
    }

    fn write(&self, file: &File, from: UserSlice, _offset: Option<u64>) -> Result<usize> {
        self.write_vectors(file, &mut Vectors::one(from))
    }

    fn call(&self, file: &File, args: &CallArgs) -> Result<usize> {
        match args.op as u16 {
            OP_IOCTL | OP_PIPE_GET_SIZE | OP_PIPE_SET_SIZE => self.pipe.call(file, args),
            _ => Object::call(&*self.handle, file, args),
        }
    }

    fn descriptor_closed(&self, pid: u32) {
        self.handle.descriptor_closed(pid);
    }

    fn readiness(&self) -> Option<&Readiness> {
        match (&self.read, &self.write) {
            (Some(_), Some(_)) => Some(self.pipe.both_ready()),
            (Some(read), None) => read.readiness(),
            (None, Some(write)) => write.readiness(),
            (None, None) => None,
        }
    }
}

/// FIFO_CREATE.
pub fn fifo_create(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    if a[0] & !u64::from(O_CLOEXEC) != 0 {
        return Err(Errno::EINVAL);
    }
    need_room(0)?;
    install(me, File::new(Arc::new(Fifo(Pipe::new(true))), O_RDWR), a[0])
}
