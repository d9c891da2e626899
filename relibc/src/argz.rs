//! `argz.h`, `envz.h`: vectors of strings in one block, each ending in NUL. glibc's manual, "Argz Functions".

use crate::heap::{c_free, c_malloc, realloc};
use crate::string;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};
use core::ptr;
use libc::size_t;

unsafe fn set(argz: *mut *mut c_char, len: *mut size_t, bytes: &[u8]) -> c_int {
    if bytes.is_empty() {
        (*argz, *len) = (ptr::null_mut(), 0);
        return 0;
    }
    let block = c_malloc(bytes.len()).cast::<u8>();
    if block.is_null() {
        return libc::ENOMEM;
    }
    ptr::copy_nonoverlapping(bytes.as_ptr(), block, bytes.len());
    (*argz, *len) = (block.cast(), bytes.len());
    0
}

c_api! {
    /// argz_create(3).
    fn argz_create(argv: *const *const c_char, argz: *mut *mut c_char, len: *mut size_t) -> c_int {
        let mut bytes = Vec::new();
        let mut at = argv;
        while !(*at).is_null() {
            bytes.extend_from_slice(string::bytes(*at));
            bytes.push(0);
            at = at.add(1);
        }
        set(argz, len, &bytes)
    }

    /// argz_create_sep(3). Several separators in a row count as one; one at the end
    /// leaves an empty string there, as in glibc.
    fn argz_create_sep(text: *const c_char, separator: c_int, argz: *mut *mut c_char, len: *mut size_t) -> c_int {
        let text = string::bytes(text);
        let mut bytes = Vec::new();
        for &byte in text {
            if byte != separator as u8 {
                bytes.push(byte);
            } else if bytes.last().is_some_and(|&last| last != 0) {
                bytes.push(0);
            }
        }
        if !text.is_empty() {
            bytes.push(0);
        }
        set(argz, len, &bytes)
    }

    /// argz_count(3).
    fn argz_count(argz: *const c_char, len: size_t) -> size_t {
        (0..len).filter(|&at| *argz.add(at) == 0).count()
    }

    /// argz_extract(3).
    fn argz_extract(argz: *const c_char, len: size_t, argv: *mut *mut c_char) {
        let mut argv = argv;
        let mut at = 0;
        while at < len {
            *argv = argz.add(at).cast_mut();
            argv = argv.add(1);
            at += string::len(argz.add(at)) + 1;
        }
        *argv = ptr::null_mut();
    }

    /// argz_stringify(3).
    fn argz_stringify(argz: *mut c_char, len: size_t, separator: c_int) {
        for at in 0..len.saturating_sub(1) {
            if *argz.add(at) == 0 {
                *argz.add(at) = separator as c_char;
            }
        }
    }

    /// argz_append(3).
    fn argz_append(argz: *mut *mut c_char, len: *mut size_t, more: *const c_char, more_len: size_t) -> c_int {
        let block = realloc((*argz).cast(), (*len + more_len).max(1)).cast::<c_char>();
        if block.is_null() {
            return libc::ENOMEM;
        }
        ptr::copy_nonoverlapping(more, block.add(*len), more_len);
        (*argz, *len) = (block, *len + more_len);
        0
    }

    /// argz_add(3).
    fn argz_add(argz: *mut *mut c_char, len: *mut size_t, text: *const c_char) -> c_int {
        argz_append(argz, len, text, string::len(text) + 1)
    }

    /// argz_next(3).
    fn argz_next(argz: *const c_char, len: size_t, entry: *const c_char) -> *mut c_char {
        if entry.is_null() {
            return if len > 0 { argz.cast_mut() } else { ptr::null_mut() };
        }
        let next = entry.add(string::len(entry) + 1);
        if next >= argz.add(len) { ptr::null_mut() } else { next.cast_mut() }
    }

    /// argz_insert(3).
    fn argz_insert(argz: *mut *mut c_char, len: *mut size_t, before: *mut c_char, text: *const c_char) -> c_int {
        let mut before = before;
        if before.is_null() {
            return argz_add(argz, len, text);
        }
        if before < *argz || before >= (*argz).add(*len) {
            return libc::EINVAL;
        }
        while before > *argz && *before.sub(1) != 0 {
            before = before.sub(1);
        }
        let (at, size) = (before.offset_from_unsigned(*argz), string::len(text) + 1);
        let block = realloc((*argz).cast(), *len + size).cast::<c_char>();
        if block.is_null() {
            return libc::ENOMEM;
        }
        ptr::copy(block.add(at), block.add(at + size), *len - at);
        ptr::copy_nonoverlapping(text, block.add(at), size);
        (*argz, *len) = (block, *len + size);
        0
    }

    /// argz_delete(3).
    fn argz_delete(argz: *mut *mut c_char, len: *mut size_t, entry: *mut c_char) {
        if entry.is_null() {
            return;
        }
        let size = string::len(entry) + 1;
        let behind = (*argz).add(*len).offset_from_unsigned(entry) - size;
        ptr::copy(entry.add(size), entry, behind);
        *len -= size;
        if *len == 0 {
            c_free((*argz).cast());
            *argz = ptr::null_mut();
        }
    }
}
