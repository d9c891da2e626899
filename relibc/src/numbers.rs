//! `stdlib.h`, `inttypes.h`: numbers from text.

use crate::{errno, string};
use core::ffi::{c_char, c_int, c_long, c_longlong, c_ulong, c_ulonglong, c_void};

pub mod long;

fn is_space(byte: u8) -> bool {
    byte == b' ' || (9..=13).contains(&byte)
}

/// Text behind white space and a sign: whether it was a minus, and where it starts.
fn behind_sign(text: &[u8]) -> (bool, usize) {
    let start = text.iter().take_while(|&&byte| is_space(byte)).count();
    match text.get(start) {
        Some(b'-') => (true, start + 1),
        Some(b'+') => (false, start + 1),
        _ => (false, start),
    }
}

/// What strtol and its kin read.
struct Integer {
    negative: bool,
    /// None: more than 64 bits.
    magnitude: Option<u64>,
    /// Bytes read; 0 when there is no number.
    len: usize,
}

/// Reads an integer. None when there is no such base.
fn integer(text: &[u8], base: c_int) -> Option<Integer> {
    if !(base == 0 || (2..=36).contains(&base)) {
        return None;
    }
    let (negative, start) = behind_sign(text);
    let digit = |at: usize, base: u32| text.get(at).and_then(|&byte| char::from(byte).to_digit(base));
    let prefixed = digit(start, 10) == Some(0)
        && matches!(text.get(start + 1), Some(b'x' | b'X'))
        && digit(start + 2, 16).is_some();
    let (base, mut at) = match base {
        0 | 16 if prefixed => (16, start + 2),
        0 if text.get(start) == Some(&b'0') => (8, start),
        0 => (10, start),
        other => (other as u32, start),
    };
    let first = at;
    let mut magnitude = Some(0u64);
    while let Some(digit) = digit(at, base) {
        magnitude = magnitude.and_then(|value| value.checked_mul(u64::from(base))?.checked_add(u64::from(digit)));
        at += 1;
    }
    Some(Integer { negative, magnitude, len: if at == first { 0 } else { at } })
}

unsafe fn read(text: *const c_char, end: *mut *mut c_char, base: c_int) -> Option<Integer> {
    let read = integer(string::bytes(text), base);
    if !end.is_null() {
        *end = text.add(read.as_ref().map_or(0, |read| read.len)).cast_mut();
    }
    if read.is_none() {
        errno::set(libc::EINVAL);
    }
    read
}

/// A range error: sets `errno` and gives the value that stands for it.
fn out_of_range<T>(limit: T) -> T {
    errno::set(libc::ERANGE);
    limit
}

c_api! {
    /// strtol(3).
    fn strtol(text: *const c_char, end: *mut *mut c_char, base: c_int) -> c_long {
        let Some(Integer { negative, magnitude, .. }) = read(text, end, base) else { return 0 };
        let value = magnitude.map(i128::from).map(|value| if negative { -value } else { value });
        match value.and_then(|value| c_long::try_from(value).ok()) {
            Some(value) => value,
            None => out_of_range(if negative { c_long::MIN } else { c_long::MAX }),
        }
    }

    /// strtoul(3): a minus negates in the unsigned type.
    fn strtoul(text: *const c_char, end: *mut *mut c_char, base: c_int) -> c_ulong {
        let Some(Integer { negative, magnitude, .. }) = read(text, end, base) else { return 0 };
        match magnitude {
            Some(value) if negative => value.wrapping_neg(),
            Some(value) => value,
            None => out_of_range(c_ulong::MAX),
        }
    }

    /// atoi(3).
    fn atoi(text: *const c_char) -> c_int { strtol(text, core::ptr::null_mut(), 10) as c_int }

    /// strtod(3).
    fn strtod(text: *const c_char, end: *mut *mut c_char) -> f64 { float(text, end) }

    /// strtof(3).
    fn strtof(text: *const c_char, end: *mut *mut c_char) -> f32 { float(text, end) }

    /// atof(3).
    fn atof(text: *const c_char) -> f64 { float(text, core::ptr::null_mut()) }

    /// strtoll of a locale: all of ours write numbers alike.
    fn strtoll_l(text: *const c_char, end: *mut *mut c_char, base: c_int, _locale: *mut c_void) -> c_longlong {
        strtol(text, end, base)
    }

    /// strtoull of a locale.
    fn strtoull_l(text: *const c_char, end: *mut *mut c_char, base: c_int, _locale: *mut c_void) -> c_ulonglong {
        strtoul(text, end, base)
    }

    /// strtod of a locale: all of ours write numbers alike.
    fn strtod_l(text: *const c_char, end: *mut *mut c_char, _locale: *mut c_void) -> f64 { float(text, end) }

    /// strtof of a locale: all of ours write numbers alike.
    fn strtof_l(text: *const c_char, end: *mut *mut c_char, _locale: *mut c_void) -> f32 { float(text, end) }
}

c_alias! {
    fn strtol_l = strtoll_l[text: *const c_char, end: *mut *mut c_char, base: c_int, locale: *mut c_void] -> c_long;
    fn strtoul_l = strtoull_l[text: *const c_char, end: *mut *mut c_char, base: c_int, locale: *mut c_void] -> c_ulong;
    fn strtoll = strtol[text: *const c_char, end: *mut *mut c_char, base: c_int] -> c_longlong;
    fn strtoull = strtoul[text: *const c_char, end: *mut *mut c_char, base: c_int] -> c_ulonglong;
    fn strtoimax = strtol[text: *const c_char, end: *mut *mut c_char, base: c_int] -> c_long;
    fn __strtod_l = strtod_l[text: *const c_char, end: *mut *mut c_char, locale: *mut c_void] -> f64;
    fn __strtof_l = strtof_l[text: *const c_char, end: *mut *mut c_char, locale: *mut c_void] -> f32;
    fn strtoumax = strtoul[text: *const c_char, end: *mut *mut c_char, base: c_int] -> c_ulong;
}

/// atol(3).
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub unsafe extern "C" fn atol(text: *const c_char) -> c_long {
    strtol(text, core::ptr::null_mut(), 10)
}

/// atoll(3).
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub unsafe extern "C" fn atoll(text: *const c_char) -> c_longlong {
    strtol(text, core::ptr::null_mut(), 10)
}

/// What differs between `float` and `double`.
trait Float: core::str::FromStr + core::ops::Neg<Output = Self> + Copy {
    /// Bits of the significand, with the leading one.
    const PRECISION: i32;
    /// Exponent of the least subnormal number.
    const LEAST: i64;
    /// Exponent above which numbers are infinite.
    const MOST: i64;
    const ZERO: Self;
    const INFINITY: Self;
    const NAN: Self;
    fn is_infinite(self) -> bool;
    /// Zero or subnormal.
    fn is_tiny(self) -> bool;
    /// `significand` (at most PRECISION bits) × 2^`exponent`, which is representable.
    fn exactly(significand: u64, exponent: i64) -> Self;
}

impl Float for f64 {
    const PRECISION: i32 = 53;
    const LEAST: i64 = -1074;
    const MOST: i64 = 1023;
    const ZERO: f64 = 0.0;
    const INFINITY: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;
    fn is_infinite(self) -> bool {
        self.is_infinite()
    }
    fn is_tiny(self) -> bool {
        self.abs() < f64::MIN_POSITIVE
    }
    fn exactly(significand: u64, exponent: i64) -> f64 {
        libm::scalbn(significand as f64, exponent as i32)
    }
}

impl Float for f32 {
    const PRECISION: i32 = 24;
    const LEAST: i64 = -149;
    const MOST: i64 = 127;
    const ZERO: f32 = 0.0;
    const INFINITY: f32 = f32::INFINITY;
    const NAN: f32 = f32::NAN;
    fn is_infinite(self) -> bool {
        self.is_infinite()
    }
    fn is_tiny(self) -> bool {
        self.abs() < f32::MIN_POSITIVE
    }
    fn exactly(significand: u64, exponent: i64) -> f32 {
        libm::scalbnf(significand as f32, exponent as i32)
    }
}

/// A number read from text: its value without sign, its length in bytes, and whether the value is out of range.
struct Read<F> {
    value: F,
    len: usize,
    range: bool,
}

/// Digits, one optional point among them: how many bytes, and whether there was a digit.
fn digits(text: &[u8], base: u32) -> (usize, bool) {
    let (mut len, mut any, mut point) = (0, false, false);
    for &byte in text {
        if char::from(byte).is_digit(base) {
            any = true;
        } else if byte == b'.' && !point {
            point = true;
        } else {
            break;
        }
        len += 1;
    }
    (len, any)
}

/// An exponent behind its letter: its value, held to ±10⁹, and its length with the letter; (0, 0) without one.
fn exponent(text: &[u8], letter: u8) -> (i64, usize) {
    if text.first().map(u8::to_ascii_lowercase) != Some(letter) {
        return (0, 0);
    }
    let sign = usize::from(matches!(text.get(1), Some(b'+' | b'-')));
    let digits = text[1 + sign..].iter().take_while(|byte| byte.is_ascii_digit());
    let (value, len) = digits
        .fold((0i64, 0), |(value, len), &digit| ((value * 10 + i64::from(digit - b'0')).min(1_000_000_000), len + 1));
    if len == 0 {
        return (0, 0);
    }
    (if text.get(1) == Some(&b'-') { -value } else { value }, 1 + sign + len)
}

/// A decimal number, through core's parser, which rounds correctly.
fn decimal<F: Float>(text: &[u8]) -> Option<Read<F>> {
    let (mantissa, any) = digits(text, 10);
    if !any {
        return None;
    }
    let len = mantissa + exponent(&text[mantissa..], b'e').1;
    let value: F = core::str::from_utf8(&text[..len]).ok()?.parse().ok()?;
    let nonzero = text[..mantissa].iter().any(|byte| (b'1'..=b'9').contains(byte));
    // A decimal of a usual length is never exactly a subnormal number.
    Some(Read { value, len, range: value.is_infinite() || nonzero && value.is_tiny() })
}

/// A hexadecimal number behind its `0x`, rounded to nearest, ties to even.
fn hexadecimal<F: Float>(text: &[u8]) -> Option<Read<F>> {
    let (mantissa, any) = digits(text, 16);
    if !any {
        return None;
    }
    let (power, exponent_len) = exponent(&text[mantissa..], b'p');
    let len = mantissa + exponent_len;
    // The first 60 significant bits, and whether more followed.
    let (mut bits, mut rest, mut scale, mut behind_point) = (0u64, false, power, false);
    for &byte in &text[..mantissa] {
        let Some(digit) = char::from(byte).to_digit(16) else {
            behind_point = true;
            continue;
        };
        if bits >> 56 == 0 {
            bits = bits << 4 | u64::from(digit);
            scale -= if behind_point { 4 } else { 0 };
        } else {
            rest |= digit != 0;
            scale += if behind_point { 0 } else { 4 };
        }
    }
    if bits == 0 {
        return Some(Read { value: F::ZERO, len, range: false });
    }
    let width = i64::from(64 - bits.leading_zeros());
    let drop = (width - i64::from(F::PRECISION)).max(F::LEAST - scale);
    let mut exact = true;
    if drop > 0 {
        let drop = drop.min(63) as u32;
        let below = bits & ((1 << drop) - 1);
        let half = 1u64 << (drop - 1);
        exact = below == 0 && !rest;
        bits >>= drop;
        if below > half || below == half && (rest || bits & 1 == 1) {
            bits += 1;
        }
        scale = (scale + i64::from(drop)).max(F::LEAST);
    }
    let width = i64::from(64 - bits.leading_zeros());
    if bits != 0 && scale + width - 1 > F::MOST {
        return Some(Read { value: F::INFINITY, len, range: true });
    }
    let value = if bits == 0 { F::ZERO } else { F::exactly(bits, scale) };
    Some(Read { value, len, range: !exact && value.is_tiny() })
}

/// What words stand for.
#[derive(Clone, Copy, PartialEq)]
enum Named {
    Infinity,
    Nan,
}

/// `inf`, `infinity`, `nan`, `nan(…)`: what it is, and its length.
fn named(text: &[u8]) -> Option<(Named, usize)> {
    let starts = |word: &[u8]| text.len() >= word.len() && text[..word.len()].eq_ignore_ascii_case(word);
    if starts(b"infinity") {
        return Some((Named::Infinity, 8));
    }
    if starts(b"inf") {
        return Some((Named::Infinity, 3));
    }
    if !starts(b"nan") {
        return None;
    }
    let payload = text[3..].iter().skip(1).take_while(|&&byte| byte.is_ascii_alphanumeric() || byte == b'_').count();
    let closed = text.get(3) == Some(&b'(') && text.get(4 + payload) == Some(&b')');
    Some((Named::Nan, if closed { payload + 5 } else { 3 }))
}

fn word<F: Float>(text: &[u8]) -> Option<Read<F>> {
    let (value, len) = named(text)?;
    Some(Read { value: if value == Named::Infinity { F::INFINITY } else { F::NAN }, len, range: false })
}

unsafe fn float<F: Float>(text: *const c_char, end: *mut *mut c_char) -> F {
    let bytes = string::bytes(text);
    let (negative, start) = behind_sign(bytes);
    let body = &bytes[start..];
    let hex = matches!(body, [b'0', b'x' | b'X', ..]).then(|| hexadecimal::<F>(&body[2..])).flatten();
    let hex = hex.map(|read| Read { len: read.len + 2, ..read });
    let read = hex.or_else(|| decimal(body)).or_else(|| word(body));
    if !end.is_null() {
        *end = text.add(read.as_ref().map_or(0, |read| start + read.len)).cast_mut();
    }
    let Some(read) = read else { return F::ZERO };
    if read.range {
        errno::set(libc::ERANGE);
    }
    if negative { -read.value } else { read.value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ffi::CString;

    /// Both libraries' answer to one text: bits of the value, and bytes read.
    fn both(text: &str) -> [(u64, usize); 2] {
        let text = CString::new(text).expect("no NUL");
        // SAFETY: a C string, and a place for its end.
        unsafe {
            [strtod as unsafe extern "C" fn(*const c_char, *mut *mut c_char) -> f64, libc::strtod].map(
                |read: unsafe extern "C" fn(*const c_char, *mut *mut c_char) -> f64| {
                    let mut end = core::ptr::null_mut();
                    let value = read(text.as_ptr(), &mut end);
                    let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
                    (bits, end.offset_from(text.as_ptr()) as usize)
                },
            )
        }
    }

    proptest! {
        #[test]
        fn integers_are_the_hosts(text in "[ \t]{0,2}[+-]?(0[xX]?)?[0-9a-zA-F]{0,22}", base in prop::sample::select(vec![0, 2, 8, 10, 16, 36])) {
            let text = CString::new(text).expect("no NUL");
            // SAFETY: C strings, and places for their ends.
            unsafe {
                let (mut ours, mut hosts) = (core::ptr::null_mut(), core::ptr::null_mut());
                prop_assert_eq!(strtol(text.as_ptr(), &mut ours, base), libc::strtol(text.as_ptr(), &mut hosts, base));
                prop_assert_eq!(ours, hosts);
                prop_assert_eq!(strtoul(text.as_ptr(), &mut ours, base), libc::strtoul(text.as_ptr(), &mut hosts, base));
                prop_assert_eq!(ours, hosts);
            }
        }

        #[test]
        fn decimals_are_the_hosts(text in " ?[+-]?[0-9]{0,20}\\.?[0-9]{0,20}([eE][+-]?[0-9]{0,3})?x?") {
            let [ours, hosts] = both(&text);
            prop_assert_eq!(ours, hosts);
        }

        #[test]
        fn hexadecimals_are_the_hosts(text in "-?0[xX][0-9a-f]{0,18}\\.?[0-9a-f]{0,18}([pP][+-]?(10[0-9]{2}|[0-9]{0,3}))?") {
            let [ours, hosts] = both(&text);
            prop_assert_eq!(ours, hosts);
        }
    }

    #[test]
    fn words_are_the_hosts() {
        for text in [
            "inf",
            "-INFINITY",
            "infinit",
            "nan",
            "nan(12_x)",
            "nan(",
            "nan()",
            "nan(-)",
            "na",
            "",
            ".",
            "-.",
            "e5",
            "1e",
            "1e+",
            "0x",
            "0x.p1",
            "0x1p",
        ] {
            let [ours, hosts] = both(text);
            assert_eq!(ours, hosts, "{text}");
        }
    }

    #[test]
    fn range_errors() {
        let range = |text: &[u8]| {
            (decimal::<f64>(text).map(|read| read.range), hexadecimal::<f64>(text).map(|read| read.range))
        };
        assert_eq!(range(b"1e400").0, Some(true));
        assert_eq!(range(b"1e-320").0, Some(true));
        assert_eq!(range(b"0.0e-999").0, Some(false));
        assert_eq!(range(b"1p-1074").1, Some(false));
        assert_eq!(range(b"1p-1075").1, Some(true));
        assert_eq!(range(b"1p1024").1, Some(true));
    }
}
