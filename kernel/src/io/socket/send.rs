//! Sending: write(2), writev(2), sendmsg(2).

use super::ancillary::{self, Ancillary};
use super::inbox::{FILES_MAX, OVERHEAD, Segment};
use super::{Kind, MSG_NOSIGNAL, MSG_OOB, Side, Socket, UserCredentials, flight, message, names, nonblocking};
use crate::file::File;
use crate::io::{Vectors, ring_copy};
use crate::signal;
use crate::thread::Thread;
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;
use ochre_abi::event::{EPOLLIN, EPOLLOUT};
use ochre_abi::signal::SIGPIPE;
use ochre_abi::{Errno, Result};

/// Bytes of a stream that become readable at a time in a long write.
const STEP: usize = 32_768;

/// write(2) and writev(2).
pub fn write(socket: &Socket, file: &File, from: &mut Vectors) -> Result<usize> {
    send(socket, None, file.nonblocking(), from, Ancillary::default(), 0)
}

/// SENDMSG.
pub fn sendmsg(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let flags = a[2];
    let (file, header) = message(me, a)?;
    let Some(socket) = file.object::<Socket>() else { return Err(Errno::ENOTSOCK) };
    if flags & MSG_OOB != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let target = match (a[3], socket.kind_of()) {
        (0, _) => None,
        (_, Kind::Stream) => {
            let connected = socket.peer().is_some();
            return Err(if connected { Errno::EISCONN } else { Errno::EOPNOTSUPP });
        }
        // A connected socket's peer takes it, whatever the name.
        (_, Kind::SeqPacket) => None,
        (reference, Kind::Datagram) => Some(names::target(me, reference - 1)?),
    };
    let mut from = Vectors::read(header.vectors, header.vector_count)?;
    let ancillary = if header.control_len == 0 { Ancillary::default() } else { ancillary::read(me, &header)? };
    send(socket, target, nonblocking(&file, flags), &mut from, ancillary, flags)
}

/// Where something goes from where.
struct Route<'s> {
    own: &'s Arc<Side>,
    peer: &'s Arc<Side>,
    /// The inbox has other senders, too: the sender's name goes along.
    open: bool,
}

fn send(
    socket: &Socket,
    target: Option<Arc<Side>>,
    nonblocking: bool,
    from: &mut Vectors,
    mut ancillary: Ancillary,
    flags: u64,
) -> Result<usize> {
    let own = &socket.own;
    let Some(peer) = target.or_else(|| socket.peer()) else {
        flight::bury(ancillary.files);
        return Err(Errno::ENOTCONN);
    };
    let peer = &peer;
    let datagram = socket.kind_of() == Kind::Datagram;
    if datagram {
        if let Err(error) = names::may_send(own, peer) {
            flight::bury(ancillary.files);
            return Err(error);
        }
    }
    let route = Route { own, peer, open: datagram };
    if ancillary.credentials.is_none() && (own.options.pass_credentials() || peer.options.pass_credentials()) {
        ancillary.credentials = Some(UserCredentials::of(&super::current_process()));
    }
    if ancillary.files.iter().any(|file| flight::is_socket(file)) {
        flight::collect_if_many();
    }
    let result = match socket.kind_of() {
        Kind::Stream => send_stream(&route, nonblocking, from, &mut ancillary),
        _ => send_packet(&route, nonblocking, from, &mut ancillary),
    };
    flight::bury(ancillary.files);
    if result == Err(Errno::EPIPE) && flags & MSG_NOSIGNAL == 0 && socket.kind_of() == Kind::Stream {
        signal::raise_self(SIGPIPE);
    }
    result
}

/// Takes the sender's turn and reserves room in the peer's inbox: `Some(Ok(bytes))`, or `None` to wait.
fn begin(route: &Route<'_>, nonblocking: bool, len: usize, files: usize) -> Option<Result<usize>> {
    let (own, peer) = (route.own, route.peer);
    let mut inbox = peer.inbox.lock();
    let write_shut = own.write_shut.load(Relaxed);
    if write_shut || inbox.send_shut || inbox.receive_shut || inbox.closed {
        let gone = own.kind == Kind::Datagram && inbox.closed && !write_shut;
        return Some(Err(if gone { Errno::ECONNREFUSED } else { Errno::EPIPE }));
    }
    if inbox.writing.is_some() {
        inbox.write_contended = true;
        return None;
    }
    if inbox.files + files > FILES_MAX {
        return Some(Err(Errno::ETOOMANYREFS));
    }
    let (limit, used) = (own.options.send_buffer(), inbox.used());
    let room = limit.saturating_sub(used + OVERHEAD);
    let n = match own.kind {
        Kind::Stream => len.min(room).min(STEP),
        _ if room >= len || used == 0 => len,
        _ => 0,
    };
    if n == 0 && (len > 0 || room == 0) {
        return nonblocking.then_some(Err(Errno::EAGAIN));
    }
    let reserved = ring_copy::reserve(&mut inbox.ring, n);
    if reserved.is_ok() {
        inbox.writing = Some(n);
    }
    Some(reserved.map(|()| n))
}

/// Delivers what was copied in and gives the turn back. `None`: nothing came of it.
fn end(route: &Route<'_>, len: usize, segment: Option<Segment>) {
    let (own, peer) = (route.own, route.peer);
    let mut flights = flight::lock(segment.as_ref().map_or(0, |s| s.sockets));
    let mut inbox = peer.inbox.lock();
    inbox.writing = None;
    let contended = core::mem::take(&mut inbox.write_contended);
    let mut refused = None;
    match segment {
        Some(segment) if !inbox.closed => {
            inbox.ring.commit(len);
            if let Some(flights) = &mut flights {
                flights.depart(&segment.files);
            }
            match own.kind {
                Kind::Stream => inbox.append(segment),
                _ => inbox.push(segment),
            }
            peer.readiness.raise(EPOLLIN);
        }
        other => {
            inbox.ring.commit(0);
            refused = other;
        }
    }
    let room = refresh(own, peer, inbox.used());
    drop(inbox);
    drop(flights);
    if let Some(segment) = refused {
        flight::bury(segment.files);
    }
    peer.readers.wake_one();
    if contended {
        peer.writers.wake_all();
    } else if room {
        peer.writers.wake_one();
    }
}

/// A sender is ready while at most a quarter of its buffer is used (Linux: unix_writable). Called with the receiving inbox locked. False
/// if the buffer is full.
pub fn refresh(sender: &Arc<Side>, receiver: &Side, used: usize) -> bool {
    let limit = sender.options.send_buffer();
    let was = sender.readiness.get() & EPOLLOUT != 0;
    let is = used.saturating_mul(4) <= limit;
    if is && !was {
        sender.readiness.raise(EPOLLOUT);
    } else if was && !is && !sender.is_listening() {
        sender.readiness.clear(EPOLLOUT);
        if sender.kind == Kind::Datagram {
            let mut crowd = receiver.crowd.lock();
            crowd.retain(|other| other.strong_count() > 0);
            crowd.push(Arc::downgrade(sender));
        }
    }
    used + OVERHEAD < limit
}

fn segment(route: &Route<'_>, len: usize, ancillary: &mut Ancillary) -> Segment {
    let files = core::mem::take(&mut ancillary.files);
    let sockets = files.iter().filter(|file| flight::is_socket(file)).count();
    let from = if route.open { route.own.name() } else { None };
    Segment { len, credentials: ancillary.credentials, files, sockets, from }
}

fn wait(route: &Route<'_>, deadline: Option<u64>, begin: impl FnMut() -> Option<Result<usize>>) -> Result<usize> {
    route.peer.writers.wait_until(deadline, begin).unwrap_or_else(|error| {
        // SO_SNDTIMEO ends as a nonblocking send would.
        Err(if error == Errno::ETIMEDOUT { Errno::EAGAIN } else { error })
    })
}

fn send_stream(route: &Route<'_>, nonblocking: bool, from: &mut Vectors, ancillary: &mut Ancillary) -> Result<usize> {
    let deadline = route.own.options.send_deadline();
    let mut total = 0;
    while from.left() > 0 {
        let files = ancillary.files.len();
        let step = wait(route, deadline, || begin(route, nonblocking, from.left(), files)).and_then(|n| {
            let (done, result) = ring_copy::fill(&route.peer.inbox, super::Inbox::ring, from, n);
            // The files go with the first bytes.
            end(route, done, (done > 0).then(|| segment(route, done, ancillary)));
            total += done;
            result
        });
        match step {
            Ok(()) => {}
            Err(_) if total > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

fn send_packet(route: &Route<'_>, nonblocking: bool, from: &mut Vectors, ancillary: &mut Ancillary) -> Result<usize> {
    let len = from.left();
    if len + OVERHEAD > route.own.options.send_buffer() {
        return Err(Errno::EMSGSIZE);
    }
    let deadline = route.own.options.send_deadline();
    let files = ancillary.files.len();
    let n = wait(route, deadline, || begin(route, nonblocking, len, files))?;
    let (done, result) = ring_copy::fill(&route.peer.inbox, super::Inbox::ring, from, n);
    if let Err(error) = result {
        end(route, 0, None);
        return Err(error);
    }
    end(route, done, Some(segment(route, done, ancillary)));
    Ok(done)
}
