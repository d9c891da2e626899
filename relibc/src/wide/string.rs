//! Wide strings and arrays: `wchar.h`'s forms of `string.h`.

use super::classes::{towlower, towlower_l};
use crate::heap::c_malloc;
use crate::locale::Locale;
use core::cmp::Ordering;
use core::ffi::c_int;
use core::ptr;
use libc::{size_t, wchar_t};

/// A wide string without its NUL.
///
/// # Safety
/// It ends in NUL and lives as long as the result is used.
pub(crate) unsafe fn characters<'a>(text: *const wchar_t) -> &'a [wchar_t] {
    core::slice::from_raw_parts(text, wcslen(text))
}

/// Compares at most `most` characters up to a NUL, as signed numbers.
unsafe fn compare(a: *const wchar_t, b: *const wchar_t, most: size_t, by: impl Fn(wchar_t) -> wchar_t) -> Ordering {
    for at in 0..most {
        let (left, right) = (by(*a.add(at)), by(*b.add(at)));
        if left != right {
            return left.cmp(&right);
        }
        if left == 0 {
            break;
        }
    }
    Ordering::Equal
}

/// As [`compare`] in lower case; the result is the difference.
unsafe fn compare_folded(a: *const wchar_t, b: *const wchar_t, most: size_t, fold: impl Fn(u32) -> u32) -> c_int {
    for at in 0..most {
        let (left, right) = (fold(*a.add(at) as u32) as c_int, fold(*b.add(at) as u32) as c_int);
        if left != right || left == 0 {
            return left.wrapping_sub(right);
        }
    }
    0
}

/// How many characters of `text` in front of the first that `stops`.
unsafe fn span(text: *const wchar_t, stops: impl Fn(wchar_t) -> bool) -> usize {
    let text = characters(text);
    text.iter().position(|&wide| stops(wide)).unwrap_or(text.len())
}

c_api! {
    /// wcslen(3).
    fn wcslen(text: *const wchar_t) -> size_t {
        let mut len = 0;
        while *text.add(len) != 0 {
            len += 1;
        }
        len
    }

    /// wcsnlen(3).
    fn wcsnlen(text: *const wchar_t, most: size_t) -> size_t {
        let mut len = 0;
        while len < most && *text.add(len) != 0 {
            len += 1;
        }
        len
    }

    /// wcscpy(3).
    fn wcscpy(to: *mut wchar_t, from: *const wchar_t) -> *mut wchar_t {
        wcpcpy(to, from);
        to
    }

    /// wcpcpy(3).
    fn wcpcpy(to: *mut wchar_t, from: *const wchar_t) -> *mut wchar_t {
        let len = wcslen(from);
        ptr::copy_nonoverlapping(from, to, len + 1);
        to.add(len)
    }

    /// wcsncpy(3).
    fn wcsncpy(to: *mut wchar_t, from: *const wchar_t, most: size_t) -> *mut wchar_t {
        wcpncpy(to, from, most);
        to
    }

    /// wcpncpy(3).
    fn wcpncpy(to: *mut wchar_t, from: *const wchar_t, most: size_t) -> *mut wchar_t {
        let len = wcsnlen(from, most);
        ptr::copy_nonoverlapping(from, to, len);
        ptr::write_bytes(to.add(len), 0, most - len);
        to.add(len)
    }

    /// wcscat(3).
    fn wcscat(to: *mut wchar_t, from: *const wchar_t) -> *mut wchar_t {
        wcpcpy(to.add(wcslen(to)), from);
        to
    }

    /// wcsncat(3).
    fn wcsncat(to: *mut wchar_t, from: *const wchar_t, most: size_t) -> *mut wchar_t {
        let end = to.add(wcslen(to));
        let len = wcsnlen(from, most);
        ptr::copy_nonoverlapping(from, end, len);
        *end.add(len) = 0;
        to
    }

    /// wcsdup(3).
    fn wcsdup(text: *const wchar_t) -> *mut wchar_t {
        let len = wcslen(text) + 1;
        let copy = c_malloc(len * size_of::<wchar_t>()).cast::<wchar_t>();
        if !copy.is_null() {
            ptr::copy_nonoverlapping(text, copy, len);
        }
        copy
    }

    /// wcscmp(3).
    fn wcscmp(a: *const wchar_t, b: *const wchar_t) -> c_int { compare(a, b, usize::MAX, |wide| wide) as c_int }

    /// wcsncmp(3).
    fn wcsncmp(a: *const wchar_t, b: *const wchar_t, most: size_t) -> c_int { compare(a, b, most, |wide| wide) as c_int }

    /// wcscasecmp(3).
    fn wcscasecmp(a: *const wchar_t, b: *const wchar_t) -> c_int {
        compare_folded(a, b, usize::MAX, |wide| towlower(wide))
    }

    /// wcsncasecmp(3).
    fn wcsncasecmp(a: *const wchar_t, b: *const wchar_t, most: size_t) -> c_int {
        compare_folded(a, b, most, |wide| towlower(wide))
    }

    /// wcscasecmp(3) in a locale.
    fn wcscasecmp_l(a: *const wchar_t, b: *const wchar_t, locale: *mut Locale) -> c_int {
        compare_folded(a, b, usize::MAX, |wide| towlower_l(wide, locale))
    }

    /// wcsncasecmp(3) in a locale.
    fn wcsncasecmp_l(a: *const wchar_t, b: *const wchar_t, most: size_t, locale: *mut Locale) -> c_int {
        compare_folded(a, b, most, |wide| towlower_l(wide, locale))
    }

    /// wcschr(3).
    fn wcschr(text: *const wchar_t, wide: wchar_t) -> *mut wchar_t {
        let at = wcschrnul(text, wide);
        if *at == wide { at } else { ptr::null_mut() }
    }

    /// wcschrnul(3).
    fn wcschrnul(text: *const wchar_t, wide: wchar_t) -> *mut wchar_t {
        let mut at = text;
        while *at != wide && *at != 0 {
            at = at.add(1);
        }
        at.cast_mut()
    }

    /// wcsrchr(3).
    fn wcsrchr(text: *const wchar_t, wide: wchar_t) -> *mut wchar_t {
        let whole = core::slice::from_raw_parts(text, wcslen(text) + 1);
        match whole.iter().rposition(|&other| other == wide) {
            Some(at) => text.add(at).cast_mut(),
            None => ptr::null_mut(),
        }
    }

    /// wcsspn(3).
    fn wcsspn(text: *const wchar_t, accept: *const wchar_t) -> size_t {
        let accept = characters(accept);
        span(text, |wide| !accept.contains(&wide))
    }

    /// wcscspn(3).
    fn wcscspn(text: *const wchar_t, reject: *const wchar_t) -> size_t {
        let reject = characters(reject);
        span(text, |wide| reject.contains(&wide))
    }

    /// wcspbrk(3).
    fn wcspbrk(text: *const wchar_t, accept: *const wchar_t) -> *mut wchar_t {
        let at = text.add(wcscspn(text, accept));
        if *at == 0 { ptr::null_mut() } else { at.cast_mut() }
    }

    /// wcsstr(3).
    fn wcsstr(text: *const wchar_t, wanted: *const wchar_t) -> *mut wchar_t {
        let wanted = characters(wanted);
        let mut at = text;
        loop {
            if wanted.iter().enumerate().all(|(index, wide)| *at.add(index) == *wide) {
                return at.cast_mut();
            }
            if *at == 0 {
                return ptr::null_mut();
            }
            at = at.add(1);
        }
    }

    /// The older name of [`wcsstr`]. glibc.
    fn wcswcs(text: *const wchar_t, wanted: *const wchar_t) -> *mut wchar_t { wcsstr(text, wanted) }

    /// wcstok(3).
    fn wcstok(text: *mut wchar_t, delimiters: *const wchar_t, rest: *mut *mut wchar_t) -> *mut wchar_t {
        let mut start = if text.is_null() { *rest } else { text };
        if start.is_null() {
            return ptr::null_mut();
        }
        start = start.add(wcsspn(start, delimiters));
        if *start == 0 {
            *rest = ptr::null_mut();
            return ptr::null_mut();
        }
        let end = start.add(wcscspn(start, delimiters));
        if *end == 0 {
            *rest = ptr::null_mut();
        } else {
            *end = 0;
            *rest = end.add(1);
        }
        start
    }

    /// wmemchr(3).
    fn wmemchr(start: *const wchar_t, wide: wchar_t, len: size_t) -> *mut wchar_t {
        for at in 0..len {
            if *start.add(at) == wide {
                return start.add(at).cast_mut();
            }
        }
        ptr::null_mut()
    }

    /// wmemcmp(3).
    fn wmemcmp(a: *const wchar_t, b: *const wchar_t, len: size_t) -> c_int {
        core::slice::from_raw_parts(a, len).cmp(core::slice::from_raw_parts(b, len)) as c_int
    }

    /// wmemcpy(3).
    fn wmemcpy(to: *mut wchar_t, from: *const wchar_t, len: size_t) -> *mut wchar_t {
        ptr::copy_nonoverlapping(from, to, len);
        to
    }

    /// wmempcpy(3).
    fn wmempcpy(to: *mut wchar_t, from: *const wchar_t, len: size_t) -> *mut wchar_t {
        ptr::copy_nonoverlapping(from, to, len);
        to.add(len)
    }

    /// wmemmove(3).
    fn wmemmove(to: *mut wchar_t, from: *const wchar_t, len: size_t) -> *mut wchar_t {
        ptr::copy(from, to, len);
        to
    }

    /// wmemset(3).
    fn wmemset(to: *mut wchar_t, wide: wchar_t, len: size_t) -> *mut wchar_t {
        core::slice::from_raw_parts_mut(to, len).fill(wide);
        to
    }
}

c_alias! {
    fn __wcscasecmp_l = wcscasecmp_l[a: *const wchar_t, b: *const wchar_t, locale: *mut Locale] -> c_int;
    fn __wcsncasecmp_l = wcsncasecmp_l[a: *const wchar_t, b: *const wchar_t, most: size_t, locale: *mut Locale] -> c_int;
}
