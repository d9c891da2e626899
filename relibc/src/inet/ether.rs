//! Ethernet addresses as text: ether_aton(3).

use super::text::Text;
use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int};
use core::ptr;

/// `struct ether_addr`.
pub type Address = [u8; 6];

fn parse(text: &[u8]) -> Option<Address> {
    let mut out = [0; 6];
    let mut rest = text;
    for (index, byte) in out.iter_mut().enumerate() {
        let len = rest.iter().take(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
        *byte = u8::from_str_radix(core::str::from_utf8(&rest[..len]).ok()?, 16).ok()?;
        rest = &rest[len..];
        if index < 5 {
            rest = rest.strip_prefix(b":")?;
        }
    }
    Some(out)
}

/// Where ether_aton and ether_ntoa put their answers.
struct Static(UnsafeCell<(Address, [c_char; 18])>);
// SAFETY: ether_aton(3) is documented not to be thread-safe.
unsafe impl Sync for Static {}
static STATIC: Static = Static(UnsafeCell::new(([0; 6], [0; 18])));

c_api! {
    /// ether_aton_r(3).
    fn ether_aton_r(text: *const c_char, out: *mut Address) -> *mut Address {
        match parse(crate::string::bytes(text)) {
            Some(address) => {
                *out = address;
                out
            }
            None => ptr::null_mut(),
        }
    }

    /// ether_aton(3).
    fn ether_aton(text: *const c_char) -> *mut Address { ether_aton_r(text, &raw mut (*STATIC.0.get()).0) }

    /// ether_ntoa_r(3).
    fn ether_ntoa_r(address: *const Address, out: *mut c_char) -> *mut c_char {
        let [a, b, c, d, e, f] = *address;
        let text = Text::<18>::new(format_args!("{a:x}:{b:x}:{c:x}:{d:x}:{e:x}:{f:x}"));
        ptr::copy_nonoverlapping(text.with_nul().as_ptr(), out.cast(), text.with_nul().len());
        out
    }

    /// ether_ntoa(3).
    fn ether_ntoa(address: *const Address) -> *mut c_char {
        ether_ntoa_r(address, (&raw mut (*STATIC.0.get()).1).cast())
    }

    /// ether_line(3): an address and a host's name. 0 on success.
    fn ether_line(line: *const c_char, out: *mut Address, host: *mut c_char) -> c_int {
        let line = crate::string::bytes(line);
        let mut words = crate::database::words(line);
        match (words.next().and_then(parse), words.next()) {
            (Some(address), Some(name)) => {
                *out = address;
                ptr::copy_nonoverlapping(name.as_ptr(), host.cast(), name.len());
                *host.add(name.len()) = 0;
                0
            }
            _ => -1,
        }
    }
}
