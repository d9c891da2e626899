//! Process groups and sessions.

use super::*;

/// `pgid`, if a process of that group is in the session; EPERM.
pub(super) fn group_in_session(pgid: u32, sid: u32) -> Result<u32> {
    let found = PROCESSES.lock().values().any(|p| p.pgid() == pgid && p.sid() == sid);
    if found { Ok(pgid) } else { Err(Errno::EPERM) }
}

fn own_or_child(me: &Arc<Thread>, pid: u64) -> Result<Arc<Process>> {
    if pid == 0 || pid == u64::from(me.process.pid) {
        return Ok(me.process.clone());
    }
    let pid = u32::try_from(pid).map_err(|_| Errno::EINVAL)?;
    me.process.family.lock().children.iter().find(|c| c.pid == pid).cloned().ok_or(Errno::ESRCH)
}

/// SETPGID.
pub fn setpgid(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let target = own_or_child(me, a[0])?;
    let pgid = if a[1] == 0 { target.pid } else { i32::try_from(a[1] as i64).map_err(|_| Errno::EINVAL)? as u32 };
    if pgid > i32::MAX as u32 {
        return Err(Errno::EINVAL);
    }
    if target.sid() != me.process.sid() {
        return Err(Errno::EPERM);
    }
    if target.pid != me.process.pid && target.execed.load(Relaxed) {
        return Err(Errno::EACCES);
    }
    if target.sid() == target.pid {
        return Err(Errno::EPERM);
    }
    if pgid != target.pid {
        group_in_session(pgid, target.sid())?;
    }
    target.pgid.store(pgid, Relaxed);
    Ok(0)
}

/// GETPGID.
pub fn getpgid(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let pid = if a[0] == 0 { me.process.pid } else { u32::try_from(a[0]).map_err(|_| Errno::ESRCH)? };
    Ok(find(pid)?.pgid() as usize)
}

/// SETSID.
pub fn setsid(me: &Arc<Thread>, _: &[u64; 6]) -> Result<usize> {
    let process = &me.process;
    if PROCESSES.lock().values().any(|p| p.pgid() == process.pid) {
        return Err(Errno::EPERM);
    }
    process.sid.store(process.pid, Relaxed);
    process.pgid.store(process.pid, Relaxed);
    Ok(process.pid as usize)
}

/// GETSID.
pub fn getsid(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let pid = if a[0] == 0 { me.process.pid } else { u32::try_from(a[0]).map_err(|_| Errno::ESRCH)? };
    Ok(find(pid)?.sid() as usize)
}
