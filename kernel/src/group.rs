//! Process groups and sessions, as job control needs them (POSIX, XBD 3.270 "orphaned process group" and XSH _exit).

use crate::process::{self, Process};
use crate::signal;
use crate::thread::Thread;
use crate::user;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ochre_abi::process::{GroupInfo, RIGHT_KILL};
use ochre_abi::signal::{SI_KERNEL, SIGCONT, SIGHUP, SIGNAL_MAX, SigInfo};
use ochre_abi::{Errno, Result};

/// The processes of a group, zombies too.
fn members(pgid: u32) -> Vec<Arc<Process>> {
    process::all().into_iter().filter(|process| process.pgid() == pgid).collect()
}

/// No living member but `leaving` has its parent in another group of the same session: nobody is there who would continue it.
fn orphaned_without(members: &[Arc<Process>], leaving: Option<&Process>) -> bool {
    !members.iter().filter(|member| member.is_alive() && leaving.is_none_or(|gone| gone.pid != member.pid)).any(
        |member| {
            let parent = member.parent().filter(|parent| leaving.is_none_or(|gone| gone.pid != parent.pid));
            parent.is_some_and(|parent| parent.pgid() != member.pgid() && parent.sid() == member.sid())
        },
    )
}

/// The group is orphaned: default actions do not stop its members, and their terminal accesses from the background fail.
pub(crate) fn is_orphaned(pgid: u32) -> bool {
    orphaned_without(&members(pgid), None)
}

/// Sends a signal of the kernel's own to every member of a group; false if there is none.
fn signal_group(members: &[Arc<Process>], signal: u32) -> bool {
    for member in members {
        // A full queue of a member is that member's loss; the others get theirs.
        let _ = signal::send_to_process(member, SigInfo { signal, code: SI_KERNEL, ..SigInfo::default() });
    }
    !members.is_empty()
}

/// `leaving` ends: SIGHUP and SIGCONT for the groups that its end orphans and that have a stopped member, its own and its children's.
pub(crate) fn orphan_by_exit(leaving: &Process, children: &[Arc<Process>]) {
    let parent_linked = leaving.parent().is_some_and(|p| p.pgid() != leaving.pgid() && p.sid() == leaving.sid());
    let mut groups: Vec<u32> = children
        .iter()
        .filter(|child| child.pgid() != leaving.pgid() && child.sid() == leaving.sid())
        .map(|child| child.pgid())
        .collect();
    if parent_linked {
        groups.push(leaving.pgid());
    }
    groups.sort_unstable();
    groups.dedup();
    for pgid in groups {
        let members = members(pgid);
        let others: Vec<_> = members.into_iter().filter(|member| member.pid != leaving.pid).collect();
        if others.iter().any(|member| member.is_stopped()) && orphaned_without(&others, Some(leaving)) {
            signal_group(&others, SIGHUP);
            signal_group(&others, SIGCONT);
        }
    }
}

/// GROUP_INFO.
pub fn group_info(_me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let pgid = u32::try_from(a[0]).map_err(|_| Errno::ESRCH)?;
    let members = members(pgid);
    let sid = members.first().ok_or(Errno::ESRCH)?.sid();
    let info = GroupInfo { sid, orphaned: orphaned_without(&members, None).into() };
    user::write(a[1], &info)?;
    Ok(0)
}

/// GROUP_SIGNAL.
pub fn group_signal(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.process.need_right(RIGHT_KILL)?;
    let signal = u32::try_from(a[1]).ok().filter(|n| (1..=SIGNAL_MAX).contains(n)).ok_or(Errno::EINVAL)?;
    let pgid = u32::try_from(a[0]).map_err(|_| Errno::ESRCH)?;
    if signal_group(&members(pgid), signal) { Ok(0) } else { Err(Errno::ESRCH) }
}
