//! Services and protocols by name and number, from /etc/services and /etc/protocols. getservent(3), getprotoent(3).

use crate::database::{Buffer, Database, Full, number, words};
use crate::string;
use core::ffi::{c_char, c_int};
use libc::{protoent, servent, size_t};

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
