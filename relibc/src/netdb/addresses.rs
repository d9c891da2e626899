//! getaddrinfo(3).

use super::files::service_port;
use super::order::{self, Address, socket_address};
use crate::inet::text::{parse_loose, parse_v6};
use crate::resolver::error::{NO_DATA, NO_RECOVERY, TRY_AGAIN};
use crate::resolver::lookup::{self, Family};
use crate::{heap, string};
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ptr;
use libc::addrinfo;

/// One `addrinfo` with its address, in one block of memory.
#[repr(C)]
struct Answer {
    info: addrinfo,
    address: Address,
}

/// An address with the scope of a link-local IPv6 one.
type Host = (IpAddr, u32);

/// The host has no addresses of this family.
const EAI_ADDRFAMILY: c_int = -9;
/// The flags there are; those for names that are not ASCII are of no effect.
const FLAGS: c_int = libc::AI_PASSIVE
    | libc::AI_CANONNAME
    | libc::AI_NUMERICHOST
    | libc::AI_V4MAPPED
    | libc::AI_ALL
    | libc::AI_ADDRCONFIG
    | libc::AI_NUMERICSERV
    | 0x3c0;
/// IPPROTO_DCCP's socket type.
const SOCK_DCCP: c_int = 6;

/// A kind of socket.
struct Kind {
    kind: c_int,
    protocol: c_int,
    name: &'static [u8],
    /// It is meant where none is asked for.
    usual: bool,
}

const fn kind(kind: c_int, protocol: c_int, name: &'static [u8], usual: bool) -> Kind {
    Kind { kind, protocol, name, usual }
}

const KINDS: [Kind; 7] = [
    kind(libc::SOCK_STREAM, libc::IPPROTO_TCP, b"tcp", true),
    kind(libc::SOCK_DGRAM, libc::IPPROTO_UDP, b"udp", true),
    kind(SOCK_DCCP, libc::IPPROTO_DCCP, b"dccp", false),
    kind(libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE, b"udplite", false),
    kind(libc::SOCK_STREAM, libc::IPPROTO_SCTP, b"sctp", false),
    kind(libc::SOCK_SEQPACKET, libc::IPPROTO_SCTP, b"sctp", false),
    // Any protocol, and no services.
    kind(libc::SOCK_RAW, 0, b"", true),
];

impl Kind {
    fn fits(&self, hints: &addrinfo) -> bool {
        (hints.ai_socktype == 0 || hints.ai_socktype == self.kind)
            && (hints.ai_protocol == 0 || hints.ai_protocol == self.protocol || self.name.is_empty())
    }
}

/// A numeric scope, or an interface's name.
unsafe fn scope_of(text: &[u8], address: Ipv6Addr) -> Option<u32> {
    if address.is_unicast_link_local() || address.is_multicast() {
        let name = [text, b"\0"].concat();
        let index = crate::inet::interfaces::if_nametoindex(CStr::from_bytes_with_nul(&name).ok()?.as_ptr());
        if index != 0 {
            return Some(index);
        }
    }
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// An address written as numbers; Err if its scope is none.
unsafe fn numeric(text: &[u8]) -> Option<Result<Host, c_int>> {
    if let Some((address, len)) = parse_loose(text) {
        return (len == text.len()).then_some(Ok((IpAddr::V4(address), 0)));
    }
    let mut parts = text.splitn(2, |&byte| byte == b'%');
    let address = parse_v6(parts.next()?)?;
    let scope = match parts.next() {
        None => Some(0),
        Some(scope) => scope_of(scope, address),
    };
    Some(scope.map(|scope| (IpAddr::V6(address), scope)).ok_or(libc::EAI_NONAME))
}

fn family(hints: &addrinfo) -> Family {
    match hints.ai_family {
        libc::AF_INET => Family::V4,
        libc::AF_INET6 => Family::V6,
        _ => Family::Any,
    }
}

/// The families of which this machine has an address besides the loopback: AI_ADDRCONFIG.
unsafe fn configured() -> Option<(bool, bool)> {
    let mut list = ptr::null_mut();
    if crate::inet::interfaces::getifaddrs(&mut list) < 0 {
        return None;
    }
    let (mut v4, mut v6) = (false, false);
    let mut at = list;
    while let Some(entry) = at.as_ref() {
        if let Some(address) = entry.ifa_addr.as_ref().filter(|_| entry.ifa_flags & libc::IFF_LOOPBACK as u32 == 0) {
            v4 |= c_int::from(address.sa_family) == libc::AF_INET;
            v6 |= c_int::from(address.sa_family) == libc::AF_INET6;
        }
        at = entry.ifa_next;
    }
    crate::inet::interfaces::freeifaddrs(list);
    // With nothing but the loopback everything counts.
    (v4 || v6).then_some((v4, v6))
}

/// The addresses of a name, and its canonical name.
unsafe fn resolve(text: &[u8], hints: &addrinfo) -> Result<(Vec<Host>, Vec<u8>), c_int> {
    let has = |flag: c_int| hints.ai_flags & flag != 0;
    let wanted = family(hints);
    if let Some(found) = numeric(text) {
        let (mut address, scope) = found?;
        if let (IpAddr::V6(v6), Family::V4) = (address, wanted) {
            address = v6.to_ipv4_mapped().map_or(address, IpAddr::V4);
        }
        if let (IpAddr::V4(v4), true, true) = (address, wanted == Family::V6, has(libc::AI_V4MAPPED)) {
            address = IpAddr::V6(v4.to_ipv6_mapped());
        }
        if !wanted.has(address) {
            return Err(EAI_ADDRFAMILY);
        }
        return Ok((Vec::from([(address, scope)]), text.to_vec()));
    }
    if has(libc::AI_NUMERICHOST) {
        return Err(libc::EAI_NONAME);
    }
    let mapped = wanted == Family::V6 && has(libc::AI_V4MAPPED);
    let mut found = lookup::by_name(text, wanted);
    if mapped && (found.is_err() || has(libc::AI_ALL)) {
        if let Ok(more) = lookup::by_name(text, Family::V4) {
            let addresses = more.addresses.iter().filter_map(|address| match address {
                IpAddr::V4(v4) => Some(IpAddr::V6(v4.to_ipv6_mapped())),
                IpAddr::V6(_) => None,
            });
            let mut all = found.map(|host| host.addresses).unwrap_or_default();
            all.extend(addresses);
            found = Ok(lookup::Host { addresses: all, ..more });
        }
    }
    let found = found.map_err(|error| match error {
        TRY_AGAIN => libc::EAI_AGAIN,
        NO_RECOVERY => libc::EAI_FAIL,
        NO_DATA => libc::EAI_NODATA,
        _ => libc::EAI_NONAME,
    })?;
    let mut hosts: Vec<Host> = found.addresses.into_iter().map(|address| (address, 0)).collect();
    if let Some((v4, v6)) = has(libc::AI_ADDRCONFIG).then(|| configured()).flatten() {
        hosts.retain(|(address, _)| if address.is_ipv4() { v4 } else { v6 });
    }
    order::sort(&mut hosts);
    if hosts.is_empty() { Err(libc::EAI_NONAME) } else { Ok((hosts, found.name)) }
}

/// The addresses where no name is given.
fn without_name(hints: &addrinfo) -> Vec<Host> {
    let (v4, v6) = match hints.ai_flags & libc::AI_PASSIVE {
        0 => (Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST),
        _ => (Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED),
    };
    let mut hosts = Vec::from([(IpAddr::V6(v6), 0), (IpAddr::V4(v4), 0)]);
    hosts.retain(|&(address, _)| family(hints).has(address));
    order::sort(&mut hosts);
    hosts
}

/// The kinds of socket that are wanted, with protocol and port.
fn sockets(service: Option<&[u8]>, hints: &addrinfo) -> Result<Vec<(c_int, c_int, u16)>, c_int> {
    let given = hints.ai_socktype != 0 || hints.ai_protocol != 0;
    let number = service.and_then(crate::database::number::<u32>);
    if service.is_some() && number.is_none() && hints.ai_flags & libc::AI_NUMERICSERV != 0 {
        return Err(libc::EAI_NONAME);
    }
    let mut fitting = KINDS.iter().filter(|kind| kind.fits(hints));
    let protocol = |kind: &Kind| if kind.name.is_empty() { hints.ai_protocol } else { kind.protocol };
    match (service.filter(|_| number.is_none()), given) {
        (Some(name), _) => {
            // As in glibc, only the first kind that fits is looked at if any is given.
            let most = if given { 1 } else { usize::MAX };
            let found: Vec<_> = fitting
                .take(most)
                .filter(|kind| !kind.name.is_empty())
                .filter_map(|kind| Some((kind.kind, kind.protocol, service_port(name, kind.name)?)))
                .collect();
            let known = KINDS.iter().any(|kind| kind.fits(hints));
            let error = if known || hints.ai_socktype == 0 { libc::EAI_SERVICE } else { libc::EAI_SOCKTYPE };
            if found.is_empty() { Err(error) } else { Ok(found) }
        }
        (None, true) => {
            let kind = fitting.next();
            // As in glibc, a raw socket that is asked for has no service, not even a number.
            if number.is_some() && kind.is_some_and(|kind| kind.name.is_empty()) {
                return Err(libc::EAI_SERVICE);
            }
            let error = if hints.ai_socktype != 0 { libc::EAI_SOCKTYPE } else { libc::EAI_SERVICE };
            kind.map(|kind| Vec::from([(kind.kind, protocol(kind), number.unwrap_or(0) as u16)])).ok_or(error)
        }
        (None, false) => Ok(fitting
            .filter(|kind| kind.usual)
            .map(|kind| (kind.kind, protocol(kind), number.unwrap_or(0) as u16))
            .collect()),
    }
}

/// Makes one answer. Null when memory is exhausted.
unsafe fn answer(host: Host, (kind, protocol, port): (c_int, c_int, u16), flags: c_int) -> *mut Answer {
    let block = heap::allocate_zeroed(size_of::<Answer>()).cast::<Answer>();
    if let Some(block) = block.as_mut() {
        let (address, family, len) = socket_address(host.0, port, host.1);
        block.address = address;
        block.info.ai_flags = flags;
        block.info.ai_family = family;
        block.info.ai_socktype = kind;
        block.info.ai_protocol = protocol;
        block.info.ai_addrlen = len;
        block.info.ai_addr = (&raw mut block.address).cast();
    }
    block
}

unsafe fn lookup(node: *const c_char, service: *const c_char, hints: &addrinfo) -> Result<*mut addrinfo, c_int> {
    /// A text; `*` is as none.
    unsafe fn given<'a>(text: *const c_char) -> Option<&'a [u8]> {
        (!text.is_null()).then(|| string::bytes(text)).filter(|text| *text != b"*")
    }
    let (node, service) = (given(node), given(service));
    if node.is_none() && service.is_none() {
        return Err(libc::EAI_NONAME);
    }
    if hints.ai_flags & !FLAGS != 0 || hints.ai_flags & libc::AI_CANONNAME != 0 && node.is_none() {
        return Err(libc::EAI_BADFLAGS);
    }
    if !matches!(hints.ai_family, libc::AF_UNSPEC | libc::AF_INET | libc::AF_INET6) {
        return Err(libc::EAI_FAMILY);
    }
    let sockets = sockets(service, hints)?;
    let (hosts, canonical) = match node {
        Some(node) => resolve(node, hints)?,
        None => (without_name(hints), Vec::new()),
    };
    let mut first: *mut addrinfo = ptr::null_mut();
    let mut last = &raw mut first;
    for host in hosts {
        for socket in &sockets {
            let block = answer(host, *socket, hints.ai_flags);
            if block.is_null() {
                freeaddrinfo(first);
                return Err(libc::EAI_MEMORY);
            }
            if hints.ai_flags & libc::AI_CANONNAME != 0 && first.is_null() {
                let name = string::strndup(canonical.as_ptr().cast(), canonical.len());
                if name.is_null() {
                    freeaddrinfo(&raw mut (*block).info);
                    return Err(libc::EAI_MEMORY);
                }
                (*block).info.ai_canonname = name;
            }
            *last = &raw mut (*block).info;
            last = &raw mut (*block).info.ai_next;
        }
    }
    Ok(first)
}

c_api! {
    /// getaddrinfo(3).
    fn getaddrinfo(node: *const c_char, service: *const c_char, hints: *const addrinfo, out: *mut *mut addrinfo) -> c_int {
        let mut none: addrinfo = core::mem::zeroed();
        none.ai_flags = libc::AI_V4MAPPED | libc::AI_ADDRCONFIG;
        match lookup(node, service, hints.as_ref().unwrap_or(&none)) {
            Ok(list) => {
                *out = list;
                0
            }
            Err(error) => error,
        }
    }

    /// freeaddrinfo(3).
    fn freeaddrinfo(list: *mut addrinfo) {
        let mut at = list;
        while !at.is_null() {
            let next = (*at).ai_next;
            heap::c_free((*at).ai_canonname.cast());
            heap::release(at.cast());
            at = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(kind: c_int, protocol: c_int) -> addrinfo {
        // SAFETY: zero is a value.
        let mut hints: addrinfo = unsafe { core::mem::zeroed() };
        (hints.ai_socktype, hints.ai_protocol) = (kind, protocol);
        hints
    }

    #[test]
    fn sockets_are_what_is_asked_for() {
        assert_eq!(sockets(Some(b"80"), &hints(0, 0)).map(|all| all.len()), Ok(3));
        assert_eq!(sockets(None, &hints(libc::SOCK_STREAM, libc::IPPROTO_UDP)), Err(libc::EAI_SOCKTYPE));
        assert_eq!(sockets(None, &hints(libc::SOCK_RAW, 89)), Ok(Vec::from([(libc::SOCK_RAW, 89, 0)])));
        assert_eq!(sockets(Some(b"80"), &hints(libc::SOCK_RAW, 89)), Err(libc::EAI_SERVICE));
        assert_eq!(sockets(Some(b"no such"), &hints(0, 0)), Err(libc::EAI_SERVICE));
    }
}
