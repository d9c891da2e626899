//! `grp.h`: groups, from /etc/group. getgrnam(3), getgrent(3), getgrouplist(3), initgroups(3).

use crate::database::{Buffer, Database, Full, colons, number};
use crate::pwd::{field, plain, put_line, read_file};
use crate::stdio::file::File;
use crate::{errno, string};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};
use libc::{gid_t, group, size_t};

fn store(line: &[u8], buffer: &mut Buffer) -> Option<Result<group, Full>> {
    let [name, password, gid, members] = colons(line);
    if matches!(name.first(), Some(b'+' | b'-')) {
        return None;
    }
    let gid = number(gid)?;
    let members = members.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
    let fill = || {
        Ok(group {
            gr_name: buffer.text(name)?,
            gr_passwd: buffer.text(password)?,
            gr_gid: gid,
            gr_mem: buffer.texts(members)?,
        })
    };
    Some(fill())
}

static GROUPS: Database<group> = Database::new(b"/etc/group\0", store);

/// The groups a user is in: `first`, then those of the file that list the name.
fn groups_of(text: &[u8], user: &[u8], first: gid_t) -> Vec<gid_t> {
    let mut groups = Vec::from([first]);
    for line in text.split(|&byte| byte == b'\n') {
        let [name, _, gid, members] = colons(line);
        if name.is_empty() || matches!(name[0], b'#' | b'+' | b'-') {
            continue;
        }
        let Some(gid) = number(gid) else { continue };
        if members.split(|&byte| byte == b',').any(|member| member.trim_ascii() == user) && !groups.contains(&gid) {
            groups.push(gid);
        }
    }
    groups
}

c_api! {
    /// getgrgid_r(3).
    fn getgrgid_r(gid: gid_t, out: *mut group, buffer: *mut c_char, room: size_t, result: *mut *mut group) -> c_int {
        GROUPS.find_r(|entry| entry.gr_gid == gid, out, buffer, room, result)
    }

    /// getgrnam_r(3).
    fn getgrnam_r(name: *const c_char, out: *mut group, buffer: *mut c_char, room: size_t, result: *mut *mut group) -> c_int {
        let name = string::bytes(name);
        GROUPS.find_r(|entry| string::bytes(entry.gr_name) == name, out, buffer, room, result)
    }

    /// getgrgid(3).
    fn getgrgid(gid: gid_t) -> *mut group { GROUPS.find(|entry| entry.gr_gid == gid) }

    /// getgrnam(3).
    fn getgrnam(name: *const c_char) -> *mut group {
        let name = string::bytes(name);
        GROUPS.find(|entry| string::bytes(entry.gr_name) == name)
    }

    /// getgrent(3).
    fn getgrent() -> *mut group { GROUPS.next() }

    /// getgrent_r(3).
    fn getgrent_r(out: *mut group, buffer: *mut c_char, room: size_t, result: *mut *mut group) -> c_int {
        GROUPS.next_r(out, buffer, room, result)
    }

    /// setgrent(3).
    fn setgrent() { GROUPS.rewind() }

    /// endgrent(3).
    fn endgrent() { GROUPS.rewind() }

    /// fgetgrent(3).
    fn fgetgrent(file: *mut File) -> *mut group {
        GROUPS.own(|out, buffer, room, result| GROUPS.read_r(file, out, buffer, room, result))
    }

    /// fgetgrent_r(3).
    fn fgetgrent_r(file: *mut File, out: *mut group, buffer: *mut c_char, room: size_t, result: *mut *mut group) -> c_int {
        GROUPS.read_r(file, out, buffer, room, result)
    }

    /// putgrent(3).
    fn putgrent(entry: *const group, file: *mut File) -> c_int {
        let Some(entry) = entry.as_ref() else { return errno::fail(libc::EINVAL) };
        if file.is_null() || entry.gr_name.is_null() || !plain(entry.gr_name) || !plain(entry.gr_passwd) {
            return errno::fail(libc::EINVAL);
        }
        let mut line = [field(entry.gr_name), b":", field(entry.gr_passwd)].concat();
        line.extend_from_slice(alloc::format!(":{}:", entry.gr_gid).as_bytes());
        let mut at = entry.gr_mem;
        while !at.is_null() && !(*at).is_null() {
            if !plain(*at) || field(*at).contains(&b',') {
                return errno::fail(libc::EINVAL);
            }
            if at != entry.gr_mem {
                line.push(b',');
            }
            line.extend_from_slice(field(*at));
            at = at.add(1);
        }
        line.push(b'\n');
        put_line(&line, file)
    }

    /// getgrouplist(3).
    fn getgrouplist(user: *const c_char, first: gid_t, out: *mut gid_t, count: *mut c_int) -> c_int {
        let groups = groups_of(&read_file(b"/etc/group\0").unwrap_or_default(), string::bytes(user), first);
        let room = (*count).max(0) as usize;
        for (index, gid) in groups.iter().take(room).enumerate() {
            *out.add(index) = *gid;
        }
        *count = groups.len() as c_int;
        if groups.len() > room { -1 } else { groups.len() as c_int }
    }

    /// initgroups(3).
    fn initgroups(user: *const c_char, first: gid_t) -> c_int {
        let groups = groups_of(&read_file(b"/etc/group\0").unwrap_or_default(), string::bytes(user), first);
        crate::thin::ids::setgroups(groups.len(), groups.as_ptr())
    }
}
