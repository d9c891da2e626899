//! The page that tells programs the time without a syscall (abi: `layout::TimePage`), one for all address spaces.

use core::mem::offset_of;
use core::sync::atomic::Ordering::{Relaxed, Release};
use hal::mem::Frame;
use hal::{Once, SpinLock};
use ochre_abi::layout::TimePage;
use ochre_hal as hal;

static FRAME: Once<Frame> = Once::new();
/// One writer at a time.
static WRITER: SpinLock<()> = SpinLock::new(());

/// The page. Made with the first address space; `None` if there was no memory for it.
pub fn frame() -> Option<&'static Frame> {
    if FRAME.get().is_none() {
        let _guard = WRITER.lock();
        if FRAME.get().is_none() {
            let frame = Frame::alloc_zeroed()?;
            let tsc = hal::time::tsc_params();
            let set = |offset, value| frame.atomic_u64(offset).store(value, Relaxed);
            set(offset_of!(TimePage, tsc_base), tsc.base);
            set(offset_of!(TimePage, mult), tsc.mult);
            set(offset_of!(TimePage, shift), u64::from(tsc.shift));
            set(offset_of!(TimePage, realtime_offset), hal::time::boot_realtime_ns());
            set(offset_of!(TimePage, cpu_count), hal::cpu::count() as u64);
            set(offset_of!(TimePage, layout_seed), hal::random::entropy());
            // Fails only if it is set, which the lock excludes.
            let _ = FRAME.set(frame);
        }
    }
    FRAME.get()
}

/// What to add to the monotonic clock for the time since the epoch, in ns.
pub fn realtime_offset() -> u64 {
    frame().map_or_else(hal::time::boot_realtime_ns, |frame| {
        frame.atomic_u64(offset_of!(TimePage, realtime_offset)).load(Relaxed)
    })
}

/// Sets the realtime clock: CLOCK_SET.
pub fn set_realtime_offset(ns: u64) {
    write(offset_of!(TimePage, realtime_offset), ns);
}

/// Says how many CPUs run; call it when they do.
pub fn set_cpu_count(count: usize) {
    write(offset_of!(TimePage, cpu_count), count as u64);
}

/// Changes one field under the sequence counter, which is odd meanwhile.
fn write(offset: usize, value: u64) {
    let Some(frame) = frame() else { return };
    let _guard = WRITER.lock();
    let sequence = frame.atomic_u64(offset_of!(TimePage, sequence));
    let before = sequence.load(Relaxed);
    sequence.store(before.wrapping_add(1), Relaxed);
    // Orders the odd number before the change for readers that pair it with an acquire fence.
    core::sync::atomic::fence(Release);
    frame.atomic_u64(offset).store(value, Relaxed);
    sequence.store(before.wrapping_add(2), Release);
}
