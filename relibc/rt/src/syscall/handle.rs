//! Descriptors: reading, writing, opening, and calls to schemes.

use super::{id, sys, unit};
use ochre_abi::Result;
use ochre_abi::call::{CallArgs, PathPair};
use ochre_abi::file::IoVec;

/// close(2).
pub fn close(fd: i32) -> Result<()> {
    unit(sys!(CLOSE, fd))
}

/// F_DUPFD: a copy of `fd` with the least free number from `least` on. `flags`: 0 or O_CLOEXEC.
pub fn dup(fd: i32, least: i32, flags: u32) -> Result<i32> {
    id(sys!(DUP, fd, least, flags))
}

/// dup3(2).
pub fn dup3(old: i32, new: i32, flags: u32) -> Result<i32> {
    id(sys!(DUP3, old, new, flags))
}

/// F_GETFD, F_SETFD, F_GETFL and F_SETFL of fcntl(2); EINVAL for other commands.
pub fn fcntl(fd: i32, command: u64, arg: u64) -> Result<usize> {
    sys!(FCNTL, fd, command, arg)
}

/// close_range(2): closes the descriptors `first..=last`; `flags` 4 (CLOSE_RANGE_CLOEXEC) marks them instead.
pub fn close_range(first: u32, last: u32, flags: u32) -> Result<()> {
    unit(sys!(CLOSE_RANGE, first, last, flags))
}

/// read(2).
pub fn read(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    sys!(READ, fd, buffer.as_mut_ptr(), buffer.len())
}

/// read(2) into raw memory.
///
/// # Safety
/// `len` bytes from `buffer` on are the caller's to overwrite.
pub unsafe fn read_raw(fd: i32, buffer: *mut u8, len: usize) -> Result<usize> {
    sys!(READ, fd, buffer, len)
}

/// write(2).
pub fn write(fd: i32, data: &[u8]) -> Result<usize> {
    sys!(WRITE, fd, data.as_ptr(), data.len())
}

/// write(2) from raw memory. The kernel only reads it, and checks every address (EFAULT).
pub fn write_raw(fd: i32, data: *const u8, len: usize) -> Result<usize> {
    sys!(WRITE, fd, data, len)
}

/// pread(2).
pub fn pread(fd: i32, buffer: &mut [u8], offset: u64) -> Result<usize> {
    sys!(PREAD, fd, buffer.as_mut_ptr(), buffer.len(), offset)
}

/// pread(2) into raw memory.
///
/// # Safety
/// `len` bytes from `buffer` on are the caller's to overwrite.
pub unsafe fn pread_raw(fd: i32, buffer: *mut u8, len: usize, offset: u64) -> Result<usize> {
    sys!(PREAD, fd, buffer, len, offset)
}

/// pwrite(2).
pub fn pwrite(fd: i32, data: &[u8], offset: u64) -> Result<usize> {
    sys!(PWRITE, fd, data.as_ptr(), data.len(), offset)
}

/// pwrite(2) from raw memory.
pub fn pwrite_raw(fd: i32, data: *const u8, len: usize, offset: u64) -> Result<usize> {
    sys!(PWRITE, fd, data, len, offset)
}

/// readv(2), or preadv(2) with an offset other than `u64::MAX`.
///
/// # Safety
/// The memory that the vectors name is the caller's to overwrite.
pub unsafe fn readv_raw(fd: i32, vectors: *const IoVec, count: usize, offset: u64) -> Result<usize> {
    sys!(READV, fd, vectors, count, offset)
}

/// writev(2), or pwritev(2) with an offset other than `u64::MAX`.
pub fn writev(fd: i32, vectors: &[IoVec], offset: u64) -> Result<usize> {
    sys!(WRITEV, fd, vectors.as_ptr(), vectors.len(), offset)
}

/// [`writev`] from raw memory.
pub fn writev_raw(fd: i32, vectors: *const IoVec, count: usize, offset: u64) -> Result<usize> {
    sys!(WRITEV, fd, vectors, count, offset)
}

/// lseek(2).
pub fn lseek(fd: i32, offset: i64, whence: u64) -> Result<u64> {
    sys!(LSEEK, fd, offset, whence).map(|position| position as u64)
}

/// openat(2). `path` has no NUL.
pub fn openat(dirfd: i32, path: &[u8], flags: u32, mode: u32) -> Result<i32> {
    id(sys!(OPENAT, dirfd, path.as_ptr(), path.len(), flags, mode))
}

/// Asks the scheme behind `fd` for another handle, by a name (Redox's dup with a path). `flags`: 0 or O_CLOEXEC.
pub fn dup_named(fd: i32, name: &[u8], flags: u32) -> Result<i32> {
    id(sys!(DUP_NAMED, fd, name.as_ptr(), name.len(), flags))
}

/// Any operation of [`ochre_abi::call`] on an open handle; the value is the answer's.
///
/// # Safety
/// What `args` lends is valid: `output` and every window with WINDOW_WRITE are the caller's to overwrite.
pub unsafe fn call(fd: i32, args: &CallArgs) -> Result<usize> {
    sys!(CALL, fd, core::ptr::from_ref(args))
}

/// An operation on a path, which is the request's payload; `args.input` must be empty.
///
/// # Safety
/// As [`call`].
pub unsafe fn path_call(dirfd: i32, path: &[u8], args: &CallArgs) -> Result<usize> {
    sys!(PATH_CALL, dirfd, path.as_ptr(), path.len(), core::ptr::from_ref(args))
}

/// An operation on two paths of one scheme (rename, link); EXDEV across schemes.
///
/// # Safety
/// As [`call`].
pub unsafe fn path_call2(paths: &PathPair, args: &CallArgs) -> Result<usize> {
    sys!(PATH_CALL2, core::ptr::from_ref(paths), core::ptr::from_ref(args))
}

/// The working directory's path, without a NUL; ERANGE if it does not fit.
pub fn getcwd(buffer: &mut [u8]) -> Result<usize> {
    sys!(GETCWD, buffer.as_mut_ptr(), buffer.len())
}

/// fchdir(2).
pub fn fchdir(fd: i32) -> Result<()> {
    unit(sys!(FCHDIR, fd))
}

/// The path under which `fd` was opened; what readlink of /proc/self/fd shows.
pub fn fd_path(fd: i32, buffer: &mut [u8]) -> Result<usize> {
    sys!(FD_PATH, fd, buffer.as_mut_ptr(), buffer.len())
}
