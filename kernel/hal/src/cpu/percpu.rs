//! The block of data that each CPU has for itself, found through GS.
//!
//! # Invariant
//! Whenever Rust code runs in the kernel, GS base is the address of this CPU's [`PerCpu`]: `install` sets it, the entries
//! in `trap` exchange it with the user's, and nothing else writes it. Fields in a `Cell` are touched by their own CPU only,
//! never from an interrupt handler while the interrupted code uses them (interrupts are off), never by the NMI handler.

use core::arch::asm;
use core::cell::{Cell, UnsafeCell};
use core::mem::offset_of;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize};

use super::{Counters, IA32_GS_BASE, IA32_KERNEL_GS_BASE, MAX_CPUS, wrmsr};
use crate::context::Context;
use crate::gdt::Tables;
use crate::paging::PageTable;

/// Frames in a CPU's cache, at most.
pub const FRAME_CACHE: usize = 64;

/// One CPU's data.
#[repr(C, align(64))]
pub struct PerCpu {
    this: Cell<*const PerCpu>,
    /// The user's RSP while `syscall`'s entry changes stacks.
    pub user_rsp: Cell<u64>,
    /// Where the running context's kernel stack begins, for entries from user mode.
    pub stack_top: Cell<usize>,
    /// This CPU's number.
    pub id: Cell<usize>,
    /// The running context: an `Arc` that this CPU owns. Null until `context::init_cpu`.
    pub current: Cell<*const Context>,
    /// The context that ran before, while a switch is not finished: an `Arc` too.
    pub previous: Cell<*const Context>,
    /// The page table in CR3: an `Arc` that this CPU owns, or null for the kernel's own.
    pub table: Cell<*const PageTable>,
    /// CR2 at the last fault that a fix-up covered.
    pub fault_address: Cell<usize>,
    /// TLB shootdowns that were asked of this CPU, as a running number.
    pub flush_wanted: AtomicU32,
    /// The last number that this CPU has seen to.
    pub flush_done: AtomicU32,
    /// The next flush includes the kernel's global pages.
    pub flush_kernel: AtomicBool,
    /// The CPU runs and answers shootdowns.
    pub online: AtomicBool,
    /// What it has done.
    pub counters: Counters,
    /// Free frames.
    pub frames: FrameCache,
    /// Free heap objects, by size class.
    pub heap: [ObjectList; crate::mem::CLASSES],
    /// GDT and TSS.
    pub tables: Tables,
}

/// Free frames at hand. `count` is written by the owner only; others read it for statistics.
pub struct FrameCache {
    pub count: AtomicUsize,
    pub slots: [Cell<u32>; FRAME_CACHE],
}

/// Free heap objects at hand, linked through their first words.
pub struct ObjectList {
    pub head: Cell<*mut u8>,
    pub count: Cell<u32>,
}

/// Offsets for assembly.
pub const USER_RSP: usize = offset_of!(PerCpu, user_rsp);
pub const STACK_TOP: usize = offset_of!(PerCpu, stack_top);
pub const ID: usize = offset_of!(PerCpu, id);
const THIS: usize = offset_of!(PerCpu, this);

struct Blocks([UnsafeCell<PerCpu>; MAX_CPUS]);

// SAFETY: every CPU uses the cells of its own block only (see the module's invariant); the atomics may be used by all.
unsafe impl Sync for Blocks {}

static BLOCKS: Blocks = Blocks([const { UnsafeCell::new(PerCpu::new()) }; MAX_CPUS]);

impl PerCpu {
    const fn new() -> PerCpu {
        PerCpu {
            this: Cell::new(core::ptr::null()),
            user_rsp: Cell::new(0),
            stack_top: Cell::new(0),
            id: Cell::new(0),
            current: Cell::new(core::ptr::null()),
            previous: Cell::new(core::ptr::null()),
            table: Cell::new(core::ptr::null()),
            fault_address: Cell::new(0),
            flush_wanted: AtomicU32::new(0),
            flush_done: AtomicU32::new(0),
            flush_kernel: AtomicBool::new(false),
            online: AtomicBool::new(false),
            counters: Counters::new(),
            frames: FrameCache { count: AtomicUsize::new(0), slots: [const { Cell::new(0) }; FRAME_CACHE] },
            heap: [const { ObjectList { head: Cell::new(core::ptr::null_mut()), count: Cell::new(0) } };
                crate::mem::CLASSES],
            tables: Tables::new(),
        }
    }
}

/// This CPU's block. Not to be kept across a context switch: the flow may go on elsewhere.
#[inline(always)]
pub fn this() -> &'static PerCpu {
    let this: *const PerCpu;
    // SAFETY: GS base is the block's address, whose word at THIS is that address too.
    unsafe {
        asm!("mov {}, gs:[{offset}]", out(reg) this, offset = const THIS, options(nostack, preserves_flags, readonly));
        &*this
    }
}

/// The block of CPU `id`. Its cells are that CPU's alone: use the atomics only.
pub fn of(id: usize) -> &'static PerCpu {
    // SAFETY: only shared references to blocks exist.
    unsafe { &*BLOCKS.0[id].get() }
}

/// All CPUs' blocks, of those that do not run too.
pub fn all() -> impl Iterator<Item = &'static PerCpu> {
    (0..MAX_CPUS).map(of)
}

/// Makes GS point to the block of CPU `id`, which this CPU is from now on.
pub fn install(id: usize) -> &'static PerCpu {
    let block = of(id);
    block.this.set(block);
    block.id.set(id);
    // SAFETY: in the kernel GS base is the block, and the user's waits in the other register until `swapgs`.
    unsafe {
        wrmsr(IA32_GS_BASE, &raw const *block as u64);
        wrmsr(IA32_KERNEL_GS_BASE, 0);
    }
    block
}
