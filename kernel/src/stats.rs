//! Counters that benchmarks and /scheme/sys show, one set a CPU.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use hal::cpu::CpuLocal;
use ochre_hal as hal;

/// What the kernel proper counts; hal counts switches, flushes and interprocessor interrupts itself.
pub struct Counters {
    /// Bytes copied between user memory and anything else.
    pub bytes_copied: AtomicU64,
    /// Native syscalls.
    pub syscalls: AtomicU64,
    /// Page faults of user code.
    pub faults: AtomicU64,
    /// Requests for pages that pagers were sent.
    pub page_ins: AtomicU64,
    /// Pages that were dropped because memory was short.
    pub reclaims: AtomicU64,
}

impl Counters {
    const fn new() -> Self {
        Counters {
            bytes_copied: AtomicU64::new(0),
            syscalls: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            page_ins: AtomicU64::new(0),
            reclaims: AtomicU64::new(0),
        }
    }
}

static COUNTERS: CpuLocal<Counters> = CpuLocal::new([const { Counters::new() }; hal::cpu::MAX_CPUS]);

/// Adds to a counter of this CPU. Interrupts are off and only this CPU writes, so no locked instruction is needed.
fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
}

/// Bytes went from or to user memory.
pub fn copied(bytes: usize) {
    add(&COUNTERS.get().bytes_copied, bytes as u64);
}

/// A native syscall began.
pub fn syscall() {
    add(&COUNTERS.get().syscalls, 1);
}

/// User code took a page fault.
pub fn fault() {
    add(&COUNTERS.get().faults, 1);
}

/// A pager was asked for pages.
pub fn page_in() {
    add(&COUNTERS.get().page_ins, 1);
}

/// Pages were dropped because memory was short.
pub fn reclaimed(pages: usize) {
    add(&COUNTERS.get().reclaims, pages as u64);
}

/// The counters of one CPU.
pub fn of(cpu: usize) -> &'static Counters {
    COUNTERS.of(cpu)
}
