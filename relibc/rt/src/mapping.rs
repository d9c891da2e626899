//! Memory that is shared with a device: its registers, or buffers that it reads and writes by itself (DMA).

use crate::syscall;
use core::sync::atomic::{Ordering, fence};
use ochre_abi::memory::{MAP_SHARED, PROT_READ, PROT_WRITE};
use ochre_abi::{Errno, Result};

/// A memory object mapped for reading and writing.
///
/// Whoever else has the object may change it at any time, so that there are no references into it: every access is volatile, of
/// exactly the width asked for, checked against the mapping, and little-endian, as PCI's registers are.
#[derive(Debug)]
pub struct Mapping {
    base: usize,
    len: usize,
}

// SAFETY: an address and a length; accesses are volatile, and what they race with is a device anyway.
unsafe impl Send for Mapping {}
// SAFETY: as for Send.
unsafe impl Sync for Mapping {}

macro_rules! access {
    ($read:ident, $write:ident, $type:ty, $bits:literal) => {
        #[doc = concat!("Reads ", $bits, " bits at a byte offset. EINVAL out of the mapping or not aligned.")]
        #[inline]
        pub fn $read(&self, offset: usize) -> Result<$type> {
            let at = self.at(offset, size_of::<$type>())?;
            // SAFETY: `at` checked that the aligned value lies within the mapping, which lives as long as `self`.
            Ok(unsafe { (at as *const $type).read_volatile() })
        }

        #[doc = concat!("Writes ", $bits, " bits at a byte offset. EINVAL out of the mapping or not aligned.")]
        #[inline]
        pub fn $write(&self, offset: usize, value: $type) -> Result<()> {
            let at = self.at(offset, size_of::<$type>())?;
            // SAFETY: as for reading; nothing of Rust's lives in the mapping.
            unsafe { (at as *mut $type).write_volatile(value) };
            Ok(())
        }
    };
}

impl Mapping {
    /// Maps `len` bytes (above 0) of an object from the page-aligned `offset` on. Errors of mmap(2).
    pub fn new(fd: i32, offset: u64, len: usize) -> Result<Self> {
        // SAFETY: a new mapping at an address that the kernel chooses replaces nothing.
        let base = unsafe { syscall::mmap(0, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset) }?;
        Ok(Self { base, len })
    }

    /// Bytes.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Never: an empty mapping cannot be made.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn at(&self, offset: usize, size: usize) -> Result<usize> {
        let inside = offset.checked_add(size).is_some_and(|end| end <= self.len);
        if inside && offset.is_multiple_of(size) { Ok(self.base + offset) } else { Err(Errno::EINVAL) }
    }

    fn range(&self, offset: usize, len: usize) -> Result<usize> {
        let inside = offset.checked_add(len).is_some_and(|end| end <= self.len);
        if inside { Ok(self.base + offset) } else { Err(Errno::EINVAL) }
    }

    access!(read8, write8, u8, "8");
    access!(read16, write16, u16, "16");
    access!(read32, write32, u32, "32");
    access!(read64, write64, u64, "64");

    /// Copies out of the mapping: memory, not registers. EINVAL out of it.
    pub fn copy_out(&self, offset: usize, to: &mut [u8]) -> Result<()> {
        let from = self.range(offset, to.len())?;
        // SAFETY: the range lies within the mapping; `to` is this program's own memory. Who races with it gets a mixture of bytes.
        unsafe { core::ptr::copy_nonoverlapping(from as *const u8, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    /// Copies into the mapping: memory, not registers. EINVAL out of it.
    pub fn copy_in(&self, offset: usize, from: &[u8]) -> Result<()> {
        let to = self.range(offset, from.len())?;
        // SAFETY: as for copying out.
        unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), to as *mut u8, from.len()) };
        Ok(())
    }

    /// What was written before is seen by the device before what is written after, and reads do not pass it.
    #[inline]
    pub fn barrier(&self) {
        fence(Ordering::SeqCst);
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `self` made the mapping, and no reference into it exists. An error would leave it there, which harms nobody.
        let _ = unsafe { syscall::munmap(self.base, self.len) };
    }
}
