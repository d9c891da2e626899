//! The functions of the `scanf` family. stdio.h.

use super::file::{self, File, with};
use super::input::{Input, Source};
use super::scan::scan;
use crate::string;
use crate::va::VaList;
use core::ffi::{c_char, c_int};

unsafe fn from_stream(file: *mut File, format: *const c_char, arguments: *mut VaList, old: bool) -> c_int {
    let format = string::bytes(format);
    with(file, |file| scan(Input::new(Source::Stream(file)), format, &mut *arguments, old))
}

unsafe fn from_text(text: *const c_char, format: *const c_char, arguments: *mut VaList, old: bool) -> c_int {
    scan(Input::new(Source::Text(string::bytes(text))), string::bytes(format), &mut *arguments, old)
}

c_api! {
    /// vfscanf(3) as before C99, where `%as` allocates.
    fn vfscanf(file: *mut File, format: *const c_char, arguments: *mut VaList) -> c_int {
        from_stream(file, format, arguments, true)
    }

    /// vscanf(3); see [`vfscanf`].
    fn vscanf(format: *const c_char, arguments: *mut VaList) -> c_int {
        from_stream(file::stdin, format, arguments, true)
    }

    /// vsscanf(3); see [`vfscanf`].
    fn vsscanf(text: *const c_char, format: *const c_char, arguments: *mut VaList) -> c_int {
        from_text(text, format, arguments, true)
    }

    /// vfscanf(3).
    fn __isoc99_vfscanf(file: *mut File, format: *const c_char, arguments: *mut VaList) -> c_int {
        from_stream(file, format, arguments, false)
    }

    /// vscanf(3).
    fn __isoc99_vscanf(format: *const c_char, arguments: *mut VaList) -> c_int {
        from_stream(file::stdin, format, arguments, false)
    }

    /// vsscanf(3).
    fn __isoc99_vsscanf(text: *const c_char, format: *const c_char, arguments: *mut VaList) -> c_int {
        from_text(text, format, arguments, false)
    }
}

c_variadic! {
    /// scanf(3); see [`vfscanf`].
    fn scanf = vscanf, 1, "rsi";
    /// fscanf(3); see [`vfscanf`].
    fn fscanf = vfscanf, 2, "rdx";
    /// sscanf(3); see [`vfscanf`].
    fn sscanf = vsscanf, 2, "rdx";
    /// scanf(3).
    fn __isoc99_scanf = __isoc99_vscanf, 1, "rsi";
    /// fscanf(3).
    fn __isoc99_fscanf = __isoc99_vfscanf, 2, "rdx";
    /// sscanf(3).
    fn __isoc99_sscanf = __isoc99_vsscanf, 2, "rdx";
}
