//! `sys/mman.h`.

use crate::errno::{self, int};
use crate::pthread::cancel::point;
use crate::sys;
use core::ffi::{c_char, c_int, c_uint, c_void};
use libc::{off_t, size_t};

/// A raw result as a pointer, or MAP_FAILED.
fn pointer(raw: isize) -> *mut c_void {
    match sys::result(raw) {
        Ok(address) => address as *mut c_void,
        Err(errno) => {
            errno::set(errno);
            libc::MAP_FAILED
        }
    }
}

c_api! {
    /// mmap(2).
    fn mmap(at: *mut c_void, len: size_t, prot: c_int, flags: c_int, fd: c_int, offset: off_t) -> *mut c_void {
        pointer(sys::mmap(at, len, prot, flags, fd, offset))
    }

    /// munmap(2).
    fn munmap(at: *mut c_void, len: size_t) -> c_int { int(sys::munmap(at, len)) }

    /// mprotect(2).
    fn mprotect(at: *mut c_void, len: size_t, prot: c_int) -> c_int { int(sys::mprotect(at, len, prot)) }

    /// mremap(2).
    fn mremap(at: *mut c_void, len: size_t, new_len: size_t, flags: c_int, new_at: *mut c_void) -> *mut c_void {
        pointer(sys::mremap(at, len, new_len, flags, new_at))
    }

    /// madvise(2).
    fn madvise(at: *mut c_void, len: size_t, advice: c_int) -> c_int { int(sys::madvise(at, len, advice)) }

    /// posix_madvise(3). As glibc: POSIX's "not needed" must not discard, so it does nothing.
    fn posix_madvise(at: *mut c_void, len: size_t, advice: c_int) -> c_int {
        if advice == libc::POSIX_MADV_DONTNEED { 0 } else { errno::code(sys::madvise(at, len, advice)) }
    }

    /// msync(2).
    fn msync(at: *mut c_void, len: size_t, flags: c_int) -> c_int { int(point(|| sys::msync(at, len, flags))) }

    /// mlock(2).
    fn mlock(at: *const c_void, len: size_t) -> c_int { int(sys::mlock(at, len)) }

    /// munlock(2).
    fn munlock(at: *const c_void, len: size_t) -> c_int { int(sys::munlock(at, len)) }

    /// memfd_create(2).
    fn memfd_create(name: *const c_char, flags: c_uint) -> c_int { int(sys::memfd_create(name, flags)) }
}

c_alias! {
    fn mmap64 = mmap[at: *mut c_void, len: size_t, prot: c_int, flags: c_int, fd: c_int, offset: off_t] -> *mut c_void;
}
