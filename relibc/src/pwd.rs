//! `pwd.h`: users, from /etc/passwd. getpwnam(3), getpwent(3), fgetpwent(3), putpwent(3).

use crate::database::{Buffer, Database, Full, colons, number};
use crate::ld::map;
use crate::stdio::{api, file::File};
use crate::{errno, string};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};
use libc::{passwd, size_t, uid_t};

/// A whole file of at most 16 MiB. None when it cannot be read.
pub fn read_file(path: &[u8]) -> Option<Vec<u8>> {
    const MOST: usize = 16 << 20;
    let file = map::File::open(path.to_vec()).ok()?;
    file.read_all(MOST).ok()
}

fn store(line: &[u8], buffer: &mut Buffer) -> Option<Result<passwd, Full>> {
    let [name, password, uid, gid, gecos, home, shell] = colons(line);
    if matches!(name.first(), Some(b'+' | b'-')) {
        return None;
    }
    let (uid, gid) = (number(uid)?, number(gid)?);
    let mut fill = || {
        Ok(passwd {
            pw_name: buffer.text(name)?,
            pw_passwd: buffer.text(password)?,
            pw_uid: uid,
            pw_gid: gid,
            pw_gecos: buffer.text(gecos)?,
            pw_dir: buffer.text(home)?,
            pw_shell: buffer.text(shell)?,
        })
    };
    Some(fill())
}

static USERS: Database<passwd> = Database::new(b"/etc/passwd\0", store);

/// A user's name; empty if there is none.
///
/// # Safety
/// As getpwuid(3), but thread-safe.
pub unsafe fn name_of(uid: uid_t) -> Vec<u8> {
    let mut buffer = Vec::from([0 as c_char; 4096]);
    let mut entry: passwd = core::mem::zeroed();
    let mut result = core::ptr::null_mut();
    USERS.find_r(|user| user.pw_uid == uid, &mut entry, buffer.as_mut_ptr(), buffer.len(), &mut result);
    if result.is_null() { Vec::new() } else { string::bytes(entry.pw_name).to_vec() }
}

/// Whether a field can stand between colons.
pub(crate) unsafe fn plain(field: *const c_char) -> bool {
    field.is_null() || !string::bytes(field).iter().any(|byte| matches!(byte, b':' | b'\n'))
}

/// A field; empty for null.
pub(crate) unsafe fn field<'a>(field: *const c_char) -> &'a [u8] {
    if field.is_null() { &[] } else { string::bytes(field) }
}

/// Writes a line to a stream. −1 and errno if that fails.
pub(crate) unsafe fn put_line(line: &[u8], file: *mut File) -> c_int {
    if api::fwrite(line.as_ptr().cast(), 1, line.len(), file) == line.len() { 0 } else { -1 }
}

c_api! {
    /// getpwuid_r(3).
    fn getpwuid_r(uid: uid_t, out: *mut passwd, buffer: *mut c_char, room: size_t, result: *mut *mut passwd) -> c_int {
        USERS.find_r(|user| user.pw_uid == uid, out, buffer, room, result)
    }

    /// getpwnam_r(3).
    fn getpwnam_r(name: *const c_char, out: *mut passwd, buffer: *mut c_char, room: size_t, result: *mut *mut passwd) -> c_int {
        let name = string::bytes(name);
        USERS.find_r(|user| string::bytes(user.pw_name) == name, out, buffer, room, result)
    }

    /// getpwuid(3).
    fn getpwuid(uid: uid_t) -> *mut passwd { USERS.find(|user| user.pw_uid == uid) }

    /// getpwnam(3).
    fn getpwnam(name: *const c_char) -> *mut passwd {
        let name = string::bytes(name);
        USERS.find(|user| string::bytes(user.pw_name) == name)
    }

    /// getpwent(3).
    fn getpwent() -> *mut passwd { USERS.next() }

    /// getpwent_r(3).
    fn getpwent_r(out: *mut passwd, buffer: *mut c_char, room: size_t, result: *mut *mut passwd) -> c_int {
        USERS.next_r(out, buffer, room, result)
    }

    /// setpwent(3).
    fn setpwent() { USERS.rewind() }

    /// endpwent(3).
    fn endpwent() { USERS.rewind() }

    /// fgetpwent(3).
    fn fgetpwent(file: *mut File) -> *mut passwd {
        USERS.own(|out, buffer, room, result| USERS.read_r(file, out, buffer, room, result))
    }

    /// fgetpwent_r(3).
    fn fgetpwent_r(file: *mut File, out: *mut passwd, buffer: *mut c_char, room: size_t, result: *mut *mut passwd) -> c_int {
        USERS.read_r(file, out, buffer, room, result)
    }

    /// putpwent(3).
    fn putpwent(user: *const passwd, file: *mut File) -> c_int {
        let Some(user) = user.as_ref() else { return errno::fail(libc::EINVAL) };
        let fields = [user.pw_name, user.pw_passwd, user.pw_dir, user.pw_shell];
        if file.is_null() || user.pw_name.is_null() || !fields.iter().all(|field| plain(*field)) {
            return errno::fail(libc::EINVAL);
        }
        // As glibc: what would break the line in the comment becomes a blank.
        let gecos: Vec<u8> =
            field(user.pw_gecos).iter().map(|byte| if matches!(byte, b':' | b'\n') { b' ' } else { *byte }).collect();
        let ids = alloc::format!(":{}:{}:", user.pw_uid, user.pw_gid);
        let [name, password, home, shell] = fields.map(|text| field(text));
        put_line(&[name, b":", password, ids.as_bytes(), &gecos, b":", home, b":", shell, b"\n"].concat(), file)
    }
}
