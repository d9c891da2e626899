//! `localeconv`: how numbers and amounts are written. localeconv(3).

use core::ffi::{CStr, c_char};

/// `struct lconv`.
#[repr(C)]
pub struct Conventions {
    texts: [*const c_char; 10],
    /// From `int_frac_digits` to `int_n_sign_posn`: CHAR_MAX is "not available".
    numbers: [c_char; 14],
}

// SAFETY: points to immutable statics.
unsafe impl Sync for Conventions {}

const _: () = assert!(size_of::<Conventions>() == size_of::<libc::lconv>());

const POINT: &CStr = c".";
const EMPTY: &CStr = c"";

/// C's, which C.UTF-8 shares.
static POSIX: Conventions = {
    let mut texts = [EMPTY.as_ptr(); 10];
    texts[0] = POINT.as_ptr();
    Conventions { texts, numbers: [c_char::MAX; 14] }
};

c_api! {
    /// localeconv(3).
    fn localeconv() -> *mut Conventions { (&raw const POSIX).cast_mut() }
}
