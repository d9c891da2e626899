//! The buddy allocator of physical page frames.
//!
//! Pure data structure: frame numbers and one [`FrameMeta`] per frame, no access to the memory itself, so that host
//! tests run it as it is. Free blocks of 2^order frames, aligned to their size, hang in one doubly linked list per
//! order, threaded through the metadata (never through free memory: a stray write there cannot break the allocator).

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Orders 0..=MAX_ORDER: blocks of 4 KiB to 128 MiB.
pub const MAX_ORDER: usize = 15;
/// The end of a list.
pub const NONE: u32 = u32::MAX;
/// In `info` of a free block's first frame, or-ed with the order.
const FREE: u32 = 0x8000_0000;

/// What the allocator knows of one frame. The fields' meaning depends on who owns the frame.
///
/// | owner | `refs` | `next`, `prev` | `info` |
/// |---|---|---|---|
/// | buddy allocator, first frame of a free block | 0 | free list | `FREE` + order |
/// | a [`Frame`](super::Frame) | references | unused | 0 |
/// | page table | 1 | `next`: list of tables to free | entries in use |
/// | heap slab | 1 | list of slabs with free objects | free objects and first of them |
#[derive(Debug)]
#[repr(C)]
pub struct FrameMeta {
    /// References to the frame.
    pub refs: AtomicU32,
    /// Next in a list, or [`NONE`].
    pub next: AtomicU32,
    /// Previous in a list, or [`NONE`].
    pub prev: AtomicU32,
    /// The owner's own word.
    pub info: AtomicU32,
}

impl FrameMeta {
    /// A frame that nobody owns (memory holes, the kernel image, firmware).
    pub const fn new() -> FrameMeta {
        FrameMeta {
            refs: AtomicU32::new(0),
            next: AtomicU32::new(NONE),
            prev: AtomicU32::new(NONE),
            info: AtomicU32::new(0),
        }
    }
}

/// Free blocks of the frames that `meta` describes.
#[derive(Debug)]
pub struct Buddy {
    meta: &'static [FrameMeta],
    heads: [u32; MAX_ORDER + 1],
    /// Bit n: list n is not empty.
    non_empty: u32,
    free: usize,
}

impl Buddy {
    /// An allocator with no memory.
    pub const fn new() -> Buddy {
        Buddy { meta: &[], heads: [NONE; MAX_ORDER + 1], non_empty: 0, free: 0 }
    }

    /// Sets the metadata array. Only while the allocator has no memory.
    pub fn set_meta(&mut self, meta: &'static [FrameMeta]) {
        assert!(self.free == 0);
        self.meta = meta;
    }

    /// Free frames.
    pub fn free_frames(&self) -> usize {
        self.free
    }

    fn push(&mut self, frame: u32, order: usize) {
        let head = self.heads[order];
        let meta = &self.meta[frame as usize];
        meta.next.store(head, Relaxed);
        meta.prev.store(NONE, Relaxed);
        meta.info.store(FREE | order as u32, Relaxed);
        if head != NONE {
            self.meta[head as usize].prev.store(frame, Relaxed);
        }
        self.heads[order] = frame;
        self.non_empty |= 1 << order;
    }

    fn unlink(&mut self, frame: u32, order: usize) {
        let meta = &self.meta[frame as usize];
        let (next, prev) = (meta.next.load(Relaxed), meta.prev.load(Relaxed));
        meta.info.store(0, Relaxed);
        if prev == NONE {
            self.heads[order] = next;
            if next == NONE {
                self.non_empty &= !(1 << order);
            }
        } else {
            self.meta[prev as usize].next.store(next, Relaxed);
        }
        if next != NONE {
            self.meta[next as usize].prev.store(prev, Relaxed);
        }
    }

    /// Gives back the block of 2^order frames at `frame` (aligned to its size) and merges it with its free buddies.
    pub fn free_block(&mut self, mut frame: u32, mut order: usize) {
        debug_assert!(frame & ((1 << order) - 1) == 0);
        self.free += 1 << order;
        while order < MAX_ORDER {
            let buddy = frame ^ (1 << order);
            match self.meta.get(buddy as usize) {
                Some(meta) if meta.info.load(Relaxed) == FREE | order as u32 => self.unlink(buddy, order),
                _ => break,
            }
            frame &= !(1 << order);
            order += 1;
        }
        self.push(frame, order);
    }

    /// Gives back `count` frames from `frame` on, whatever their alignment.
    pub fn free_range(&mut self, mut frame: u32, mut count: usize) {
        while count > 0 {
            let order = (frame.trailing_zeros() as usize).min(count.ilog2() as usize).min(MAX_ORDER);
            self.free_block(frame, order);
            frame += 1 << order;
            count -= 1 << order;
        }
    }

    /// Takes the free block at the head of `from`, splits it and keeps its first 2^order frames.
    fn take(&mut self, frame: u32, from: usize, order: usize) -> u32 {
        self.unlink(frame, from);
        for half in (order..from).rev() {
            self.push(frame + (1 << half), half);
        }
        self.free -= 1 << order;
        frame
    }

    /// A block of 2^order frames, aligned to its size.
    pub fn alloc(&mut self, order: usize) -> Option<u32> {
        let fitting = self.non_empty & !((1u32 << order) - 1);
        if order > MAX_ORDER || fitting == 0 {
            return None;
        }
        let from = fitting.trailing_zeros() as usize;
        Some(self.take(self.heads[from], from, order))
    }

    /// Like [`Buddy::alloc`], wholly below frame number `limit`. Large blocks are searched first: those lists are short.
    pub fn alloc_below(&mut self, order: usize, limit: u32) -> Option<u32> {
        if limit as usize >= self.meta.len() {
            return self.alloc(order);
        }
        for from in (order..=MAX_ORDER).rev() {
            let mut frame = self.heads[from];
            while frame != NONE {
                if frame as u64 + (1u64 << order) <= limit as u64 {
                    return Some(self.take(frame, from, order));
                }
                frame = self.meta[frame as usize].next.load(Relaxed);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buddy(frames: usize) -> Buddy {
        let meta: Vec<FrameMeta> = (0..frames).map(|_| FrameMeta::new()).collect();
        let mut buddy = Buddy::new();
        buddy.set_meta(Vec::leak(meta));
        buddy
    }

    #[test]
    fn blocks_are_aligned_disjoint_and_merge_again() {
        let mut buddy = buddy(5000);
        buddy.free_range(3, 4990);
        let mut seen = vec![false; 5000];
        let mut blocks = Vec::new();
        let mut random = 12345u32;
        loop {
            random = random.wrapping_mul(1664525).wrapping_add(1013904223);
            let order = (random >> 28) as usize % 6;
            let Some(frame) = buddy.alloc(order).map(|f| (f, order)).or_else(|| buddy.alloc(0).map(|f| (f, 0))) else {
                break;
            };
            let (first, order) = frame;
            assert_eq!(first % (1 << order), 0);
            for frame in first..first + (1 << order) {
                assert!((3..4993).contains(&frame));
                assert!(!core::mem::replace(&mut seen[frame as usize], true));
            }
            blocks.push((first, order));
        }
        assert_eq!(buddy.free_frames(), 0);
        assert!(seen[3..4993].iter().all(|&s| s));
        for (first, order) in blocks {
            buddy.free_block(first, order);
        }
        assert_eq!(buddy.free_frames(), 4990);
        assert_eq!(buddy.alloc(11), Some(2048));
    }

    #[test]
    fn limits_are_kept() {
        let mut buddy = buddy(1 << 12);
        buddy.free_range(0, 1 << 12);
        let first = buddy.alloc_below(4, 64).unwrap();
        assert!(first + 16 <= 64);
        let mut count = 1;
        while buddy.alloc_below(4, 64).is_some() {
            count += 1;
        }
        assert_eq!(count, 4);
        assert!(buddy.alloc(11).is_some());
        assert_eq!(buddy.alloc(MAX_ORDER + 1), None);
    }
}
