//! References to physical pages.

use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::{alloc_frame, frame_ptr, free_frame, has_room, meta, zero_frame};
use crate::layout::PAGE;

/// References beyond this many are not counted any more, and the frame is never freed: a count can never wrap to zero.
const SATURATED: u32 = 1 << 31;

/// A reference to one 4 KiB physical page. Clone adds a reference, Drop gives one up, the last frees the page.
///
/// The contents may change at any time if the page is mapped in a user program or given to a device. So there is never a
/// Rust reference to them but to atomics; all other access is by volatile-like copies.
#[derive(Debug)]
pub struct Frame(NonZeroU32);

impl Frame {
    /// A page of zeroes for a user program. None once free memory is down to the kernel's reserve.
    #[inline]
    pub fn alloc_zeroed() -> Option<Frame> {
        let frame = Self::alloc()?;
        // SAFETY: the frame is new, nobody else knows it.
        unsafe { zero_frame(frame.number()) };
        Some(frame)
    }

    /// Like [`Frame::alloc_zeroed`], but the contents are unspecified: perhaps another program's data. The caller
    /// overwrites all of it before anyone sees it. Debug builds zero it.
    #[inline]
    pub fn alloc_for_overwrite() -> Option<Frame> {
        if cfg!(debug_assertions) { Self::alloc_zeroed() } else { Self::alloc() }
    }

    /// A page of zeroes from the upper half of the kernel's reserve, if need be: for pages that others wait for and that can be taken
    /// back, and for those who supply them.
    pub fn alloc_urgent() -> Option<Frame> {
        if !super::has_urgent_room() {
            return None;
        }
        let frame = alloc_frame()?;
        meta(frame).refs.store(1, Ordering::Relaxed);
        // SAFETY: the frame is new, nobody else knows it.
        unsafe { zero_frame(frame) };
        Some(Self::numbered(frame))
    }

    #[inline]
    fn alloc() -> Option<Frame> {
        if !has_room() {
            return None;
        }
        let frame = alloc_frame()?;
        meta(frame).refs.store(1, Ordering::Relaxed);
        Some(Self::numbered(frame))
    }

    /// Frame 0 holds firmware's data and is never handed out (`boot` reserves the first MiB).
    #[inline(always)]
    fn numbered(frame: u32) -> Frame {
        debug_assert!(frame != 0);
        // SAFETY: the first MiB is reserved, so neither the allocator nor a page table nor a module has frame 0.
        Frame(unsafe { NonZeroU32::new_unchecked(frame) })
    }

    #[inline(always)]
    fn number(&self) -> u32 {
        self.0.get()
    }

    /// `count` physically adjacent pages of zeroes, in order, wholly below physical address `below`: memory for DMA.
    pub fn alloc_contiguous(count: usize, below: u64) -> Option<Vec<Frame>> {
        if !has_room() || count > super::FREE.load(Ordering::Relaxed).saturating_sub(super::reserve_frames()) {
            return None;
        }
        let first = super::alloc_adjacent(count, below)?;
        let frames = (first..first + count as u32).map(|frame| {
            // SAFETY: the frame is new, nobody else knows it.
            unsafe { zero_frame(frame) };
            meta(frame).refs.store(1, Ordering::Relaxed);
            Self::numbered(frame)
        });
        Some(frames.collect())
    }

    /// The pages of a boot module. The last page's rest after the module is whatever the loader left. Empty if there is no
    /// such module.
    pub fn boot_module(index: usize) -> Vec<Frame> {
        let Some(module) = super::boot_info().modules.get(index) else { return Vec::new() };
        let frames = module.start / PAGE as u64..(module.start + module.len).div_ceil(PAGE as u64);
        // Module frames keep hal's own reference for ever, see `mem::init`. A loader puts modules in RAM; were it not so,
        // nothing is handed out.
        let frames = frames.filter(|&frame| frame != 0 && frame < super::FRAMES.load(Ordering::Relaxed) as u64);
        frames.map(|frame| Self::from_entry(frame as u32)).collect()
    }

    /// A new reference to a frame that has one already.
    ///
    /// Private to hal: `frame` is referenced by a page-table entry under its lock, or is a module's.
    #[inline(always)]
    pub(crate) fn from_entry(frame: u32) -> Frame {
        let before = meta(frame).refs.fetch_add(1, Ordering::Relaxed);
        if before >= SATURATED {
            saturate(frame);
        }
        Self::numbered(frame)
    }

    /// Turns the reference into a plain number, for a page-table entry to own.
    #[inline(always)]
    pub(crate) fn into_raw(self) -> u32 {
        let frame = self.number();
        core::mem::forget(self);
        frame
    }

    /// The reverse of [`Frame::into_raw`], once for each.
    ///
    /// # Safety
    /// The caller owns the reference that `into_raw` gave.
    #[inline(always)]
    pub(crate) unsafe fn from_raw(frame: u32) -> Frame {
        Self::numbered(frame)
    }

    /// This is the only reference.
    #[inline]
    pub fn is_unique(&self) -> bool {
        self.references() == 1
    }

    /// How many references there are, this one too.
    #[inline]
    pub(crate) fn references(&self) -> u32 {
        meta(self.number()).refs.load(Ordering::Acquire)
    }

    /// The page's physical address.
    #[inline]
    pub fn phys(&self) -> u64 {
        u64::from(self.number()) * PAGE as u64
    }

    /// Both refer to the same page.
    #[inline]
    pub fn same(&self, other: &Frame) -> bool {
        self.0 == other.0
    }

    /// The address of `len` bytes at `offset`, which must be inside the page.
    #[inline(always)]
    pub(crate) fn bytes(&self, offset: usize, len: usize) -> *mut u8 {
        assert!(offset <= PAGE && len <= PAGE - offset, "access beyond a frame");
        frame_ptr(self.number()).wrapping_add(offset)
    }

    /// Copies out of the page. Panics if the range leaves it.
    #[inline]
    pub fn read(&self, offset: usize, dst: &mut [u8]) {
        // SAFETY: both ranges are valid for their length.
        unsafe { copy(dst.as_mut_ptr(), self.bytes(offset, dst.len()), dst.len()) }
    }

    /// Copies into the page. Panics if the range leaves it.
    #[inline]
    pub fn write(&self, offset: usize, src: &[u8]) {
        // SAFETY: both ranges are valid for their length.
        unsafe { copy(self.bytes(offset, src.len()), src.as_ptr(), src.len()) }
    }

    /// Writes zeroes. Panics if the range leaves the page.
    pub fn fill_zero(&self, offset: usize, len: usize) {
        let at = self.bytes(offset, len);
        // SAFETY: the range is inside the page; DF is clear (psABI).
        unsafe {
            core::arch::asm!("rep stosq", "mov ecx, edx", "rep stosb", inout("rcx") len / 8 => _, inout("rdi") at => _,
                in("rdx") len % 8, in("rax") 0, options(nostack));
        }
    }

    /// Copies from another page (or this one; overlapping ranges are copied upwards). Panics if a range leaves its page.
    pub fn copy_from(&self, offset: usize, src: &Frame, src_offset: usize, len: usize) {
        // SAFETY: both ranges are inside their pages.
        unsafe { copy(self.bytes(offset, len), src.bytes(src_offset, len), len) }
    }

    /// A word of the page as an atomic. Panics if `offset` is not aligned or not in the page.
    #[inline]
    pub fn atomic_u32(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4));
        // SAFETY: aligned, in the page, which stays allocated as long as this reference.
        unsafe { AtomicU32::from_ptr(self.bytes(offset, 4).cast()) }
    }

    /// A double word of the page as an atomic. Panics if `offset` is not aligned or not in the page.
    #[inline]
    pub fn atomic_u64(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8));
        // SAFETY: as in `atomic_u32`.
        unsafe { AtomicU64::from_ptr(self.bytes(offset, 8).cast()) }
    }

    /// Reads a value. Panics if it leaves the page.
    #[inline]
    pub fn read_as<T: zerocopy::FromBytes>(&self, offset: usize) -> T {
        let mut value = core::mem::MaybeUninit::<T>::uninit();
        // SAFETY: both ranges are valid for T's size; any bytes are a T (FromBytes).
        unsafe {
            copy(value.as_mut_ptr().cast(), self.bytes(offset, size_of::<T>()), size_of::<T>());
            value.assume_init()
        }
    }

    /// Writes a value. Panics if it leaves the page.
    #[inline]
    pub fn write_as<T: zerocopy::IntoBytes + zerocopy::Immutable>(&self, offset: usize, v: &T) {
        self.write(offset, v.as_bytes());
    }
}

impl Clone for Frame {
    #[inline(always)]
    fn clone(&self) -> Frame {
        Self::from_entry(self.number())
    }
}

impl Drop for Frame {
    #[inline(always)]
    fn drop(&mut self) {
        // Release: what this owner did with the page comes before its next life; Acquire for the one who frees it.
        let before = meta(self.number()).refs.fetch_sub(1, Ordering::AcqRel);
        if before == 1 {
            free_frame(self.number());
        } else if before >= SATURATED {
            saturate(self.number());
        }
    }
}

/// Puts a count that has left its range back to the middle of the saturated one.
#[cold]
fn saturate(frame: u32) {
    meta(frame).refs.store(SATURATED + (SATURATED >> 1), Ordering::Relaxed);
}

/// Copies bytes upwards, in assembly: the memory may change under it, which for Rust's own copies would be a data race.
///
/// # Safety
/// Both ranges are mapped, `dst` writable, and no Rust reference excludes the access.
#[inline(always)]
pub(crate) unsafe fn copy(dst: *mut u8, src: *const u8, len: usize) {
    // SAFETY: as the caller promises; DF is clear (psABI).
    unsafe {
        core::arch::asm!("rep movsq", "mov ecx, edx", "rep movsb", inout("rcx") len / 8 => _, inout("rdi") dst => _,
            inout("rsi") src => _, in("rdx") len % 8, options(nostack));
    }
}
