//! Fixed addresses of every user address space.

/// Bytes of a page.
pub const PAGE_SIZE: usize = 4096;
/// The first address that a process can map (a null pointer with an offset must fault).
pub const USER_START: usize = 0x1_0000;
/// One past the last address that a process can map.
pub const USER_END: usize = 0x0000_7fff_ffff_0000;
/// The kernel's read-only [`TimePage`], mapped in every address space.
pub const TIME_PAGE: usize = USER_END;
/// The process's shared page, [`crate::signal::ProcessPage`], mapped in every address space.
pub const PROCESS_PAGE: usize = USER_END + 0x1000;

/// The clocks without a syscall. Written by the kernel under a sequence counter: read `sequence` (even), the rest, then
/// `sequence` again, and start over if it changed.
///
/// monotonic ns = ((rdtsc − tsc_base) as u128 × mult) >> shift; realtime ns = monotonic + realtime_offset.
#[repr(C)]
#[derive(Debug, Default)]
pub struct TimePage {
    pub sequence: core::sync::atomic::AtomicU64,
    pub tsc_base: core::sync::atomic::AtomicU64,
    pub mult: core::sync::atomic::AtomicU64,
    pub shift: core::sync::atomic::AtomicU64,
    pub realtime_offset: core::sync::atomic::AtomicU64,
    pub cpu_count: core::sync::atomic::AtomicU64,
    /// Random, the same for all processes until the next boot: where program images are placed.
    pub layout_seed: core::sync::atomic::AtomicU64,
}
