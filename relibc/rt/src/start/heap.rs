//! The heap: the crate `talc` over mmap. What was mapped once stays with the heap, and its pages are there from the start: a server that
//! the system cannot do without must not fail on a page fault when others have used the memory up.

use super::lock::RawFutex;
use crate::syscall;
use core::alloc::Layout;
use core::ptr::with_exposed_provenance_mut;
use ochre_abi::layout::PAGE_SIZE;
use ochre_abi::memory::{MAP_ANONYMOUS, MAP_POPULATE, MAP_PRIVATE, PROT_READ, PROT_WRITE};
use talc::TalcLock;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::source::Source;

/// Bytes mapped at a time, at least.
const STEP: usize = 1 << 20;

/// A global allocator for a program without a C library.
pub type Heap = TalcLock<RawFutex, Pages>;

/// An empty heap.
pub const fn heap() -> Heap {
    TalcLock::new(Pages)
}

/// Where the heap gets its memory.
#[derive(Debug)]
pub struct Pages;

// SAFETY: acquire uses nothing but a system call.
unsafe impl Source for Pages {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        // Room for the block at any alignment, and for talc's own bookkeeping.
        let wanted =
            layout.size().checked_add(layout.align()).and_then(|size| size.checked_add(PAGE_SIZE * 2)).ok_or(())?;
        let size = wanted.max(STEP).checked_next_multiple_of(PAGE_SIZE).ok_or(())?;
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
        // SAFETY: a new mapping at an address that the kernel chooses.
        let address = unsafe { syscall::mmap(0, size, PROT_READ | PROT_WRITE, flags, -1, 0) }.map_err(drop)?;
        // SAFETY: the mapping is fresh, and from now on the heap's alone.
        unsafe { talc.claim(with_exposed_provenance_mut(address), size) }.map(drop).ok_or(())
    }
}
