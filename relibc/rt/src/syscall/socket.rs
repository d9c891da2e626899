//! Pipes and socket pairs.

use super::{sys, unit};
use ochre_abi::Result;

/// pipe2(2): the end to read, the end to write.
pub fn pipe(flags: u32) -> Result<[i32; 2]> {
    let mut fds = [-1; 2];
    sys!(PIPE, fds.as_mut_ptr(), flags)?;
    Ok(fds)
}

/// socketpair(2) of AF_UNIX. `kind` may have SOCK_CLOEXEC and SOCK_NONBLOCK.
pub fn socketpair(kind: u32, protocol: u32) -> Result<[i32; 2]> {
    let mut fds = [-1; 2];
    sys!(SOCKETPAIR, kind, protocol, fds.as_mut_ptr())?;
    Ok(fds)
}

/// sendmsg(2) of a `struct msghdr`. The kernel only reads it.
pub fn sendmsg_raw(fd: i32, message: *const u8, flags: u32) -> Result<usize> {
    sys!(SENDMSG, fd, message, flags)
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
