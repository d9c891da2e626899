//! `uchar.h`: UTF-16 and UTF-32 units. mbrtoc16(3), c16rtomb(3), mbrtoc32(3), c32rtomb(3).

use super::State;
use super::single::{ILLEGAL, mbrtowc, state_or, wcrtomb};
use crate::errno;
use core::ffi::c_char;
use core::ptr;
use libc::{size_t, wchar_t};

static mut READING_16: State = State { count: 0, value: 0 };
static mut READING_32: State = State { count: 0, value: 0 };
static mut WRITING_16: State = State { count: 0, value: 0 };

/// In a state's count: half of a pair stands in its value.
const HALF: u32 = 0x8000_0000;

c_api! {
    /// mbrtoc32(3).
    fn mbrtoc32(to: *mut u32, from: *const c_char, len: size_t, state: *mut State) -> size_t {
        mbrtowc(to.cast(), from, len, state_or(state, &raw mut READING_32))
    }

    /// c32rtomb(3).
    fn c32rtomb(to: *mut c_char, unit: u32, state: *mut State) -> size_t { wcrtomb(to, unit as wchar_t, state) }

    /// mbrtoc16(3): −3 gives the second half of a pair.
    fn mbrtoc16(to: *mut u16, from: *const c_char, len: size_t, state: *mut State) -> size_t {
        let state = state_or(state, &raw mut READING_16);
        let (to, from, len) = if from.is_null() { (ptr::null_mut(), c"".as_ptr(), 1) } else { (to, from, len) };
        if (*state).count & HALF != 0 {
            (*state).count &= !HALF;
            if !to.is_null() {
                *to = (*state).value as u16;
            }
            (*state).value = 0;
            return usize::MAX - 2;
        }
        let mut wide: wchar_t = 0;
        let used = mbrtowc(&raw mut wide, from, len, state);
        if used > 6 {
            return used;
        }
        let wide = wide as u32;
        let unit = if wide < 0x1_0000 {
            wide
        } else {
            *state = State { count: HALF, value: 0xdc00 + (wide & 0x3ff) };
            0xd7c0 + (wide >> 10)
        };
        if !to.is_null() {
            *to = unit as u16;
        }
        used
    }

    /// c16rtomb(3): the first half of a pair gives no bytes.
    fn c16rtomb(to: *mut c_char, unit: u16, state: *mut State) -> size_t {
        let state = state_or(state, &raw mut WRITING_16);
        if to.is_null() {
            (*state).count &= !HALF;
            return wcrtomb(ptr::null_mut(), 0, state);
        }
        if (*state).count & HALF != 0 {
            if !(0xdc00..0xe000).contains(&unit) {
                errno::set(libc::EILSEQ);
                return ILLEGAL;
            }
            let wide = 0x1_0000 + (((*state).value & 0x3ff) << 10) + u32::from(unit & 0x3ff);
            *state = State::default();
            return wcrtomb(to, wide as wchar_t, state);
        }
        if (0xd800..0xdc00).contains(&unit) {
            *state = State { count: HALF, value: u32::from(unit) };
            return 0;
        }
        wcrtomb(to, wchar_t::from(unit), state)
    }
}
