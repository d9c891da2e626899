//! What `_FORTIFY_SOURCE` and `assert` call, beside the forms that stand with their functions. LSB; glibc's bits/*2.h.

use crate::pthread::cancel::point;
use crate::{runtime, start, string, sys, unistd};
use alloc::format;
use alloc::string::String;
use core::ffi::{c_char, c_int, c_uint, c_void};
use libc::{nfds_t, off_t, pollfd, sigset_t, size_t, ssize_t, timespec};

/// Ends the process if `need` bytes are more than there is room for.
fn check(need: size_t, room: size_t) {
    if need > room {
        runtime::die("*** buffer overflow detected ***: terminated");
    }
}

/// Bytes that realpath(3) may write.
const PATH_MAX: size_t = 4096;
/// Descriptors of an fd_set.
const FD_SETSIZE: i64 = 1024;

unsafe fn text(from: *const c_char) -> String {
    if from.is_null() { String::new() } else { String::from_utf8_lossy(string::bytes(from)).into_owned() }
}

/// `PROGRAM: FILE:LINE: FUNCTION: what` on standard error, then abort.
unsafe fn assertion(what: &str, file: *const c_char, line: c_uint, function: *const c_char) -> ! {
    let program = text(start::__progname);
    let function = text(function);
    let (colon, function_colon) =
        (if program.is_empty() { "" } else { ": " }, if function.is_empty() { "" } else { ": " });
    runtime::print(&format!("{program}{colon}{}:{line}: {function}{function_colon}{what}\n", text(file)));
    crate::exit::abort_now()
}

c_api! {
    /// What a failed assert(3) calls.
    fn __assert_fail(expression: *const c_char, file: *const c_char, line: c_uint, function: *const c_char) -> ! {
        assertion(&format!("Assertion `{}' failed.", text(expression)), file, line, function)
    }

    /// What a failed assert_perror(3) calls.
    fn __assert_perror_fail(number: c_int, file: *const c_char, line: c_uint, function: *const c_char) -> ! {
        let message = string::errors::text(number);
        assertion(&format!("Unexpected error: {message}."), file, line, function)
    }

    /// What assert(3) of a strictly conforming program calls.
    fn __assert(expression: *const c_char, file: *const c_char, line: c_int) -> ! {
        __assert_fail(expression, file, line as c_uint, core::ptr::null())
    }

    /// [`unistd::read`], checked.
    fn __read_chk(fd: c_int, buf: *mut c_void, len: size_t, room: size_t) -> ssize_t {
        check(len, room);
        unistd::read(fd, buf, len)
    }

    /// [`unistd::pread`], checked.
    fn __pread_chk(fd: c_int, buf: *mut c_void, len: size_t, at: off_t, room: size_t) -> ssize_t {
        check(len, room);
        unistd::pread(fd, buf, len, at)
    }

    /// poll(2), checked.
    fn __poll_chk(fds: *mut pollfd, count: nfds_t, timeout_ms: c_int, room: size_t) -> c_int {
        check((count as size_t).saturating_mul(size_of::<pollfd>()), room);
        crate::errno::int(point(|| sys::poll(fds, count as usize, timeout_ms)))
    }

    /// ppoll(2), checked.
    fn __ppoll_chk(
        fds: *mut pollfd, count: nfds_t, timeout: *const timespec, mask: *const sigset_t, room: size_t,
    ) -> c_int {
        check((count as size_t).saturating_mul(size_of::<pollfd>()), room);
        crate::poll::ppoll(fds, count, timeout, mask)
    }

    /// realpath(3), checked.
    fn __realpath_chk(path: *const c_char, out: *mut c_char, room: size_t) -> *mut c_char {
        check(PATH_MAX, room);
        crate::stdlib::realpath(path, out)
    }

    /// explicit_bzero(3), checked.
    fn __explicit_bzero_chk(to: *mut c_void, len: size_t, room: size_t) {
        check(len, room);
        string::explicit_bzero(to, len);
    }

    /// The word of an fd_set that a descriptor is in, checked: FD_SET(3).
    fn __fdelt_chk(fd: i64) -> i64 {
        if !(0..FD_SETSIZE).contains(&fd) {
            runtime::die("*** bit out of range 0 - FD_SETSIZE on fd_set ***: terminated");
        }
        fd / 64
    }
}

c_alias! {
    fn __pread64_chk = __pread_chk[fd: c_int, buf: *mut c_void, len: size_t, at: off_t, room: size_t] -> ssize_t;
    fn __fdelt_warn = __fdelt_chk[fd: i64] -> i64;
}
