//! Threads.

use crate::call::CallState;
use crate::process::Process;
use crate::sched::{self, SchedState};
use crate::signal::ThreadSignals;
use alloc::sync::Arc;
use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use hal::context::Context;
use hal::cpu::{self, CpuLocal};
use hal::{SpinLock, UserRegs};
use ochre_abi::process::ThreadArgs;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// Something wants the thread's attention before it goes back to user mode: kill, stop or a signal.
pub(crate) const ATTENTION: u32 = 1;
/// The thread is to end.
pub(crate) const KILLED: u32 = 2;

/// A thread of a process.
pub struct Thread {
    /// Its id; the first thread's is the process's.
    pub tid: u32,
    /// Whose it is.
    pub process: Arc<Process>,
    /// Registers, kernel stack, FPU state.
    pub context: Arc<Context>,
    /// What the scheduler keeps.
    pub sched: SchedState,
    /// Signal state.
    pub signals: ThreadSignals,
    /// The call to a scheme that it waits for.
    pub call: CallState,
    /// u32 to clear and wake at the end, or 0.
    pub clear_tid: AtomicU64,
    /// Head of the list of robust futexes, or 0.
    pub robust_list: AtomicU64,
    /// The FS base of the process's own runtime, while a foreign program may have set another; 0: none.
    pub reflect_fs: AtomicU64,
    /// What it does, for listings: the number of the syscall it is in, 0 in user mode.
    pub in_syscall: AtomicU64,
    flags: AtomicU32,
    name: SpinLock<[u8; 16]>,
    /// It is in its process's list of threads.
    counted: AtomicBool,
}

static CURRENT: CpuLocal<SpinLock<Option<Arc<Thread>>>> = CpuLocal::new([const { SpinLock::new(None) }; cpu::MAX_CPUS]);

/// The running thread. Only for flows that belong to one (syscalls, exceptions).
pub fn current() -> Arc<Thread> {
    match &*CURRENT.get().lock() {
        Some(thread) => thread.clone(),
        None => panic!("no thread runs here"),
    }
}

/// The running thread's process is a pager: others wait for it to bring pages in.
pub(crate) fn is_pager() -> bool {
    try_current().is_some_and(|me| me.process.is_pager.load(core::sync::atomic::Ordering::Relaxed))
}

/// The running thread, or `None` while the CPU idles.
pub fn try_current() -> Option<Arc<Thread>> {
    CURRENT.get().lock().clone()
}

/// Says what runs on this CPU from now on; the scheduler's.
pub(crate) fn replace_current(thread: Option<Arc<Thread>>) -> Option<Arc<Thread>> {
    core::mem::replace(&mut *CURRENT.get().lock(), thread)
}

impl Thread {
    /// A thread that does not run yet and that its process does not list yet.
    pub(crate) fn new(process: &Arc<Process>, tid: u32, context: Arc<Context>, name: [u8; 16]) -> Arc<Thread> {
        let (priority, affinity) = match try_current() {
            Some(me) => (me.sched.priority.load(Relaxed), me.sched.affinity.load(Relaxed)),
            None => (DEFAULT_PRIORITY, u64::MAX),
        };
        Arc::new(Thread {
            tid,
            process: process.clone(),
            context,
            sched: SchedState::new(priority, affinity),
            signals: ThreadSignals::new(),
            call: CallState::new(),
            clear_tid: AtomicU64::new(0),
            robust_list: AtomicU64::new(0),
            reflect_fs: AtomicU64::new(0),
            in_syscall: AtomicU64::new(0),
            flags: AtomicU32::new(0),
            name: SpinLock::new(name),
            counted: AtomicBool::new(false),
        })
    }

    /// The thread is to end; it unwinds out of whatever it waits for.
    pub fn is_killed(&self) -> bool {
        self.flags.load(SeqCst) & KILLED != 0
    }

    /// There is something to do before user mode.
    pub(crate) fn wants_attention(&self) -> bool {
        self.flags.load(Relaxed) != 0
    }

    /// Asks for attention, and interrupts an interruptible wait.
    pub(crate) fn ask(self: &Arc<Self>, flags: u32) {
        self.flags.fetch_or(flags | ATTENTION, SeqCst);
        sched::unpark(self);
        let cpu = self.sched.cpu.load(Relaxed);
        if cpu != cpu::id() && self.context.is_running() {
            cpu::send_resched(cpu);
        }
    }

    /// Switches to the runtime's own FS base (REFLECT_FS); the one before, or `None` if there is no other. Of the calling thread.
    pub(crate) fn enter_own_fs(&self) -> Option<u64> {
        let own = self.reflect_fs.load(Relaxed);
        if own == 0 {
            return None;
        }
        let before = self.context.fs_base();
        self.context.set_fs_base(own);
        Some(before)
    }

    /// Attention was paid.
    pub(crate) fn calm(&self) {
        self.flags.fetch_and(!ATTENTION, SeqCst);
    }

    /// A signal would be delivered on the way to user mode, or the process is to stop.
    pub fn signal_deliverable(&self) -> bool {
        self.wants_attention() && (self.signals.deliverable(self) || self.process.is_stopped())
    }

    /// Its name for listings.
    pub fn name(&self) -> [u8; 16] {
        *self.name.lock()
    }

    /// Names it; at most 15 bytes count.
    pub fn set_name(&self, name: &[u8]) {
        let mut bytes = [0; 16];
        let len = name.len().min(15);
        bytes[..len].copy_from_slice(&name[..len]);
        *self.name.lock() = bytes;
    }
}

/// Priority of ordinary threads.
pub const DEFAULT_PRIORITY: u8 = 8;

/// THREAD_CREATE.
pub fn thread_create(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let args: ThreadArgs = crate::user::read(a[0])?;
    if !crate::mm::reclaim::has_room() {
        return Err(Errno::ENOMEM);
    }
    let process = &me.process;
    let regs = UserRegs { rip: args.entry, rsp: args.stack, rdi: args.arg, rflags: 0x202, ..UserRegs::default() };
    let table = process.space().table();
    let context = Context::new_user(&regs, args.tls, table).ok_or(Errno::ENOMEM)?;
    let tid = crate::process::allocate_id()?;
    let thread = Thread::new(process, tid, context, me.name());
    thread.signals.set_initial_mask(args.sigmask);
    thread.clear_tid.store(args.clear_tid, Relaxed);
    if args.set_tid != 0 {
        if let Err(error) = crate::user::write(args.set_tid, &tid) {
            crate::process::free_id(tid);
            return Err(error);
        }
    }
    process.add_thread(&thread)?;
    sched::start(&thread);
    Ok(tid as usize)
}

/// Ends the calling thread; the last one ends the process. The caller's Arc is the only one left on this kernel stack.
pub(crate) fn exit(me: Arc<Thread>) -> ! {
    crate::io::futex::exit_robust_list(&me);
    crate::io::futex_pi::owner_ends(&me);
    let clear = me.clear_tid.load(Relaxed);
    if clear != 0 && crate::user::write(clear, &0u32).is_ok() {
        crate::io::futex::wake_address(&me, clear);
    }
    me.signals.release(&me);
    let process = me.process.clone();
    process.remove_thread(&me);
    drop(process);
    drop(me);
    sched::exit_current()
}

impl Thread {
    /// Marks it as listed (or not); true if that changed.
    pub(crate) fn set_counted(&self, counted: bool) -> bool {
        self.counted.swap(counted, SeqCst) != counted
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // The first thread's id is the process's, which outlives it as a zombie.
        if self.tid != self.process.pid {
            crate::process::free_id(self.tid);
        }
    }
}

/// SET_CLEAR_TID.
pub fn set_clear_tid(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.clear_tid.store(a[0], Relaxed);
    Ok(me.tid as usize)
}

/// SET_ROBUST_LIST.
pub fn set_robust_list(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    // sizeof(struct robust_list_head)
    if a[1] != 24 {
        return Err(Errno::EINVAL);
    }
    me.robust_list.store(a[0], Relaxed);
    Ok(0)
}

/// SET_FS_BASE.
pub fn set_fs_base(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    if a[0] >= ochre_abi::layout::USER_END as u64 {
        return Err(Errno::EPERM);
    }
    me.context.set_fs_base(a[0]);
    Ok(0)
}

/// REFLECT_FS.
pub fn reflect_fs(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    if a[0] >= ochre_abi::layout::USER_END as u64 {
        return Err(Errno::EPERM);
    }
    me.reflect_fs.store(a[0], Relaxed);
    Ok(0)
}

/// YIELD.
pub fn yield_now(me: &Arc<Thread>, _: &[u64; 6]) -> Result<usize> {
    sched::yield_now(me);
    Ok(0)
}

fn cpu_mask() -> u64 {
    match cpu::count() {
        64.. => u64::MAX,
        count => (1 << count) - 1,
    }
}

/// The CPUs that a thread may run on, of those there are.
pub(crate) fn affinity_of(thread: &Thread) -> u64 {
    thread.sched.affinity.load(Relaxed) & cpu_mask()
}

/// SET_AFFINITY.
pub fn set_affinity(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let thread = crate::process::own_thread(me, a[0])?;
    let mask = a[1] & cpu_mask();
    if mask == 0 {
        return Err(Errno::EINVAL);
    }
    thread.sched.affinity.store(mask, SeqCst);
    if Arc::ptr_eq(&thread, me) {
        sched::migrate(me);
    } else if thread.context.is_running() {
        cpu::send_resched(thread.sched.cpu.load(Relaxed));
    }
    Ok(0)
}

/// GET_AFFINITY.
pub fn get_affinity(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let thread = crate::process::own_thread(me, a[0])?;
    Ok(affinity_of(&thread) as usize)
}

/// SET_PRIORITY.
pub fn set_priority(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let priority = u8::try_from(a[1]).ok().filter(|p| *p < 32).ok_or(Errno::EINVAL)?;
    if priority > 16 {
        me.process.need_right(ochre_abi::process::RIGHT_PRIORITY)?;
    }
    let thread = crate::process::own_thread(me, a[0])?;
    thread.sched.priority.store(priority, Relaxed);
    thread.sched.effective.store(priority, Relaxed);
    Ok(0)
}

/// CPU_COUNT.
pub fn cpu_count(_: &Arc<Thread>, _: &[u64; 6]) -> Result<usize> {
    Ok(cpu::count())
}

/// SET_NAME.
pub fn set_name(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let mut name = [0; 15];
    let len = (a[1] as usize).min(name.len());
    crate::user::copy_in(&mut name[..len], a[0])?;
    me.set_name(&name[..len]);
    Ok(0)
}

/// REFLECT_SET.
pub fn reflect_set(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    if a[0] >= ochre_abi::layout::USER_END as u64 {
        return Err(Errno::EINVAL);
    }
    me.process.reflect.store(a[0], Relaxed);
    Ok(0)
}
