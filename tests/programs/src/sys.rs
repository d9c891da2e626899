//! All unsafe code of the test programs, behind functions that are safe to call.
#![allow(unsafe_code, reason = "C functions, raw system calls and deliberate faults; each block says why it is sound")]

pub mod fault;
pub mod mapping;
pub mod native;
pub mod process;

use std::io;

/// −1 is the error in errno.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
