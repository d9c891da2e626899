//! `errno`, and turning raw results into it. `errno.h`.

use crate::thread;
use core::ffi::{c_int, c_long};

/// Sets the calling thread's `errno`.
#[inline]
pub fn set(errno: c_int) {
    // SAFETY: a thread's own block is alive and only it writes this field.
    unsafe { (*thread::current()).errno = errno };
}

/// The calling thread's `errno`.
#[inline]
pub fn get() -> c_int {
    // SAFETY: as in `set`.
    unsafe { (*thread::current()).errno }
}

/// Sets `errno` and returns −1.
#[cold]
pub fn fail(errno: c_int) -> c_int {
    set(errno);
    -1
}

/// A raw result as C functions return it: the value, or −1 with `errno` set.
#[inline]
pub fn long(raw: isize) -> isize {
    if (-4095..0).contains(&raw) {
        set(-raw as c_int);
        -1
    } else {
        raw
    }
}

/// [`long`] for functions that return `int`.
#[inline]
pub fn int(raw: isize) -> c_int {
    long(raw) as c_int
}

/// A raw result as pthread functions return it: 0, or the error number.
#[inline]
pub fn code(raw: isize) -> c_int {
    if raw < 0 { -raw as c_int } else { 0 }
}

c_api! {
    /// Where `errno` is.
    fn __errno_location() -> *mut c_int {
        &raw mut (*thread::current()).errno
    }

    /// The Linux system call `number`, whatever the back end. syscall(2).
    fn syscall(number: c_long, a: usize, b: usize, c: usize, d: usize, e: usize, f: usize) -> c_long {
        long(crate::sys::call(number, [a, b, c, d, e, f])) as c_long
    }
}
