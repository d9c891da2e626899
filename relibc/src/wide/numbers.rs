//! Numbers from wide strings: wcstol(3), wcstod(3) and their kin, over those that read bytes.

use super::classes::is_space;
use crate::locale::Locale;
use crate::numbers::{strtod, strtof, strtol, strtoul};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_long, c_ulong};
use core::ptr;
use libc::wchar_t;

/// Runs `convert` on the ASCII copy of what may be a number behind white space, and tells where it ended.
unsafe fn by_bytes<T>(
    text: *const wchar_t,
    end: *mut *mut wchar_t,
    convert: impl FnOnce(*const c_char, *mut *mut c_char) -> T,
) -> T {
    let mut start = text;
    while *start != 0 && is_space(*start as u32) {
        start = start.add(1);
    }
    let mut bytes = Vec::new();
    loop {
        match u8::try_from(*start.add(bytes.len())) {
            Ok(byte) if byte.is_ascii_graphic() => bytes.push(byte),
            _ => break,
        }
    }
    bytes.push(0);
    let from = bytes.as_ptr().cast::<c_char>();
    let mut stop = ptr::null_mut();
    let value = convert(from, &raw mut stop);
    if !end.is_null() {
        let used = stop.cast_const().offset_from_unsigned(from);
        *end = (if used == 0 { text } else { start.add(used) }).cast_mut();
    }
    value
}

c_api! {
    /// wcstol(3).
    fn wcstol(text: *const wchar_t, end: *mut *mut wchar_t, base: c_int) -> c_long {
        by_bytes(text, end, |from, stop| strtol(from, stop, base))
    }

    /// wcstoul(3).
    fn wcstoul(text: *const wchar_t, end: *mut *mut wchar_t, base: c_int) -> c_ulong {
        by_bytes(text, end, |from, stop| strtoul(from, stop, base))
    }

    /// wcstod(3).
    fn wcstod(text: *const wchar_t, end: *mut *mut wchar_t) -> f64 {
        by_bytes(text, end, |from, stop| strtod(from, stop))
    }

    /// wcstof(3).
    fn wcstof(text: *const wchar_t, end: *mut *mut wchar_t) -> f32 {
        by_bytes(text, end, |from, stop| strtof(from, stop))
    }

    /// wcstod(3) in a locale: all of ours write numbers alike.
    fn wcstod_l(text: *const wchar_t, end: *mut *mut wchar_t, _locale: *mut Locale) -> f64 { wcstod(text, end) }

    /// wcstof(3) in a locale.
    fn wcstof_l(text: *const wchar_t, end: *mut *mut wchar_t, _locale: *mut Locale) -> f32 { wcstof(text, end) }

    /// wcstol(3) in a locale.
    fn wcstol_l(text: *const wchar_t, end: *mut *mut wchar_t, base: c_int, _locale: *mut Locale) -> c_long {
        wcstol(text, end, base)
    }

    /// wcstoul(3) in a locale.
    fn wcstoul_l(text: *const wchar_t, end: *mut *mut wchar_t, base: c_int, _locale: *mut Locale) -> c_ulong {
        wcstoul(text, end, base)
    }
}

c_alias! {
    fn wcstoll = wcstol[text: *const wchar_t, end: *mut *mut wchar_t, base: c_int] -> c_long;
    fn wcstoull = wcstoul[text: *const wchar_t, end: *mut *mut wchar_t, base: c_int] -> c_ulong;
    fn wcstoimax = wcstol[text: *const wchar_t, end: *mut *mut wchar_t, base: c_int] -> c_long;
    fn wcstoumax = wcstoul[text: *const wchar_t, end: *mut *mut wchar_t, base: c_int] -> c_ulong;
    fn wcstoq = wcstol[text: *const wchar_t, end: *mut *mut wchar_t, base: c_int] -> c_long;
    fn wcstouq = wcstoul[text: *const wchar_t, end: *mut *mut wchar_t, base: c_int] -> c_ulong;
    fn wcstoll_l = wcstol_l[text: *const wchar_t, end: *mut *mut wchar_t, base: c_int, locale: *mut Locale] -> c_long;
    fn wcstoull_l = wcstoul_l[text: *const wchar_t, end: *mut *mut wchar_t, base: c_int, locale: *mut Locale] -> c_ulong;
    fn __wcstod_l = wcstod_l[text: *const wchar_t, end: *mut *mut wchar_t, locale: *mut Locale] -> f64;
    fn __wcstof_l = wcstof_l[text: *const wchar_t, end: *mut *mut wchar_t, locale: *mut Locale] -> f32;
    fn __wcstol_l = wcstol_l[text: *const wchar_t, end: *mut *mut wchar_t, base: c_int, locale: *mut Locale] -> c_long;
    fn __wcstoul_l = wcstoul_l[text: *const wchar_t, end: *mut *mut wchar_t, base: c_int, locale: *mut Locale] -> c_ulong;
    fn __wcstoll_l = wcstol_l[text: *const wchar_t, end: *mut *mut wchar_t, base: c_int, locale: *mut Locale] -> c_long;
    fn __wcstoull_l = wcstoul_l[text: *const wchar_t, end: *mut *mut wchar_t, base: c_int, locale: *mut Locale] -> c_ulong;
}
