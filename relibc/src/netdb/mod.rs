//! `netdb.h`: numeric addresses and /etc/hosts. Names that only a name server knows are EAI_NONAME.

pub mod files;

use crate::pwd::read_file;
use crate::{heap, string};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ptr;
use libc::{addrinfo, in_addr, in6_addr, sockaddr_in, sockaddr_in6};

/// One `addrinfo` with its address, in one block of memory.
#[repr(C)]
struct Answer {
    info: addrinfo,
    address: Address,
}

#[repr(C)]
union Address {
    v4: sockaddr_in,
    v6: sockaddr_in6,
}

/// A parsed address with the scope of a link-local IPv6 one.
type Host = (IpAddr, u32);

fn parse_numeric(text: &[u8]) -> Option<Host> {
    let text = core::str::from_utf8(text).ok()?;
    let (address, scope) = match text.split_once('%') {
        Some((address, scope)) => (address, scope.parse().ok()?),
        None => (text, 0),
    };
    Some((address.parse().ok()?, scope))
}

/// The addresses of `name` in a hosts file.
fn in_hosts(file: &[u8], name: &[u8]) -> Vec<Host> {
    file.split(|&byte| byte == b'\n')
        .filter_map(|line| {
            let line = line.split(|&byte| byte == b'#').next()?;
            let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            let address = parse_numeric(words.next()?)?;
            words.any(|word| word.eq_ignore_ascii_case(name)).then_some(address)
        })
        .collect()
}

fn resolve(name: &[u8], numeric_only: bool) -> Result<Vec<Host>, c_int> {
    if let Some(host) = parse_numeric(name) {
        return Ok(Vec::from([host]));
    }
    if numeric_only {
        return Err(libc::EAI_NONAME);
    }
    let mut hosts = read_file(b"/etc/hosts\0").map(|file| in_hosts(&file, name)).unwrap_or_default();
    // RFC 6761: localhost is the loopback, whatever the file says.
    if hosts.is_empty()
        && (name.eq_ignore_ascii_case(b"localhost") || name.to_ascii_lowercase().ends_with(b".localhost"))
    {
        hosts = Vec::from([(IpAddr::V6(Ipv6Addr::LOCALHOST), 0), (IpAddr::V4(Ipv4Addr::LOCALHOST), 0)]);
    }
    if hosts.is_empty() { Err(libc::EAI_NONAME) } else { Ok(hosts) }
}

/// The first IPv4 address of a host, in network order; None if /etc/hosts has none.
pub fn address_of_host(name: &[u8]) -> Option<[u8; 4]> {
    resolve(name, false).ok()?.into_iter().find_map(|(address, _)| match address {
        IpAddr::V4(address) => Some(address.octets()),
        IpAddr::V6(_) => None,
    })
}

/// A port by number or by its name in /etc/services.
fn port_of(service: &[u8], numeric_only: bool, protocol: &[u8]) -> Result<u16, c_int> {
    if let Some(port) = core::str::from_utf8(service).ok().and_then(|text| text.parse().ok()) {
        return Ok(port);
    }
    if numeric_only {
        return Err(libc::EAI_NONAME);
    }
    let file = read_file(b"/etc/services\0").unwrap_or_default();
    let found = file.split(|&byte| byte == b'\n').find_map(|line| {
        let line = line.split(|&byte| byte == b'#').next()?;
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let name = words.next()?;
        let (port, kind) = core::str::from_utf8(words.next()?).ok()?.split_once('/')?;
        let matches = name == service || words.any(|alias| alias == service);
        (matches && (protocol.is_empty() || kind.as_bytes() == protocol)).then(|| port.parse().ok())?
    });
    found.ok_or(libc::EAI_SERVICE)
}

/// Makes one answer. Null when memory is exhausted.
unsafe fn answer(host: Host, port: u16, kind: c_int, protocol: c_int) -> *mut Answer {
    let block = heap::allocate_zeroed(size_of::<Answer>()).cast::<Answer>();
    if block.is_null() {
        return block;
    }
    let (family, len) = match host.0 {
        IpAddr::V4(address) => {
            (*block).address.v4 = sockaddr_in {
                sin_family: libc::AF_INET as u16,
                sin_port: port.to_be(),
                sin_addr: in_addr { s_addr: u32::from_ne_bytes(address.octets()) },
                sin_zero: [0; 8],
            };
            (libc::AF_INET, size_of::<sockaddr_in>())
        }
        IpAddr::V6(address) => {
            (*block).address.v6 = sockaddr_in6 {
                sin6_family: libc::AF_INET6 as u16,
                sin6_port: port.to_be(),
                sin6_flowinfo: 0,
                sin6_addr: in6_addr { s6_addr: address.octets() },
                sin6_scope_id: host.1,
            };
            (libc::AF_INET6, size_of::<sockaddr_in6>())
        }
    };
    (*block).info = addrinfo {
        ai_flags: 0,
        ai_family: family,
        ai_socktype: kind,
        ai_protocol: protocol,
        ai_addrlen: len as u32,
        ai_addr: (&raw mut (*block).address).cast(),
        ai_canonname: ptr::null_mut(),
        ai_next: ptr::null_mut(),
    };
    block
}

/// Socket types that a hint of 0 stands for, with their protocols.
const KINDS: [(c_int, c_int, &[u8]); 3] = [
    (libc::SOCK_STREAM, libc::IPPROTO_TCP, b"tcp"),
    (libc::SOCK_DGRAM, libc::IPPROTO_UDP, b"udp"),
    (libc::SOCK_RAW, libc::IPPROTO_IP, b""),
];

unsafe fn lookup(node: *const c_char, service: *const c_char, hints: &addrinfo) -> Result<*mut addrinfo, c_int> {
    let has = |flag: c_int| hints.ai_flags & flag != 0;
    if !matches!(hints.ai_family, libc::AF_UNSPEC | libc::AF_INET | libc::AF_INET6) {
        return Err(libc::EAI_FAMILY);
    }
    if node.is_null() && service.is_null() {
        return Err(libc::EAI_NONAME);
    }
    let mut hosts = if !node.is_null() {
        resolve(string::bytes(node), has(libc::AI_NUMERICHOST))?
    } else if has(libc::AI_PASSIVE) {
        Vec::from([(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0)])
    } else {
        Vec::from([(IpAddr::V6(Ipv6Addr::LOCALHOST), 0), (IpAddr::V4(Ipv4Addr::LOCALHOST), 0)])
    };
    let known = hosts.len();
    hosts.retain(|(address, _)| match hints.ai_family {
        libc::AF_INET => address.is_ipv4(),
        libc::AF_INET6 => address.is_ipv6(),
        _ => true,
    });
    if hosts.is_empty() {
        return Err(if known > 0 { libc::EAI_NODATA } else { libc::EAI_NONAME });
    }
    let mut first: *mut addrinfo = ptr::null_mut();
    let mut last = &raw mut first;
    let mut service_error = libc::EAI_SERVICE;
    for host in hosts {
        for (kind, protocol, protocol_name) in KINDS {
            let wanted = (hints.ai_socktype == 0 || hints.ai_socktype == kind)
                && (hints.ai_protocol == 0 || hints.ai_protocol == protocol || kind == libc::SOCK_RAW);
            if !wanted {
                continue;
            }
            let port = if service.is_null() {
                0
            } else {
                match port_of(string::bytes(service), has(libc::AI_NUMERICSERV), protocol_name) {
                    Ok(port) => port,
                    Err(error) => {
                        service_error = error;
                        continue;
                    }
                }
            };
            let protocol = if kind == libc::SOCK_RAW { hints.ai_protocol } else { protocol };
            let block = answer(host, port, kind, protocol);
            if block.is_null() {
                freeaddrinfo(first);
                return Err(libc::EAI_MEMORY);
            }
            if has(libc::AI_CANONNAME) && first.is_null() && !node.is_null() {
                (*block).info.ai_canonname = string::strdup(node);
            }
            *last = &raw mut (*block).info;
            last = &raw mut (*block).info.ai_next;
        }
    }
    if first.is_null() { Err(if service.is_null() { libc::EAI_SOCKTYPE } else { service_error }) } else { Ok(first) }
}

c_api! {
    /// getaddrinfo(3).
    fn getaddrinfo(node: *const c_char, service: *const c_char, hints: *const addrinfo, out: *mut *mut addrinfo) -> c_int {
        let none: addrinfo = core::mem::zeroed();
        let hints = if hints.is_null() { &none } else { &*hints };
        match lookup(node, service, hints) {
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

    /// gai_strerror(3).
    fn gai_strerror(error: c_int) -> *const c_char {
        let text = match error {
            -9 => c"Address family for hostname not supported",
            libc::EAI_AGAIN => c"Temporary failure in name resolution",
            libc::EAI_BADFLAGS => c"Bad value for ai_flags",
            libc::EAI_FAIL => c"Non-recoverable failure in name resolution",
            libc::EAI_FAMILY => c"ai_family not supported",
            libc::EAI_MEMORY => c"Memory allocation failure",
            libc::EAI_NODATA => c"No address associated with hostname",
            libc::EAI_NONAME => c"Name or service not known",
            libc::EAI_SERVICE => c"Servname not supported for ai_socktype",
            libc::EAI_SOCKTYPE => c"ai_socktype not supported",
            libc::EAI_SYSTEM => c"System error",
            libc::EAI_OVERFLOW => c"Result too large for supplied buffer",
            _ => c"Unknown error",
        };
        text.as_ptr()
    }

    /// Reads the resolver's configuration again: /etc/hosts is read each time anyway. resolver(3).
    fn __res_init() -> c_int { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_files_are_understood() {
        let file = b"127.0.0.1 localhost lo # comment other\n::1\tlocalhost\nbad line\n10.0.0.2 Box\n";
        assert_eq!(in_hosts(file, b"localhost").len(), 2);
        assert_eq!(in_hosts(file, b"box"), [(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 0)]);
        assert!(in_hosts(file, b"other").is_empty());
        assert_eq!(parse_numeric(b"fe80::1%3").map(|host| host.1), Some(3));
        assert_eq!(port_of(b"80", true, b"tcp"), Ok(80));
    }
}
