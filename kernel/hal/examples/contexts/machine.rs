//! The least of a kernel: tasks, a queue of them, system calls to yield, fork and exit.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ochre_hal::context::{self, Context};
use ochre_hal::cpu::{self, CpuLocal, MAX_CPUS};
use ochre_hal::mem::Frame;
use ochre_hal::paging::{PageTable, Prot};
use ochre_hal::{Exception, Once, SpinLock, UserRegs};

/// Where programs are mapped.
pub const CODE: usize = 0x40_0000;

/// A user program that runs.
pub struct Task {
    pub context: Arc<Context>,
    pub table: Arc<PageTable>,
    exit: AtomicU64,
    /// To whom a yield switches.
    pub peer: Once<Arc<Task>>,
}

const RUNNING: u64 = u64::MAX;

impl Task {
    /// A task with `program` at [`CODE`] in `table`.
    pub fn new(program: &[u8], table: &Arc<PageTable>, fs_base: usize, regs: &UserRegs) -> Arc<Task> {
        let code = Frame::alloc_zeroed().expect("memory");
        code.write(0, program);
        table.map(CODE, code, Prot::RX).expect("memory");
        let regs = UserRegs { rip: CODE as u64, ..*regs };
        let context = Context::new_user(&regs, fs_base as u64, table.clone()).expect("memory");
        Task::of(context, table.clone())
    }

    fn of(context: Arc<Context>, table: Arc<PageTable>) -> Arc<Task> {
        Arc::new(Task { context, table, exit: AtomicU64::new(RUNNING), peer: Once::new() })
    }

    /// What it exited with.
    pub fn exit(&self) -> Option<u64> {
        Some(self.exit.load(Ordering::SeqCst)).filter(|&code| code != RUNNING)
    }
}

/// A page of zeroes, mapped for reading and writing.
pub fn page(table: &PageTable, va: usize) -> Frame {
    let frame = Frame::alloc_zeroed().expect("memory");
    table.map(va, frame.clone(), Prot::RW).expect("memory");
    frame
}

static MAIN: CpuLocal<Once<Arc<Context>>> = CpuLocal::new([const { Once::new() }; MAX_CPUS]);
static CURRENT: CpuLocal<SpinLock<Option<Arc<Task>>>> = CpuLocal::new([const { SpinLock::new(None) }; MAX_CPUS]);
static QUEUE: SpinLock<VecDeque<Arc<Task>>> = SpinLock::new(VecDeque::new());
static FORKED: SpinLock<Option<Arc<Task>>> = SpinLock::new(None);
/// Times that a task was still on another CPU.
pub static BUSY: AtomicUsize = AtomicUsize::new(0);

type Handler = fn(&mut UserRegs, Option<Exception>);
static HANDLER: SpinLock<Option<Handler>> = SpinLock::new(None);

/// Lets `handler` have system calls and exceptions, until it is set to None.
pub fn handle(handler: Option<Handler>) {
    *HANDLER.lock() = handler;
}

/// Makes the running flow this CPU's main one.
pub fn adopt() {
    assert!(MAIN.get().set(context::current()).is_ok());
}

/// Runs the task until it yields or exits; it may go on on another CPU afterwards.
pub fn run(task: &Arc<Task>) -> bool {
    let done = try_run(task);
    if !done {
        BUSY.fetch_add(1, Ordering::Relaxed);
    }
    done
}

fn try_run(task: &Arc<Task>) -> bool {
    let before = CURRENT.get().lock().replace(task.clone());
    assert!(before.is_none());
    let done = context::switch_to(&task.context).is_ok();
    *CURRENT.get().lock() = None;
    done
}

/// Runs the task until it exits, and returns its code.
pub fn finish(task: &Arc<Task>) -> u64 {
    loop {
        assert!(run(task));
        if let Some(code) = task.exit() {
            return code;
        }
    }
}

/// Puts a task into the queue of all CPUs.
pub fn enqueue(task: &Arc<Task>) {
    QUEUE.lock().push_back(task.clone());
}

/// Runs one task of the queue.
pub fn serve_one() {
    let task = QUEUE.lock().pop_front();
    match task {
        Some(task) if task.exit().is_none() => {
            if !run(&task) {
                enqueue(&task);
            }
        }
        _ => {
            cpu::spin_hint();
            cpu::poll_interrupts();
        }
    }
}

/// Runs tasks of the queue for ever.
pub fn serve() -> ! {
    loop {
        serve_one();
    }
}

/// The child of the last fork.
pub fn forked() -> Option<Arc<Task>> {
    FORKED.lock().take()
}

/// Goes on with this CPU's main flow.
pub fn to_main() {
    let main = MAIN.get().get().expect("a main flow");
    context::switch_to(main).expect("the main flow waits");
}

pub fn syscall(regs: &mut UserRegs) {
    match regs.rax {
        0 => regs.rax = 42,
        2 => yield_now(),
        1 => {
            let task = CURRENT.get().lock().take().expect("a task");
            task.exit.store(regs.rdi, Ordering::SeqCst);
            drop(task);
            to_main();
            unreachable!("an exited task runs");
        }
        3 => {
            let parent = CURRENT.get().lock().clone().expect("a task");
            let table = PageTable::new().expect("memory");
            parent.table.share_readonly(&table, 0, usize::MAX).expect("memory");
            let child = UserRegs { rax: 1, ..*regs };
            let context = Context::fork_current(&child, parent.context.fs_base(), table.clone()).expect("memory");
            *FORKED.lock() = Some(Task::of(context, table));
            regs.rax = 0;
        }
        _ => {
            let handler = *HANDLER.lock();
            handler.expect("a handler for unknown calls")(regs, None);
        }
    }
}

fn yield_now() {
    let task = CURRENT.get().lock().clone().expect("a task");
    match task.peer.get() {
        Some(peer) if peer.exit().is_none() => {
            *CURRENT.get().lock() = Some(peer.clone());
            drop(task);
            let peer: Arc<Context> = CURRENT.get().lock().as_ref().expect("just set").context.clone();
            context::switch_to(&peer).expect("the peer waits");
        }
        Some(_) => {}
        None => {
            // Into the queue before it has left this CPU: another that takes it out finds it busy.
            if cpu::count() > 1 {
                enqueue(&task);
            }
            *CURRENT.get().lock() = None;
            drop(task);
            to_main();
        }
    }
}

pub fn exception(regs: &mut UserRegs, e: Exception) {
    let handler = *HANDLER.lock();
    match handler {
        Some(handler) => handler(regs, Some(e)),
        None => panic!("{e:?} at {:#x}", regs.rip),
    }
}
