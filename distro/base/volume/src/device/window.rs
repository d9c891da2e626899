//! A part of a device.

use super::{BLOCK, Device, check};
use crate::{Errno, Result};

/// A range of another device: a partition.
pub struct Window<D> {
    device: D,
    start: u64,
    len: u64,
}

impl<D: Device> Window<D> {
    /// The `len` bytes from `start`, both multiples of [`BLOCK`]. Errors: `EINVAL` if they are not, or not within the device.
    pub fn new(device: D, start: u64, len: u64) -> Result<Window<D>> {
        let bytes = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
        check(device.len(), start, bytes)?;
        Ok(Window { device, start, len })
    }

    fn inside(&self, offset: u64, bytes: usize) -> Result<u64> {
        check(self.len, offset, bytes)?;
        Ok(self.start + offset)
    }
}

impl<D: Device> Device for Window<D> {
    fn len(&self) -> u64 {
        self.len / BLOCK as u64 * BLOCK as u64
    }

    fn read_only(&self) -> bool {
        self.device.read_only()
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.device.read(self.inside(offset, buffer.len())?, buffer)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.device.write(self.inside(offset, bytes.len())?, bytes)
    }

    fn write_pieces(&mut self, pieces: &[(u64, &[u8])]) -> Result<()> {
        let moved = pieces.iter().map(|&(offset, bytes)| Ok((self.inside(offset, bytes.len())?, bytes)));
        let moved = moved.collect::<Result<Vec<_>>>()?;
        self.device.write_pieces(&moved)
    }

    fn room(&self) -> Option<u64> {
        self.device.room()
    }

    fn discard(&mut self, offset: u64, len: u64) {
        if let Ok(at) = self.inside(offset, len as usize) {
            self.device.discard(at, len);
        }
    }

    fn flush(&mut self) -> Result<()> {
        self.device.flush()
    }
}
