//! Writes that stay in memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::{BLOCK, Device, check};
use crate::{Errno, Result};

/// A device that is only read, with what is written over it kept in memory: live media.
///
/// A volume asks for the room before it changes anything, and discards the blocks it frees; so it answers `ENOSPC` in time, and the memory is
/// used for what is there now, not for everything that ever was.
pub struct Overlay<D> {
    below: D,
    written: HashMap<u64, Box<[u8; BLOCK]>>,
    limit: usize,
}

impl<D: Device> Overlay<D> {
    /// Puts at most `limit` bytes over a device; writes that need more are answered `ENOSPC`.
    pub fn new(below: D, limit: u64) -> Overlay<D> {
        Overlay { below, written: HashMap::new(), limit: (limit / BLOCK as u64) as usize }
    }

    /// Bytes that are kept in memory.
    pub fn used(&self) -> u64 {
        (self.written.len() * BLOCK) as u64
    }
}

impl<D: Device> Device for Overlay<D> {
    fn len(&self) -> u64 {
        self.below.len()
    }

    fn read_only(&self) -> bool {
        false
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        check(self.len(), offset, buffer.len())?;
        let first = offset / BLOCK as u64;
        let all = first..first + (buffer.len() / BLOCK) as u64;
        if !all.clone().all(|block| self.written.contains_key(&block)) {
            self.below.read(offset, buffer)?;
        }
        for (part, block) in buffer.chunks_exact_mut(BLOCK).zip(all) {
            if let Some(written) = self.written.get(&block) {
                part.copy_from_slice(&**written);
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        check(self.len(), offset, bytes.len())?;
        for (part, block) in bytes.chunks_exact(BLOCK).zip(offset / BLOCK as u64..) {
            let room = self.written.len() < self.limit;
            let kept = match self.written.entry(block) {
                Entry::Occupied(kept) => kept.into_mut(),
                Entry::Vacant(new) if room => new.insert(Box::new([0; BLOCK])),
                Entry::Vacant(_) => return Err(Errno::ENOSPC),
            };
            kept.copy_from_slice(part);
        }
        Ok(())
    }

    fn room(&self) -> Option<u64> {
        Some((self.limit.saturating_sub(self.written.len()) * BLOCK) as u64)
    }

    fn discard(&mut self, offset: u64, len: u64) {
        let first = offset / BLOCK as u64;
        (first..first + len / BLOCK as u64).for_each(|block| drop(self.written.remove(&block)));
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
