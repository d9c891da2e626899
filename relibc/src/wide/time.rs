//! `wcsftime`, over `strftime`. wcsftime(3).

use super::convert::{mbstowcs, wcstombs};
use crate::locale::Locale;
use crate::time::strftime::strftime;
use alloc::vec;
use alloc::vec::Vec;
use core::ptr;
use libc::{size_t, tm, wchar_t};

/// A wide text as bytes; None if the locale cannot write it.
unsafe fn narrow(text: *const wchar_t) -> Option<Vec<u8>> {
    let len = wcstombs(ptr::null_mut(), text, 0);
    if len == usize::MAX {
        return None;
    }
    let mut bytes = vec![0; len + 1];
    wcstombs(bytes.as_mut_ptr().cast(), text, len + 1);
    Some(bytes)
}

c_api! {
    /// wcsftime(3). 0 where the result does not fit.
    fn wcsftime(to: *mut wchar_t, room: size_t, format: *const wchar_t, fields: *const tm) -> size_t {
        let Some(format) = narrow(format) else { return 0 };
        // A character has at most six bytes. A result of more than a MiB is refused.
        let most = room.saturating_mul(6).min(1 << 20);
        let mut bytes = vec![0u8; most];
        let len = strftime(bytes.as_mut_ptr().cast(), most, format.as_ptr().cast(), fields);
        if len == 0 {
            if room > 0 {
                *to = 0;
            }
            return 0;
        }
        let text = bytes.as_ptr().cast();
        let count = mbstowcs(ptr::null_mut(), text, 0);
        if count >= room {
            return 0;
        }
        mbstowcs(to, text, room)
    }

    /// wcsftime(3) in a locale: all of ours write times alike.
    fn wcsftime_l(to: *mut wchar_t, room: size_t, format: *const wchar_t, fields: *const tm, _locale: *mut Locale) -> size_t {
        wcsftime(to, room, format, fields)
    }
}

c_alias! {
    fn __wcsftime_l = wcsftime_l[to: *mut wchar_t, room: size_t, format: *const wchar_t, fields: *const tm, locale: *mut Locale] -> size_t;
}
