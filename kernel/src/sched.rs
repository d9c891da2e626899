//! The scheduler: a run queue a CPU, priorities, time slices, and direct switches for calls.
//!
//! A thread's state is one atomic word:
//!
//! - `RUNNING`: on a CPU. An unpark turns it into `RUNNING_TOKEN`, and the next [`park`] returns at once.
//! - `PARKED`: waiting; only its waker (unpark, or a direct switch that claims it) changes that.
//! - `READY`: in exactly one run queue.
//! - `DEAD`: never runs again.
//!
//! Whoever moves a thread from `PARKED` owns putting it on a CPU, so a thread never stands in two queues. A thread that was made
//! ready while it is still switching away on another CPU is refused by hal (`Busy`) and queued again until it is off.

use crate::thread::{self, Thread};
use crate::timer;
use alloc::sync::Arc;
use core::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use hal::context::{self, Context};
use hal::cpu::{self, CpuLocal, MAX_CPUS};
use hal::{Once, SpinLock};
use ochre_hal as hal;
use ochre_logic::run_queue::RunQueue;

/// How long a thread runs while others of its priority wait, in ns.
const TIME_SLICE: u64 = 4_000_000;

pub(crate) const RUNNING: u8 = 0;
pub(crate) const RUNNING_TOKEN: u8 = 1;
pub(crate) const PARKED: u8 = 2;
pub(crate) const READY: u8 = 3;
pub(crate) const DEAD: u8 = 4;

/// Why [`park`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Somebody unparked the thread.
    Unparked,
    /// The deadline passed.
    TimedOut,
    /// A signal is deliverable.
    Interrupted,
    /// The thread is to end.
    Killed,
}

struct Cpu {
    queue: SpinLock<RunQueue<Arc<Thread>>>,
    /// Length of the queue, to look at without the lock.
    waiting: AtomicUsize,
    /// Priority of what runs; 255 while idle.
    running_priority: AtomicU8,
    slice_end: AtomicU64,
    need_resched: AtomicBool,
    /// The flow that runs when nothing else does.
    idle: Once<Arc<Context>>,
}

impl Cpu {
    const fn new() -> Self {
        Cpu {
            queue: SpinLock::new(RunQueue::new()),
            waiting: AtomicUsize::new(0),
            running_priority: AtomicU8::new(IDLE),
            slice_end: AtomicU64::new(0),
            need_resched: AtomicBool::new(false),
            idle: Once::new(),
        }
    }
}

const IDLE: u8 = 255;

static CPUS: CpuLocal<Cpu> = CpuLocal::new([const { Cpu::new() }; MAX_CPUS]);
/// Bit n: CPU n idles (or is about to).
static IDLE_CPUS: AtomicU64 = AtomicU64::new(0);

/// Scheduling state of a thread.
pub struct SchedState {
    state: AtomicU8,
    /// Its own priority, 0 to 31.
    pub priority: AtomicU8,
    /// The priority that waiters for its locks lend it.
    lent: AtomicU8,
    /// The priority it runs at now: a server runs at its caller's if that is higher.
    pub effective: AtomicU8,
    /// CPUs it may run on.
    pub affinity: AtomicU64,
    /// The CPU it ran on last.
    pub cpu: AtomicUsize,
    /// ns on a CPU, and when it got the CPU it is on.
    pub run_ns: AtomicU64,
    started: AtomicU64,
}

impl SchedState {
    /// Of a thread that does not run yet.
    pub fn new(priority: u8, affinity: u64) -> Self {
        SchedState {
            state: AtomicU8::new(PARKED),
            priority: AtomicU8::new(priority),
            lent: AtomicU8::new(0),
            effective: AtomicU8::new(priority),
            affinity: AtomicU64::new(affinity),
            cpu: AtomicUsize::new(cpu::id()),
            run_ns: AtomicU64::new(0),
            started: AtomicU64::new(0),
        }
    }

    /// Its own priority, or the one it is lent if that is higher.
    pub fn base(&self) -> u8 {
        self.priority.load(Relaxed).max(self.lent.load(Relaxed))
    }

    /// CPU time so far, ns, with what a running thread has used since it got its CPU.
    pub fn run_ns_now(&self) -> u64 {
        let running = matches!(self.state.load(Relaxed), RUNNING | RUNNING_TOKEN);
        let started = self.started.load(Relaxed);
        let slice = if running && started != 0 { hal::time::now().saturating_sub(started) } else { 0 };
        self.run_ns.load(Relaxed) + slice
    }

    /// A word for listings.
    pub fn name(&self) -> &'static str {
        match self.state.load(Relaxed) {
            RUNNING | RUNNING_TOKEN => "running",
            PARKED => "waiting",
            READY => "ready",
            _ => "dead",
        }
    }
}

/// This CPU's first flow becomes its idle flow and never returns.
pub fn run_idle() -> ! {
    let this = CPUS.get();
    if this.idle.set(context::current()).is_err() {
        panic!("this CPU idles already");
    }
    loop {
        let bit = 1u64 << cpu::id();
        if let Some(next) = pick() {
            run(next);
            continue;
        }
        this.running_priority.store(IDLE, Relaxed);
        IDLE_CPUS.fetch_or(bit, SeqCst);
        // Look once more now that others see this CPU as idle and would send an interrupt.
        let late = pick();
        if late.is_none() {
            cpu::wait_for_interrupt();
        }
        IDLE_CPUS.fetch_and(!bit, SeqCst);
        if let Some(next) = late {
            run(next);
        }
    }
}

/// The next thread for this CPU: its own queue first, then another's.
fn pick() -> Option<Arc<Thread>> {
    let this = CPUS.get();
    if this.waiting.load(SeqCst) > 0 {
        let mut queue = this.queue.lock();
        let next = queue.pop();
        this.waiting.store(queue.len(), SeqCst);
        if next.is_some() {
            return next;
        }
    }
    let me = cpu::id();
    let count = cpu::count();
    for n in (1..count).map(|i| (me + i) % count) {
        let other = CPUS.of(n);
        if other.waiting.load(Relaxed) == 0 {
            continue;
        }
        let mut queue = other.queue.lock();
        let stolen = queue.take_where(|t| t.sched.affinity.load(Relaxed) & (1 << me) != 0);
        other.waiting.store(queue.len(), SeqCst);
        if stolen.is_some() {
            return stolen;
        }
    }
    None
}

/// Switches to a thread taken from a queue; returns when this flow runs again, or at once if the thread was busy and went back.
fn run(next: Arc<Thread>) {
    let this = CPUS.get();
    let now = hal::time::now();
    this.slice_end.store(now + TIME_SLICE, Relaxed);
    if this.waiting.load(Relaxed) > 0 {
        timer::need_interrupt_at(now + TIME_SLICE);
    }
    next.sched.effective.store(next.sched.base(), Relaxed);
    if let Err(next) = switch(next, now) {
        enqueue_on(cpu::id(), next);
        cpu::spin_hint();
    }
}

/// Gives this CPU to `next`, which the caller has claimed. Err: it is still on another CPU; its state is READY again.
fn switch(next: Arc<Thread>, now: u64) -> Result<(), Arc<Thread>> {
    let this = CPUS.get();
    let id = cpu::id();
    next.sched.state.store(RUNNING, SeqCst);
    this.running_priority.store(next.sched.effective.load(Relaxed), Relaxed);
    let old_cpu = next.sched.cpu.swap(id, Relaxed);
    next.sched.started.store(now, Relaxed);
    // From here on only the CPU refers to `next`: this stack may not run again for long after that thread has ended.
    let context = next.context.clone();
    let old = thread::replace_current(Some(next));
    account(old.as_ref(), now);
    if context::switch_into(context).is_ok() {
        // Somebody switched back to this flow, maybe on another CPU; `old` is this flow's own thread (or none for idle).
        return Ok(());
    }
    let priority = old.as_ref().map_or(IDLE, |t| t.sched.effective.load(Relaxed));
    this.running_priority.store(priority, Relaxed);
    match thread::replace_current(old) {
        Some(next) => {
            next.sched.cpu.store(old_cpu, Relaxed);
            next.sched.state.store(READY, SeqCst);
            Err(next)
        }
        None => Ok(()),
    }
}

/// Threads that run or wait for a CPU, as far as can be told without locks.
pub(crate) fn runnable() -> usize {
    let idle = IDLE_CPUS.load(Relaxed);
    (0..cpu::count()).map(|n| CPUS.of(n).waiting.load(Relaxed) + usize::from(idle & (1 << n) == 0)).sum()
}

fn account(old: Option<&Arc<Thread>>, now: u64) {
    if let Some(old) = old {
        let ran = now.saturating_sub(old.sched.started.swap(now, Relaxed));
        old.sched.run_ns.store(old.sched.run_ns.load(Relaxed) + ran, Relaxed);
    }
}

/// Leaves the CPU until something makes `me` run again. `me` is PARKED or READY (in a queue) already.
fn leave_cpu(me: &Arc<Thread>) {
    loop {
        match pick() {
            Some(next) if Arc::ptr_eq(&next, me) => {
                me.sched.state.store(RUNNING, SeqCst);
                return;
            }
            Some(next) => {
                let now = hal::time::now();
                let this = CPUS.get();
                this.slice_end.store(now + TIME_SLICE, Relaxed);
                if this.waiting.load(Relaxed) > 0 {
                    timer::need_interrupt_at(now + TIME_SLICE);
                }
                next.sched.effective.store(next.sched.base(), Relaxed);
                match switch(next, now) {
                    Ok(()) => return,
                    Err(next) => {
                        enqueue_on(cpu::id(), next);
                        hal::paging::service_shootdown();
                        cpu::spin_hint();
                    }
                }
            }
            None => {
                switch_to_idle();
                return;
            }
        }
    }
}

/// Gives the CPU to its idle flow. Returns when the running flow is switched to again.
fn switch_to_idle() {
    let this = CPUS.get();
    let old = thread::replace_current(None);
    account(old.as_ref(), hal::time::now());
    drop(old);
    this.running_priority.store(IDLE, Relaxed);
    let Some(idle) = this.idle.get() else { panic!("a CPU without an idle flow") };
    if context::switch_to(idle).is_err() {
        panic!("the idle flow runs elsewhere");
    }
}

/// Waits for an unpark (or takes one that came already).
///
/// Returns too when `deadline` (ns since boot) has passed, when the thread is to end, and, if `interruptible`, when a signal is
/// deliverable. No spin lock may be held.
pub fn park(me: &Arc<Thread>, deadline: Option<u64>, interruptible: bool) -> Wake {
    if me.is_killed() {
        return Wake::Killed;
    }
    if interruptible && me.signal_deliverable() {
        return Wake::Interrupted;
    }
    let armed = match deadline {
        Some(deadline) if deadline <= hal::time::now() => {
            me.sched.state.store(RUNNING, SeqCst);
            return Wake::TimedOut;
        }
        Some(deadline) => Some(timer::arm_unpark(deadline, me.clone())),
        None => None,
    };
    if me.sched.state.compare_exchange(RUNNING, PARKED, SeqCst, SeqCst).is_ok() {
        leave_cpu(me);
    } else {
        me.sched.state.store(RUNNING, SeqCst);
    }
    if let Some(id) = armed {
        timer::cancel(id);
    }
    if me.is_killed() {
        Wake::Killed
    } else if interruptible && me.signal_deliverable() {
        Wake::Interrupted
    } else if deadline.is_some_and(|d| hal::time::now() >= d) {
        Wake::TimedOut
    } else {
        Wake::Unparked
    }
}

/// Makes a parked thread ready; a running one returns from its next [`park`] at once. Callable with locks held and from interrupts.
pub fn unpark(thread: &Arc<Thread>) {
    let state = &thread.sched.state;
    loop {
        let now = state.load(SeqCst);
        let next = match now {
            RUNNING => RUNNING_TOKEN,
            PARKED => READY,
            _ => return,
        };
        if state.compare_exchange(now, next, SeqCst, SeqCst).is_ok() {
            if next == READY {
                place(thread.clone());
            }
            return;
        }
    }
}

/// Queues a READY thread where it will run soonest: its last CPU or any other that idles, else the last one it ran on.
fn place(thread: Arc<Thread>) {
    let affinity = thread.sched.affinity.load(Relaxed);
    let last = thread.sched.cpu.load(Relaxed);
    let idle = IDLE_CPUS.load(SeqCst) & affinity;
    let target = if idle & (1 << last) != 0 {
        last
    } else if idle != 0 {
        idle.trailing_zeros() as usize
    } else if affinity & (1 << last) != 0 {
        last
    } else {
        (affinity.trailing_zeros() as usize).min(cpu::count() - 1)
    };
    enqueue_on(target, thread);
}

fn enqueue_on(target: usize, thread: Arc<Thread>) {
    let cpu = CPUS.of(target);
    let priority = thread.sched.effective.load(Relaxed);
    let mut queue = cpu.queue.lock();
    queue.push(priority, thread);
    let waiting = queue.len();
    cpu.waiting.store(waiting, SeqCst);
    drop(queue);
    let running = cpu.running_priority.load(Relaxed);
    let preempts = running != IDLE && priority > running;
    if preempts {
        cpu.need_resched.store(true, SeqCst);
    }
    if target == cpu::id() {
        if running != IDLE {
            timer::need_interrupt_at(cpu.slice_end.load(Relaxed));
        }
    } else if preempts || running == IDLE || waiting == 1 {
        // A busy CPU runs without a deadline while its queue is empty; it sets one when it hears of company.
        cpu::send_resched(target);
    }
}

/// Lends a thread a priority (0: none any more); false if it has that already. A ready thread moves in its queue.
pub(crate) fn lend(thread: &Arc<Thread>, priority: u8) -> bool {
    if thread.sched.lent.swap(priority, SeqCst) == priority {
        return false;
    }
    thread.sched.effective.store(thread.sched.base(), Relaxed);
    if thread.sched.state.load(SeqCst) == READY {
        let target = thread.sched.cpu.load(Relaxed);
        let cpu = CPUS.of(target);
        let mut queue = cpu.queue.lock();
        let found = queue.take_where(|other| Arc::ptr_eq(other, thread));
        cpu.waiting.store(queue.len(), SeqCst);
        drop(queue);
        // In another CPU's queue it waits with its old priority, until that CPU or an idle one picks it.
        if let Some(thread) = found {
            enqueue_on(target, thread);
        }
    }
    true
}

/// Parks `me` and gives the CPU, the rest of the time slice and the priority directly to `server`, a parked thread, without the run
/// queue. If the server cannot take over at once it is queued instead. Returns when `me` is unparked (or was already).
pub fn switch_direct(me: &Arc<Thread>, server: Arc<Thread>) {
    if server.sched.state.compare_exchange(PARKED, READY, SeqCst, SeqCst).is_err() {
        // It is awake, or about to park: a token keeps it from sleeping.
        unpark(&server);
        park_now(me);
        return;
    }
    if me.sched.state.compare_exchange(RUNNING, PARKED, SeqCst, SeqCst).is_err() {
        me.sched.state.store(RUNNING, SeqCst);
        place(server);
        return;
    }
    let mine = me.sched.effective.load(Relaxed);
    if mine > server.sched.effective.load(Relaxed) {
        server.sched.effective.store(mine, Relaxed);
    }
    if server.sched.affinity.load(Relaxed) & (1 << cpu::id()) == 0 {
        place(server);
        leave_cpu(me);
        return;
    }
    if let Err(server) = switch(server, hal::time::now()) {
        place(server);
        leave_cpu(me);
    }
}

/// [`park`] without deadline, signals or kill: for waits that somebody is bound to end.
pub fn park_now(me: &Arc<Thread>) {
    if me.sched.state.compare_exchange(RUNNING, PARKED, SeqCst, SeqCst).is_ok() {
        leave_cpu(me);
    } else {
        me.sched.state.store(RUNNING, SeqCst);
    }
}

/// Lets others of at least the same priority run.
pub fn yield_now(me: &Arc<Thread>) {
    let this = CPUS.get();
    this.need_resched.store(false, SeqCst);
    if this.waiting.load(Relaxed) == 0 {
        this.slice_end.store(hal::time::now() + TIME_SLICE, Relaxed);
        return;
    }
    me.sched.state.store(READY, SeqCst);
    me.sched.effective.store(me.sched.base(), Relaxed);
    let affinity = me.sched.affinity.load(Relaxed);
    if affinity & (1 << cpu::id()) != 0 {
        let mut queue = this.queue.lock();
        queue.push(me.sched.effective.load(Relaxed), me.clone());
        this.waiting.store(queue.len(), SeqCst);
    } else {
        place(me.clone());
    }
    leave_cpu(me);
}

/// Moves `me` to a CPU that its affinity allows, if this one is not.
pub fn migrate(me: &Arc<Thread>) {
    if me.sched.affinity.load(Relaxed) & (1 << cpu::id()) == 0 {
        me.sched.state.store(READY, SeqCst);
        place(me.clone());
        leave_cpu(me);
    }
}

/// The running thread should give way before it goes back to user mode.
pub fn need_resched() -> bool {
    CPUS.get().need_resched.load(Relaxed)
}

/// After the deadline interrupt: is the time slice over?
pub fn tick(now: u64) {
    let this = CPUS.get();
    if this.waiting.load(Relaxed) == 0 || this.running_priority.load(Relaxed) == IDLE {
        return;
    }
    let end = this.slice_end.load(Relaxed);
    if now >= end {
        this.need_resched.store(true, Relaxed);
    } else {
        timer::need_interrupt_at(end);
    }
}

/// Another CPU queued something here.
pub fn resched_interrupt() {
    tick(hal::time::now());
}

/// Ends the running thread's life on the CPU. The caller has dropped every other reference that lives on this stack.
pub fn exit_current() -> ! {
    if let Some(me) = thread::replace_current(None) {
        account(Some(&me), hal::time::now());
        me.sched.state.store(DEAD, SeqCst);
    }
    let this = CPUS.get();
    this.running_priority.store(IDLE, Relaxed);
    if let Some(idle) = this.idle.get() {
        let _ = context::switch_to(idle);
    }
    panic!("a dead thread was switched to");
}

/// A new thread enters the scheduler.
pub fn start(thread: &Arc<Thread>) {
    unpark(thread);
}

/// ns that the running thread has been on its CPU since it last got it; 0 for others.
pub fn slice_ns(thread: &Arc<Thread>) -> u64 {
    if matches!(thread.sched.state.load(Relaxed), RUNNING | RUNNING_TOKEN) {
        hal::time::now().saturating_sub(thread.sched.started.load(Relaxed))
    } else {
        0
    }
}
