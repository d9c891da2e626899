//! `unistd.h`: descriptors, directories, links, identities.

use crate::errno::{self, int, long};
use crate::heap::c_malloc;
use crate::pthread::cancel::point;
use crate::{string, sys};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_uint, c_void};
use core::ptr;
use libc::{gid_t, iovec, off_t, pid_t, size_t, ssize_t, uid_t};

/// Linux's PATH_MAX.
const PATH_MAX: usize = 4096;

/// The working directory, for the loader.
///
/// # Errors
/// The errno of getcwd.
pub fn current_dir() -> Result<Vec<u8>, c_int> {
    let mut buffer = Vec::<u8>::with_capacity(PATH_MAX);
    // SAFETY: the buffer has that much room; the call returns the length with NUL.
    unsafe {
        let len = sys::result(sys::getcwd(buffer.as_mut_ptr().cast(), PATH_MAX))?;
        buffer.set_len(len.saturating_sub(1));
    }
    Ok(buffer)
}

c_api! {
    /// read(2).
    fn read(fd: c_int, buf: *mut c_void, len: size_t) -> ssize_t { long(point(|| sys::read(fd, buf, len))) }

    /// write(2).
    fn write(fd: c_int, buf: *const c_void, len: size_t) -> ssize_t { long(point(|| sys::write(fd, buf, len))) }

    /// pread(2).
    fn pread(fd: c_int, buf: *mut c_void, len: size_t, at: off_t) -> ssize_t { long(point(|| sys::pread(fd, buf, len, at))) }

    /// pwrite(2).
    fn pwrite(fd: c_int, buf: *const c_void, len: size_t, at: off_t) -> ssize_t { long(point(|| sys::pwrite(fd, buf, len, at))) }

    /// readv(2).
    fn readv(fd: c_int, iov: *const iovec, count: c_int) -> ssize_t { long(point(|| sys::readv(fd, iov, count))) }

    /// writev(2).
    fn writev(fd: c_int, iov: *const iovec, count: c_int) -> ssize_t { long(point(|| sys::writev(fd, iov, count))) }

    /// preadv(2).
    fn preadv(fd: c_int, iov: *const iovec, count: c_int, at: off_t) -> ssize_t {
        long(point(|| sys::preadv(fd, iov, count, at as usize, 0)))
    }

    /// pwritev(2).
    fn pwritev(fd: c_int, iov: *const iovec, count: c_int, at: off_t) -> ssize_t {
        long(point(|| sys::pwritev(fd, iov, count, at as usize, 0)))
    }

    /// close(2).
    fn close(fd: c_int) -> c_int { int(point(|| sys::close(fd))) }

    /// lseek(2).
    fn lseek(fd: c_int, offset: off_t, whence: c_int) -> off_t { long(sys::lseek(fd, offset, whence)) as off_t }

    /// dup(2).
    fn dup(fd: c_int) -> c_int { int(sys::dup(fd)) }

    /// dup2(2).
    fn dup2(old: c_int, new: c_int) -> c_int {
        if old == new {
            // Only checks that the descriptor is open.
            return if fails(sys::fcntl(old, libc::F_GETFD, 0)) { -1 } else { new };
        }
        int(sys::dup3(old, new, 0))
    }

    /// dup3(2).
    fn dup3(old: c_int, new: c_int, flags: c_int) -> c_int { int(sys::dup3(old, new, flags)) }

    /// pipe(2).
    fn pipe(fds: *mut c_int) -> c_int { int(sys::pipe2(fds, 0)) }

    /// pipe2(2).
    fn pipe2(fds: *mut c_int, flags: c_int) -> c_int { int(sys::pipe2(fds, flags)) }

    /// ftruncate(2).
    fn ftruncate(fd: c_int, len: off_t) -> c_int { int(sys::ftruncate(fd, len)) }

    /// truncate(2).
    fn truncate(path: *const c_char, len: off_t) -> c_int { int(sys::truncate(path, len)) }

    /// fsync(2).
    fn fsync(fd: c_int) -> c_int { int(point(|| sys::fsync(fd))) }

    /// fdatasync(2).
    fn fdatasync(fd: c_int) -> c_int { int(point(|| sys::fdatasync(fd))) }

    /// sync(2).
    fn sync() { sys::sync(); }

    /// syncfs(2).
    fn syncfs(fd: c_int) -> c_int { int(sys::syncfs(fd)) }

    /// chdir(2).
    fn chdir(path: *const c_char) -> c_int { int(sys::chdir(path)) }

    /// fchdir(2).
    fn fchdir(fd: c_int) -> c_int { int(sys::fchdir(fd)) }

    /// chroot(2).
    fn chroot(path: *const c_char) -> c_int { int(sys::chroot(path)) }

    /// getcwd(3). As glibc: without a buffer one is allocated, of `len` bytes, or fitting for 0.
    fn getcwd(buf: *mut c_char, len: size_t) -> *mut c_char {
        if !buf.is_null() {
            if len == 0 {
                errno::set(libc::EINVAL);
                return ptr::null_mut();
            }
            return if fails(sys::getcwd(buf, len)) { ptr::null_mut() } else { buf };
        }
        let path = match current_dir() {
            Ok(path) => path,
            Err(errno) => {
                errno::set(errno);
                return ptr::null_mut();
            }
        };
        if len != 0 && path.len() + 1 > len {
            errno::set(libc::ERANGE);
            return ptr::null_mut();
        }
        let out = c_malloc(len.max(path.len() + 1)).cast::<c_char>();
        if !out.is_null() {
            string::memcpy(out.cast(), path.as_ptr().cast(), path.len());
            *out.add(path.len()) = 0;
        }
        out
    }

    /// get_current_dir_name(3).
    fn get_current_dir_name() -> *mut c_char { getcwd(ptr::null_mut(), 0) }

    /// unlink(2).
    fn unlink(path: *const c_char) -> c_int { int(sys::unlinkat(libc::AT_FDCWD, path, 0)) }

    /// unlinkat(2).
    fn unlinkat(dir: c_int, path: *const c_char, flags: c_int) -> c_int { int(sys::unlinkat(dir, path, flags)) }

    /// rmdir(2).
    fn rmdir(path: *const c_char) -> c_int { int(sys::unlinkat(libc::AT_FDCWD, path, libc::AT_REMOVEDIR)) }

    /// remove(3).
    fn remove(path: *const c_char) -> c_int {
        let raw = sys::unlinkat(libc::AT_FDCWD, path, 0);
        if raw == -libc::EISDIR as isize { rmdir(path) } else { int(raw) }
    }

    /// link(2).
    fn link(from: *const c_char, to: *const c_char) -> c_int {
        int(sys::linkat(libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0))
    }

    /// linkat(2).
    fn linkat(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char, flags: c_int) -> c_int {
        int(sys::linkat(from_dir, from, to_dir, to, flags))
    }

    /// symlink(2).
    fn symlink(target: *const c_char, path: *const c_char) -> c_int {
        int(sys::symlinkat(target, libc::AT_FDCWD, path))
    }

    /// symlinkat(2).
    fn symlinkat(target: *const c_char, dir: c_int, path: *const c_char) -> c_int {
        int(sys::symlinkat(target, dir, path))
    }

    /// readlink(2).
    fn readlink(path: *const c_char, buf: *mut c_char, len: size_t) -> ssize_t {
        long(sys::readlinkat(libc::AT_FDCWD, path, buf, len))
    }

    /// readlinkat(2).
    fn readlinkat(dir: c_int, path: *const c_char, buf: *mut c_char, len: size_t) -> ssize_t {
        long(sys::readlinkat(dir, path, buf, len))
    }

    /// rename(2).
    fn rename(from: *const c_char, to: *const c_char) -> c_int {
        int(sys::renameat2(libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0))
    }

    /// renameat(2).
    fn renameat(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char) -> c_int {
        int(sys::renameat2(from_dir, from, to_dir, to, 0))
    }

    /// renameat2(2).
    fn renameat2(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char, flags: c_uint) -> c_int {
        int(sys::renameat2(from_dir, from, to_dir, to, flags))
    }

    /// access(2).
    fn access(path: *const c_char, mode: c_int) -> c_int { int(sys::faccessat(libc::AT_FDCWD, path, mode)) }

    /// faccessat(2).
    fn faccessat(dir: c_int, path: *const c_char, mode: c_int, flags: c_int) -> c_int {
        if flags == 0 { int(sys::faccessat(dir, path, mode)) } else { int(sys::faccessat2(dir, path, mode, flags)) }
    }

    /// euidaccess(3).
    fn euidaccess(path: *const c_char, mode: c_int) -> c_int {
        faccessat(libc::AT_FDCWD, path, mode, libc::AT_EACCESS)
    }

    /// chown(2).
    fn chown(path: *const c_char, uid: uid_t, gid: gid_t) -> c_int {
        int(sys::fchownat(libc::AT_FDCWD, path, uid, gid, 0))
    }

    /// lchown(2).
    fn lchown(path: *const c_char, uid: uid_t, gid: gid_t) -> c_int {
        int(sys::fchownat(libc::AT_FDCWD, path, uid, gid, libc::AT_SYMLINK_NOFOLLOW))
    }

    /// fchown(2).
    fn fchown(fd: c_int, uid: uid_t, gid: gid_t) -> c_int { int(sys::fchown(fd, uid, gid)) }

    /// fchownat(2).
    fn fchownat(dir: c_int, path: *const c_char, uid: uid_t, gid: gid_t, flags: c_int) -> c_int {
        int(sys::fchownat(dir, path, uid, gid, flags))
    }

    /// isatty(3).
    fn isatty(fd: c_int) -> c_int {
        let mut term: libc::termios = core::mem::zeroed();
        !fails(sys::ioctl(fd, libc::TCGETS as usize, (&raw mut term).expose_provenance())) as c_int
    }

    /// getpid(2).
    fn getpid() -> pid_t { sys::getpid() as pid_t }

    /// getppid(2).
    fn getppid() -> pid_t { sys::getppid() as pid_t }

    /// gettid(2).
    fn gettid() -> pid_t { crate::thread::current_tid() }

    /// getpgid(2).
    fn getpgid(pid: pid_t) -> pid_t { int(sys::getpgid(pid)) }

    /// getpgrp(2).
    fn getpgrp() -> pid_t { int(sys::getpgid(0)) }

    /// setpgid(2).
    fn setpgid(pid: pid_t, group: pid_t) -> c_int { int(sys::setpgid(pid, group)) }

    /// setpgrp(2).
    fn setpgrp() -> c_int { int(sys::setpgid(0, 0)) }

    /// getsid(2).
    fn getsid(pid: pid_t) -> pid_t { int(sys::getsid(pid)) }

    /// setsid(2).
    fn setsid() -> pid_t { int(sys::setsid()) }

    /// getuid(2).
    fn getuid() -> uid_t { sys::getuid() as uid_t }

    /// geteuid(2).
    fn geteuid() -> uid_t { sys::geteuid() as uid_t }

    /// getgid(2).
    fn getgid() -> gid_t { sys::getgid() as gid_t }

    /// getegid(2).
    fn getegid() -> gid_t { sys::getegid() as gid_t }

    /// getgroups(2).
    fn getgroups(count: c_int, list: *mut gid_t) -> c_int { int(sys::getgroups(count, list)) }

    /// gethostname(2).
    fn gethostname(out: *mut c_char, len: size_t) -> c_int {
        let mut names: libc::utsname = core::mem::zeroed();
        if fails(sys::uname(&mut names)) {
            return -1;
        }
        let count = string::strlen(names.nodename.as_ptr()) + 1;
        string::memcpy(out.cast(), names.nodename.as_ptr().cast(), count.min(len));
        if count > len { errno::fail(libc::ENAMETOOLONG) } else { 0 }
    }

    /// sleep(3).
    fn sleep(seconds: c_uint) -> c_uint {
        let mut time = libc::timespec { tv_sec: seconds as i64, tv_nsec: 0 };
        let request = time;
        let raw = point(|| sys::clock_nanosleep(libc::CLOCK_REALTIME, 0, &request, &mut time));
        if raw == 0 { 0 } else { time.tv_sec as c_uint + (time.tv_nsec >= 500_000_000) as c_uint }
    }

    /// usleep(3).
    fn usleep(micros: c_uint) -> c_int {
        let time = libc::timespec { tv_sec: (micros / 1_000_000) as i64, tv_nsec: (micros % 1_000_000) as i64 * 1000 };
        int(point(|| sys::clock_nanosleep(libc::CLOCK_REALTIME, 0, &time, ptr::null_mut())))
    }

    /// pause(2).
    fn pause() -> c_int { int(point(|| sys::pause())) }

    /// getpagesize(2).
    fn getpagesize() -> c_int { 4096 }

    /// sethostname(2).
    fn sethostname(name: *const c_char, len: size_t) -> c_int {
        int(sys::call(libc::SYS_sethostname, [name.expose_provenance(), len, 0, 0, 0, 0]))
    }

    /// lockf(3).
    fn lockf(fd: c_int, command: c_int, len: off_t) -> c_int {
        let mut lock: libc::flock = core::mem::zeroed();
        lock.l_type = libc::F_WRLCK as i16;
        lock.l_whence = libc::SEEK_CUR as i16;
        lock.l_len = len;
        if command == libc::F_ULOCK {
            lock.l_type = libc::F_UNLCK as i16;
        }
        let arg = (&raw mut lock).expose_provenance();
        match command {
            libc::F_LOCK => int(point(|| sys::fcntl(fd, libc::F_SETLKW, arg))),
            libc::F_TLOCK | libc::F_ULOCK => int(sys::fcntl(fd, libc::F_SETLK, arg)),
            libc::F_TEST => {
                if fails(sys::fcntl(fd, libc::F_GETLK, arg)) {
                    return -1;
                }
                if lock.l_type == libc::F_UNLCK as i16 { 0 } else { errno::fail(libc::EACCES) }
            }
            _ => errno::fail(libc::EINVAL),
        }
    }
}

/// Whether a raw result is an error, which then is in `errno`.
fn fails(raw: isize) -> bool {
    long(raw) == -1
}

c_alias! {
    fn pread64 = pread[fd: c_int, buf: *mut c_void, len: size_t, at: off_t] -> ssize_t;
    fn pwrite64 = pwrite[fd: c_int, buf: *const c_void, len: size_t, at: off_t] -> ssize_t;
    fn preadv64 = preadv[fd: c_int, iov: *const iovec, count: c_int, at: off_t] -> ssize_t;
    fn pwritev64 = pwritev[fd: c_int, iov: *const iovec, count: c_int, at: off_t] -> ssize_t;
    fn lseek64 = lseek[fd: c_int, offset: off_t, whence: c_int] -> off_t;
    fn ftruncate64 = ftruncate[fd: c_int, len: off_t] -> c_int;
    fn truncate64 = truncate[path: *const c_char, len: off_t] -> c_int;
    fn lockf64 = lockf[fd: c_int, command: c_int, len: off_t] -> c_int;
    fn __getpid = getpid[] -> pid_t;
}
