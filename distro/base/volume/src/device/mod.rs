//! What a file system lives on: blocks that can be read, written and flushed.

use crate::Result;

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

    /// Returns when everything written before is on the medium. Errors: `EIO`.
    fn flush(&mut self) -> Result<()>;
}

/// The size of a block in bytes.
pub const BLOCK: usize = 4096;
