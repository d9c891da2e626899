//! What the errors of `netdb.h` are called. gai_strerror(3), hstrerror(3).

use crate::resolver::{error, state};
use crate::{string, sys};
use core::ffi::{CStr, c_char, c_int};

/// The text of an `h_errno`.
fn host_error(number: c_int) -> &'static CStr {
    match number {
        ..error::NETDB_INTERNAL | error::NETDB_INTERNAL => c"Resolver internal error",
        0 => c"Resolver Error 0 (no error)",
        error::HOST_NOT_FOUND => c"Unknown host",
        error::TRY_AGAIN => c"Host name lookup failure",
        error::NO_RECOVERY => c"Unknown server error",
        error::NO_DATA => c"No address associated with name",
        _ => c"Unknown resolver error",
    }
}

c_api! {
    /// gai_strerror(3).
    fn gai_strerror(error: c_int) -> *const c_char {
        let text = match error {
            -9 => c"Address family for hostname not supported",
            libc::EAI_AGAIN => c"Temporary failure in name resolution",
            libc::EAI_BADFLAGS => c"Bad value for ai_flags",
            libc::EAI_FAIL => c"Non-recoverable failure in name resolution",
            libc::EAI_FAMILY => c"ai_family not supported",
            libc::EAI_MEMORY => c"Memory allocation failure",
            libc::EAI_NODATA => c"No address associated with hostname",
            libc::EAI_NONAME => c"Name or service not known",
            libc::EAI_SERVICE => c"Servname not supported for ai_socktype",
            libc::EAI_SOCKTYPE => c"ai_socktype not supported",
            libc::EAI_SYSTEM => c"System error",
            -100 => c"Processing request in progress",
            -101 => c"Request canceled",
            -102 => c"Request not canceled",
            -103 => c"All requests done",
            -104 => c"Interrupted by a signal",
            -105 => c"Parameter string not correctly encoded",
            _ => c"Unknown error",
        };
        text.as_ptr()
    }

    /// hstrerror(3).
    fn hstrerror(number: c_int) -> *const c_char { host_error(number).as_ptr() }

    /// herror(3).
    fn herror(prefix: *const c_char) {
        let prefix: &[u8] = if prefix.is_null() { b"" } else { string::bytes(prefix) };
        let colon: &[u8] = if prefix.is_empty() { b"" } else { b": " };
        let text = host_error(*state::__h_errno_location()).to_bytes();
        let line = [prefix, colon, text, b"\n"].concat();
        sys::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len());
    }
}
