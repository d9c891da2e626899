//! In which order a host's addresses are tried: by whether this machine reaches them, and by what RFC 6724 prefers. getaddrinfo(3).

use crate::sys;
use alloc::vec::Vec;
use core::ffi::c_int;
use core::net::{IpAddr, Ipv6Addr};
use libc::{in_addr, in6_addr, sockaddr, sockaddr_in, sockaddr_in6, socklen_t};

/// A socket's address.
#[derive(Clone, Copy)]
#[repr(C)]
pub union Address {
    /// IPv4.
    pub v4: sockaddr_in,
    /// IPv6.
    pub v6: sockaddr_in6,
}

/// A socket's address of an IP address with port and scope, its family and length.
pub fn socket_address(address: IpAddr, port: u16, scope: u32) -> (Address, c_int, socklen_t) {
    match address {
        IpAddr::V4(address) => {
            let v4 = sockaddr_in {
                sin_family: libc::AF_INET as u16,
                sin_port: port.to_be(),
                sin_addr: in_addr { s_addr: u32::from_ne_bytes(address.octets()) },
                sin_zero: [0; 8],
            };
            (Address { v4 }, libc::AF_INET, size_of::<sockaddr_in>() as socklen_t)
        }
        IpAddr::V6(address) => {
            let v6 = sockaddr_in6 {
                sin6_family: libc::AF_INET6 as u16,
                sin6_port: port.to_be(),
                sin6_flowinfo: 0,
                sin6_addr: in6_addr { s6_addr: address.octets() },
                sin6_scope_id: scope,
            };
            (Address { v6 }, libc::AF_INET6, size_of::<sockaddr_in6>() as socklen_t)
        }
    }
}

fn wide(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// Precedence and label. RFC 6724, 2.1.
fn policy(address: IpAddr) -> (u8, u8) {
    let segments = wide(address).segments();
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 1] => (50, 0),
        [0, 0, 0, 0, 0, 0xffff, ..] => (10, 4),
        [0x2002, ..] => (30, 2),
        [0x2001, 0, ..] => (5, 5),
        [first, ..] if first & 0xfe00 == 0xfc00 => (3, 13),
        _ => (40, 1),
    }
}

/// Scope. RFC 6724, 3.1 and 3.2.
fn scope(address: IpAddr) -> u8 {
    const LINK: u8 = 2;
    const SITE: u8 = 5;
    const GLOBAL: u8 = 14;
    match address {
        IpAddr::V4(address) if address.is_loopback() || address.is_link_local() => LINK,
        IpAddr::V4(_) => GLOBAL,
        IpAddr::V6(address) => match address.segments()[0] {
            first if first & 0xff00 == 0xff00 => first as u8 & 0xf,
            _ if address == Ipv6Addr::LOCALHOST => LINK,
            first if first & 0xffc0 == 0xfe80 => LINK,
            first if first & 0xffc0 == 0xfec0 => SITE,
            _ => GLOBAL,
        },
    }
}

/// The own address from which a host is reached; None if it is not. Nothing is sent.
fn source(address: IpAddr, scope: u32) -> Option<IpAddr> {
    let (to, family, len) = socket_address(address, 53, scope);
    // SAFETY: the descriptor is ours, and so are the places.
    unsafe {
        let fd = sys::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return None;
        }
        let mut own: Address = core::mem::zeroed();
        let mut own_len = size_of::<Address>() as socklen_t;
        let connected = sys::connect(fd as c_int, (&raw const to).cast::<sockaddr>(), len) >= 0
            && sys::getsockname(fd as c_int, (&raw mut own).cast(), &mut own_len) >= 0;
        sys::close(fd as c_int);
        connected.then(|| match family {
            libc::AF_INET => IpAddr::V4(own.v4.sin_addr.s_addr.to_ne_bytes().into()),
            _ => IpAddr::V6(own.v6.sin6_addr.s6_addr.into()),
        })
    }
}

/// Smaller is better: unreachable, another scope than the source's, another label, precedence, scope. RFC 6724, 6: rules 1, 2, 5, 6 and 8.
fn rank(address: IpAddr, source: Option<IpAddr>) -> (bool, bool, bool, u8, u8) {
    let (precedence, label) = policy(address);
    let other = |differs: fn(IpAddr, IpAddr) -> bool| source.is_none_or(|source| differs(source, address));
    (
        source.is_none(),
        other(|a, b| scope(a) != scope(b)),
        other(|a, b| policy(a).1 != policy(b).1) && label < u8::MAX,
        u8::MAX - precedence,
        scope(address),
    )
}

/// Puts the addresses into the order in which they are to be tried.
pub fn sort(hosts: &mut Vec<(IpAddr, u32)>) {
    if hosts.len() > 1 {
        hosts.sort_by_cached_key(|&(address, scope)| rank(address, source(address, scope)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    #[test]
    fn what_is_reached_comes_first() {
        let (v4, v6) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST));
        assert!(rank(v6, Some(v6)) < rank(v4, Some(v4)));
        assert!(rank(v4, Some(v4)) < rank(v6, None));
        let far: IpAddr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into();
        assert!(
            rank(far, Some(far)) < rank(Ipv4Addr::new(192, 0, 2, 1).into(), Some(Ipv4Addr::new(192, 0, 2, 2).into()))
        );
        assert_eq!((scope(v6), scope(far), policy(v4).0), (2, 14, 10));
    }
}
