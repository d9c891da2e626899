//! Memory objects with a pager: the kernel's page cache of files. A trait, so that the store can be tested on any host.

use ochre_abi::call::{OP_STAT, OP_TRUNCATE};
use ochre_abi::file::Stat;
use ochre_abi::memory::OBJECT_CLOEXEC;
use ochre_abi::{Errno, Result};
use ochre_rt::call::Call;
use ochre_rt::{OwnedFd, syscall};
use ochre_volume::Ino;
use zerocopy::FromBytes;

/// Makes objects whose missing pages are asked of this server's pager.
pub trait Memory: Send + 'static {
    type Object: Object;

    /// An object of `size` bytes, none of which is there yet. `ino` comes with the requests for pages.
    fn create(&self, ino: Ino, size: u64) -> Result<Self::Object>;
    /// Becomes the pager of an object of another server's.
    fn take_over(&self, ino: Ino, object: Self::Object) -> Result<Self::Object>;
}

/// A file's cached bytes. All but [`Object::supply`] and [`Object::fail`] may wait for the pager.
pub trait Object: Send + Sync + 'static {
    /// The descriptor that is attached to handles.
    fn fd(&self) -> i32;
    /// Bytes.
    fn size(&self) -> Result<u64>;
    /// Sets the size. What is cut off is gone; what is added is the pager's.
    fn resize(&self, size: u64) -> Result<()>;
    /// Reads at an offset; fewer bytes only at the end.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<usize>;
    /// Writes at an offset, growing the object.
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<usize>;
    /// Answers a request for pages, of this epoch, from the page at `offset` on; pages that are there stay as they are, what is behind the end
    /// is dropped. What was read before something was cut off since is not taken, but asked for anew.
    fn supply(&self, epoch: u64, offset: u64, bytes: &[u8]) -> Result<()>;
    /// Answers a request for pages with an error.
    fn fail(&self, offset: u64, len: u64, error: Errno) -> Result<()>;
    /// Takes dirty pages among the first `len` bytes: their offsets, which count as clean from now on, but stay. How many.
    fn clean(&self, len: u64, offsets: &mut [u64]) -> Result<usize>;
    /// What was taken of a part is safe and may be dropped; or it could not be written, and is dirty again.
    fn stored(&self, offset: u64, len: u64, failed: bool) -> Result<()>;
    /// Drops clean pages.
    fn evict(&self, offset: u64, len: u64) -> Result<()>;
    /// When it was last written to without this server, ns since 1970; 0: never.
    fn modified(&self) -> Result<u64>;
}

/// The kernel's objects, for a pager's port.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// The port that requests for pages come to.
    pub port: i32,
}

impl Memory for Kernel {
    type Object = OwnedFd;

    fn create(&self, ino: Ino, size: u64) -> Result<OwnedFd> {
        let object = OwnedFd::new(syscall::object_create(size, OBJECT_CLOEXEC)?);
        syscall::object_pager(object.get(), self.port, ino)?;
        Ok(object)
    }

    fn take_over(&self, ino: Ino, object: OwnedFd) -> Result<OwnedFd> {
        syscall::object_pager(object.get(), self.port, ino)?;
        Ok(object)
    }
}

fn stat(object: &OwnedFd) -> Result<Stat> {
    let mut bytes = [0; size_of::<Stat>()];
    Call::new(OP_STAT, [0; 3]).output(&mut bytes).send(object.get())?;
    Stat::read_from_bytes(&bytes).map_err(|_| Errno::EIO)
}

impl Object for OwnedFd {
    fn fd(&self) -> i32 {
        self.get()
    }

    fn size(&self) -> Result<u64> {
        Ok(stat(self)?.size as u64)
    }

    fn resize(&self, size: u64) -> Result<()> {
        Call::new(OP_TRUNCATE, [size, 0, 0]).send(self.get()).map(drop)
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match syscall::pread(self.get(), rest, offset + done as u64)? {
                0 => break,
                read => done += read,
            }
        }
        Ok(done)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> Result<usize> {
        syscall::pwrite(self.get(), bytes, offset)
    }

    fn supply(&self, epoch: u64, offset: u64, bytes: &[u8]) -> Result<()> {
        syscall::object_supply_for(self.get(), epoch, offset, bytes, 0).map(drop)
    }

    fn fail(&self, offset: u64, len: u64, error: Errno) -> Result<()> {
        // Only the length of the slice would matter, which need not exist: pages are failed one by one, as they were asked for in small runs.
        let page = [0; 4096];
        for at in (offset..offset.saturating_add(len)).step_by(page.len()) {
            syscall::object_supply(self.get(), at, &page, error.0)?;
        }
        Ok(())
    }

    fn clean(&self, len: u64, offsets: &mut [u64]) -> Result<usize> {
        syscall::object_clean(self.get(), 0, len, offsets)
    }

    fn stored(&self, offset: u64, len: u64, failed: bool) -> Result<()> {
        syscall::object_stored(self.get(), offset, len, failed)
    }

    fn evict(&self, offset: u64, len: u64) -> Result<()> {
        syscall::object_evict(self.get(), offset, len).map(drop)
    }

    fn modified(&self) -> Result<u64> {
        let stat = stat(self)?;
        Ok((stat.mtime as u64).saturating_mul(1_000_000_000).saturating_add(stat.mtime_nsec as u64))
    }
}
