//! getnameinfo(3).

use super::files::service_name;
use crate::inet::text::format_v6;
use crate::resolver::error::TRY_AGAIN;
use crate::resolver::lookup;
use crate::{string, sys};
use alloc::format;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int, c_uint};
use core::mem::offset_of;
use core::net::{IpAddr, Ipv6Addr};
use libc::{sockaddr, sockaddr_in, sockaddr_in6, sockaddr_un, socklen_t};

/// The flags there are; those for names that are not ASCII are of no effect.
const FLAGS: c_int =
    libc::NI_NUMERICHOST | libc::NI_NUMERICSERV | libc::NI_NOFQDN | libc::NI_NAMEREQD | libc::NI_DGRAM | 0xe0;

/// Stores a text; false if it does not fit.
unsafe fn give(text: &[u8], to: *mut c_char, room: socklen_t) -> bool {
    if text.len() >= room as usize {
        return false;
    }
    to.copy_from_nonoverlapping(text.as_ptr().cast(), text.len());
    *to.add(text.len()) = 0;
    true
}

/// An address as numbers, with the interface of a link-local one.
unsafe fn numbers(address: IpAddr, scope: u32) -> Vec<u8> {
    let IpAddr::V6(v6) = address else { return format!("{address}").into_bytes() };
    let mut text =
        CStr::from_bytes_until_nul(format_v6(v6).with_nul()).map(|it| it.to_bytes().to_vec()).unwrap_or_default();
    if scope != 0 {
        text.push(b'%');
        let mut name = [0; libc::IF_NAMESIZE];
        let local = v6.is_unicast_link_local() || v6.segments()[0] & 0xff0f == 0xff02;
        let known = local && !crate::inet::interfaces::if_indextoname(scope as c_uint, name.as_mut_ptr()).is_null();
        match known {
            true => text.extend_from_slice(string::bytes(name.as_ptr())),
            false => text.extend_from_slice(format!("{scope}").as_bytes()),
        }
    }
    text
}

fn node_name() -> Vec<u8> {
    // SAFETY: the place is ours, and the name in it ends.
    unsafe {
        let mut names: libc::utsname = core::mem::zeroed();
        sys::uname(&mut names);
        string::bytes(names.nodename.as_ptr()).to_vec()
    }
}

/// Leaves the own domain out of a name.
fn without_domain(mut name: Vec<u8>) -> Vec<u8> {
    let own = node_name();
    if let Some(dot) = own.iter().position(|&byte| byte == b'.') {
        let start = name.len().saturating_sub(own.len() - dot);
        if start > 0 && name[start..].eq_ignore_ascii_case(&own[dot..]) {
            name.truncate(start);
        }
    }
    name
}

/// The host's name or numbers.
unsafe fn host(address: IpAddr, scope: u32, flags: c_int) -> Result<Vec<u8>, c_int> {
    if flags & libc::NI_NUMERICHOST == 0 {
        let wanted = match address {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        };
        match lookup::by_address(wanted) {
            Ok(found) if flags & libc::NI_NOFQDN != 0 => return Ok(without_domain(found.name)),
            Ok(found) => return Ok(found.name),
            Err(TRY_AGAIN) if flags & libc::NI_NAMEREQD != 0 => return Err(libc::EAI_AGAIN),
            Err(_) => {}
        }
    }
    if flags & libc::NI_NAMEREQD != 0 {
        return Err(libc::EAI_NONAME);
    }
    Ok(numbers(address, scope))
}

c_api! {
    /// getnameinfo(3).
    fn getnameinfo(
        address: *const sockaddr, len: socklen_t, host_out: *mut c_char, host_room: socklen_t,
        service_out: *mut c_char, service_room: socklen_t, flags: c_int,
    ) -> c_int {
        if flags & !FLAGS != 0 {
            return libc::EAI_BADFLAGS;
        }
        if address.is_null() || (len as usize) < size_of::<libc::sa_family_t>() {
            return libc::EAI_FAMILY;
        }
        let (wants_host, wants_service) = (!host_out.is_null() && host_room > 0, !service_out.is_null() && service_room > 0);
        if flags & libc::NI_NAMEREQD != 0 && !wants_host && !wants_service {
            return libc::EAI_NONAME;
        }
        let (ip, scope, port) = match c_int::from((*address).sa_family) {
            libc::AF_INET if len as usize >= size_of::<sockaddr_in>() => {
                let v4 = address.cast::<sockaddr_in>().read();
                (IpAddr::V4(v4.sin_addr.s_addr.to_ne_bytes().into()), 0, u16::from_be(v4.sin_port))
            }
            libc::AF_INET6 if len as usize >= size_of::<sockaddr_in6>() => {
                let v6 = address.cast::<sockaddr_in6>().read();
                (IpAddr::V6(Ipv6Addr::from(v6.sin6_addr.s6_addr)), v6.sin6_scope_id, u16::from_be(v6.sin6_port))
            }
            libc::AF_UNIX if len as usize >= offset_of!(sockaddr_un, sun_path) => {
                let path = (*address.cast::<sockaddr_un>()).sun_path;
                let room = path.len().min(len as usize - offset_of!(sockaddr_un, sun_path));
                let path = core::slice::from_raw_parts(path.as_ptr().cast::<u8>(), string::strnlen(path.as_ptr(), room));
                let fits = (!wants_host || give(&node_name(), host_out, host_room))
                    && (!wants_service || give(path, service_out, service_room));
                return if fits { 0 } else { libc::EAI_OVERFLOW };
            }
            _ => return libc::EAI_FAMILY,
        };
        if wants_host {
            match host(ip, scope, flags) {
                Ok(name) if give(&name, host_out, host_room) => {}
                Ok(_) => return libc::EAI_OVERFLOW,
                Err(error) => return error,
            }
        }
        if wants_service {
            let protocol: &[u8] = if flags & libc::NI_DGRAM != 0 { b"udp" } else { b"tcp" };
            let known = if flags & libc::NI_NUMERICSERV == 0 { service_name(port, protocol) } else { None };
            let name = known.unwrap_or_else(|| format!("{port}").into_bytes());
            if !give(&name, service_out, service_room) {
                return libc::EAI_OVERFLOW;
            }
        }
        0
    }
}
