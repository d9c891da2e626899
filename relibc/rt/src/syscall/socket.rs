//! Pipes and socket pairs.

use super::{id, sys, unit};
use ochre_abi::call::SocketNext;
use ochre_abi::event::InotifyPush;
use ochre_abi::{Errno, Result};

/// pipe2(2): the end to read, the end to write.
pub fn pipe(flags: u32) -> Result<[i32; 2]> {
    let mut fds = [-1; 2];
    sys!(PIPE, fds.as_mut_ptr(), flags)?;
    Ok(fds)
}

/// What a server keeps for a FIFO's inode, and attaches to its answer to an open. `flags`: 0 or O_CLOEXEC.
pub fn fifo_create(flags: u32) -> Result<i32> {
    id(sys!(FIFO_CREATE, flags))
}

/// socketpair(2) of AF_UNIX. `kind` may have SOCK_CLOEXEC and SOCK_NONBLOCK.
pub fn socketpair(kind: u32, protocol: u32) -> Result<[i32; 2]> {
    let mut fds = [-1; 2];
    sys!(SOCKETPAIR, kind, protocol, fds.as_mut_ptr())?;
    Ok(fds)
}

/// socket(2) of AF_UNIX. `kind` may have SOCK_CLOEXEC and SOCK_NONBLOCK.
pub fn socket(kind: u32, protocol: u32) -> Result<i32> {
    id(sys!(SOCKET, kind, protocol))
}

/// What follows the family in a socket's address, or (`peer`) in its peer's: how long it is, whatever fits.
pub fn socket_name(fd: i32, peer: bool, buffer: &mut [u8]) -> Result<usize> {
    sys!(SOCKET_NAME, fd, peer, buffer.as_mut_ptr(), buffer.len())
}

/// Gives a socket its address; an empty one takes it away again. EINVAL if it has one, or one that a server keeps.
pub fn set_socket_name(fd: i32, name: &[u8]) -> Result<()> {
    unit(sys!(SOCKET_NAME, fd, 2, name.as_ptr(), name.len()))
}

/// listen(2).
pub fn listen(fd: i32, backlog: i32) -> Result<()> {
    unit(sys!(SOCKET_LISTEN, fd, backlog))
}

/// accept4(2), without the address.
pub fn accept(fd: i32, flags: u32) -> Result<i32> {
    id(sys!(SOCKET_ACCEPT, fd, flags))
}

/// connect(2) to the socket that a reference leads to; −1 dissolves a datagram socket's connection.
pub fn connect(fd: i32, reference: i32) -> Result<()> {
    unit(sys!(SOCKET_CONNECT, fd, reference))
}

/// A reference to a socket, which does not keep it open, noted under a key of the server's. Needs RIGHT_SCHEME.
pub fn socket_reference(fd: i32, key: &[u8]) -> Result<i32> {
    id(sys!(SOCKET_REFERENCE, fd, key.as_ptr(), key.len()))
}

/// The living socket after number `after` (0: the first) for which a server noted a key that starts with `prefix`: its number, a
/// reference, and the key's length in `key`. `None` after the last. Needs RIGHT_SCHEME.
pub fn socket_next(after: u64, prefix: &[u8], key: &mut [u8]) -> Result<Option<(u64, i32, usize)>> {
    let mut next = SocketNext {
        after,
        prefix: prefix.as_ptr() as u64,
        prefix_len: prefix.len() as u64,
        key: key.as_mut_ptr() as u64,
        key_len: key.len() as u64,
    };
    match id(sys!(SOCKET_NEXT, core::ptr::from_mut(&mut next))) {
        Ok(fd) => Ok(Some((next.after, fd, (next.key_len as usize).min(key.len())))),
        Err(Errno::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// sendmsg(2) of a `struct msghdr`. The kernel only reads it.
pub fn sendmsg_raw(fd: i32, message: *const u8, flags: u32) -> Result<usize> {
    sys!(SENDMSG, fd, message, flags, 0)
}

/// recvmsg(2) into a `struct msghdr`.
///
/// # Safety
/// The header and all that it names are the caller's to overwrite.
pub unsafe fn recvmsg_raw(fd: i32, message: *mut u8, flags: u32) -> Result<usize> {
    sys!(RECVMSG, fd, message, flags)
}

/// shutdown(2).
pub fn shutdown(fd: i32, how: u32) -> Result<()> {
    unit(sys!(SHUTDOWN, fd, how))
}

/// getsockopt(2) (`set` false) and setsockopt(2).
///
/// # Safety
/// Without `set`, `*len` bytes from `buffer` on, and `len`, are the caller's to overwrite.
pub unsafe fn socket_option(fd: i32, level: u32, name: u32, buffer: *mut u8, len: *mut u32, set: bool) -> Result<()> {
    unit(sys!(SOCKET_OPTION, fd, level, name, buffer, len, set))
}

/// What a file's server keeps of an inotify queue, and the queue's number. EINVAL if the descriptor is none.
pub fn inotify_source(fd: i32) -> Result<(i32, u64)> {
    let mut number = 0u64;
    let source = id(sys!(INOTIFY_SOURCE, fd, core::ptr::from_mut(&mut number)))?;
    Ok((source, number))
}

/// A new watch's number. ESRCH: the queue is closed.
pub fn inotify_watch(source: i32) -> Result<i32> {
    id(sys!(INOTIFY_WATCH, source))
}

/// An event of a watch, with a file's name. ENOENT: no such watch; ESRCH: the queue is closed.
pub fn inotify_push(source: i32, watch: i32, mask: u32, cookie: u32, name: &[u8]) -> Result<()> {
    let push = InotifyPush { watch, mask, cookie, name_len: name.len() as u32, name: name.as_ptr() as u64 };
    unit(sys!(INOTIFY_PUSH, source, core::ptr::from_ref(&push)))
}
