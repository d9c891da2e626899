//! Kernel memory that is mapped page by page: thread stacks, and large heap blocks when physical memory is scattered.
//! Below every block is a page that is not mapped, so that a stack that overflows faults instead of reaching another.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::bitmap::Bitmap;
use super::buddy::NONE;
use super::{alloc_frame, free_frame, meta, zero_frame};
use crate::SpinLock;
use crate::layout::{DYNAMIC, PAGE};
use crate::paging::{self, pte};

/// 4 GiB of addresses.
static REGION: SpinLock<Bitmap<16384>> = SpinLock::new(Bitmap::new());

/// `count` new pages at adjacent addresses, contents unspecified, readable and writable. May use the kernel's reserve.
pub fn alloc(count: usize) -> Option<usize> {
    let mut region = REGION.lock();
    let first = region.take(count + 1)?;
    let base = DYNAMIC + (first + 1) * PAGE;
    for index in 0..count {
        let entry = entry(base + index * PAGE, true);
        let Some((entry, frame)) = entry.and_then(|entry| Some((entry, alloc_frame()?))) else {
            for done in 0..index {
                // Never touched by anyone, so no TLB holds it.
                if let Some(entry) = self::entry(base + done * PAGE, false) {
                    free_frame((entry.swap(0, Relaxed) >> 12) as u32);
                }
            }
            region.give(first, count + 1);
            return None;
        };
        let phys = u64::from(frame) * PAGE as u64;
        entry.store(
            phys | pte::PRESENT | pte::WRITE | pte::NO_EXECUTE | pte::GLOBAL | pte::ACCESSED | pte::DIRTY,
            Relaxed,
        );
    }
    Some(base)
}

/// Gives pages of [`alloc`] back.
pub fn free(base: usize, count: usize) {
    free_all(&[base], count);
}

/// Gives several blocks of `count` pages back, with one TLB shootdown for all.
pub fn free_all(blocks: &[usize], count: usize) {
    let mut list = NONE;
    for base in blocks {
        for index in 0..count {
            let Some(entry) = entry(base + index * PAGE, false) else { continue };
            let old = entry.swap(0, Relaxed);
            if old & pte::PRESENT != 0 {
                let frame = ((old & pte::ADDRESS) >> 12) as u32;
                meta(frame).next.store(list, Relaxed);
                list = frame;
            }
        }
    }
    paging::flush_kernel();
    while list != NONE {
        let next = meta(list).next.load(Relaxed);
        free_frame(list);
        list = next;
    }
    let mut region = REGION.lock();
    for base in blocks {
        region.give((base - DYNAMIC) / PAGE - 1, count + 1);
    }
}

/// The entry for a page of the region; with `create`, page tables are made (under the region's lock) and then stay.
fn entry(address: usize, create: bool) -> Option<&'static AtomicU64> {
    let mut table = paging::kernel_root();
    for shift in [39, 30, 21] {
        let entry = &paging::entries(table)[address >> shift & 511];
        let mut value = entry.load(Relaxed);
        if value & pte::PRESENT == 0 {
            if !create {
                return None;
            }
            let frame = alloc_frame()?;
            // SAFETY: the frame is new.
            unsafe { zero_frame(frame) };
            value = (u64::from(frame) * PAGE as u64) | pte::PRESENT | pte::WRITE | pte::ACCESSED;
            entry.store(value, core::sync::atomic::Ordering::Release);
        }
        table = value & pte::ADDRESS;
    }
    Some(&paging::entries(table)[address >> 12 & 511])
}
