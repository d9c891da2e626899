//! Receiving: read(2), readv(2), recvmsg(2).

use super::ancillary::Writer;
use super::inbox::Segment;
use super::send::refresh;
use super::{
    Kind, MSG_CMSG_CLOEXEC, MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MessageHeader, Name, Socket, UserCredentials,
    flight, message, names, nonblocking,
};
use crate::file::File;
use crate::io::{Vectors, ring_copy};
use crate::thread::Thread;
use crate::user;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem::offset_of;
use ochre_abi::event::EPOLLIN;
use ochre_abi::{Errno, Result};

/// What a receive brought.
#[derive(Default)]
struct Received {
    /// Bytes, or the message's whole length if MSG_TRUNC asked for that.
    bytes: usize,
    files: Vec<Arc<File>>,
    credentials: Option<UserCredentials>,
    /// The message was longer than the buffer.
    truncated: bool,
    /// A datagram's sender, if it has a name.
    from: Option<Name>,
}

/// What the receiver's turn is for.
struct Turn {
    /// Bytes to copy; 0 with `end`.
    bytes: usize,
    /// The whole message's.
    len: usize,
    /// Sockets among the files that come with them.
    sockets: usize,
    credentials: Option<UserCredentials>,
    from: Option<Name>,
    end: bool,
}

/// read(2) and readv(2): files that came are dropped.
pub fn read(socket: &Socket, file: &File, to: &mut Vectors) -> Result<usize> {
    let received = receive(socket, file.nonblocking(), to, 0)?;
    flight::bury(received.files);
    Ok(received.bytes)
}

/// RECVMSG.
pub fn recvmsg(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let flags = a[2];
    let (file, header) = message(me, a)?;
    let Some(socket) = file.object::<Socket>() else { return Err(Errno::ENOTSOCK) };
    if flags & MSG_OOB != 0 {
        return Err(if socket.kind_of() == Kind::Stream { Errno::EINVAL } else { Errno::EOPNOTSUPP });
    }
    let mut to = Vectors::read(header.vectors, header.vector_count)?;
    let mut received = receive(socket, nonblocking(&file, flags), &mut to, flags)?;
    let mut control = Writer::new(&header);
    let told = (|| {
        if socket.own().options.pass_credentials() && (received.bytes > 0 || received.credentials.is_some()) {
            control.credentials(received.credentials.unwrap_or(UserCredentials::NOBODY))?;
        }
        if !received.files.is_empty() {
            control.files(me, &mut received.files, flags)?;
        }
        let truncated = if received.truncated { MSG_TRUNC } else { 0 };
        let out_flags = control.flags | truncated | flags & MSG_CMSG_CLOEXEC;
        let from = match socket.kind_of() {
            Kind::Datagram => received.from.take(),
            _ => socket.peer().and_then(|peer| peer.name()),
        };
        let name_len = names::put_address(from.as_deref(), header.name, header.name_len)?;
        user::write(a[1] + offset_of!(MessageHeader, name_len) as u64, &name_len)?;
        user::write(a[1] + offset_of!(MessageHeader, control_len) as u64, &control.used())?;
        user::write(a[1] + offset_of!(MessageHeader, flags) as u64, &(out_flags as u32))
    })();
    flight::bury(received.files);
    told.map(|()| received.bytes)
}

fn receive(socket: &Socket, nonblocking: bool, to: &mut Vectors, flags: u64) -> Result<Received> {
    if socket.kind_of().connected() && socket.peer().is_none() {
        let refused = if socket.kind_of() == Kind::Stream { Errno::EINVAL } else { Errno::ENOTCONN };
        return Err(socket.own().take_error().unwrap_or(refused));
    }
    match socket.kind_of() {
        Kind::Stream => receive_stream(socket, nonblocking, to, flags),
        _ => receive_packet(socket, nonblocking, to, flags),
    }
}

/// Takes the receiver's turn; `None` to wait.
fn begin(socket: &Socket, nonblocking: bool, max: usize) -> Option<Result<Turn>> {
    let own = socket.own();
    let mut inbox = own.inbox.lock();
    if inbox.reading {
        inbox.read_contended = true;
        return None;
    }
    let Some(first) = inbox.segments.front() else {
        if let Some(error) = own.take_error() {
            return Some(Err(error));
        }
        if inbox.receive_shut {
            return Some(Ok(Turn { bytes: 0, len: 0, sockets: 0, credentials: None, from: None, end: true }));
        }
        return nonblocking.then_some(Err(Errno::EAGAIN));
    };
    let credentials = first.credentials;
    let (bytes, len, sockets) = match socket.kind_of() {
        Kind::Stream => {
            let (bytes, touched) = inbox.run(max, own.options.pass_credentials());
            let sockets = inbox.segments.iter().take(touched).map(|segment| segment.sockets).sum();
            (bytes, bytes, sockets)
        }
        _ => (first.len.min(max), first.len, first.sockets),
    };
    let from = first.from.clone();
    inbox.reading = true;
    Some(Ok(Turn { bytes, len, sockets, credentials, from, end: false }))
}

/// Gives the turn back; `done` bytes were copied. What the bytes or the message brought.
fn end(socket: &Socket, turn: &Turn, done: usize, peek: bool) -> Vec<Arc<File>> {
    let (own, peer) = (socket.own(), socket.peer());
    let mut flights = flight::lock(turn.sockets);
    let mut inbox = own.inbox.lock();
    inbox.reading = false;
    let contended = core::mem::take(&mut inbox.read_contended);
    let packets = socket.kind_of().packets();
    let files = if peek {
        let touched = if packets { 1 } else { inbox.run(done, own.options.pass_credentials()).1 };
        inbox.segments.iter().take(touched).flat_map(|segment| segment.files.iter().cloned()).collect()
    } else {
        let files = if packets {
            inbox.take_message().map_or(Vec::new(), |segment: Segment| segment.files)
        } else {
            inbox.take_bytes(done)
        };
        if let Some(flights) = &mut flights {
            flights.arrive(&files);
        }
        files
    };
    let more = !inbox.is_empty();
    if !more && !inbox.receive_shut {
        own.readiness.clear(EPOLLIN);
    }
    match &peer {
        Some(peer) if socket.kind_of().connected() => {
            refresh(peer, own, inbox.used());
            drop(inbox);
        }
        _ => {
            drop(inbox);
            own.admit_crowd();
        }
    }
    drop(flights);
    if !peek {
        own.writers.wake_one();
    }
    if contended {
        own.readers.wake_all();
    } else if more {
        own.readers.wake_one();
    }
    files
}

fn wait(socket: &Socket, deadline: Option<u64>, begin: impl FnMut() -> Option<Result<Turn>>) -> Result<Turn> {
    socket.own().readers.wait_until(deadline, begin).unwrap_or_else(|error| {
        // SO_RCVTIMEO ends as a nonblocking receive would.
        Err(if error == Errno::ETIMEDOUT { Errno::EAGAIN } else { error })
    })
}

fn receive_stream(socket: &Socket, nonblocking: bool, to: &mut Vectors, flags: u64) -> Result<Received> {
    let deadline = socket.own().options.receive_deadline();
    let peek = flags & MSG_PEEK != 0;
    let all = flags & MSG_WAITALL != 0 && !peek && !nonblocking;
    let mut received = Received::default();
    while to.left() > 0 {
        let step = wait(socket, deadline, || begin(socket, nonblocking, to.left())).and_then(|turn| {
            if turn.end {
                return Ok(true);
            }
            if received.bytes > 0 && socket.own().options.pass_credentials() && turn.credentials != received.credentials
            {
                // Another sender's bytes are for the next receive.
                end(socket, &Turn { sockets: 0, from: None, ..turn }, 0, false);
                return Ok(true);
            }
            let (done, result) = ring_copy::drain(&socket.own().inbox, super::Inbox::ring, to, 0, turn.bytes);
            received.files = end(socket, &turn, done, peek);
            received.credentials = turn.credentials;
            received.bytes += done;
            result.map(|()| !all || !received.files.is_empty())
        });
        match step {
            Ok(false) => {}
            Ok(true) => break,
            Err(_) if received.bytes > 0 => break,
            Err(error) => {
                flight::bury(received.files);
                return Err(error);
            }
        }
    }
    Ok(received)
}

fn receive_packet(socket: &Socket, nonblocking: bool, to: &mut Vectors, flags: u64) -> Result<Received> {
    let deadline = socket.own().options.receive_deadline();
    let turn = wait(socket, deadline, || begin(socket, nonblocking, to.left()))?;
    if turn.end {
        return Ok(Received::default());
    }
    let (done, result) = ring_copy::drain(&socket.own().inbox, super::Inbox::ring, to, 0, turn.bytes);
    let files = end(socket, &turn, done, flags & MSG_PEEK != 0);
    if let Err(error) = result {
        flight::bury(files);
        return Err(error);
    }
    Ok(Received {
        bytes: if flags & MSG_TRUNC != 0 { turn.len } else { done },
        files,
        credentials: turn.credentials,
        truncated: turn.len > done,
        from: turn.from,
    })
}
