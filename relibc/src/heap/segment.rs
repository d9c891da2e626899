//! Segments of 4 MiB and their pages of 64 KiB.

use crate::lock::Lock;
use crate::sys;
use core::ffi::c_void;
use core::ptr;

/// Bytes of a segment, and its alignment.
pub const SEGMENT: usize = 4 << 20;
/// Bytes of a page of a segment.
pub const PAGE: usize = 64 << 10;
const PAGES: usize = SEGMENT / PAGE;
/// Largest run, bytes.
pub const RUN_MAX: usize = 1 << 20;

/// What a page is used for; values below [`PAGE_RUN`] are the size class.
type Use = u8;
const PAGE_RUN: Use = 0xfe;
const PAGE_HUGE: Use = 0xff;

/// A page of small blocks, as its class's list sees it.
pub struct Page {
    /// Freed blocks.
    pub free: *mut super::cache::Free,
    /// Blocks in use or in threads' lists.
    pub used: u32,
    /// Bytes from the page's start that have been handed out at least once.
    pub fresh: u32,
    /// Neighbours among the class's pages that have blocks to give.
    pub next: *mut Page,
    /// See `next`.
    pub prev: *mut Page,
    /// Whether the page is in that list.
    pub listed: bool,
}

/// The head of a segment or of a huge block's mapping.
#[repr(C)]
pub struct Segment {
    uses: [Use; PAGES],
    run_pages: [u8; PAGES],
    pages: [Page; PAGES],
    /// One bit per page in use; bit 0, the header, is always set.
    occupied: u64,
    next: *mut Segment,
    prev: *mut Segment,
    /// For a huge block: bytes of the mapping.
    pub map_len: usize,
}

const _: () = assert!(size_of::<Segment>() <= 4096);

/// The segments that have pages to give.
pub struct List {
    first: *mut Segment,
    /// An empty segment kept so that a page needed soon does not map one anew.
    spare: *mut Segment,
}

/// All segments of small pages and runs.
pub static LIST: Lock<List> = Lock::new(List { first: ptr::null_mut(), spare: ptr::null_mut() });

/// Which part of the allocator a block belongs to.
pub enum Kind {
    /// A small block of this class.
    Small(usize),
    /// A run of pages.
    Run,
    /// A mapping of its own.
    Huge,
}

fn segment_of(block: *mut u8) -> *mut Segment {
    block.map_addr(|address| address & !(SEGMENT - 1)).cast()
}

fn page_index(block: *mut u8) -> usize {
    (block.addr() / PAGE) % PAGES
}

/// The kind of a live block.
///
/// # Safety
/// `block` is a live block.
#[inline]
pub unsafe fn kind_of(block: *mut u8) -> Kind {
    if block.addr().is_multiple_of(SEGMENT) {
        // Only blocks aligned to a segment and more start there.
        return Kind::Huge;
    }
    match (*segment_of(block)).uses[page_index(block)] {
        PAGE_HUGE => Kind::Huge,
        PAGE_RUN => Kind::Run,
        class => Kind::Small(class as usize),
    }
}

/// The page that a small block stands in.
///
/// # Safety
/// `block` is a live small block.
pub unsafe fn page_of(block: *mut u8) -> *mut Page {
    &raw mut (*segment_of(block)).pages[page_index(block)]
}

/// Where a page's memory starts.
///
/// # Safety
/// `page` is a page of a segment.
pub unsafe fn page_start(page: *mut Page) -> *mut u8 {
    let segment = segment_of(page.cast());
    let index = page.offset_from_unsigned(&raw mut (*segment).pages[0]);
    segment.cast::<u8>().add(index * PAGE)
}

/// Maps `len` bytes so that the address is a multiple of `alignment`. Null when exhausted.
pub fn map_aligned(len: usize, alignment: usize) -> *mut u8 {
    let Some(reserve) = len.checked_add(alignment) else {
        return ptr::null_mut();
    };
    // SAFETY: a fresh anonymous mapping; what is unmapped is its own head and tail.
    unsafe {
        let raw = sys::mmap(
            ptr::null_mut(),
            reserve,
            libc::PROT_READ | libc::PROT_WRITE,
            // Without MAP_NORESERVE: when memory is short, malloc is to fail, and not the first touch.
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        let Ok(start) = sys::result(raw) else {
            return ptr::null_mut();
        };
        let aligned = start.next_multiple_of(alignment);
        let head = aligned - start;
        let tail = reserve - head - len;
        if head > 0 {
            sys::munmap(start as *mut c_void, head);
        }
        if tail > 0 {
            sys::munmap((aligned + len) as *mut c_void, tail);
        }
        aligned as *mut u8
    }
}

/// Gives memory back to the system.
///
/// # Safety
/// Nothing in the range is used any more.
pub unsafe fn unmap(start: *mut u8, len: usize) {
    sys::munmap(start.cast(), len);
}

impl List {
    fn push(&mut self, segment: *mut Segment) {
        // SAFETY: segments in the list are mapped, and the lock is held.
        unsafe {
            (*segment).prev = ptr::null_mut();
            (*segment).next = self.first;
            if !self.first.is_null() {
                (*self.first).prev = segment;
            }
        }
        self.first = segment;
    }

    fn remove(&mut self, segment: *mut Segment) {
        // SAFETY: as in `push`.
        unsafe {
            let (next, prev) = ((*segment).next, (*segment).prev);
            if prev.is_null() {
                self.first = next;
            } else {
                (*prev).next = next;
            }
            if !next.is_null() {
                (*next).prev = prev;
            }
        }
    }

    /// Finds `count` consecutive free pages and marks them. Null when memory is exhausted.
    fn pages(&mut self, count: usize, mark: Use) -> *mut u8 {
        let mut segment = self.first;
        // SAFETY: segments in the list are mapped, and the lock is held.
        unsafe {
            while !segment.is_null() {
                if let Some(index) = find(!(*segment).occupied, count) {
                    return self.claim(segment, index, count, mark);
                }
                segment = (*segment).next;
            }
            let segment = if self.spare.is_null() {
                let fresh = map_aligned(SEGMENT, SEGMENT).cast::<Segment>();
                if fresh.is_null() {
                    return ptr::null_mut();
                }
                // The header is zero, which is valid; only the header page is taken.
                (*fresh).occupied = 1;
                fresh
            } else {
                core::mem::replace(&mut self.spare, ptr::null_mut())
            };
            self.push(segment);
            self.claim(segment, 1, count, mark)
        }
    }

    unsafe fn claim(&mut self, segment: *mut Segment, index: usize, count: usize, mark: Use) -> *mut u8 {
        (*segment).occupied |= bits(count) << index;
        (*segment).uses[index] = mark;
        (*segment).run_pages[index] = count as u8;
        if (*segment).occupied == u64::MAX {
            self.remove(segment);
        }
        segment.cast::<u8>().add(index * PAGE)
    }

    /// Frees the pages that start at `start`. Their memory goes back to the system.
    unsafe fn free(&mut self, start: *mut u8) {
        let segment = segment_of(start);
        let index = page_index(start);
        let count = (*segment).run_pages[index] as usize;
        if (*segment).occupied == u64::MAX {
            self.push(segment);
        }
        (*segment).occupied &= !(bits(count) << index);
        if (*segment).occupied == 1 {
            self.remove(segment);
            if self.spare.is_null() {
                self.spare = segment;
            } else {
                unmap(segment.cast(), SEGMENT);
                return;
            }
        }
        sys::madvise(start.cast(), count * PAGE, libc::MADV_DONTNEED);
    }
}

const fn bits(count: usize) -> u64 {
    if count == 64 { u64::MAX } else { (1 << count) - 1 }
}

/// The first of `count` consecutive set bits.
fn find(free: u64, count: usize) -> Option<usize> {
    let mut starts = free;
    let mut have = 1;
    while have < count && starts != 0 {
        let step = have.min(count - have);
        starts &= starts >> step;
        have += step;
    }
    (starts != 0).then(|| starts.trailing_zeros() as usize)
}

/// A page for small blocks of `class`. Null when memory is exhausted.
pub fn allocate_page(class: usize) -> *mut Page {
    let start = LIST.lock().pages(1, class as Use);
    if start.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the page was just claimed, so its description is ours.
    unsafe {
        let page = page_of(start);
        page.write(Page {
            free: ptr::null_mut(),
            used: 0,
            fresh: 0,
            next: ptr::null_mut(),
            prev: ptr::null_mut(),
            listed: false,
        });
        page
    }
}

/// Frees a page of small blocks.
///
/// # Safety
/// No block of it is used or listed.
pub unsafe fn release_page(page: *mut Page) {
    let start = page_start(page);
    LIST.lock().free(start);
}

/// A run of pages that holds `size` bytes. Null when memory is exhausted.
pub fn allocate_run(size: usize) -> *mut u8 {
    LIST.lock().pages(size.div_ceil(PAGE), PAGE_RUN)
}

/// Frees a run.
///
/// # Safety
/// `block` is a live run.
pub unsafe fn release_run(block: *mut u8) {
    LIST.lock().free(block);
}

/// Bytes of a run.
///
/// # Safety
/// `block` is a live run.
pub unsafe fn run_size(block: *mut u8) -> usize {
    (*segment_of(block)).run_pages[page_index(block)] as usize * PAGE
}

/// Marks a fresh mapping as a huge block's.
///
/// # Safety
/// `segment` is mapped, writable and aligned.
pub unsafe fn init_huge(segment: *mut Segment, map_len: usize) {
    (*segment).uses = [PAGE_HUGE; PAGES];
    (*segment).map_len = map_len;
}

/// The header of a huge block that does not start at a segment's start.
pub fn huge_header(block: *mut u8) -> *mut Segment {
    segment_of(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn find_sees_every_fit() {
        assert_eq!(find(0b1110_1100, 3), Some(5));
        assert_eq!(find(0b1110_1100, 2), Some(2));
        assert_eq!(find(0b0110_1100, 4), None);
        assert_eq!(find(!1, 63), Some(1));
        assert_eq!(find(0, 1), None);
    }
}
