//! Rarer calls on files and descriptors.

use crate::errno::{self, int, long};
use crate::{string, sys};
use core::ffi::{c_char, c_int, c_uint, c_void};
use libc::{iovec, loff_t, mode_t, off_t, pid_t, size_t, ssize_t};

thin! {
    fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int = SYS_close_range;
    fn mincore(at: *mut c_void, len: size_t, out: *mut u8) -> c_int = SYS_mincore;
    fn mlockall(flags: c_int) -> c_int = SYS_mlockall;
    fn munlockall() -> c_int = SYS_munlockall;
    fn mlock2(at: *const c_void, len: size_t, flags: c_uint) -> c_int = SYS_mlock2;
    fn remap_file_pages(at: *mut c_void, len: size_t, prot: c_int, page: size_t, flags: c_int) -> c_int = SYS_remap_file_pages;
    fn readahead(fd: c_int, at: loff_t, len: size_t) -> ssize_t = SYS_readahead;
    fn sync_file_range(fd: c_int, at: loff_t, len: loff_t, flags: c_uint) -> c_int = SYS_sync_file_range;
    fn tee(from: c_int, to: c_int, len: size_t, flags: c_uint) -> ssize_t = SYS_tee;
    fn vmsplice(fd: c_int, iov: *const iovec, count: size_t, flags: c_uint) -> ssize_t = SYS_vmsplice;
    fn name_to_handle_at(dir: c_int, path: *const c_char, handle: *mut c_void, mount: *mut c_int, flags: c_int) -> c_int = SYS_name_to_handle_at;
    fn open_by_handle_at(mount: c_int, handle: *mut c_void, flags: c_int) -> c_int = SYS_open_by_handle_at;
    fn process_vm_readv(pid: pid_t, to: *const iovec, to_count: usize, from: *const iovec, from_count: usize, flags: usize) -> ssize_t = SYS_process_vm_readv;
    fn process_vm_writev(pid: pid_t, from: *const iovec, from_count: usize, to: *const iovec, to_count: usize, flags: usize) -> ssize_t = SYS_process_vm_writev;
    fn vhangup() -> c_int = SYS_vhangup;
    fn pkey_alloc(flags: c_uint, rights: c_uint) -> c_int = SYS_pkey_alloc;
    fn pkey_free(key: c_int) -> c_int = SYS_pkey_free;
    fn pkey_mprotect(at: *mut c_void, len: size_t, prot: c_int, key: c_int) -> c_int = SYS_pkey_mprotect;
    fn fanotify_init(flags: c_uint, event_flags: c_uint) -> c_int = SYS_fanotify_init;
    fn fanotify_mark(fd: c_int, flags: c_uint, mask: u64, dir: c_int, path: *const c_char) -> c_int = SYS_fanotify_mark;
}

c_api! {
    /// preadv2(2). At −1 the file's own position is used and moved.
    fn preadv2(fd: c_int, iov: *const iovec, count: c_int, at: off_t, flags: c_int) -> ssize_t {
        let args = [fd as usize, iov.expose_provenance(), count as usize, at as usize, 0, flags as usize];
        long(sys::call(libc::SYS_preadv2, args))
    }

    /// pwritev2(2). As [`preadv2`].
    fn pwritev2(fd: c_int, iov: *const iovec, count: c_int, at: off_t, flags: c_int) -> ssize_t {
        let args = [fd as usize, iov.expose_provenance(), count as usize, at as usize, 0, flags as usize];
        long(sys::call(libc::SYS_pwritev2, args))
    }

    /// fexecve(3).
    fn fexecve(fd: c_int, argv: *const *mut c_char, envp: *const *mut c_char) -> c_int {
        if fd < 0 || argv.is_null() || envp.is_null() {
            return errno::fail(libc::EINVAL);
        }
        let args = [
            fd as usize,
            c"".as_ptr().expose_provenance(),
            argv.expose_provenance(),
            envp.expose_provenance(),
            libc::AT_EMPTY_PATH as usize,
            0,
        ];
        int(sys::call(libc::SYS_execveat, args))
    }

    /// execveat(2).
    fn execveat(dir: c_int, path: *const c_char, argv: *const *mut c_char, envp: *const *mut c_char, flags: c_int) -> c_int {
        let args =
            [dir as usize, path.expose_provenance(), argv.expose_provenance(), envp.expose_provenance(), flags as usize, 0];
        int(sys::call(libc::SYS_execveat, args))
    }

    /// getdents64(2).
    fn getdents64(fd: c_int, out: *mut c_void, room: size_t) -> ssize_t {
        long(sys::getdents64(fd, out, room.min(c_int::MAX as usize)))
    }

    /// lchmod(3). Links have no mode on Linux; what is no link is changed.
    fn lchmod(path: *const c_char, mode: mode_t) -> c_int {
        let mut found: libc::stat = core::mem::zeroed();
        let raw = sys::newfstatat(libc::AT_FDCWD, path, &mut found, libc::AT_SYMLINK_NOFOLLOW);
        if raw < 0 {
            return int(raw);
        }
        if found.st_mode & libc::S_IFMT == libc::S_IFLNK {
            return errno::fail(libc::EOPNOTSUPP);
        }
        int(sys::fchmodat(libc::AT_FDCWD, path, mode))
    }

    /// eaccess(3): access by the effective ids.
    fn eaccess(path: *const c_char, mode: c_int) -> c_int { crate::unistd::euidaccess(path, mode) }

    /// getdtablesize(3).
    fn getdtablesize() -> c_int {
        let limit = crate::sysconf::sysconf(libc::_SC_OPEN_MAX);
        if limit < 0 { c_int::MAX } else { limit.min(c_int::MAX.into()) as c_int }
    }

    /// sockatmark(3).
    fn sockatmark(fd: c_int) -> c_int {
        /// Linux's ioctl of this purpose.
        const SIOCATMARK: usize = 0x8905;
        let mut answer: c_int = 0;
        let raw = sys::ioctl(fd, SIOCATMARK, (&raw mut answer).expose_provenance());
        if raw < 0 { int(raw) } else { answer }
    }

    /// The major number of a device. makedev(3).
    fn gnu_dev_major(dev: u64) -> c_uint { ((dev >> 8 & 0xfff) | (dev >> 32 & !0xfff)) as c_uint }

    /// The minor number of a device.
    fn gnu_dev_minor(dev: u64) -> c_uint { ((dev & 0xff) | (dev >> 12 & !0xff)) as c_uint }

    /// A device by its numbers.
    fn gnu_dev_makedev(major: c_uint, minor: c_uint) -> u64 {
        let (major, minor) = (u64::from(major), u64::from(minor));
        (major & 0xfff) << 8 | (major & !0xfff) << 32 | minor & 0xff | (minor & !0xff) << 12
    }

    /// daemon(3): goes on in the background, in a session of its own.
    fn daemon(keep_dir: c_int, keep_streams: c_int) -> c_int {
        match crate::pthread::atfork::fork() {
            -1 => return -1,
            0 => {}
            _ => sys::exit_process(0),
        }
        if crate::unistd::setsid() < 0 {
            return -1;
        }
        if keep_dir == 0 {
            // As glibc, which does not ask whether it worked.
            sys::chdir(c"/".as_ptr());
        }
        if keep_streams == 0 {
            let null = crate::fcntl::open(c"/dev/null".as_ptr(), libc::O_RDWR, 0);
            if null < 0 {
                return -1;
            }
            for fd in 0..3 {
                crate::unistd::dup2(null, fd);
            }
            if null > 2 {
                sys::close(null);
            }
        }
        0
    }

    /// gethostid(3).
    fn gethostid() -> core::ffi::c_long {
        if let Some(bytes) = crate::pwd::read_file(b"/etc/hostid\0")
            && let Some(id) = bytes.first_chunk::<4>()
        {
            return i32::from_ne_bytes(*id).into();
        }
        let mut names: libc::utsname = core::mem::zeroed();
        if sys::uname(&mut names) < 0 {
            return 0;
        }
        let address = crate::netdb::address_of_host(string::bytes(names.nodename.as_ptr()));
        // As glibc: the halves of the first IPv4 address, swapped.
        address.map_or(0, |address| u32::from_ne_bytes(address).rotate_left(16) as i32).into()
    }

    /// sethostid(2).
    fn sethostid(id: core::ffi::c_long) -> c_int {
        let Ok(id) = i32::try_from(id) else { return errno::fail(libc::EOVERFLOW) };
        let fd = crate::fcntl::open(c"/etc/hostid".as_ptr(), libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC, 0o644);
        if fd < 0 {
            return -1;
        }
        let bytes = id.to_ne_bytes();
        let raw = sys::write(fd, bytes.as_ptr().cast(), bytes.len());
        sys::close(fd);
        if raw == 4 { 0 } else { int(raw.min(-1)) }
    }
}

c_alias! {
    fn preadv64v2 = preadv2[fd: c_int, iov: *const iovec, count: c_int, at: off_t, flags: c_int] -> ssize_t;
    fn pwritev64v2 = pwritev2[fd: c_int, iov: *const iovec, count: c_int, at: off_t, flags: c_int] -> ssize_t;
}
