//! Sockets of AF_UNIX: the kernel's. Their names are files' servers' and ipcd's ([`super::names`]).

use super::descriptors::put_pair;
use super::names::{self, NAME_LEN_MAX, Name};
use super::{Args, Result, bytes_mut, get, get_opt, int, native, put, put_opt};
use libc::{iovec, msghdr, sa_family_t, socklen_t};
use ochre_rt::abi::Errno;
use ochre_rt::abi::syscall as sys;
use ochre_rt::syscall;

/// socket(2) of AF_UNIX. EAFNOSUPPORT for other families.
pub unsafe fn socket(a: Args) -> Result {
    match a[0] as i32 {
        libc::AF_UNIX => syscall::socket(a[1] as u32, a[2] as u32).map(|fd| fd as usize),
        _ => Err(Errno::EAFNOSUPPORT),
    }
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

/// Puts an address (what follows its family) to where a caller wants it, as much as there is room for.
unsafe fn put_name(name: &[u8], pointer: usize, len_pointer: usize) -> Result {
    let room = get::<socklen_t>(len_pointer)?;
    if room as i32 > -1 {
        let family = (libc::AF_UNIX as sa_family_t).to_ne_bytes();
        let out = bytes_mut(pointer, (room as usize).min(family.len() + name.len()))?;
        for (to, from) in out.iter_mut().zip(family.iter().chain(name)) {
            *to = *from;
        }
        return put(len_pointer, (family.len() + name.len()) as socklen_t);
    }
    Err(Errno::EINVAL)
}

/// The name of a socket or of its peer.
unsafe fn name_of(fd: i32, peer: bool, pointer: usize, len_pointer: usize) -> Result {
    let mut name = [0; NAME_LEN_MAX];
    let len = syscall::socket_name(fd, peer, &mut name)?;
    put_name(name.get(..len).unwrap_or(&[]), pointer, len_pointer)
}

/// bind(2).
pub unsafe fn bind(a: Args) -> Result {
    let fd = a[0] as i32;
    let kind = option(a[0], libc::SO_TYPE)?;
    names::bind(fd, kind, &Name::read(a[1], a[2] as u32)?, super::paths::masked(0o777))?;
    Ok(0)
}

/// listen(2).
pub unsafe fn listen(a: Args) -> Result {
    syscall::listen(a[0] as i32, a[1] as i32)?;
    Ok(0)
}

/// accept(2) and accept4(2).
pub unsafe fn accept(a: Args) -> Result {
    accept4([a[0], a[1], a[2], 0, 0, 0])
}

/// accept4(2).
pub unsafe fn accept4(a: Args) -> Result {
    let fd = syscall::accept(a[0] as i32, a[3] as u32)?;
    if a[1] != 0 {
        if let Err(error) = name_of(fd, true, a[1], a[2]) {
            // What cannot be told of is not handed out.
            let _ = syscall::close(fd);
            return Err(error);
        }
    }
    Ok(fd as usize)
}

/// connect(2).
pub unsafe fn connect(a: Args) -> Result {
    let fd = a[0] as i32;
    let kind = option(a[0], libc::SO_TYPE)?;
    if a[2] as u32 >= 2 && get::<sa_family_t>(a[1])? == libc::AF_UNSPEC as sa_family_t {
        syscall::connect(fd, -1)?;
        return Ok(0);
    }
    let reference = names::reach(kind, &Name::read(a[1], a[2] as u32)?)?;
    syscall::connect(fd, reference.get())?;
    Ok(0)
}

/// getsockname(2).
pub unsafe fn getsockname(a: Args) -> Result {
    name_of(a[0] as i32, false, a[1], a[2])
}

/// getpeername(2).
pub unsafe fn getpeername(a: Args) -> Result {
    name_of(a[0] as i32, true, a[1], a[2])
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
    let message: msghdr = get(a[1])?;
    let send = |reference: usize| native(sys::SENDMSG, [int(a[0]), a[1], a[2] as u32 as usize, reference, 0, 0]);
    if message.msg_name.is_null() || message.msg_namelen == 0 {
        return send(0);
    }
    match option(a[0], libc::SO_TYPE)? {
        libc::SOCK_DGRAM => {
            let name = Name::read(message.msg_name.expose_provenance(), message.msg_namelen)?;
            let reference = names::reach(libc::SOCK_DGRAM, &name)?;
            send(reference.get() as usize + 1)
        }
        // The kernel says what it thinks of a stream's address; it does not look for one.
        libc::SOCK_STREAM => send(1),
        _ => send(0),
    }
}

pub unsafe fn recvmsg(a: Args) -> Result {
    native(sys::RECVMSG, [int(a[0]), a[1], a[2] as u32 as usize, 0, 0, 0])
}
