//! Addresses as text, and network interfaces.

use conform::{Group, Random};
use std::ffi::{CStr, CString, c_char, c_int, c_void};

unsafe extern "C" {
    fn inet_aton(text: *const c_char, out: *mut u32) -> c_int;
    fn inet_addr(text: *const c_char) -> u32;
    fn inet_ntoa(address: u32) -> *const c_char;
    fn inet_pton(family: c_int, text: *const c_char, out: *mut c_void) -> c_int;
    fn inet_ntop(family: c_int, address: *const c_void, out: *mut c_char, room: u32) -> *const c_char;
    fn inet_network(text: *const c_char) -> u32;
    fn inet_lnaof(address: u32) -> u32;
    fn inet_netof(address: u32) -> u32;
    fn inet_makeaddr(net: u32, host: u32) -> u32;
    fn ether_aton(text: *const c_char) -> *const [u8; 6];
    fn ether_ntoa(address: *const [u8; 6]) -> *const c_char;
    static in6addr_loopback: [u8; 16];
    static in6addr_any: [u8; 16];
}

fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn addresses(random: &mut Random) {
    const PIECES: [&str; 20] = [
        "0",
        "1",
        "255",
        "256",
        "010",
        "0x1f",
        ".",
        ".",
        ".",
        ".",
        " ",
        "x",
        "65535",
        "16777216",
        "4294967295",
        "9",
        "08",
        "1.2.3",
        "",
        "+1",
    ];
    let mut group = Group::new("inet_aton");
    for _ in 0..100_000 {
        let text: String = (0..=random.below(8)).map(|_| *random.pick(&PIECES)).collect();
        let text = CString::new(text).expect("no NUL");
        // SAFETY: strings end in NUL, and the places are ours.
        unsafe {
            let (mut loose, mut strict) = (7u32, 7u32);
            let results = (
                inet_aton(text.as_ptr(), &mut loose),
                inet_addr(text.as_ptr()),
                inet_pton(libc::AF_INET, text.as_ptr(), (&raw mut strict).cast()),
            );
            group.add(format_args!("{text:?} {results:?} {loose} {strict}"));
        }
    }
    group.end();
    let mut group = Group::new("IPv6");
    for _ in 0..100_000 {
        let pieces: [&str; 14] =
            ["0", "1", "ffff", ":", ":", ":", "::", ":", "1.2.3.4", "abcd", "12345", "%", "00A", "::ffff:"];
        let text: String = (0..=random.below(16)).map(|_| *random.pick(&pieces)).collect();
        let text = CString::new(text).expect("no NUL");
        let mut out = [7u8; 16];
        // SAFETY: as above.
        let result = unsafe { inet_pton(libc::AF_INET6, text.as_ptr(), out.as_mut_ptr().cast()) };
        group.add(format_args!("{text:?} {result} {out:?}"));
        let mut address = [0u8; 16];
        for pair in address.chunks_exact_mut(2) {
            if random.below(2) == 0 {
                pair.copy_from_slice(&(random.next() as u16 >> random.below(16)).to_be_bytes());
            }
        }
        if random.below(4) == 0 {
            address[..10].fill(0);
            address[10..12].fill(*random.pick(&[0xff, 0]));
        }
        let mut buffer = [0; 46];
        // SAFETY: as above.
        let text = unsafe {
            let text = inet_ntop(libc::AF_INET6, address.as_ptr().cast(), buffer.as_mut_ptr(), 46);
            CStr::from_ptr(text)
        };
        group.add(format_args!("{address:?} {text:?}"));
    }
    group.end();
}

fn parts() {
    // SAFETY: as above.
    unsafe {
        for text in [c"10.1", c"1.2.3.4", c"256.1", c"0x7f.1", c"010.9", c"1.2.3.4.5", c"x", c"1.", c"192.168.7"] {
            println!("inet_network {text:?} {:x}", inet_network(text.as_ptr()));
        }
        for address in [0x0a01_0203u32, 0x8001_0203, 0xc001_0203] {
            let address = address.to_be();
            println!("{:?} {:x} {:x}", CStr::from_ptr(inet_ntoa(address)), inet_lnaof(address), inet_netof(address));
        }
        for net in [10, 200, 70_000, 0xc000_0100] {
            println!("{:?}", CStr::from_ptr(inet_ntoa(inet_makeaddr(net, 0x0102_0304))));
        }
        let mut buffer = [0; 20];
        println!(
            "{} {}",
            inet_ntop(libc::AF_INET, [1u8, 2, 3, 4].as_ptr().cast(), buffer.as_mut_ptr(), 7).is_null(),
            errno()
        );
        println!("{} {}", inet_ntop(99, [1u8, 2, 3, 4].as_ptr().cast(), buffer.as_mut_ptr(), 20).is_null(), errno());
        println!("{} {}", inet_pton(99, c"1.2.3.4".as_ptr(), buffer.as_mut_ptr().cast()), errno());
        println!("{in6addr_any:?} {in6addr_loopback:?}");
        for text in [c"1:2:3:a:B:ff", c"0:00:0:0:0:1", c"1:2", c"g:1:1:1:1:1", c"001:2:3:4:5:6"] {
            let found = ether_aton(text.as_ptr());
            println!("ether {text:?} {:?}", found.as_ref().map(|address| CStr::from_ptr(ether_ntoa(address))));
        }
    }
}

/// Which interfaces there are is the machine's; that the answers agree is not.
fn interfaces() {
    // SAFETY: as above; lists end as their pages say.
    unsafe {
        println!("{} {}", libc::if_nametoindex(c"none-such".as_ptr()), errno() != 0);
        let mut name = [0; 16];
        println!("{}", libc::if_indextoname(99_999, name.as_mut_ptr()).is_null());
        let list = libc::if_nameindex();
        let mut agree = true;
        let mut at = list;
        while !at.is_null() && (*at).if_index != 0 {
            agree &= libc::if_nametoindex((*at).if_name) == (*at).if_index;
            agree &= !libc::if_indextoname((*at).if_index, name.as_mut_ptr()).is_null();
            agree &= CStr::from_ptr(name.as_ptr()) == CStr::from_ptr((*at).if_name);
            at = at.add(1);
        }
        if !list.is_null() {
            libc::if_freenameindex(list);
        }
        println!("interfaces agree {agree}");
    }
}

fn main() {
    let mut random = Random::new(3);
    addresses(&mut random);
    parts();
    interfaces();
}
