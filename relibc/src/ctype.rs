//! `ctype.h`: functions, and the tables that compiled programs index directly. Single bytes mean the same in C and in C.UTF-8.

use core::ffi::{c_int, c_ushort};

/// The tables reach from −128 to 255, so that a `char` and EOF can index them.
const COUNT: usize = 384;
const ZERO: usize = 128;

/// glibc's bits, as its macros test them (little-endian).
mod bits {
    pub const UPPER: u16 = 1 << 8;
    pub const LOWER: u16 = 1 << 9;
    pub const ALPHA: u16 = 1 << 10;
    pub const DIGIT: u16 = 1 << 11;
    pub const XDIGIT: u16 = 1 << 12;
    pub const SPACE: u16 = 1 << 13;
    pub const PRINT: u16 = 1 << 14;
    pub const GRAPH: u16 = 1 << 15;
    pub const BLANK: u16 = 1;
    pub const CNTRL: u16 = 2;
    pub const PUNCT: u16 = 4;
    pub const ALNUM: u16 = 8;
}

const fn classify(byte: u8) -> u16 {
    use bits::*;
    let mut class = 0;
    if byte.is_ascii_uppercase() {
        class |= UPPER;
    }
    if byte.is_ascii_lowercase() {
        class |= LOWER;
    }
    if byte.is_ascii_alphabetic() {
        class |= ALPHA;
    }
    if byte.is_ascii_digit() {
        class |= DIGIT;
    }
    if byte.is_ascii_hexdigit() {
        class |= XDIGIT;
    }
    if byte == b' ' || (byte >= 9 && byte <= 13) {
        class |= SPACE;
    }
    if byte >= 32 && byte < 127 {
        class |= PRINT;
    }
    if byte.is_ascii_graphic() {
        class |= GRAPH;
    }
    if byte == b' ' || byte == b'\t' {
        class |= BLANK;
    }
    if byte.is_ascii_control() {
        class |= CNTRL;
    }
    if byte.is_ascii_punctuation() {
        class |= PUNCT;
    }
    if byte.is_ascii_alphanumeric() {
        class |= ALNUM;
    }
    class
}

static CLASSES: [c_ushort; COUNT] = {
    let mut table = [0; COUNT];
    let mut byte = 0;
    while byte < 128 {
        table[ZERO + byte] = classify(byte as u8);
        byte += 1;
    }
    table
};

const fn cases(upper: bool) -> [c_int; COUNT] {
    let mut table = [0; COUNT];
    let mut index = 0;
    while index < COUNT {
        let value = index as c_int - ZERO as c_int;
        table[index] = if value >= 0 && value < 128 {
            let byte = value as u8;
            (if upper { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() }) as c_int
        } else if value < -1 {
            // A negative char means its byte.
            value & 0xff
        } else {
            value
        };
        index += 1;
    }
    table
}

static UPPER: [c_int; COUNT] = cases(true);
static LOWER: [c_int; COUNT] = cases(false);

/// A pointer to a table's entry for 0.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Pointer<T>(pub(crate) *const T);
// SAFETY: points into an immutable static.
unsafe impl<T> Sync for Pointer<T> {}

pub(crate) static CLASSES_AT: Pointer<c_ushort> = Pointer((&raw const CLASSES[ZERO]).cast());
pub(crate) static UPPER_AT: Pointer<c_int> = Pointer((&raw const UPPER[ZERO]).cast());
pub(crate) static LOWER_AT: Pointer<c_int> = Pointer((&raw const LOWER[ZERO]).cast());

fn is(byte: c_int, class: u16) -> c_int {
    match usize::try_from(byte.wrapping_add(ZERO as c_int)) {
        Ok(index) if index < COUNT => c_int::from(CLASSES[index] & class),
        _ => 0,
    }
}

fn mapped(byte: c_int, table: &[c_int; COUNT]) -> c_int {
    match usize::try_from(byte.wrapping_add(ZERO as c_int)) {
        Ok(index) if index < COUNT => table[index],
        _ => byte,
    }
}

c_api! {
    /// The table of character classes. LSB.
    fn __ctype_b_loc() -> *const *const c_ushort { (&raw const CLASSES_AT).cast() }

    /// The table for tolower. LSB.
    fn __ctype_tolower_loc() -> *const *const c_int { (&raw const LOWER_AT).cast() }

    /// The table for toupper. LSB.
    fn __ctype_toupper_loc() -> *const *const c_int { (&raw const UPPER_AT).cast() }

    /// isalnum(3).
    fn isalnum(byte: c_int) -> c_int { is(byte, bits::ALNUM) }
    /// isalpha(3).
    fn isalpha(byte: c_int) -> c_int { is(byte, bits::ALPHA) }
    /// isblank(3).
    fn isblank(byte: c_int) -> c_int { is(byte, bits::BLANK) }
    /// iscntrl(3).
    fn iscntrl(byte: c_int) -> c_int { is(byte, bits::CNTRL) }
    /// isdigit(3).
    fn isdigit(byte: c_int) -> c_int { is(byte, bits::DIGIT) }
    /// isgraph(3).
    fn isgraph(byte: c_int) -> c_int { is(byte, bits::GRAPH) }
    /// islower(3).
    fn islower(byte: c_int) -> c_int { is(byte, bits::LOWER) }
    /// isprint(3).
    fn isprint(byte: c_int) -> c_int { is(byte, bits::PRINT) }
    /// ispunct(3).
    fn ispunct(byte: c_int) -> c_int { is(byte, bits::PUNCT) }
    /// isspace(3).
    fn isspace(byte: c_int) -> c_int { is(byte, bits::SPACE) }
    /// isupper(3).
    fn isupper(byte: c_int) -> c_int { is(byte, bits::UPPER) }
    /// isxdigit(3).
    fn isxdigit(byte: c_int) -> c_int { is(byte, bits::XDIGIT) }
    /// isascii(3).
    fn isascii(byte: c_int) -> c_int { (byte & !0x7f == 0) as c_int }
    /// toascii(3).
    fn toascii(byte: c_int) -> c_int { byte & 0x7f }
    /// tolower(3).
    fn tolower(byte: c_int) -> c_int { mapped(byte, &LOWER) }
    /// toupper(3).
    fn toupper(byte: c_int) -> c_int { mapped(byte, &UPPER) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_the_hosts() {
        unsafe extern "C" {
            #[link_name = "__ctype_b_loc"]
            fn host_classes() -> *const *const c_ushort;
            #[link_name = "__ctype_tolower_loc"]
            fn host_lower() -> *const *const c_int;
            #[link_name = "__ctype_toupper_loc"]
            fn host_upper() -> *const *const c_int;
        }
        for value in -128..256isize {
            // SAFETY: both tables reach from −128 to 255.
            unsafe {
                assert_eq!(*(*__ctype_b_loc()).offset(value), *(*host_classes()).offset(value), "{value}");
                assert_eq!(*(*__ctype_tolower_loc()).offset(value), *(*host_lower()).offset(value), "{value}");
                assert_eq!(*(*__ctype_toupper_loc()).offset(value), *(*host_upper()).offset(value), "{value}");
            }
        }
    }
}
