//! `pwd.h`: users, from /etc/passwd.

use crate::ld::map::File;
use crate::{errno, string};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};
use core::ptr;
use libc::{passwd, size_t, uid_t};

/// A whole small file. None when it cannot be read.
pub fn read_file(path: &[u8]) -> Option<Vec<u8>> {
    const MOST: usize = 1 << 20;
    let file = File::open(path.to_vec()).ok()?;
    file.read_all(MOST).ok()
}

/// Puts a string into the caller's buffer. None when it is full.
unsafe fn put(text: &[u8], at: &mut *mut c_char, left: &mut usize) -> Option<*mut c_char> {
    if text.len() + 1 > *left {
        return None;
    }
    let start = *at;
    ptr::copy_nonoverlapping(text.as_ptr(), start.cast(), text.len());
    *start.add(text.len()) = 0;
    *at = start.add(text.len() + 1);
    *left -= text.len() + 1;
    Some(start)
}

fn number(text: &[u8]) -> Option<u32> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// Looks for the line that `wanted` accepts; fills `out` from it.
unsafe fn find(
    wanted: impl Fn(&[u8], u32) -> bool,
    out: *mut passwd,
    mut buffer: *mut c_char,
    mut room: usize,
    result: *mut *mut passwd,
) -> c_int {
    *result = ptr::null_mut();
    let Some(text) = read_file(b"/etc/passwd\0") else { return 0 };
    for line in text.split(|&byte| byte == b'\n') {
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b':').collect();
        let [name, password, uid, gid, gecos, home, shell] = fields[..] else { continue };
        let (Some(uid), Some(gid)) = (number(uid), number(gid)) else { continue };
        if !wanted(name, uid) {
            continue;
        }
        let mut put = |text: &[u8]| put(text, &mut buffer, &mut room);
        let strings = (put(name), put(password), put(gecos), put(home), put(shell));
        let (Some(name), Some(password), Some(gecos), Some(home), Some(shell)) = strings else {
            return libc::ERANGE;
        };
        *out = passwd {
            pw_name: name,
            pw_passwd: password,
            pw_uid: uid,
            pw_gid: gid,
            pw_gecos: gecos,
            pw_dir: home,
            pw_shell: shell,
        };
        *result = out;
        return 0;
    }
    0
}

/// Where getpwnam and getpwuid put their answer; POSIX lets one place serve all callers.
struct Static(core::cell::UnsafeCell<(core::mem::MaybeUninit<passwd>, [c_char; 1024])>);
// SAFETY: getpwnam(3) is documented not to be thread-safe.
unsafe impl Sync for Static {}
static STATIC: Static = Static(core::cell::UnsafeCell::new((core::mem::MaybeUninit::uninit(), [0; 1024])));

unsafe fn find_static(wanted: impl Fn(&[u8], u32) -> bool) -> *mut passwd {
    let place = STATIC.0.get();
    let mut result = ptr::null_mut();
    let error = find(wanted, (&raw mut (*place).0).cast(), (&raw mut (*place).1).cast(), 1024, &mut result);
    if error != 0 {
        errno::set(error);
    }
    result
}

c_api! {
    /// getpwuid_r(3).
    fn getpwuid_r(uid: uid_t, out: *mut passwd, buffer: *mut c_char, room: size_t, result: *mut *mut passwd) -> c_int {
        find(|_, other| other == uid, out, buffer, room, result)
    }

    /// getpwnam_r(3).
    fn getpwnam_r(name: *const c_char, out: *mut passwd, buffer: *mut c_char, room: size_t, result: *mut *mut passwd) -> c_int {
        let name = string::bytes(name);
        find(|other, _| other == name, out, buffer, room, result)
    }

    /// getpwuid(3).
    fn getpwuid(uid: uid_t) -> *mut passwd { find_static(|_, other| other == uid) }

    /// getpwnam(3).
    fn getpwnam(name: *const c_char) -> *mut passwd {
        let name = string::bytes(name);
        find_static(|other, _| other == name)
    }
}
