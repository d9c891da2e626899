//! What a process keeps besides its ids: supplementary groups, and what prctl(2) and setpriority(2) set.

use crate::process::{self, PidFd, Process};
use crate::signal;
use crate::thread::{DEFAULT_PRIORITY, Thread};
use crate::user;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;
use ochre_abi::process::*;
use ochre_abi::signal::{SI_USER, SIGNAL_MAX, SigInfo};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// See the module.
#[derive(Clone, Default)]
pub struct Attributes {
    /// Supplementary groups.
    pub groups: Arc<Vec<u32>>,
    /// −20 to 19.
    pub nice: i8,
    /// Sent to the process when its parent ends; 0: nothing.
    pub death_signal: u32,
    /// Orphans below it become its children.
    pub subreaper: bool,
    /// PR_SET_DUMPABLE's 0, kept the other way round so that the default is none.
    pub undumpable: bool,
    /// PR_SET_NO_NEW_PRIVS.
    pub no_new_privileges: bool,
}

impl Attributes {
    /// What a child takes over (prctl(2)): not the death signal, and not the duty to orphans.
    pub(crate) fn for_child(&self) -> Attributes {
        Attributes { death_signal: 0, subreaper: false, ..self.clone() }
    }
}

/// The priority of threads with a nice value: 16 for −20, the default for 0, 1 for 19.
fn priority_of(nice: i8) -> u8 {
    (i16::from(DEFAULT_PRIORITY) - i16::from(nice) * 2 / 5).clamp(1, 16) as u8
}

/// GROUPS.
pub fn groups(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [address, count, set, ..] = *a;
    if set == 0 {
        let groups = me.process.attributes(|own| own.groups.clone());
        if count == 0 {
            return Ok(groups.len());
        }
        if (groups.len() as u64) > count {
            return Err(Errno::EINVAL);
        }
        for (n, group) in groups.iter().enumerate() {
            user::write(address.wrapping_add(4 * n as u64), group)?;
        }
        return Ok(groups.len());
    }
    me.process.need_right(RIGHT_CREDENTIALS)?;
    if count > GROUPS_MAX as u64 {
        return Err(Errno::EINVAL);
    }
    crate::io::need_room(count as usize * 4)?;
    let read = |n| user::read(address.wrapping_add(4 * n));
    let mut new = (0..count).map(read).collect::<Result<Vec<u32>>>()?;
    new.sort_unstable();
    let new = Arc::new(new);
    let old = me.process.attributes(|own| core::mem::replace(&mut own.groups, new));
    drop(old);
    Ok(0)
}

/// The process that an ATTRIBUTE or LIMIT_OF is about: the caller's own, or one that it may change. ESRCH, EPERM.
fn target(me: &Arc<Thread>, pid: u64) -> Result<Arc<Process>> {
    if pid == 0 || pid == u64::from(me.process.pid) {
        return Ok(me.process.clone());
    }
    process::find(u32::try_from(pid).map_err(|_| Errno::ESRCH)?)
}

/// The same user in every respect, or the superuser.
fn check_same_user(me: &Arc<Thread>, target: &Process) -> Result<()> {
    let (mine, theirs) = (me.process.credentials(), target.credentials());
    let same = [theirs.ruid, theirs.euid, theirs.suid].iter().all(|id| *id == mine.ruid);
    if same || mine.euid == 0 || core::ptr::eq(&*me.process, target) { Ok(()) } else { Err(Errno::EPERM) }
}

/// ATTRIBUTE.
pub fn attribute(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [which, pid, value, set, ..] = *a;
    let target = target(me, pid)?;
    let own = Arc::ptr_eq(&target, &me.process);
    if which != PROCESS_ATTRIBUTE_NICE && !own {
        return Err(Errno::EINVAL);
    }
    if set == 0 {
        return target.attributes(|of| {
            Ok(match which {
                PROCESS_ATTRIBUTE_NICE => (i64::from(of.nice) + 20) as usize,
                PROCESS_ATTRIBUTE_DEATH_SIGNAL => of.death_signal as usize,
                PROCESS_ATTRIBUTE_SUBREAPER => usize::from(of.subreaper),
                PROCESS_ATTRIBUTE_DUMPABLE => usize::from(!of.undumpable),
                PROCESS_ATTRIBUTE_NO_NEW_PRIVILEGES => usize::from(of.no_new_privileges),
                PROCESS_ATTRIBUTE_CPU => hal::cpu::id(),
                _ => return Err(Errno::EINVAL),
            })
        });
    }
    if which == PROCESS_ATTRIBUTE_NICE {
        return set_nice(me, &target, value);
    }
    if value > 1 && which != PROCESS_ATTRIBUTE_DEATH_SIGNAL || value > u64::from(SIGNAL_MAX) {
        return Err(Errno::EINVAL);
    }
    target.attributes(|of| {
        match which {
            PROCESS_ATTRIBUTE_DEATH_SIGNAL => of.death_signal = value as u32,
            PROCESS_ATTRIBUTE_SUBREAPER => of.subreaper = value != 0,
            PROCESS_ATTRIBUTE_DUMPABLE => of.undumpable = value == 0,
            PROCESS_ATTRIBUTE_NO_NEW_PRIVILEGES if value == 1 => of.no_new_privileges = true,
            _ => return Err(Errno::EINVAL),
        }
        Ok(0)
    })
}

/// setpriority(2) of one process: EPERM for another user's, EACCES for a lower value without the right.
fn set_nice(me: &Arc<Thread>, target: &Arc<Process>, value: u64) -> Result<usize> {
    let nice = value.min(39) as i8 - 20;
    let (mine, theirs) = (me.process.credentials(), target.credentials());
    if mine.euid != 0 && mine.euid != theirs.ruid && mine.euid != theirs.euid {
        return Err(Errno::EPERM);
    }
    if nice < target.attributes(|of| of.nice) && !me.process.has_right(RIGHT_PRIORITY) {
        return Err(Errno::EACCES);
    }
    target.attributes(|of| of.nice = nice);
    for thread in target.threads() {
        thread.sched.priority.store(priority_of(nice), Relaxed);
        thread.sched.effective.store(priority_of(nice), Relaxed);
    }
    Ok(0)
}

/// LIMIT_OF.
pub fn limit_of(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let target = target(me, a[0])?;
    check_same_user(me, &target)?;
    process::change_limit(me, &target, &[a[1], a[2], a[3], 0, 0, 0])
}

fn pidfd(me: &Arc<Thread>, fd: u64) -> Result<Arc<Process>> {
    let file = me.process.file(fd as i32)?;
    file.object::<PidFd>().map(|pidfd| pidfd.0.clone()).ok_or(Errno::EBADF)
}

/// PIDFD_SIGNAL.
pub fn pidfd_signal(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let target = pidfd(me, a[0])?;
    let number = u32::try_from(a[1]).ok().filter(|signal| *signal <= SIGNAL_MAX).ok_or(Errno::EINVAL)?;
    if !target.is_alive() {
        return Err(Errno::ESRCH);
    }
    let mut info = SigInfo { code: SI_USER, ..SigInfo::default() };
    if a[2] != 0 {
        info = user::read(a[2])?;
        if info.signal != number {
            return Err(Errno::EINVAL);
        }
        if info.code >= 0 && !Arc::ptr_eq(&target, &me.process) {
            return Err(Errno::EPERM);
        }
    }
    info = SigInfo { signal: number, pid: me.process.pid, uid: me.process.credentials().ruid, ..info };
    signal::send_as(me, &target, info)
}

/// PIDFD_GETFD.
pub fn pidfd_getfd(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let target = pidfd(me, a[0])?;
    check_same_user(me, &target)?;
    if !target.is_alive() {
        return Err(Errno::ESRCH);
    }
    let file = target.file(a[1] as i32)?;
    Ok(me.process.install(file, true)? as usize)
}
