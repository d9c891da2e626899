//! `sys/stat.h`, `sys/statfs.h`: what is known about files.

use crate::errno::int;
use crate::sys;
use core::ffi::{c_char, c_int, c_uint};
use core::ptr;
use libc::{dev_t, mode_t, stat as Stat, statx as Statx, timespec};

c_api! {
    /// stat(2).
    fn stat(path: *const c_char, out: *mut Stat) -> c_int { int(sys::newfstatat(libc::AT_FDCWD, path, out, 0)) }

    /// lstat(2).
    fn lstat(path: *const c_char, out: *mut Stat) -> c_int {
        int(sys::newfstatat(libc::AT_FDCWD, path, out, libc::AT_SYMLINK_NOFOLLOW))
    }

    /// fstat(2).
    fn fstat(fd: c_int, out: *mut Stat) -> c_int { int(sys::fstat(fd, out)) }

    /// fstatat(2).
    fn fstatat(dir: c_int, path: *const c_char, out: *mut Stat, flags: c_int) -> c_int {
        int(sys::newfstatat(dir, path, out, flags))
    }

    /// stat of programs built before glibc 2.33.
    fn __xstat(_version: c_int, path: *const c_char, out: *mut Stat) -> c_int { stat(path, out) }

    /// lstat of programs built before glibc 2.33.
    fn __lxstat(_version: c_int, path: *const c_char, out: *mut Stat) -> c_int { lstat(path, out) }

    /// fstat of programs built before glibc 2.33.
    fn __fxstat(_version: c_int, fd: c_int, out: *mut Stat) -> c_int { fstat(fd, out) }

    /// fstatat of programs built before glibc 2.33.
    fn __fxstatat(_version: c_int, dir: c_int, path: *const c_char, out: *mut Stat, flags: c_int) -> c_int {
        fstatat(dir, path, out, flags)
    }

    /// statx(2).
    fn statx(dir: c_int, path: *const c_char, flags: c_int, mask: c_uint, out: *mut Statx) -> c_int {
        int(sys::statx(dir, path, flags, mask, out))
    }

    /// chmod(2).
    fn chmod(path: *const c_char, mode: mode_t) -> c_int { int(sys::fchmodat(libc::AT_FDCWD, path, mode)) }

    /// fchmod(2).
    fn fchmod(fd: c_int, mode: mode_t) -> c_int { int(sys::fchmod(fd, mode)) }

    /// fchmodat(3). Links have no mode on Linux.
    fn fchmodat(dir: c_int, path: *const c_char, mode: mode_t, flags: c_int) -> c_int {
        match flags {
            0 => int(sys::fchmodat(dir, path, mode)),
            libc::AT_SYMLINK_NOFOLLOW => crate::errno::fail(libc::EOPNOTSUPP),
            _ => crate::errno::fail(libc::EINVAL),
        }
    }

    /// mkdir(2).
    fn mkdir(path: *const c_char, mode: mode_t) -> c_int { int(sys::mkdirat(libc::AT_FDCWD, path, mode)) }

    /// mkdirat(2).
    fn mkdirat(dir: c_int, path: *const c_char, mode: mode_t) -> c_int { int(sys::mkdirat(dir, path, mode)) }

    /// mkfifo(3).
    fn mkfifo(path: *const c_char, mode: mode_t) -> c_int { mknod(path, mode | libc::S_IFIFO, 0) }

    /// mkfifoat(3).
    fn mkfifoat(dir: c_int, path: *const c_char, mode: mode_t) -> c_int { mknodat(dir, path, mode | libc::S_IFIFO, 0) }

    /// mknod(2).
    fn mknod(path: *const c_char, mode: mode_t, dev: dev_t) -> c_int { mknodat(libc::AT_FDCWD, path, mode, dev) }

    /// mknodat(2).
    fn mknodat(dir: c_int, path: *const c_char, mode: mode_t, dev: dev_t) -> c_int {
        int(sys::mknodat(dir, path, mode, dev))
    }

    /// umask(2).
    fn umask(mask: mode_t) -> mode_t { sys::umask(mask) as mode_t }

    /// utimensat(2).
    fn utimensat(dir: c_int, path: *const c_char, times: *const timespec, flags: c_int) -> c_int {
        int(sys::utimensat(dir, path, times, flags))
    }

    /// futimens(3).
    fn futimens(fd: c_int, times: *const timespec) -> c_int { int(sys::utimensat(fd, ptr::null(), times, 0)) }

    /// statfs(2).
    fn statfs(path: *const c_char, out: *mut libc::statfs) -> c_int {
        int(sys::call(libc::SYS_statfs, [path.expose_provenance(), out.expose_provenance(), 0, 0, 0, 0]))
    }

    /// fstatfs(2).
    fn fstatfs(fd: c_int, out: *mut libc::statfs) -> c_int {
        int(sys::call(libc::SYS_fstatfs, [fd as usize, out.expose_provenance(), 0, 0, 0, 0]))
    }
}

c_alias! {
    fn stat64 = stat[path: *const c_char, out: *mut Stat] -> c_int;
    fn lstat64 = lstat[path: *const c_char, out: *mut Stat] -> c_int;
    fn fstat64 = fstat[fd: c_int, out: *mut Stat] -> c_int;
    fn fstatat64 = fstatat[dir: c_int, path: *const c_char, out: *mut Stat, flags: c_int] -> c_int;
    fn __xstat64 = __xstat[version: c_int, path: *const c_char, out: *mut Stat] -> c_int;
    fn __lxstat64 = __lxstat[version: c_int, path: *const c_char, out: *mut Stat] -> c_int;
    fn __fxstat64 = __fxstat[version: c_int, fd: c_int, out: *mut Stat] -> c_int;
    fn statfs64 = statfs[path: *const c_char, out: *mut libc::statfs] -> c_int;
    fn fstatfs64 = fstatfs[fd: c_int, out: *mut libc::statfs] -> c_int;
}
