//! Signals: queues in the kernel, masks and pending words in pages shared with the process (see `ochre_abi::signal`).
//!
//! The kernel's own pending words count; the shared ones are copies for user mode to look at. Masks and the ignored set are the
//! process's: whatever it writes there only changes how it is treated itself.

use crate::process::{self, Change, Process};
use crate::readiness::Readiness;
use crate::sched::{self, Wake};
use crate::thread::Thread;
use crate::user;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::mem::offset_of;
use core::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use hal::mem::Frame;
use hal::paging::Prot;
use hal::{Exception, SpinLock, UserRegs};
use ochre_abi::event::EPOLLIN;
use ochre_abi::layout::PROCESS_PAGE;
use ochre_abi::process::{EXIT_CORE, EXIT_SIGNAL, RIGHT_KILL};
use ochre_abi::signal::*;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// Queued signals of one thread or process (RLIMIT_SIGPENDING's part).
const QUEUE_MAX: usize = 1024;
/// Standard signals are pending once at the most; real-time ones (from here on) queue.
const FIRST_REALTIME: u32 = 32;
/// Never blocked.
const UNBLOCKABLE: u64 = bit(SIGKILL) | bit(SIGSTOP);

/// Pending signals with their information.
struct Pending {
    set: AtomicU64,
    queue: SpinLock<VecDeque<SigInfo>>,
}

impl Pending {
    const fn new() -> Self {
        Pending { set: AtomicU64::new(0), queue: SpinLock::new(VecDeque::new()) }
    }

    /// Adds one; EAGAIN if the queue is full. A standard signal that is pending already is merged.
    fn push(&self, info: SigInfo) -> Result<()> {
        let mut queue = self.queue.lock();
        let merged = info.signal < FIRST_REALTIME && self.set.load(SeqCst) & bit(info.signal) != 0;
        if !merged {
            if queue.len() >= QUEUE_MAX {
                return Err(Errno::EAGAIN);
            }
            queue.push_back(info);
        }
        self.set.fetch_or(bit(info.signal), SeqCst);
        Ok(())
    }

    /// Takes the first of the lowest number in `set`.
    fn take(&self, set: u64) -> Option<SigInfo> {
        let wanted = self.set.load(SeqCst) & set;
        if wanted == 0 {
            return None;
        }
        let signal = wanted.trailing_zeros() + 1;
        let mut queue = self.queue.lock();
        let index = queue.iter().position(|info| info.signal == signal)?;
        let info = queue.remove(index);
        if !queue.iter().any(|info| info.signal == signal) {
            self.set.fetch_and(!bit(signal), SeqCst);
        }
        info
    }

    /// Forgets the signals in `set`.
    fn discard(&self, set: u64) {
        let mut queue = self.queue.lock();
        queue.retain(|info| bit(info.signal) & set == 0);
        self.set.fetch_and(!set, SeqCst);
    }

    /// Copies the set to a shared word. Sets change under the queue's lock, so that an older one never overwrites a newer.
    fn copy_to(&self, word: &AtomicU64) {
        let _queue = self.queue.lock();
        word.store(self.set.load(SeqCst), SeqCst);
    }
}

/// The page that a thread and the kernel share.
struct Shared {
    frame: Frame,
    addr: usize,
}

/// A thread's signals.
pub struct ThreadSignals {
    pending: Pending,
    shared: SpinLock<Option<Shared>>,
    /// The mask until there is a page.
    initial_mask: AtomicU64,
}

macro_rules! word {
    ($frame:expr, $page:ty, $field:ident) => {
        $frame.atomic_u64(offset_of!($page, $field))
    };
}

impl ThreadSignals {
    /// Nothing pending, no page, everything blocked until there is one.
    pub const fn new() -> Self {
        ThreadSignals { pending: Pending::new(), shared: SpinLock::new(None), initial_mask: AtomicU64::new(0) }
    }

    pub(crate) fn set_initial_mask(&self, mask: u64) {
        self.initial_mask.store(mask, Relaxed);
    }

    /// Blocked signals. A thread without a page has all of them blocked: it could not handle any.
    pub fn mask(&self) -> u64 {
        match &*self.shared.lock() {
            Some(shared) => word!(shared.frame, SignalPage, mask).load(SeqCst) & !UNBLOCKABLE,
            None => u64::MAX,
        }
    }

    fn held(&self) -> bool {
        match &*self.shared.lock() {
            Some(shared) => shared.frame.atomic_u32(offset_of!(SignalPage, held)).load(SeqCst) != 0,
            None => true,
        }
    }

    /// Signals pending for the thread itself.
    pub fn pending(&self) -> u64 {
        self.pending.set.load(SeqCst)
    }

    /// A pending signal of the thread or its process is neither blocked nor held back.
    pub fn deliverable(&self, thread: &Thread) -> bool {
        let pending = self.pending() | thread.process.signals.pending();
        pending != 0 && !self.held() && pending & !self.mask() != 0
    }

    /// Copies the pending words to the pages.
    fn mirror(&self, process: &ProcessSignals) {
        if let Some(shared) = &*self.shared.lock() {
            self.pending.copy_to(word!(shared.frame, SignalPage, pending));
        }
        process.mirror();
    }

    /// fork: the child's thread gets a copy of the page at the same address, with nothing pending.
    pub(crate) fn fork_from(&self, thread: &Thread, parent: &ThreadSignals) -> Result<()> {
        self.initial_mask.store(parent.initial_mask.load(Relaxed), Relaxed);
        let guard = parent.shared.lock();
        let Some(shared) = &*guard else { return Ok(()) };
        let frame = Frame::alloc_zeroed().ok_or(Errno::ENOMEM)?;
        frame.copy_from(0, &shared.frame, 0, 4096);
        let addr = shared.addr;
        drop(guard);
        word!(frame, SignalPage, pending).store(0, SeqCst);
        thread.process.space().map_page(Some(addr), frame.clone(), Prot::RW)?;
        *self.shared.lock() = Some(Shared { frame, addr });
        Ok(())
    }

    /// exec: what is pending for the calling thread stays pending.
    pub(crate) fn take_over_pending(&self, old: &ThreadSignals) {
        let queue = core::mem::take(&mut *old.pending.queue.lock());
        self.pending.set.store(old.pending.set.swap(0, SeqCst), SeqCst);
        *self.pending.queue.lock() = queue;
    }

    pub(crate) fn forget_page(&self) {
        let old = self.shared.lock().take();
        drop(old);
    }

    /// The thread ends: its page goes, if the address space stays.
    pub(crate) fn release(&self, thread: &Thread) {
        let old = self.shared.lock().take();
        if let Some(shared) = old {
            thread.process.space().unmap_page(shared.addr);
        }
    }
}

/// A process's signals.
pub struct ProcessSignals {
    pending: Pending,
    page: Frame,
    trampoline: AtomicU64,
    /// Raised whenever a signal arrives; signalfds watch it.
    pub arrivals: Readiness,
    change: SpinLock<Change>,
    /// Threads that wait in SIGNAL_TAKE: an arrival wakes them though the signal is blocked.
    takers: AtomicUsize,
}

impl ProcessSignals {
    pub(crate) fn new(pid: u32) -> Result<Self> {
        let page = Frame::alloc_zeroed().ok_or(Errno::ENOMEM)?;
        page.atomic_u32(offset_of!(ProcessPage, pid)).store(pid, SeqCst);
        page.atomic_u32(offset_of!(ProcessPage, umask)).store(0o022, SeqCst);
        Ok(ProcessSignals {
            pending: Pending::new(),
            page,
            trampoline: AtomicU64::new(0),
            arrivals: Readiness::new(0),
            change: SpinLock::new(Change::None),
            takers: AtomicUsize::new(0),
        })
    }

    /// Maps the process's page into its space.
    pub(crate) fn start(&self, process: &Process, ignored: u64) -> Result<()> {
        word!(self.page, ProcessPage, ignored).store(ignored, SeqCst);
        process.space().map_page(Some(PROCESS_PAGE), self.page.clone(), Prot::RW)?;
        Ok(())
    }

    pub(crate) fn fork_from(&self, process: &Process, parent: &ProcessSignals) -> Result<()> {
        let flags = offset_of!(ProcessPage, flags);
        self.page.atomic_u32(flags).store(parent.page.atomic_u32(flags).load(SeqCst), SeqCst);
        let caught = word!(parent.page, ProcessPage, caught).load(Relaxed);
        word!(self.page, ProcessPage, caught).store(caught, Relaxed);
        self.inherit_umask(parent);
        self.trampoline.store(parent.trampoline.load(Relaxed), Relaxed);
        self.start(process, parent.ignored())
    }

    pub(crate) fn exec(&self, process: &Process, ignored: u64) -> Result<()> {
        self.trampoline.store(0, Relaxed);
        self.page.atomic_u32(offset_of!(ProcessPage, flags)).store(0, SeqCst);
        word!(self.page, ProcessPage, caught).store(0, Relaxed);
        self.start(process, ignored)
    }

    /// Signals pending for the process.
    pub fn pending(&self) -> u64 {
        self.pending.set.load(SeqCst)
    }

    /// A child's mask is its parent's; exec keeps it, as the page stays.
    pub(crate) fn inherit_umask(&self, parent: &ProcessSignals) {
        self.page.atomic_u32(offset_of!(ProcessPage, umask)).store(parent.umask(), Relaxed);
    }

    /// The file mode creation mask (the process's own word).
    pub fn umask(&self) -> u32 {
        self.page.atomic_u32(offset_of!(ProcessPage, umask)).load(Relaxed) & 0o777
    }

    /// Signals that do nothing; what a handler is set for (the process's own word).
    pub fn dispositions(&self) -> (u64, u64) {
        (self.ignored(), word!(self.page, ProcessPage, caught).load(Relaxed))
    }

    /// Signals that the process has said it does nothing about.
    pub fn ignored(&self) -> u64 {
        word!(self.page, ProcessPage, ignored).load(SeqCst) & !UNBLOCKABLE
    }

    fn mirror(&self) {
        self.pending.copy_to(word!(self.page, ProcessPage, pending));
    }

    fn flag(&self, flag: u32) -> bool {
        self.page.atomic_u32(offset_of!(ProcessPage, flags)).load(SeqCst) & flag != 0
    }

    pub(crate) fn no_child_wait(&self) -> bool {
        self.flag(PROCESS_FLAG_NO_CHILD_WAIT)
    }

    pub(crate) fn no_child_stop(&self) -> bool {
        self.flag(PROCESS_FLAG_NO_CHILD_STOP)
    }

    pub(crate) fn set_change(&self, change: Change) {
        *self.change.lock() = change;
    }

    /// The change that WAIT with these options may tell; `consume`: tell it once.
    pub(crate) fn change(&self, consume: bool, options: u64) -> Change {
        use ochre_abi::process::{WCONTINUED, WSTOPPED};
        let mut change = self.change.lock();
        let told = match *change {
            Change::Stopped(_) if options & WSTOPPED != 0 => *change,
            Change::Continued if options & WCONTINUED != 0 => *change,
            _ => Change::None,
        };
        if consume && told != Change::None {
            *change = Change::None;
        }
        told
    }
}

/// Sends a signal to a process: any of its threads that does not block it gets it.
pub fn send_to_process(process: &Arc<Process>, info: SigInfo) -> Result<()> {
    if !process.is_alive() {
        return Ok(());
    }
    if act_in_kernel(process, &info) {
        return Ok(());
    }
    let threads = process.threads();
    let signals = &process.signals;
    if signals.ignored() & bit(info.signal) != 0 && !threads.iter().any(|t| t.signals.mask() & bit(info.signal) != 0) {
        return Ok(());
    }
    signals.pending.push(info)?;
    signals.mirror();
    if let Some(thread) = threads.iter().find(|t| t.signals.mask() & bit(info.signal) == 0) {
        thread.ask(0);
    }
    arrived(signals, &threads);
    Ok(())
}

/// Sends a signal to one thread.
pub fn send_to_thread(thread: &Arc<Thread>, info: SigInfo) -> Result<()> {
    let process = &thread.process;
    if act_in_kernel(process, &info) {
        return Ok(());
    }
    let mask = thread.signals.mask();
    if process.signals.ignored() & bit(info.signal) & !mask != 0 {
        return Ok(());
    }
    thread.signals.pending.push(info)?;
    thread.signals.mirror(&process.signals);
    if mask & bit(info.signal) == 0 {
        thread.ask(0);
    }
    arrived(&process.signals, core::slice::from_ref(thread));
    Ok(())
}

fn arrived(signals: &ProcessSignals, threads: &[Arc<Thread>]) {
    signals.arrivals.raise(EPOLLIN);
    if signals.takers.load(SeqCst) != 0 {
        for thread in threads {
            sched::unpark(thread);
        }
    }
}

/// SIGKILL, and the stopping and continuing half of SIGSTOP and SIGCONT. True if nothing is left to deliver.
fn act_in_kernel(process: &Arc<Process>, info: &SigInfo) -> bool {
    match info.signal {
        SIGKILL => {
            process.begin_exit(EXIT_SIGNAL | u64::from(SIGKILL));
            true
        }
        SIGSTOP => {
            let signal = stopped_by(process, info);
            // Nobody would continue a group that is orphaned (POSIX, XSH 2.4.3): the default action is none.
            if signal == SIGSTOP || !crate::group::is_orphaned(process.pgid()) {
                process.set_stopped(true, signal);
            }
            true
        }
        SIGCONT => {
            process.signals.pending.discard(bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU));
            process.set_stopped(false, SIGCONT);
            false
        }
        _ => false,
    }
}

/// The signal that a stop is told to the parent as: SIGSTOP, or the one whose default action the process carries out by queueing
/// itself a SIGSTOP with that signal's number as the value.
fn stopped_by(process: &Process, info: &SigInfo) -> u32 {
    let by_default = [SIGTSTP, SIGTTIN, SIGTTOU].into_iter().find(|signal| u64::from(*signal) == info.value);
    by_default.filter(|_| info.code == SI_QUEUE && info.pid == process.pid).unwrap_or(SIGSTOP)
}

/// A signal that the running thread brings on itself (SIGPIPE).
pub fn raise_self(signal: u32) {
    let me = crate::thread::current();
    let info = SigInfo { signal, code: SI_USER, pid: me.process.pid, uid: me.process.credentials().ruid, value: 0 };
    // With a full queue the EPIPE that goes with it still tells.
    let _ = send_to_thread(&me, info);
}

/// A signal of the POSIX timer `id` is queued for the thread `tid`, or for the process if that is 0.
pub(crate) fn timer_queued(process: &Process, tid: u32, id: u32) -> bool {
    let in_queue = |pending: &Pending| pending.queue.lock().iter().any(|info| info.code == SI_TIMER && info.pid == id);
    match tid {
        0 => in_queue(&process.signals.pending),
        tid => process.threads().iter().any(|thread| thread.tid == tid && in_queue(&thread.signals.pending)),
    }
}

/// Sends a signal on behalf of `me`, if it may; signal 0 only asks. EPERM, EAGAIN.
pub(crate) fn send_as(me: &Arc<Thread>, target: &Arc<Process>, info: SigInfo) -> Result<usize> {
    if !may_signal(me, target, info.signal) {
        return Err(Errno::EPERM);
    }
    if info.signal != 0 {
        send_to_process(target, info)?;
    }
    Ok(0)
}

/// Takes a pending signal in `set` of the thread or its process, whether blocked or not.
pub fn take(me: &Arc<Thread>, set: u64) -> Option<SigInfo> {
    let mut info = me.signals.pending.take(set).or_else(|| me.process.signals.pending.take(set))?;
    me.signals.mirror(&me.process.signals);
    if info.code == SI_TIMER {
        info.uid = me.process.timers.taken(&me.process, info.pid);
    }
    Some(info)
}

/// Runs `f` with this signal mask in the thread's page. The mask stays: rt puts the old one back (see `ochre_abi::signal`).
pub fn with_mask<T>(mask: u64, f: impl FnOnce() -> Result<T>) -> Result<T> {
    let me = crate::thread::current();
    if let Some(shared) = &*me.signals.shared.lock() {
        word!(shared.frame, SignalPage, mask).store(mask, SeqCst);
    }
    me.ask(0);
    f()
}

/// On the way to user mode: sends the thread to its trampoline if a signal is deliverable. `interrupted`: the number of the syscall that
/// ended with EINTR, or 0.
pub(crate) fn deliver(me: &Arc<Thread>, regs: &mut UserRegs, interrupted: u64) {
    if !me.signals.deliverable(me) {
        return;
    }
    enter_trampoline(me, regs, interrupted);
}

/// Saves what the trampoline needs and goes there; false if the thread has no page or trampoline.
fn enter_trampoline(me: &Arc<Thread>, regs: &mut UserRegs, interrupted: u64) -> bool {
    let trampoline = me.process.signals.trampoline.load(Relaxed);
    let guard = me.signals.shared.lock();
    let Some(shared) = &*guard else { return false };
    if trampoline == 0 {
        return false;
    }
    let page = &shared.frame;
    word!(page, SignalPage, saved_rip).store(regs.rip, Relaxed);
    word!(page, SignalPage, saved_rsp).store(regs.rsp, Relaxed);
    word!(page, SignalPage, saved_rflags).store(regs.rflags, Relaxed);
    word!(page, SignalPage, saved_rax).store(regs.rax, Relaxed);
    word!(page, SignalPage, interrupted).store(interrupted, Relaxed);
    word!(page, SignalPage, saved_fs).store(me.enter_own_fs().unwrap_or(0), Relaxed);
    page.atomic_u32(offset_of!(SignalPage, held)).store(1, SeqCst);
    regs.rip = trampoline;
    regs.rax = shared.addr as u64;
    // Direction, trap and alignment-check flags would surprise the trampoline.
    regs.rflags = 0x202;
    true
}

/// A CPU exception of user code becomes a signal; without a way to deliver it the process ends.
pub(crate) fn exception(
    me: &Arc<Thread>,
    regs: &mut UserRegs,
    signal: u32,
    code: i32,
    addr: u64,
    exception: &Exception,
) {
    let signals = &me.signals;
    let deaf = signals.held() || signals.mask() & bit(signal) != 0 || me.process.signals.ignored() & bit(signal) != 0;
    if !deaf {
        if let Some(shared) = &*signals.shared.lock() {
            let page = &shared.frame;
            page.atomic_u32(offset_of!(SignalPage, fault_signal)).store(signal, Relaxed);
            word!(page, SignalPage, fault_code).store(code as u32 as u64, Relaxed);
            word!(page, SignalPage, fault_addr).store(addr, Relaxed);
            word!(page, SignalPage, fault_trap).store(trap_words(exception), Relaxed);
        }
        if enter_trampoline(me, regs, 0) {
            return;
        }
    }
    crate::crash::report(me, regs, signal, addr);
    me.process.begin_exit(EXIT_SIGNAL | EXIT_CORE | u64::from(signal));
}

/// Trap number, and error code in the high half, as ucontext shows them.
fn trap_words(exception: &Exception) -> u64 {
    let (number, error) = match *exception {
        Exception::PageFault { write, exec, present, .. } => {
            (14, u64::from(present) | u64::from(write) << 1 | 4 | u64::from(exec) << 4)
        }
        Exception::DivideError => (0, 0),
        Exception::Debug => (1, 0),
        Exception::Breakpoint => (3, 0),
        Exception::Overflow => (4, 0),
        Exception::Bound => (5, 0),
        Exception::InvalidOpcode => (6, 0),
        Exception::DeviceNotAvailable => (7, 0),
        Exception::StackFault(error) => (12, error),
        Exception::GeneralProtection(error) => (13, error),
        Exception::FloatingPoint => (16, 0),
        Exception::AlignmentCheck => (17, 0),
        Exception::SimdFloatingPoint => (19, 0),
        Exception::Other(number, error) => (u64::from(number), error),
    };
    number | error << 32
}

/// May `me` signal `target`? kill(2): the same real or effective user, root, or the right.
fn may_signal(me: &Arc<Thread>, target: &Process, signal: u32) -> bool {
    let mine = me.process.credentials();
    let theirs = target.credentials();
    mine.euid == 0
        || me.process.has_right(RIGHT_KILL)
        || [mine.ruid, mine.euid].iter().any(|id| *id == theirs.ruid || *id == theirs.suid)
        || (signal == SIGCONT && target.sid() == me.process.sid())
}

fn check_signal(number: u64) -> Result<u32> {
    u32::try_from(number).ok().filter(|n| *n <= SIGNAL_MAX).ok_or(Errno::EINVAL)
}

fn user_info(me: &Arc<Thread>, signal: u32, code: i32) -> SigInfo {
    SigInfo { signal, code, pid: me.process.pid, uid: me.process.credentials().ruid, value: 0 }
}

/// KILL.
pub fn kill(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let signal = check_signal(a[1])?;
    let info = user_info(me, signal, SI_USER);
    let pid = a[0] as i32;
    if pid > 0 {
        let target = process::find(pid as u32)?;
        if !may_signal(me, &target, signal) {
            return Err(Errno::EPERM);
        }
        if signal != 0 {
            send_to_process(&target, info)?;
        }
        return Ok(0);
    }
    let targets = process::all().into_iter().filter(|p| match pid {
        0 => p.pgid() == me.process.pgid(),
        -1 => p.pid > 1 && p.pid != me.process.pid,
        _ => i64::from(p.pgid()) == -i64::from(pid),
    });
    let (mut found, mut allowed) = (false, false);
    for target in targets {
        found = true;
        if may_signal(me, &target, signal) {
            allowed = true;
            if signal != 0 {
                send_to_process(&target, info)?;
            }
        }
    }
    match (found, allowed) {
        (false, _) => Err(Errno::ESRCH),
        (true, false) => Err(Errno::EPERM),
        _ => Ok(0),
    }
}

/// TGKILL.
pub fn tgkill(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let signal = check_signal(a[2])?;
    let (pid, tid) = (u32::try_from(a[0]), u32::try_from(a[1]));
    let (Ok(pid), Ok(tid)) = (pid, tid) else { return Err(Errno::EINVAL) };
    let target = process::thread_of(pid, tid)?;
    if !may_signal(me, &target.process, signal) {
        return Err(Errno::EPERM);
    }
    if signal != 0 {
        send_to_thread(&target, user_info(me, signal, SI_TKILL))?;
    }
    Ok(0)
}

/// SIGQUEUE.
pub fn sigqueue(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let signal = check_signal(a[2])?;
    let mut info: SigInfo = user::read(a[3])?;
    let pid = u32::try_from(a[0]).map_err(|_| Errno::EINVAL)?;
    let target = process::find(pid)?;
    let forged = info.code >= 0 || info.code == SI_TIMER;
    if !may_signal(me, &target, signal) || (forged && pid != me.process.pid) {
        return Err(Errno::EPERM);
    }
    if info.code == SI_TIMER {
        // Only a timer speaks as one.
        info.code = SI_QUEUE;
    }
    info.signal = signal;
    info.pid = me.process.pid;
    info.uid = me.process.credentials().ruid;
    if signal != 0 {
        match u32::try_from(a[1]) {
            Ok(0) => send_to_process(&target, info)?,
            Ok(tid) => send_to_thread(&process::thread_of(pid, tid)?, info)?,
            Err(_) => return Err(Errno::EINVAL),
        }
    }
    Ok(0)
}

/// SIGNAL_SETUP.
pub fn signal_setup(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    if let Some(shared) = &*me.signals.shared.lock() {
        me.process.signals.trampoline.store(a[0], Relaxed);
        return Ok(shared.addr);
    }
    let frame = Frame::alloc_zeroed().ok_or(Errno::ENOMEM)?;
    word!(frame, SignalPage, mask).store(me.signals.initial_mask.load(Relaxed), SeqCst);
    let addr = me.process.space().map_page(None, frame.clone(), Prot::RW)?;
    me.process.signals.trampoline.store(a[0], Relaxed);
    *me.signals.shared.lock() = Some(Shared { frame, addr });
    me.signals.mirror(&me.process.signals);
    me.ask(0);
    Ok(addr)
}

/// SIGNAL_DELIVER: attention is paid on the way out.
pub fn signal_deliver(me: &Arc<Thread>, _: &[u64; 6]) -> Result<usize> {
    me.ask(0);
    Ok(0)
}

/// SIGNAL_SUSPEND.
pub fn signal_suspend(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    with_mask(a[0], || {
        loop {
            match sched::park(me, None, true) {
                Wake::Interrupted | Wake::Killed => return Err(Errno::EINTR),
                Wake::Unparked | Wake::TimedOut => {}
            }
        }
    })
}

/// SIGNAL_TAKE.
pub fn signal_take(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [set, timeout, out, ..] = *a;
    let deadline = match timeout {
        ochre_abi::syscall::FOREVER => None,
        timeout => Some(hal::time::now().saturating_add(timeout)),
    };
    let takers = &me.process.signals.takers;
    takers.fetch_add(1, SeqCst);
    let taken = loop {
        if let Some(info) = take(me, set) {
            break Ok(info);
        }
        if timeout == 0 {
            break Err(Errno::EAGAIN);
        }
        match sched::park(me, deadline, true) {
            Wake::Unparked => {}
            Wake::TimedOut => break take(me, set).ok_or(Errno::EAGAIN),
            Wake::Interrupted | Wake::Killed => break take(me, set).ok_or(Errno::EINTR),
        }
    };
    takers.fetch_sub(1, SeqCst);
    let info = taken?;
    if out != 0 {
        user::write(out, &info)?;
    }
    Ok(info.signal as usize)
}
