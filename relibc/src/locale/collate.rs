//! Ordering of texts: that of their codes, in C and in C.UTF-8. strcoll(3), strxfrm(3), wcscoll(3), wcsxfrm(3).

use super::Locale;
use crate::string::{strcmp, strlen};
use crate::wide::{wcscmp, wcslen};
use core::ffi::{c_char, c_int};
use core::ptr;
use libc::{size_t, wchar_t};

c_api! {
    /// strcoll(3).
    fn strcoll(a: *const c_char, b: *const c_char) -> c_int { strcmp(a, b) }

    /// strcoll_l(3).
    fn strcoll_l(a: *const c_char, b: *const c_char, _locale: *mut Locale) -> c_int { strcmp(a, b) }

    /// strxfrm(3): the text itself.
    fn strxfrm(to: *mut c_char, from: *const c_char, room: size_t) -> size_t {
        let len = strlen(from);
        if room > 0 {
            let now = len.min(room);
            ptr::copy_nonoverlapping(from, to, now);
            ptr::write_bytes(to.add(now), 0, (room - now).min(1));
        }
        len
    }

    /// strxfrm_l(3).
    fn strxfrm_l(to: *mut c_char, from: *const c_char, room: size_t, _locale: *mut Locale) -> size_t {
        strxfrm(to, from, room)
    }

    /// wcscoll(3).
    fn wcscoll(a: *const wchar_t, b: *const wchar_t) -> c_int { wcscmp(a, b) }

    /// wcscoll_l(3).
    fn wcscoll_l(a: *const wchar_t, b: *const wchar_t, _locale: *mut Locale) -> c_int { wcscmp(a, b) }

    /// wcsxfrm(3): the text itself.
    fn wcsxfrm(to: *mut wchar_t, from: *const wchar_t, room: size_t) -> size_t {
        let len = wcslen(from);
        if room > 0 {
            let now = len.min(room);
            ptr::copy_nonoverlapping(from, to, now);
            ptr::write_bytes(to.add(now), 0, (room - now).min(1));
        }
        len
    }

    /// wcsxfrm_l(3).
    fn wcsxfrm_l(to: *mut wchar_t, from: *const wchar_t, room: size_t, _locale: *mut Locale) -> size_t {
        wcsxfrm(to, from, room)
    }
}

c_alias! {
    fn __strcoll_l = strcoll_l[a: *const c_char, b: *const c_char, locale: *mut Locale] -> c_int;
    fn __strxfrm_l = strxfrm_l[to: *mut c_char, from: *const c_char, room: size_t, locale: *mut Locale] -> size_t;
    fn __wcscoll_l = wcscoll_l[a: *const wchar_t, b: *const wchar_t, locale: *mut Locale] -> c_int;
    fn __wcsxfrm_l = wcsxfrm_l[to: *mut wchar_t, from: *const wchar_t, room: size_t, locale: *mut Locale] -> size_t;
}
