//! `error.h` and `err.h`: messages about errors, to standard error.

use crate::start::{program_invocation_name, program_invocation_short_name};
use crate::stdio::api::{fflush, fwrite};
use crate::stdio::{file, format::format};
use crate::string::{self, errors};
use crate::va::VaList;
use crate::{errno, exit};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_uint};
use core::ptr;

/// How many messages [`error`] has written.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut error_message_count: c_uint = 0;

/// Not 0: [`error_at_line`] writes one message for a line.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut error_one_per_line: c_int = 0;

/// Writes the program's name in place of [`error`].
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut error_print_progname: Option<unsafe extern "C" fn()> = None;

/// The place of the last message of [`error_at_line`].
static mut LAST: (*const c_char, c_uint) = (ptr::null(), 0);

/// Writes a message in one piece.
unsafe fn write(bytes: &[u8]) {
    fwrite(bytes.as_ptr().cast(), 1, bytes.len(), file::stderr);
}

/// The name, if the program does not write it itself, and what stands behind it.
unsafe fn head(behind: &[u8]) -> Vec<u8> {
    fflush(file::stdout);
    match error_print_progname {
        Some(print) => {
            print();
            Vec::new()
        }
        None => [string::bytes(program_invocation_name), behind].concat(),
    }
}

/// The message, what `number` means, and the end.
unsafe fn tail(mut message: Vec<u8>, status: c_int, number: c_int, text: *const c_char, arguments: *mut VaList) {
    format(&mut message, text, arguments);
    error_message_count = error_message_count.wrapping_add(1);
    if number != 0 {
        message.extend_from_slice(b": ");
        message.extend_from_slice(string::bytes(errors::strerror(number)));
    }
    message.push(b'\n');
    write(&message);
    fflush(file::stderr);
    if status != 0 {
        exit::exit(status);
    }
}

unsafe extern "C" fn verror(status: c_int, number: c_int, text: *const c_char, arguments: *mut VaList) {
    tail(head(b": "), status, number, text, arguments);
}

unsafe extern "C" fn verror_at_line(
    status: c_int,
    number: c_int,
    name: *const c_char,
    line: c_uint,
    text: *const c_char,
    arguments: *mut VaList,
) {
    if error_one_per_line != 0 {
        let (before, at) = LAST;
        let same =
            before == name || !before.is_null() && !name.is_null() && string::bytes(before) == string::bytes(name);
        if at == line && same {
            return;
        }
        LAST = (name, line);
    }
    let mut message = head(b":");
    if name.is_null() {
        message.push(b' ');
    } else {
        message.extend_from_slice(string::bytes(name));
        message.extend_from_slice(alloc::format!(":{line}: ").as_bytes());
    }
    tail(message, status, number, text, arguments);
}

unsafe fn warning(text: *const c_char, arguments: *mut VaList, number: Option<c_int>) {
    let mut message = [string::bytes(program_invocation_short_name), b": "].concat();
    if !text.is_null() {
        format(&mut message, text, arguments);
        if number.is_some() {
            message.extend_from_slice(b": ");
        }
    }
    if let Some(number) = number {
        message.extend_from_slice(string::bytes(errors::strerror(number)));
    }
    message.push(b'\n');
    write(&message);
}

c_api! {
    /// vwarn(3).
    fn vwarn(text: *const c_char, arguments: *mut VaList) { warning(text, arguments, Some(errno::get())); }

    /// vwarnx(3).
    fn vwarnx(text: *const c_char, arguments: *mut VaList) { warning(text, arguments, None); }

    /// verr(3).
    fn verr(status: c_int, text: *const c_char, arguments: *mut VaList) {
        vwarn(text, arguments);
        exit::exit(status);
    }

    /// verrx(3).
    fn verrx(status: c_int, text: *const c_char, arguments: *mut VaList) {
        vwarnx(text, arguments);
        exit::exit(status);
    }
}

c_variadic! {
    /// error(3).
    fn error = verror, 3, "rcx";
    /// error_at_line(3).
    fn error_at_line = verror_at_line, 5, "r9";
    /// warn(3).
    fn warn = vwarn, 1, "rsi";
    /// warnx(3).
    fn warnx = vwarnx, 1, "rsi";
    /// err(3).
    fn err = verr, 2, "rdx";
    /// errx(3).
    fn errx = verrx, 2, "rdx";
}
