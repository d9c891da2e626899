//! Memory.

use super::{BLOCK, Device, check};
use crate::Result;

/// A device in memory.
#[derive(Clone)]
pub struct Memory(Vec<u8>);

impl Memory {
    /// A device of zeroes; its length is rounded down to whole blocks.
    pub fn new(len: usize) -> Memory {
        Memory(vec![0; len / BLOCK * BLOCK])
    }

    /// Its bytes.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Device for Memory {
    fn len(&self) -> u64 {
        (self.0.len() / BLOCK * BLOCK) as u64
    }

    fn read_only(&self) -> bool {
        false
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        check(self.len(), offset, buffer.len())?;
        buffer.copy_from_slice(&self.0[offset as usize..][..buffer.len()]);
        Ok(())
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        check(self.len(), offset, bytes.len())?;
        self.0[offset as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
