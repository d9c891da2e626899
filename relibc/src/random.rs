//! Random numbers: the kernel's (`sys/random.h`, arc4random(3)), and the generators of `stdlib.h`.

pub mod additive;
pub mod linear;

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

    /// arc4random_buf(3). Ends the process if the kernel gives no random numbers.
    fn arc4random_buf(out: *mut c_void, len: size_t) {
        let mut done = 0;
        while done < len {
            match sys::result(sys::getrandom(out.byte_add(done), len - done, 0)) {
                Ok(count) => done += count,
                Err(libc::EINTR) => {}
                Err(_) => crate::runtime::die("no random numbers"),
            }
        }
    }

    /// arc4random(3).
    fn arc4random() -> c_uint {
        let mut value = 0;
        arc4random_buf((&raw mut value).cast(), size_of::<c_uint>());
        value
    }

    /// arc4random_uniform(3).
    fn arc4random_uniform(bound: c_uint) -> c_uint {
        if bound < 2 {
            return 0;
        }
        // Values below this would make small results likelier.
        let least = bound.wrapping_neg() % bound;
        loop {
            let value = arc4random();
            if value >= least {
                return value % bound;
            }
        }
    }
}
