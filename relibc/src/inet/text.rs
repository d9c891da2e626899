//! Addresses as text: inet(3), inet_pton(3), inet_ntop(3).

use crate::errno;
use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int, c_void};
use core::fmt::{self, Write};
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ptr;
use libc::{in_addr, in_addr_t, in6_addr, socklen_t};

/// The unspecified address. ipv6(7).
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static in6addr_any: in6_addr = in6_addr { s6_addr: [0; 16] };
/// The loopback address.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static in6addr_loopback: in6_addr = in6_addr { s6_addr: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] };

/// A text with a NUL in a buffer of fixed size.
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    /// The text; what does not fit is left out.
    pub fn new(arguments: fmt::Arguments<'_>) -> Text<N> {
        let mut text = Text { bytes: [0; N], len: 0 };
        // What does not fit is told by the missing rest.
        let _ = text.write_fmt(arguments);
        text
    }

    /// The characters, and the NUL.
    pub fn with_nul(&self) -> &[u8] {
        &self.bytes[..=self.len]
    }
}

impl<const N: usize> Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        if end >= N {
            return Err(fmt::Error);
        }
        self.bytes[self.len..end].copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// An IPv4 address in the forms that inet_aton(3) takes, and how long its text is: one to four numbers, decimal, octal
/// or hexadecimal, of which the last fills the rest. A blank may follow.
pub fn parse_loose(text: &[u8]) -> Option<(Ipv4Addr, usize)> {
    let mut parts = [0u32; 4];
    let mut count = 0;
    let mut at = 0;
    loop {
        let rest = &text[at..];
        if !rest.first()?.is_ascii_digit() || count == 4 {
            return None;
        }
        let (radix, skip) = match rest {
            [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit() => (16, 2),
            [b'0', ..] => (8, 0),
            _ => (10, 0),
        };
        let digits = &rest[skip..];
        let len = digits.iter().take_while(|byte| char::from(**byte).is_digit(radix)).count();
        parts[count] = u32::from_str_radix(core::str::from_utf8(&digits[..len]).ok()?, radix).ok()?;
        count += 1;
        at += skip + len;
        match text.get(at) {
            Some(b'.') if parts[count - 1] <= 255 => at += 1,
            None => break,
            Some(byte) if byte.is_ascii_whitespace() || *byte == 0x0b => break,
            _ => return None,
        }
    }
    let last = parts[count - 1];
    if u64::from(last) >> (8 * (5 - count)) != 0 {
        return None;
    }
    let head = parts[..count - 1].iter().enumerate().fold(0, |sum, (index, part)| sum | part << (24 - 8 * index));
    Some((Ipv4Addr::from_bits(head | last), at))
}

/// An IPv4 address as inet_pton(3) takes it: four decimal numbers without zeros in front.
pub fn parse_v4(text: &[u8]) -> Option<Ipv4Addr> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// An IPv6 address as inet_pton(3) takes it.
pub fn parse_v6(text: &[u8]) -> Option<Ipv6Addr> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// IPv6 as glibc prints it: the longest run of two zero groups or more, the first of several, as `::`; IPv4 in the
/// compatible and the mapped addresses.
pub fn format_v6(address: Ipv6Addr) -> Text<48> {
    let groups = address.segments();
    let (mut best, mut best_len, mut start) = (8, 1, 0);
    for end in 0..=8 {
        if end == 8 || groups[end] != 0 {
            if end - start > best_len {
                (best, best_len) = (start, end - start);
            }
            start = end + 1;
        }
    }
    let mut out = Text { bytes: [0; 48], len: 0 };
    let octets = address.octets();
    let embedded =
        best == 0 && (best_len == 6 || best_len == 7 && groups[7] != 1 || best_len == 5 && groups[5] == 0xffff);
    let mut index = 0;
    while index < 8 {
        // The longest text has 45 characters, so that none of these fails.
        let _ = if index == best {
            index += best_len;
            if index == 8 { out.write_str("::") } else { out.write_char(':') }
        } else if embedded && index == 6 {
            index = 8;
            write!(out, ":{}.{}.{}.{}", octets[12], octets[13], octets[14], octets[15])
        } else {
            let colon = if index > 0 { ":" } else { "" };
            index += 1;
            write!(out, "{colon}{:x}", groups[index - 1])
        };
    }
    out
}

/// Where inet_ntoa puts its answer.
struct Static(UnsafeCell<[c_char; 16]>);
// SAFETY: inet_ntoa(3) is documented not to be thread-safe.
unsafe impl Sync for Static {}
static STATIC: Static = Static(UnsafeCell::new([0; 16]));

/// Gives a text to the caller. ENOSPC if there is no room.
unsafe fn give(text: &[u8], out: *mut c_char, room: socklen_t) -> *const c_char {
    if text.len() > room as usize {
        errno::set(libc::ENOSPC);
        return ptr::null();
    }
    ptr::copy_nonoverlapping(text.as_ptr(), out.cast(), text.len());
    out
}

c_api! {
    /// inet_aton(3).
    fn inet_aton(text: *const c_char, out: *mut in_addr) -> c_int {
        let Some((address, _)) = parse_loose(crate::string::bytes(text)) else { return 0 };
        if !out.is_null() {
            (*out).s_addr = u32::from_ne_bytes(address.octets());
        }
        1
    }

    /// inet_addr(3): all ones for an error.
    fn inet_addr(text: *const c_char) -> in_addr_t {
        parse_loose(crate::string::bytes(text)).map_or(u32::MAX, |(address, _)| u32::from_ne_bytes(address.octets()))
    }

    /// inet_ntoa(3).
    fn inet_ntoa(address: in_addr) -> *mut c_char {
        let [a, b, c, d] = address.s_addr.to_ne_bytes();
        give(Text::<16>::new(format_args!("{a}.{b}.{c}.{d}")).with_nul(), STATIC.0.get().cast(), 16).cast_mut()
    }

    /// inet_pton(3).
    fn inet_pton(family: c_int, text: *const c_char, out: *mut c_void) -> c_int {
        let text = crate::string::bytes(text);
        match family {
            libc::AF_INET => parse_v4(text).map_or(0, |address| {
                out.cast::<[u8; 4]>().write_unaligned(address.octets());
                1
            }),
            libc::AF_INET6 => parse_v6(text).map_or(0, |address| {
                out.cast::<[u8; 16]>().write_unaligned(address.octets());
                1
            }),
            _ => errno::fail(libc::EAFNOSUPPORT),
        }
    }

    /// inet_ntop(3).
    fn inet_ntop(family: c_int, address: *const c_void, out: *mut c_char, room: socklen_t) -> *const c_char {
        match family {
            libc::AF_INET => {
                let [a, b, c, d] = address.cast::<[u8; 4]>().read_unaligned();
                give(Text::<16>::new(format_args!("{a}.{b}.{c}.{d}")).with_nul(), out, room)
            }
            libc::AF_INET6 => {
                let address = Ipv6Addr::from(address.cast::<[u8; 16]>().read_unaligned());
                give(format_v6(address).with_nul(), out, room)
            }
            _ => {
                errno::set(libc::EAFNOSUPPORT);
                ptr::null()
            }
        }
    }

    /// inet_network(3): a network's number in host order; all ones for an error.
    fn inet_network(text: *const c_char) -> in_addr_t {
        let mut value: u32 = 0;
        for (index, part) in crate::string::bytes(text).trim_ascii_end().split(|&byte| byte == b'.').enumerate() {
            let (digits, radix) = match part {
                [b'0', b'x' | b'X', digits @ ..] => (digits, 16),
                [b'0', _, ..] => (part, 8),
                _ => (part, 10),
            };
            let digits = core::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'));
            let part = digits.and_then(|digits| u32::from_str_radix(digits, radix).ok()).filter(|part| *part <= 255);
            match part {
                Some(part) if index < 4 => value = value << 8 | part,
                _ => return u32::MAX,
            }
        }
        value
    }

    /// inet_lnaof(3): the host's part of an address, by its class.
    fn inet_lnaof(address: in_addr) -> in_addr_t {
        let host = u32::from_be(address.s_addr);
        host & !(u32::MAX << class_shift(host))
    }

    /// inet_netof(3): the network's part of an address, by its class.
    fn inet_netof(address: in_addr) -> in_addr_t {
        let host = u32::from_be(address.s_addr);
        host >> class_shift(host)
    }

    /// inet_makeaddr(3).
    fn inet_makeaddr(net: in_addr_t, host: in_addr_t) -> in_addr {
        let value = match net {
            0..128 => net << 24 | host & 0xff_ffff,
            128..65_536 => net << 16 | host & 0xffff,
            65_536..16_777_216 => net << 8 | host & 0xff,
            _ => net | host,
        };
        in_addr { s_addr: value.to_be() }
    }
}

/// Bits of the host's part, by the old classes A, B and C.
fn class_shift(address: u32) -> u32 {
    match address >> 30 {
        0 | 1 => 24,
        2 => 16,
        _ => 8,
    }
}
