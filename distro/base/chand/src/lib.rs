//! Named channels: listeners, connections, and who waits for them.
//!
//! A connection's two ends each have a buffer that the other end writes into. A full buffer makes writers wait, an empty one readers;
//! with O_NONBLOCK they get EAGAIN. When an end closes, its peer reads what is left, then the end of file, and writes fail with EPIPE.

use ochre_scheme::abi::event::{EPOLLHUP, EPOLLIN, EPOLLOUT};
use ochre_scheme::abi::file::{O_CREAT, O_NONBLOCK};
use ochre_scheme::{Answer, Errno, Op, Port, Request, Result, Scheme, Waiters};
use std::collections::{HashMap, VecDeque};

/// Bytes that wait in one direction at the most.
const BUFFER: usize = 64 * 1024;
/// Connections that wait to be accepted at the most.
const BACKLOG: usize = 128;

/// The scheme's state.
pub struct Channels {
    port: Port,
    next: u64,
    names: HashMap<Vec<u8>, u64>,
    handles: HashMap<u64, Handle>,
    accepting: Waiters,
    reading: Waiters,
    writing: Waiters,
}

enum Handle {
    Listener { name: Vec<u8>, backlog: VecDeque<u64> },
    End(End),
}

struct End {
    /// The other end, while it is open.
    peer: Option<u64>,
    /// What the other end wrote.
    buffer: VecDeque<u8>,
}

impl Channels {
    /// No channels; `port` is for readiness.
    pub fn new(port: Port) -> Self {
        Channels {
            port,
            next: 0,
            names: HashMap::new(),
            handles: HashMap::new(),
            accepting: Waiters::new(),
            reading: Waiters::new(),
            writing: Waiters::new(),
        }
    }

    fn add(&mut self, handle: Handle) -> u64 {
        self.next += 1;
        self.handles.insert(self.next, handle);
        self.next
    }

    fn ready(&self, handle: u64, set: u32, clear: u32) {
        // A handle whose last descriptor is going at this moment has nobody to tell.
        let _ = self.port.set_ready(handle, set, clear);
    }

    fn end(&mut self, handle: u64) -> Result<&mut End> {
        match self.handles.get_mut(&handle) {
            Some(Handle::End(end)) => Ok(end),
            Some(Handle::Listener { .. }) => Err(Errno::EINVAL),
            None => Err(Errno::EBADF),
        }
    }

    fn try_accept(&mut self, listener: u64) -> Result<Option<Answer>> {
        let Some(Handle::Listener { backlog, .. }) = self.handles.get_mut(&listener) else { return Err(Errno::EINVAL) };
        let end = backlog.pop_front();
        if backlog.is_empty() {
            self.ready(listener, 0, EPOLLIN);
        }
        Ok(end.map(Answer::opened))
    }

    fn try_read(&mut self, request: &mut Request, len: usize) -> Result<Option<Answer>> {
        let id = request.handle();
        let end = self.end(id)?;
        if end.buffer.is_empty() {
            return if end.peer.is_none() { request.data_answer().map(Some) } else { Ok(None) };
        }
        let count = len.min(end.buffer.len());
        let bytes: Vec<u8> = end.buffer.drain(..count).collect();
        let (empty, peer) = (end.buffer.is_empty(), end.peer);
        request.put(&bytes)?;
        if empty && peer.is_some() {
            self.ready(id, 0, EPOLLIN);
        }
        if let Some(peer) = peer {
            self.ready(peer, EPOLLOUT, 0);
        }
        request.data_answer().map(Some)
    }

    fn try_write(&mut self, request: &mut Request) -> Result<Option<Answer>> {
        let id = request.handle();
        let peer = self.end(id)?.peer.ok_or(Errno::EPIPE)?;
        let room = BUFFER.saturating_sub(self.end(peer)?.buffer.len());
        if room == 0 {
            self.ready(id, 0, EPOLLOUT);
            return Ok(None);
        }
        let taken = {
            let data = request.data(room)?;
            let count = data.len().min(room);
            self.end(peer)?.buffer.extend(&data[..count]);
            count
        };
        self.ready(peer, EPOLLIN, 0);
        Ok(Some(Answer::value(taken)))
    }

    /// Lets everybody go on who can now. Each pass asks each waiter once, until none can.
    fn settle(&mut self) {
        loop {
            let mut progress = false;
            for kind in [Kind::Accept, Kind::Read, Kind::Write] {
                let mut left = Waiters::new();
                while let Some(mut request) = self.waiters(kind).pop() {
                    let result = match (kind, request.op()) {
                        (Kind::Accept, _) => self.try_accept(request.handle()),
                        (Kind::Read, Op::Read { len, .. }) => self.try_read(&mut request, len),
                        _ => self.try_write(&mut request),
                    };
                    match result {
                        Ok(None) => left.push(request),
                        Ok(Some(answer)) => {
                            progress = true;
                            request.answer(Ok(answer));
                        }
                        Err(error) => {
                            progress = true;
                            request.answer(Err(error));
                        }
                    }
                }
                *self.waiters(kind) = left;
            }
            if !progress {
                return;
            }
        }
    }

    fn waiters(&mut self, kind: Kind) -> &mut Waiters {
        match kind {
            Kind::Accept => &mut self.accepting,
            Kind::Read => &mut self.reading,
            Kind::Write => &mut self.writing,
        }
    }

    fn wait(&mut self, kind: Kind, request: &mut Request, nonblocking: bool) -> Result<Answer> {
        if nonblocking { Err(Errno::EAGAIN) } else { self.waiters(kind).wait(request) }
    }

    fn hang_up(&mut self, end: u64) {
        if let Some(Handle::End(end)) = self.handles.remove(&end) {
            if let Some(peer) = end.peer {
                if let Ok(other) = self.end(peer) {
                    other.peer = None;
                }
                self.ready(peer, EPOLLIN | EPOLLOUT | EPOLLHUP, 0);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Accept,
    Read,
    Write,
}

impl Scheme for Channels {
    fn open(&mut self, request: &mut Request, flags: u32, _mode: u32) -> Result<Answer> {
        let name = request.payload().to_vec();
        if name.is_empty() {
            return Err(Errno::ENOENT);
        }
        if flags & O_CREAT != 0 {
            if self.names.contains_key(&name) {
                return Err(Errno::EADDRINUSE);
            }
            let id = self.add(Handle::Listener { name: name.clone(), backlog: VecDeque::new() });
            self.names.insert(name, id);
            return Ok(Answer::opened(id).not_ready());
        }
        let listener = *self.names.get(&name).ok_or(Errno::ECONNREFUSED)?;
        let Some(Handle::Listener { backlog, .. }) = self.handles.get(&listener) else {
            return Err(Errno::ECONNREFUSED);
        };
        if backlog.len() >= BACKLOG {
            return Err(Errno::EAGAIN);
        }
        let client = self.add(Handle::End(End { peer: None, buffer: VecDeque::new() }));
        let server = self.add(Handle::End(End { peer: Some(client), buffer: VecDeque::new() }));
        self.end(client)?.peer = Some(server);
        if let Some(Handle::Listener { backlog, .. }) = self.handles.get_mut(&listener) {
            backlog.push_back(server);
        }
        self.ready(listener, EPOLLIN, 0);
        self.settle();
        Ok(Answer::opened(client))
    }

    fn dup(&mut self, request: &mut Request) -> Result<Answer> {
        if request.payload() != b"listen" {
            return Err(Errno::EINVAL);
        }
        match self.try_accept(request.handle())? {
            Some(answer) => Ok(answer),
            None => self.accepting.wait(request),
        }
    }

    fn close(&mut self, handle: u64) {
        if let Some(Handle::Listener { name, backlog }) = self.handles.get_mut(&handle) {
            let (name, backlog) = (std::mem::take(name), std::mem::take(backlog));
            self.names.remove(&name);
            self.handles.remove(&handle);
            backlog.into_iter().for_each(|end| self.hang_up(end));
        } else {
            self.hang_up(handle);
        }
        self.settle();
    }

    fn cancel(&mut self, tag: u64, _gone: bool) {
        let _ = self.accepting.cancel(tag) || self.reading.cancel(tag) || self.writing.cancel(tag);
    }

    fn read(&mut self, request: &mut Request, _: Option<u64>, len: usize) -> Result<Answer> {
        match self.try_read(request, len)? {
            Some(answer) => {
                self.settle();
                Ok(answer)
            }
            None => {
                let nonblocking = matches!(request.op(), Op::Read { status, .. } if status & O_NONBLOCK != 0);
                self.wait(Kind::Read, request, nonblocking)
            }
        }
    }

    fn write(&mut self, request: &mut Request, _: Option<u64>, _len: usize) -> Result<Answer> {
        match self.try_write(request)? {
            Some(answer) => {
                self.settle();
                Ok(answer)
            }
            None => {
                let nonblocking = matches!(request.op(), Op::Write { status, .. } if status & O_NONBLOCK != 0);
                self.wait(Kind::Write, request, nonblocking)
            }
        }
    }
}
