//! `shadow.h`, `gshadow.h`: passwords of users and groups, from /etc/shadow and /etc/gshadow. shadow(3), shadow(5).

use crate::database::{Buffer, Database, Full, colons, number};
use crate::lock::Lock;
use crate::pwd::{field, plain, put_line};
use crate::stdio::file::File;
use crate::{errno, string, sys};
use core::ffi::{c_char, c_int, c_long, c_ulong};
use core::fmt::Write;
use libc::{size_t, spwd};

/// `struct sgrp`. gshadow.h.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Sgrp {
    sg_namp: *mut c_char,
    sg_passwd: *mut c_char,
    sg_adm: *mut *mut c_char,
    sg_mem: *mut *mut c_char,
}

/// A number; an empty field is −1, anything else no entry.
fn day(field: &[u8]) -> Option<c_long> {
    if field.is_empty() { Some(-1) } else { number(field) }
}

fn store(line: &[u8], buffer: &mut Buffer) -> Option<Result<spwd, Full>> {
    let [name, password, change, least, most, warn, inactive, expire, flag] = colons(line);
    if name.is_empty() || matches!(name[0], b'+' | b'-') || !line.contains(&b':') {
        return None;
    }
    let days = [day(change)?, day(least)?, day(most)?, day(warn)?, day(inactive)?, day(expire)?];
    let flag = if flag.is_empty() { c_ulong::MAX } else { number(flag)? };
    let mut fill = || {
        Ok(spwd {
            sp_namp: buffer.text(name)?,
            sp_pwdp: buffer.text(password)?,
            sp_lstchg: days[0],
            sp_min: days[1],
            sp_max: days[2],
            sp_warn: days[3],
            sp_inact: days[4],
            sp_expire: days[5],
            sp_flag: flag,
        })
    };
    Some(fill())
}

fn store_group(line: &[u8], buffer: &mut Buffer) -> Option<Result<Sgrp, Full>> {
    let [name, password, admins, members] = colons(line);
    if name.is_empty() || !line.contains(&b':') {
        return None;
    }
    fn names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
        list.split(|&byte| byte == b',').filter(|name| !name.is_empty())
    }
    let mut fill = || {
        Ok(Sgrp {
            sg_namp: buffer.text(name)?,
            sg_passwd: buffer.text(password)?,
            sg_adm: buffer.texts(names(admins))?,
            sg_mem: buffer.texts(names(members))?,
        })
    };
    Some(fill())
}

static USERS: Database<spwd> = Database::new(b"/etc/shadow\0", store);
static GROUPS: Database<Sgrp> = Database::new(b"/etc/gshadow\0", store_group);

/// The descriptor of the locked file, or −1.
static LOCKED: Lock<c_int> = Lock::new(-1);

c_api! {
    /// getspnam(3).
    fn getspnam(name: *const c_char) -> *mut spwd {
        let name = string::bytes(name);
        USERS.find(|user| string::bytes(user.sp_namp) == name)
    }

    /// getspnam_r(3).
    fn getspnam_r(name: *const c_char, out: *mut spwd, buffer: *mut c_char, room: size_t, result: *mut *mut spwd) -> c_int {
        let name = string::bytes(name);
        USERS.find_r(|user| string::bytes(user.sp_namp) == name, out, buffer, room, result)
    }

    /// getspent(3).
    fn getspent() -> *mut spwd { USERS.next() }

    /// getspent_r(3).
    fn getspent_r(out: *mut spwd, buffer: *mut c_char, room: size_t, result: *mut *mut spwd) -> c_int {
        USERS.next_r(out, buffer, room, result)
    }

    /// setspent(3).
    fn setspent() { USERS.rewind() }

    /// endspent(3).
    fn endspent() { USERS.rewind() }

    /// fgetspent(3).
    fn fgetspent(file: *mut File) -> *mut spwd {
        USERS.own(|out, buffer, room, result| USERS.read_r(file, out, buffer, room, result))
    }

    /// sgetspent(3).
    fn sgetspent(line: *const c_char) -> *mut spwd {
        USERS.own(|out, buffer, room, result| USERS.parse_r(string::bytes(line), out, buffer, room, result))
    }

    /// putspent(3). Fields of −1 are left empty.
    fn putspent(user: *const spwd, file: *mut File) -> c_int {
        let user = &*user;
        if !plain(user.sp_namp) || !plain(user.sp_pwdp) {
            return errno::fail(libc::EINVAL);
        }
        let mut numbers = alloc::string::String::new();
        for day in [user.sp_lstchg, user.sp_min, user.sp_max, user.sp_warn, user.sp_inact, user.sp_expire] {
            // A String takes everything.
            let _ = if day == -1 { write!(numbers, ":") } else { write!(numbers, ":{day}") };
        }
        let _ = if user.sp_flag == c_ulong::MAX { writeln!(numbers, ":") } else { writeln!(numbers, ":{}", user.sp_flag) };
        put_line(&[field(user.sp_namp), b":", field(user.sp_pwdp), numbers.as_bytes()].concat(), file)
    }

    /// lckpwdf(3). As glibc: waits for 15 seconds at most.
    fn lckpwdf() -> c_int {
        const PATIENCE_MS: usize = 15_000;
        const STEP_MS: usize = 50;
        let mut held = LOCKED.lock();
        if *held >= 0 {
            return errno::fail(libc::EAGAIN);
        }
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_CLOEXEC;
        let fd = match sys::result(sys::openat(libc::AT_FDCWD, c"/etc/.pwd.lock".as_ptr(), flags, 0o600)) {
            Ok(fd) => fd as c_int,
            Err(error) => return errno::fail(error),
        };
        let mut lock: libc::flock = core::mem::zeroed();
        lock.l_type = libc::F_WRLCK as i16;
        for _ in 0..PATIENCE_MS / STEP_MS {
            match sys::result(sys::fcntl(fd, libc::F_SETLK, (&raw mut lock).expose_provenance())) {
                Ok(_) => {
                    *held = fd;
                    return 0;
                }
                Err(libc::EACCES | libc::EAGAIN) => {
                    let step = libc::timespec { tv_sec: 0, tv_nsec: STEP_MS as c_long * 1_000_000 };
                    sys::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &step, core::ptr::null_mut());
                }
                Err(error) => {
                    sys::close(fd);
                    return errno::fail(error);
                }
            }
        }
        sys::close(fd);
        errno::fail(libc::ETIMEDOUT)
    }

    /// ulckpwdf(3).
    fn ulckpwdf() -> c_int {
        let mut held = LOCKED.lock();
        if *held < 0 {
            // As glibc, which leaves errno alone.
            return -1;
        }
        let raw = sys::close(*held);
        *held = -1;
        errno::int(raw)
    }

    /// getsgnam(3).
    fn getsgnam(name: *const c_char) -> *mut Sgrp {
        let name = string::bytes(name);
        GROUPS.find(|entry| string::bytes(entry.sg_namp) == name)
    }

    /// getsgnam_r(3).
    fn getsgnam_r(name: *const c_char, out: *mut Sgrp, buffer: *mut c_char, room: size_t, result: *mut *mut Sgrp) -> c_int {
        let name = string::bytes(name);
        GROUPS.find_r(|entry| string::bytes(entry.sg_namp) == name, out, buffer, room, result)
    }

    /// fgetsgent(3).
    fn fgetsgent(file: *mut File) -> *mut Sgrp {
        GROUPS.own(|out, buffer, room, result| GROUPS.read_r(file, out, buffer, room, result))
    }

    /// sgetsgent(3).
    fn sgetsgent(line: *const c_char) -> *mut Sgrp {
        GROUPS.own(|out, buffer, room, result| GROUPS.parse_r(string::bytes(line), out, buffer, room, result))
    }

    /// getsgent(3).
    fn getsgent() -> *mut Sgrp { GROUPS.next() }

    /// setsgent(3).
    fn setsgent() { GROUPS.rewind() }

    /// endsgent(3).
    fn endsgent() { GROUPS.rewind() }

    /// putsgent(3).
    fn putsgent(entry: *const Sgrp, file: *mut File) -> c_int {
        let entry = &*entry;
        if entry.sg_namp.is_null() || !plain(entry.sg_namp) || !plain(entry.sg_passwd) {
            return errno::fail(libc::EINVAL);
        }
        let mut line = [field(entry.sg_namp), b":", field(entry.sg_passwd)].concat();
        for list in [entry.sg_adm, entry.sg_mem] {
            line.push(b':');
            let mut at = list;
            while !at.is_null() && !(*at).is_null() {
                if !plain(*at) || field(*at).contains(&b',') {
                    return errno::fail(libc::EINVAL);
                }
                if at != list {
                    line.push(b',');
                }
                line.extend_from_slice(field(*at));
                at = at.add(1);
            }
        }
        line.push(b'\n');
        put_line(&line, file)
    }
}
