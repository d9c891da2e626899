//! Users and groups of the process. credentials(7).

use super::setxid::everywhere;
use crate::errno;
use core::ffi::c_int;
use libc::{gid_t, size_t, uid_t};

/// An id that a call leaves as it is.
const KEEP: usize = u32::MAX as usize;

thin! {
    fn getresuid(real: *mut uid_t, effective: *mut uid_t, saved: *mut uid_t) -> c_int = SYS_getresuid;
    fn getresgid(real: *mut gid_t, effective: *mut gid_t, saved: *mut gid_t) -> c_int = SYS_getresgid;
    fn setfsuid(uid: uid_t) -> c_int = SYS_setfsuid;
    fn setfsgid(gid: gid_t) -> c_int = SYS_setfsgid;
}

c_api! {
    /// setuid(2).
    fn setuid(uid: uid_t) -> c_int { everywhere(libc::SYS_setuid, [uid as usize, 0, 0]) }

    /// setgid(2).
    fn setgid(gid: gid_t) -> c_int { everywhere(libc::SYS_setgid, [gid as usize, 0, 0]) }

    /// seteuid(2).
    fn seteuid(uid: uid_t) -> c_int {
        if uid == u32::MAX { errno::fail(libc::EINVAL) } else { everywhere(libc::SYS_setresuid, [KEEP, uid as usize, KEEP]) }
    }

    /// setegid(2).
    fn setegid(gid: gid_t) -> c_int {
        if gid == u32::MAX { errno::fail(libc::EINVAL) } else { everywhere(libc::SYS_setresgid, [KEEP, gid as usize, KEEP]) }
    }

    /// setreuid(2).
    fn setreuid(real: uid_t, effective: uid_t) -> c_int {
        everywhere(libc::SYS_setreuid, [real as usize, effective as usize, 0])
    }

    /// setregid(2).
    fn setregid(real: gid_t, effective: gid_t) -> c_int {
        everywhere(libc::SYS_setregid, [real as usize, effective as usize, 0])
    }

    /// setresuid(2).
    fn setresuid(real: uid_t, effective: uid_t, saved: uid_t) -> c_int {
        everywhere(libc::SYS_setresuid, [real as usize, effective as usize, saved as usize])
    }

    /// setresgid(2).
    fn setresgid(real: gid_t, effective: gid_t, saved: gid_t) -> c_int {
        everywhere(libc::SYS_setresgid, [real as usize, effective as usize, saved as usize])
    }

    /// setgroups(2).
    fn setgroups(count: size_t, list: *const gid_t) -> c_int {
        everywhere(libc::SYS_setgroups, [count, list.expose_provenance(), 0])
    }
}
