//! Connected AF_UNIX sockets: unix(7), of the kinds SOCK_STREAM, SOCK_DGRAM and SOCK_SEQPACKET.
//!
//! Names, listening and connecting are a server's affair (ipcd): it asks for a [`Socket::pair`] and hands the ends out. A pair has two
//! sides, each with an inbox that the other side fills. Data stand in page frames: one copy in, one copy out.
//!
//! Open files in flight (SCM_RIGHTS) can hold each other: a socket inside its own inbox has no user left and would stay for ever.
//! [`flight`] finds such cycles, as Linux's unix_gc does.

mod ancillary;
mod flight;
mod inbox;
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
use alloc::sync::Arc;
use core::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};
use hal::SpinLock;
use inbox::Inbox;
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
const SOCK_SEQPACKET: u64 = 5;

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

    /// A process's.
    pub fn of(process: &Process) -> UserCredentials {
        let ids = process.credentials();
        UserCredentials { pid: process.pid, uid: ids.euid, gid: ids.egid }
    }
}

/// Two connected sockets' common state.
struct Pair {
    kind: Kind,
    sides: [Side; 2],
}

struct Side {
    /// What this side will receive.
    inbox: SpinLock<Inbox>,
    readers: WaitQueue,
    /// The other side's senders that wait for room in `inbox`.
    writers: WaitQueue,
    readiness: Readiness,
    /// Who made this side, as the other side's SO_PEERCRED tells.
    credentials: UserCredentials,
    options: Options,
    /// SO_ERROR, or 0.
    error: AtomicI32,
    ino: AtomicU64,
}

impl Side {
    fn new(credentials: UserCredentials) -> Side {
        Side {
            inbox: SpinLock::new(Inbox::new()),
            readers: WaitQueue::new(),
            writers: WaitQueue::new(),
            readiness: Readiness::new(EPOLLOUT),
            credentials,
            options: Options::new(),
            error: AtomicI32::new(0),
            ino: AtomicU64::new(new_inode()),
        }
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
}

/// One end.
pub struct Socket {
    pair: Arc<Pair>,
    side: usize,
}

impl Socket {
    /// Two connected ends; the credentials are what SO_PEERCRED tells the other end.
    pub fn pair(kind: Kind, a: UserCredentials, b: UserCredentials) -> (Arc<Socket>, Arc<Socket>) {
        let pair = Arc::new(Pair { kind, sides: [Side::new(a), Side::new(b)] });
        let other = pair.clone();
        (Arc::new(Socket { pair, side: 0 }), Arc::new(Socket { pair: other, side: 1 }))
    }

    fn kind_of(&self) -> Kind {
        self.pair.kind
    }

    fn own(&self) -> &Side {
        &self.pair.sides[self.side]
    }

    fn peer(&self) -> &Side {
        &self.pair.sides[1 - self.side]
    }

    /// Nothing more comes into `side`'s inbox (and, for connected kinds, nothing more goes out of the other side).
    fn close_inbox(&self, side: usize) {
        let receiver = &self.pair.sides[side];
        let mut inbox = receiver.inbox.lock();
        inbox.receive_shut = true;
        inbox.send_shut |= self.kind_of().connected();
        receiver.readiness.raise(EPOLLIN | EPOLLRDHUP);
        drop(inbox);
        receiver.readers.wake_all();
        receiver.writers.wake_all();
        // A sender must find out: its write does not block any more.
        self.pair.sides[1 - side].readiness.raise(EPOLLOUT);
    }

    fn hang_up_if_closed(&self) {
        let shut = |side: &Side| {
            let inbox = side.inbox.lock();
            (inbox.receive_shut, inbox.send_shut)
        };
        let [(a_in, b_out), (b_in, a_out)] = [shut(&self.pair.sides[0]), shut(&self.pair.sides[1])];
        for (side, closed) in self.pair.sides.iter().zip([a_in && a_out, b_in && b_out]) {
            if closed {
                side.readiness.raise(EPOLLHUP);
            }
        }
    }

    /// shutdown(2): `how` is SHUT_RD, SHUT_WR or SHUT_RDWR.
    pub fn shut_down(&self, how: u64) -> Result<()> {
        let (reading, writing) = match how {
            0 => (true, false),
            1 => (false, true),
            2 => (true, true),
            _ => return Err(Errno::EINVAL),
        };
        if reading {
            self.close_inbox(self.side);
        }
        if writing {
            if self.kind_of().connected() {
                self.close_inbox(1 - self.side);
            } else {
                self.peer().inbox.lock().send_shut = true;
                self.peer().writers.wake_all();
            }
        }
        self.hang_up_if_closed();
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
        let kind = self.kind_of();
        let unread = {
            let mut inbox = self.own().inbox.lock();
            inbox.closed = true;
            !inbox.is_empty()
        };
        if unread && kind.connected() {
            // As Linux: the peer learns that what it sent was not read.
            self.peer().error.store(Errno::ECONNRESET.0, Relaxed);
            self.peer().readiness.raise(EPOLLERR);
        }
        self.close_inbox(self.side);
        if kind.connected() {
            self.close_inbox(1 - self.side);
            self.hang_up_if_closed();
        }
        flight::empty(self.own());
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
        Ok(anonymous_stat(S_IFSOCK | 0o777, self.own().ino.load(Relaxed)))
    }

    fn call(&self, file: &File, args: &CallArgs) -> Result<usize> {
        match args.op as u16 {
            OP_STAT => answer_stat(&self.stat(file)?, args),
            OP_IOCTL => {
                let to_read = self.own().inbox.lock().next_len(self.kind_of());
                let unsent = self.peer().inbox.lock().len();
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
    let kind = match kind & !flags {
        SOCK_STREAM => Kind::Stream,
        SOCK_DGRAM => Kind::Datagram,
        SOCK_SEQPACKET => Kind::SeqPacket,
        _ => return Err(Errno::EINVAL),
    };
    if protocol != 0 && protocol != AF_UNIX {
        return Err(Errno::EPROTONOSUPPORT);
    }
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
