//! Strings between bytes and wide characters: mbsrtowcs(3), wcsrtombs(3) and their kin.

use super::single::{ILLEGAL, read, state_or};
use super::{State, encode};
use crate::errno;
use crate::locale;
use core::ffi::c_char;
use core::ptr;
use libc::{size_t, wchar_t};

static mut READING: State = State { count: 0, value: 0 };
static mut READING_SOME: State = State { count: 0, value: 0 };

fn illegal() -> size_t {
    errno::set(libc::EILSEQ);
    ILLEGAL
}

/// Bytes of a string of at most `most`, with its NUL if that is among them.
unsafe fn string_bytes<'a>(from: *const c_char, most: size_t) -> &'a [u8] {
    let len = crate::string::strnlen(from, most);
    core::slice::from_raw_parts(from.cast(), if len < most { len + 1 } else { len })
}

/// Reads at most `most` bytes and writes at most `room` characters (any number, if `to` is null).
unsafe fn to_wide(to: *mut wchar_t, from: *mut *const c_char, most: size_t, room: size_t, state: &mut State) -> size_t {
    let charset = locale::current().charset();
    let bytes = string_bytes(*from, most);
    let mut trial = *state;
    let state = if to.is_null() { &mut trial } else { state };
    let (mut at, mut count) = (0, 0);
    while to.is_null() || count < room {
        match read(charset, state, &bytes[at..]) {
            Ok((wide, used)) => {
                if !to.is_null() {
                    *to.add(count) = wide as wchar_t;
                }
                if wide == 0 {
                    if !to.is_null() {
                        *from = ptr::null();
                        *state = State::default();
                    }
                    return count;
                }
                at += used;
                count += 1;
            }
            Err(ILLEGAL) => {
                if !to.is_null() {
                    *from = (*from).add(at);
                }
                return illegal();
            }
            Err(_) => {
                at = bytes.len();
                break;
            }
        }
    }
    if !to.is_null() {
        *from = (*from).add(at);
    }
    count
}

/// Reads at most `most` characters and writes at most `room` bytes (any number, if `to` is null).
unsafe fn to_bytes(to: *mut c_char, from: *mut *const wchar_t, most: size_t, room: size_t) -> size_t {
    let charset = locale::current().charset();
    let (mut at, mut count) = (*from, 0);
    let mut left = most;
    let mut bytes = [0; 6];
    // Without room glibc does not look at the next character.
    while left > 0 && (to.is_null() || count < room) {
        let wide = *at as u32;
        let Some(len) = encode(charset, wide, &mut bytes) else {
            if !to.is_null() {
                *from = at;
            }
            return illegal();
        };
        if !to.is_null() {
            if len > room - count {
                break;
            }
            ptr::copy_nonoverlapping(bytes.as_ptr().cast(), to.add(count), len);
        }
        if wide == 0 {
            if !to.is_null() {
                *from = ptr::null();
            }
            return count;
        }
        count += len;
        at = at.add(1);
        left -= 1;
    }
    if !to.is_null() {
        *from = at;
    }
    count
}

c_api! {
    /// mbsrtowcs(3).
    fn mbsrtowcs(to: *mut wchar_t, from: *mut *const c_char, room: size_t, state: *mut State) -> size_t {
        to_wide(to, from, usize::MAX, room, &mut *state_or(state, &raw mut READING))
    }

    /// mbsnrtowcs(3).
    fn mbsnrtowcs(to: *mut wchar_t, from: *mut *const c_char, most: size_t, room: size_t, state: *mut State) -> size_t {
        to_wide(to, from, most, room, &mut *state_or(state, &raw mut READING_SOME))
    }

    /// mbstowcs(3).
    fn mbstowcs(to: *mut wchar_t, from: *const c_char, room: size_t) -> size_t {
        let mut from = from;
        to_wide(to, &raw mut from, usize::MAX, room, &mut State::default())
    }

    /// wcsrtombs(3).
    fn wcsrtombs(to: *mut c_char, from: *mut *const wchar_t, room: size_t, _state: *mut State) -> size_t {
        to_bytes(to, from, usize::MAX, room)
    }

    /// wcsnrtombs(3).
    fn wcsnrtombs(to: *mut c_char, from: *mut *const wchar_t, most: size_t, room: size_t, _state: *mut State) -> size_t {
        to_bytes(to, from, most, room)
    }

    /// wcstombs(3).
    fn wcstombs(to: *mut c_char, from: *const wchar_t, room: size_t) -> size_t {
        let mut from = from;
        to_bytes(to, &raw mut from, usize::MAX, room)
    }
}
