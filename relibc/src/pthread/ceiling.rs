//! Mutexes with a priority ceiling: whoever holds one runs with at least its priority. pthread_mutexattr_setprotocol(3), PTHREAD_PRIO_PROTECT.
//!
//! As in glibc the priority is changed on each lock and unlock that changes the highest ceiling a thread holds.

use crate::sys;
use crate::thread;
use core::ffi::c_int;
use libc::sched_param;

/// Priorities of SCHED_FIFO on Linux.
pub const LEAST: c_int = 1;
/// See [`LEAST`].
pub const GREATEST: c_int = 99;
/// Ceilings that one thread may hold at a time.
const DEPTH: usize = 8;

/// The ceilings that a thread holds, and how it is scheduled without them.
pub struct Ceilings {
    held: [c_int; DEPTH],
    count: usize,
    policy: c_int,
    priority: c_int,
}

impl Ceilings {
    /// None held.
    pub const fn new() -> Ceilings {
        Ceilings { held: [0; DEPTH], count: 0, policy: 0, priority: 0 }
    }

    fn highest(&self) -> c_int {
        self.held[..self.count].iter().copied().max().unwrap_or(0)
    }
}

impl Default for Ceilings {
    fn default() -> Ceilings {
        Ceilings::new()
    }
}

fn set(policy: c_int, priority: c_int) -> Result<(), c_int> {
    let param = sched_param { sched_priority: priority };
    // SAFETY: `param` is ours.
    let raw = unsafe {
        let param = (&raw const param).expose_provenance();
        sys::call(libc::SYS_sched_setscheduler, [0, policy as usize, param, 0, 0, 0])
    };
    sys::result(raw).map(drop)
}

/// Raises the calling thread to `ceiling` before it locks.
///
/// # Errors
/// EINVAL: its own priority is above the ceiling. EAGAIN: it holds too many. EPERM: it may not run with such a priority.
pub fn enter(ceiling: c_int) -> Result<(), c_int> {
    // SAFETY: the calling thread's own block.
    let mine = unsafe { &mut (*thread::current()).ceilings };
    if mine.count == 0 {
        let mut param = sched_param { sched_priority: 0 };
        // SAFETY: `param` is ours.
        unsafe {
            mine.policy = sys::result(sys::call(libc::SYS_sched_getscheduler, [0; 6]))? as c_int;
            sys::result(sys::call(libc::SYS_sched_getparam, [0, (&raw mut param).expose_provenance(), 0, 0, 0, 0]))?;
        }
        mine.priority = param.sched_priority;
    }
    if mine.priority > ceiling {
        return Err(libc::EINVAL);
    }
    if mine.count == DEPTH {
        return Err(libc::EAGAIN);
    }
    if ceiling > mine.highest().max(mine.priority) {
        let policy = if mine.policy == libc::SCHED_RR { libc::SCHED_RR } else { libc::SCHED_FIFO };
        set(policy, ceiling)?;
    }
    mine.held[mine.count] = ceiling;
    mine.count += 1;
    Ok(())
}

/// Takes back an [`enter`] with this ceiling.
pub fn leave(ceiling: c_int) {
    // SAFETY: the calling thread's own block.
    let mine = unsafe { &mut (*thread::current()).ceilings };
    let before = mine.highest();
    let Some(at) = mine.held[..mine.count].iter().position(|held| *held == ceiling) else { return };
    mine.count -= 1;
    mine.held[at] = mine.held[mine.count];
    let after = mine.highest();
    if after < before && before > mine.priority {
        // It can only lower the priority, which is always allowed.
        let _ = if after > mine.priority { set(libc::SCHED_FIFO, after) } else { set(mine.policy, mine.priority) };
    }
}
