//! The local APIC: acknowledging interrupts, interprocessor interrupts, the timer's registers.
//!
//! Memory-mapped (xAPIC) mode. Source: Intel SDM volume 3, chapter 11.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::cpu::{self, MAX_CPUS};
use crate::layout::{PAGE, phys_to_virt};
use crate::{acpi, device};

/// Vectors that hal uses itself; devices get those from 0x40 to 0xdf.
pub(crate) mod vector {
    /// This CPU's timer.
    pub const TIMER: u8 = 0xec;
    /// Look at the run queue.
    pub const RESCHED: u8 = 0xed;
    /// Answer a TLB shootdown.
    pub const SHOOTDOWN: u8 = 0xee;
    /// The local APIC found an error.
    pub const ERROR: u8 = 0xfe;
    /// An interrupt that went away; not to be acknowledged.
    pub const SPURIOUS: u8 = 0xff;
}

const ID: usize = 0x20;
const TASK_PRIORITY: usize = 0x80;
const END_OF_INTERRUPT: usize = 0xb0;
const SPURIOUS_VECTOR: usize = 0xf0;
const ERROR_STATUS: usize = 0x280;
const COMMAND_LOW: usize = 0x300;
const COMMAND_HIGH: usize = 0x310;
const TIMER: usize = 0x320;
const LINT0: usize = 0x350;
const LINT1: usize = 0x360;
const ERROR: usize = 0x370;
const TIMER_INITIAL: usize = 0x380;
const TIMER_CURRENT: usize = 0x390;
const TIMER_DIVIDE: usize = 0x3e0;

const MASKED: u32 = 1 << 16;
const DELIVER_NMI: u32 = 4 << 8;
const DELIVER_INIT: u32 = 5 << 8;
const DELIVER_STARTUP: u32 = 6 << 8;
const PENDING: u32 = 1 << 12;
const ASSERT: u32 = 1 << 14;
const ALL_BUT_SELF: u32 = 3 << 18;

const BASE_MSR: u32 = 0x1b;
const BASE_X2APIC: u64 = 1 << 10;
const BASE_ENABLE: u64 = 1 << 11;
const BASE_ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// The registers' address in the direct map; 0 before [`init`].
static REGISTERS: AtomicU64 = AtomicU64::new(0);
static IDS: [AtomicU32; MAX_CPUS] = [const { AtomicU32::new(u32::MAX) }; MAX_CPUS];

fn register(offset: usize) -> *mut u32 {
    (REGISTERS.load(Ordering::Relaxed) as usize + offset) as *mut u32
}

fn read(offset: usize) -> u32 {
    // SAFETY: the local APIC's page, mapped uncached in the direct map since before `init`; hal alone drives it.
    unsafe { register(offset).read_volatile() }
}

fn write(offset: usize, value: u32) {
    // SAFETY: as for reading.
    unsafe { register(offset).write_volatile(value) };
}

/// Finds the local APICs and sets the bootstrap CPU's up.
///
/// # Panics
/// If the registers are not below 4 GiB, where alone they are mapped.
pub(crate) fn init() {
    let phys = acpi::local_apic().unwrap_or_else(|| {
        // SAFETY: every x86-64 CPU has this MSR.
        unsafe { cpu::rdmsr(BASE_MSR) & BASE_ADDRESS }
    });
    assert!(phys < 1 << 32, "the local APIC is at {phys:#x}, above 4 GiB");
    device::keep(phys, PAGE as u64);
    REGISTERS.store(phys_to_virt(phys) as u64, Ordering::Relaxed);
    init_cpu();
}

/// Sets this CPU's local APIC up: enabled, nothing masked by priority, the timer stopped.
pub(crate) fn init_cpu() {
    // SAFETY: puts the APIC into xAPIC mode at its address; from x2APIC mode the way leads over "disabled" (SDM 11.12.5).
    unsafe {
        let base = cpu::rdmsr(BASE_MSR);
        if base & BASE_X2APIC != 0 {
            cpu::wrmsr(BASE_MSR, base & !(BASE_X2APIC | BASE_ENABLE));
        }
        cpu::wrmsr(BASE_MSR, base & !BASE_X2APIC | BASE_ENABLE);
    }
    IDS[cpu::id()].store(own_id(), Ordering::Release);
    write(TASK_PRIORITY, 0);
    write(TIMER, MASKED);
    write(LINT0, MASKED);
    write(LINT1, DELIVER_NMI);
    write(ERROR, vector::ERROR.into());
    write(SPURIOUS_VECTOR, 0x100 | u32::from(vector::SPURIOUS));
    write(END_OF_INTERRUPT, 0);
}

/// The running CPU's APIC id.
pub(crate) fn own_id() -> u32 {
    read(ID) >> 24
}

/// A started CPU's APIC id.
pub(crate) fn id_of(cpu: usize) -> Option<u32> {
    IDS.get(cpu).map(|id| id.load(Ordering::Acquire)).filter(|&id| id != u32::MAX)
}

/// Acknowledges the interrupt in service.
#[inline]
pub(crate) fn end_of_interrupt() {
    write(END_OF_INTERRUPT, 0);
}

/// What the error register holds, clearing it.
pub(crate) fn take_errors() -> u32 {
    write(ERROR_STATUS, 0);
    read(ERROR_STATUS)
}

fn command(target: u32, low: u32) {
    // The delivery of the one before takes some hundred cycles at most; not worth hanging for on broken hardware.
    for _ in 0..100_000 {
        if read(COMMAND_LOW) & PENDING == 0 {
            break;
        }
        core::hint::spin_loop();
    }
    write(COMMAND_HIGH, target << 24);
    write(COMMAND_LOW, low);
}

/// Interrupts another CPU; nothing happens if it was not started.
pub(crate) fn send_ipi(cpu: usize, vector: u8) {
    if let Some(id) = id_of(cpu) {
        cpu::count_up(&cpu::this().counters.ipis);
        command(id, ASSERT | u32::from(vector));
    }
}

/// Sends an NMI to all other CPUs.
pub(crate) fn send_nmi_to_others() {
    if REGISTERS.load(Ordering::Relaxed) != 0 {
        command(0, ALL_BUT_SELF | ASSERT | DELIVER_NMI);
    }
}

/// Resets a CPU: it then waits for [`send_startup`].
pub(crate) fn send_init(apic_id: u32) {
    command(apic_id, ASSERT | DELIVER_INIT);
}

/// Lets a CPU that was reset begin in real mode at `page * 4096`.
pub(crate) fn send_startup(apic_id: u32, page: u8) {
    command(apic_id, ASSERT | DELIVER_STARTUP | u32::from(page));
}

/// Starts the timer: `count` ticks of the undivided clock, then one interrupt ([`vector::TIMER`]). 0 stops it.
pub(crate) fn start_timer(count: u32) {
    write(TIMER_INITIAL, count);
}

/// Makes the timer ready: one-shot, undivided clock.
pub(crate) fn init_timer() {
    write(TIMER_DIVIDE, 0b1011);
    write(TIMER, vector::TIMER.into());
}

/// Ticks that are left.
pub(crate) fn timer_left() -> u32 {
    read(TIMER_CURRENT)
}
