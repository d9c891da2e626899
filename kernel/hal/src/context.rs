//! Contexts: what a CPU runs. A kernel stack with saved registers, FPU state, thread pointer and address space.
//!
//! # Who owns a context
//! `on_cpu` is the claim: set by whoever runs the context, or looks into it while it is stopped, and only its holder may
//! touch the fields in cells, the stack and the FPU area. A switch claims the next context before it leaves the running
//! one; the claim of the one left is given up by the next, once it is on its own stack ([`finish_switch`]). Until then
//! a switch to it is [`Busy`] anywhere else. So a stack is never used by two CPUs, and never freed by its own user.

mod fpu;
mod stack;

use alloc::sync::Arc;
use core::arch::{asm, naked_asm};
use core::cell::Cell;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

pub(crate) use fpu::init as init_fpu;

use self::stack::Stack;
use crate::cpu::{self, IA32_FS_BASE, IA32_KERNEL_GS_BASE, MAX_CPUS, count_up, rdmsr, wrmsr};
use crate::layout::PAGE;
use crate::paging::{self, PageTable};
use crate::{Once, UserRegs, glue};

/// The context to switch to is running, or being left, or being looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// A thread's kernel stack (16 KiB, with a guard page below), saved kernel registers, FPU state, FS base, and address space.
#[derive(Debug)]
pub struct Context {
    on_cpu: AtomicBool,
    /// Runs a user program now and then; else kernel code only.
    user: bool,
    /// Is a user context on a CPU with XSAVEOPT and FSGSBASE: a switch to another such one takes the short way.
    modern: bool,
    /// The kernel stack pointer while it does not run.
    rsp: Cell<usize>,
    /// Thread pointer while it does not run; changed by others too while it does not.
    fs_base: AtomicU64,
    /// The program's own GS base, likewise.
    gs_base: Cell<u64>,
    /// Of a user context: an `Arc`; else null.
    table: Cell<*const PageTable>,
    /// The address space to have from the next switch on, an `Arc`, or null.
    next_table: AtomicPtr<PageTable>,
    /// Where entries from user mode begin to push; the FPU area is above.
    top: usize,
    /// None for the stacks that CPUs start on, which stay for ever.
    _stack: Option<Stack>,
}

// SAFETY: the cells are used by the holder of the claim `on_cpu` only, see the module's documentation; what they hold may
// move between CPUs.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

/// What a stopped context's stack pointer leads to. [`switch_to`] goes on at `rip` with the stack pointer at `rest`; after the
/// first switch these are the words that [`start_user`] and [`start_kernel`] pop.
#[repr(C)]
struct Frame {
    rip: usize,
    rest: [usize; 2],
}

impl Context {
    /// A context whose first switch goes to user mode with `regs` (after [`Kernel::exit_to_user`](crate::Kernel::exit_to_user)), with
    /// a fresh FPU. None without memory.
    pub fn new_user(regs: &UserRegs, fs_base: u64, table: Arc<PageTable>) -> Option<Arc<Context>> {
        let context = Self::user(regs, fs_base, table)?;
        fpu::reset(context.top);
        Some(context)
    }

    /// Like [`Context::new_user`], with a copy of the running context's FPU state and GS base (fork).
    pub fn fork_current(regs: &UserRegs, fs_base: u64, table: Arc<PageTable>) -> Option<Arc<Context>> {
        let context = Self::user(regs, fs_base, table)?;
        let running = running();
        if running.user {
            fpu::copy_registers(context.top);
            context.gs_base.set(user_gs());
        } else {
            fpu::reset(context.top);
        }
        Some(context)
    }

    #[inline]
    fn user(regs: &UserRegs, fs_base: u64, table: Arc<PageTable>) -> Option<Arc<Context>> {
        let stack = Stack::new()?;
        let top = stack.top() - fpu::area_size();
        let frame = top - size_of::<UserRegs>() - size_of::<Frame>();
        let first = Frame { rip: start_user as *const () as usize, rest: [0; 2] };
        // SAFETY: inside the new stack, which nobody else uses; `top` is aligned to 64.
        unsafe {
            ((top - size_of::<UserRegs>()) as *mut UserRegs).write(*regs);
            (frame as *mut Frame).write(first);
        }
        Some(Arc::new(Context {
            on_cpu: AtomicBool::new(false),
            user: true,
            modern: fpu::is_modern(),
            rsp: Cell::new(frame),
            fs_base: AtomicU64::new(canonical(fs_base)),
            gs_base: Cell::new(0),
            table: Cell::new(Arc::into_raw(table)),
            next_table: AtomicPtr::new(core::ptr::null_mut()),
            top,
            _stack: Some(stack),
        }))
    }

    /// A context that runs `entry(arg)` in the kernel (idle loops, workers). None without memory.
    pub fn new_kernel(entry: fn(usize) -> !, arg: usize) -> Option<Arc<Context>> {
        let stack = Stack::new()?;
        let top = stack.top();
        let frame = top - 16 - size_of::<Frame>();
        let first = Frame { rip: start_kernel as *const () as usize, rest: [arg, entry as usize] };
        // SAFETY: inside the new stack, which nobody else uses.
        unsafe { (frame as *mut Frame).write(first) };
        Some(Arc::new(Self::kernel(frame, top, Some(stack), false)))
    }

    fn kernel(rsp: usize, top: usize, stack: Option<Stack>, on_cpu: bool) -> Context {
        Context {
            on_cpu: AtomicBool::new(on_cpu),
            user: false,
            modern: false,
            rsp: Cell::new(rsp),
            fs_base: AtomicU64::new(0),
            gs_base: Cell::new(0),
            table: Cell::new(core::ptr::null()),
            next_table: AtomicPtr::new(core::ptr::null_mut()),
            top,
            _stack: stack,
        }
    }

    /// Gives the context another address space (exec): at once if it is the running one here, else at the next switch to it.
    /// Ignored for kernel contexts.
    pub fn set_table(&self, table: Arc<PageTable>) {
        if !self.user {
            return;
        }
        if self.is_current() {
            // The running context's claim is this CPU's.
            self.replace_table(table);
            // SAFETY: this context owns a reference.
            unsafe { paging::activate(self.table.get()) };
            // An older wish is overtaken.
            self.take_next_table();
        } else {
            let old = self.next_table.swap(Arc::into_raw(table).cast_mut(), Ordering::AcqRel);
            if !old.is_null() {
                // SAFETY: stored here by `into_raw`; the exchange took it out once.
                drop(unsafe { Arc::from_raw(old) });
            }
        }
    }

    /// With the claim held.
    fn replace_table(&self, table: Arc<PageTable>) {
        let old = self.table.replace(Arc::into_raw(table));
        // SAFETY: a user context's `table` is an `Arc`; it was taken out once. If it is in CR3, the CPU has a reference too.
        drop(unsafe { Arc::from_raw(old) });
    }

    fn take_next_table(&self) -> Option<Arc<PageTable>> {
        let next = self.next_table.swap(core::ptr::null_mut(), Ordering::AcqRel);
        // SAFETY: stored by `set_table` from `into_raw`; the exchange took it out once.
        (!next.is_null()).then(|| unsafe { Arc::from_raw(next) })
    }

    /// The thread pointer, of the running context or a stopped one. For one that runs on another CPU: as of its last switch.
    pub fn fs_base(&self) -> u64 {
        if self.user && self.is_current() { user_fs() } else { self.fs_base.load(Ordering::Relaxed) }
    }

    /// Sets the thread pointer of the running context or a stopped one. An address that is not canonical becomes 0. Without
    /// effect on one that runs on another CPU.
    pub fn set_fs_base(&self, v: u64) {
        let v = canonical(v);
        self.fs_base.store(v, Ordering::Relaxed);
        if self.user && self.is_current() {
            set_user_fs(v);
        }
    }

    /// Gives the context a fresh FPU (exec): the running one at once, a stopped one for its next run. Without effect on one
    /// that runs on another CPU, or on a kernel context.
    pub fn reset_fpu(&self) {
        if !self.user {
            return;
        }
        if self.is_current() {
            fpu::reset(self.top);
            fpu::restore(self.top);
        } else if self.claim() {
            fpu::reset(self.top);
            self.release();
        }
    }

    /// It is on some CPU right now, or not fully switched out yet.
    #[inline]
    pub fn is_running(&self) -> bool {
        self.on_cpu.load(Ordering::Acquire)
    }

    /// The program's registers of a stopped user context, as they will be when it returns to user mode. None if it runs or has
    /// no program. Meanwhile a switch to it is [`Busy`].
    ///
    /// If the context was stopped within `Kernel::syscall`, `exception` or `exit_to_user`, that flow still has its `&mut
    /// UserRegs`: it must not rely on fields that it looked at before it was stopped.
    pub fn with_user_regs<R>(&self, f: impl FnOnce(&mut UserRegs) -> R) -> Option<R> {
        if !self.user || !self.claim() {
            return None;
        }
        // SAFETY: the registers' place on a user context's stack, written when it was made or by the last entry; the claim
        // keeps the context from running.
        let result = f(unsafe { &mut *((self.top - size_of::<UserRegs>()) as *mut UserRegs) });
        self.release();
        Some(result)
    }

    #[inline(always)]
    fn is_current(&self) -> bool {
        core::ptr::eq(self, cpu::this().current.get())
    }

    #[inline(always)]
    fn claim(&self) -> bool {
        !self.on_cpu.swap(true, Ordering::Acquire)
    }

    #[inline(always)]
    fn release(&self) {
        self.on_cpu.store(false, Ordering::Release);
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.take_next_table();
        if self.user {
            // SAFETY: a user context's `table` is an `Arc`; this is its end.
            drop(unsafe { Arc::from_raw(self.table.get()) });
        }
    }
}

/// An address that the CPU takes as a segment base: canonical ones (SDM volume 1, section 3.3.7.1).
fn canonical(address: u64) -> u64 {
    if (address as i64) << 16 >> 16 == address as i64 { address } else { 0 }
}

/// The context that runs here. Boot and idle flows are contexts too.
#[inline]
pub fn current() -> Arc<Context> {
    let current = cpu::this().current.get();
    // SAFETY: an `Arc` that this CPU owns until it switches, see `init_cpu`.
    unsafe {
        Arc::increment_strong_count(current);
        Arc::from_raw(current)
    }
}

/// The context that runs here, not to be kept across a switch.
#[inline(always)]
fn running<'a>() -> &'a Context {
    // SAFETY: as in `current`.
    unsafe { &*cpu::this().current.get() }
}

/// Switches this CPU to `next` and returns when something switches back, perhaps on another CPU. Debug builds check that no
/// spin lock is held.
///
/// # Errors
/// [`Busy`] if `next` runs (here too), has not been left completely yet, or is being looked at: try again, or queue it.
#[inline]
pub fn switch_to(next: &Arc<Context>) -> Result<(), Busy> {
    switch_into(next.clone())
}

/// As [`switch_to`], and the flow that is left holds no reference to `next` while it does not run: what a dead thread
/// leaves behind is not kept by whoever switched to it.
///
/// # Errors
/// As [`switch_to`]; the reference is dropped.
#[inline]
pub fn switch_into(next: Arc<Context>) -> Result<(), Busy> {
    crate::sync::depth::assert_none();
    if !next.claim() {
        return Err(Busy);
    }
    let cpu = cpu::this();
    let raw = Arc::into_raw(next);
    // SAFETY: `raw` becomes this CPU's `current` below, whose reference lives until the context has been left again.
    let next = unsafe { &*raw };
    // SAFETY: an `Arc` that this CPU owns, until `finish_switch` on another stack.
    let previous = unsafe { &*cpu.current.get() };
    if previous.modern && next.modern {
        fpu::save_modern(previous.top);
        previous.fs_base.store(read_fs(), Ordering::Relaxed);
        if !next.next_table.load(Ordering::Relaxed).is_null() {
            adopt_table(next);
        }
        // SAFETY: the claim of `next` is this CPU's, and it owns a reference to its table.
        unsafe { paging::activate_on(cpu, next.table.get()) };
        fpu::restore_modern(next.top);
        write_fs(next.fs_base.load(Ordering::Relaxed));
        previous.gs_base.set(exchange_gs(next.gs_base.get()));
        cpu.stack_top.set(next.top);
        cpu.tables.set_stack(next.top);
    } else {
        exchange(previous, next);
    }
    count_up(&cpu.counters.context_switches);
    cpu.previous.set(cpu.current.replace(raw));
    // SAFETY: `next` is claimed, so its stack is in use by nobody and its saved stack pointer leads to a `Frame`, or to what
    // this very block has pushed; this flow's goes to its own context, whose claim is given up only on the other stack.
    // All registers but RBP and RBX, which are saved, are declared as changed.
    unsafe {
        asm!(
            "push rbp",
            "push rbx",
            "lea rax, [rip + 2f]",
            "push rax",
            "mov [rdi], rsp",
            "mov rsp, rsi",
            "ret",
            "2:",
            "pop rbx",
            "pop rbp",
            inout("rdi") previous.rsp.as_ptr() => _,
            inout("rsi") next.rsp.get() => _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("C"),
        );
    }
    finish_switch();
    Ok(())
}

/// What the CPU has of the program: FPU, FS and GS base, address space. The long way, for kernel contexts and old CPUs.
#[inline(never)]
fn exchange(previous: &Context, next: &Context) {
    let cpu = cpu::this();
    if previous.user {
        fpu::save(previous.top);
        previous.fs_base.store(user_fs(), Ordering::Relaxed);
        previous.gs_base.set(user_gs());
    }
    if next.user {
        adopt_table(next);
        // SAFETY: the claim of `next` is this CPU's, and it owns a reference to its table.
        unsafe { paging::activate(next.table.get()) };
        fpu::restore(next.top);
        set_user_fs(next.fs_base.load(Ordering::Relaxed));
        set_user_gs(next.gs_base.get());
        cpu.stack_top.set(next.top);
        cpu.tables.set_stack(next.top);
    } else {
        // SAFETY: null stands for the kernel's own table.
        unsafe { paging::activate(core::ptr::null()) };
    }
}

#[cold]
fn adopt_table(next: &Context) {
    if let Some(table) = next.take_next_table() {
        // The claim of `next` is the caller's.
        next.replace_table(table);
    }
}

/// The first thing on the stack switched to: gives up the claim of the context that ran before, and this CPU's reference
/// to it.
#[inline(always)]
fn finish_switch() {
    let previous = cpu::this().previous.get();
    // SAFETY: the `Arc` that was this CPU's `current` until the switch. Its stack is not in use any more.
    let previous = unsafe { Arc::from_raw(previous) };
    previous.release();
}

/// Where a user context's first switch arrives, with its [`UserRegs`] above the rest of the frame.
#[unsafe(naked)]
unsafe extern "C" fn start_user() {
    naked_asm!(
        "xor ebp, ebp",
        "lea rdi, [rsp + 16]",
        "add rsp, 8",
        "call {first}",
        "jmp __ochre_syscall_exit",
        first = sym first_user,
    )
}

extern "C" fn first_user(regs: &mut UserRegs) {
    finish_switch();
    glue::exit_to_user(regs);
}

/// Where a kernel context's first switch arrives: argument and function are the rest of the frame.
#[unsafe(naked)]
unsafe extern "C" fn start_kernel() {
    naked_asm!("xor ebp, ebp", "pop rdi", "pop rsi", "call {first}", "ud2", first = sym first_kernel)
}

extern "C" fn first_kernel(arg: usize, entry: usize) -> ! {
    finish_switch();
    // SAFETY: `new_kernel` put a function of this type there.
    let entry = unsafe { core::mem::transmute::<usize, fn(usize) -> !>(entry) };
    entry(arg)
}

/// The user's FS base in the CPU.
#[inline(always)]
fn read_fs() -> u64 {
    let base;
    // SAFETY: callers have checked that CR4.FSGSBASE is set (`fpu::has_fsgsbase`).
    unsafe { asm!("rdfsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

/// Sets the user's FS base, a canonical address.
#[inline(always)]
fn write_fs(base: u64) {
    // SAFETY: the kernel does not use FS; callers have checked that CR4.FSGSBASE is set (`fpu::has_fsgsbase`).
    unsafe { asm!("wrfsbase {}", in(reg) base, options(nostack, preserves_flags)) };
}

/// Sets the user's GS base, a canonical address, and returns what it was.
#[inline(always)]
fn exchange_gs(new: u64) -> u64 {
    let old;
    // SAFETY: between the two exchanges only the user's base changes; an NMI there finds its own (`trap`). Callers have checked
    // that CR4.FSGSBASE is set (`fpu::has_fsgsbase`).
    unsafe {
        asm!("swapgs", "rdgsbase {}", "wrgsbase {}", "swapgs", out(reg) old, in(reg) new, options(nostack, preserves_flags));
    }
    old
}

fn user_fs() -> u64 {
    // SAFETY: every 64-bit CPU has the MSR.
    if fpu::has_fsgsbase() { read_fs() } else { unsafe { rdmsr(IA32_FS_BASE) } }
}

fn set_user_fs(base: u64) {
    if fpu::has_fsgsbase() {
        write_fs(base);
    } else {
        // SAFETY: the kernel does not use FS; `base` is canonical (`canonical`, or it came from the CPU).
        unsafe { wrmsr(IA32_FS_BASE, base) };
    }
}

/// The user's GS base, which waits in the other register while the kernel runs.
fn user_gs() -> u64 {
    // SAFETY: every 64-bit CPU has it.
    unsafe { rdmsr(IA32_KERNEL_GS_BASE) }
}

fn set_user_gs(base: u64) {
    // SAFETY: the kernel's own base is in the other register; this one came from the CPU, so it is canonical.
    unsafe { wrmsr(IA32_KERNEL_GS_BASE, base) };
}

/// Makes the flow that runs on `stack` this CPU's current context. Once per CPU; the stack stays for ever.
pub(crate) fn init_cpu(stack: Range<usize>) {
    let cpu = cpu::this();
    assert!(cpu.current.get().is_null());
    cpu.stack_top.set(stack.end);
    cpu.tables.set_stack(stack.end);
    cpu.current.set(Arc::into_raw(Arc::new(Context::kernel(0, stack.end, None, true))));
    crate::user::init();
    cpu.online.store(true, Ordering::SeqCst);
}

/// The stack on which CPU `cpu` starts; the same at every call. None without memory.
pub(crate) fn idle_stack(cpu: usize) -> Option<Range<usize>> {
    static STACKS: [Once<usize>; MAX_CPUS] = [const { Once::new() }; MAX_CPUS];
    let slot = STACKS.get(cpu)?;
    if slot.get().is_none() {
        let stack = Stack::new()?;
        if slot.set(stack.top()).is_ok() {
            core::mem::forget(stack);
        }
    }
    slot.get().map(|&top| top - stack::PAGES * PAGE..top)
}
