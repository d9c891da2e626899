//! One character between bytes and wide: mbrtowc(3), wcrtomb(3) and their kin.

use super::{Decoded, State, WEOF, decode, encode};
use crate::errno;
use crate::locale::{self, Charset};
use core::ffi::{c_char, c_int};
use core::ptr;
use libc::{size_t, wchar_t};

/// "Illegal", as mbrtowc returns it.
pub(super) const ILLEGAL: size_t = usize::MAX;
/// "Incomplete".
pub(super) const INCOMPLETE: size_t = usize::MAX - 1;

/// Reads on from a state: the character with how many of `bytes` it took, or one of the two errors. The state stays as it is on
/// an illegal one.
pub(super) fn read(charset: Charset, state: &mut State, bytes: &[u8]) -> Result<(u32, usize), size_t> {
    if bytes.is_empty() {
        return Err(INCOMPLETE);
    }
    if state.count == 0 {
        return match decode(charset, bytes) {
            Decoded::Char(wide, len) => Ok((wide, len)),
            Decoded::Illegal(_) => Err(ILLEGAL),
            Decoded::Incomplete => {
                *state = State::unfinished(bytes);
                Err(INCOMPLETE)
            }
        };
    }
    let (mut whole, have) = state.bytes();
    let now = bytes.len().min(whole.len() - have);
    whole[have..have + now].copy_from_slice(&bytes[..now]);
    match decode(charset, &whole[..have + now]) {
        // A length below what was there would mean a forged state.
        Decoded::Char(wide, len) if len > have => {
            *state = State::default();
            Ok((wide, len - have))
        }
        Decoded::Incomplete => {
            *state = State::unfinished(&whole[..have + now]);
            Err(INCOMPLETE)
        }
        _ => Err(ILLEGAL),
    }
}

static mut READING: State = State { count: 0, value: 0 };
static mut READING_INT: State = State { count: 0, value: 0 };
static mut MEASURING: State = State { count: 0, value: 0 };

/// The state to use: the program's, or the function's own.
pub(super) unsafe fn state_or(state: *mut State, own: *mut State) -> *mut State {
    if state.is_null() { own } else { state }
}

c_api! {
    /// mbrtowc(3).
    fn mbrtowc(to: *mut wchar_t, from: *const c_char, len: size_t, state: *mut State) -> size_t {
        let state = &mut *state_or(state, &raw mut READING);
        let (to, from, len) = if from.is_null() { (ptr::null_mut(), c"".as_ptr(), 1) } else { (to, from, len) };
        match read(locale::current().charset(), state, core::slice::from_raw_parts(from.cast(), near(from, len))) {
            Ok((wide, used)) => {
                if !to.is_null() {
                    *to = wide as wchar_t;
                }
                if wide == 0 { 0 } else { used }
            }
            Err(ILLEGAL) => {
                errno::set(libc::EILSEQ);
                ILLEGAL
            }
            Err(other) => other,
        }
    }

    /// mbrlen(3).
    fn mbrlen(from: *const c_char, len: size_t, state: *mut State) -> size_t {
        mbrtowc(ptr::null_mut(), from, len, state_or(state, &raw mut MEASURING))
    }

    /// mbtowc(3). As in glibc it goes on with a character that an earlier call left unfinished.
    fn mbtowc(to: *mut wchar_t, from: *const c_char, len: size_t) -> c_int {
        if from.is_null() {
            READING_INT = State::default();
            return 0;
        }
        if len == 0 {
            return -1;
        }
        match mbrtowc(to, from, len, &raw mut READING_INT) {
            ILLEGAL | INCOMPLETE => -1,
            used => used as c_int,
        }
    }

    /// mblen(3).
    fn mblen(from: *const c_char, len: size_t) -> c_int {
        if from.is_null() {
            return 0;
        }
        if len == 0 {
            return -1;
        }
        if *from == 0 {
            return 0;
        }
        let mut state = State::default();
        match mbrtowc(ptr::null_mut(), from, len, &mut state) {
            ILLEGAL | INCOMPLETE => -1,
            used => used as c_int,
        }
    }

    /// wcrtomb(3).
    fn wcrtomb(to: *mut c_char, wide: wchar_t, _state: *mut State) -> size_t {
        let wide = if to.is_null() { 0 } else { wide };
        let mut bytes = [0; 6];
        let Some(len) = encode(locale::current().charset(), wide as u32, &mut bytes) else {
            errno::set(libc::EILSEQ);
            return ILLEGAL;
        };
        if !to.is_null() {
            ptr::copy_nonoverlapping(bytes.as_ptr().cast(), to, len);
        }
        len
    }

    /// wctomb(3).
    fn wctomb(to: *mut c_char, wide: wchar_t) -> c_int {
        if to.is_null() {
            return 0;
        }
        wcrtomb(to, wide, ptr::null_mut()) as c_int
    }

    /// btowc(3).
    fn btowc(byte: c_int) -> u32 {
        if (0..0x80).contains(&byte) { byte as u32 } else { WEOF }
    }

    /// wctob(3).
    fn wctob(wide: u32) -> c_int {
        if wide < 0x80 { wide as c_int } else { -1 }
    }

    /// mbsinit(3).
    fn mbsinit(state: *const State) -> c_int {
        (state.is_null() || (*state).count == 0) as c_int
    }

    /// MB_CUR_MAX. LSB.
    fn __ctype_get_mb_cur_max() -> size_t { locale::current().charset().longest() }
}

c_alias! {
    fn __mbrlen = mbrlen[from: *const c_char, len: size_t, state: *mut State] -> size_t;
    fn __mbrtowc = mbrtowc[to: *mut wchar_t, from: *const c_char, len: size_t, state: *mut State] -> size_t;
}

/// How many of at most `len` bytes a character may need: not beyond the first that ends a string or does not go on.
unsafe fn near(from: *const c_char, len: size_t) -> usize {
    let len = len.min(6);
    let mut at = 0;
    while at < len {
        let byte = *from.add(at) as u8;
        at += 1;
        if byte < 0x80 {
            break;
        }
    }
    at
}
