//! A mapping that is read and written byte by byte, volatile, so that nothing in it is ever a Rust value to be kept intact.

use ochre_rt::abi::memory::{MADV_DONTNEED, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE};
use ochre_rt::{Errno, Result, syscall};
use std::sync::atomic::AtomicU32;

const READ_WRITE: u64 = PROT_READ | PROT_WRITE;

/// Mapped memory; unmapped when dropped.
#[derive(Debug)]
pub struct Mapping {
    at: usize,
    len: usize,
}

impl Mapping {
    /// mmap(2) where the kernel likes; MAP_FIXED is EINVAL here.
    pub fn new(len: usize, prot: u64, flags: u64, fd: i32, offset: u64) -> Result<Self> {
        if flags & MAP_FIXED != 0 {
            return Err(Errno::EINVAL);
        }
        // SAFETY: a new mapping at an address that the kernel chooses harms nothing that exists.
        let at = unsafe { syscall::mmap(0, len, prot, flags, fd, offset) }?;
        Ok(Self { at, len })
    }

    /// Private zeroed memory.
    pub fn anonymous(len: usize) -> Result<Self> {
        Self::new(len, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    }

    /// An object from its start, shared.
    pub fn shared(fd: i32, len: usize) -> Result<Self> {
        Self::new(len, READ_WRITE, MAP_SHARED, fd, 0)
    }

    /// An object from its start, copied on writing.
    pub fn private(fd: i32, len: usize) -> Result<Self> {
        Self::new(len, READ_WRITE, MAP_PRIVATE, fd, 0)
    }

    /// The address.
    pub fn address(&self) -> usize {
        self.at
    }

    /// The byte at an offset.
    pub fn get(&self, at: usize) -> u8 {
        assert!(at < self.len);
        // SAFETY: within the mapping; any byte is a u8; without a page behind it the process ends by a signal.
        unsafe { core::ptr::with_exposed_provenance::<u8>(self.at + at).read_volatile() }
    }

    /// Writes the byte at an offset.
    pub fn set(&self, at: usize, value: u8) {
        assert!(at < self.len);
        // SAFETY: as in `get`; no Rust value lives there but the atomics of `word`, and any bytes are one of these.
        unsafe { core::ptr::with_exposed_provenance_mut::<u8>(self.at + at).write_volatile(value) }
    }

    /// The word at an offset that is a multiple of 4.
    pub fn word(&self, at: usize) -> &AtomicU32 {
        assert!(at + 4 <= self.len && at.is_multiple_of(4));
        // SAFETY: within the mapping, aligned, and borrowed from it.
        unsafe { &*core::ptr::with_exposed_provenance::<AtomicU32>(self.at + at) }
    }

    /// mprotect(2) of a part.
    pub fn protect(&self, at: usize, len: usize, prot: u64) -> Result<()> {
        // SAFETY: a part of this mapping, which holds no values that rely on their protection.
        unsafe { syscall::mprotect(self.part(at, len), len, prot) }
    }

    /// madvise(2) with MADV_DONTNEED of a part.
    pub fn discard(&self, at: usize, len: usize) -> Result<()> {
        // SAFETY: a part of this mapping, whose contents nothing needs.
        unsafe { syscall::madvise(self.part(at, len), len, MADV_DONTNEED) }
    }

    /// munmap(2) of a part. It must be filled ([`Self::replace`]) before anything else is mapped: dropping unmaps all.
    pub fn unmap(&self, at: usize, len: usize) -> Result<()> {
        // SAFETY: a part of this mapping, to which no references are kept.
        unsafe { syscall::munmap(self.part(at, len), len) }
    }

    /// Maps zeroed memory over a part; `flags` is MAP_FIXED or MAP_FIXED_NOREPLACE.
    pub fn replace(&self, at: usize, len: usize, flags: u64) -> Result<usize> {
        // SAFETY: a part of this mapping, whose contents nothing needs.
        unsafe { syscall::mmap(self.part(at, len), len, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0) }
    }

    /// mremap(2) of the first `old` bytes to `new` bytes; where it fails nothing changes.
    pub fn resize(&mut self, old: usize, new: usize, flags: u64) -> Result<()> {
        // SAFETY: exclusively borrowed, so nothing refers to the old place; more than the mapping's length is refused or
        // this mapping's neighbour is moved, which the caller made itself.
        self.at = unsafe { syscall::mremap(self.at, old, new, flags, 0) }?;
        self.len = new;
        Ok(())
    }

    /// pread(2) into a part, whatever its protection.
    pub fn read_from(&self, at: usize, len: usize, fd: i32) -> Result<usize> {
        // SAFETY: a part of this mapping; what the kernel may write there is bytes.
        unsafe {
            let target = core::ptr::with_exposed_provenance_mut(self.part(at, len));
            syscall::pread_raw(fd, target, len, 0)
        }
    }

    fn part(&self, at: usize, len: usize) -> usize {
        assert!(at.checked_add(len).is_some_and(|end| end <= self.len));
        self.at + at
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and nothing borrows it. An error leaves it mapped, which harms nothing.
        let _ = unsafe { syscall::munmap(self.at, self.len) };
    }
}

/// munmap(2) of a range that the kernel must refuse: its start is no multiple of the page size.
pub fn unmap_unaligned(mapping: &Mapping) -> Result<()> {
    // SAFETY: should the kernel take it after all, it is this mapping's memory, in which no values live.
    unsafe { syscall::munmap(mapping.address() + 1, crate::PAGE) }
}
