//! Blocks with a mapping of their own.
//!
//! The mapping starts on a segment boundary with a [`Segment`](super::segment::Segment) header, and the
//! block follows, within the first segment, so that masking finds the header. A block aligned to
//! a segment or more cannot have its header below it that way; those few are in a list.

use super::segment::{self, SEGMENT};
use crate::lock::Lock;
use crate::sys;
use alloc::vec::Vec;
use core::ptr;

const HEADER: usize = 4096;
const OS_PAGE: usize = 4096;

/// A block that starts on a segment boundary.
pub struct SuperAligned {
    block: usize,
    len: usize,
}

/// All of those.
pub static SUPER_ALIGNED: Lock<Vec<SuperAligned>> = Lock::new(Vec::new());

/// Allocates `size` bytes aligned to `alignment`. Null when memory is exhausted.
pub fn allocate(size: usize, alignment: usize) -> *mut u8 {
    if size > isize::MAX as usize {
        return ptr::null_mut();
    }
    if alignment >= SEGMENT {
        return allocate_super_aligned(size, alignment);
    }
    let offset = HEADER.max(alignment);
    let map_len = (offset + size).next_multiple_of(OS_PAGE);
    let start = segment::map_aligned(map_len, SEGMENT);
    if start.is_null() {
        return start;
    }
    // SAFETY: the mapping is fresh and has room for header and block.
    unsafe {
        segment::init_huge(start.cast(), map_len);
        start.add(offset)
    }
}

fn allocate_super_aligned(size: usize, alignment: usize) -> *mut u8 {
    let len = size.max(1).next_multiple_of(OS_PAGE);
    let start = segment::map_aligned(len, alignment);
    if !start.is_null() {
        let entry = SuperAligned { block: start.addr(), len };
        let mut list = SUPER_ALIGNED.lock();
        if list.try_reserve(1).is_err() {
            drop(list);
            // SAFETY: nobody has seen the mapping.
            unsafe { segment::unmap(start, len) };
            return ptr::null_mut();
        }
        list.push(entry);
    }
    start
}

/// Start and length of a block's mapping.
unsafe fn mapping(block: *mut u8) -> (*mut u8, usize) {
    if block.addr().is_multiple_of(SEGMENT) {
        let list = SUPER_ALIGNED.lock();
        let len = list.iter().find(|entry| entry.block == block.addr()).map_or(0, |entry| entry.len);
        return (block, len);
    }
    let header = segment::huge_header(block);
    (header.cast(), (*header).map_len)
}

/// Bytes the block has room for.
///
/// # Safety
/// `block` is a live huge block.
pub unsafe fn usable(block: *mut u8) -> usize {
    let (start, len) = mapping(block);
    len - block.offset_from_unsigned(start)
}

/// Frees a huge block.
///
/// # Safety
/// `block` is a live huge block.
pub unsafe fn release(block: *mut u8) {
    let (start, len) = mapping(block);
    if start == block {
        SUPER_ALIGNED.lock().retain(|entry| entry.block != block.addr());
    }
    segment::unmap(start, len);
}

/// Changes a huge block's size by moving pages, not bytes. Null when that cannot be done; the
/// block is then as it was.
///
/// # Safety
/// `block` is a live huge block; after success only the result is.
pub unsafe fn resize(block: *mut u8, size: usize) -> *mut u8 {
    let (start, len) = mapping(block);
    if start == block || size > isize::MAX as usize {
        return ptr::null_mut();
    }
    let offset = block.offset_from_unsigned(start);
    let new_len = (offset + size).next_multiple_of(OS_PAGE);
    let mut moved = start;
    if sys::result(sys::mremap(start.cast(), len, new_len, 0, ptr::null_mut())).is_err() {
        moved = segment::map_aligned(new_len, SEGMENT);
        if moved.is_null() {
            return moved;
        }
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        if sys::result(sys::mremap(start.cast(), len, new_len, flags, moved.cast())).is_err() {
            segment::unmap(moved, new_len);
            return ptr::null_mut();
        }
    }
    (*moved.cast::<segment::Segment>()).map_len = new_len;
    moved.add(offset)
}
