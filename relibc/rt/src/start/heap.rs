//! The heap: dlmalloc over mmap.

use super::lock::Lock;
use crate::syscall;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{null_mut, with_exposed_provenance_mut};
use dlmalloc::{Allocator, Dlmalloc};
use ochre_abi::layout::PAGE_SIZE;
use ochre_abi::memory::{MAP_ANONYMOUS, MAP_PRIVATE, MREMAP_MAYMOVE, PROT_READ, PROT_WRITE};

/// Where dlmalloc gets its memory.
#[derive(Debug)]
struct Pages;

// SAFETY: every region is a fresh mapping of its own, which nothing else uses until it is freed.
unsafe impl Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        // SAFETY: a new mapping at an address that the kernel chooses.
        match unsafe { syscall::mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) } {
            Ok(address) => (with_exposed_provenance_mut(address), size, 0),
            Err(_) => (null_mut(), 0, 0),
        }
    }

    fn remap(&self, ptr: *mut u8, old: usize, new: usize, can_move: bool) -> *mut u8 {
        let flags = if can_move { MREMAP_MAYMOVE } else { 0 };
        // SAFETY: dlmalloc gives up the old region for the one that it gets.
        unsafe { syscall::mremap(ptr as usize, old, new, flags, 0) }.map_or(null_mut(), with_exposed_provenance_mut)
    }

    fn free_part(&self, ptr: *mut u8, old: usize, new: usize) -> bool {
        // SAFETY: dlmalloc does not use the end of the region any more.
        unsafe { syscall::munmap(ptr as usize + new, old - new) }.is_ok()
    }

    fn free(&self, ptr: *mut u8, size: usize) -> bool {
        // SAFETY: dlmalloc does not use the region any more.
        unsafe { syscall::munmap(ptr as usize, size) }.is_ok()
    }

    fn can_release_part(&self, _: u32) -> bool {
        true
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        PAGE_SIZE
    }
}

/// A global allocator.
pub struct Heap(Lock<Dlmalloc<Pages>>);

impl Heap {
    /// An empty heap.
    pub const fn new() -> Self {
        Self(Lock::new(Dlmalloc::new_with_allocator(Pages)))
    }
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: dlmalloc is a correct allocator, and the lock lets one thread in at a time.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the layout is the caller's, who keeps to GlobalAlloc's contract.
        unsafe { self.0.lock().malloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above, and the block came from here.
        unsafe { self.0.lock().free(ptr, layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        unsafe { self.0.lock().calloc(layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as in `dealloc`.
        unsafe { self.0.lock().realloc(ptr, layout.size(), layout.align(), new_size) }
    }
}
