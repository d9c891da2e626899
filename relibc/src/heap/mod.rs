//! The memory allocator.
//!
//! Memory comes in *segments* of 4 MiB, aligned to their size, so that the segment of a block is found
//! by masking its address. A segment has 64 pages of 64 KiB; the first holds the segment's
//! header. Three kinds of block:
//!
//! - **small** (up to 32 KiB): a page is cut into blocks of one of 40 size classes. Each thread
//!   keeps a list of free blocks per class ([`cache`]); lists are filled from and drained to the
//!   pages ([`small`]) in batches, under one lock per class.
//! - **runs** (up to 1 MiB): consecutive pages of a segment ([`segment`]).
//! - **huge**: a mapping of its own ([`huge`]) that begins with a segment header.
//!
//! Pages and segments that become empty go back to the system. Metadata stands apart from the blocks,
//! except the link of a free block. `malloc` of a cached block takes about 15 instructions.

pub mod cache;
mod class;
mod huge;
mod segment;
mod small;

mod api;
pub mod tune;
pub use api::*;

use class::SMALL_MAX;
use core::ptr;
use segment::{Kind, RUN_MAX};

/// Alignment of every block, bytes (glibc's MALLOC_ALIGNMENT).
pub const ALIGNMENT: usize = 16;

/// Allocates `size` bytes, aligned to 16. Null when memory is exhausted.
#[inline]
pub fn allocate(size: usize) -> *mut u8 {
    if size <= SMALL_MAX {
        return cache::allocate(class::of(size));
    }
    allocate_large(size)
}

#[cold]
fn allocate_large(size: usize) -> *mut u8 {
    if size <= RUN_MAX { segment::allocate_run(size) } else { huge::allocate(size, ALIGNMENT) }
}

/// Allocates `size` zeroed bytes.
#[inline]
pub fn allocate_zeroed(size: usize) -> *mut u8 {
    let block = allocate(size);
    if block.is_null() || size > RUN_MAX {
        // A huge block is fresh from the kernel, and so zero.
        return block;
    }
    // SAFETY: the block has at least `size` bytes and is ours.
    unsafe { ptr::write_bytes(block, 0, size) };
    block
}

/// Allocates `size` bytes aligned to `alignment`, a power of two.
pub fn allocate_aligned(size: usize, alignment: usize) -> *mut u8 {
    if alignment <= ALIGNMENT {
        return allocate(size);
    }
    // Classes that are powers of two are aligned to themselves, because pages are 64 KiB aligned.
    let rounded = size.max(alignment).checked_next_power_of_two().unwrap_or(usize::MAX);
    if rounded <= SMALL_MAX {
        return allocate(rounded);
    }
    // Runs start on pages, which are aligned to their size.
    if alignment <= segment::PAGE && size <= RUN_MAX {
        return segment::allocate_run(size.max(SMALL_MAX + 1));
    }
    huge::allocate(size, alignment)
}

/// Frees a block; null is allowed.
///
/// # Safety
/// `block` came from this allocator and is not used any more.
#[inline]
pub unsafe fn release(block: *mut u8) {
    if block.is_null() {
        return;
    }
    match segment::kind_of(block) {
        Kind::Small(class) => cache::release(block, class),
        Kind::Run => segment::release_run(block),
        Kind::Huge => huge::release(block),
    }
}

/// Bytes that the block has room for.
///
/// # Safety
/// `block` is a live block of this allocator.
pub unsafe fn usable(block: *mut u8) -> usize {
    match segment::kind_of(block) {
        Kind::Small(class) => class::size(class),
        Kind::Run => segment::run_size(block),
        Kind::Huge => huge::usable(block),
    }
}

/// Changes a block's size, moving it when it must. Null leaves the old block as it was.
///
/// # Safety
/// `block` is a live block of this allocator; after success only the result is.
pub unsafe fn reallocate(block: *mut u8, size: usize) -> *mut u8 {
    let old = usable(block);
    // Keep a block that fits, unless more than half would lie idle.
    if size <= old && (size >= old / 2 || old <= 64) {
        return block;
    }
    if size > RUN_MAX && matches!(segment::kind_of(block), Kind::Huge) {
        let moved = huge::resize(block, size);
        if !moved.is_null() {
            return moved;
        }
    }
    let new = allocate(size);
    if !new.is_null() {
        ptr::copy_nonoverlapping(block, new, old.min(size));
        release(block);
    }
    new
}

/// Takes every lock, so that a fork finds the tables whole.
pub fn fork_prepare() {
    huge::SUPER_ALIGNED.raw.lock();
    small::lock_all();
    segment::LIST.raw.lock();
}

/// Gives the locks back after a fork, in parent and child.
pub fn fork_done() {
    segment::LIST.raw.unlock();
    small::unlock_all();
    huge::SUPER_ALIGNED.raw.unlock();
}

#[cfg(test)]
mod tests;
