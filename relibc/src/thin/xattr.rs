//! `sys/xattr.h`. xattr(7).

use core::ffi::{c_char, c_int, c_void};
use libc::{size_t, ssize_t};

thin! {
    fn getxattr(path: *const c_char, name: *const c_char, out: *mut c_void, room: size_t) -> ssize_t = SYS_getxattr;
    fn lgetxattr(path: *const c_char, name: *const c_char, out: *mut c_void, room: size_t) -> ssize_t = SYS_lgetxattr;
    fn fgetxattr(fd: c_int, name: *const c_char, out: *mut c_void, room: size_t) -> ssize_t = SYS_fgetxattr;
    fn setxattr(path: *const c_char, name: *const c_char, value: *const c_void, len: size_t, flags: c_int) -> c_int = SYS_setxattr;
    fn lsetxattr(path: *const c_char, name: *const c_char, value: *const c_void, len: size_t, flags: c_int) -> c_int = SYS_lsetxattr;
    fn fsetxattr(fd: c_int, name: *const c_char, value: *const c_void, len: size_t, flags: c_int) -> c_int = SYS_fsetxattr;
    fn listxattr(path: *const c_char, out: *mut c_char, room: size_t) -> ssize_t = SYS_listxattr;
    fn llistxattr(path: *const c_char, out: *mut c_char, room: size_t) -> ssize_t = SYS_llistxattr;
    fn flistxattr(fd: c_int, out: *mut c_char, room: size_t) -> ssize_t = SYS_flistxattr;
    fn removexattr(path: *const c_char, name: *const c_char) -> c_int = SYS_removexattr;
    fn lremovexattr(path: *const c_char, name: *const c_char) -> c_int = SYS_lremovexattr;
    fn fremovexattr(fd: c_int, name: *const c_char) -> c_int = SYS_fremovexattr;
}
