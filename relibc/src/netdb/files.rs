//! Services, protocols and networks by name and number, from /etc/services, /etc/protocols and /etc/networks. getservent(3),
//! getprotoent(3), getnetent(3).

use crate::database::{Buffer, Database, Full, number, words};
use crate::inet::text::inet_network;
use crate::pwd::read_file;
use crate::resolver::error::{HOST_NOT_FOUND, NETDB_INTERNAL};
use crate::resolver::state::set_error;
use crate::string;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int};
use libc::{protoent, servent, size_t};

/// `struct netent`: a network.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct netent {
    n_name: *mut c_char,
    n_aliases: *mut *mut c_char,
    n_addrtype: c_int,
    /// In the machine's order.
    n_net: u32,
}

fn store_service(line: &[u8], buffer: &mut Buffer) -> Option<Result<servent, Full>> {
    let mut words = words(line);
    let name = words.next()?;
    let mut port = words.next()?.splitn(2, |&byte| byte == b'/');
    let (port, protocol) = (number::<u16>(port.next()?)?, port.next()?);
    let mut fill = || {
        Ok(servent {
            s_name: buffer.text(name)?,
            s_port: c_int::from(port.to_be()),
            s_proto: buffer.text(protocol)?,
            s_aliases: buffer.texts(words.by_ref())?,
        })
    };
    Some(fill())
}

fn store_protocol(line: &[u8], buffer: &mut Buffer) -> Option<Result<protoent, Full>> {
    let mut words = words(line);
    let name = words.next()?;
    let p_proto = number(words.next()?)?;
    let mut fill = || Ok(protoent { p_name: buffer.text(name)?, p_proto, p_aliases: buffer.texts(words.by_ref())? });
    Some(fill())
}

/// A line of /etc/networks. As in glibc, `10` is 10.0.0.0.
fn store_network(line: &[u8], buffer: &mut Buffer) -> Option<Result<netent, Full>> {
    let mut words = words(line);
    let (name, number) = (words.next()?, words.next()?);
    let dots = number.iter().filter(|&&byte| byte == b'.').count();
    let mut text = number.to_vec();
    (dots..3).for_each(|_| text.extend_from_slice(b".0"));
    text.push(0);
    // SAFETY: the text ends in NUL.
    let n_net = unsafe { inet_network(CStr::from_bytes_with_nul(&text).ok()?.as_ptr()) };
    let mut fill = || {
        let (n_name, n_aliases) = (buffer.text(name)?, buffer.texts(words.by_ref())?);
        Ok(netent { n_name, n_aliases, n_addrtype: libc::AF_INET, n_net })
    };
    Some(fill())
}

/// The services of a file's text: name and aliases, port, protocol.
fn services(file: &[u8]) -> impl Iterator<Item = (Vec<&[u8]>, u16, &[u8])> {
    file.split(|&byte| byte == b'\n').filter_map(|line| {
        let mut words = words(line);
        let mut names = Vec::from([words.next()?]);
        let mut port = words.next()?.splitn(2, |&byte| byte == b'/');
        let (port, protocol) = (number(port.next()?)?, port.next()?);
        names.extend(words);
        Some((names, port, protocol))
    })
}

/// The port of a service by one of its names.
pub fn service_port(name: &[u8], protocol: &[u8]) -> Option<u16> {
    let file = read_file(b"/etc/services\0")?;
    services(&file).find(|(names, _, kind)| *kind == protocol && names.contains(&name)).map(|(_, port, _)| port)
}

/// The name of a service by its port.
pub fn service_name(port: u16, protocol: &[u8]) -> Option<Vec<u8>> {
    let file = read_file(b"/etc/services\0")?;
    services(&file).find(|&(_, number, kind)| number == port && kind == protocol).map(|(names, ..)| names[0].to_vec())
}

static NETWORKS: Database<netent> = Database::new(b"/etc/networks\0", store_network);

/// Tells by `h_errno` that no network was found.
fn network(found: *mut netent) -> *mut netent {
    if found.is_null() {
        set_error(HOST_NOT_FOUND);
    }
    found
}

/// Tells a `_r` function's outcome by its own `h_errno`.
unsafe fn tell(status: c_int, found: bool, error: *mut c_int) -> c_int {
    if status == libc::ERANGE {
        *error = NETDB_INTERNAL;
    } else if !found {
        *error = HOST_NOT_FOUND;
    }
    status
}

static SERVICES: Database<servent> = Database::new(b"/etc/services\0", store_service);
static PROTOCOLS: Database<protoent> = Database::new(b"/etc/protocols\0", store_protocol);

/// Whether a name is an entry's own or one of its aliases.
unsafe fn named(wanted: &[u8], name: *const c_char, aliases: *mut *mut c_char) -> bool {
    let mut at = aliases;
    let mut found = string::bytes(name) == wanted;
    while !found && !(*at).is_null() {
        found = string::bytes(*at) == wanted;
        at = at.add(1);
    }
    found
}

/// Whether a service has this protocol; null is any.
unsafe fn of_protocol(service: &servent, protocol: *const c_char) -> bool {
    protocol.is_null() || string::bytes(service.s_proto) == string::bytes(protocol)
}

c_api! {
    /// getservbyname(3).
    fn getservbyname(name: *const c_char, protocol: *const c_char) -> *mut servent {
        let name = string::bytes(name);
        SERVICES.find(|found| of_protocol(found, protocol) && named(name, found.s_name, found.s_aliases))
    }

    /// getservbyname_r(3).
    fn getservbyname_r(name: *const c_char, protocol: *const c_char, out: *mut servent, buffer: *mut c_char, room: size_t, result: *mut *mut servent) -> c_int {
        let name = string::bytes(name);
        let wanted = |found: &servent| of_protocol(found, protocol) && named(name, found.s_name, found.s_aliases);
        SERVICES.find_r(wanted, out, buffer, room, result)
    }

    /// getservbyport(3). The port is in network order.
    fn getservbyport(port: c_int, protocol: *const c_char) -> *mut servent {
        SERVICES.find(|found| found.s_port == port && of_protocol(found, protocol))
    }

    /// getservbyport_r(3).
    fn getservbyport_r(port: c_int, protocol: *const c_char, out: *mut servent, buffer: *mut c_char, room: size_t, result: *mut *mut servent) -> c_int {
        SERVICES.find_r(|found| found.s_port == port && of_protocol(found, protocol), out, buffer, room, result)
    }

    /// getservent(3).
    fn getservent() -> *mut servent { SERVICES.next() }

    /// setservent(3).
    fn setservent(_stay_open: c_int) { SERVICES.rewind() }

    /// endservent(3).
    fn endservent() { SERVICES.rewind() }

    /// getprotobyname(3).
    fn getprotobyname(name: *const c_char) -> *mut protoent {
        let name = string::bytes(name);
        PROTOCOLS.find(|found| named(name, found.p_name, found.p_aliases))
    }

    /// getprotobynumber(3).
    fn getprotobynumber(number: c_int) -> *mut protoent { PROTOCOLS.find(|found| found.p_proto == number) }

    /// setprotoent(3).
    fn setprotoent(_stay_open: c_int) { PROTOCOLS.rewind() }

    /// endprotoent(3).
    fn endprotoent() { PROTOCOLS.rewind() }

    /// getservent_r(3).
    fn getservent_r(out: *mut servent, buffer: *mut c_char, room: size_t, result: *mut *mut servent) -> c_int {
        SERVICES.next_r(out, buffer, room, result)
    }

    /// getprotoent(3).
    fn getprotoent() -> *mut protoent { PROTOCOLS.next() }

    /// getprotoent_r(3).
    fn getprotoent_r(out: *mut protoent, buffer: *mut c_char, room: size_t, result: *mut *mut protoent) -> c_int {
        PROTOCOLS.next_r(out, buffer, room, result)
    }

    /// getprotobyname_r(3).
    fn getprotobyname_r(name: *const c_char, out: *mut protoent, buffer: *mut c_char, room: size_t, result: *mut *mut protoent) -> c_int {
        let name = string::bytes(name);
        PROTOCOLS.find_r(|found| named(name, found.p_name, found.p_aliases), out, buffer, room, result)
    }

    /// getprotobynumber_r(3).
    fn getprotobynumber_r(number: c_int, out: *mut protoent, buffer: *mut c_char, room: size_t, result: *mut *mut protoent) -> c_int {
        PROTOCOLS.find_r(|found| found.p_proto == number, out, buffer, room, result)
    }

    /// getnetent(3).
    fn getnetent() -> *mut netent { NETWORKS.next() }

    /// getnetent_r(3).
    fn getnetent_r(out: *mut netent, buffer: *mut c_char, room: size_t, result: *mut *mut netent, error: *mut c_int) -> c_int {
        let status = NETWORKS.next_r(out, buffer, room, result);
        tell(status, !(*result).is_null(), error)
    }

    /// getnetbyname(3).
    fn getnetbyname(name: *const c_char) -> *mut netent {
        let name = string::bytes(name);
        network(NETWORKS.find(|found| named(name, found.n_name, found.n_aliases)))
    }

    /// getnetbyname_r(3).
    fn getnetbyname_r(
        name: *const c_char, out: *mut netent, buffer: *mut c_char, room: size_t, result: *mut *mut netent, error: *mut c_int,
    ) -> c_int {
        let name = string::bytes(name);
        let status = NETWORKS.find_r(|found| named(name, found.n_name, found.n_aliases), out, buffer, room, result);
        tell(status, !(*result).is_null(), error)
    }

    /// getnetbyaddr(3).
    fn getnetbyaddr(net: u32, family: c_int) -> *mut netent {
        network(NETWORKS.find(|found| found.n_net == net && matches!(family, libc::AF_UNSPEC | libc::AF_INET)))
    }

    /// getnetbyaddr_r(3).
    fn getnetbyaddr_r(
        net: u32, family: c_int, out: *mut netent, buffer: *mut c_char, room: size_t, result: *mut *mut netent, error: *mut c_int,
    ) -> c_int {
        let wanted = |found: &netent| found.n_net == net && matches!(family, libc::AF_UNSPEC | libc::AF_INET);
        let status = NETWORKS.find_r(wanted, out, buffer, room, result);
        tell(status, !(*result).is_null(), error)
    }

    /// setnetent(3).
    fn setnetent(_stay_open: c_int) { NETWORKS.rewind() }

    /// endnetent(3).
    fn endnetent() { NETWORKS.rewind() }

    /// innetgr(3): there are no netgroups, so nobody is in one.
    fn innetgr(_group: *const c_char, _host: *const c_char, _user: *const c_char, _domain: *const c_char) -> c_int { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let mut room = [0; 128];
        // SAFETY: the buffer is ours and as long as is said.
        unsafe {
            let mut buffer = Buffer::new(room.as_mut_ptr(), room.len());
            let found = store_service(b"http\t80/tcp  www web # World", &mut buffer).expect("a line").expect("room");
            assert_eq!(found.s_port, c_int::from(80u16.to_be()));
            assert!(named(b"web", found.s_name, found.s_aliases) && named(b"http", found.s_name, found.s_aliases));
            assert!(!named(b"World", found.s_name, found.s_aliases) && of_protocol(&found, c"tcp".as_ptr()));
            assert!(store_service(b"http 80", &mut buffer).is_none());
            assert!(store_service(b"http 99999/tcp", &mut buffer).is_none());
            let found = store_protocol(b"tcp 6 TCP", &mut buffer).expect("a line").expect("room");
            assert!(found.p_proto == 6 && named(b"TCP", found.p_name, found.p_aliases));
            assert!(store_protocol(b"tcp 6 TCP", &mut Buffer::new(room.as_mut_ptr(), 6)).expect("a line").is_err());
        }
    }
}
