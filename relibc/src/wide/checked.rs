//! Forms that know the size of what they write to, as `_FORTIFY_SOURCE` calls them. LSB.

use super::State;
use super::convert::{mbsnrtowcs, mbsrtowcs, mbstowcs, wcsnrtombs, wcsrtombs, wcstombs};
use super::single::{wcrtomb, wctomb};
use super::string::{
    wcpcpy, wcpncpy, wcscat, wcscpy, wcslen, wcsncat, wcsncpy, wcsnlen, wmemcpy, wmemmove, wmempcpy, wmemset,
};
use crate::locale;
use core::ffi::{c_char, c_int};
use libc::{size_t, wchar_t};

/// Ends the process if `need` is more than there is room for.
pub(crate) fn check(need: size_t, room: size_t) {
    if need > room {
        crate::runtime::die("*** buffer overflow detected ***: terminated");
    }
}

c_api! {
    /// [`wmemcpy`], checked.
    fn __wmemcpy_chk(to: *mut wchar_t, from: *const wchar_t, len: size_t, room: size_t) -> *mut wchar_t {
        check(len, room);
        wmemcpy(to, from, len)
    }

    /// [`wmempcpy`], checked.
    fn __wmempcpy_chk(to: *mut wchar_t, from: *const wchar_t, len: size_t, room: size_t) -> *mut wchar_t {
        check(len, room);
        wmempcpy(to, from, len)
    }

    /// [`wmemmove`], checked.
    fn __wmemmove_chk(to: *mut wchar_t, from: *const wchar_t, len: size_t, room: size_t) -> *mut wchar_t {
        check(len, room);
        wmemmove(to, from, len)
    }

    /// [`wmemset`], checked.
    fn __wmemset_chk(to: *mut wchar_t, wide: wchar_t, len: size_t, room: size_t) -> *mut wchar_t {
        check(len, room);
        wmemset(to, wide, len)
    }

    /// [`wcscpy`], checked.
    fn __wcscpy_chk(to: *mut wchar_t, from: *const wchar_t, room: size_t) -> *mut wchar_t {
        check(wcslen(from) + 1, room);
        wcscpy(to, from)
    }

    /// [`wcpcpy`], checked.
    fn __wcpcpy_chk(to: *mut wchar_t, from: *const wchar_t, room: size_t) -> *mut wchar_t {
        check(wcslen(from) + 1, room);
        wcpcpy(to, from)
    }

    /// [`wcsncpy`], checked.
    fn __wcsncpy_chk(to: *mut wchar_t, from: *const wchar_t, most: size_t, room: size_t) -> *mut wchar_t {
        check(most, room);
        wcsncpy(to, from, most)
    }

    /// [`wcpncpy`], checked.
    fn __wcpncpy_chk(to: *mut wchar_t, from: *const wchar_t, most: size_t, room: size_t) -> *mut wchar_t {
        check(most, room);
        wcpncpy(to, from, most)
    }

    /// [`wcscat`], checked.
    fn __wcscat_chk(to: *mut wchar_t, from: *const wchar_t, room: size_t) -> *mut wchar_t {
        check(wcslen(to) + wcslen(from) + 1, room);
        wcscat(to, from)
    }

    /// [`wcsncat`], checked.
    fn __wcsncat_chk(to: *mut wchar_t, from: *const wchar_t, most: size_t, room: size_t) -> *mut wchar_t {
        check(wcslen(to) + wcsnlen(from, most) + 1, room);
        wcsncat(to, from, most)
    }

    /// [`mbstowcs`], checked.
    fn __mbstowcs_chk(to: *mut wchar_t, from: *const c_char, most: size_t, room: size_t) -> size_t {
        check(most, room);
        mbstowcs(to, from, most)
    }

    /// [`mbsrtowcs`], checked.
    fn __mbsrtowcs_chk(to: *mut wchar_t, from: *mut *const c_char, most: size_t, state: *mut State, room: size_t) -> size_t {
        check(most, room);
        mbsrtowcs(to, from, most, state)
    }

    /// [`mbsnrtowcs`], checked.
    fn __mbsnrtowcs_chk(
        to: *mut wchar_t, from: *mut *const c_char, bytes: size_t, most: size_t, state: *mut State, room: size_t,
    ) -> size_t {
        check(most, room);
        mbsnrtowcs(to, from, bytes, most, state)
    }

    /// [`wcstombs`], checked.
    fn __wcstombs_chk(to: *mut c_char, from: *const wchar_t, most: size_t, room: size_t) -> size_t {
        check(most, room);
        wcstombs(to, from, most)
    }

    /// [`wcsrtombs`], checked.
    fn __wcsrtombs_chk(to: *mut c_char, from: *mut *const wchar_t, most: size_t, state: *mut State, room: size_t) -> size_t {
        check(most, room);
        wcsrtombs(to, from, most, state)
    }

    /// [`wcsnrtombs`], checked.
    fn __wcsnrtombs_chk(
        to: *mut c_char, from: *mut *const wchar_t, wides: size_t, most: size_t, state: *mut State, room: size_t,
    ) -> size_t {
        check(most, room);
        wcsnrtombs(to, from, wides, most, state)
    }

    /// [`wcrtomb`], checked: there must be room for the longest character.
    fn __wcrtomb_chk(to: *mut c_char, wide: wchar_t, state: *mut State, room: size_t) -> size_t {
        check(locale::current().charset().longest(), room);
        wcrtomb(to, wide, state)
    }

    /// [`wctomb`], checked: there must be room for the longest character.
    fn __wctomb_chk(to: *mut c_char, wide: wchar_t, room: size_t) -> c_int {
        check(locale::current().charset().longest(), room);
        wctomb(to, wide)
    }
}
