//! What processes keep besides their ids: prctl(2), setpriority(2), personality(2), and calls on other processes.

use super::{Args, Result, bytes, bytes_mut, get, get_opt, int, native, put, put_opt, start, string};
use crate::thread;
use ochre_rt::abi::Errno;
use ochre_rt::abi::file::{AT_FDCWD, F_DUPFD_QUERY, IoVec, O_CLOEXEC, O_RDONLY, O_RDWR};
use ochre_rt::abi::process::*;
use ochre_rt::abi::signal::SigInfo;
use ochre_rt::abi::syscall as sys;
use ochre_rt::{OwnedFd, syscall};

/// Reads an attribute of a process (0: the own one).
unsafe fn attribute(which: u64, pid: usize) -> Result {
    native(sys::ATTRIBUTE, [which as usize, pid, 0, 0, 0, 0])
}

unsafe fn set_attribute(which: u64, pid: usize, value: usize) -> Result {
    native(sys::ATTRIBUTE, [which as usize, pid, value, 1, 0, 0])
}

unsafe fn set_name(name: usize) -> Result {
    let kept = &raw mut (*thread::current()).platform.name;
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().take(15).zip(string(name)?) {
        *to = *from;
    }
    kept.write(bytes);
    let len = bytes.iter().position(|byte| *byte == 0).unwrap_or(15);
    syscall::set_name(bytes.get(..len).unwrap_or(&[]))?;
    Ok(0)
}

pub unsafe fn prctl(a: Args) -> Result {
    const PR_GET_TIMERSLACK: i32 = 30;
    const PR_SET_TIMERSLACK: i32 = 29;
    const PR_CAPBSET_READ: i32 = 23;
    let rest_is_zero = a[2..5].iter().all(|arg| *arg == 0);
    match a[0] as i32 {
        libc::PR_SET_NAME => set_name(a[1]),
        libc::PR_GET_NAME => {
            let kept = (*thread::current()).platform.name;
            put(a[1], if kept[0] == 0 { start::first_name() } else { kept })
        }
        libc::PR_SET_PDEATHSIG => set_attribute(PROCESS_ATTRIBUTE_DEATH_SIGNAL, 0, a[1]),
        libc::PR_GET_PDEATHSIG => put(a[1], attribute(PROCESS_ATTRIBUTE_DEATH_SIGNAL, 0)? as i32),
        libc::PR_SET_CHILD_SUBREAPER => set_attribute(PROCESS_ATTRIBUTE_SUBREAPER, 0, usize::from(a[1] != 0)),
        libc::PR_GET_CHILD_SUBREAPER => put(a[1], attribute(PROCESS_ATTRIBUTE_SUBREAPER, 0)? as i32),
        libc::PR_SET_DUMPABLE => set_attribute(PROCESS_ATTRIBUTE_DUMPABLE, 0, a[1]),
        libc::PR_GET_DUMPABLE => attribute(PROCESS_ATTRIBUTE_DUMPABLE, 0),
        libc::PR_SET_NO_NEW_PRIVS if a[1] == 1 && rest_is_zero => {
            set_attribute(PROCESS_ATTRIBUTE_NO_NEW_PRIVILEGES, 0, 1)
        }
        libc::PR_GET_NO_NEW_PRIVS if a[1] == 0 && rest_is_zero => attribute(PROCESS_ATTRIBUTE_NO_NEW_PRIVILEGES, 0),
        // Timers fire as exactly as they can.
        PR_GET_TIMERSLACK => Ok(1),
        PR_SET_TIMERSLACK => Ok(0),
        // No capability is ever taken out of the bounding set; CAP_CHECKPOINT_RESTORE is the last there is.
        PR_CAPBSET_READ if a[1] <= 40 => Ok(1),
        _ => Err(Errno::EINVAL),
    }
}

/// Processes that a setpriority(2) call is about, by the kernel's list: `each` gets their ids. ESRCH if there is none.
unsafe fn each_process(which: usize, who: usize, mut each: impl FnMut(usize) -> Result<()>) -> Result<()> {
    let own = syscall::getpid() as usize;
    match which as u32 {
        libc::PRIO_PROCESS => return each(if who == 0 { own } else { who }),
        libc::PRIO_PGRP | libc::PRIO_USER => {}
        _ => return Err(Errno::EINVAL),
    }
    let by_user = which as u32 == libc::PRIO_USER;
    let wanted = match who {
        0 if by_user => syscall::get_credentials()?.ruid as usize,
        0 => syscall::getpgid(0)? as usize,
        who => who,
    };
    // pid ppid pgid sid state threads uid …: a line a process, after a headline.
    let list = OwnedFd::new(syscall::openat(AT_FDCWD, b"/scheme/sys/process", O_RDONLY | O_CLOEXEC, 0)?);
    let (mut found, mut column, mut fields, mut number) = (false, 0, [0usize; 7], None);
    let mut buffer = [0; 512];
    loop {
        let len = syscall::read(list.get(), &mut buffer)?;
        if len == 0 {
            break;
        }
        for byte in buffer.get(..len).unwrap_or(&[]) {
            match byte {
                b'0'..=b'9' => number = Some(number.unwrap_or(0) * 10 + usize::from(byte - b'0')),
                b' ' => {
                    if let Some(field) = fields.get_mut(column) {
                        *field = number.unwrap_or(0);
                    }
                    (column, number) = (column + 1, None);
                }
                b'\n' => {
                    let [pid, _, group, .., user] = fields;
                    if pid != 0 && wanted == if by_user { user } else { group } {
                        found = true;
                        each(pid)?;
                    }
                    (column, number, fields) = (0, None, [0; 7]);
                }
                _ => {}
            }
        }
    }
    if found { Ok(()) } else { Err(Errno::ESRCH) }
}

/// getpriority(2) as the kernel tells it: 20 minus the nice value, the greatest of all that are meant.
pub unsafe fn getpriority(a: Args) -> Result {
    let mut best = 0;
    each_process(a[0], a[1] as u32 as usize, |pid| {
        best = best.max(40 - attribute(PROCESS_ATTRIBUTE_NICE, pid)?);
        Ok(())
    })?;
    Ok(best)
}

pub unsafe fn setpriority(a: Args) -> Result {
    let nice = (a[2] as i32).clamp(-20, 19) + 20;
    each_process(a[0], a[1] as u32 as usize, |pid| {
        set_attribute(PROCESS_ATTRIBUTE_NICE, pid, nice as usize).map(|_| ())
    })?;
    Ok(0)
}

/// personality(2): there is Linux's own only; it can be asked for and set again.
pub unsafe fn personality(a: Args) -> Result {
    match a[0] as u32 {
        0 | 0xffff_ffff => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

pub unsafe fn getcpu(a: Args) -> Result {
    put_opt(a[0], attribute(PROCESS_ATTRIBUTE_CPU, 0)? as u32);
    put_opt(a[1], 0u32);
    Ok(0)
}

pub unsafe fn pidfd_send_signal(a: Args) -> Result {
    if a[3] != 0 {
        return Err(Errno::EINVAL);
    }
    let info = match get_opt::<[u64; 4]>(a[2])? {
        Some([first, second, sender, value]) => Some(SigInfo {
            signal: first as u32,
            code: second as i32,
            pid: sender as u32,
            uid: (sender >> 32) as u32,
            value,
        }),
        None => None,
    };
    let pointer = info.as_ref().map_or(0, |info| core::ptr::from_ref(info).expose_provenance());
    native(sys::PIDFD_SIGNAL, [int(a[0]), a[1] as u32 as usize, pointer, 0, 0, 0])
}

pub unsafe fn pidfd_getfd(a: Args) -> Result {
    if a[2] != 0 {
        return Err(Errno::EINVAL);
    }
    native(sys::PIDFD_GETFD, [int(a[0]), int(a[1]), 0, 0, 0, 0])
}

/// kcmp(2): whether two descriptors of this process are one open file, or two of its things are the same, as they always are.
pub unsafe fn kcmp(a: Args) -> Result {
    const KCMP_FILE: i32 = 0;
    const KCMP_LAST: i32 = 6;
    /// Neither less nor greater, and not equal.
    const DIFFERENT: usize = 3;
    let own = syscall::getpid() as usize;
    if a[0] != own || a[1] != own {
        // Others' descriptors are compared by nobody here.
        return Err(Errno::EPERM);
    }
    match a[2] as i32 {
        KCMP_FILE => match native(sys::FCNTL, [int(a[3]), F_DUPFD_QUERY as usize, int(a[4]), 0, 0, 0])? {
            0 => Ok(DIFFERENT),
            _ => Ok(0),
        },
        1..=KCMP_LAST => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// Copies between this process and another's memory, by the vectors of both sides.
unsafe fn transfer(a: Args, write: bool) -> Result {
    let [pid, local, local_count, remote, remote_count, flags] = a;
    if flags != 0 || local_count > 1024 || remote_count > 1024 {
        return Err(Errno::EINVAL);
    }
    let mut path = [0; 40];
    let memory = {
        let mut len = 0;
        let mut add = |text: &[u8]| {
            for (to, from) in path.iter_mut().skip(len).zip(text) {
                *to = *from;
            }
            len += text.len();
        };
        add(b"/scheme/proc/");
        let mut digits = [0; 10];
        let mut rest = pid as u32;
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        add(digits.get(start..).unwrap_or(&[]));
        add(b"/mem");
        let name = path.get(..len).unwrap_or(&[]);
        let opened = syscall::openat(AT_FDCWD, name, if write { O_RDWR } else { O_RDONLY } | O_CLOEXEC, 0);
        OwnedFd::new(opened.map_err(|error| match error {
            Errno::ENOENT => Errno::ESRCH,
            Errno::EACCES => Errno::EPERM,
            other => other,
        })?)
    };
    let vector = |base: usize, n: usize| get::<IoVec>(base + n * size_of::<IoVec>());
    let (mut done, mut index, mut used) = (0, 0, 0u64);
    for n in 0..local_count {
        let own = vector(local, n)?;
        let mut at = 0;
        while at < own.len && index < remote_count {
            let theirs = vector(remote, index)?;
            let len = (own.len - at).min(theirs.len - used);
            if len == 0 {
                (index, used) = (index + 1, 0);
                continue;
            }
            let (here, there) = ((own.base + at) as usize, theirs.base + used);
            let moved = if write {
                syscall::pwrite(memory.get(), bytes(here, len as usize)?, there)
            } else {
                syscall::pread(memory.get(), bytes_mut(here, len as usize)?, there)
            };
            match moved {
                Ok(0) => return Ok(done),
                Ok(moved) => {
                    done += moved;
                    at += moved as u64;
                    used += moved as u64;
                }
                Err(_) if done > 0 => return Ok(done),
                Err(Errno::EIO) => return Err(Errno::EFAULT),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(done)
}

pub unsafe fn process_vm_readv(a: Args) -> Result {
    transfer(a, false)
}

pub unsafe fn process_vm_writev(a: Args) -> Result {
    transfer(a, true)
}

/// The range of static priorities that a policy has (sched_get_priority_max(2)): (least, greatest).
fn priorities(policy: usize) -> Result<(usize, usize)> {
    match policy as i32 {
        libc::SCHED_FIFO | libc::SCHED_RR => Ok((1, 99)),
        libc::SCHED_OTHER | libc::SCHED_BATCH | libc::SCHED_IDLE => Ok((0, 0)),
        _ => Err(Errno::EINVAL),
    }
}

pub unsafe fn sched_get_priority_max(a: Args) -> Result {
    priorities(a[0]).map(|(_, greatest)| greatest)
}

pub unsafe fn sched_get_priority_min(a: Args) -> Result {
    priorities(a[0]).map(|(least, _)| least)
}

/// The kernel's time slice.
pub unsafe fn sched_rr_get_interval(a: Args) -> Result {
    if (a[0] as i32) < 0 {
        return Err(Errno::EINVAL);
    }
    syscall::get_affinity(a[0] as i32)?;
    put(a[1], super::clocks::time_of(4_000_000))
}

/// _LINUX_CAPABILITY_VERSION_3.
const VERSION: u32 = 0x2008_0522;

/// The caller's capabilities as capget(2) lays them out.
fn capabilities() -> Result<[u32; 6]> {
    let (low, high) = if syscall::get_credentials()?.euid == 0 { (u32::MAX, 0x1ff) } else { (0, 0) };
    Ok([low, low, 0, high, high, 0])
}

/// capset(2): what the caller has already can be set; more is EPERM, and so is less, for a part of them cannot be given up here.
pub unsafe fn capset(a: Args) -> Result {
    if get::<u32>(a[0])? != VERSION {
        put(a[0], VERSION)?;
        return Err(Errno::EINVAL);
    }
    if get::<[u32; 6]>(a[1])? == capabilities()? { Ok(0) } else { Err(Errno::EPERM) }
}

/// capget(2) in its third version: all capabilities for the superuser, none for others.
pub unsafe fn capget(a: Args) -> Result {
    let version: u32 = get(a[0])?;
    if version != VERSION {
        put(a[0], VERSION)?;
        return if a[1] == 0 { Ok(0) } else { Err(Errno::EINVAL) };
    }
    if a[1] == 0 {
        return Ok(0);
    }
    put(a[1], capabilities()?)
}
