//! Segments and task state (Intel SDM volume 3, sections 3.4 and 8.7). Selectors are Linux's, since programs see them.

use core::arch::asm;
use core::cell::{Cell, UnsafeCell};

use crate::cpu::PerCpu;
use crate::layout::PAGE;
use crate::mem::kvirt;

/// Kernel code; `syscall` takes the next descriptor for SS.
pub const KERNEL_CS: u16 = 0x10;
/// Kernel data.
pub const KERNEL_SS: u16 = 0x18;
/// What `sysret` adds 8 (SS) and 16 (CS) to. The descriptor itself would be 32-bit code and is empty.
pub const SYSRET_BASE: u16 = 0x20 | 3;
/// User data.
pub const USER_SS: u16 = 0x28 | 3;
/// User code, the only user code segment there is: 64-bit.
pub const USER_CS: u16 = 0x30 | 3;
const TSS: u16 = 0x40;

/// Interrupt stacks (IST numbers are these plus one).
pub const IST_NMI: usize = 0;
pub const IST_DOUBLE_FAULT: usize = 1;
pub const IST_MACHINE_CHECK: usize = 2;
pub const IST_DEBUG: usize = 3;
const ISTS: usize = 4;
/// Pages of each: a double fault prints a backtrace on its stack.
const IST_PAGES: usize = 4;
const IST_SIZE: usize = IST_PAGES * PAGE;

/// A CPU's descriptor table and task state segment.
pub struct Tables {
    gdt: UnsafeCell<[u64; 10]>,
    tss: UnsafeCell<TaskState>,
}

/// The 64-bit TSS, in words of four bytes since its 8-byte fields are not aligned.
#[repr(C, align(16))]
struct TaskState([Cell<u32>; 26]);

impl TaskState {
    fn set(&self, word: usize, address: usize) {
        self.0[word].set(address as u32);
        self.0[word + 1].set((address >> 32) as u32);
    }
}

/// Word of RSP0, and of IST1, in the TSS.
const RSP0: usize = 1;
const IST1: usize = 9;

impl Tables {
    /// Empty tables.
    pub const fn new() -> Tables {
        Tables { gdt: UnsafeCell::new([0; 10]), tss: UnsafeCell::new(TaskState([const { Cell::new(0) }; 26])) }
    }

    fn tss(&self) -> &TaskState {
        // SAFETY: only shared references to it are made; its words are cells of this CPU.
        unsafe { &*self.tss.get() }
    }

    /// Sets the stack for traps from user mode.
    #[inline(always)]
    pub fn set_stack(&self, top: usize) {
        // SAFETY: inside the TSS, which only this CPU uses; the field at byte 4 is not aligned.
        unsafe { self.tss.get().cast::<u8>().add(4 * RSP0).cast::<usize>().write_unaligned(top) };
    }
}

#[repr(C, align(16))]
struct Stacks(UnsafeCell<[u8; ISTS * IST_SIZE]>);

// SAFETY: memory that only the CPU's hardware and the handlers on it use.
unsafe impl Sync for Stacks {}

static BSP_STACKS: Stacks = Stacks(UnsafeCell::new([0; ISTS * IST_SIZE]));

/// Loads this CPU's GDT and TSS. Clears the GS base.
pub fn init(cpu: &'static PerCpu) {
    let tss = cpu.tables.tss();
    for ist in 0..ISTS {
        // The handlers find their CPU by the word at the stack's top (see `trap`); 16 bytes keep the alignment.
        let base = match cpu.id.get() {
            0 => BSP_STACKS.0.get() as usize + ist * IST_SIZE,
            _ => kvirt::alloc(IST_PAGES).expect("memory for interrupt stacks"),
        };
        let top = base + IST_SIZE - 16;
        // SAFETY: inside the stack, which is in use for nothing yet.
        unsafe { (top as *mut usize).write(&raw const *cpu as usize) };
        tss.set(IST1 + 2 * ist, top);
    }
    // No I/O permission bitmap: user mode has no ports.
    tss.0[25].set((size_of::<TaskState>() as u32) << 16);

    let base = &raw const *tss as u64;
    let limit = size_of::<TaskState>() as u64 - 1;
    let mut gdt = [0u64; 10];
    gdt[KERNEL_CS as usize / 8] = 0x00af_9b00_0000_ffff;
    gdt[KERNEL_SS as usize / 8] = 0x00cf_9300_0000_ffff;
    gdt[USER_SS as usize / 8] = 0x00cf_f300_0000_ffff;
    gdt[USER_CS as usize / 8] = 0x00af_fb00_0000_ffff;
    gdt[TSS as usize / 8] = limit | (base & 0xff_ffff) << 16 | 0x89 << 40 | (base >> 24 & 0xff) << 56;
    gdt[TSS as usize / 8 + 1] = base >> 32;
    let place = cpu.tables.gdt.get();
    #[repr(C, packed)]
    struct Pointer(u16, u64);
    let pointer = Pointer(size_of_val(&gdt) as u16 - 1, place as u64);
    // SAFETY: the table is this CPU's own and stays; the selectors loaded are the ones just described, and code goes on at
    // the same place in the same address space. Data segments are not used in long mode.
    unsafe {
        place.write(gdt);
        asm!(
            "lgdt [{pointer}]",
            "push {cs}",
            "lea {scratch}, [rip + 2f]",
            "push {scratch}",
            "retfq",
            "2:",
            "mov ss, {ss:e}",
            "mov ds, {zero:e}",
            "mov es, {zero:e}",
            "mov fs, {zero:e}",
            "mov gs, {zero:e}",
            "ltr {tss:x}",
            "lldt {zero:x}",
            pointer = in(reg) &pointer,
            cs = const KERNEL_CS,
            ss = in(reg) u32::from(KERNEL_SS),
            zero = in(reg) 0u32,
            tss = in(reg) TSS,
            scratch = out(reg) _,
        );
    }
}
