//! Starting the other CPUs, interrupting them, and stopping them when the kernel dies.
//!
//! Source: Intel SDM volume 3, section 9.4 (INIT-SIPI-SIPI).

use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::apic::{self, vector};
use crate::cpu::{self, MAX_CPUS};
use crate::layout::{PAGE, phys_to_virt};
use crate::serial::Console;
use crate::{Level, acpi, boot, context, debug, glue, time};

unsafe extern "C" {
    safe static __trampoline_start: u8;
    safe static __trampoline_end: u8;
    safe static __ap_root: AtomicU64;
    safe static __ap_stack: AtomicU64;
    safe static __ap_cpu: AtomicU64;
}

/// CPUs that run, the bootstrap CPU included; they are numbered from 0 without gaps.
static RUNNING: AtomicUsize = AtomicUsize::new(1);
/// The number of the CPU that came up last.
static ARRIVED: AtomicUsize = AtomicUsize::new(0);
/// The kernel has failed: whoever gets an NMI stops.
static STOP: AtomicBool = AtomicBool::new(false);

/// Number of CPUs that run.
pub(crate) fn count() -> usize {
    RUNNING.load(Ordering::Acquire)
}

/// Asks another CPU to look at its run queue.
pub(crate) fn send_resched(cpu: usize) {
    apic::send_ipi(cpu, vector::RESCHED);
}

/// Starts all CPUs that the MADT lists, up to [`MAX_CPUS`], one after the other, and returns when they are up. One that
/// does not answer within a second is left out, with a log line. Does nothing the second time.
pub(crate) fn start_others() {
    static STARTED: AtomicBool = AtomicBool::new(false);
    if STARTED.swap(true, Ordering::AcqRel) {
        return;
    }
    let own = apic::own_id();
    let others: Vec<u32> = acpi::cpus().iter().map(|cpu| cpu.apic_id).filter(|&id| id != own).collect();
    if others.is_empty() {
        boot::forget_identity_map();
        return;
    }
    let Some(page) = install_trampoline() else {
        crate::log!(Level::Warn, "smp: no usable memory below 640 KiB for the other CPUs to start in");
        return;
    };
    for apic_id in others {
        // xAPIC mode addresses 8 bits, of which 255 means everybody.
        if count() == MAX_CPUS || apic_id >= 255 {
            crate::log!(
                Level::Warn,
                "smp: CPU with APIC id {apic_id} left out: more than {MAX_CPUS} CPUs, or beyond xAPIC's reach"
            );
            continue;
        }
        if !start(apic_id, page) {
            crate::log!(Level::Warn, "smp: CPU with APIC id {apic_id} does not answer");
        }
    }
    boot::forget_identity_map();
    crate::log!(Level::Info, "smp: {} CPUs run", count());
}

/// Copies the real-mode code to a page below 640 KiB; returns the page's number.
fn install_trampoline() -> Option<u8> {
    let page = boot::low_page()?;
    let start = &raw const __trampoline_start;
    let len = (&raw const __trampoline_end as usize) - start as usize;
    assert!(len <= PAGE, "the trampoline fits in a page");
    // SAFETY: a page of RAM in the first MiB, which belongs to hal alone and is mapped; the source is the image's rodata.
    unsafe { core::ptr::copy_nonoverlapping(start, phys_to_virt(u64::from(page) * PAGE as u64) as *mut u8, len) };
    Some(page)
}

fn start(apic_id: u32, page: u8) -> bool {
    let cpu = count();
    let Some(stack) = context::idle_stack(cpu) else { return false };
    __ap_root.store(boot::root(), Ordering::Relaxed);
    __ap_stack.store(stack.end as u64, Ordering::Relaxed);
    __ap_cpu.store(cpu as u64, Ordering::Release);
    let arrived_within = |ns: u64| {
        let end = time::now() + ns;
        loop {
            if ARRIVED.load(Ordering::Acquire) == cpu {
                return true;
            }
            if time::now() >= end {
                return false;
            }
            core::hint::spin_loop();
        }
    };
    apic::send_init(apic_id);
    time::spin(200_000);
    apic::send_startup(apic_id, page);
    if !arrived_within(1_000_000) {
        apic::send_startup(apic_id, page);
        if !arrived_within(1_000_000_000) {
            // Were it to wake up later, it must not find the next one's stack.
            apic::send_init(apic_id);
            return false;
        }
    }
    true
}

/// What boot/entry.s calls on another CPU, on its own stack and the final page tables.
#[unsafe(no_mangle)] // SAFETY: only entry.s names this symbol
extern "C" fn __ochre_ap(cpu: usize) -> ! {
    cpu::init_ap(cpu);
    let stack = context::idle_stack(cpu).expect("the stack that this runs on");
    context::init_cpu(stack);
    apic::init_cpu();
    apic::init_timer();
    RUNNING.store(cpu + 1, Ordering::Release);
    ARRIVED.store(cpu, Ordering::Release);
    glue::cpu_main()
}

/// Stops all other CPUs; for the end of the machine.
pub(crate) fn stop_others() {
    STOP.store(true, Ordering::SeqCst);
    if count() > 1 {
        apic::send_nmi_to_others();
    }
}

/// An NMI: another CPU has ended the machine, or hardware has something to say.
pub(crate) fn on_nmi() {
    if STOP.load(Ordering::SeqCst) {
        debug::halt();
    }
    // Not through the log's sink, whose lock the interrupted code may hold.
    let _ = writeln!(Console, "NMI on CPU {}", cpu::id());
}
