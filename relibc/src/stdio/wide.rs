//! Wide characters through streams: `wchar.h`'s input and output of single characters and lines, and orientation.
//! fgetwc(3), fputwc(3), ungetwc(3), fgetws(3), fputws(3), fwide(3).
//!
//! A wide stream holds bytes like any other; each function converts by the calling thread's locale.

use super::api::{fgetc, ungetc};
use super::file::{self, EOF, ERROR, File, with};
use crate::errno;
use crate::locale;
use crate::wide::{self, Decoded, WEOF};
use core::ffi::c_int;
use core::ptr;
use libc::wchar_t;

/// Reads a character. WEOF at the end, and with EILSEQ and the stream's error where there is none.
unsafe fn get(file: &mut File) -> u32 {
    if file.orient(1) < 0 {
        return WEOF;
    }
    let charset = locale::current().charset();
    let mut bytes = [0; 6];
    for len in 1..=bytes.len() {
        let Ok(byte) = u8::try_from(fgetc(file)) else {
            if len == 1 {
                return WEOF;
            }
            // glibc calls a character without its end an error, not the end.
            file.flags &= !EOF;
            break;
        };
        bytes[len - 1] = byte;
        match wide::decode(charset, &bytes[..len]) {
            Decoded::Char(wide, _) => return wide,
            Decoded::Incomplete => {}
            Decoded::Illegal(_) => break,
        }
    }
    file.flags |= ERROR;
    errno::set(libc::EILSEQ);
    WEOF
}

/// Writes a character; false with `errno` set.
unsafe fn put(file: &mut File, wide: u32) -> bool {
    if file.orient(1) < 0 {
        return false;
    }
    let mut bytes = [0; 6];
    let charset = locale::current().charset();
    if let Some(len) = wide::encode(charset, wide, &mut bytes) {
        return file.write(&bytes[..len]) == len;
    }
    // As in glibc streams write stand-ins for characters that the charset lacks.
    if let Some(text) = crate::iconv::transliterated(b"WCHAR_T", charset.name().to_bytes(), &wide.to_le_bytes()) {
        return file.write(&text) == text.len();
    }
    file.flags |= ERROR;
    errno::set(libc::EILSEQ);
    false
}

c_api! {
    /// fgetwc(3).
    fn fgetwc(file: *mut File) -> u32 { with(file, |file| get(file)) }

    /// fgetwc(3), without the lock.
    fn fgetwc_unlocked(file: *mut File) -> u32 { get(&mut *file) }

    /// getwchar(3).
    fn getwchar() -> u32 { fgetwc(file::stdin) }

    /// fputwc(3).
    fn fputwc(wide: wchar_t, file: *mut File) -> u32 {
        if with(file, |file| put(file, wide as u32)) { wide as u32 } else { WEOF }
    }

    /// fputwc(3), without the lock.
    fn fputwc_unlocked(wide: wchar_t, file: *mut File) -> u32 {
        if put(&mut *file, wide as u32) { wide as u32 } else { WEOF }
    }

    /// putwchar(3).
    fn putwchar(wide: wchar_t) -> u32 { fputwc(wide, file::stdout) }

    /// ungetwc(3).
    fn ungetwc(wide: u32, file: *mut File) -> u32 {
        let mut bytes = [0; 6];
        if wide == WEOF {
            return WEOF;
        }
        let Some(len) = wide::encode(locale::current().charset(), wide, &mut bytes) else {
            errno::set(libc::EILSEQ);
            return WEOF;
        };
        with(file, |file| {
            file.orient(1);
            for &byte in bytes[..len].iter().rev() {
                if ungetc(c_int::from(byte), file) < 0 {
                    return WEOF;
                }
            }
            wide
        })
    }

    /// fgetws(3).
    fn fgetws(to: *mut wchar_t, room: c_int, file: *mut File) -> *mut wchar_t {
        if room <= 0 {
            return ptr::null_mut();
        }
        with(file, |file| {
            let failed = file.flags & ERROR;
            file.flags &= !ERROR;
            let mut done = 0;
            while done + 1 < room as usize {
                let wide = get(file);
                if wide == WEOF {
                    break;
                }
                *to.add(done) = wide as wchar_t;
                done += 1;
                if wide == u32::from(b'\n') {
                    break;
                }
            }
            let error = file.flags & ERROR != 0;
            file.flags |= failed;
            if error || done == 0 && room > 1 {
                return ptr::null_mut();
            }
            *to.add(done) = 0;
            to
        })
    }

    /// fputws(3).
    fn fputws(text: *const wchar_t, file: *mut File) -> c_int {
        with(file, |file| {
            if file.orient(1) < 0 {
                return -1;
            }
            let all = wide::characters(text).iter().all(|&wide| put(file, wide as u32));
            if all { 1 } else { -1 }
        })
    }

    /// fwide(3).
    fn fwide(file: *mut File, mode: c_int) -> c_int {
        with(file, |file| {
            file.orient(mode)
        })
    }
}

c_alias! {
    fn getwc = fgetwc[file: *mut File] -> u32;
    fn getwc_unlocked = fgetwc_unlocked[file: *mut File] -> u32;
    fn putwc = fputwc[wide: wchar_t, file: *mut File] -> u32;
    fn putwc_unlocked = fputwc_unlocked[wide: wchar_t, file: *mut File] -> u32;
}
