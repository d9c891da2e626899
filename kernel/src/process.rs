//! Processes: a handle table, an address space, a namespace, threads; creation, end, waiting.

use crate::attributes::Attributes;
use crate::file::File;
use crate::mm::space::{Space, SpaceFile};
use crate::namespace::Namespace;
use crate::program::Program;
use crate::ptimer::Timers;
use crate::readiness::Readiness;
use crate::signal::{self, ProcessSignals};
use crate::thread::{KILLED, Thread};
use crate::wait::WaitQueue;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicBool, AtomicU32, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use hal::SpinLock;
use ochre_abi::event::EPOLLIN;
use ochre_abi::process::{self as abi, Credentials};
use ochre_abi::signal::{CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SI_USER, SIGCHLD, SigInfo};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;
use ochre_logic::fd_table::{FdTable, InsertError};

/// Ids of processes and threads are below this (Linux: PID_MAX_LIMIT).
const ID_LIMIT: u32 = 4_194_304;
/// Processes and threads together.
const MAX_IDS: usize = 65_536;
/// Number of resources in [`Limits`].
pub const RESOURCES: usize = 34;

/// A process.
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Signals sent to it.
    pub signals: ProcessSignals,
    /// Tells (EPOLLIN) that it has ended: what a pidfd shows.
    pub ended: Readiness,
    handles: SpinLock<FdTable<Arc<File>>>,
    space: SpinLock<Arc<Space>>,
    namespace: SpinLock<Arc<Namespace>>,
    cwd: SpinLock<Option<Arc<File>>>,
    threads: SpinLock<Threads>,
    /// Woken when a thread ends.
    thread_ended: WaitQueue,
    family: SpinLock<Family>,
    /// The parent's id, as [`Process::ppid`] tells it.
    ppid: AtomicU32,
    /// Woken when a child changes state.
    child_changed: WaitQueue,
    credentials: SpinLock<Credentials>,
    rights: AtomicU64,
    limits: SpinLock<[abi::Rlimit; RESOURCES]>,
    state: SpinLock<State>,
    stopped: AtomicBool,
    /// Woken when the process continues.
    pub(crate) continued: WaitQueue,
    pgid: AtomicU32,
    sid: AtomicU32,
    /// It runs another program than it was forked with: SETPGID is its own then.
    execed: AtomicBool,
    /// Where foreign syscall numbers go, or 0.
    pub reflect: AtomicU64,
    /// CPU time of threads that have ended, in ns.
    past_run_ns: AtomicU64,
    children_run_ns: AtomicU64,
    /// When it was made, ns since boot.
    pub started: u64,
    program: SpinLock<Arc<Program>>,
    attributes: SpinLock<Attributes>,
    /// Timers that send it signals.
    pub(crate) timers: Timers,
    /// The last thread's name, once it has ended.
    last_name: SpinLock<[u8; 16]>,
}

struct Threads {
    list: Vec<Arc<Thread>>,
    /// No more threads may come: the process is ending.
    closed: bool,
}

struct Family {
    parent: Weak<Process>,
    children: Vec<Arc<Process>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Alive,
    /// The exit status that the first EXIT or fatal signal gave.
    Ending(u64),
    Zombie(u64),
}

/// A change of state that WAIT has not told yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    Stopped(u32),
    Continued,
}

static PROCESSES: SpinLock<BTreeMap<u32, Arc<Process>>> = SpinLock::new(BTreeMap::new());
static IDS: SpinLock<(u32, BTreeSet<u32>)> = SpinLock::new((1, BTreeSet::new()));

/// CPU time of processes that have ended, ns.
static PAST_RUN_NS: AtomicU64 = AtomicU64::new(0);
/// Processes made so far.
static MADE: AtomicU64 = AtomicU64::new(0);

/// CPU time of all processes since boot, ns: those there are, and those that have ended.
pub fn total_run_ns() -> u64 {
    let alive: u64 = all().iter().filter(|process| process.is_alive()).map(|process| process.run_ns()).sum();
    PAST_RUN_NS.load(Relaxed) + alive
}

/// Processes made since boot.
pub fn made() -> u64 {
    MADE.load(Relaxed)
}

/// The id that was given last.
pub fn last_id() -> u32 {
    IDS.lock().0.saturating_sub(1)
}

/// A new process or thread id; EAGAIN if too many exist.
pub(crate) fn allocate_id() -> Result<u32> {
    let mut ids = IDS.lock();
    if ids.1.len() >= MAX_IDS {
        return Err(Errno::EAGAIN);
    }
    loop {
        let id = ids.0;
        ids.0 = if id + 1 >= ID_LIMIT { 2 } else { id + 1 };
        if ids.1.insert(id) {
            return Ok(id);
        }
    }
}

/// The id can be used again.
pub(crate) fn free_id(id: u32) {
    IDS.lock().1.remove(&id);
}

/// Every process, zombies too.
pub fn all() -> Vec<Arc<Process>> {
    PROCESSES.lock().values().cloned().collect()
}

/// The process with this id.
pub fn find(pid: u32) -> Result<Arc<Process>> {
    PROCESSES.lock().get(&pid).cloned().ok_or(Errno::ESRCH)
}

/// What a new process takes from its parent (or, for the first one, from nobody).
pub(crate) struct Inherited {
    pub parent: Weak<Process>,
    pub namespace: Arc<Namespace>,
    pub cwd: Option<Arc<File>>,
    pub credentials: Credentials,
    pub rights: u64,
    pub limits: [abi::Rlimit; RESOURCES],
    pub pgid: u32,
    pub sid: u32,
    pub program: Arc<Program>,
    pub attributes: Attributes,
}

impl Process {
    /// A process without threads, listed and known to its parent.
    pub(crate) fn new(
        pid: u32,
        space: Arc<Space>,
        handles: FdTable<Arc<File>>,
        from: Inherited,
    ) -> Result<Arc<Process>> {
        let signals = ProcessSignals::new(pid)?;
        let process = Arc::new(Process {
            pid,
            signals,
            ended: Readiness::new(0),
            handles: SpinLock::new(handles),
            space: SpinLock::new(space),
            namespace: SpinLock::new(from.namespace),
            cwd: SpinLock::new(from.cwd),
            threads: SpinLock::new(Threads { list: Vec::new(), closed: false }),
            thread_ended: WaitQueue::new(),
            family: SpinLock::new(Family { parent: from.parent.clone(), children: Vec::new() }),
            ppid: AtomicU32::new(from.parent.upgrade().map_or(0, |parent| parent.pid)),
            child_changed: WaitQueue::new(),
            credentials: SpinLock::new(from.credentials),
            rights: AtomicU64::new(from.rights),
            limits: SpinLock::new(from.limits),
            state: SpinLock::new(State::Alive),
            stopped: AtomicBool::new(false),
            continued: WaitQueue::new(),
            pgid: AtomicU32::new(if from.pgid == 0 { pid } else { from.pgid }),
            sid: AtomicU32::new(if from.sid == 0 { pid } else { from.sid }),
            execed: AtomicBool::new(false),
            reflect: AtomicU64::new(0),
            past_run_ns: AtomicU64::new(0),
            children_run_ns: AtomicU64::new(0),
            started: hal::time::now(),
            program: SpinLock::new(from.program),
            attributes: SpinLock::new(from.attributes),
            timers: Timers::new(),
            last_name: SpinLock::new([0; 16]),
        });
        if let Some(parent) = from.parent.upgrade() {
            parent.family.lock().children.push(process.clone());
        }
        PROCESSES.lock().insert(pid, process.clone());
        process.timers.limit_cpu(&process, process.limit_pair(abi::RLIMIT_CPU as usize));
        MADE.fetch_add(1, Relaxed);
        Ok(process)
    }

    /// What a child takes over.
    pub(crate) fn heritage(self: &Arc<Self>) -> Inherited {
        Inherited {
            parent: Arc::downgrade(self),
            namespace: self.namespace(),
            cwd: self.cwd(),
            credentials: self.credentials(),
            rights: self.rights.load(Relaxed),
            limits: *self.limits.lock(),
            pgid: self.pgid(),
            sid: self.sid(),
            program: self.program(),
            attributes: self.attributes(|own| own.for_child()),
        }
    }

    /// Reads or changes its attributes; nothing is dropped or waited for inside.
    pub(crate) fn attributes<R>(&self, f: impl FnOnce(&mut Attributes) -> R) -> R {
        f(&mut self.attributes.lock())
    }

    /// What it runs.
    pub fn program(&self) -> Arc<Program> {
        self.program.lock().clone()
    }

    /// Another program from here on; what the old one's file held is given up without the lock.
    fn set_program(&self, program: Program) {
        let old = core::mem::replace(&mut *self.program.lock(), Arc::new(program));
        drop(old);
    }

    /// The open file at `fd`; EBADF.
    pub fn file(&self, fd: i32) -> Result<Arc<File>> {
        self.handles.lock().get(fd).map(|entry| entry.file.clone()).ok_or(Errno::EBADF)
    }

    /// Puts an open file at the lowest free number; EMFILE.
    pub fn install(&self, file: Arc<File>, cloexec: bool) -> Result<i32> {
        self.install_from(0, file, cloexec)
    }

    /// The same, at `least` or above; EINVAL if `least` is beyond the limit.
    pub(crate) fn install_from(&self, least: usize, file: Arc<File>, cloexec: bool) -> Result<i32> {
        let limit = self.fd_limit();
        self.handles.lock().insert(least, limit, file, cloexec).map_err(|error| match error {
            InsertError::Full => Errno::EMFILE,
            InsertError::OutOfRange => Errno::EINVAL,
        })
    }

    /// Puts an open file at exactly `fd`, closing what stood there; EBADF beyond the limit.
    pub(crate) fn install_at(&self, fd: i32, file: Arc<File>, cloexec: bool) -> Result<()> {
        let limit = self.fd_limit();
        let old = self.handles.lock().replace(fd, limit, file, cloexec).map_err(|_| Errno::EBADF)?;
        self.closed(old.iter());
        drop(old);
        Ok(())
    }

    /// Takes a descriptor out of the table; EBADF.
    pub fn take(&self, fd: i32) -> Result<Arc<File>> {
        let file = self.handles.lock().remove(fd).ok_or(Errno::EBADF)?;
        self.closed([&file].into_iter());
        Ok(file)
    }

    /// Tells the servers that want to know that descriptors of these files are gone.
    pub(crate) fn closed<'f>(&self, files: impl Iterator<Item = &'f Arc<File>>) {
        for file in files {
            file.descriptor_closed(self.pid);
        }
    }

    /// Runs with the handle table locked: no blocking, no dropping of files inside.
    pub(crate) fn with_handles<R>(&self, f: impl FnOnce(&mut FdTable<Arc<File>>) -> R) -> R {
        f(&mut self.handles.lock())
    }

    fn fd_limit(&self) -> usize {
        self.limit(abi::RLIMIT_NOFILE as usize).min(1 << 20) as usize
    }

    /// The address space.
    pub fn space(&self) -> Arc<Space> {
        self.space.lock().clone()
    }

    /// The namespace.
    pub fn namespace(&self) -> Arc<Namespace> {
        self.namespace.lock().clone()
    }

    /// Exchanges the namespace.
    pub(crate) fn set_namespace(&self, namespace: Arc<Namespace>) {
        let old = core::mem::replace(&mut *self.namespace.lock(), namespace);
        drop(old);
    }

    /// The working directory, if it ever got one.
    pub fn cwd(&self) -> Option<Arc<File>> {
        self.cwd.lock().clone()
    }

    /// Exchanges the working directory.
    pub(crate) fn set_cwd(&self, cwd: Arc<File>) {
        let old = self.cwd.lock().replace(cwd);
        drop(old);
    }

    /// A soft limit (abi::process::RLIMIT_*).
    pub fn limit(&self, resource: usize) -> u64 {
        self.limits.lock().get(resource).map_or(abi::RLIM_INFINITY, |l| l.current)
    }

    /// Soft and hard limit; none beyond [`RESOURCES`].
    pub fn limit_pair(&self, resource: usize) -> abi::Rlimit {
        let none = abi::Rlimit { current: abi::RLIM_INFINITY, max: abi::RLIM_INFINITY };
        self.limits.lock().get(resource).copied().unwrap_or(none)
    }

    /// The status word of wait(2) that its end will be told as; 0 while it lives.
    pub fn wait_status(&self) -> u32 {
        match *self.state.lock() {
            State::Zombie(status) => match exit_code(status) {
                (CLD_EXITED, code) => (code as u32) << 8,
                (CLD_DUMPED, signal) => signal as u32 | 0x80,
                (_, signal) => signal as u32,
            },
            _ => 0,
        }
    }

    /// User and group ids.
    pub fn credentials(&self) -> Credentials {
        *self.credentials.lock()
    }

    /// Sets user and group ids.
    pub(crate) fn set_credentials(&self, credentials: Credentials) {
        *self.credentials.lock() = credentials;
    }

    /// Has this right (abi::process::RIGHT_*).
    pub fn has_right(&self, right: u64) -> bool {
        // As capabilities go with user id 0: who is somebody else at the moment has none, and gets them back with the id.
        self.rights.load(Relaxed) & right == right && self.credentials.lock().euid == 0
    }

    /// EPERM without the right.
    pub fn need_right(&self, right: u64) -> Result<()> {
        if self.has_right(right) { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// All rights.
    pub fn rights(&self) -> u64 {
        self.rights.load(Relaxed)
    }

    /// Its threads.
    pub fn threads(&self) -> Vec<Arc<Thread>> {
        self.threads.lock().list.clone()
    }

    /// Name of the last thread of a process that has ended.
    pub fn last_name(&self) -> [u8; 16] {
        *self.last_name.lock()
    }

    /// Process group.
    pub fn pgid(&self) -> u32 {
        self.pgid.load(Relaxed)
    }

    /// Session.
    pub fn sid(&self) -> u32 {
        self.sid.load(Relaxed)
    }

    /// Parent's id; 0 for the first process, 1 once the parent is gone.
    pub fn ppid(&self) -> u32 {
        self.ppid.load(Relaxed)
    }

    /// The parent, while it is there.
    pub(crate) fn parent(&self) -> Option<Arc<Process>> {
        self.family.lock().parent.upgrade().filter(|parent| parent.is_alive())
    }

    /// Stopped by a signal.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(SeqCst)
    }

    /// A letter as in ps: R, S, T, Z.
    pub fn state_letter(&self) -> char {
        match *self.state.lock() {
            State::Zombie(_) => 'Z',
            _ if self.is_stopped() => 'T',
            _ if self.threads.lock().list.iter().any(|t| t.sched.name() != "waiting") => 'R',
            _ => 'S',
        }
    }

    /// CPU time of all its threads, ns.
    pub fn run_ns(&self) -> u64 {
        let alive: u64 = self.threads.lock().list.iter().map(|t| t.sched.run_ns_now()).sum();
        self.past_run_ns.load(Relaxed) + alive
    }

    /// CPU time of waited-for children, ns.
    pub fn children_run_ns(&self) -> u64 {
        self.children_run_ns.load(Relaxed)
    }

    /// Lists a thread; ESRCH if the process is ending, EAGAIN beyond the limit.
    pub(crate) fn add_thread(&self, thread: &Arc<Thread>) -> Result<()> {
        let limit = self.limit(abi::RLIMIT_THREADS as usize);
        let mut threads = self.threads.lock();
        if threads.closed {
            return Err(Errno::ESRCH);
        }
        if threads.list.len() as u64 >= limit {
            return Err(Errno::EAGAIN);
        }
        threads.list.push(thread.clone());
        drop(threads);
        thread.set_counted(true);
        Ok(())
    }

    /// A thread ends. The last one takes the process with it.
    pub(crate) fn remove_thread(self: &Arc<Self>, thread: &Arc<Thread>) {
        if !thread.set_counted(false) {
            return;
        }
        let mut threads = self.threads.lock();
        let index = threads.list.iter().position(|t| Arc::ptr_eq(t, thread));
        let removed = index.map(|i| threads.list.swap_remove(i));
        let last = threads.list.is_empty();
        if last {
            threads.closed = true;
            *self.last_name.lock() = thread.name();
        }
        drop(threads);
        self.past_run_ns.fetch_add(thread.sched.run_ns.load(Relaxed), Relaxed);
        drop(removed);
        self.thread_ended.wake_all();
        if last {
            self.finish();
        }
    }

    /// Ends the process with this status (as EXIT's argument); its threads end as soon as they leave what they do.
    pub fn begin_exit(&self, status: u64) {
        {
            let mut state = self.state.lock();
            if *state == State::Alive {
                *state = State::Ending(status);
            }
        }
        self.stopped.store(false, SeqCst);
        let mut threads = self.threads.lock();
        threads.closed = true;
        let list = threads.list.clone();
        drop(threads);
        for thread in &list {
            thread.ask(KILLED);
        }
        self.continued.wake_all();
    }

    /// Kills every thread but `me` and waits until they are gone; EINTR if `me` is to end itself. For exec.
    pub(crate) fn become_alone(&self, me: &Arc<Thread>) -> Result<()> {
        let others: Vec<_> = self.threads.lock().list.iter().filter(|t| !Arc::ptr_eq(t, me)).cloned().collect();
        for thread in &others {
            thread.ask(KILLED);
        }
        drop(others);
        loop {
            match self.thread_ended.wait_until(None, || (self.threads.lock().list.len() == 1).then_some(())) {
                Ok(()) => return Ok(()),
                Err(error) if me.is_killed() => return Err(error),
                // A signal: it is delivered to the new program, or by then nobody wants it.
                Err(_) => crate::sched::yield_now(me),
            }
        }
    }

    /// Swaps the address space; returns the old one. For exec.
    pub(crate) fn replace_space(&self, space: Arc<Space>) -> Arc<Space> {
        core::mem::replace(&mut *self.space.lock(), space)
    }

    /// The last thread is gone: give everything back and become a zombie.
    fn finish(self: &Arc<Self>) {
        let handles = core::mem::take(&mut *self.handles.lock());
        self.closed(handles.iter().map(|(_, entry)| &entry.file));
        drop(handles);
        let cwd = self.cwd.lock().take();
        drop(cwd);
        self.set_namespace(Namespace::null());
        self.set_program(Program::default());
        self.timers.clear();
        PAST_RUN_NS.fetch_add(self.past_run_ns.load(Relaxed), Relaxed);
        self.space().clear();
        self.leave_children();
        let status = {
            let mut state = self.state.lock();
            let status = match *state {
                State::Ending(status) | State::Zombie(status) => status,
                State::Alive => 0,
            };
            *state = State::Zombie(status);
            status
        };
        self.ended.raise(EPOLLIN);
        let parent = self.family.lock().parent.upgrade();
        match parent {
            Some(parent) if !parent.signals.no_child_wait() && parent.is_alive() => {
                parent.child_event(self, exit_code(status).0, exit_code(status).1);
            }
            Some(parent) => {
                let mut family = parent.family.lock();
                let index = family.children.iter().position(|c| Arc::ptr_eq(c, self));
                let removed = index.map(|i| family.children.swap_remove(i));
                drop(family);
                drop(removed);
                self.forget();
                parent.child_event(self, exit_code(status).0, exit_code(status).1);
            }
            None => self.forget(),
        }
    }

    /// The process that takes over orphans: the nearest ancestor that asked for it (PR_SET_CHILD_SUBREAPER).
    fn reaper(&self) -> Option<Arc<Process>> {
        let mut at = self.family.lock().parent.upgrade();
        while let Some(process) = at {
            if process.is_alive() && process.attributes(|own| own.subreaper) {
                return Some(process);
            }
            at = process.family.lock().parent.upgrade();
        }
        None
    }

    /// Children get a new parent, or none: then those that have ended already are forgotten. Each gets its death signal.
    fn leave_children(self: &Arc<Self>) {
        let children = core::mem::take(&mut self.family.lock().children);
        crate::group::orphan_by_exit(self, &children);
        if children.is_empty() {
            return;
        }
        let reaper = self.reaper();
        for child in children {
            child.family.lock().parent = reaper.as_ref().map_or(Weak::new(), Arc::downgrade);
            child.ppid.store(reaper.as_ref().map_or(1, |reaper| reaper.pid), Relaxed);
            let death_signal = child.attributes(|of| of.death_signal);
            if death_signal != 0 {
                let info = SigInfo {
                    signal: death_signal,
                    code: SI_USER,
                    pid: self.pid,
                    uid: self.credentials().ruid,
                    value: 0,
                };
                // With a full queue the signal is lost, as others are then.
                let _ = signal::send_to_process(&child, info);
            }
            let ended = match *child.state.lock() {
                State::Zombie(status) => Some(status),
                _ => None,
            };
            match (&reaper, ended) {
                (Some(reaper), ended) => {
                    reaper.family.lock().children.push(child.clone());
                    if let Some(status) = ended {
                        let (code, value) = exit_code(status);
                        reaper.child_event(&child, code, value);
                    }
                }
                (None, Some(_)) => child.forget(),
                (None, None) => {}
            }
        }
    }

    /// Not a zombie.
    pub fn is_alive(&self) -> bool {
        !matches!(*self.state.lock(), State::Zombie(_))
    }

    /// Takes the process out of the table: its id is free.
    fn forget(&self) {
        let removed = PROCESSES.lock().remove(&self.pid);
        if removed.is_some() {
            free_id(self.pid);
        }
    }

    /// A child changed: SIGCHLD, and whoever waits looks.
    fn child_event(self: &Arc<Self>, child: &Process, code: i32, status: i32) {
        let info = SigInfo {
            signal: SIGCHLD,
            code,
            pid: child.pid,
            uid: child.credentials().ruid,
            value: status as u32 as u64,
        };
        let wants = !matches!(code, CLD_STOPPED | CLD_CONTINUED) || !self.signals.no_child_stop();
        if wants {
            // SIGCHLD is a hint; a full queue loses nothing that WAIT does not tell.
            let _ = signal::send_to_process(self, info);
        }
        self.child_changed.wake_all();
    }

    /// Stops (true) or continues (false) all threads.
    pub(crate) fn set_stopped(self: &Arc<Self>, stop: bool, signal: u32) {
        if self.stopped.swap(stop, SeqCst) == stop {
            return;
        }
        if stop {
            for thread in self.threads() {
                thread.ask(0);
            }
        } else {
            self.continued.wake_all();
        }
        let change = if stop { Change::Stopped(signal) } else { Change::Continued };
        self.signals.set_change(change);
        if let Some(parent) = self.family.lock().parent.upgrade() {
            let code = if stop { CLD_STOPPED } else { CLD_CONTINUED };
            parent.child_event(self, code, signal as i32);
        }
    }
}

/// si_code and si_status of an exit status.
fn exit_code(status: u64) -> (i32, i32) {
    if status & abi::EXIT_SIGNAL != 0 {
        let code = if status & abi::EXIT_CORE != 0 { CLD_DUMPED } else { CLD_KILLED };
        (code, (status & 0x7f) as i32)
    } else {
        (CLD_EXITED, (status & 0xff) as i32)
    }
}

/// EXIT.
pub fn exit(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.process.begin_exit(a[0]);
    Ok(0)
}

/// THREAD_EXIT.
pub fn thread_exit(me: &Arc<Thread>, _: &[u64; 6]) -> Result<usize> {
    me.ask(KILLED);
    Ok(0)
}

/// WAIT.
pub fn wait(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [kind, id, result, options, ..] = *a;
    let process = &me.process;
    let id = match kind {
        abi::P_ALL => 0,
        abi::P_PID | abi::P_PGID => u32::try_from(id).map_err(|_| Errno::EINVAL)?,
        abi::P_PIDFD => {
            let file = process.file(id as i32)?;
            file.object::<PidFd>().ok_or(Errno::EINVAL)?.0.pid
        }
        _ => return Err(Errno::EINVAL),
    };
    let id = if kind == abi::P_PGID && id == 0 { process.pgid() } else { id };
    if options & (abi::WEXITED | abi::WSTOPPED | abi::WCONTINUED) == 0 {
        return Err(Errno::EINVAL);
    }
    let matches = |child: &Process| match kind {
        abi::P_ALL => true,
        abi::P_PGID => child.pgid() == id,
        _ => child.pid == id,
    };
    let look = || -> Option<Result<Option<abi::WaitResult>>> {
        let mut family = process.family.lock();
        let mut any = false;
        for index in 0..family.children.len() {
            let child = family.children[index].clone();
            if !matches(&child) {
                continue;
            }
            any = true;
            if let Some(found) = child.report(options) {
                if found.code == CLD_EXITED || found.code == CLD_KILLED || found.code == CLD_DUMPED {
                    if options & abi::WNOWAIT == 0 {
                        family.children.swap_remove(index);
                        drop(family);
                        process.children_run_ns.fetch_add(child.run_ns() + child.children_run_ns(), Relaxed);
                        child.forget();
                    }
                }
                return Some(Ok(Some(found)));
            }
        }
        if !any {
            return Some(Err(Errno::ECHILD));
        }
        (options & abi::WNOHANG != 0).then_some(Ok(None))
    };
    match process.child_changed.wait_until(None, look)?? {
        Some(found) => {
            if result != 0 {
                crate::user::write(result, &found)?;
            }
            Ok(found.pid as usize)
        }
        None => Ok(0),
    }
}

impl Process {
    /// What WAIT tells of this child with these options, if anything.
    fn report(&self, options: u64) -> Option<abi::WaitResult> {
        let (code, status) = match *self.state.lock() {
            State::Zombie(status) if options & abi::WEXITED != 0 => exit_code(status),
            _ => match self.signals.change(options & abi::WNOWAIT == 0, options) {
                Change::Stopped(signal) => (CLD_STOPPED, signal as i32),
                Change::Continued => (CLD_CONTINUED, ochre_abi::signal::SIGCONT as i32),
                Change::None => return None,
            },
        };
        Some(abi::WaitResult {
            pid: self.pid,
            uid: self.credentials().ruid,
            code,
            status,
            usage: abi::Usage { user_ns: self.run_ns(), ..abi::Usage::default() },
        })
    }
}

/// What PIDFD_OPEN gives.
pub struct PidFd(pub Arc<Process>);

impl crate::file::Object for PidFd {
    fn kind(&self) -> &'static str {
        "pidfd"
    }

    fn readiness(&self) -> Option<&Readiness> {
        Some(&self.0.ended)
    }
}

/// PIDFD_OPEN.
pub fn pidfd_open(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let pid = u32::try_from(a[0]).map_err(|_| Errno::EINVAL)?;
    let flags = a[1] as u32 & ochre_abi::file::O_NONBLOCK;
    let file = File::new(Arc::new(PidFd(find(pid)?)), ochre_abi::file::O_RDWR | flags);
    Ok(me.process.install(file, true)? as usize)
}

/// EAGAIN if the user has as many processes as RLIMIT_NPROC allows; the superuser has no such limit.
fn check_process_count(parent: &Process) -> Result<()> {
    let limit = parent.limit(abi::RLIMIT_NPROC as usize);
    let user = parent.credentials().ruid;
    if limit == abi::RLIM_INFINITY || user == 0 {
        return Ok(());
    }
    let count = all().iter().filter(|process| process.credentials().ruid == user).count();
    if count as u64 >= limit { Err(Errno::EAGAIN) } else { Ok(()) }
}

/// PROCESS_CREATE.
pub fn process_create(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let args: abi::ProcessArgs = crate::user::read(a[0])?;
    let parent = &me.process;
    if !hal::mem::has_room() {
        return Err(Errno::ENOMEM);
    }
    check_process_count(parent)?;
    let space_file = parent.file(args.space)?;
    let space = space_file.object::<SpaceFile>().ok_or(Errno::EINVAL)?.take()?;
    let mut from = parent.heritage();
    from.program = Arc::new(Program::new(parent, args.start.program));
    if args.cwd >= 0 {
        from.cwd = Some(parent.file(args.cwd)?);
    }
    from.rights &= args.rights;
    if args.flags & abi::PROCESS_NULL_NAMESPACE != 0 {
        from.namespace = Namespace::null();
    }
    if args.flags & abi::PROCESS_NEW_SESSION != 0 {
        from.sid = 0;
        from.pgid = 0;
    } else if args.pgid == u64::MAX {
        from.pgid = 0;
    } else if args.pgid != 0 {
        from.pgid = group_in_session(args.pgid as u32, from.sid)?;
    }
    let handles = child_handles(parent, &args)?;
    let table = space.table();
    let regs =
        hal::UserRegs { rip: args.start.entry, rsp: args.start.stack, rflags: 0x202, ..hal::UserRegs::default() };
    let context = hal::context::Context::new_user(&regs, 0, table).ok_or(Errno::ENOMEM)?;
    let pid = allocate_id()?;
    let child = Process::new(pid, space, handles, from)?;
    child.execed.store(true, Relaxed);
    child.signals.inherit_umask(&parent.signals);
    child.signals.start(&child, args.start.sigignore)?;
    let thread = Thread::new(&child, pid, context, args.start.name);
    thread.signals.set_initial_mask(args.start.sigmask);
    child.add_thread(&thread)?;
    // The descriptor has done its work; another thread may have closed it meanwhile.
    drop(parent.take(args.space));
    crate::sched::start(&thread);
    Ok(pid as usize)
}

/// The child's handle table as PROCESS_CREATE describes it.
fn child_handles(parent: &Process, args: &abi::ProcessArgs) -> Result<FdTable<Arc<File>>> {
    let limit = parent.fd_limit();
    let mut handles = if args.flags & abi::PROCESS_INHERIT_FDS != 0 {
        let mut copy = parent.handles.lock().clone();
        drop(copy.remove_where(|_, entry| entry.close_on_exec));
        copy
    } else {
        FdTable::new()
    };
    if args.fd_count > limit as u64 {
        return Err(Errno::EMFILE);
    }
    for n in 0..args.fd_count {
        let pair: abi::FdPair = crate::user::read(args.fds.wrapping_add(n * size_of::<abi::FdPair>() as u64))?;
        let file = parent.file(pair.source)?;
        handles.replace(pair.target, limit, file, false).map_err(|_| Errno::EBADF)?;
    }
    Ok(handles)
}

/// FORK: the child returns 0 from the same syscall.
#[inline(never)]
pub fn fork(me: &Arc<Thread>, regs: &hal::UserRegs) -> Result<usize> {
    let parent = &me.process;
    if !hal::mem::has_room() {
        return Err(Errno::ENOMEM);
    }
    check_process_count(parent)?;
    let space = parent.space().fork()?;
    let handles = parent.handles.lock().clone();
    let child_regs = hal::UserRegs { rax: 0, ..*regs };
    let fs_base = me.context.fs_base();
    let context = hal::context::Context::fork_current(&child_regs, fs_base, space.table()).ok_or(Errno::ENOMEM)?;
    let pid = allocate_id()?;
    let child = Process::new(pid, space, handles, parent.heritage())?;
    child.signals.fork_from(&child, &parent.signals)?;
    child.reflect.store(parent.reflect.load(Relaxed), Relaxed);
    let thread = Thread::new(&child, pid, context, me.name());
    thread.signals.fork_from(&thread, &me.signals)?;
    child.add_thread(&thread)?;
    crate::sched::start(&thread);
    Ok(pid as usize)
}

/// SPACE_EXEC: a fresh first thread in the new space; the calling thread and all others end.
pub fn space_exec(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let process = &me.process;
    let args: abi::StartArgs = crate::user::read(a[1])?;
    let space_file = process.file(a[0] as i32)?;
    let regs = hal::UserRegs { rip: args.entry, rsp: args.stack, rflags: 0x202, ..hal::UserRegs::default() };
    let space = space_file.object::<SpaceFile>().ok_or(Errno::EINVAL)?.take()?;
    drop(space_file);
    let context = hal::context::Context::new_user(&regs, 0, space.table()).ok_or(Errno::ENOMEM)?;
    let program = Program::new(process, args.program);
    process.become_alone(me)?;
    let clear = me.clear_tid.swap(0, Relaxed);
    if clear != 0 && crate::user::write(clear, &0u32).is_ok() {
        crate::io::futex::wake_address(me, clear);
    }
    crate::io::futex::exit_robust_list(me);
    me.robust_list.store(0, Relaxed);
    let closed = process.handles.lock().remove_where(|_, entry| entry.close_on_exec);
    process.closed(closed.iter());
    drop(closed);
    let old = process.replace_space(space);
    process.set_program(program);
    process.execed.store(true, Relaxed);
    process.reflect.store(0, Relaxed);
    process.timers.exec();
    process.attributes(|own| own.undumpable = false);
    process.signals.exec(process, args.sigignore)?;
    let thread = Thread::new(process, process.pid, context, args.name);
    thread.signals.set_initial_mask(args.sigmask);
    thread.signals.take_over_pending(&me.signals);
    me.signals.forget_page();
    if process.add_thread(&thread).is_ok() {
        crate::sched::start(&thread);
    }
    me.ask(KILLED);
    old.clear();
    Ok(0)
}

/// `pgid`, if a process of that group is in the session; EPERM.
fn group_in_session(pgid: u32, sid: u32) -> Result<u32> {
    let found = PROCESSES.lock().values().any(|p| p.pgid() == pgid && p.sid() == sid);
    if found { Ok(pgid) } else { Err(Errno::EPERM) }
}

fn own_or_child(me: &Arc<Thread>, pid: u64) -> Result<Arc<Process>> {
    if pid == 0 || pid == u64::from(me.process.pid) {
        return Ok(me.process.clone());
    }
    let pid = u32::try_from(pid).map_err(|_| Errno::EINVAL)?;
    me.process.family.lock().children.iter().find(|c| c.pid == pid).cloned().ok_or(Errno::ESRCH)
}

/// SETPGID.
pub fn setpgid(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let target = own_or_child(me, a[0])?;
    let pgid = if a[1] == 0 { target.pid } else { i32::try_from(a[1] as i64).map_err(|_| Errno::EINVAL)? as u32 };
    if pgid > i32::MAX as u32 {
        return Err(Errno::EINVAL);
    }
    if target.sid() != me.process.sid() {
        return Err(Errno::EPERM);
    }
    if target.pid != me.process.pid && target.execed.load(Relaxed) {
        return Err(Errno::EACCES);
    }
    if target.sid() == target.pid {
        return Err(Errno::EPERM);
    }
    if pgid != target.pid {
        group_in_session(pgid, target.sid())?;
    }
    target.pgid.store(pgid, Relaxed);
    Ok(0)
}

/// GETPGID.
pub fn getpgid(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let pid = if a[0] == 0 { me.process.pid } else { u32::try_from(a[0]).map_err(|_| Errno::ESRCH)? };
    Ok(find(pid)?.pgid() as usize)
}

/// SETSID.
pub fn setsid(me: &Arc<Thread>, _: &[u64; 6]) -> Result<usize> {
    let process = &me.process;
    if PROCESSES.lock().values().any(|p| p.pgid() == process.pid) {
        return Err(Errno::EPERM);
    }
    process.sid.store(process.pid, Relaxed);
    process.pgid.store(process.pid, Relaxed);
    Ok(process.pid as usize)
}

/// GETSID.
pub fn getsid(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let pid = if a[0] == 0 { me.process.pid } else { u32::try_from(a[0]).map_err(|_| Errno::ESRCH)? };
    Ok(find(pid)?.sid() as usize)
}

/// LIMIT.
pub fn limit(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    change_limit(me, &me.process, a)
}

/// Reads and sets a limit of `process` on behalf of `me`: (resource, new or 0, old or 0).
pub(crate) fn change_limit(me: &Arc<Thread>, process: &Arc<Process>, a: &[u64; 6]) -> Result<usize> {
    let resource = usize::try_from(a[0]).ok().filter(|r| *r < RESOURCES).ok_or(Errno::EINVAL)?;
    let new: Option<abi::Rlimit> = if a[1] != 0 { Some(crate::user::read(a[1])?) } else { None };
    let old = process.limits.lock()[resource];
    if let Some(new) = new {
        if new.current > new.max {
            return Err(Errno::EINVAL);
        }
        if new.max > old.max {
            me.process.need_right(abi::RIGHT_PRIORITY)?;
        }
        process.limits.lock()[resource] = new;
        match resource as u64 {
            abi::RLIMIT_RESIDENT => process.space().set_resident_limit(new.current),
            abi::RLIMIT_CPU => process.timers.limit_cpu(process, new),
            _ => {}
        }
    }
    if a[2] != 0 {
        crate::user::write(a[2], &old)?;
    }
    Ok(0)
}

/// RIGHTS_DROP.
pub fn rights_drop(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    Ok((me.process.rights.fetch_and(!a[0], SeqCst) & !a[0]) as usize)
}

/// SET_CREDENTIALS.
pub fn set_credentials(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let new: Credentials = crate::user::read(a[0])?;
    let old = me.process.credentials();
    let users = [old.ruid, old.euid, old.suid];
    let groups = [old.rgid, old.egid, old.sgid];
    // Anyone may exchange the ids that he has; others need the right.
    let exchanged = [new.ruid, new.euid, new.suid].iter().all(|id| users.contains(id))
        && [new.rgid, new.egid, new.sgid].iter().all(|id| groups.contains(id));
    if !exchanged {
        me.process.need_right(abi::RIGHT_CREDENTIALS)?;
    }
    me.process.set_credentials(new);
    Ok(0)
}

/// GET_CREDENTIALS.
pub fn get_credentials(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    crate::user::write(a[0], &me.process.credentials())?;
    Ok(0)
}

/// PROCESS_USAGE.
pub fn process_usage(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let user_ns = match a[0] as i64 {
        0 => me.process.run_ns(),
        -1 => me.process.children_run_ns(),
        _ => return Err(Errno::EINVAL),
    };
    crate::user::write(a[1], &abi::Usage { user_ns, ..abi::Usage::default() })?;
    Ok(0)
}

/// Limits of the first process; Linux's defaults where Linux has them.
pub(crate) fn default_limits() -> [abi::Rlimit; RESOURCES] {
    let mut limits = [abi::Rlimit { current: abi::RLIM_INFINITY, max: abi::RLIM_INFINITY }; RESOURCES];
    limits[abi::RLIMIT_STACK as usize].current = 8 << 20;
    limits[abi::RLIMIT_CORE as usize].current = 0;
    limits[abi::RLIMIT_NOFILE as usize] = abi::Rlimit { current: 1024, max: 1 << 20 };
    limits[abi::RLIMIT_THREADS as usize] = abi::Rlimit { current: 4096, max: 32_768 };
    limits
}

/// A thread by process and thread id; ESRCH.
pub(crate) fn thread_of(pid: u32, tid: u32) -> Result<Arc<Thread>> {
    find(pid)?.threads().into_iter().find(|t| t.tid == tid).ok_or(Errno::ESRCH)
}

/// The calling thread, or another of the same process by its id.
pub(crate) fn own_thread(me: &Arc<Thread>, tid: u64) -> Result<Arc<Thread>> {
    if tid == 0 || tid == u64::from(me.tid) {
        return Ok(me.clone());
    }
    me.process.threads().into_iter().find(|t| u64::from(t.tid) == tid).ok_or(Errno::ESRCH)
}
