//! `grp.h`: groups, from /etc/group.

use crate::pwd::read_file;
use crate::{errno, string};
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int};
use core::mem::MaybeUninit;
use core::ptr;
use libc::{gid_t, group, size_t};

/// One line: name, password, number, members.
fn parse(line: &[u8]) -> Option<(&[u8], &[u8], gid_t, Vec<&[u8]>)> {
    let fields: Vec<&[u8]> = line.split(|&byte| byte == b':').collect();
    let [name, password, gid, members] = fields[..] else { return None };
    let gid = core::str::from_utf8(gid).ok()?.parse().ok()?;
    Some((name, password, gid, members.split(|&byte| byte == b',').filter(|name| !name.is_empty()).collect()))
}

/// Puts a group into the caller's buffer: the pointers to the members first, then the strings. None when it is full.
unsafe fn put(
    (name, password, gid, members): (&[u8], &[u8], gid_t, Vec<&[u8]>),
    out: *mut group,
    buffer: *mut c_char,
    room: usize,
) -> Option<()> {
    let align = buffer.align_offset(align_of::<*mut c_char>());
    let pointers = (members.len() + 1) * size_of::<*mut c_char>();
    let strings: usize = members.iter().map(|member| member.len() + 1).sum::<usize>() + name.len() + password.len() + 2;
    if align + pointers + strings > room {
        return None;
    }
    let list = buffer.add(align).cast::<*mut c_char>();
    let mut at = buffer.add(align + pointers);
    let mut copy = |text: &[u8]| {
        let start = at;
        ptr::copy_nonoverlapping(text.as_ptr(), start.cast(), text.len());
        *start.add(text.len()) = 0;
        at = start.add(text.len() + 1);
        start
    };
    for (index, member) in members.iter().enumerate() {
        *list.add(index) = copy(member);
    }
    *list.add(members.len()) = ptr::null_mut();
    *out = group { gr_name: copy(name), gr_passwd: copy(password), gr_gid: gid, gr_mem: list };
    Some(())
}

/// Looks for the group that `wanted` accepts in the file's text.
unsafe fn find(
    text: &[u8],
    wanted: impl Fn(&[u8], gid_t) -> bool,
    out: *mut group,
    buffer: *mut c_char,
    room: usize,
    result: *mut *mut group,
) -> c_int {
    *result = ptr::null_mut();
    let found = text.split(|&byte| byte == b'\n').filter_map(parse).find(|line| wanted(line.0, line.2));
    let Some(found) = found else { return 0 };
    if put(found, out, buffer, room).is_none() {
        return libc::ERANGE;
    }
    *result = out;
    0
}

/// The file; empty when it cannot be read.
fn file() -> Vec<u8> {
    read_file(b"/etc/group\0").unwrap_or_default()
}

const ROOM: usize = 16 << 10;
/// Where getgrnam and getgrgid put their answer.
struct Static(UnsafeCell<(MaybeUninit<group>, [c_char; ROOM])>);
// SAFETY: getgrnam(3) is documented not to be thread-safe.
unsafe impl Sync for Static {}
static STATIC: Static = Static(UnsafeCell::new((MaybeUninit::uninit(), [0; ROOM])));

unsafe fn find_static(wanted: impl Fn(&[u8], gid_t) -> bool) -> *mut group {
    let place = STATIC.0.get();
    let mut result = ptr::null_mut();
    let error = find(&file(), wanted, (&raw mut (*place).0).cast(), (&raw mut (*place).1).cast(), ROOM, &mut result);
    if error != 0 {
        errno::set(error);
    }
    result
}

c_api! {
    /// getgrgid_r(3).
    fn getgrgid_r(gid: gid_t, out: *mut group, buffer: *mut c_char, room: size_t, result: *mut *mut group) -> c_int {
        find(&file(), |_, other| other == gid, out, buffer, room, result)
    }

    /// getgrnam_r(3).
    fn getgrnam_r(name: *const c_char, out: *mut group, buffer: *mut c_char, room: size_t, result: *mut *mut group) -> c_int {
        let name = string::bytes(name);
        find(&file(), |other, _| other == name, out, buffer, room, result)
    }

    /// getgrgid(3).
    fn getgrgid(gid: gid_t) -> *mut group { find_static(|_, other| other == gid) }

    /// getgrnam(3).
    fn getgrnam(name: *const c_char) -> *mut group {
        let name = string::bytes(name);
        find_static(|other, _| other == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn finds_groups_and_their_members() {
        const TEXT: &[u8] = b"root:x:0:\nbroken\nusers:x:100:ann,bob\n";
        let mut out = MaybeUninit::<group>::uninit();
        let mut buffer = [0; 64];
        let mut result = ptr::null_mut();
        // SAFETY: the buffers are ours and as long as is said.
        unsafe {
            let mut look = |gid, room| {
                find(TEXT, |_, other| other == gid, out.as_mut_ptr(), buffer.as_mut_ptr(), room, &mut result)
            };
            assert_eq!(look(100, 20), libc::ERANGE);
            assert_eq!(look(100, 64), 0);
            let found = &*result;
            assert_eq!(CStr::from_ptr(found.gr_name), c"users");
            assert_eq!(CStr::from_ptr(*found.gr_mem.add(1)), c"bob");
            assert!((*found.gr_mem.add(2)).is_null());
        }
    }
}
