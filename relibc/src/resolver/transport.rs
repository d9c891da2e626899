//! Messages to a server and back: by UDP, and by TCP where an answer does not fit. RFC 1035, 4.2.

use super::message::{HEADER, half};
use crate::sys;
use alloc::vec::Vec;
use core::ffi::{c_int, c_void};
use libc::{pollfd, sockaddr, sockaddr_in, sockaddr_in6, socklen_t, timespec};

/// The flag of an answer that was cut off, in the third byte.
pub const CUT_OFF: u8 = 2;
/// The flag of an answer, there.
const ANSWER: u8 = 0x80;

/// A server.
#[derive(Clone, Copy)]
pub enum Server {
    /// By IPv4.
    V4(sockaddr_in),
    /// By IPv6.
    V6(sockaddr_in6),
}

impl Server {
    fn address(&self) -> (*const sockaddr, socklen_t) {
        match self {
            Server::V4(address) => ((&raw const *address).cast(), size_of::<sockaddr_in>() as socklen_t),
            Server::V6(address) => ((&raw const *address).cast(), size_of::<sockaddr_in6>() as socklen_t),
        }
    }
}

/// A socket that is closed in the end.
struct Socket(c_int);

impl Drop for Socket {
    fn drop(&mut self) {
        // SAFETY: the descriptor is this one's alone.
        unsafe { sys::close(self.0) };
    }
}

fn errno(raw: isize) -> Result<usize, c_int> {
    usize::try_from(raw).map_err(|_| -raw as c_int)
}

/// Milliseconds since some point in the past.
fn now() -> i64 {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place is ours.
    unsafe { sys::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}

impl Socket {
    fn open(server: &Server, kind: c_int) -> Result<Socket, c_int> {
        let family = if matches!(server, Server::V4(_)) { libc::AF_INET } else { libc::AF_INET6 };
        // SAFETY: no memory is concerned.
        let fd = unsafe { sys::socket(family, kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) };
        Ok(Socket(errno(fd)? as c_int))
    }

    fn connect(&self, server: &Server) -> Result<(), c_int> {
        let (address, len) = server.address();
        // SAFETY: the address is as long as is said.
        errno(unsafe { sys::connect(self.0, address, len) }).map(drop)
    }

    /// Waits for one of these events until a time.
    fn wait(&self, events: i16, until: i64) -> Result<(), c_int> {
        loop {
            let left = c_int::try_from((until - now()).max(0)).unwrap_or(c_int::MAX);
            let mut poll = pollfd { fd: self.0, events, revents: 0 };
            // SAFETY: the place is ours.
            match errno(unsafe { sys::poll(&mut poll, 1, left) }) {
                Ok(0) => return Err(libc::ETIMEDOUT),
                Ok(_) => return Ok(()),
                Err(libc::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn read(&self, to: &mut [u8]) -> Result<usize, c_int> {
        // SAFETY: the slice is ours.
        errno(unsafe { sys::read(self.0, to.as_mut_ptr().cast::<c_void>(), to.len()) })
    }

    fn send(&self, bytes: &[u8]) -> Result<usize, c_int> {
        let (at, none) = (bytes.as_ptr().cast(), core::ptr::null());
        // SAFETY: the slice is the caller's; there is no address.
        errno(unsafe { sys::sendto(self.0, at, bytes.len(), libc::MSG_NOSIGNAL, none, 0) })
    }

    /// Fills the slice.
    fn read_all(&self, to: &mut [u8], until: i64) -> Result<(), c_int> {
        let mut done = 0;
        while done < to.len() {
            match self.read(&mut to[done..]) {
                Ok(0) => return Err(libc::ECONNRESET),
                Ok(count) => done += count,
                Err(libc::EAGAIN) => self.wait(libc::POLLIN, until)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn send_all(&self, bytes: &[u8], until: i64) -> Result<(), c_int> {
        let mut done = 0;
        while done < bytes.len() {
            match self.send(&bytes[done..]) {
                Ok(count) => done += count,
                Err(libc::EAGAIN) => self.wait(libc::POLLOUT, until)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether a message answers the query: the same id and question.
fn belongs(query: &[u8], answer: &[u8]) -> bool {
    let question = |message: &[u8]| {
        let end = HEADER + super::name::skip(message.get(HEADER..)?).ok()? + 4;
        let (labels, _) = super::name::unpack(message, HEADER).ok()?;
        Some((labels.to_ascii_lowercase(), message.get(end - 4..end)?.to_vec()))
    };
    answer.len() >= HEADER
        && answer[..2] == query[..2]
        && answer[2] & ANSWER != 0
        // A server that does not understand the query may leave the question out.
        && (half(answer, 4) == Some(0) && answer[3] & 0xf != 0 || question(query) == question(answer))
}

/// Asks by UDP; waits for some milliseconds.
///
/// # Errors
/// An errno: ETIMEDOUT if no answer came.
pub fn by_udp(server: &Server, query: &[u8], wait: i64) -> Result<Vec<u8>, c_int> {
    let until = now() + wait;
    let socket = Socket::open(server, libc::SOCK_DGRAM)?;
    socket.connect(server)?;
    socket.send(query)?;
    let mut answer = Vec::from([0; 65536]);
    loop {
        socket.wait(libc::POLLIN, until)?;
        match socket.read(&mut answer) {
            Ok(len) if belongs(query, &answer[..len]) => {
                answer.truncate(len);
                return Ok(answer);
            }
            Ok(_) | Err(libc::EAGAIN) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Asks by TCP; waits for some milliseconds.
///
/// # Errors
/// As [`by_udp`].
pub fn by_tcp(server: &Server, query: &[u8], wait: i64) -> Result<Vec<u8>, c_int> {
    let until = now() + wait;
    let socket = Socket::open(server, libc::SOCK_STREAM)?;
    match socket.connect(server) {
        Err(libc::EINPROGRESS) => socket.wait(libc::POLLOUT, until)?,
        other => other?,
    }
    let len = u16::try_from(query.len()).map_err(|_| libc::EMSGSIZE)?;
    socket.send_all(&[&len.to_be_bytes()[..], query].concat(), until)?;
    let mut len = [0; 2];
    socket.read_all(&mut len, until)?;
    let mut answer = Vec::from_iter(core::iter::repeat_n(0, usize::from(u16::from_be_bytes(len))));
    socket.read_all(&mut answer, until)?;
    if belongs(query, &answer) { Ok(answer) } else { Err(libc::EMSGSIZE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_belong_to_questions() {
        let query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01";
        let mut answer = query.to_vec();
        assert!(!belongs(query, &answer));
        answer[2] |= ANSWER;
        assert!(belongs(query, &answer));
        answer[13] = b'A';
        assert!(belongs(query, &answer));
        answer[13] = b'b';
        assert!(!belongs(query, &answer) && !belongs(query, &answer[..11]));
        answer[13] = b'a';
        answer[0] = 0;
        assert!(!belongs(query, &answer));
    }
}
