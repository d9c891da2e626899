//! Printing to memory: `snprintf` and its like. stdio.h.

use super::format::{Sink, format};
use crate::heap::c_malloc;
use crate::va::VaList;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};
use core::ptr;
use libc::size_t;

/// A C buffer; what does not fit is dropped.
struct Bounded {
    at: *mut u8,
    /// Bytes left, without the final NUL's.
    room: usize,
}

impl Sink for Bounded {
    fn put(&mut self, bytes: &[u8]) -> bool {
        let count = bytes.len().min(self.room);
        // SAFETY: the caller of the C function gave that much room. Source and buffer may overlap.
        unsafe {
            ptr::copy(bytes.as_ptr(), self.at, count);
            self.at = self.at.add(count);
        }
        self.room -= count;
        true
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) -> bool {
        if self.try_reserve(bytes.len()).is_err() {
            crate::errno::set(libc::ENOMEM);
            return false;
        }
        self.extend_from_slice(bytes);
        true
    }
}

c_api! {
    /// vsnprintf(3).
    fn vsnprintf(to: *mut c_char, room: size_t, text: *const c_char, arguments: *mut VaList) -> c_int {
        let mut sink = Bounded { at: to.cast(), room: room.saturating_sub(1) };
        let count = format(&mut sink, text, arguments);
        if room > 0 {
            *sink.at = 0;
        }
        count
    }

    /// vsprintf(3).
    fn vsprintf(to: *mut c_char, text: *const c_char, arguments: *mut VaList) -> c_int {
        vsnprintf(to, usize::MAX, text, arguments)
    }

    /// vasprintf(3).
    fn vasprintf(out: *mut *mut c_char, text: *const c_char, arguments: *mut VaList) -> c_int {
        let mut bytes = Vec::new();
        let count = format(&mut bytes, text, arguments);
        if count < 0 {
            return -1;
        }
        let block = c_malloc(bytes.len() + 1).cast::<u8>();
        if block.is_null() {
            return crate::errno::fail(libc::ENOMEM);
        }
        ptr::copy_nonoverlapping(bytes.as_ptr(), block, bytes.len());
        *block.add(bytes.len()) = 0;
        *out = block.cast();
        count
    }

    /// [`vsnprintf`] with the buffer's true size. LSB.
    fn __vsnprintf_chk(to: *mut c_char, room: size_t, _flag: c_int, size: size_t, text: *const c_char, arguments: *mut VaList) -> c_int {
        if size < room {
            crate::runtime::die("buffer overflow detected");
        }
        vsnprintf(to, room, text, arguments)
    }

    /// [`vsprintf`] with the buffer's size. LSB.
    fn __vsprintf_chk(to: *mut c_char, _flag: c_int, size: size_t, text: *const c_char, arguments: *mut VaList) -> c_int {
        let count = vsnprintf(to, size, text, arguments);
        if count >= 0 && count as usize >= size {
            crate::runtime::die("buffer overflow detected");
        }
        count
    }

    /// [`vasprintf`]. LSB.
    fn __vasprintf_chk(out: *mut *mut c_char, _flag: c_int, text: *const c_char, arguments: *mut VaList) -> c_int {
        vasprintf(out, text, arguments)
    }
}

c_variadic! {
    /// snprintf(3).
    fn snprintf = vsnprintf, 3, "rcx";
    /// sprintf(3).
    fn sprintf = vsprintf, 2, "rdx";
    /// asprintf(3).
    fn asprintf = vasprintf, 2, "rdx";
    /// [`snprintf`] with the buffer's true size. LSB.
    fn __snprintf_chk = __vsnprintf_chk, 5, "r9";
    /// [`sprintf`] with the buffer's size. LSB.
    fn __sprintf_chk = __vsprintf_chk, 4, "r8";
    /// [`asprintf`]. LSB.
    fn __asprintf_chk = __vasprintf_chk, 3, "rcx";
}
