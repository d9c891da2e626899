//! A disk, or a part of one, as a volume's device.

use ochre_abi::{Errno, Result};
use ochre_block::protocol::{TRANSFER_MAX, Transfer};
use ochre_rt::syscall;
use ochre_volume::device::{BLOCK, Device};

/// Bytes of memory that transfers go through.
const MEMORY: u64 = TRANSFER_MAX as u64;

/// A disk's file, `/scheme/disk.NAME/0p1`.
pub struct Disk {
    disk: ochre_block::Disk,
    len: u64,
    read_only: bool,
}

impl Disk {
    /// Opens it, for this client alone. EBUSY: another one has it so.
    pub fn open(path: &str) -> Result<Self> {
        let disk = ochre_block::Disk::open_exclusive(path, MEMORY)?;
        let info = disk.info()?;
        let len = info.sectors.saturating_mul(ochre_block::protocol::SECTOR);
        Ok(Self { disk, len: len - len % BLOCK as u64, read_only: info.read_only != 0 })
    }

    /// Parts that one transfer can move: offset in the buffer, length.
    fn parts(len: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..len).step_by(MEMORY as usize).map(move |at| (at, (len - at).min(MEMORY as usize)))
    }

    fn check(&self, offset: u64, len: usize) -> Result<()> {
        let aligned = offset.is_multiple_of(BLOCK as u64) && len.is_multiple_of(BLOCK);
        let inside = offset.checked_add(len as u64).is_some_and(|end| end <= self.len);
        if aligned && inside { Ok(()) } else { Err(Errno::EINVAL) }
    }

    fn transfer(&self, offset: u64, len: usize, write: bool) -> Result<()> {
        let len = len as u32;
        self.disk.transfer(Transfer { object: 0, memory: 0, disk: offset, len, write: write.into() })
    }
}

impl Device for Disk {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_only(&self) -> bool {
        self.read_only
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.check(offset, buffer.len())?;
        for (at, len) in Self::parts(buffer.len()) {
            self.transfer(offset + at as u64, len, false)?;
            let part = buffer.get_mut(at..at + len).ok_or(Errno::EINVAL)?;
            if syscall::pread(self.disk.memory(), part, 0)? < len {
                return Err(Errno::EIO);
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.check(offset, bytes.len())?;
        if self.read_only {
            return Err(Errno::EROFS);
        }
        for (at, len) in Self::parts(bytes.len()) {
            let part = bytes.get(at..at + len).ok_or(Errno::EINVAL)?;
            if syscall::pwrite(self.disk.memory(), part, 0)? < len {
                return Err(Errno::EIO);
            }
            self.transfer(offset + at as u64, len, true)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.read_only { Ok(()) } else { self.disk.flush() }
    }
}
