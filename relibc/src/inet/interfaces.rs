//! Network interfaces by name and number: if_nametoindex(3), if_nameindex(3), getifaddrs(3).
//!
//! They are asked for by the ioctls of netdevice(7), which tell IPv4 addresses alone, and /proc/net/if_inet6, which has the others.

use crate::errno;
use crate::{heap, string, sys};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_uint, c_void};
use core::ptr;
use libc::{ifaddrs, ifreq, sockaddr, sockaddr_in, sockaddr_in6};

/// Requests of netdevice(7).
const SIOCGIFNAME: usize = 0x8910;
const SIOCGIFCONF: usize = 0x8912;
const SIOCGIFFLAGS: usize = 0x8913;
const SIOCGIFADDR: usize = 0x8915;
const SIOCGIFDSTADDR: usize = 0x8917;
const SIOCGIFBRDADDR: usize = 0x8919;
const SIOCGIFNETMASK: usize = 0x891b;
const SIOCGIFINDEX: usize = 0x8933;

/// A socket to ask through.
struct Socket(c_int);

impl Socket {
    unsafe fn new() -> Result<Socket, c_int> {
        for family in [libc::AF_INET, libc::AF_UNIX, libc::AF_INET6] {
            if let Ok(fd) = sys::result(sys::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0)) {
                return Ok(Socket(fd as c_int));
            }
        }
        Err(libc::EAFNOSUPPORT)
    }

    unsafe fn ask(&self, request: usize, about: &mut ifreq) -> Result<(), c_int> {
        sys::result(sys::ioctl(self.0, request, (&raw mut *about).expose_provenance())).map(|_| ())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours.
        unsafe { sys::close(self.0) };
    }
}

/// A request about the interface of this name. None if it is too long for one.
unsafe fn request(name: &[u8]) -> Option<ifreq> {
    let mut about: ifreq = core::mem::zeroed();
    if name.len() >= about.ifr_name.len() {
        return None;
    }
    for (to, from) in about.ifr_name.iter_mut().zip(name) {
        *to = *from as c_char;
    }
    Some(about)
}

unsafe fn index_of(socket: &Socket, name: &[u8]) -> Result<c_uint, c_int> {
    let mut about = request(name).ok_or(libc::ENODEV)?;
    socket.ask(SIOCGIFINDEX, &mut about)?;
    Ok(about.ifr_ifru.ifru_ifindex as c_uint)
}

/// Names of the interfaces: those of /proc/net/dev, or, without it, those that have an IPv4 address.
unsafe fn names(socket: &Socket) -> Vec<Vec<u8>> {
    let mut out: Vec<Vec<u8>> = Vec::new();
    if let Some(text) = crate::pwd::read_file(b"/proc/net/dev\0") {
        for line in text.split(|&byte| byte == b'\n') {
            if let Some(end) = line.iter().rposition(|&byte| byte == b':') {
                out.push(line[..end].trim_ascii().to_vec());
            }
        }
        return out;
    }
    let mut list: Vec<ifreq> = Vec::with_capacity(64);
    let mut conf = libc::ifconf {
        ifc_len: (64 * size_of::<ifreq>()) as c_int,
        ifc_ifcu: libc::__c_anonymous_ifc_ifcu { ifcu_req: list.as_mut_ptr() },
    };
    if sys::ioctl(socket.0, SIOCGIFCONF, (&raw mut conf).expose_provenance()) == 0 {
        list.set_len((conf.ifc_len as usize / size_of::<ifreq>()).min(64));
    }
    for found in &list {
        let name = string::bytes(found.ifr_name.as_ptr()).to_vec();
        if !out.contains(&name) {
            out.push(name);
        }
    }
    out
}

/// `struct if_nameindex`.
#[repr(C)]
pub struct NameIndex {
    index: c_uint,
    name: *mut c_char,
}

/// An entry of getifaddrs's list, with what it points to.
#[repr(C)]
struct Entry {
    list: ifaddrs,
    name: [c_char; 16],
    addresses: [Address; 3],
}

#[repr(C)]
#[derive(Clone, Copy)]
union Address {
    v4: sockaddr_in,
    v6: sockaddr_in6,
    raw: sockaddr,
}

/// Adds an entry to the list. ENOMEM.
unsafe fn add(
    last: &mut *mut *mut ifaddrs,
    name: &[u8],
    flags: c_uint,
    addresses: [Option<Address>; 3],
) -> Result<(), c_int> {
    let entry = heap::allocate_zeroed(size_of::<Entry>()).cast::<Entry>();
    if entry.is_null() {
        return Err(libc::ENOMEM);
    }
    for (to, from) in (*entry).name.iter_mut().zip(name.iter().take(15)) {
        *to = *from as c_char;
    }
    let mut pointers = [ptr::null_mut::<sockaddr>(); 3];
    for (index, address) in addresses.into_iter().enumerate() {
        if let Some(address) = address {
            (*entry).addresses[index] = address;
            pointers[index] = (&raw mut (*entry).addresses[index]).cast();
        }
    }
    (*entry).list = ifaddrs {
        ifa_next: ptr::null_mut(),
        ifa_name: (&raw mut (*entry).name).cast(),
        ifa_flags: flags,
        ifa_addr: pointers[0],
        ifa_netmask: pointers[1],
        ifa_ifu: pointers[2],
        ifa_data: ptr::null_mut::<c_void>(),
    };
    **last = &raw mut (*entry).list;
    *last = &raw mut (*entry).list.ifa_next;
    Ok(())
}

/// An interface's IPv6 addresses and the lengths of their prefixes, from the lines of /proc/net/if_inet6.
fn v6_of(text: &[u8], name: &[u8]) -> Vec<([u8; 16], u32, u32)> {
    let hex = |word: &[u8]| u128::from_str_radix(core::str::from_utf8(word).ok()?, 16).ok();
    let lines = text.split(|&byte| byte == b'\n').filter_map(|line| {
        let words: Vec<&[u8]> = crate::database::words(line).collect();
        let [address, index, prefix, _, _, device] = words[..] else { return None };
        (device == name).then_some((hex(address)?.to_be_bytes(), hex(prefix)? as u32, hex(index)? as u32))
    });
    lines.collect()
}

fn v6(octets: [u8; 16], scope: u32) -> Address {
    let family = libc::AF_INET6 as u16;
    let sin6_addr = libc::in6_addr { s6_addr: octets };
    Address {
        v6: sockaddr_in6 { sin6_family: family, sin6_port: 0, sin6_flowinfo: 0, sin6_addr, sin6_scope_id: scope },
    }
}

unsafe fn collect(first: &mut *mut ifaddrs) -> Result<(), c_int> {
    let socket = Socket::new()?;
    let inet6 = crate::pwd::read_file(b"/proc/net/if_inet6\0").unwrap_or_default();
    let mut last = &raw mut *first;
    for name in names(&socket) {
        let Some(blank) = request(&name) else { continue };
        let ask = |what: usize| {
            let mut about = blank;
            socket.ask(what, &mut about).ok().map(|()| about)
        };
        let flags = ask(SIOCGIFFLAGS).map_or(0, |found| found.ifr_ifru.ifru_flags as u16 as c_uint);
        let address = |what: usize| ask(what).map(|found| Address { raw: found.ifr_ifru.ifru_addr });
        if let Some(own) = address(SIOCGIFADDR) {
            let far = if flags & libc::IFF_POINTOPOINT as c_uint != 0 { SIOCGIFDSTADDR } else { SIOCGIFBRDADDR };
            add(&mut last, &name, flags, [Some(own), address(SIOCGIFNETMASK), address(far)])?;
        }
        for (octets, prefix, index) in v6_of(&inet6, &name) {
            let local = octets[0] == 0xfe && octets[1] & 0xc0 == 0x80;
            let mask = u128::MAX.checked_shl(128 - prefix.min(128)).unwrap_or(0).to_be_bytes();
            add(&mut last, &name, flags, [Some(v6(octets, if local { index } else { 0 })), Some(v6(mask, 0)), None])?;
        }
    }
    Ok(())
}

c_api! {
    /// if_nametoindex(3).
    fn if_nametoindex(name: *const c_char) -> c_uint {
        match Socket::new().and_then(|socket| index_of(&socket, string::bytes(name))) {
            Ok(index) => index,
            Err(error) => {
                errno::set(error);
                0
            }
        }
    }

    /// if_indextoname(3).
    fn if_indextoname(index: c_uint, out: *mut c_char) -> *mut c_char {
        let mut about: ifreq = core::mem::zeroed();
        about.ifr_ifru.ifru_ifindex = index as c_int;
        match Socket::new().and_then(|socket| socket.ask(SIOCGIFNAME, &mut about)) {
            Ok(()) => {
                ptr::copy_nonoverlapping(about.ifr_name.as_ptr(), out, about.ifr_name.len());
                out
            }
            Err(error) => {
                errno::set(if error == libc::ENODEV { libc::ENXIO } else { error });
                ptr::null_mut()
            }
        }
    }

    /// if_nameindex(3).
    fn if_nameindex() -> *mut NameIndex {
        let socket = match Socket::new() {
            Ok(socket) => socket,
            Err(error) => {
                errno::set(error);
                return ptr::null_mut();
            }
        };
        let names = names(&socket);
        let list = heap::allocate_zeroed((names.len() + 1) * size_of::<NameIndex>()).cast::<NameIndex>();
        if list.is_null() {
            errno::set(libc::ENOBUFS);
            return list;
        }
        let mut count = 0;
        for name in &names {
            if let Ok(index) = index_of(&socket, name) {
                list.add(count).write(NameIndex { index, name: heap::c_string(name) });
                count += 1;
            }
        }
        list
    }

    /// if_freenameindex(3).
    fn if_freenameindex(list: *mut NameIndex) {
        let mut at = list;
        while !list.is_null() && (*at).index != 0 {
            heap::c_free((*at).name.cast());
            at = at.add(1);
        }
        heap::release(list.cast());
    }

    /// getifaddrs(3).
    fn getifaddrs(out: *mut *mut ifaddrs) -> c_int {
        let mut first = ptr::null_mut();
        match collect(&mut first) {
            Ok(()) => {
                *out = first;
                0
            }
            Err(error) => {
                freeifaddrs(first);
                errno::fail(error)
            }
        }
    }

    /// freeifaddrs(3).
    fn freeifaddrs(list: *mut ifaddrs) {
        let mut at = list;
        while !at.is_null() {
            let next = (*at).ifa_next;
            heap::release(at.cast());
            at = next;
        }
    }
}
