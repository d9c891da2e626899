//! Loading address spaces, flushing TLBs (Intel SDM volume 3, section 4.10).

use alloc::sync::Arc;
use core::arch::asm;
use core::sync::atomic::Ordering;

use super::{PageTable, kernel_root};
use crate::apic::{self, vector};
use crate::cpu::{self, MAX_CPUS, PerCpu, count_up};
use crate::layout::PAGE;

/// Makes `table` (null: the kernel's own) the address space of this CPU. The CPU holds a reference until the next.
///
/// # Safety
/// `table` is null, or from an `Arc` that lives at least as long as the call.
#[inline(always)]
pub unsafe fn activate(table: *const PageTable) {
    // SAFETY: as the caller promises.
    unsafe { activate_on(cpu::this(), table) };
}

/// Like [`activate`], for a caller that has its CPU's block at hand.
///
/// # Safety
/// As for [`activate`]; `cpu` is this CPU's.
#[inline(always)]
pub unsafe fn activate_on(cpu: &PerCpu, table: *const PageTable) {
    if cpu.table.get() != table {
        // SAFETY: as the caller promises.
        unsafe { load(cpu, table) };
    }
}

/// # Safety
/// As for [`activate_on`].
#[inline(never)]
unsafe fn load(cpu: &PerCpu, table: *const PageTable) {
    let bit = 1u64 << cpu.id.get();
    let mut root = kernel_root();
    if !table.is_null() {
        // SAFETY: an `Arc`, as the caller promises; the new reference is this CPU's.
        let table = unsafe {
            Arc::increment_strong_count(table);
            &*table
        };
        // A full barrier: whoever changes an entry and does not see this bit changed it before the loads through CR3.
        table.cpus.fetch_or(bit, Ordering::SeqCst);
        root = table.root;
    }
    // SAFETY: a root with the kernel's half; this CPU's new `table` reference keeps it alive.
    unsafe { asm!("mov cr3, {}", in(reg) root, options(nostack, preserves_flags)) };
    count_up(&cpu.counters.space_switches);
    let old = cpu.table.replace(table);
    if !old.is_null() {
        // SAFETY: the reference that this CPU took when it loaded the table; it is not in CR3 any more.
        let old = unsafe { Arc::from_raw(old) };
        old.cpus.fetch_and(!bit, Ordering::Release);
    }
}

/// Which translations a flush is for.
#[derive(Clone, Copy)]
pub enum Range {
    /// So many pages from an address on.
    Pages(usize, usize),
    /// All user pages.
    All,
}

/// More pages than this are flushed by a reload of CR3.
const SINGLE_FLUSHES: usize = 8;

/// Flushes translations of `table` on all CPUs that run it. Entries have been changed before the call.
pub fn flush(table: &PageTable, range: Range) {
    let cpu = cpu::this();
    let bit = 1u64 << cpu.id.get();
    core::sync::atomic::fence(Ordering::SeqCst);
    let cpus = table.cpus.load(Ordering::SeqCst);
    if cpus & bit != 0 {
        count_up(&cpu.counters.tlb_flushes);
        match range {
            Range::Pages(address, pages) if pages <= SINGLE_FLUSHES => {
                for page in 0..pages {
                    invlpg(address + page * PAGE);
                }
            }
            _ => flush_user(),
        }
    }
    if cpus & !bit != 0 {
        shoot_down(cpus & !bit, false);
    }
}

/// Forgets one page's translation on this CPU, and the page-table entries on the way to any page (section 4.10.4.1).
pub fn invlpg(address: usize) {
    // SAFETY: flushing is always allowed.
    unsafe { asm!("invlpg [{}]", in(reg) address, options(nostack, preserves_flags)) };
}

/// Forgets all translations but the global ones on this CPU.
fn flush_user() {
    // SAFETY: the same root again.
    unsafe { asm!("mov {0}, cr3", "mov cr3, {0}", out(reg) _, options(nostack, preserves_flags)) };
}

/// Forgets all translations, the global ones too, on this CPU.
fn flush_everything() {
    const PGE: u64 = 1 << 7;
    // SAFETY: any change of CR4.PGE flushes all (section 4.10.4.1); it is on again afterwards.
    unsafe {
        asm!("mov {0}, cr4", "xor {0}, {pge}", "mov cr4, {0}", "xor {0}, {pge}", "mov cr4, {0}", out(reg) _, pge = const PGE,
            options(nostack));
    }
}

/// Flushes the kernel's pages on all CPUs.
pub fn flush_kernel() {
    let cpu = cpu::this();
    core::sync::atomic::fence(Ordering::SeqCst);
    count_up(&cpu.counters.tlb_flushes);
    flush_everything();
    let online = (0..MAX_CPUS).filter(|&id| id != cpu.id.get() && cpu::of(id).online.load(Ordering::Acquire));
    let others = online.fold(0, |mask, id| mask | 1 << id);
    if others != 0 {
        shoot_down(others, true);
    }
}

/// Asks CPUs to flush and waits until they have.
#[cold]
#[inline(never)]
fn shoot_down(cpus: u64, kernel: bool) {
    let each = || (0..MAX_CPUS).filter(|id| cpus >> id & 1 != 0);
    let mut numbers = [0u32; MAX_CPUS];
    for id in each() {
        let target = cpu::of(id);
        if kernel {
            target.flush_kernel.store(true, Ordering::SeqCst);
        }
        numbers[id] = target.flush_wanted.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
        apic::send_ipi(id, vector::SHOOTDOWN);
    }
    for id in each() {
        while (cpu::of(id).flush_done.load(Ordering::Acquire).wrapping_sub(numbers[id]) as i32) < 0 {
            cpu::spin_hint();
        }
    }
}

/// Answers the TLB shootdowns that other CPUs have asked of this one. Every spin loop calls it.
#[inline]
pub fn service_shootdown() {
    let cpu = cpu::this();
    let wanted = cpu.flush_wanted.load(Ordering::SeqCst);
    if wanted != cpu.flush_done.load(Ordering::Relaxed) {
        if cpu.flush_kernel.swap(false, Ordering::SeqCst) {
            flush_everything();
        } else {
            flush_user();
        }
        count_up(&cpu.counters.tlb_flushes);
        cpu.flush_done.store(wanted, Ordering::Release);
    }
}
