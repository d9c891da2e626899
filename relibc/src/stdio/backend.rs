//! Streams on something other than a descriptor: `fopencookie`. stdio.h.

use super::api::{add_with, mode};
use super::file::File;
use crate::errno;
use core::ffi::{c_char, c_int, c_void};
use core::ptr;

/// What a stream without a descriptor stands on. Each function has the meaning of the system call of that name: it
/// gives a count, a position or 0, or a negated errno.
pub trait Backend {
    /// Reads up to `len` bytes; 0 at the end.
    ///
    /// # Safety
    /// There is that much room at `to`.
    unsafe fn read(&mut self, to: *mut u8, len: usize) -> isize;
    /// Writes `len` bytes; fewer is an error.
    ///
    /// # Safety
    /// There are that many bytes at `from`.
    unsafe fn write(&mut self, from: *const u8, len: usize) -> isize;
    /// Sets and tells the position.
    ///
    /// # Safety
    /// What the stream stands on is still there.
    unsafe fn seek(&mut self, offset: i64, whence: c_int) -> isize;
    /// Ends it.
    ///
    /// # Safety
    /// As [`Self::seek`].
    unsafe fn close(&mut self) -> isize;
}

/// `cookie_io_functions_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Functions {
    read: Option<unsafe extern "C" fn(*mut c_void, *mut u8, usize) -> isize>,
    write: Option<unsafe extern "C" fn(*mut c_void, *const u8, usize) -> isize>,
    seek: Option<unsafe extern "C" fn(*mut c_void, *mut i64, c_int) -> c_int>,
    close: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
}

/// A program's own functions, which set `errno`.
struct Cookie {
    cookie: *mut c_void,
    functions: Functions,
}

/// The result of a program's function as a raw one; errors that say nothing stay what `errno` was.
fn raw(result: isize) -> isize {
    if result < 0 { -(errno::get().max(1) as isize) } else { result }
}

impl Backend for Cookie {
    unsafe fn read(&mut self, to: *mut u8, len: usize) -> isize {
        self.functions.read.map_or(-libc::EBADF as isize, |read| raw(read(self.cookie, to, len)))
    }

    unsafe fn write(&mut self, from: *const u8, len: usize) -> isize {
        match self.functions.write {
            Some(write) => write(self.cookie, from, len).max(0),
            None => -libc::EBADF as isize,
        }
    }

    unsafe fn seek(&mut self, offset: i64, whence: c_int) -> isize {
        let mut position = offset;
        match self.functions.seek {
            None => -libc::ESPIPE as isize,
            Some(seek) if seek(self.cookie, &mut position, whence) < 0 => raw(-1),
            Some(_) => position as isize,
        }
    }

    unsafe fn close(&mut self) -> isize {
        self.functions.close.map_or(0, |close| raw(close(self.cookie) as isize))
    }
}

c_api! {
    /// fopencookie(3). The functions come by value, which for a structure of this size is on the stack.
    fn fopencookie(cookie: *mut c_void, text: *const c_char, functions: Functions) -> *mut File {
        let Some((_, flags)) = mode(text) else {
            errno::set(libc::EINVAL);
            return ptr::null_mut();
        };
        add_with(-1, flags, Some(alloc::boxed::Box::new(Cookie { cookie, functions })))
    }
}
