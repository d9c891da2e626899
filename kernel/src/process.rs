//! Processes: a handle table, an address space, a namespace, threads; creation, end, waiting.

mod create;
mod groups;
mod limits;
mod wait;

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

pub use create::{fork, process_create, space_exec};
use groups::group_in_session;
pub use groups::{getpgid, getsid, setpgid, setsid};
pub(crate) use limits::{change_limit, default_limits};
pub use limits::{get_credentials, limit, process_usage, rights_drop, set_credentials};
use wait::exit_code;
pub use wait::{PidFd, exit, pidfd_open, thread_exit, wait};

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
    /// It has made one of its ports the pager of an object.
    pub(crate) is_pager: AtomicBool,
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
            is_pager: AtomicBool::new(false),
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
    #[inline(always)]
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
