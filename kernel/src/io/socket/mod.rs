//! AF_UNIX sockets: unix(7), of the kinds SOCK_STREAM, SOCK_DGRAM and SOCK_SEQPACKET.
//!
//! Each socket has a [`Side`] with an inbox that others fill. Data stand in page frames: one copy in, one copy out. Which name
//! leads to which socket is the affair of servers (a file system's, or ipcd): they keep [`names::Reference`]s, and a caller that
//! got one connects or sends with it; from then on no server stands between the ends.
//!
//! Open files in flight (SCM_RIGHTS) can hold each other: a socket inside its own inbox has no user left and would stay for ever.
//! [`flight`] finds such cycles, as Linux's unix_gc does.

mod ancillary;
mod flight;
mod inbox;
pub mod names;
mod options;
mod receive;
mod send;

use super::{Vectors, anonymous_stat, answer_stat, install_pair, ioctl, need_room, new_inode};
use crate::file::{File, Object};
use crate::process::Process;
use crate::readiness::Readiness;
use crate::thread::{self, Thread};
use crate::user::{self, UserSlice};
use crate::wait::WaitQueue;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering::Relaxed};
use hal::SpinLock;
use inbox::Inbox;
use names::State;
use ochre_abi::call::{CallArgs, OP_IOCTL, OP_STAT};
use ochre_abi::event::{EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP};
use ochre_abi::file::{O_CLOEXEC, O_NONBLOCK, O_RDWR, S_IFSOCK, Stat};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;
use options::Options;
use zerocopy::{FromBytes, Immutable, IntoBytes};

pub use options::socket_option;
pub use receive::recvmsg;
pub use send::sendmsg;

const AF_UNIX: u64 = 1;
const SOCK_STREAM: u64 = 1;
const SOCK_DGRAM: u64 = 2;
const SOCK_RAW: u64 = 3;
const SOCK_SEQPACKET: u64 = 5;
/// Types that socket(2) knows of.
const SOCK_MAX: u64 = 11;

/// What one write is to the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes.
    Stream,
    /// A message, delivered whatever becomes of the sender.
    Datagram,
    /// A message, with an end of the conversation.
    SeqPacket,
}

impl Kind {
    fn packets(self) -> bool {
        self != Kind::Stream
    }

    fn connected(self) -> bool {
        self != Kind::Datagram
    }

    /// socket(2)'s type, without flags, and protocol.
    fn of(number: u64, protocol: u64) -> Result<Kind> {
        if protocol != 0 && protocol != AF_UNIX {
            return Err(Errno::EPROTONOSUPPORT);
        }
        match number {
            SOCK_STREAM => Ok(Kind::Stream),
            // As Linux takes it.
            SOCK_DGRAM | SOCK_RAW => Ok(Kind::Datagram),
            SOCK_SEQPACKET => Ok(Kind::SeqPacket),
            0..SOCK_MAX => Err(Errno::ESOCKTNOSUPPORT),
            _ => Err(Errno::EINVAL),
        }
    }

    fn number(self) -> i32 {
        (match self {
            Kind::Stream => SOCK_STREAM,
            Kind::Datagram => SOCK_DGRAM,
            Kind::SeqPacket => SOCK_SEQPACKET,
        }) as i32
    }
}

/// struct ucred.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
pub struct UserCredentials {
    /// Process.
    pub pid: u32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

impl UserCredentials {
    /// Nobody: what a message has that was sent before anybody asked for credentials.
    const NOBODY: UserCredentials = UserCredentials { pid: 0, uid: 65534, gid: 65534 };
    /// What SO_PEERCRED tells of a socket that is not connected.
    const UNKNOWN: UserCredentials = UserCredentials { pid: 0, uid: u32::MAX, gid: u32::MAX };

    /// A process's.
    pub fn of(process: &Process) -> UserCredentials {
        let ids = process.credentials();
        UserCredentials { pid: process.pid, uid: ids.euid, gid: ids.egid }
    }
}

/// One socket's state, which other sockets reach: as their peer, or where they connect or send to.
struct Side {
    /// What this side will receive.
    inbox: SpinLock<Inbox>,
    /// Who waits to receive, or for a connection.
    readers: WaitQueue,
    /// Senders that wait for room in `inbox`, or for room in the queue of connections.
    writers: WaitQueue,
    readiness: Readiness,
    kind: Kind,
    options: Options,
    /// SO_ERROR, or 0.
    error: AtomicI32,
    /// A datagram socket sends nothing more (of the others the peer's inbox knows).
    write_shut: AtomicBool,
    ino: u64,
    state: SpinLock<State>,
    /// Where it sends to. A connected kind's stays for as long as the socket does.
    peer: SpinLock<Option<Arc<Side>>>,
    /// SO_PEERCRED.
    peer_credentials: SpinLock<UserCredentials>,
    /// The address it is bound to: what follows the family in struct sockaddr_un.
    name: SpinLock<Option<Name>>,
    /// Datagram senders that found no room here.
    crowd: SpinLock<Vec<Weak<Side>>>,
}

/// A bound address.
type Name = Arc<[u8]>;

impl Side {
    fn new(kind: Kind, ready: u32) -> Arc<Side> {
        Arc::new(Side {
            inbox: SpinLock::new(Inbox::new()),
            readers: WaitQueue::new(),
            writers: WaitQueue::new(),
            readiness: Readiness::new(ready),
            kind,
            options: Options::new(),
            error: AtomicI32::new(0),
            write_shut: AtomicBool::new(false),
            ino: new_inode(),
            state: SpinLock::new(State::Unconnected),
            peer: SpinLock::new(None),
            peer_credentials: SpinLock::new(UserCredentials::UNKNOWN),
            name: SpinLock::new(None),
            crowd: SpinLock::new(Vec::new()),
        })
    }

    /// A pending error, told once.
    fn take_error(&self) -> Option<Errno> {
        let error = self.error.swap(0, Relaxed);
        if error == 0 {
            return None;
        }
        self.readiness.clear(EPOLLERR);
        Some(Errno(error))
    }

    fn fail(&self, error: Errno) {
        self.error.store(error.0, Relaxed);
        self.readiness.raise(EPOLLERR);
    }

    fn peer(&self) -> Option<Arc<Side>> {
        self.peer.lock().clone()
    }

    fn name(&self) -> Option<Name> {
        self.name.lock().clone()
    }

    fn is_closed(&self) -> bool {
        self.inbox.lock().closed
    }

    /// Nothing more comes into the inbox (and, for connected kinds, nothing more goes out of the peer).
    fn close_inbox(&self, sender: Option<&Side>) {
        let mut inbox = self.inbox.lock();
        inbox.receive_shut = true;
        inbox.send_shut |= self.kind.connected();
        self.readiness.raise(EPOLLIN | EPOLLRDHUP);
        drop(inbox);
        self.readers.wake_all();
        self.writers.wake_all();
        // A sender must find out: its write does not block any more.
        if let Some(sender) = sender {
            sender.readiness.raise(EPOLLOUT);
        }
        self.admit_crowd();
    }

    /// Tells the datagram senders that found no room that there may be some.
    fn admit_crowd(&self) {
        let crowd = core::mem::take(&mut *self.crowd.lock());
        for sender in crowd.iter().filter_map(Weak::upgrade) {
            sender.readiness.raise(EPOLLOUT);
        }
    }
}

fn hang_up_if_closed(one: &Side, other: &Side) {
    let shut = |side: &Side| {
        let inbox = side.inbox.lock();
        (inbox.receive_shut, inbox.send_shut)
    };
    let [(a_in, b_out), (b_in, a_out)] = [shut(one), shut(other)];
    for (side, closed) in [one, other].into_iter().zip([a_in && a_out, b_in && b_out]) {
        if closed {
            side.readiness.raise(EPOLLHUP);
        }
    }
}

/// What a file descriptor refers to. Dropping it closes the socket; its [`Side`] may live on as others' peer.
pub struct Socket {
    own: Arc<Side>,
}

impl Socket {
    /// A socket without a name or a peer.
    fn new(kind: Kind) -> Arc<Socket> {
        // As Linux: one that is not connected hangs up.
        let ready = if kind.connected() { EPOLLOUT | EPOLLHUP } else { EPOLLOUT };
        Arc::new(Socket { own: Side::new(kind, ready) })
    }

    /// Two connected ends; the credentials are what SO_PEERCRED tells the other end.
    pub fn pair(kind: Kind, a: UserCredentials, b: UserCredentials) -> (Arc<Socket>, Arc<Socket>) {
        let (one, other) = (Side::new(kind, EPOLLOUT), Side::new(kind, EPOLLOUT));
        names::join(&one, &other, a, b);
        (Arc::new(Socket { own: one }), Arc::new(Socket { own: other }))
    }

    fn kind_of(&self) -> Kind {
        self.own.kind
    }

    fn own(&self) -> &Side {
        &self.own
    }

    fn peer(&self) -> Option<Arc<Side>> {
        self.own.peer()
    }

    /// shutdown(2): `how` is SHUT_RD, SHUT_WR or SHUT_RDWR.
    pub fn shut_down(&self, how: u64) -> Result<()> {
        let (reading, writing) = match how {
            0 => (true, false),
            1 => (false, true),
            2 => (true, true),
            _ => return Err(Errno::EINVAL),
        };
        let peer = self.peer();
        if reading {
            self.own.close_inbox(peer.as_deref());
        }
        if writing && !self.kind_of().connected() {
            self.own.write_shut.store(true, Relaxed);
            if let Some(peer) = &peer {
                peer.writers.wake_all();
            }
        } else if let (true, Some(peer)) = (writing, &peer) {
            peer.close_inbox(Some(&self.own));
        }
        match &peer {
            Some(peer) if self.kind_of().connected() => hang_up_if_closed(&self.own, peer),
            _ if reading && writing => self.own.readiness.raise(EPOLLHUP),
            _ => {}
        }
        Ok(())
    }

    /// readv(2).
    pub fn read_vectors(&self, file: &File, to: &mut Vectors) -> Result<usize> {
        receive::read(self, file, to)
    }

    /// writev(2).
    pub fn write_vectors(&self, file: &File, from: &mut Vectors) -> Result<usize> {
        send::write(self, file, from)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let connected = self.kind_of().connected();
        let unread = {
            let mut inbox = self.own.inbox.lock();
            inbox.closed = true;
            !inbox.is_empty()
        };
        names::forget(&self.own);
        // Without this, two peers would keep each other.
        let peer = self.own.peer.lock().take();
        if let Some(peer) = &peer {
            if unread && connected {
                // As Linux: the peer learns that what it sent was not read.
                peer.fail(Errno::ECONNRESET);
            }
        }
        self.own.close_inbox(peer.as_deref());
        if let (true, Some(peer)) = (connected, &peer) {
            peer.close_inbox(Some(&self.own));
            hang_up_if_closed(&self.own, peer);
        }
        flight::empty(&self.own);
    }
}

impl Object for Socket {
    fn kind(&self) -> &'static str {
        "socket"
    }

    fn read(&self, file: &File, to: UserSlice, _offset: Option<u64>) -> Result<usize> {
        self.read_vectors(file, &mut Vectors::one(to))
    }

    fn write(&self, file: &File, from: UserSlice, _offset: Option<u64>) -> Result<usize> {
        self.write_vectors(file, &mut Vectors::one(from))
    }

    fn stat(&self, _file: &File) -> Result<Stat> {
        Ok(anonymous_stat(S_IFSOCK | 0o777, self.own().ino))
    }

    fn call(&self, file: &File, args: &CallArgs) -> Result<usize> {
        match args.op as u16 {
            OP_STAT => answer_stat(&self.stat(file)?, args),
            OP_IOCTL => {
                let to_read = self.own().inbox.lock().next_len(self.kind_of());
                let unsent = self.peer().map_or(0, |peer| peer.inbox.lock().len());
                ioctl(file, args, to_read, Some(unsent))
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn readiness(&self) -> Option<&Readiness> {
        Some(&self.own().readiness)
    }
}

/// SOCKETPAIR.
pub fn socketpair(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [kind, protocol, fds, ..] = *a;
    let flags = kind & u64::from(O_CLOEXEC | O_NONBLOCK);
    let kind = Kind::of(kind & !flags, protocol)?;
    need_room(0)?;
    flight::collect_if_many();
    let credentials = UserCredentials::of(&me.process);
    let (one, other) = Socket::pair(kind, credentials, credentials);
    let mode = O_RDWR | flags as u32 & O_NONBLOCK;
    install_pair(me, [File::new(one, mode), File::new(other, mode)], flags & u64::from(O_CLOEXEC) != 0, fds)
}

/// SHUTDOWN.
pub fn shutdown(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let file = me.process.file(a[0] as i32)?;
    file.object::<Socket>().ok_or(Errno::ENOTSOCK)?.shut_down(a[1])?;
    Ok(0)
}

/// struct msghdr.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct MessageHeader {
    name: u64,
    name_len: u32,
    pad: u32,
    vectors: u64,
    vector_count: u64,
    control: u64,
    control_len: u64,
    flags: u32,
    pad2: u32,
}

const MSG_OOB: u64 = 1;
const MSG_PEEK: u64 = 2;
const MSG_CTRUNC: u64 = 8;
const MSG_TRUNC: u64 = 0x20;
const MSG_DONTWAIT: u64 = 0x40;
const MSG_WAITALL: u64 = 0x100;
const MSG_NOSIGNAL: u64 = 0x4000;
const MSG_CMSG_CLOEXEC: u64 = 0x4000_0000;

/// The header of a message call, and the socket it is for.
fn message(me: &Arc<Thread>, a: &[u64; 6]) -> Result<(Arc<File>, MessageHeader)> {
    let file = me.process.file(a[0] as i32)?;
    if file.object::<Socket>().is_none() {
        return Err(Errno::ENOTSOCK);
    }
    Ok((file, user::read(a[1])?))
}

fn nonblocking(file: &File, flags: u64) -> bool {
    file.nonblocking() || flags & MSG_DONTWAIT != 0
}

fn current_process() -> Arc<Process> {
    thread::current().process.clone()
}
