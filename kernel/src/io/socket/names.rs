//! Sockets before they are connected: names, listening, connecting, accepting.
//!
//! A server that is asked to bind a socket makes a [`Reference`] of it and keeps that under the name. The kernel notes under which
//! key it did so: a server that starts anew asks for the living ones (SOCKET_NEXT) and so has its names back.

use super::{Kind, Name, Side, Socket, UserCredentials};
use crate::file::{File, Object};
use crate::io::{anonymous_stat, install, need_room};
use crate::thread::Thread;
use crate::user;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use hal::SpinLock;
use ochre_abi::call::SocketNext;
use ochre_abi::event::{EPOLLHUP, EPOLLIN, EPOLLOUT};
use ochre_abi::file::{O_CLOEXEC, O_NONBLOCK, O_RDWR, S_IFSOCK, Stat};
use ochre_abi::process::RIGHT_SCHEME;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// The greatest backlog of listen(2) (Linux: net.core.somaxconn).
const BACKLOG_MAX: u64 = 4096;
/// Bytes of an address behind its family (sun_path, and a NUL).
const NAME_MAX: u64 = 109;
/// Bytes of a reference's key.
const KEY_MAX: u64 = 512;
const AF_UNIX: u16 = 1;

/// Where a connected kind's socket stands.
pub enum State {
    Unconnected,
    /// A thread is connecting it.
    Connecting,
    Listening(Listening),
    Connected,
}

/// What listen(2) made.
pub struct Listening {
    /// Connections that nobody accepted yet.
    queue: VecDeque<Arc<Socket>>,
    backlog: usize,
    /// Who listens.
    credentials: UserCredentials,
}

/// Who keeps references to which sockets: by the socket's inode number, its key.
static REFERENCES: SpinLock<BTreeMap<u64, (Weak<Side>, Name)>> = SpinLock::new(BTreeMap::new());

impl Side {
    /// listen(2) was called.
    pub(super) fn is_listening(&self) -> bool {
        matches!(*self.state.lock(), State::Listening(_))
    }
}

/// Connects two sides; the credentials are those of `one`'s and `other`'s owners.
pub(super) fn join(one: &Arc<Side>, other: &Arc<Side>, a: UserCredentials, b: UserCredentials) {
    for (side, peer, theirs) in [(one, other, b), (other, one, a)] {
        *side.peer.lock() = Some(peer.clone());
        *side.peer_credentials.lock() = theirs;
        *side.state.lock() = State::Connected;
    }
}

/// The socket is closed: its name leads nowhere, and who waits in its queue learns that nobody will accept.
pub(super) fn forget(side: &Side) {
    let reference = REFERENCES.lock().remove(&side.ino);
    let state = core::mem::replace(&mut *side.state.lock(), State::Unconnected);
    drop(reference);
    if let State::Listening(listening) = state {
        side.writers.wake_all();
        for embryo in &listening.queue {
            if let Some(peer) = embryo.peer() {
                peer.fail(Errno::ECONNRESET);
            }
        }
    }
}

/// ECONNREFUSED, EPROTOTYPE, or EPERM if the receiver is connected to another.
pub(super) fn may_send(own: &Side, to: &Side) -> Result<()> {
    if own.kind != to.kind {
        return Err(Errno::EPROTOTYPE);
    }
    match to.peer() {
        Some(peer) if !core::ptr::eq(&*peer, own) => Err(Errno::EPERM),
        _ => Ok(()),
    }
}

/// Writes an address to a caller's buffer; how long it is, whatever fit. 0 without a name.
pub(super) fn put_address(name: Option<&[u8]>, addr: u64, room: u32) -> Result<u32> {
    let Some(name) = name.filter(|_| addr != 0) else { return Ok(0) };
    let mut bytes = Vec::from(AF_UNIX.to_le_bytes());
    bytes.extend_from_slice(name);
    user::copy_out(addr, &bytes[..bytes.len().min(room as usize)])?;
    Ok(bytes.len() as u32)
}

/// What a server keeps of a socket: it does not keep it open.
pub struct Reference {
    side: Weak<Side>,
}

impl Reference {
    /// ECONNREFUSED if the socket is closed.
    fn side(&self) -> Result<Arc<Side>> {
        self.side.upgrade().filter(|side| !side.is_closed()).ok_or(Errno::ECONNREFUSED)
    }
}

impl Object for Reference {
    fn kind(&self) -> &'static str {
        "socket reference"
    }

    /// ECONNREFUSED tells a server that it may forget the name.
    fn stat(&self, _file: &File) -> Result<Stat> {
        Ok(anonymous_stat(S_IFSOCK | 0o777, self.side()?.ino))
    }
}

/// The socket that a descriptor of a reference leads to.
pub(super) fn target(me: &Arc<Thread>, fd: u64) -> Result<Arc<Side>> {
    me.process.file(fd as i32)?.object::<Reference>().ok_or(Errno::EINVAL)?.side()
}

fn socket_file(me: &Arc<Thread>, fd: u64) -> Result<Arc<File>> {
    let file = me.process.file(fd as i32)?;
    if file.object::<Socket>().is_some() { Ok(file) } else { Err(Errno::ENOTSOCK) }
}

/// SOCKET.
pub fn socket(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let flags = a[0] & u64::from(O_CLOEXEC | O_NONBLOCK);
    let kind = Kind::of(a[0] & !flags, a[1])?;
    need_room(0)?;
    super::flight::collect_if_many();
    install(me, File::new(Socket::new(kind), O_RDWR | flags as u32 & O_NONBLOCK), flags)
}

/// SOCKET_NAME.
pub fn socket_name(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [fd, which, addr, len, ..] = *a;
    let file = socket_file(me, fd)?;
    let Some(socket) = file.object::<Socket>() else { return Err(Errno::ENOTSOCK) };
    match which {
        0 => {
            let name = socket.own().name();
            put_name(name.as_deref(), addr, len)
        }
        1 => {
            let peer = socket.peer().ok_or(Errno::ENOTCONN)?;
            put_name(peer.name().as_deref(), addr, len)
        }
        2 => set_name(socket.own(), addr, len).map(|()| 0),
        _ => Err(Errno::EINVAL),
    }
}

fn put_name(name: Option<&[u8]>, addr: u64, room: u64) -> Result<usize> {
    let name = name.unwrap_or(&[]);
    user::copy_out(addr, &name[..name.len().min(room as usize)])?;
    Ok(name.len())
}

fn set_name(side: &Side, addr: u64, len: u64) -> Result<()> {
    if len > NAME_MAX {
        return Err(Errno::EINVAL);
    }
    let mut bytes = alloc::vec![0; len as usize];
    user::copy_in(&mut bytes, addr)?;
    let mut name = side.name.lock();
    match (&*name, len) {
        // Only a name that no server took may be given up again.
        (Some(_), 0) if !REFERENCES.lock().contains_key(&side.ino) => *name = None,
        (None, 1..) => *name = Some(bytes.into()),
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

/// SOCKET_LISTEN.
pub fn socket_listen(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let file = socket_file(me, a[0])?;
    let Some(socket) = file.object::<Socket>() else { return Err(Errno::ENOTSOCK) };
    let own = socket.own();
    if !own.kind.connected() {
        return Err(Errno::EOPNOTSUPP);
    }
    if own.name().is_none() {
        return Err(Errno::EINVAL);
    }
    // A negative backlog is a great one, as on Linux.
    let backlog = u64::from(a[1] as u32).min(BACKLOG_MAX) as usize;
    let credentials = UserCredentials::of(&me.process);
    let mut state = own.state.lock();
    match &mut *state {
        State::Unconnected => {
            *state = State::Listening(Listening { queue: VecDeque::new(), backlog, credentials });
            own.readiness.clear(EPOLLOUT | EPOLLHUP);
        }
        State::Listening(listening) => {
            listening.backlog = backlog;
            listening.credentials = credentials;
        }
        State::Connecting | State::Connected => return Err(Errno::EINVAL),
    }
    drop(state);
    own.writers.wake_all();
    Ok(0)
}

/// SOCKET_ACCEPT.
pub fn socket_accept(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    if a[1] & !u64::from(O_CLOEXEC | O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    let file = socket_file(me, a[0])?;
    let Some(socket) = file.object::<Socket>() else { return Err(Errno::ENOTSOCK) };
    let own = socket.own();
    if !own.kind.connected() {
        return Err(Errno::EOPNOTSUPP);
    }
    need_room(0)?;
    let deadline = own.options.receive_deadline();
    let accepted = own.readers.wait_until(deadline, || take_connection(own, file.nonblocking()));
    let accepted = accepted.map_err(|error| if error == Errno::ETIMEDOUT { Errno::EAGAIN } else { error })??;
    own.writers.wake_one();
    install(me, File::new(accepted, O_RDWR | a[1] as u32 & O_NONBLOCK), a[1])
}

fn take_connection(own: &Side, nonblocking: bool) -> Option<Result<Arc<Socket>>> {
    // The inbox's lock is never taken under the state's.
    let shut = own.inbox.lock().receive_shut;
    let mut state = own.state.lock();
    let State::Listening(listening) = &mut *state else { return Some(Err(Errno::EINVAL)) };
    let Some(first) = listening.queue.pop_front() else {
        return match (shut, nonblocking) {
            (true, _) => Some(Err(Errno::EINVAL)),
            (_, true) => Some(Err(Errno::EAGAIN)),
            _ => None,
        };
    };
    if listening.queue.is_empty() && !shut {
        own.readiness.clear(EPOLLIN);
    }
    Some(Ok(first))
}

/// SOCKET_CONNECT.
pub fn socket_connect(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let file = socket_file(me, a[0])?;
    let Some(socket) = file.object::<Socket>() else { return Err(Errno::ENOTSOCK) };
    let own = &socket.own;
    if a[1] as i32 == -1 {
        return dissolve(own).map(|()| 0);
    }
    let to = target(me, a[1])?;
    if own.kind == Kind::Datagram {
        may_send(own, &to)?;
        *own.peer_credentials.lock() = UserCredentials::UNKNOWN;
        let old = own.peer.lock().replace(to);
        own.readiness.raise(EPOLLOUT);
        drop(old);
        return Ok(0);
    }
    {
        let mut state = own.state.lock();
        match *state {
            State::Unconnected => *state = State::Connecting,
            State::Connecting => return Err(Errno::EALREADY),
            State::Connected => return Err(Errno::EISCONN),
            State::Listening(_) => return Err(Errno::EINVAL),
        }
    }
    let connected = enqueue(me, own, &to, file.nonblocking());
    if connected.is_err() {
        *own.state.lock() = State::Unconnected;
    }
    connected.map(|()| 0)
}

/// connect(2) with AF_UNSPEC.
fn dissolve(own: &Side) -> Result<()> {
    if own.kind.connected() {
        return Err(Errno::EINVAL);
    }
    let old = own.peer.lock().take();
    own.readiness.raise(EPOLLOUT);
    drop(old);
    Ok(())
}

/// Puts a connection into a listening socket's queue, where it counts as made.
fn enqueue(me: &Arc<Thread>, own: &Arc<Side>, to: &Arc<Side>, nonblocking: bool) -> Result<()> {
    if own.kind != to.kind {
        return Err(Errno::EPROTOTYPE);
    }
    need_room(0)?;
    let credentials = UserCredentials::of(&me.process);
    let other = Side::new(own.kind, EPOLLOUT);
    *other.name.lock() = to.name();
    other.options.inherit(&to.options);
    let mut embryo = Some(Arc::new(Socket { own: other.clone() }));
    let deadline = own.options.send_deadline();
    let done = to.writers.wait_until(deadline, || {
        let shut = to.inbox.lock().receive_shut;
        let mut state = to.state.lock();
        let State::Listening(listening) = &mut *state else { return Some(Err(Errno::ECONNREFUSED)) };
        if shut {
            return Some(Err(Errno::ECONNREFUSED));
        }
        if listening.queue.len() > listening.backlog {
            return nonblocking.then_some(Err(Errno::EAGAIN));
        }
        join(own, &other, credentials, listening.credentials);
        listening.queue.extend(embryo.take());
        Some(Ok(()))
    });
    done.map_err(|error| if error == Errno::ETIMEDOUT { Errno::EAGAIN } else { error })??;
    own.readiness.clear(EPOLLHUP);
    own.readiness.raise(EPOLLOUT);
    to.readiness.raise(EPOLLIN);
    to.readers.wake_one();
    Ok(())
}

fn read_key(addr: u64, len: u64) -> Result<Vec<u8>> {
    if len > KEY_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    let mut key = alloc::vec![0; len as usize];
    user::copy_in(&mut key, addr)?;
    Ok(key)
}

/// SOCKET_REFERENCE.
pub fn socket_reference(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    if !me.process.has_right(RIGHT_SCHEME) {
        return Err(Errno::EPERM);
    }
    let file = socket_file(me, a[0])?;
    let Some(socket) = file.object::<Socket>() else { return Err(Errno::ENOTSOCK) };
    let key = read_key(a[1], a[2])?;
    need_room(0)?;
    let side = Arc::downgrade(&socket.own);
    let reference = install(me, File::new(Arc::new(Reference { side: side.clone() }), O_RDWR), O_CLOEXEC.into())?;
    let old = REFERENCES.lock().insert(socket.own.ino, (side, key.into()));
    drop(old);
    Ok(reference)
}

/// SOCKET_NEXT.
pub fn socket_next(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    if !me.process.has_right(RIGHT_SCHEME) {
        return Err(Errno::EPERM);
    }
    let mut next: SocketNext = user::read(a[0])?;
    let prefix = read_key(next.prefix, next.prefix_len)?;
    let found = REFERENCES
        .lock()
        .range(next.after.saturating_add(1)..)
        .find(|(_, (_, key))| key.starts_with(&prefix))
        .map(|(ino, (side, key))| (*ino, side.clone(), key.clone()));
    let (ino, side, key) = found.ok_or(Errno::ENOENT)?;
    user::copy_out(next.key, &key[..key.len().min(next.key_len as usize)])?;
    (next.after, next.key_len) = (ino, key.len() as u64);
    let fd = install(me, File::new(Arc::new(Reference { side }), O_RDWR), O_CLOEXEC.into())?;
    user::write(a[0], &next)?;
    Ok(fd)
}
