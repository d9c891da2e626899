//! Ids of the process: pids, groups, sessions, users.

use super::{Args, Result, int, native, put};
use core::sync::atomic::Ordering::Relaxed;
use ochre_rt::abi::Errno;
use ochre_rt::abi::process::{Credentials, GROUPS_MAX};
use ochre_rt::abi::syscall as sys;
use ochre_rt::{signal, syscall};

#[inline]
pub unsafe fn getpid(_: Args) -> Result {
    Ok(signal::process_page().pid.load(Relaxed) as usize)
}

pub unsafe fn getppid(_: Args) -> Result {
    Ok(syscall::getppid() as usize)
}

pub unsafe fn gettid(_: Args) -> Result {
    Ok(syscall::gettid() as usize)
}

pub unsafe fn getpgid(a: Args) -> Result {
    native(sys::GETPGID, [int(a[0]), 0, 0, 0, 0, 0])
}

pub unsafe fn getpgrp(_: Args) -> Result {
    native(sys::GETPGID, [0; 6])
}

pub unsafe fn setpgid(a: Args) -> Result {
    native(sys::SETPGID, [int(a[0]), int(a[1]), 0, 0, 0, 0])
}

pub unsafe fn getsid(a: Args) -> Result {
    native(sys::GETSID, [int(a[0]), 0, 0, 0, 0, 0])
}

pub unsafe fn setsid(_: Args) -> Result {
    native(sys::SETSID, [0; 6])
}

pub unsafe fn getuid(_: Args) -> Result {
    Ok(syscall::get_credentials()?.ruid as usize)
}

pub unsafe fn geteuid(_: Args) -> Result {
    Ok(syscall::get_credentials()?.euid as usize)
}

pub unsafe fn getgid(_: Args) -> Result {
    Ok(syscall::get_credentials()?.rgid as usize)
}

pub unsafe fn getegid(_: Args) -> Result {
    Ok(syscall::get_credentials()?.egid as usize)
}

pub unsafe fn getresuid(a: Args) -> Result {
    let ids = syscall::get_credentials()?;
    put(a[0], ids.ruid)?;
    put(a[1], ids.euid)?;
    put(a[2], ids.suid)
}

pub unsafe fn getresgid(a: Args) -> Result {
    let ids = syscall::get_credentials()?;
    put(a[0], ids.rgid)?;
    put(a[1], ids.egid)?;
    put(a[2], ids.sgid)
}

/// Sets ids, unless they are so already, which needs no right.
fn change(old: Credentials, new: Credentials) -> Result {
    if old != new {
        syscall::set_credentials(&new)?;
    }
    Ok(0)
}

/// An id argument; −1 stands for none.
fn id(arg: usize) -> Option<u32> {
    Some(arg as u32).filter(|id| *id != u32::MAX)
}

/// setuid(2): the superuser sets all three ids, others the effective one to one that they have.
pub unsafe fn setuid(a: Args) -> Result {
    let old = syscall::get_credentials()?;
    let uid = id(a[0]).ok_or(Errno::EINVAL)?;
    match old.euid {
        0 => change(old, Credentials { ruid: uid, euid: uid, suid: uid, ..old }),
        _ if uid == old.ruid || uid == old.suid => change(old, Credentials { euid: uid, ..old }),
        _ => Err(Errno::EPERM),
    }
}

/// As [`setuid`].
pub unsafe fn setgid(a: Args) -> Result {
    let old = syscall::get_credentials()?;
    let gid = id(a[0]).ok_or(Errno::EINVAL)?;
    match old.euid {
        0 => change(old, Credentials { rgid: gid, egid: gid, sgid: gid, ..old }),
        _ if gid == old.rgid || gid == old.sgid => change(old, Credentials { egid: gid, ..old }),
        _ => Err(Errno::EPERM),
    }
}

/// Three ids, each given, or kept as they are; those without privilege only shuffle what they have.
fn three(a: Args, old: [u32; 3], root: bool) -> Result<[u32; 3]> {
    let mut new = old;
    for (to, arg) in new.iter_mut().zip(a) {
        if let Some(id) = id(arg) {
            if !root && !old.contains(&id) {
                return Err(Errno::EPERM);
            }
            *to = id;
        }
    }
    Ok(new)
}

/// setreuid(2): the saved id follows the effective one if the real one is given, or the effective one becomes another than the real.
pub unsafe fn setreuid(a: Args) -> Result {
    let old = syscall::get_credentials()?;
    let [ruid, euid] = two(a, [old.ruid, old.euid, old.suid], old.euid == 0)?;
    let follows = id(a[0]).is_some() || id(a[1]).is_some_and(|euid| euid != old.ruid);
    change(old, Credentials { ruid, euid, suid: if follows { euid } else { old.suid }, ..old })
}

/// As [`setreuid`].
pub unsafe fn setregid(a: Args) -> Result {
    let old = syscall::get_credentials()?;
    let [rgid, egid] = two(a, [old.rgid, old.egid, old.sgid], old.euid == 0)?;
    let follows = id(a[0]).is_some() || id(a[1]).is_some_and(|egid| egid != old.rgid);
    change(old, Credentials { rgid, egid, sgid: if follows { egid } else { old.sgid }, ..old })
}

/// The new real and effective id. Without privilege, the real one becomes one of the first two of `old` only.
fn two(a: Args, old: [u32; 3], root: bool) -> Result<[u32; 2]> {
    let real = id(a[0]).unwrap_or(old[0]);
    let effective = id(a[1]).unwrap_or(old[1]);
    if root || old[..2].contains(&real) && old.contains(&effective) { Ok([real, effective]) } else { Err(Errno::EPERM) }
}

pub unsafe fn setresuid(a: Args) -> Result {
    let old = syscall::get_credentials()?;
    let [ruid, euid, suid] = three(a, [old.ruid, old.euid, old.suid], old.euid == 0)?;
    change(old, Credentials { ruid, euid, suid, ..old })
}

pub unsafe fn setresgid(a: Args) -> Result {
    let old = syscall::get_credentials()?;
    let [rgid, egid, sgid] = three(a, [old.rgid, old.egid, old.sgid], old.euid == 0)?;
    change(old, Credentials { rgid, egid, sgid, ..old })
}

/// setfsuid(2): the id for files is always the effective one; it can be asked for, and not be changed.
pub unsafe fn setfsuid(_: Args) -> Result {
    Ok(syscall::get_credentials()?.euid as usize)
}

/// As [`setfsuid`].
pub unsafe fn setfsgid(_: Args) -> Result {
    Ok(syscall::get_credentials()?.egid as usize)
}

pub unsafe fn setgroups(a: Args) -> Result {
    if a[0] > GROUPS_MAX {
        return Err(Errno::EINVAL);
    }
    native(sys::GROUPS, [a[1], a[0], 1, 0, 0, 0])
}

pub unsafe fn getgroups(a: Args) -> Result {
    let count = usize::try_from(a[0] as i32).map_err(|_| Errno::EINVAL)?;
    native(sys::GROUPS, [a[1], count, 0, 0, 0, 0])
}
