//! `sys/socket.h`.

use crate::errno::{int, long};
use crate::pthread::cancel::point;
use crate::sys;
use core::ffi::{c_int, c_uint, c_void};
use core::ptr;
use libc::{cmsghdr, mmsghdr, msghdr, size_t, sockaddr, socklen_t, ssize_t, timespec};

c_api! {
    /// socket(2).
    fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int { int(sys::socket(domain, kind, protocol)) }

    /// socketpair(2).
    fn socketpair(domain: c_int, kind: c_int, protocol: c_int, fds: *mut c_int) -> c_int {
        int(sys::socketpair(domain, kind, protocol, fds))
    }

    /// bind(2).
    fn bind(fd: c_int, name: *const sockaddr, len: socklen_t) -> c_int { int(sys::bind(fd, name, len)) }

    /// listen(2).
    fn listen(fd: c_int, backlog: c_int) -> c_int { int(sys::listen(fd, backlog)) }

    /// accept(2).
    fn accept(fd: c_int, name: *mut sockaddr, len: *mut socklen_t) -> c_int { int(point(|| sys::accept4(fd, name, len, 0))) }

    /// accept4(2).
    fn accept4(fd: c_int, name: *mut sockaddr, len: *mut socklen_t, flags: c_int) -> c_int {
        int(point(|| sys::accept4(fd, name, len, flags)))
    }

    /// connect(2).
    fn connect(fd: c_int, name: *const sockaddr, len: socklen_t) -> c_int { int(point(|| sys::connect(fd, name, len))) }

    /// getsockname(2).
    fn getsockname(fd: c_int, name: *mut sockaddr, len: *mut socklen_t) -> c_int { int(sys::getsockname(fd, name, len)) }

    /// getpeername(2).
    fn getpeername(fd: c_int, name: *mut sockaddr, len: *mut socklen_t) -> c_int { int(sys::getpeername(fd, name, len)) }

    /// getsockopt(2).
    fn getsockopt(fd: c_int, level: c_int, option: c_int, value: *mut c_void, len: *mut socklen_t) -> c_int {
        int(sys::getsockopt(fd, level, option, value, len))
    }

    /// setsockopt(2).
    fn setsockopt(fd: c_int, level: c_int, option: c_int, value: *const c_void, len: socklen_t) -> c_int {
        int(sys::setsockopt(fd, level, option, value, len))
    }

    /// shutdown(2).
    fn shutdown(fd: c_int, how: c_int) -> c_int { int(sys::shutdown(fd, how)) }

    /// send(2).
    fn send(fd: c_int, buf: *const c_void, len: size_t, flags: c_int) -> ssize_t {
        long(point(|| sys::sendto(fd, buf, len, flags, ptr::null(), 0)))
    }

    /// sendto(2).
    fn sendto(fd: c_int, buf: *const c_void, len: size_t, flags: c_int, to: *const sockaddr, to_len: socklen_t) -> ssize_t {
        long(point(|| sys::sendto(fd, buf, len, flags, to, to_len)))
    }

    /// sendmsg(2).
    fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t { long(point(|| sys::sendmsg(fd, message, flags))) }

    /// sendmmsg(2).
    fn sendmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int) -> c_int {
        for index in 0..count as usize {
            let entry = messages.add(index);
            let raw = point(|| sys::sendmsg(fd, &(*entry).msg_hdr, flags));
            if raw < 0 {
                return if index > 0 { index as c_int } else { int(raw) };
            }
            (*entry).msg_len = raw as c_uint;
        }
        count as c_int
    }

    /// recv(2).
    fn recv(fd: c_int, buf: *mut c_void, len: size_t, flags: c_int) -> ssize_t {
        long(point(|| sys::recvfrom(fd, buf, len, flags, ptr::null_mut(), ptr::null_mut())))
    }

    /// recvfrom(2).
    fn recvfrom(fd: c_int, buf: *mut c_void, len: size_t, flags: c_int, from: *mut sockaddr, from_len: *mut socklen_t) -> ssize_t {
        long(point(|| sys::recvfrom(fd, buf, len, flags, from, from_len)))
    }

    /// recvmsg(2).
    fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t { long(point(|| sys::recvmsg(fd, message, flags))) }

    /// recvmmsg(2).
    fn recvmmsg(fd: c_int, messages: *mut mmsghdr, count: c_uint, flags: c_int, timeout: *mut timespec) -> c_int {
        int(point(|| sys::call(libc::SYS_recvmmsg, [fd as usize, messages.expose_provenance(), count as usize, flags as usize, timeout.expose_provenance(), 0])))
    }

    /// The next control message; null behind the last. cmsg(3).
    fn __cmsg_nxthdr(message: *mut msghdr, at: *mut cmsghdr) -> *mut cmsghdr {
        let head = size_of::<cmsghdr>();
        if (*at).cmsg_len < head {
            return ptr::null_mut();
        }
        let end = (*message).msg_control.expose_provenance() + (*message).msg_controllen;
        let step = (*at).cmsg_len.next_multiple_of(align_of::<cmsghdr>());
        let next = at.byte_add(step);
        if next.expose_provenance() + head > end || next.expose_provenance() + (*next).cmsg_len.next_multiple_of(align_of::<cmsghdr>()) > end {
            return ptr::null_mut();
        }
        next
    }
}
