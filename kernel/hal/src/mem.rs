//! Physical memory: page frames, and the kernel's heap on top of them.
//!
//! Every frame below the end of RAM has a [`FrameMeta`](buddy::FrameMeta). Free frames belong to the buddy allocator or
//! to one CPU's cache of single frames; all others have one owner kind: references ([`Frame`]), a page table, or the heap.
//!
//! Allocations that a user program can cause end at a reserve ([`has_room`]); only the kernel heap goes below it, so that a
//! syscall that checked for room can finish.

pub(crate) mod buddy;
mod classes;
pub(crate) use classes::COUNT as CLASSES;
pub(crate) mod bitmap;
mod frame;
mod heap;
pub(crate) mod kvirt;

use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

pub use frame::Frame;

use self::buddy::{Buddy, FrameMeta};
use crate::cpu::{self, FRAME_CACHE};
use crate::layout::{PAGE, phys_to_virt};
use crate::{BootInfo, MemoryKind, Once, PhysRange, SpinLock};

static BUDDY: SpinLock<Buddy> = SpinLock::new(Buddy::new());
static INFO: Once<&'static BootInfo> = Once::new();
/// The frame table, which `init` makes and nobody frees; [`FRAMES`] entries.
static META: AtomicPtr<FrameMeta> = AtomicPtr::new(core::ptr::null_mut());
static FRAMES: AtomicUsize = AtomicUsize::new(0);
/// Frames in the buddy allocator, readable without its lock.
static FREE: AtomicUsize = AtomicUsize::new(0);
static RESERVE: AtomicUsize = AtomicUsize::new(0);
/// [`is_low`] below so many free frames.
static LOW: AtomicUsize = AtomicUsize::new(0);
/// The least that FREE has been.
static LEAST_FREE: AtomicUsize = AtomicUsize::new(usize::MAX);
static TOTAL: AtomicUsize = AtomicUsize::new(0);

/// How much memory there is.
#[derive(Clone, Copy, Debug)]
pub struct MemStats {
    /// Frames that the allocator was given at boot.
    pub total_frames: usize,
    /// Frames that are free.
    pub free_frames: usize,
    /// Bytes of memory in the kernel heap, the free parts of its slabs included.
    pub kernel_heap_bytes: usize,
}

/// Counts memory now. Exact if nothing is allocated or freed meanwhile.
pub fn stats() -> MemStats {
    let cached: usize = cpu::all().map(|cpu| cpu.frames.count.load(Relaxed)).sum();
    MemStats {
        total_frames: TOTAL.load(Relaxed),
        free_frames: FREE.load(Relaxed) + cached,
        kernel_heap_bytes: heap::bytes(),
    }
}

/// Free frames exceed the kernel's reserve: syscalls that create kernel objects ask this first and answer ENOMEM.
#[inline]
pub fn has_room() -> bool {
    FREE.load(Relaxed) > RESERVE.load(Relaxed)
}

/// Half of the reserve is left: see [`Frame::alloc_urgent`].
#[inline]
pub(crate) fn has_urgent_room() -> bool {
    FREE.load(Relaxed) > RESERVE.load(Relaxed) / 2
}

/// Less than a thirty-second of memory is free beside the reserve: time to take back what can be.
#[inline]
pub fn is_low() -> bool {
    FREE.load(Relaxed) < LOW.load(Relaxed)
}

/// Hardly anything is left beside the reserve: less than so many frames.
#[inline]
pub fn is_short(frames: usize) -> bool {
    FREE.load(Relaxed) <= RESERVE.load(Relaxed) + frames
}

/// Frames that the allocator was given at boot.
#[inline]
pub fn total_frames() -> usize {
    TOTAL.load(Relaxed)
}

/// The greatest number of frames that were not free, since boot (frames in a CPU's cache count as used).
pub fn peak_used_frames() -> usize {
    TOTAL.load(Relaxed).saturating_sub(LEAST_FREE.load(Relaxed))
}

/// The buddy allocator has so many frames now; under its lock.
fn note_free(frames: usize) {
    FREE.store(frames, Relaxed);
    if frames < LEAST_FREE.load(Relaxed) {
        LEAST_FREE.store(frames, Relaxed);
    }
}

/// Frames that are kept for the kernel: 1/64 of RAM, at least 1024.
pub fn reserve_frames() -> usize {
    RESERVE.load(Relaxed)
}

/// Hands every usable frame that is not in `reserved` and not in a boot module to the allocator. Once, on the bootstrap
/// CPU, with the direct map of all memory in place.
pub(crate) fn init(info: &'static BootInfo, reserved: &[PhysRange]) {
    let usable = || info.memory.iter().filter(|region| region.kind == MemoryKind::Usable).map(|region| region.range);
    let end = usable().map(|range| range.start + range.len).max().unwrap_or(0).min(1 << 44);
    let frames = (end / PAGE as u64) as usize;
    let bytes = (frames * size_of::<FrameMeta>()).next_multiple_of(PAGE) as u64;
    let taken = |extra: PhysRange| reserved.iter().chain(info.modules).copied().chain([extra]);

    let nothing = PhysRange { start: 0, len: 0 };
    let place = usable()
        .find_map(|range| gaps(range, || taken(nothing)).find(|&(start, end)| end - start >= bytes))
        .expect("memory for the frame table");
    let base = phys_to_virt(place.0) as *mut FrameMeta;
    for index in 0..frames {
        // SAFETY: `place` is unused RAM, large enough, mapped by the direct map, and from here on never handed out.
        unsafe { base.add(index).write(FrameMeta::new()) };
    }
    // SAFETY: just initialised, shared from here on, never freed.
    let meta: &'static [FrameMeta] = unsafe { core::slice::from_raw_parts(base, frames) };

    let mut buddy = BUDDY.lock();
    buddy.set_meta(meta);
    for range in usable() {
        for (start, end) in gaps(range, || taken(PhysRange { start: place.0, len: bytes })) {
            buddy.free_range((start / PAGE as u64) as u32, ((end - start) / PAGE as u64) as usize);
        }
    }
    for module in info.modules {
        let first = (module.start / PAGE as u64) as usize;
        let last = (module.start + module.len).div_ceil(PAGE as u64) as usize;
        for frame in meta.get(first..last).unwrap_or(&[]) {
            // hal's own reference: module frames are never freed.
            frame.refs.store(1, Relaxed);
        }
    }
    let free = buddy.free_frames();
    FREE.store(free, Relaxed);
    TOTAL.store(free, Relaxed);
    LEAST_FREE.store(free, Relaxed);
    RESERVE.store((free / 64).max(1024), Relaxed);
    LOW.store((free / 64).max(1024) + free / 32, Relaxed);
    META.store(base, Relaxed);
    FRAMES.store(frames, Relaxed);
    if INFO.set(info).is_err() {
        panic!("mem::init runs once");
    }
}

/// The parts of `range` in whole pages that no range of `taken` touches, as (start, end) addresses.
fn gaps<I: Iterator<Item = PhysRange>>(range: PhysRange, taken: impl Fn() -> I) -> impl Iterator<Item = (u64, u64)> {
    let page = PAGE as u64;
    let (mut at, end) = (range.start.next_multiple_of(page), (range.start + range.len) / page * page);
    core::iter::from_fn(move || {
        loop {
            // Everything that covers `at` pushes it on.
            while let Some(over) = taken().find(|t| t.start <= at && at < t.start + t.len) {
                at = (over.start + over.len).next_multiple_of(page);
            }
            if at >= end {
                return None;
            }
            let next = taken()
                .filter(|t| t.len > 0 && t.start > at)
                .map(|t| t.start / page * page)
                .min()
                .unwrap_or(end)
                .min(end);
            let start = at;
            at = next.max(start + page);
            if next > start {
                return Some((start, next));
            }
        }
    })
}

/// The boot information that `init` was given.
fn boot_info() -> &'static BootInfo {
    INFO.get().copied().expect("mem::init has run")
}

/// A frame's metadata.
///
/// `frame` comes from the allocator, a page-table entry or a boot module, so `init` has run and it is in the table.
#[inline(always)]
pub(crate) fn meta(frame: u32) -> &'static FrameMeta {
    debug_assert!((frame as usize) < FRAMES.load(Relaxed));
    // SAFETY: private to hal, whose callers pass such frames only; entries are atomics, shared and never freed.
    unsafe { &*META.load(Relaxed).add(frame as usize) }
}

/// Some byte of `phys..phys + len` is RAM that hal manages (or the kernel image, which lies in usable RAM).
pub(crate) fn is_managed_ram(phys: u64, len: u64) -> bool {
    let end = phys.saturating_add(len);
    boot_info().memory.iter().any(|region| {
        region.kind == MemoryKind::Usable && phys < region.range.start + region.range.len && region.range.start < end
    })
}

/// Some byte of `phys..phys + len` is memory whose contents hal reads and trusts to stay (ACPI's tables).
pub(crate) fn is_firmware_data(phys: u64, len: u64) -> bool {
    let end = phys.saturating_add(len);
    boot_info().memory.iter().any(|region| {
        region.kind == MemoryKind::AcpiReclaimable
            && phys < region.range.start + region.range.len
            && region.range.start < end
    })
}

/// A single frame from this CPU's cache, contents unspecified, metadata as after `FrameMeta::new()` but `next`, `prev`.
#[inline]
pub(crate) fn alloc_frame() -> Option<u32> {
    let cache = &cpu::this().frames;
    let count = cache.count.load(Relaxed);
    if count == 0 {
        return refill();
    }
    cache.count.store(count - 1, Relaxed);
    Some(cache.slots[count - 1].get())
}

/// Gives a single frame back.
#[inline(never)]
pub(crate) fn free_frame(frame: u32) {
    let cache = &cpu::this().frames;
    let mut count = cache.count.load(Relaxed);
    if count == FRAME_CACHE {
        drain();
        count = cache.count.load(Relaxed);
    }
    cache.slots[count].set(frame);
    cache.count.store(count + 1, Relaxed);
}

/// Moves half a cache of frames from the buddy allocator to this CPU's empty cache and returns one more.
#[cold]
#[inline(never)]
fn refill() -> Option<u32> {
    const BATCH: usize = FRAME_CACHE / 2;
    const ORDER: usize = BATCH.ilog2() as usize;
    let cache = &cpu::this().frames;
    let mut buddy = BUDDY.lock();
    let mut count = 0;
    if let Some(first) = buddy.alloc(ORDER) {
        for frame in (first..first + BATCH as u32).rev() {
            cache.slots[count].set(frame);
            count += 1;
        }
    } else {
        while count < BATCH
            && let Some(frame) = buddy.alloc(0)
        {
            cache.slots[count].set(frame);
            count += 1;
        }
    }
    note_free(buddy.free_frames());
    drop(buddy);
    let left = count.checked_sub(1)?;
    cache.count.store(left, Relaxed);
    Some(cache.slots[left].get())
}

/// Moves half of this CPU's full cache back to the buddy allocator.
#[cold]
#[inline(never)]
fn drain() {
    let cache = &cpu::this().frames;
    let mut buddy = BUDDY.lock();
    for slot in &cache.slots[FRAME_CACHE / 2..] {
        buddy.free_block(slot.get(), 0);
    }
    note_free(buddy.free_frames());
    cache.count.store(FRAME_CACHE / 2, Relaxed);
}

/// `count` adjacent frames, wholly below physical address `below`; contents unspecified.
pub(crate) fn alloc_adjacent(count: usize, below: u64) -> Option<u32> {
    if count == 0 || count > 1 << buddy::MAX_ORDER {
        return None;
    }
    let order = count.next_power_of_two().ilog2() as usize;
    let limit = (below / PAGE as u64).min(u32::MAX as u64) as u32;
    let mut buddy = BUDDY.lock();
    let first = buddy.alloc_below(order, limit)?;
    buddy.free_range(first + count as u32, (1 << order) - count);
    note_free(buddy.free_frames());
    Some(first)
}

/// Gives adjacent frames back.
pub(crate) fn free_adjacent(first: u32, count: usize) {
    let mut buddy = BUDDY.lock();
    buddy.free_range(first, count);
    note_free(buddy.free_frames());
}

/// The frame's first byte in the direct map.
#[inline(always)]
pub(crate) fn frame_ptr(frame: u32) -> *mut u8 {
    phys_to_virt(u64::from(frame) * PAGE as u64) as *mut u8
}

/// Zeroes a frame.
///
/// # Safety
/// Nobody has a Rust reference to its contents, or expects them to stay.
#[inline(always)]
pub(crate) unsafe fn zero_frame(frame: u32) {
    // SAFETY: the direct map maps the frame, and the caller gives up its contents. DF is clear (psABI).
    unsafe {
        core::arch::asm!("rep stosq", inout("rcx") PAGE / 8 => _, inout("rdi") frame_ptr(frame) => _, in("rax") 0,
            options(nostack, preserves_flags));
    }
}
