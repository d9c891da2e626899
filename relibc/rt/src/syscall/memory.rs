//! Mappings and memory objects.

use super::{id, sys, unit};
use ochre_abi::Result;

/// mmap(2); the address.
///
/// # Safety
/// With MAP_FIXED, what was mapped there is the caller's to replace. The memory is shared as `flags` say.
pub unsafe fn mmap(addr: usize, len: usize, prot: u64, flags: u64, fd: i32, offset: u64) -> Result<usize> {
    sys!(MMAP, addr, len, prot, flags, fd, offset)
}

/// munmap(2).
///
/// # Safety
/// Nothing uses the range any more.
pub unsafe fn munmap(addr: usize, len: usize) -> Result<()> {
    unit(sys!(MUNMAP, addr, len))
}

/// mprotect(2).
///
/// # Safety
/// Nothing that lives there relies on the protection that it loses.
pub unsafe fn mprotect(addr: usize, len: usize, prot: u64) -> Result<()> {
    unit(sys!(MPROTECT, addr, len, prot))
}

/// mremap(2); the new address.
///
/// # Safety
/// Nothing uses the old range any more, and with MREMAP_FIXED the new one is the caller's to replace.
pub unsafe fn mremap(addr: usize, old_len: usize, new_len: usize, flags: u64, new_addr: usize) -> Result<usize> {
    sys!(MREMAP, addr, old_len, new_len, flags, new_addr)
}

/// madvise(2).
///
/// # Safety
/// With MADV_DONTNEED and MADV_FREE the contents are lost: nothing may need them.
pub unsafe fn madvise(addr: usize, len: usize, advice: u64) -> Result<()> {
    unit(sys!(MADVISE, addr, len, advice))
}

/// msync(2).
pub fn msync(addr: usize, len: usize, flags: u64) -> Result<()> {
    unit(sys!(MSYNC, addr, len, flags))
}

/// mlock(2) (`on`) and munlock(2).
pub fn mlock(addr: usize, len: usize, on: bool) -> Result<()> {
    unit(sys!(MLOCK, addr, len, on))
}

/// mincore(2): one byte a page into `pages`, which has room for `len` bytes' pages (EINVAL otherwise).
pub fn mincore(addr: usize, len: usize, pages: &mut [u8]) -> Result<()> {
    if pages.len() < len.div_ceil(ochre_abi::layout::PAGE_SIZE) {
        return Err(ochre_abi::Errno::EINVAL);
    }
    unit(sys!(MINCORE, addr, len, pages.as_mut_ptr()))
}

/// A memory object of `size` bytes, zeroed. `flags`: OBJECT_*.
pub fn object_create(size: u64, flags: u64) -> Result<i32> {
    id(sys!(OBJECT_CREATE, size, flags))
}

/// A view of a page-aligned part of an object. OBJECT_READ_ONLY gives up writing; OBJECT_CLOEXEC as everywhere.
pub fn object_slice(fd: i32, offset: u64, len: u64, flags: u64) -> Result<i32> {
    id(sys!(OBJECT_SLICE, fd, offset, len, flags))
}

/// Physical addresses of the pages from `offset` on, which stay pinned; how many. Needs RIGHT_DEVICE.
pub fn object_phys(fd: i32, offset: u64, addresses: &mut [u64]) -> Result<usize> {
    sys!(OBJECT_PHYS, fd, offset, addresses.as_mut_ptr(), addresses.len())
}

/// Makes `port` the pager of an object; its PAGE_IN requests carry `cookie`.
pub fn object_pager(object: i32, port: i32, cookie: u64) -> Result<()> {
    unit(sys!(OBJECT_PAGER, object, port, cookie))
}

/// A pager's pages for an object; `status` other than 0 is an errno for those who wait for the range.
pub fn object_supply(object: i32, offset: u64, data: &[u8], status: i32) -> Result<usize> {
    sys!(OBJECT_SUPPLY, object, offset, data.as_ptr(), data.len(), status)
}

/// [`object_supply`] in answer to a PAGE_IN with this `epoch` (the request's `handle`): taken only if nothing was cut off since.
pub fn object_supply_for(object: i32, epoch: u64, offset: u64, data: &[u8], status: i32) -> Result<usize> {
    sys!(OBJECT_SUPPLY, object, offset, data.as_ptr(), data.len(), status, epoch)
}

/// What [`object_clean`] took of a range is stored; the kernel may drop it when memory is short. With `failed` it is dirty again.
pub fn object_stored(object: i32, offset: u64, len: u64, failed: bool) -> Result<()> {
    unit(sys!(OBJECT_STORED, object, offset, len, failed))
}

/// Up to this size writes to handles with OPENED_GROW_ATTACHED extend the object.
pub fn object_limit(object: i32, bytes: u64) -> Result<()> {
    unit(sys!(OBJECT_LIMIT, object, bytes))
}

/// How many dirty pages the objects of a port's pager may have before writers wait; 0: a quarter of memory.
pub fn pager_limit(port: i32, pages: usize) -> Result<()> {
    unit(sys!(PAGER_LIMIT, port, pages))
}

/// Takes the offsets of dirty pages in a range and write-protects these; how many.
pub fn object_clean(object: i32, offset: u64, len: u64, offsets: &mut [u64]) -> Result<usize> {
    sys!(OBJECT_CLEAN, object, offset, len, offsets.as_mut_ptr(), offsets.len())
}

/// Drops clean pages of a range, unmapping them everywhere; how many.
pub fn object_evict(object: i32, offset: u64, len: u64) -> Result<usize> {
    sys!(OBJECT_EVICT, object, offset, len)
}

/// Copies what is at an address that may be no memory of this process: EFAULT then. EINVAL above 256 bytes.
pub fn memory_read(from: usize, to: &mut [u8]) -> Result<()> {
    unit(sys!(MEMORY_READ, to.as_mut_ptr(), from, to.len()))
}
