//! Sockets. Pairs are the kernel's; sockets with names come with the server that keeps them.

use super::descriptors::put_pair;
use super::{Args, Result, get, get_opt, int, native, put, put_opt};
use libc::{iovec, msghdr, sa_family_t, socklen_t};
use ochre_rt::abi::Errno;
use ochre_rt::abi::syscall as sys;
use ochre_rt::syscall;

pub unsafe fn socket(_: Args) -> Result {
    Err(Errno::EAFNOSUPPORT)
}

pub unsafe fn socketpair(a: Args) -> Result {
    if a[0] as i32 != libc::AF_UNIX {
        return Err(if a[0] as i32 == libc::AF_INET { Errno::EOPNOTSUPP } else { Errno::EAFNOSUPPORT });
    }
    put_pair(a[3], || syscall::socketpair(a[1] as u32, a[2] as u32))
}

/// An option that is an int.
unsafe fn option(fd: usize, name: i32) -> Result<i32> {
    let mut value = 0i32;
    let mut len = size_of::<i32>() as u32;
    syscall::socket_option(fd as i32, libc::SOL_SOCKET as u32, name as u32, (&raw mut value).cast(), &mut len, false)?;
    Ok(value)
}

/// What an operation that is for unconnected sockets says of one that is connected, as a pair's are.
unsafe fn connected(fd: usize, error: Errno) -> Result {
    option(fd, libc::SO_DOMAIN)?;
    Err(error)
}

pub unsafe fn bind(a: Args) -> Result {
    connected(a[0], Errno::EINVAL)
}

pub unsafe fn listen(a: Args) -> Result {
    connected(a[0], Errno::EINVAL)
}

pub unsafe fn accept(a: Args) -> Result {
    connected(a[0], Errno::EINVAL)
}

pub unsafe fn connect(a: Args) -> Result {
    connected(a[0], Errno::EISCONN)
}

/// The address of a socket without a name: its family alone. unix(7).
pub unsafe fn getsockname(a: Args) -> Result {
    let family = (option(a[0], libc::SO_DOMAIN)? as sa_family_t).to_ne_bytes();
    let room = get::<socklen_t>(a[2])? as usize;
    for (index, byte) in family.iter().enumerate().take(room) {
        put(a[1] + index, *byte)?;
    }
    put(a[2], family.len() as socklen_t)
}

pub unsafe fn getpeername(a: Args) -> Result {
    getsockname(a)
}

pub unsafe fn getsockopt(a: Args) -> Result {
    native(sys::SOCKET_OPTION, [int(a[0]), a[1] as u32 as usize, a[2] as u32 as usize, a[3], a[4], 0])
}

pub unsafe fn setsockopt(a: Args) -> Result {
    let len = a[4] as u32;
    let len = (&raw const len).expose_provenance();
    native(sys::SOCKET_OPTION, [int(a[0]), a[1] as u32 as usize, a[2] as u32 as usize, a[3], len, 1])
}

pub unsafe fn shutdown(a: Args) -> Result {
    native(sys::SHUTDOWN, [int(a[0]), a[1] as u32 as usize, 0, 0, 0, 0])
}

/// A message of one buffer.
unsafe fn message(vector: &mut iovec, name: usize, name_len: socklen_t) -> msghdr {
    let mut message: msghdr = core::mem::zeroed();
    message.msg_iov = vector;
    message.msg_iovlen = 1;
    message.msg_name = core::ptr::with_exposed_provenance_mut(name);
    message.msg_namelen = if name == 0 { 0 } else { name_len };
    message
}

pub unsafe fn sendto(a: Args) -> Result {
    let mut vector = iovec { iov_base: core::ptr::with_exposed_provenance_mut(a[1]), iov_len: a[2] };
    let message = message(&mut vector, a[4], a[5] as socklen_t);
    sendmsg([a[0], (&raw const message).expose_provenance(), a[3], 0, 0, 0])
}

pub unsafe fn recvfrom(a: Args) -> Result {
    let mut vector = iovec { iov_base: core::ptr::with_exposed_provenance_mut(a[1]), iov_len: a[2] };
    let room = get_opt::<socklen_t>(a[5])?.unwrap_or(0);
    let mut message = message(&mut vector, a[4], room);
    let done = recvmsg([a[0], (&raw mut message).expose_provenance(), a[3], 0, 0, 0])?;
    put_opt(a[5], message.msg_namelen);
    Ok(done)
}

pub unsafe fn sendmsg(a: Args) -> Result {
    native(sys::SENDMSG, [int(a[0]), a[1], a[2] as u32 as usize, 0, 0, 0])
}

pub unsafe fn recvmsg(a: Args) -> Result {
    native(sys::RECVMSG, [int(a[0]), a[1], a[2] as u32 as usize, 0, 0, 0])
}
