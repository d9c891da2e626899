//! Limits, rights, credentials, and what a process has used.

use super::*;

/// LIMIT.
pub fn limit(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    change_limit(me, &me.process, a)
}

/// Reads and sets a limit of `process` on behalf of `me`: (resource, new or 0, old or 0).
pub(crate) fn change_limit(me: &Arc<Thread>, process: &Arc<Process>, a: &[u64; 6]) -> Result<usize> {
    let resource = usize::try_from(a[0]).ok().filter(|r| *r < RESOURCES).ok_or(Errno::EINVAL)?;
    let new: Option<abi::Rlimit> = if a[1] != 0 { Some(crate::user::read(a[1])?) } else { None };
    let old = process.limits.lock()[resource];
    if let Some(new) = new {
        if new.current > new.max {
            return Err(Errno::EINVAL);
        }
        if new.max > old.max {
            me.process.need_right(abi::RIGHT_PRIORITY)?;
        }
        process.limits.lock()[resource] = new;
        match resource as u64 {
            abi::RLIMIT_RESIDENT => process.space().set_resident_limit(new.current),
            abi::RLIMIT_CPU => process.timers.limit_cpu(process, new),
            _ => {}
        }
    }
    if a[2] != 0 {
        crate::user::write(a[2], &old)?;
    }
    Ok(0)
}

/// RIGHTS_DROP.
pub fn rights_drop(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    Ok((me.process.rights.fetch_and(!a[0], SeqCst) & !a[0]) as usize)
}

/// SET_CREDENTIALS.
pub fn set_credentials(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let new: Credentials = crate::user::read(a[0])?;
    let old = me.process.credentials();
    let users = [old.ruid, old.euid, old.suid];
    let groups = [old.rgid, old.egid, old.sgid];
    // Anyone may exchange the ids that he has; others need the right.
    let exchanged = [new.ruid, new.euid, new.suid].iter().all(|id| users.contains(id))
        && [new.rgid, new.egid, new.sgid].iter().all(|id| groups.contains(id));
    if !exchanged {
        me.process.need_right(abi::RIGHT_CREDENTIALS)?;
    }
    me.process.set_credentials(new);
    Ok(0)
}

/// GET_CREDENTIALS.
pub fn get_credentials(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    crate::user::write(a[0], &me.process.credentials())?;
    Ok(0)
}

/// PROCESS_USAGE.
pub fn process_usage(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let user_ns = match a[0] as i64 {
        0 => me.process.run_ns(),
        -1 => me.process.children_run_ns(),
        _ => return Err(Errno::EINVAL),
    };
    crate::user::write(a[1], &abi::Usage { user_ns, ..abi::Usage::default() })?;
    Ok(0)
}

/// Limits of the first process; Linux's defaults where Linux has them.
pub(crate) fn default_limits() -> [abi::Rlimit; RESOURCES] {
    let mut limits = [abi::Rlimit { current: abi::RLIM_INFINITY, max: abi::RLIM_INFINITY }; RESOURCES];
    limits[abi::RLIMIT_STACK as usize].current = 8 << 20;
    limits[abi::RLIMIT_CORE as usize].current = 0;
    limits[abi::RLIMIT_NOFILE as usize] = abi::Rlimit { current: 1024, max: 1 << 20 };
    limits[abi::RLIMIT_THREADS as usize] = abi::Rlimit { current: 4096, max: 32_768 };
    limits
}
