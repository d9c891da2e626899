//! The scheme: handles, opening and closing, and the requests that are neither data nor ioctl.

use crate::jobs::Session;
use crate::names::{self, Node};
use crate::terminal::{Id, SERIAL, Side, Terminal};
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::event::{
    EPOLL_CTL_ADD, EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDNORM, EPOLLWRNORM, EpollEvent,
};
use ochre_scheme::abi::file::{O_ACCMODE, O_CLOEXEC, O_DIRECTORY, O_NOCTTY, O_PATH, O_RDONLY, O_WRONLY, S_IFMT, Stat};
use ochre_scheme::{Answer, Errno, Op, Port, Request, Result, Scheme};
use std::collections::{BTreeMap, HashMap};

/// An event queue of the kernel.
pub struct Queue(OwnedFd);

impl Queue {
    /// An empty one.
    pub fn new() -> Result<Queue> {
        Ok(Queue(OwnedFd::new(syscall::event_create(O_CLOEXEC)?)))
    }

    /// Watches a descriptor; the events carry `token`.
    pub fn add(&self, fd: i32, events: u32, token: u64) -> Result<()> {
        syscall::event_ctl(self.0.get(), EPOLL_CTL_ADD, fd, Some(&EpollEvent { events, data: token }))
    }

    /// Waits up to `timeout` ns; how many events there are.
    pub fn wait(&self, events: &mut [EpollEvent], timeout: u64) -> Result<usize> {
        syscall::event_wait(self.0.get(), events, timeout, None)
    }
}

/// What a handle refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Master(Id),
    Terminal(Id),
    /// The terminal was hung up: reads end, all else is EIO.
    HungUp,
    Directory,
    /// The text of `sessions`.
    Sessions,
    /// Opened with O_PATH.
    Path,
}

/// An open handle.
#[derive(Debug)]
pub struct Handle {
    /// What it refers to.
    pub role: Role,
    /// The name it was opened by.
    pub node: Node,
    /// The readiness that the kernel was told.
    ready: u32,
    /// What a read of `sessions` has not got yet.
    pub text: Vec<u8>,
}

/// The scheme's state.
pub struct Ttys {
    port: Port,
    /// For the ends of processes.
    pub queue: Queue,
    /// The serial line's device.
    pub serial: Option<OwnedFd>,
    next: u64,
    /// Open handles.
    pub handles: HashMap<u64, Handle>,
    /// Terminals.
    pub terminals: BTreeMap<Id, Terminal>,
    /// Sessions by their number, which is the leader's pid.
    pub sessions: HashMap<u32, Session>,
    /// Processes that gave up their session's terminal.
    pub detached: HashMap<u32, OwnedFd>,
}

impl Ttys {
    /// No pty, and the serial line if there is a device for it.
    pub fn new(port: Port, queue: Queue, serial: Option<OwnedFd>) -> Ttys {
        let terminals = serial.iter().map(|_| (SERIAL, Terminal::serial())).collect();
        Ttys {
            port,
            queue,
            serial,
            next: 0,
            handles: HashMap::new(),
            terminals,
            sessions: HashMap::new(),
            detached: HashMap::new(),
        }
    }

    /// The terminal of a handle on either side; EIO once it is hung up, ENOTTY if the handle is no terminal's.
    pub fn terminal_of(&mut self, handle: u64) -> Result<(&mut Terminal, bool)> {
        match self.handles.get(&handle).ok_or(Errno::EBADF)?.role {
            Role::Master(id) => Ok((self.terminals.get_mut(&id).ok_or(Errno::EIO)?, true)),
            Role::Terminal(id) => Ok((self.terminals.get_mut(&id).ok_or(Errno::EIO)?, false)),
            Role::HungUp => Err(Errno::EIO),
            Role::Directory | Role::Sessions | Role::Path => Err(Errno::ENOTTY),
        }
    }

    fn node_of(&self, request: &Request) -> Result<Node> {
        let base = match self.handles.get(&request.handle()) {
            Some(handle) => handle.node,
            None => Node::Root,
        };
        let node = base.walk(request.payload()).ok_or(Errno::ENOENT)?;
        match node {
            Node::Pts(id) if !self.is_listed(id) => Err(Errno::ENOENT),
            Node::Console | Node::TtyS0 if self.serial.is_none() => Err(Errno::ENOENT),
            node => Ok(node),
        }
    }

    /// The pty has a name: its master is open.
    fn is_listed(&self, id: Id) -> bool {
        self.terminals.get(&id).and_then(|t| t.master.as_ref()).is_some_and(|master| master.open)
    }

    fn add(&mut self, role: Role, node: Node) -> u64 {
        self.next += 1;
        let text = if role == Role::Sessions { self.sessions_text().into_bytes() } else { Vec::new() };
        self.handles.insert(self.next, Handle { role, node, ready: 0, text });
        if let Role::Master(id) | Role::Terminal(id) = role {
            if let Some(terminal) = self.terminals.get_mut(&id) {
                terminal.handles.push(self.next);
            }
        }
        self.next
    }

    /// Answers an open, and tells at once what the handle is ready for.
    fn opened(&mut self, request: &mut Request, role: Role, node: Node) -> Result<Answer> {
        let handle = self.add(role, node);
        request.defer().answer(Ok(Answer::opened(handle).not_ready()));
        self.update_ready(handle);
        Ok(Answer::later())
    }

    fn open_master(&mut self, request: &mut Request) -> Result<Answer> {
        let id = (0..SERIAL).find(|id| !self.terminals.contains_key(id)).ok_or(Errno::ENOSPC)?;
        self.terminals.insert(id, Terminal::pty(id, request.caller().uid));
        self.opened(request, Role::Master(id), Node::Ptmx)
    }

    fn open_terminal(&mut self, request: &mut Request, id: Id, node: Node, flags: u32) -> Result<Answer> {
        let caller = request.caller_info()?;
        self.reap();
        let terminal = self.terminals.get_mut(&id).ok_or(Errno::EIO)?;
        let access = match flags & O_ACCMODE {
            O_RDONLY => 4,
            O_WRONLY => 2,
            _ => 6,
        };
        let mine = node == Node::Tty;
        if !mine && !terminal.attributes.allow(caller.uid, caller.gid, access) {
            return Err(Errno::EACCES);
        }
        if terminal.master.as_ref().is_some_and(|master| master.locked || !master.open) {
            return Err(Errno::EIO);
        }
        if terminal.exclusive && caller.uid != 0 {
            return Err(Errno::EBUSY);
        }
        terminal.opens += 1;
        if let Some(master) = &mut terminal.master {
            master.other_closed = false;
        }
        if flags & O_NOCTTY == 0 && access & 4 != 0 && !matches!(node, Node::Tty | Node::Console) {
            self.acquire_by_open(id, &caller);
        }
        let answer = self.opened(request, Role::Terminal(id), node);
        self.settle(id);
        answer
    }

    /// Takes note of processes that ended, before their terminals are given to others.
    pub fn reap(&mut self) {
        let mut events = [EpollEvent::default(); 16];
        // What else is ready is found again by the main loop: the queue tells levels.
        let count = self.queue.wait(&mut events, 0).unwrap_or(0);
        for event in &events[..count] {
            if let Ok(pid) = u32::try_from(event.data) {
                self.process_ended(pid);
            }
        }
    }

    /// The terminal's handles are of no use any more.
    pub fn hang_up(&mut self, id: Id) {
        let Some(terminal) = self.terminals.get_mut(&id) else { return };
        let waits = terminal.readers.drain(..).chain(terminal.writers.drain(..));
        waits.for_each(|wait| wait.request.answer(Err(Errno::EIO)));
        terminal.opens = 0;
        let handles = std::mem::take(&mut terminal.handles);
        for handle in handles {
            match self.handles.get_mut(&handle) {
                Some(Handle { role: role @ Role::Terminal(_), .. }) => *role = Role::HungUp,
                Some(_) => terminal.handles.push(handle),
                None => {}
            }
            let hung_up = self.handles.get(&handle).is_some_and(|h| h.role == Role::HungUp);
            if hung_up {
                let all = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | EPOLLWRNORM;
                // A handle whose last descriptor is going at this moment has nobody to tell.
                let _ = self.port.set_ready(handle, all, 0);
            }
        }
    }

    fn close_terminal(&mut self, id: Id) {
        let Some(terminal) = self.terminals.get_mut(&id) else { return };
        terminal.opens = terminal.opens.saturating_sub(1);
        if terminal.opens > 0 {
            return;
        }
        terminal.exclusive = false;
        match &mut terminal.master {
            Some(master) => master.other_closed = true,
            None if terminal.session.is_none() => terminal.reset(),
            None => {}
        }
        self.settle(id);
    }

    fn close_master(&mut self, id: Id) {
        if let Some(Some(master)) = self.terminals.get_mut(&id).map(|terminal| &mut terminal.master) {
            master.open = false;
        }
        self.hang_up_session(id);
        self.hang_up(id);
        self.terminals.remove(&id);
    }

    /// Tells the kernel what all handles of a terminal are ready for.
    pub fn update_all(&mut self, id: Id) {
        let handles = self.terminals.get(&id).map(|terminal| terminal.handles.clone()).unwrap_or_default();
        handles.into_iter().for_each(|handle| self.update_ready(handle));
    }

    fn update_ready(&mut self, id: u64) {
        let Some(handle) = self.handles.get(&id) else { return };
        let (readable, writable, more) = match handle.role {
            Role::Master(id) => {
                let Some(terminal) = self.terminals.get(&id) else { return };
                let closed = terminal.master.as_ref().is_some_and(|master| master.other_closed);
                let status = terminal.line.has_status();
                let more = if closed { EPOLLHUP } else { 0 } | if status { EPOLLPRI } else { 0 };
                let readable = status || terminal.line.output_len() > 0;
                (readable, terminal.arrived.len() < crate::terminal::ARRIVED_MAX, more)
            }
            Role::Terminal(id) => {
                let Some(terminal) = self.terminals.get(&id) else { return };
                (terminal.line.polls_readable(), terminal.line.can_write(), 0)
            }
            Role::HungUp => return,
            Role::Directory | Role::Sessions | Role::Path => (true, true, 0),
        };
        let input = if readable { EPOLLIN | EPOLLRDNORM } else { 0 };
        let output = if writable { EPOLLOUT | EPOLLWRNORM } else { 0 };
        let now = input | output | more;
        let old = handle.ready;
        // What stays is told again only for input, of which there may be more: an edge-triggered watcher wants to know.
        let set = now & !old | now & (EPOLLIN | EPOLLRDNORM);
        let clear = old & !now;
        if set | clear != 0 {
            // A handle whose last descriptor is going at this moment has nobody to tell.
            let _ = self.port.set_ready(id, set, clear);
        }
        if let Some(handle) = self.handles.get_mut(&id) {
            handle.ready = now;
        }
    }

    /// The attributes that stat shows of a node.
    fn stat_of(&self, node: Node) -> Stat {
        let terminal = node.terminal().and_then(|id| self.terminals.get(&id));
        node.stat(terminal.map(|terminal| &terminal.attributes))
    }

    /// chmod and chown, of a pty or the serial line: by root or the owner.
    fn change(&mut self, request: &Request, op: Op) -> Result<Answer> {
        let node = self.node_of(request)?;
        let uid = request.caller().uid;
        let terminal = node.terminal().and_then(|id| self.terminals.get_mut(&id)).ok_or(Errno::EPERM)?;
        let attributes = &mut terminal.attributes;
        if uid != 0 && uid != attributes.uid {
            return Err(Errno::EPERM);
        }
        match op {
            Op::Chmod { mode } => attributes.mode = attributes.mode & S_IFMT | mode & 0o7777,
            Op::Chown { uid: new, gid, .. } => {
                if uid != 0 && new != u32::MAX && new != attributes.uid {
                    return Err(Errno::EPERM);
                }
                attributes.uid = if new == u32::MAX { attributes.uid } else { new };
                attributes.gid = if gid == u32::MAX { attributes.gid } else { gid };
            }
            _ => {}
        }
        attributes.changed = names::now();
        Ok(Answer::done())
    }

    /// utimensat(2), in seconds; u64::MAX is now, u64::MAX − 1 leaves a time alone.
    fn set_times(&mut self, request: &Request, accessed: u64, written: u64) -> Result<Answer> {
        let node = self.node_of(request)?;
        let uid = request.caller().uid;
        let terminal = node.terminal().and_then(|id| self.terminals.get_mut(&id)).ok_or(Errno::EPERM)?;
        let attributes = &mut terminal.attributes;
        if uid != 0 && uid != attributes.uid {
            return Err(Errno::EPERM);
        }
        for (time, field) in [(accessed, &mut attributes.accessed), (written, &mut attributes.written)] {
            match time {
                u64::MAX => *field = names::now(),
                time if time == u64::MAX - 1 => {}
                time => *field = (time / 1_000_000_000) as i64,
            }
        }
        attributes.changed = names::now();
        Ok(Answer::done())
    }

    /// Forgets input that was not read.
    pub fn flush_input(&mut self, id: Id) {
        if let Some(terminal) = self.terminals.get_mut(&id) {
            terminal.arrived.clear();
            terminal.line.flush_input();
        }
    }
}

impl Scheme for Ttys {
    fn open(&mut self, request: &mut Request, flags: u32, _mode: u32) -> Result<Answer> {
        let node = self.node_of(request)?;
        if flags & O_PATH != 0 {
            let handle = self.add(Role::Path, node);
            let answer = Answer::opened(handle);
            return Ok(if node.is_directory() { answer.directory() } else { answer });
        }
        if node.is_directory() {
            if flags & O_ACCMODE != O_RDONLY {
                return Err(Errno::EISDIR);
            }
            return Ok(Answer::opened(self.add(Role::Directory, node)).directory());
        }
        if flags & O_DIRECTORY != 0 {
            return Err(Errno::ENOTDIR);
        }
        match node {
            Node::Ptmx => self.open_master(request),
            Node::Sessions if flags & O_ACCMODE != O_RDONLY => Err(Errno::EACCES),
            Node::Sessions => Ok(Answer::opened(self.add(Role::Sessions, node))),
            Node::Tty => {
                let caller = request.caller_info()?;
                let id = self.controlling(&caller).ok_or(Errno::ENXIO)?;
                self.open_terminal(request, id, node, flags)
            }
            node => {
                let id = node.terminal().ok_or(Errno::ENXIO)?;
                self.open_terminal(request, id, node, flags)
            }
        }
    }

    fn close(&mut self, handle: u64) {
        let Some(gone) = self.handles.remove(&handle) else { return };
        if let Role::Master(id) | Role::Terminal(id) = gone.role {
            if let Some(terminal) = self.terminals.get_mut(&id) {
                terminal.handles.retain(|other| *other != handle);
            }
        }
        match gone.role {
            Role::Master(id) => self.close_master(id),
            Role::Terminal(id) => self.close_terminal(id),
            _ => {}
        }
    }

    fn cancel(&mut self, tag: u64, _gone: bool) {
        let found = self.terminals.values_mut().find_map(|terminal| {
            let (wait, side) = terminal.take_wait(tag)?;
            Some((terminal.id, wait, side))
        });
        let Some((id, mut wait, side)) = found else { return };
        let len = match wait.request.op() {
            Op::Read { len, .. } => len,
            _ => 0,
        };
        let partial = self.terminals.get_mut(&id).map(|terminal| &mut terminal.line);
        let answer = match partial {
            // VMIN bytes had not come, but some: they count.
            Some(line) if side == Side::Reader && !line.is_canonical() && line.has_input() => {
                let data = line.read(len);
                wait.request.put(&data).and_then(|_| wait.request.data_answer())
            }
            _ if wait.done > 0 => Ok(Answer::value(wait.done)),
            _ => Err(Errno::EINTR),
        };
        wait.request.answer(answer);
        self.settle(id);
    }

    fn read(&mut self, request: &mut Request, _position: Option<u64>, len: usize) -> Result<Answer> {
        self.start_read(request, len)
    }

    fn write(&mut self, request: &mut Request, _position: Option<u64>, len: usize) -> Result<Answer> {
        self.start_write(request, len)
    }

    fn stat(&mut self, handle: u64) -> Result<Stat> {
        let node = self.handles.get(&handle).ok_or(Errno::EBADF)?.node;
        Ok(self.stat_of(node))
    }

    fn ioctl(&mut self, request: &mut Request, command: u64, argument: u64) -> Result<Answer> {
        self.control(request, command as u32, argument)
    }

    fn other(&mut self, request: &mut Request, op: Op) -> Result<Answer> {
        match op {
            Op::GetDents { position, len } => {
                let handle = self.handles.get(&request.handle()).ok_or(Errno::EBADF)?;
                if !handle.node.is_directory() {
                    return Err(Errno::ENOTDIR);
                }
                let node = handle.node;
                let pts = self.terminals.keys().copied().filter(|id| self.is_listed(*id));
                let (bytes, next) = node.list(position, len, pts);
                if bytes.is_empty() && next == position && len < 64 {
                    return Err(Errno::EINVAL);
                }
                let put = request.put(&bytes)?;
                Ok(Answer::value(put).with_args([next, 0, 0]))
            }
            Op::Chmod { .. } | Op::Chown { .. } => self.change(request, op),
            Op::Utimens { atime, mtime, .. } => self.set_times(request, atime, mtime),
            Op::Seek { .. } => Err(Errno::ESPIPE),
            Op::Readlink => self.node_of(request).and(Err(Errno::EINVAL)),
            Op::Mkdir { .. } | Op::Unlink { .. } | Op::Rename { .. } | Op::Symlink | Op::Link { .. } => {
                Err(Errno::EPERM)
            }
            Op::Truncate { .. } | Op::Sync { .. } | Op::Lock { .. } | Op::Flock { .. } => Err(Errno::EINVAL),
            _ => Err(Errno::ENOSYS),
        }
    }
}
