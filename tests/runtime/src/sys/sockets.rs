//! AF_UNIX beyond what std offers: sockets that are not connected yet, SOCK_SEQPACKET, options, ancillary data.

use super::checked;
use std::io;
use std::mem::{offset_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// What follows the family in an address.
pub type Name = Vec<u8>;

const BASE: usize = offset_of!(libc::sockaddr_un, sun_path);

fn address(name: &[u8]) -> (libc::sockaddr_un, libc::socklen_t) {
    // SAFETY: plain data.
    let mut address: libc::sockaddr_un = unsafe { zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    for (to, from) in address.sun_path.iter_mut().zip(name) {
        *to = *from as libc::c_char;
    }
    (address, (BASE + name.len()) as libc::socklen_t)
}

fn name_of(address: &libc::sockaddr_un, len: libc::socklen_t) -> Name {
    address.sun_path.iter().take((len as usize).saturating_sub(BASE)).map(|byte| *byte as u8).collect()
}

/// socket(2); `kind` with flags.
pub fn socket(kind: i32) -> io::Result<OwnedFd> {
    // SAFETY: the new descriptor is nobody else's.
    unsafe { Ok(OwnedFd::from_raw_fd(checked(libc::socket(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0))?)) }
}

/// socketpair(2).
pub fn socket_pair(kind: i32) -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    // SAFETY: room for two descriptors, which are then nobody else's.
    unsafe {
        checked(libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0, fds.as_mut_ptr()))?;
        Ok((OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])))
    }
}

/// bind(2).
pub fn bind(fd: &impl AsRawFd, name: &[u8]) -> io::Result<()> {
    let (address, len) = address(name);
    // SAFETY: the address is `len` bytes long.
    checked(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), len) }).map(drop)
}

/// listen(2).
pub fn listen(fd: &impl AsRawFd, backlog: i32) -> io::Result<()> {
    // SAFETY: plain numbers.
    checked(unsafe { libc::listen(fd.as_raw_fd(), backlog) }).map(drop)
}

/// connect(2).
pub fn connect(fd: &impl AsRawFd, name: &[u8]) -> io::Result<()> {
    let (address, len) = address(name);
    // SAFETY: the address is `len` bytes long.
    checked(unsafe { libc::connect(fd.as_raw_fd(), (&raw const address).cast(), len) }).map(drop)
}

/// connect(2) with AF_UNSPEC.
pub fn disconnect(fd: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: plain data; the family is 0, AF_UNSPEC.
    let address: libc::sockaddr = unsafe { zeroed() };
    let len = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the address is `len` bytes long.
    checked(unsafe { libc::connect(fd.as_raw_fd(), &address, len) }).map(drop)
}

/// accept4(2): the new socket and the peer's name.
pub fn accept(fd: &impl AsRawFd, flags: i32) -> io::Result<(OwnedFd, Name)> {
    let (mut address, _) = address(&[]);
    let mut len = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the address has `len` bytes; the new descriptor is nobody else's.
    unsafe {
        let new = checked(libc::accept4(fd.as_raw_fd(), (&raw mut address).cast(), &mut len, flags))?;
        Ok((OwnedFd::from_raw_fd(new), name_of(&address, len)))
    }
}

/// getsockname(2), or getpeername(2).
pub fn name(fd: &impl AsRawFd, peer: bool) -> io::Result<Name> {
    let (mut address, _) = address(&[]);
    let mut len = size_of_val(&address) as libc::socklen_t;
    let call = if peer { libc::getpeername } else { libc::getsockname };
    // SAFETY: the address has `len` bytes.
    checked(unsafe { call(fd.as_raw_fd(), (&raw mut address).cast(), &mut len) })?;
    Ok(name_of(&address, len))
}

/// sendto(2).
pub fn send_to(fd: &impl AsRawFd, data: &[u8], to: Option<&[u8]>, flags: i32) -> io::Result<usize> {
    let (address, len) = address(to.unwrap_or(&[]));
    let (pointer, len) = if to.is_some() { ((&raw const address).cast(), len) } else { (ptr::null(), 0) };
    // SAFETY: data and address have the lengths given.
    let sent = unsafe { libc::sendto(fd.as_raw_fd(), data.as_ptr().cast(), data.len(), flags, pointer, len) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(sent as usize) }
}

/// recvfrom(2): how much, and the sender's name.
pub fn receive_from(fd: &impl AsRawFd, buffer: &mut [u8], flags: i32) -> io::Result<(usize, Name)> {
    let (mut address, _) = address(&[]);
    let mut len = size_of_val(&address) as libc::socklen_t;
    let (room, pointer) = (buffer.len(), buffer.as_mut_ptr().cast());
    // SAFETY: buffer and address have the lengths given.
    let got = unsafe { libc::recvfrom(fd.as_raw_fd(), pointer, room, flags, (&raw mut address).cast(), &mut len) };
    if got < 0 { Err(io::Error::last_os_error()) } else { Ok((got as usize, name_of(&address, len))) }
}

/// An int option of SOL_SOCKET.
pub fn option(fd: &impl AsRawFd, name: i32) -> io::Result<i32> {
    let mut value = 0i32;
    let mut len = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the value has `len` bytes.
    checked(unsafe { libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, name, (&raw mut value).cast(), &mut len) })?;
    Ok(value)
}

/// Sets an int option of SOL_SOCKET.
pub fn set_option(fd: &impl AsRawFd, name: i32, value: i32) -> io::Result<()> {
    let len = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the value has `len` bytes.
    checked(unsafe { libc::setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, name, (&raw const value).cast(), len) })
        .map(drop)
}

/// SO_PEERCRED: process, user, group.
pub fn peer_credentials(fd: &impl AsRawFd) -> io::Result<(i32, u32, u32)> {
    let mut value = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut len = size_of_val(&value) as libc::socklen_t;
    let pointer = (&raw mut value).cast();
    // SAFETY: the value has `len` bytes.
    checked(unsafe { libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, pointer, &mut len) })?;
    Ok((value.pid, value.uid, value.gid))
}

/// poll(2) for one descriptor: what is ready of `events`, and POLLHUP and the like.
pub fn poll(fd: &impl AsRawFd, events: i16, timeout: i32) -> io::Result<i16> {
    let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: one entry.
    checked(unsafe { libc::poll(&mut entry, 1, timeout) })?;
    Ok(entry.revents)
}

/// What recvmsg(2) brought.
#[derive(Debug)]
pub struct Message {
    /// Bytes.
    pub len: usize,
    /// MSG_TRUNC, MSG_CTRUNC and the like.
    pub flags: i32,
    /// SCM_RIGHTS.
    pub files: Vec<OwnedFd>,
    /// SCM_CREDENTIALS: process, user, group.
    pub credentials: Option<(i32, u32, u32)>,
}

/// Room for control messages, aligned as they must be.
#[repr(C, align(8))]
struct Control([u8; 512]);

/// sendmsg(2) with open files.
pub fn send_files(fd: &impl AsRawFd, data: &[u8], files: &[RawFd], flags: i32) -> io::Result<usize> {
    let mut control = Control([0; 512]);
    let mut vector = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    // SAFETY: the header names what stands above; the control messages fit, which is asserted.
    let sent = unsafe {
        let mut header: libc::msghdr = zeroed();
        header.msg_iov = &mut vector;
        header.msg_iovlen = 1;
        let bytes = size_of_val(files) as u32;
        if !files.is_empty() {
            assert!(libc::CMSG_SPACE(bytes) as usize <= control.0.len());
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = libc::CMSG_SPACE(bytes) as usize;
            let first = libc::CMSG_FIRSTHDR(&header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(bytes) as usize;
            ptr::copy_nonoverlapping(files.as_ptr().cast(), libc::CMSG_DATA(first), bytes as usize);
        }
        libc::sendmsg(fd.as_raw_fd(), &header, flags)
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(sent as usize) }
}

/// recvmsg(2) with room for `room` bytes of control messages.
pub fn receive_message(fd: &impl AsRawFd, buffer: &mut [u8], room: usize, flags: i32) -> io::Result<Message> {
    let mut control = Control([0; 512]);
    assert!(room <= control.0.len());
    let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: the header names what stands above; control messages are read within what came.
    unsafe {
        let mut header: libc::msghdr = zeroed();
        header.msg_iov = &mut vector;
        header.msg_iovlen = 1;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = room;
        let got = libc::recvmsg(fd.as_raw_fd(), &mut header, flags);
        if got < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut message = Message { len: got as usize, flags: header.msg_flags, files: Vec::new(), credentials: None };
        let mut next = libc::CMSG_FIRSTHDR(&header);
        while !next.is_null() {
            let data = libc::CMSG_DATA(next);
            let len = (*next).cmsg_len - libc::CMSG_LEN(0) as usize;
            match (*next).cmsg_type {
                libc::SCM_RIGHTS => message
                    .files
                    .extend((0..len / 4).map(|n| OwnedFd::from_raw_fd(data.cast::<i32>().add(n).read_unaligned()))),
                libc::SCM_CREDENTIALS => {
                    let from = data.cast::<libc::ucred>().read_unaligned();
                    message.credentials = Some((from.pid, from.uid, from.gid));
                }
                _ => {}
            }
            next = libc::CMSG_NXTHDR(&header, next);
        }
        Ok(message)
    }
}

/// F_GETFD.
pub fn closes_on_exec(fd: &impl AsRawFd) -> io::Result<bool> {
    // SAFETY: plain numbers.
    checked(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) }).map(|flags| flags & libc::FD_CLOEXEC != 0)
}

/// shutdown(2).
pub fn shutdown(fd: &impl AsRawFd, how: i32) -> io::Result<()> {
    // SAFETY: plain numbers.
    checked(unsafe { libc::shutdown(fd.as_raw_fd(), how) }).map(drop)
}

/// SO_RCVTIMEO and SO_SNDTIMEO.
pub fn set_timeout(fd: &impl AsRawFd, name: i32, timeout: std::time::Duration) -> io::Result<()> {
    let value = libc::timeval { tv_sec: timeout.as_secs() as i64, tv_usec: i64::from(timeout.subsec_micros()) };
    let len = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the value has `len` bytes.
    checked(unsafe { libc::setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, name, (&raw const value).cast(), len) })
        .map(drop)
}
