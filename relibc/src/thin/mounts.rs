//! `sys/mount.h`, `sys/swap.h`, `sys/reboot.h`: file systems as a whole.

use crate::errno::{self, int};
use crate::{string, sys};
use core::ffi::{c_char, c_int, c_uint, c_ulong, c_void};
use libc::{size_t, statfs, statvfs as Statvfs};

thin! {
    fn mount(from: *const c_char, to: *const c_char, kind: *const c_char, flags: c_ulong, data: *const c_void) -> c_int = SYS_mount;
    fn umount2(path: *const c_char, flags: c_int) -> c_int = SYS_umount2;
    fn pivot_root(new: *const c_char, old: *const c_char) -> c_int = SYS_pivot_root;
    fn swapon(path: *const c_char, flags: c_int) -> c_int = SYS_swapon;
    fn swapoff(path: *const c_char) -> c_int = SYS_swapoff;
    fn quotactl(command: c_int, device: *const c_char, id: c_int, out: *mut c_char) -> c_int = SYS_quotactl;
    fn fsopen(kind: *const c_char, flags: c_uint) -> c_int = SYS_fsopen;
    fn fsconfig(fd: c_int, command: c_uint, key: *const c_char, value: *const c_void, auxiliary: c_int) -> c_int = SYS_fsconfig;
    fn fsmount(fd: c_int, flags: c_uint, attributes: c_uint) -> c_int = SYS_fsmount;
    fn fspick(dir: c_int, path: *const c_char, flags: c_uint) -> c_int = SYS_fspick;
    fn open_tree(dir: c_int, path: *const c_char, flags: c_uint) -> c_int = SYS_open_tree;
    fn move_mount(from_dir: c_int, from: *const c_char, to_dir: c_int, to: *const c_char, flags: c_uint) -> c_int = SYS_move_mount;
    fn mount_setattr(dir: c_int, path: *const c_char, flags: c_uint, attributes: *mut c_void, len: size_t) -> c_int = SYS_mount_setattr;
}

/// Linux's mount flag bits as statvfs has them, from statfs's; the kernel marks them valid by this bit.
const ST_VALID: i64 = 0x20;

/// statvfs from statfs.
unsafe fn convert(raw: isize, from: &statfs, out: *mut Statvfs) -> c_int {
    if raw < 0 {
        return int(raw);
    }
    out.write_bytes(0, 1);
    let unit = if from.f_frsize == 0 { from.f_bsize } else { from.f_frsize };
    (*out).f_bsize = from.f_bsize as c_ulong;
    (*out).f_frsize = unit as c_ulong;
    (*out).f_blocks = from.f_blocks;
    (*out).f_bfree = from.f_bfree;
    (*out).f_bavail = from.f_bavail;
    (*out).f_files = from.f_files;
    (*out).f_ffree = from.f_ffree;
    (*out).f_favail = from.f_ffree;
    (*out).f_fsid = (&raw const from.f_fsid).cast::<c_ulong>().read();
    // The eleventh word, which the crate libc keeps private.
    let flags = (&raw const *from).cast::<i64>().add(10).read();
    (*out).f_flag = (flags & !ST_VALID) as c_ulong;
    (*out).f_namemax = from.f_namelen as c_ulong;
    0
}

c_api! {
    /// umount(2).
    fn umount(path: *const c_char) -> c_int { umount2(path, 0) }

    /// statvfs(3).
    fn statvfs(path: *const c_char, out: *mut Statvfs) -> c_int {
        let mut found: statfs = core::mem::zeroed();
        let args = [path.expose_provenance(), (&raw mut found).expose_provenance(), 0, 0, 0, 0];
        convert(sys::call(libc::SYS_statfs, args), &found, out)
    }

    /// fstatvfs(3).
    fn fstatvfs(fd: c_int, out: *mut Statvfs) -> c_int {
        let mut found: statfs = core::mem::zeroed();
        let args = [fd as usize, (&raw mut found).expose_provenance(), 0, 0, 0, 0];
        convert(sys::call(libc::SYS_fstatfs, args), &found, out)
    }

    /// reboot(2).
    fn reboot(how: c_int) -> c_int {
        /// The numbers that the kernel wants to see (reboot(2)).
        const MAGIC: [usize; 2] = [0xfee1_dead, 672_274_793];
        int(sys::call(libc::SYS_reboot, [MAGIC[0], MAGIC[1], how as usize, 0, 0, 0]))
    }

    /// setdomainname(2).
    fn setdomainname(name: *const c_char, len: size_t) -> c_int {
        int(sys::call(libc::SYS_setdomainname, [name.expose_provenance(), len, 0, 0, 0, 0]))
    }

    /// getdomainname(2). As glibc: a name that is too long for the room is cut.
    fn getdomainname(out: *mut c_char, room: size_t) -> c_int {
        let mut names: libc::utsname = core::mem::zeroed();
        let raw = sys::uname(&mut names);
        if raw < 0 {
            return errno::int(raw);
        }
        let len = string::strlen(names.domainname.as_ptr()) + 1;
        string::memcpy(out.cast(), names.domainname.as_ptr().cast(), len.min(room));
        0
    }
}

c_alias! {
    fn statvfs64 = statvfs[path: *const c_char, out: *mut Statvfs] -> c_int;
    fn fstatvfs64 = fstatvfs[fd: c_int, out: *mut Statvfs] -> c_int;
}
