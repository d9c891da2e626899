//! Memory straight from the kernel.

use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

/// Anonymous memory, given back when dropped.
pub struct Mapping {
    address: NonNull<u8>,
    len: usize,
}

impl Mapping {
    fn new(len: usize, flags: libc::c_int) -> io::Result<Self> {
        let (prot, flags) = (libc::PROT_READ | libc::PROT_WRITE, flags | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping where the kernel likes; it replaces none.
        let address = unsafe { libc::mmap(ptr::null_mut(), len, prot, flags, -1, 0) };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let address = NonNull::new(address.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { address, len })
    }

    /// Memory of this process.
    ///
    /// # Errors
    /// OutOfMemory, and what else mmap(2) says.
    pub fn private(len: usize) -> io::Result<Self> {
        Self::new(len, libc::MAP_PRIVATE)
    }

    /// The address, for system calls that use the memory behind the compiler's back.
    pub fn address(&self) -> u64 {
        self.address.as_ptr().expose_provenance() as u64
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for that length, zero or written, and borrowed with the mapping.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr(), self.len) }
    }

    /// The bytes, to write.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and ours alone.
        unsafe { std::slice::from_raw_parts_mut(self.address.as_ptr(), self.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: our own mapping, to which no reference is left.
        unsafe { libc::munmap(self.address.as_ptr().cast(), self.len) };
    }
}

/// Counters that children made by fork share.
pub struct SharedCounters {
    mapping: Mapping,
}

impl SharedCounters {
    /// That many, all 0.
    ///
    /// # Errors
    /// Those of mmap(2).
    pub fn new(count: usize) -> io::Result<Self> {
        Mapping::new(count * size_of::<u64>(), libc::MAP_SHARED).map(|mapping| Self { mapping })
    }

    /// The counters.
    pub fn all(&self) -> &[AtomicU64] {
        let count = self.mapping.len / size_of::<u64>();
        // SAFETY: page-aligned, zero-filled, and reached in no other way than through atomics.
        unsafe { std::slice::from_raw_parts(self.mapping.address.as_ptr().cast(), count) }
    }
}

/// setrlimit(2), RLIMIT_AS: bytes of address space that this process may have.
///
/// # Errors
/// Those of setrlimit(2).
pub fn limit_address_space(bytes: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: the limit can be read.
    super::check(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }).map(drop)
}
