//! gethostbyname(3), gethostbyaddr(3), gethostent(3) and their forms with a buffer.

use crate::database::{Buffer, Database, Full, words};
use crate::inet::text::{parse_loose, parse_v6};
use crate::resolver::error::{HOST_NOT_FOUND, NETDB_INTERNAL, TRY_AGAIN};
use crate::resolver::lookup::{self, Family, Host};
use crate::resolver::state::set_error;
use crate::{errno, string};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_void};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use libc::{hostent, size_t, socklen_t};

fn store(host: &Host, family: c_int, buffer: &mut Buffer) -> Result<hostent, Full> {
    let mut addresses = Vec::new();
    for address in &host.addresses {
        addresses.push(match address {
            IpAddr::V4(address) => buffer.aligned(&address.octets())?,
            IpAddr::V6(address) => buffer.aligned(&address.octets())?,
        });
    }
    Ok(hostent {
        h_name: buffer.text(&host.name)?,
        h_aliases: buffer.texts(host.aliases.iter().map(Vec::as_slice))?,
        h_addrtype: family,
        h_length: if family == libc::AF_INET { 4 } else { 16 },
        h_addr_list: buffer.list(&addresses)?,
    })
}

/// A line of /etc/hosts. As in glibc, IPv6 addresses but the loopback are passed over, and that one is IPv4's.
fn line(text: &[u8], buffer: &mut Buffer) -> Option<Result<hostent, Full>> {
    let mut words = words(text);
    let word = words.next()?;
    let address = match parse_loose(word) {
        Some((address, _)) => address,
        None if parse_v6(word)? == Ipv6Addr::LOCALHOST => Ipv4Addr::LOCALHOST,
        None => return None,
    };
    let name = words.next()?.to_vec();
    let host = Host { name, aliases: words.map(<[u8]>::to_vec).collect(), addresses: Vec::from([address.into()]) };
    Some(store(&host, libc::AF_INET, buffer))
}

/// The file, and memory for the functions that have none from the caller.
static HOSTS: Database<hostent> = Database::new(b"/etc/hosts\0", line);

/// Where a function with a buffer puts its answer.
struct Out {
    entry: *mut hostent,
    buffer: *mut c_char,
    room: size_t,
    result: *mut *mut hostent,
    error: *mut c_int,
}

impl Out {
    /// Stores an answer. Returns 0, also where there is no such host (then the result is null), or an errno.
    unsafe fn give(&self, found: Result<Host, c_int>, family: c_int) -> c_int {
        *self.result = core::ptr::null_mut();
        let host = match found {
            Ok(host) => host,
            Err(error) => {
                *self.error = error;
                return if error == TRY_AGAIN { libc::EAGAIN } else { 0 };
            }
        };
        match store(&host, family, &mut Buffer::new(self.buffer, self.room)) {
            Ok(entry) => {
                *self.entry = entry;
                *self.result = self.entry;
                0
            }
            Err(Full) => {
                *self.error = NETDB_INTERNAL;
                libc::ERANGE
            }
        }
    }
}

/// A name's addresses; numbers stand for themselves.
unsafe fn by_name(name: &[u8], family: c_int) -> Result<Host, c_int> {
    let wanted = if family == libc::AF_INET6 { Family::V6 } else { Family::V4 };
    let number = match parse_loose(name) {
        Some((address, len)) if len == name.len() => Some(IpAddr::V4(address)),
        _ => parse_v6(name).map(IpAddr::V6),
    };
    match number {
        Some(address) if wanted.has(address) => {
            Ok(Host { name: name.to_vec(), aliases: Vec::new(), addresses: Vec::from([address]) })
        }
        Some(_) => Err(HOST_NOT_FOUND),
        None => lookup::by_name(name, wanted),
    }
}

/// Runs a function with a buffer on the library's memory.
unsafe fn own(call: impl Fn(&Out) -> c_int) -> *mut hostent {
    let host_error = core::cell::Cell::new(0);
    let found = HOSTS.own(|entry, buffer, room, result| {
        let status = call(&Out { entry, buffer, room, result, error: host_error.as_ptr() });
        // The thread's `errno` says nothing where `h_errno` does.
        if status == libc::EAGAIN { 0 } else { status }
    });
    if found.is_null() {
        set_error(host_error.get());
    }
    found
}

/// The address at a pointer. None if length and family do not agree.
unsafe fn address_at(at: *const c_void, len: socklen_t, family: c_int) -> Option<IpAddr> {
    match (family, len) {
        (libc::AF_INET, 4) => Some(IpAddr::V4(at.cast::<[u8; 4]>().read().into())),
        (libc::AF_INET6, 16) => Some(IpAddr::V6(at.cast::<[u8; 16]>().read().into())),
        _ => None,
    }
}

unsafe fn by_address(out: &Out, at: *const c_void, len: socklen_t, family: c_int) -> c_int {
    let Some(address) = address_at(at, len, family) else {
        *out.result = core::ptr::null_mut();
        *out.error = HOST_NOT_FOUND;
        return 0;
    };
    out.give(lookup::by_address(address), family)
}

c_api! {
    /// gethostbyname(3).
    fn gethostbyname(name: *const c_char) -> *mut hostent { gethostbyname2(name, libc::AF_INET) }

    /// gethostbyname2(3).
    fn gethostbyname2(name: *const c_char, family: c_int) -> *mut hostent {
        let name = string::bytes(name);
        if !matches!(family, libc::AF_INET | libc::AF_INET6) {
            errno::set(libc::EAFNOSUPPORT);
            set_error(NETDB_INTERNAL);
            return core::ptr::null_mut();
        }
        own(|out| out.give(by_name(name, family), family))
    }

    /// gethostbyname_r(3).
    fn gethostbyname_r(
        name: *const c_char, entry: *mut hostent, buffer: *mut c_char, room: size_t, result: *mut *mut hostent, error: *mut c_int,
    ) -> c_int {
        gethostbyname2_r(name, libc::AF_INET, entry, buffer, room, result, error)
    }

    /// gethostbyname2_r(3).
    fn gethostbyname2_r(
        name: *const c_char, family: c_int, entry: *mut hostent, buffer: *mut c_char, room: size_t, result: *mut *mut hostent,
        error: *mut c_int,
    ) -> c_int {
        if !matches!(family, libc::AF_INET | libc::AF_INET6) {
            *result = core::ptr::null_mut();
            *error = NETDB_INTERNAL;
            return libc::EAFNOSUPPORT;
        }
        Out { entry, buffer, room, result, error }.give(by_name(string::bytes(name), family), family)
    }

    /// gethostbyaddr(3).
    fn gethostbyaddr(at: *const c_void, len: socklen_t, family: c_int) -> *mut hostent {
        own(|out| by_address(out, at, len, family))
    }

    /// gethostbyaddr_r(3).
    fn gethostbyaddr_r(
        at: *const c_void, len: socklen_t, family: c_int, entry: *mut hostent, buffer: *mut c_char, room: size_t,
        result: *mut *mut hostent, error: *mut c_int,
    ) -> c_int {
        by_address(&Out { entry, buffer, room, result, error }, at, len, family)
    }

    /// gethostent(3).
    fn gethostent() -> *mut hostent { HOSTS.next() }

    /// gethostent_r(3).
    fn gethostent_r(entry: *mut hostent, buffer: *mut c_char, room: size_t, result: *mut *mut hostent, error: *mut c_int) -> c_int {
        let status = HOSTS.next_r(entry, buffer, room, result);
        *error = match status {
            0 => 0,
            libc::ERANGE => NETDB_INTERNAL,
            _ => HOST_NOT_FOUND,
        };
        status
    }

    /// sethostent(3).
    fn sethostent(_stay_open: c_int) { HOSTS.rewind() }

    /// endhostent(3).
    fn endhostent() { HOSTS.rewind() }
}
