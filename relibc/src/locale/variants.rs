//! Functions of bytes with a locale: `isalpha_l` and its kin, of which ASCII is all there is in C and C.UTF-8. isalpha_l(3).

use super::Locale;
use crate::ctype;
use crate::string::{strcasecmp, strncasecmp};
use core::ffi::{c_char, c_int};
use libc::size_t;

/// Defines both forms with a locale of functions of one byte.
macro_rules! with_locale {
    ($( $name:ident, $with:ident, $under:ident; )*) => {
        c_api! {
            $(
                /// The function of that name, in a locale.
                fn $with(byte: c_int, _locale: *mut Locale) -> c_int { ctype::$name(byte) }
                /// The function of that name, in a locale. glibc.
                fn $under(byte: c_int, _locale: *mut Locale) -> c_int { ctype::$name(byte) }
            )*
        }
    };
}

with_locale! {
    isalnum, isalnum_l, __isalnum_l;
    isalpha, isalpha_l, __isalpha_l;
    isblank, isblank_l, __isblank_l;
    iscntrl, iscntrl_l, __iscntrl_l;
    isdigit, isdigit_l, __isdigit_l;
    isgraph, isgraph_l, __isgraph_l;
    islower, islower_l, __islower_l;
    isprint, isprint_l, __isprint_l;
    ispunct, ispunct_l, __ispunct_l;
    isspace, isspace_l, __isspace_l;
    isupper, isupper_l, __isupper_l;
    isxdigit, isxdigit_l, __isxdigit_l;
    tolower, tolower_l, __tolower_l;
    toupper, toupper_l, __toupper_l;
}

c_api! {
    /// strcasecmp(3) in a locale.
    fn strcasecmp_l(a: *const c_char, b: *const c_char, _locale: *mut Locale) -> c_int { strcasecmp(a, b) }

    /// strncasecmp(3) in a locale.
    fn strncasecmp_l(a: *const c_char, b: *const c_char, most: size_t, _locale: *mut Locale) -> c_int {
        strncasecmp(a, b, most)
    }
}

c_alias! {
    fn __strcasecmp_l = strcasecmp_l[a: *const c_char, b: *const c_char, locale: *mut Locale] -> c_int;
    fn __strncasecmp_l = strncasecmp_l[a: *const c_char, b: *const c_char, most: size_t, locale: *mut Locale] -> c_int;
}
