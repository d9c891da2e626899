//! What a file system lives on: blocks that can be read, written and flushed.

use crate::{Errno, Result};

/// A device of blocks.
///
/// Offsets, lengths and buffers are multiples of [`BLOCK`] bytes and lie within [`len`](Self::len); implementations answer `EINVAL` for others.
/// A write may be in the device's cache until [`flush`](Self::flush) returns; several may then reach the medium in any order, and in parts.
pub trait Device {
    /// The usable size in bytes: a multiple of [`BLOCK`].
    fn len(&self) -> u64;

    /// True if there is no room for even one block.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if writes are refused (`EROFS`).
    fn read_only(&self) -> bool;

    /// Fills the buffer from `offset`. Errors: `EIO`.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()>;

    /// Writes all bytes at `offset`. Errors: `EIO`, `EROFS`, `ENOSPC` (a bounded overlay).
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Writes several pieces, in any order; a device with a queue overrides this to have them under way together.
    fn write_pieces(&mut self, pieces: &[(u64, &[u8])]) -> Result<()> {
        pieces.iter().try_for_each(|&(offset, bytes)| self.write(offset, bytes))
    }

    /// The room for written blocks, in bytes, where that is bounded: an overlay's memory.
    fn room(&self) -> Option<u64> {
        None
    }

    /// Tells the device that these bytes are not needed any more; what they are read as afterwards is undefined.
    fn discard(&mut self, _offset: u64, _len: u64) {}

    /// Returns when everything written before is on the medium. Errors: `EIO`.
    fn flush(&mut self) -> Result<()>;
}

/// The size of a block in bytes.
pub const BLOCK: usize = 4096;

mod file;
mod memory;
mod overlay;
mod window;

pub use file::File;
pub use memory::Memory;
pub use overlay::Overlay;
pub use window::Window;

/// Checks that a request is in whole blocks and within a device.
fn check(len: u64, offset: u64, bytes: usize) -> Result<()> {
    let aligned = offset % BLOCK as u64 == 0 && bytes % BLOCK == 0;
    match offset.checked_add(bytes as u64) {
        Some(end) if aligned && end <= len => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

impl<D: Device + ?Sized> Device for Box<D> {
    fn len(&self) -> u64 {
        (**self).len()
    }

    fn read_only(&self) -> bool {
        (**self).read_only()
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        (**self).read(offset, buffer)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        (**self).write(offset, bytes)
    }

    fn write_pieces(&mut self, pieces: &[(u64, &[u8])]) -> Result<()> {
        (**self).write_pieces(pieces)
    }

    fn room(&self) -> Option<u64> {
        (**self).room()
    }

    fn discard(&mut self, offset: u64, len: u64) {
        (**self).discard(offset, len);
    }

    fn flush(&mut self) -> Result<()> {
        (**self).flush()
    }
}
