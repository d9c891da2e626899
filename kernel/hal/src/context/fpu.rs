//! Saving and restoring FPU, SSE and AVX state (Intel SDM volume 1, chapter 13).
//!
//! The kernel itself is compiled without these registers, so in the kernel they are the running user context's. They are
//! exchanged at every switch. The area is at the upper end of the context's stack, aligned to 64.

use core::arch::asm;
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};

use crate::cpu;

/// How state is saved.
static METHOD: AtomicU8 = AtomicU8::new(FXSAVE);
const FXSAVE: u8 = 0;
const XSAVE: u8 = 1;
const XSAVEOPT: u8 = 2;
/// Whether RDFSBASE and its like may be used.
static FSGSBASE: AtomicU8 = AtomicU8::new(0);
static SIZE: AtomicUsize = AtomicUsize::new(512);

/// Control words after reset (SDM volume 1, sections 8.1.5 and 10.2.3): all exceptions masked, round to nearest.
const FCW: u16 = 0x37f;
const MXCSR: u32 = 0x1f80;
const MXCSR_OFFSET: usize = 24;
const XSAVE_HEADER: usize = 512;

/// Chooses by the CPU's features.
pub(crate) fn init() {
    let features = cpu::features();
    let method = match (features.has_xsave, features.has_xsaveopt) {
        (true, true) => XSAVEOPT,
        (true, false) => XSAVE,
        _ => FXSAVE,
    };
    METHOD.store(method, Relaxed);
    FSGSBASE.store(u8::from(features.has_fsgsbase), Relaxed);
    SIZE.store(features.xsave_size.next_multiple_of(64), Relaxed);
}

/// RDFSBASE and its like may be used.
#[inline(always)]
pub(super) fn has_fsgsbase() -> bool {
    FSGSBASE.load(Relaxed) != 0
}

/// XSAVEOPT and RDFSBASE may be used: the CPU is no older than Intel's Ivy Bridge and AMD's Zen.
#[inline(always)]
pub(super) fn is_modern() -> bool {
    METHOD.load(Relaxed) == XSAVEOPT && has_fsgsbase()
}

/// Bytes of an area, a multiple of 64.
#[inline(always)]
pub(super) fn area_size() -> usize {
    SIZE.load(Relaxed)
}

// In all of these, `area` is a user context's `top`, whose claim the caller holds: `area_size()` bytes above it belong to the
// context, aligned to 64.

/// Writes the state after reset.
pub(super) fn reset(area: usize) {
    // SAFETY: see above. An XSAVE header of zeroes means initial state for all parts; MXCSR is loaded in any case. For FXRSTOR
    // the registers are read, so they must be zero. DF is clear (psABI).
    unsafe {
        let (start, words) = if METHOD.load(Relaxed) == FXSAVE { (area, 64) } else { (area + XSAVE_HEADER, 8) };
        asm!("rep stosq", inout("rcx") words => _, inout("rdi") start => _, in("rax") 0, options(nostack, preserves_flags));
        (area as *mut u16).write(FCW);
        ((area + MXCSR_OFFSET) as *mut u32).write(MXCSR);
    }
}

/// Saves the registers into the running context's area, if [`is_modern`].
#[inline(always)]
pub(super) fn save_modern(area: usize) {
    // SAFETY: see above. XSAVEOPT may leave out what has not changed since the last restore from the same area: there it is
    // still the same.
    unsafe {
        asm!("xsaveopt64 [{}]", in(reg) area, in("eax") u32::MAX, in("edx") u32::MAX, options(nostack, preserves_flags))
    };
}

/// Loads the registers from an area, if [`is_modern`].
#[inline(always)]
pub(super) fn restore_modern(area: usize) {
    // SAFETY: see above; what the area holds was written by a save or by `reset` and so is valid.
    unsafe {
        asm!("xrstor64 [{}]", in(reg) area, in("eax") u32::MAX, in("edx") u32::MAX, options(nostack, preserves_flags))
    };
}

/// Saves the registers into the running context's area.
pub(super) fn save(area: usize) {
    // SAFETY: see above.
    unsafe {
        match METHOD.load(Relaxed) {
            XSAVEOPT => save_modern(area),
            XSAVE => {
                asm!("xsave64 [{}]", in(reg) area, in("eax") u32::MAX, in("edx") u32::MAX, options(nostack, preserves_flags))
            }
            _ => asm!("fxsave64 [{}]", in(reg) area, options(nostack, preserves_flags)),
        }
    }
}

/// Loads the registers from an area.
pub(super) fn restore(area: usize) {
    match METHOD.load(Relaxed) {
        // SAFETY: as for `restore_modern`.
        FXSAVE => unsafe { asm!("fxrstor64 [{}]", in(reg) area, options(nostack, preserves_flags)) },
        _ => restore_modern(area),
    }
}

/// Saves the registers into another context's new area.
pub(super) fn copy_registers(area: usize) {
    reset(area);
    // SAFETY: see above; plain XSAVE, since XSAVEOPT's memory is about the running context's own area. It writes XSTATE_BV
    // and leaves the rest of the header, which `reset` has zeroed.
    unsafe {
        match METHOD.load(Relaxed) {
            FXSAVE => asm!("fxsave64 [{}]", in(reg) area, options(nostack, preserves_flags)),
            _ => {
                asm!("xsave64 [{}]", in(reg) area, in("eax") u32::MAX, in("edx") u32::MAX, options(nostack, preserves_flags))
            }
        }
    }
}
