//! The functions of `string.h` that are not hot.

use super::{bytes, memcpy, memmove, strchr, strlen, strnlen};
use crate::heap::c_malloc;
use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use libc::size_t;

fn lower(byte: u8) -> c_int {
    c_int::from(byte.to_ascii_lowercase())
}

c_api! {
    /// strcpy(3).
    fn strcpy(to: *mut c_char, from: *const c_char) -> *mut c_char {
        memcpy(to.cast(), from.cast(), strlen(from) + 1).cast()
    }

    /// stpcpy(3).
    fn stpcpy(to: *mut c_char, from: *const c_char) -> *mut c_char {
        let len = strlen(from);
        memcpy(to.cast(), from.cast(), len + 1);
        to.add(len)
    }

    /// strncpy(3).
    fn strncpy(to: *mut c_char, from: *const c_char, most: size_t) -> *mut c_char {
        stpncpy(to, from, most);
        to
    }

    /// stpncpy(3).
    fn stpncpy(to: *mut c_char, from: *const c_char, most: size_t) -> *mut c_char {
        let len = strnlen(from, most);
        memcpy(to.cast(), from.cast(), len);
        super::memset(to.add(len).cast(), 0, most - len);
        to.add(len)
    }

    /// strcat(3).
    fn strcat(to: *mut c_char, from: *const c_char) -> *mut c_char {
        strcpy(to.add(strlen(to)), from);
        to
    }

    /// strncat(3).
    fn strncat(to: *mut c_char, from: *const c_char, most: size_t) -> *mut c_char {
        let end = to.add(strlen(to));
        let len = strnlen(from, most);
        memcpy(end.cast(), from.cast(), len);
        *end.add(len) = 0;
        to
    }

    /// strrchr(3).
    fn strrchr(text: *const c_char, byte: c_int) -> *mut c_char {
        super::memrchr(text.cast(), byte, strlen(text) + 1).cast()
    }

    /// index(3).
    fn index(text: *const c_char, byte: c_int) -> *mut c_char {
        strchr(text, byte)
    }

    /// rindex(3).
    fn rindex(text: *const c_char, byte: c_int) -> *mut c_char {
        strrchr(text, byte)
    }

    /// strdup(3).
    fn strdup(text: *const c_char) -> *mut c_char {
        strndup(text, usize::MAX)
    }

    /// strndup(3).
    fn strndup(text: *const c_char, most: size_t) -> *mut c_char {
        let len = if most == usize::MAX { strlen(text) } else { strnlen(text, most) };
        let out = c_malloc(len + 1).cast::<c_char>();
        if !out.is_null() {
            memcpy(out.cast(), text.cast(), len);
            *out.add(len) = 0;
        }
        out
    }

    /// strspn(3).
    fn strspn(text: *const c_char, accept: *const c_char) -> size_t {
        let set = bytes(accept);
        let mut at = 0;
        while *text.add(at) != 0 && set.contains(&(*text.add(at) as u8)) {
            at += 1;
        }
        at
    }

    /// strcspn(3).
    fn strcspn(text: *const c_char, reject: *const c_char) -> size_t {
        let set = bytes(reject);
        let mut at = 0;
        while *text.add(at) != 0 && !set.contains(&(*text.add(at) as u8)) {
            at += 1;
        }
        at
    }

    /// strpbrk(3).
    fn strpbrk(text: *const c_char, accept: *const c_char) -> *mut c_char {
        let at = text.add(strcspn(text, accept));
        if *at == 0 { ptr::null_mut() } else { at.cast_mut() }
    }

    /// strsep(3).
    fn strsep(text: *mut *mut c_char, delimiters: *const c_char) -> *mut c_char {
        let start = *text;
        if start.is_null() {
            return start;
        }
        let end = start.add(strcspn(start, delimiters));
        if *end == 0 {
            *text = ptr::null_mut();
        } else {
            *end = 0;
            *text = end.add(1);
        }
        start
    }

    /// strtok_r(3).
    fn strtok_r(text: *mut c_char, delimiters: *const c_char, state: *mut *mut c_char) -> *mut c_char {
        let mut start = if text.is_null() { *state } else { text };
        start = start.add(strspn(start, delimiters));
        if *start == 0 {
            *state = start;
            return ptr::null_mut();
        }
        let end = start.add(strcspn(start, delimiters));
        if *end == 0 {
            *state = end;
        } else {
            *end = 0;
            *state = end.add(1);
        }
        start
    }

    /// strtok(3): one place remembers for all threads, as documented.
    fn strtok(text: *mut c_char, delimiters: *const c_char) -> *mut c_char {
        static STATE: core::sync::atomic::AtomicPtr<c_char> = core::sync::atomic::AtomicPtr::new(ptr::null_mut());
        strtok_r(text, delimiters, STATE.as_ptr())
    }

    /// strstr(3).
    fn strstr(text: *const c_char, wanted: *const c_char) -> *mut c_char {
        let len = strlen(wanted);
        let text_len = strlen(text);
        memmem(text.cast(), text_len, wanted.cast(), len).cast()
    }

    /// strcasestr(3).
    fn strcasestr(text: *const c_char, wanted: *const c_char) -> *mut c_char {
        let len = strlen(wanted);
        let mut at = text;
        loop {
            if strncasecmp(at, wanted, len) == 0 {
                return at.cast_mut();
            }
            if *at == 0 {
                return ptr::null_mut();
            }
            at = at.add(1);
        }
    }

    /// memmem(3). Candidates are found by their first byte; Rust's two-way search is not in `core` for bytes.
    fn memmem(start: *const c_void, len: size_t, wanted: *const c_void, wanted_len: size_t) -> *mut c_void {
        if wanted_len == 0 {
            return start.cast_mut();
        }
        let mut at = start.cast::<u8>();
        let mut left = len;
        let first = c_int::from(*wanted.cast::<u8>());
        while left >= wanted_len {
            let found = super::memchr(at.cast(), first, left - wanted_len + 1).cast::<u8>();
            if found.is_null() {
                return ptr::null_mut();
            }
            if super::bcmp(found.cast(), wanted, wanted_len) == 0 {
                return found.cast();
            }
            left -= found.offset_from_unsigned(at) + 1;
            at = found.add(1);
        }
        ptr::null_mut()
    }

    /// memccpy(3).
    fn memccpy(to: *mut c_void, from: *const c_void, byte: c_int, len: size_t) -> *mut c_void {
        let found = super::memchr(from, byte, len);
        if found.is_null() {
            memcpy(to, from, len);
            return found;
        }
        let count = found.byte_offset_from(from) as usize + 1;
        memcpy(to, from, count).byte_add(count)
    }

    /// strcasecmp(3).
    fn strcasecmp(a: *const c_char, b: *const c_char) -> c_int {
        strncasecmp(a, b, usize::MAX)
    }

    /// strncasecmp(3).
    fn strncasecmp(a: *const c_char, b: *const c_char, most: size_t) -> c_int {
        for at in 0..most {
            let (x, y) = (*a.add(at) as u8, *b.add(at) as u8);
            if lower(x) != lower(y) || x == 0 {
                return lower(x) - lower(y);
            }
        }
        0
    }

    /// strverscmp(3) orders runs of digits by value.
    fn strverscmp(a: *const c_char, b: *const c_char) -> c_int {
        let (a, b) = (bytes(a), bytes(b));
        let differ = a.iter().zip(b).take_while(|(x, y)| x == y).count();
        let run = |text: &[u8]| text[differ..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let at = |text: &[u8]| c_int::from(text.get(differ).copied().unwrap_or(0));
        let by_byte = at(a) - at(b);
        let (left_a, left_b) = (run(a), run(b));
        let by_length = if left_a == left_b { by_byte } else { left_a as c_int - left_b as c_int };
        // The digits before the difference, which both have.
        let before = a[..differ].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let common = &a[differ - before..differ];
        match common.first() {
            // Numbers start here; one with a leading zero is a fraction.
            None if left_a > 0 && left_b > 0 && at(a) != c_int::from(b'0') && at(b) != c_int::from(b'0') => by_length,
            None => by_byte,
            // A fraction; more leading zeros are less.
            Some(b'0') if common.iter().all(|&byte| byte == b'0') && (left_a == 0) != (left_b == 0) => {
                if left_a == 0 { 1 } else { -1 }
            }
            Some(b'0') => by_byte,
            Some(_) => by_length,
        }
    }

    /// strlcpy(3).
    fn strlcpy(to: *mut c_char, from: *const c_char, room: size_t) -> size_t {
        let len = strlen(from);
        if room > 0 {
            let count = len.min(room - 1);
            memcpy(to.cast(), from.cast(), count);
            *to.add(count) = 0;
        }
        len
    }

    /// basename(3), GNU's: the part behind the last slash, in place.
    fn basename(path: *const c_char) -> *mut c_char {
        let slash = strrchr(path, c_int::from(b'/'));
        if slash.is_null() { path.cast_mut() } else { slash.add(1) }
    }

    /// ffs(3).
    fn ffs(value: c_int) -> c_int {
        if value == 0 { 0 } else { value.trailing_zeros() as c_int + 1 }
    }

    /// swab(3).
    fn swab(from: *const c_void, to: *mut c_void, len: isize) {
        let (from, to) = (from.cast::<u8>(), to.cast::<u8>());
        for pair in 0..(len.max(0) as usize / 2) {
            let (a, b) = (*from.add(pair * 2), *from.add(pair * 2 + 1));
            *to.add(pair * 2) = b;
            *to.add(pair * 2 + 1) = a;
        }
    }
}

/// The tail of fortified functions: the size known at compile time was too small.
#[cold]
fn overflow() -> ! {
    crate::runtime::print("*** buffer overflow detected ***: terminated\n");
    crate::exit::abort_now()
}

c_api! {
    /// Fortified memcpy. LSB.
    fn __memcpy_chk(to: *mut c_void, from: *const c_void, len: size_t, room: size_t) -> *mut c_void {
        if room < len { overflow() }
        memcpy(to, from, len)
    }

    /// Fortified memmove. LSB.
    fn __memmove_chk(to: *mut c_void, from: *const c_void, len: size_t, room: size_t) -> *mut c_void {
        if room < len { overflow() }
        memmove(to, from, len)
    }

    /// Fortified memset. LSB.
    fn __memset_chk(to: *mut c_void, byte: c_int, len: size_t, room: size_t) -> *mut c_void {
        if room < len { overflow() }
        super::memset(to, byte, len)
    }

    /// Fortified mempcpy. LSB.
    fn __mempcpy_chk(to: *mut c_void, from: *const c_void, len: size_t, room: size_t) -> *mut c_void {
        if room < len { overflow() }
        super::mempcpy(to, from, len)
    }

    /// Fortified strcpy. LSB.
    fn __strcpy_chk(to: *mut c_char, from: *const c_char, room: size_t) -> *mut c_char {
        if room <= strlen(from) { overflow() }
        strcpy(to, from)
    }

    /// Fortified stpcpy. LSB.
    fn __stpcpy_chk(to: *mut c_char, from: *const c_char, room: size_t) -> *mut c_char {
        if room <= strlen(from) { overflow() }
        stpcpy(to, from)
    }

    /// Fortified strncpy. LSB.
    fn __strncpy_chk(to: *mut c_char, from: *const c_char, most: size_t, room: size_t) -> *mut c_char {
        if room < most { overflow() }
        strncpy(to, from, most)
    }

    /// Fortified strcat. LSB.
    fn __strcat_chk(to: *mut c_char, from: *const c_char, room: size_t) -> *mut c_char {
        if room <= strlen(to) + strlen(from) { overflow() }
        strcat(to, from)
    }

    /// Fortified strncat. LSB.
    fn __strncat_chk(to: *mut c_char, from: *const c_char, most: size_t, room: size_t) -> *mut c_char {
        if room <= strlen(to) + strnlen(from, most) { overflow() }
        strncat(to, from, most)
    }

    /// Called by compiled code whose stack canary changed.
    fn __stack_chk_fail() -> ! {
        crate::runtime::print("*** stack smashing detected ***: terminated\n");
        crate::exit::abort_now()
    }
}

c_alias! {
    fn __strdup = strdup[text: *const c_char] -> *mut c_char;
    fn __strndup = strndup[text: *const c_char, most: size_t] -> *mut c_char;
    fn __stpcpy = stpcpy[to: *mut c_char, from: *const c_char] -> *mut c_char;
    fn __strtok_r = strtok_r[text: *mut c_char, delimiters: *const c_char, state: *mut *mut c_char] -> *mut c_char;
    fn __rawmemchr = super::rawmemchr[start: *const c_void, byte: c_int] -> *mut c_void;
    fn __mempcpy = super::mempcpy[to: *mut c_void, from: *const c_void, len: size_t] -> *mut c_void;
}
