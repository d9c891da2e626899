//! CPUs: their features, their own data, and where interrupts are let in.

mod features;
mod percpu;

use core::arch::asm;
use core::sync::atomic::AtomicU64;

pub use features::{Features, features};
pub(crate) use percpu::{FRAME_CACHE, PerCpu, STACK_TOP, USER_RSP, all, of, this};

use crate::{context, gdt, smp, trap};

/// The most CPUs that are used.
pub const MAX_CPUS: usize = 64;

/// This CPU's number; 0 is the bootstrap CPU.
#[inline(always)]
pub fn id() -> usize {
    let id: usize;
    // SAFETY: GS points to this CPU's `PerCpu` (`init`); reads one word of it.
    unsafe {
        asm!("mov {}, gs:[{offset}]", out(reg) id, offset = const percpu::ID, options(nostack, preserves_flags, readonly))
    };
    id
}

/// How many CPUs run; their numbers are 0..count().
pub fn count() -> usize {
    smp::count()
}

/// Starts all other CPUs (ACPI MADT, INIT-SIPI-SIPI) and returns when all that answer are up; each calls `Kernel::cpu_main`.
pub fn start_others() {
    smp::start_others();
}

/// Makes `cpu` call `Kernel::resched` soon. Ignored for a CPU that does not run.
#[inline]
pub fn send_resched(cpu: usize) {
    if cpu < count() {
        smp::send_resched(cpu);
    }
}

/// Takes the interrupts that are pending now. Debug builds check that no spin lock is held.
#[inline]
pub fn poll_interrupts() {
    crate::sync::depth::assert_none();
    // SAFETY: handlers save all registers and run on this stack; a compiler fence, as they may change memory. The
    // instruction after `sti` still runs without interrupts (SDM volume 2, STI), hence the `nop`.
    unsafe { asm!("sti", "nop", "cli") };
}

/// Stops this CPU until an interrupt has been handled; none is lost between the caller's last look and the stop.
#[inline]
pub fn wait_for_interrupt() {
    crate::sync::depth::assert_none();
    // SAFETY: as above; `sti` lets interrupts in only after `hlt` has begun.
    unsafe { asm!("sti", "hlt", "cli") };
}

/// Tells the CPU that it is in a spin loop, and answers other CPUs' TLB shootdowns, so that whoever is waited for can
/// go on.
#[inline]
pub fn spin_hint() {
    core::hint::spin_loop();
    crate::paging::service_shootdown();
}

/// One value for each CPU.
///
/// Values that different CPUs write often should be aligned to a cache line (`#[repr(align(64))]`).
pub struct CpuLocal<T: 'static>([T; MAX_CPUS]);

impl<T: Sync> CpuLocal<T> {
    /// `CpuLocal::new([const { T::new() }; MAX_CPUS])`
    pub const fn new(values: [T; MAX_CPUS]) -> CpuLocal<T> {
        CpuLocal(values)
    }

    /// This CPU's value. After a context switch the flow may be on another CPU, and this still the first one's.
    #[inline(always)]
    pub fn get(&self) -> &T {
        let id = id();
        debug_assert!(id < MAX_CPUS);
        // SAFETY: CPU numbers are below MAX_CPUS (`init` checks).
        unsafe { self.0.get_unchecked(id) }
    }

    /// The value of `cpu`. Panics if there cannot be such a CPU.
    #[inline]
    pub fn of(&self, cpu: usize) -> &T {
        &self.0[cpu]
    }
}

/// What a CPU has done since boot, for benchmarks.
#[derive(Debug)]
pub struct Counters {
    /// Loads of another address space (CR3).
    pub space_switches: AtomicU64,
    /// TLB flushes, of single pages or all, not counting those that an address-space switch implies.
    pub tlb_flushes: AtomicU64,
    /// Interprocessor interrupts sent.
    pub ipis: AtomicU64,
    /// Context switches.
    pub context_switches: AtomicU64,
    /// Interrupts taken, of devices, timer and other CPUs.
    pub interrupts: AtomicU64,
}

impl Counters {
    const fn new() -> Counters {
        Counters {
            space_switches: AtomicU64::new(0),
            tlb_flushes: AtomicU64::new(0),
            ipis: AtomicU64::new(0),
            context_switches: AtomicU64::new(0),
            interrupts: AtomicU64::new(0),
        }
    }
}

/// Adds one to a counter of this CPU. Only the CPU itself writes its counters, with interrupts off: no atomic update needed.
#[inline(always)]
pub(crate) fn count_up(counter: &AtomicU64) {
    use core::sync::atomic::Ordering::Relaxed;
    counter.store(counter.load(Relaxed) + 1, Relaxed);
}

/// The counters of `cpu`. Panics if there cannot be such a CPU.
pub fn counters(cpu: usize) -> &'static Counters {
    &of(cpu).counters
}

/// Sets up the bootstrap CPU. Needs neither heap nor frames. Once, first of all.
pub(crate) fn init_bsp() {
    features::detect();
    init(0);
}

/// Sets up another CPU, on that CPU. `id` is its number, below MAX_CPUS and not in use.
pub(crate) fn init_ap(id: usize) {
    init(id);
}

fn init(id: usize) {
    assert!(id < MAX_CPUS);
    features::enable();
    let cpu = percpu::install(id);
    gdt::init(cpu);
    // Loading the segment registers cleared the GS base.
    percpu::install(id);
    trap::init();
    context::init_fpu();
}

const IA32_EFER: u32 = 0xc000_0080;
pub(crate) const IA32_STAR: u32 = 0xc000_0081;
pub(crate) const IA32_LSTAR: u32 = 0xc000_0082;
pub(crate) const IA32_FMASK: u32 = 0xc000_0084;
pub(crate) const IA32_FS_BASE: u32 = 0xc000_0100;
pub(crate) const IA32_GS_BASE: u32 = 0xc000_0101;
pub(crate) const IA32_KERNEL_GS_BASE: u32 = 0xc000_0102;
const IA32_PAT: u32 = 0x277;

/// Reads a model-specific register.
///
/// # Safety
/// The CPU has it.
#[inline(always)]
pub(crate) unsafe fn rdmsr(msr: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the caller promises that it exists; reading the ones hal uses has no side effect.
    unsafe { asm!("rdmsr", in("ecx") msr, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags)) };
    u64::from(high) << 32 | u64::from(low)
}

/// Writes a model-specific register.
///
/// # Safety
/// The CPU has it, and the value keeps the kernel's invariants.
#[inline(always)]
pub(crate) unsafe fn wrmsr(msr: u32, value: u64) {
    // SAFETY: the caller promises.
    unsafe {
        asm!("wrmsr", in("ecx") msr, in("eax") value as u32, in("edx") (value >> 32) as u32, options(nostack, preserves_flags))
    };
}
