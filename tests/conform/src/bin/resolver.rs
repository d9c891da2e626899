//! Names in messages, messages, and what `netdb.h` finds without a name server.

use conform::{Group, Random};
use std::ffi::{CStr, CString, c_char, c_int, c_uchar, c_uint, c_ulong, c_void};

#[repr(C)]
struct Record {
    name: [c_char; 1025],
    kind: u16,
    class: u16,
    ttl: u32,
    len: u16,
    data: *const c_uchar,
}

#[repr(C)]
#[derive(Debug)]
struct Network {
    name: *mut c_char,
    aliases: *mut *mut c_char,
    family: c_int,
    net: u32,
}

#[link(name = "resolv")]
unsafe extern "C" {
    fn ns_get16(at: *const c_uchar) -> c_uint;
    fn ns_get32(at: *const c_uchar) -> c_ulong;
    fn ns_initparse(bytes: *const c_uchar, len: c_int, out: *mut [u64; 10]) -> c_int;
    fn ns_parserr(message: *mut [u64; 10], section: c_int, number: c_int, out: *mut Record) -> c_int;
    fn ns_name_uncompress(
        message: *const c_uchar,
        end: *const c_uchar,
        at: *const c_uchar,
        out: *mut c_char,
        room: usize,
    ) -> c_int;
    fn dn_expand(
        message: *const c_uchar,
        end: *const c_uchar,
        at: *const c_uchar,
        out: *mut c_char,
        room: c_int,
    ) -> c_int;
    fn res_mkquery(
        op: c_int,
        name: *const c_char,
        class: c_int,
        kind: c_int,
        data: *const c_uchar,
        len: c_int,
        record: *const c_uchar,
        out: *mut c_uchar,
        room: c_int,
    ) -> c_int;
}

unsafe extern "C" {
    fn gethostbyname(name: *const c_char) -> *mut libc::hostent;
    fn gethostbyaddr(at: *const c_void, len: libc::socklen_t, family: c_int) -> *mut libc::hostent;
    fn gethostbyname_r(
        name: *const c_char,
        entry: *mut libc::hostent,
        buffer: *mut c_char,
        room: usize,
        result: *mut *mut libc::hostent,
        error: *mut c_int,
    ) -> c_int;
    fn gethostbyname2_r(
        name: *const c_char,
        family: c_int,
        entry: *mut libc::hostent,
        buffer: *mut c_char,
        room: usize,
        result: *mut *mut libc::hostent,
        error: *mut c_int,
    ) -> c_int;
    fn gethostbyaddr_r(
        at: *const c_void,
        len: libc::socklen_t,
        family: c_int,
        entry: *mut libc::hostent,
        buffer: *mut c_char,
        room: usize,
        result: *mut *mut libc::hostent,
        error: *mut c_int,
    ) -> c_int;
    fn __h_errno_location() -> *mut c_int;
    fn hstrerror(error: c_int) -> *const c_char;
    fn getnetent() -> *mut Network;
    fn setnetent(stay_open: c_int);
    fn endnetent();
    fn getprotobyname_r(
        name: *const c_char,
        entry: *mut libc::protoent,
        buffer: *mut c_char,
        room: usize,
        result: *mut *mut libc::protoent,
    ) -> c_int;
    fn getprotobynumber_r(
        number: c_int,
        entry: *mut libc::protoent,
        buffer: *mut c_char,
        room: usize,
        result: *mut *mut libc::protoent,
    ) -> c_int;
    fn innetgr(group: *const c_char, host: *const c_char, user: *const c_char, domain: *const c_char) -> c_int;
    fn getservent() -> *mut libc::servent;
    fn setservent(stay_open: c_int);
    fn endservent();
    fn __res_init() -> c_int;
}

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

unsafe fn text(at: *const c_char) -> String {
    // SAFETY: the caller's string ends in NUL.
    unsafe { CStr::from_ptr(at).to_string_lossy().into_owned() }
}

/// Messages made of pieces that mean something in the right place, so that many get far.
fn messages(random: &mut Random) {
    let pieces: [&[u8]; 12] = [
        b"\x03www",
        b"\x07example",
        b"\x03com\x00",
        b"\x00",
        b"\xc0\x0c",
        b"\xc0\x10",
        b"\xc1\xff",
        b"\x40",
        b"\x02a.",
        b"\x03\x00\x7f\\",
        b"\x00\x01\x00\x01",
        b"\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\x7f\x00\x00\x01",
    ];
    let (mut expand, mut parse) = (Group::new("ns_name_uncompress and dn_expand"), Group::new("ns_parserr"));
    for _ in 0..50_000 {
        let mut message = vec![0x12, 0x34, 0x81, 0x80, 0, random.below(2) as u8, 0, random.below(3) as u8, 0, 0, 0, 0];
        for _ in 0..random.below(9) {
            message.extend_from_slice(random.pick::<&[u8]>(&pieces));
        }
        let (start, len) = (message.as_ptr(), message.len());
        // SAFETY: the pointers lead into the message, and the places are ours.
        unsafe {
            let end = start.add(len);
            let at = random.below(len as u64 + 1) as usize;
            let room = *random.pick(&[0usize, 1, 5, 12, 300]);
            let mut out = [1; 300];
            let used = ns_name_uncompress(start, end, start.add(at), out.as_mut_ptr(), room);
            let name = if used >= 0 { text(out.as_ptr()) } else { errno().to_string() };
            let mut out = [1; 300];
            let used_2 = dn_expand(start, end, start.add(at), out.as_mut_ptr(), room as c_int);
            let name_2 = if used_2 >= 0 { text(out.as_ptr()) } else { errno().to_string() };
            expand.add(format_args!("{used} {name} {used_2} {name_2}"));
            let mut state = [0; 10];
            if ns_initparse(start, len as c_int, &mut state) < 0 {
                parse.add(format_args!("{}", errno()));
                continue;
            }
            for _ in 0..4 {
                let (section, number) = (random.below(6) as c_int - 1, random.below(4) as c_int - 1);
                let mut record: Record = std::mem::zeroed();
                if ns_parserr(&mut state, section, number, &mut record) < 0 {
                    parse.add(format_args!("{section} {number} {}", errno()));
                } else {
                    let place = if record.data.is_null() { 0 } else { record.data.offset_from_unsigned(start) };
                    let Record { kind, class, ttl, len, .. } = record;
                    let name = text(record.name.as_ptr());
                    parse.add(format_args!("{section} {number} {name} {kind} {class} {ttl} {len} {place}"));
                }
            }
        }
    }
    expand.end();
    parse.end();
    // SAFETY: as above.
    unsafe { println!("{:x} {:x}", ns_get16([0xab, 0xcd].as_ptr()), ns_get32([0xff, 1, 2, 3].as_ptr())) };
}

fn queries() {
    for name in [c"www.example.com", c"a\\.b.", c".", c"", c"a..b", c"\\065b", c"\\300x", c".a"] {
        for (op, kind, room) in [(0, 1, 512), (0, 28, 20), (1, 1, 512), (4, 6, 512), (0, 70_000, 512)] {
            let mut out = [0u8; 512];
            let none = std::ptr::null();
            // SAFETY: the place is ours and has room for what is said.
            let len = unsafe { res_mkquery(op, name.as_ptr(), 1, kind, none, 0, none, out.as_mut_ptr(), room) };
            // The first two bytes are random.
            println!("{name:?} {op} {kind} {room}: {len} {:x?}", &out[2..usize::try_from(len).unwrap_or(2)]);
        }
    }
}

unsafe fn show(host: *const libc::hostent) -> String {
    // SAFETY: hosts are as their page says, and the lists in them end in null.
    unsafe {
        let Some(host) = host.as_ref() else { return format!("none, {}", *__h_errno_location()) };
        let mut addresses = Vec::new();
        let mut at = host.h_addr_list;
        while !(*at).is_null() {
            addresses.push(std::slice::from_raw_parts((*at).cast::<u8>(), host.h_length as usize).to_vec());
            at = at.add(1);
        }
        format!("{} {} {addresses:?}", text(host.h_name), host.h_addrtype)
    }
}

/// Numbers, and the loopback, which every hosts file has.
fn hosts() {
    // SAFETY: strings end in NUL, and the places are ours.
    unsafe {
        for name in [c"1.2.3.4", c"127.1", c"localhost"] {
            println!("gethostbyname {name:?}: {}", show(gethostbyname(name.as_ptr())));
            for room in [0usize, 16, 1024] {
                let mut entry: libc::hostent = std::mem::zeroed();
                let (mut buffer, mut result, mut error) = ([0; 1024], std::ptr::null_mut(), 0);
                let status =
                    gethostbyname_r(name.as_ptr(), &mut entry, buffer.as_mut_ptr(), room, &mut result, &mut error);
                println!(
                    "  {room}: {status} {} {}",
                    result.is_null(),
                    if status == 0 { show(result) } else { String::new() }
                );
            }
        }
        let mut entry: libc::hostent = std::mem::zeroed();
        let (mut buffer, mut result, mut error) = ([0; 1024], std::ptr::null_mut(), 0);
        let status = gethostbyname2_r(
            c"::1".as_ptr(),
            libc::AF_INET6,
            &mut entry,
            buffer.as_mut_ptr(),
            1024,
            &mut result,
            &mut error,
        );
        println!("gethostbyname2_r: {status} {}", show(result));
        let loopback = [127u8, 0, 0, 1];
        println!("gethostbyaddr {}", show(gethostbyaddr(loopback.as_ptr().cast(), 4, libc::AF_INET)));
        let status = gethostbyaddr_r(
            loopback.as_ptr().cast(),
            4,
            libc::AF_INET,
            &mut entry,
            buffer.as_mut_ptr(),
            1024,
            &mut result,
            &mut error,
        );
        println!("gethostbyaddr_r {status} {}", show(result));
        for error in -2..6 {
            println!("{error}: {}", text(hstrerror(error)));
        }
    }
}

fn info() {
    let try_one = |address: [u8; 4], port: u16, flags: c_int, rooms: (u32, u32), len: u32| {
        // SAFETY: the places are ours and as long as is said.
        unsafe {
            let mut v4: libc::sockaddr_in = std::mem::zeroed();
            (v4.sin_family, v4.sin_port, v4.sin_addr.s_addr) =
                (libc::AF_INET as u16, port.to_be(), u32::from_ne_bytes(address));
            let (mut host, mut service) = ([0; 100], [0; 100]);
            let status = libc::getnameinfo(
                (&raw const v4).cast(),
                len,
                host.as_mut_ptr(),
                rooms.0,
                service.as_mut_ptr(),
                rooms.1,
                flags,
            );
            let shown = if status == 0 { (text(host.as_ptr()), text(service.as_ptr())) } else { Default::default() };
            println!("getnameinfo {address:?} {port} {flags} {rooms:?} {len}: {status} {shown:?}");
        }
    };
    let numeric = libc::NI_NUMERICHOST | libc::NI_NUMERICSERV;
    try_one([127, 0, 0, 1], 80, 0, (100, 100), 16);
    try_one([127, 0, 0, 1], 53, libc::NI_DGRAM | libc::NI_NUMERICHOST, (100, 100), 16);
    try_one([1, 2, 3, 4], 1, libc::NI_NUMERICHOST | libc::NI_NUMERICSERV, (100, 100), 16);
    try_one([1, 2, 3, 4], 9, numeric, (7, 100), 16);
    try_one([1, 2, 3, 4], 9, numeric, (100, 1), 16);
    try_one([1, 2, 3, 4], 9, numeric, (0, 100), 16);
    try_one([1, 2, 3, 4], 9, numeric, (0, 0), 16);
    try_one([1, 2, 3, 4], 9, numeric, (100, 100), 15);
    try_one([1, 2, 3, 4], 9, numeric, (100, 100), 1);
    try_one([1, 2, 3, 4], 9, 0x4000, (100, 100), 16);
    try_one([1, 2, 3, 4], 9, numeric | libc::NI_NAMEREQD, (100, 100), 16);
    // SAFETY: as above.
    unsafe {
        let mut v6: libc::sockaddr_in6 = std::mem::zeroed();
        (v6.sin6_family, v6.sin6_addr.s6_addr, v6.sin6_scope_id) =
            (libc::AF_INET6 as u16, [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 5);
        for len in [28, 24, 23] {
            let mut host = [0; 100];
            let none = std::ptr::null_mut();
            let status = libc::getnameinfo((&raw const v6).cast(), len, host.as_mut_ptr(), 100, none, 0, numeric);
            println!("{len}: {status} {}", text(host.as_ptr()));
        }
    }
}

fn addresses() {
    let nodes =
        [None, Some(c"1.2.3.4"), Some(c"::1"), Some(c"localhost"), Some(c"1.2.3.4.5"), Some(c"*"), Some(c"fe80::1%7")];
    let services = [None, Some(c"80"), Some(c"domain"), Some(c"no-such-service"), Some(c"*")];
    let flags = [
        0,
        libc::AI_NUMERICHOST,
        libc::AI_PASSIVE,
        libc::AI_NUMERICSERV | libc::AI_NUMERICHOST | libc::AI_CANONNAME,
        libc::AI_V4MAPPED | libc::AI_NUMERICHOST,
        0x10000,
    ];
    let sockets =
        [(0, 0), (libc::SOCK_STREAM, 0), (libc::SOCK_DGRAM, 6), (libc::SOCK_RAW, 89), (77, 0), (0, 17), (0, 250)];
    let mut group = Group::new("getaddrinfo");
    for node in nodes {
        for service in services {
            for flags in flags {
                // Other numbers than these would ask a name server.
                if flags & libc::AI_NUMERICHOST == 0 && node == Some(c"1.2.3.4.5") {
                    continue;
                }
                for family in [libc::AF_INET, libc::AF_INET6, libc::AF_UNSPEC, libc::AF_UNIX] {
                    // Whether localhost is ::1 too differs from hosts file to hosts file.
                    if node == Some(c"localhost") && family != libc::AF_INET {
                        continue;
                    }
                    for socket in sockets {
                        group.add(format_args!(
                            "{node:?} {service:?} {flags} {family} {socket:?} {}",
                            ask(node, service, flags, family, socket)
                        ));
                    }
                }
            }
        }
    }
    group.end();
    // SAFETY: the strings are the library's.
    unsafe {
        for error in [-200, -105, -104, -101, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1] {
            println!("{error}: {}", text(libc::gai_strerror(error)));
        }
    }
}

fn ask(node: Option<&CStr>, service: Option<&CStr>, flags: c_int, family: c_int, socket: (c_int, c_int)) -> String {
    // SAFETY: as above; the list is freed.
    unsafe {
        let mut hints: libc::addrinfo = std::mem::zeroed();
        (hints.ai_flags, hints.ai_family) = (flags, family);
        (hints.ai_socktype, hints.ai_protocol) = socket;
        let mut list = std::ptr::null_mut();
        let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
        let status = libc::getaddrinfo(pointer(node), pointer(service), &hints, &mut list);
        if status != 0 {
            return status.to_string();
        }
        let mut lines = Vec::new();
        let mut at = list;
        while let Some(info) = at.as_ref() {
            let bytes = std::slice::from_raw_parts(info.ai_addr.cast::<u8>(), info.ai_addrlen as usize);
            let name = if info.ai_canonname.is_null() { String::new() } else { text(info.ai_canonname) };
            lines.push(format!(
                "{} {} {} {} {bytes:?} {name}",
                info.ai_flags, info.ai_family, info.ai_socktype, info.ai_protocol
            ));
            at = info.ai_next;
        }
        libc::freeaddrinfo(list);
        // The order of families depends on what the machine reaches.
        lines.sort();
        lines.join("; ")
    }
}

fn tables() {
    // SAFETY: the entries are valid until the next call.
    unsafe {
        setnetent(0);
        let mut count = 0;
        while let Some(net) = getnetent().as_ref() {
            if count == 0 {
                println!("getnetent {} {} {:x} {}", text(net.name), net.family, net.net, (*net.aliases).is_null());
            }
            count += 1;
        }
        endnetent();
        setservent(0);
        let first = getservent().as_ref().map(|it| (text(it.s_name), u16::from_be(it.s_port as u16), text(it.s_proto)));
        println!("getservent {first:?}");
        endservent();
        let mut entry: libc::protoent = std::mem::zeroed();
        let (mut buffer, mut result) = ([0; 1024], std::ptr::null_mut());
        for (name, room) in [(c"tcp", 1024usize), (c"UDP", 1024), (c"nothing", 1024), (c"tcp", 4)] {
            let status = getprotobyname_r(name.as_ptr(), &mut entry, buffer.as_mut_ptr(), room, &mut result);
            println!("getprotobyname_r {name:?} {status} {:?}", result.as_ref().map(|it| it.p_proto));
        }
        for number in [6, 17, 9999] {
            let status = getprotobynumber_r(number, &mut entry, buffer.as_mut_ptr(), 1024, &mut result);
            println!("getprotobynumber_r {number} {status} {:?}", result.as_ref().map(|it| text(it.p_name)));
        }
        for (name, protocol) in [(c"domain", c"udp"), (c"domain", c"none"), (c"www", c"tcp")] {
            let found = libc::getservbyname(name.as_ptr(), protocol.as_ptr());
            println!("getservbyname {name:?} {:?}", found.as_ref().map(|it| (text(it.s_name), it.s_port)));
        }
        for port in [53u16, 80, 59_999] {
            let found = libc::getservbyport(c_int::from(port.to_be()), c"tcp".as_ptr());
            println!("getservbyport {port} {:?}", found.as_ref().map(|it| text(it.s_name)));
        }
        for name in [c"icmp", c"ICMP", c"none"] {
            println!("getprotobyname {name:?} {:?}", libc::getprotobyname(name.as_ptr()).as_ref().map(|it| it.p_proto));
        }
        let host = CString::new("host").expect("no NUL");
        println!("innetgr {}", innetgr(c"group".as_ptr(), host.as_ptr(), std::ptr::null(), std::ptr::null()));
        println!("__res_init {}", __res_init());
    }
}

fn main() {
    messages(&mut Random::new(53));
    queries();
    hosts();
    info();
    addresses();
    tables();
}
