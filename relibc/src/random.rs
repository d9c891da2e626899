//! `sys/random.h`: the kernel's random numbers.

use crate::errno::{self, long};
use crate::sys;
use core::ffi::{c_int, c_uint, c_void};
use libc::{size_t, ssize_t};

/// Most that getentropy gives. getentropy(3).
const ENTROPY_MAX: usize = 256;

c_api! {
    /// getrandom(2).
    fn getrandom(out: *mut c_void, len: size_t, flags: c_uint) -> ssize_t { long(sys::getrandom(out, len, flags)) }

    /// getentropy(3).
    fn getentropy(out: *mut c_void, len: size_t) -> c_int {
        if len > ENTROPY_MAX {
            return errno::fail(libc::EIO);
        }
        let mut done = 0;
        while done < len {
            match sys::result(sys::getrandom(out.byte_add(done), len - done, 0)) {
                Ok(count) => done += count,
                Err(libc::EINTR) => {}
                Err(errno) => return errno::fail(errno),
            }
        }
        0
    }
}
