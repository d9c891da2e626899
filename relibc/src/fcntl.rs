//! `fcntl.h`, `sys/ioctl.h`, `sys/file.h`: opening and controlling descriptors.
//!
//! The variadic functions take their optional argument as an ordinary one: on x86-64 an integer or
//! pointer comes in the same register either way.

use crate::errno::{self, int, long};
use crate::pthread::cancel::point;
use crate::sys;
use core::ffi::{c_char, c_int, c_uint, c_ulong};
use libc::{mode_t, off_t, size_t, ssize_t};

/// The mode that counts: only a call that may create a file has one.
fn mode_of(flags: c_int, mode: mode_t) -> mode_t {
    if flags & libc::O_CREAT != 0 || flags & libc::O_TMPFILE == libc::O_TMPFILE { mode } else { 0 }
}

c_api! {
    /// open(2).
    fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        int(point(|| sys::openat(libc::AT_FDCWD, path, flags, mode_of(flags, mode))))
    }

    /// openat(2).
    fn openat(dir: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        int(point(|| sys::openat(dir, path, flags, mode_of(flags, mode))))
    }

    /// creat(2).
    fn creat(path: *const c_char, mode: mode_t) -> c_int {
        open(path, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, mode)
    }

    /// fcntl(2).
    fn fcntl(fd: c_int, command: c_int, argument: usize) -> c_int { if command == libc::F_SETLKW || command == libc::F_OFD_SETLKW {
            return int(point(|| sys::fcntl(fd, command, argument)));
        }
        int(sys::fcntl(fd, command, argument)) }

    /// ioctl(2).
    fn ioctl(fd: c_int, request: c_ulong, argument: usize) -> c_int {
        int(sys::ioctl(fd, request as usize, argument))
    }

    /// flock(2).
    fn flock(fd: c_int, operation: c_int) -> c_int { int(sys::flock(fd, operation)) }

    /// fallocate(2).
    fn fallocate(fd: c_int, mode: c_int, at: off_t, len: off_t) -> c_int { int(sys::fallocate(fd, mode, at, len)) }

    /// posix_fallocate(3).
    fn posix_fallocate(fd: c_int, at: off_t, len: off_t) -> c_int { errno::code(sys::fallocate(fd, 0, at, len)) }

    /// posix_fadvise(2).
    fn posix_fadvise(fd: c_int, at: off_t, len: off_t, advice: c_int) -> c_int {
        errno::code(sys::call(libc::SYS_fadvise64, [fd as usize, at as usize, len as usize, advice as usize, 0, 0]))
    }

    /// sendfile(2).
    fn sendfile(to: c_int, from: c_int, offset: *mut off_t, len: size_t) -> ssize_t {
        long(sys::sendfile(to, from, offset, len))
    }

    /// splice(2).
    fn splice(from: c_int, from_at: *mut off_t, to: c_int, to_at: *mut off_t, len: size_t, flags: c_uint) -> ssize_t {
        long(sys::splice(from, from_at, to, to_at, len, flags))
    }

    /// copy_file_range(2).
    fn copy_file_range(from: c_int, from_at: *mut off_t, to: c_int, to_at: *mut off_t, len: size_t, flags: c_uint) -> ssize_t {
        long(sys::copy_file_range(from, from_at, to, to_at, len, flags))
    }

    /// Fortified open: without a mode it must not create. LSB.
    fn __open64_2(path: *const c_char, flags: c_int) -> c_int { open(path, flags, 0) }

    /// Fortified openat. LSB.
    fn __openat64_2(dir: c_int, path: *const c_char, flags: c_int) -> c_int { openat(dir, path, flags, 0) }
}

c_alias! {
    fn open64 = open[path: *const c_char, flags: c_int, mode: mode_t] -> c_int;
    fn __open64 = open[path: *const c_char, flags: c_int, mode: mode_t] -> c_int;
    fn openat64 = openat[dir: c_int, path: *const c_char, flags: c_int, mode: mode_t] -> c_int;
    fn creat64 = creat[path: *const c_char, mode: mode_t] -> c_int;
    fn fcntl64 = fcntl[fd: c_int, command: c_int, argument: usize] -> c_int;
    fn __open_2 = __open64_2[path: *const c_char, flags: c_int] -> c_int;
    fn __openat_2 = __openat64_2[dir: c_int, path: *const c_char, flags: c_int] -> c_int;
    fn fallocate64 = fallocate[fd: c_int, mode: c_int, at: off_t, len: off_t] -> c_int;
    fn posix_fallocate64 = posix_fallocate[fd: c_int, at: off_t, len: off_t] -> c_int;
    fn posix_fadvise64 = posix_fadvise[fd: c_int, at: off_t, len: off_t, advice: c_int] -> c_int;
    fn sendfile64 = sendfile[to: c_int, from: c_int, offset: *mut off_t, len: size_t] -> ssize_t;
}
