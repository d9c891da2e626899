//! Processes and scheduling.

use super::clocks::timeval_of;
use super::paths::path;
use super::{Args, Result, bytes_mut, get, get_opt, int, native, put, put_opt, signals, start, string};
use crate::thread;
use core::ptr::with_exposed_provenance;
use libc::rusage;
use ochre_rt::abi::Errno;
use ochre_rt::abi::event::CLOCK_THREAD_CPUTIME_ID;
use ochre_rt::abi::file::{AT_EMPTY_PATH, AT_FDCWD};
use ochre_rt::abi::process::*;
use ochre_rt::abi::signal::{CLD_CONTINUED, CLD_DUMPED, CLD_EXITED, CLD_STOPPED, SIGCHLD};
use ochre_rt::abi::syscall as sys;
use ochre_rt::exec::{self, CStrings};
use ochre_rt::syscall;

pub use start::set_tid_address;

/// What of exit's argument the parent sees.
pub const EXIT_BITS: u64 = 0xff;

/// fork(2) and vfork(2) for callers that go around the C library: the thread's id word is kept right.
pub unsafe fn fork(_: Args) -> Result {
    let tid = (*thread::current()).tid.as_ptr();
    ochre_rt::abi::errno::decode(start::fork(tid) as u64)
}

/// clone(2) as fork uses it; threads are made by the C library.
pub unsafe fn clone(a: Args) -> Result {
    let plain = libc::SIGCHLD | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID;
    if a[0] as i32 & !plain != 0 || a[1] != 0 {
        return Err(Errno::ENOSYS);
    }
    fork(a)
}

/// A list of strings that a program passes to exec.
unsafe fn strings<'a>(pointer: usize) -> CStrings<'a> {
    CStrings::new(with_exposed_provenance(pointer))
}

pub unsafe fn execve(a: Args) -> Result {
    let error = exec::execve(path(a[0])?, strings(a[1]), strings(a[2]), signals::current_mask(), signals::ignored());
    Err(error)
}

pub unsafe fn execveat(a: Args) -> Result {
    let name = string(a[1])?;
    let (dir, flags) = (a[0] as i32, a[4] as u32 as u64);
    let (argv, envp) = (strings(a[2]), strings(a[3]));
    let image = if name.is_empty() && flags & AT_EMPTY_PATH != 0 {
        // fexecve(3): the program is told the path under which the file was opened.
        let mut full = [0; ochre_rt::abi::call::PATH_LEN_MAX];
        let len = syscall::fd_path(dir, &mut full)?;
        let full = full.get(..len).unwrap_or(&[]);
        exec::load_file(exec::open(AT_FDCWD, full)?, full, argv, envp)?
    } else {
        exec::load_file(exec::open(dir, name)?, name, argv, envp)?
    };
    Err(exec::enter(&image, signals::current_mask(), signals::ignored()))
}

pub unsafe fn exit(_: Args) -> Result {
    start::exit_thread()
}

pub unsafe fn exit_group(a: Args) -> Result {
    start::exit_process(a[0] as i32)
}

fn rusage_of(usage: &Usage) -> rusage {
    // SAFETY: numbers only.
    let mut out: rusage = unsafe { core::mem::zeroed() };
    out.ru_utime = timeval_of(usage.user_ns);
    out.ru_stime = timeval_of(usage.system_ns);
    // Kibibytes.
    out.ru_maxrss = usage.max_resident_pages as i64 * 4;
    out.ru_minflt = usage.faults as i64;
    out.ru_nvcsw = usage.voluntary_switches as i64;
    out.ru_nivcsw = usage.involuntary_switches as i64;
    out
}

/// The status word of wait(2). Bits: Linux's `WIFEXITED` and its neighbours.
fn status_word(code: i32, status: i32) -> i32 {
    match code {
        CLD_EXITED => (status & 0xff) << 8,
        CLD_DUMPED => status & 0x7f | 0x80,
        CLD_STOPPED => (status & 0xff) << 8 | 0x7f,
        CLD_CONTINUED => 0xffff,
        _ => status & 0x7f,
    }
}

pub unsafe fn wait4(a: Args) -> Result {
    /// __WNOTHREAD, __WALL, __WCLONE of wait(2).
    const OF_CLONES: u64 = 0xe000_0000;
    if u64::from(a[2] as u32) & !(WNOHANG | WSTOPPED | WCONTINUED | OF_CLONES) != 0 {
        return Err(Errno::EINVAL);
    }
    let (kind, id) = match a[0] as i32 {
        -1 => (P_ALL, 0),
        0 => (P_PGID, syscall::getpgid(0)? as u64),
        pid @ 1.. => (P_PID, pid as u64),
        group => (P_PGID, u64::from(group.unsigned_abs())),
    };
    // WUNTRACED is WSTOPPED; the bits about clones mean nothing where every child is a process.
    let options = u64::from(a[2] as u32) & (WNOHANG | WSTOPPED | WCONTINUED) | WEXITED;
    let Some(found) = syscall::wait(kind, id, options)? else { return Ok(0) };
    put_opt(a[1], status_word(found.code, found.status));
    put_opt(a[3], rusage_of(&found.usage));
    Ok(found.pid as usize)
}

/// The part of siginfo_t that waitid fills.
#[repr(C)]
struct ChildInfo {
    signo: i32,
    errno: i32,
    code: i32,
    pad: i32,
    pid: u32,
    uid: u32,
    status: i32,
}

pub unsafe fn waitid(a: Args) -> Result {
    let options = u64::from(a[3] as u32) & (WNOHANG | WSTOPPED | WEXITED | WCONTINUED | WNOWAIT);
    if options & (WSTOPPED | WEXITED | WCONTINUED) == 0 {
        return Err(Errno::EINVAL);
    }
    let kind = u64::from(a[0] as u32);
    let id = match (kind, a[1] as u32) {
        (P_PGID, 0) => syscall::getpgid(0)? as u64,
        (_, id) => u64::from(id),
    };
    let found = syscall::wait(kind, id, options)?;
    if let Some(found) = &found {
        put_opt(a[4], rusage_of(&found.usage));
    }
    let info = match found {
        Some(found) => ChildInfo {
            signo: SIGCHLD as i32,
            errno: 0,
            code: found.code,
            pad: 0,
            pid: found.pid,
            uid: found.uid,
            status: found.status,
        },
        None => ChildInfo { signo: 0, errno: 0, code: 0, pad: 0, pid: 0, uid: 0, status: 0 },
    };
    put_opt(a[2], info);
    Ok(0)
}

pub unsafe fn pidfd_open(a: Args) -> Result {
    syscall::pidfd_open(a[0] as i32, a[1] as u32).map(|fd| fd as usize)
}

pub unsafe fn getrusage(a: Args) -> Result {
    let usage = match a[0] as i32 {
        libc::RUSAGE_THREAD => Usage { user_ns: syscall::clock_get(CLOCK_THREAD_CPUTIME_ID)?, ..Usage::default() },
        who => syscall::process_usage(who)?,
    };
    put(a[1], rusage_of(&usage))
}

pub unsafe fn arch_prctl(a: Args) -> Result {
    const ARCH_SET_FS: usize = 0x1002;
    const ARCH_GET_FS: usize = 0x1003;
    match a[0] {
        ARCH_SET_FS => native(sys::SET_FS_BASE, [a[1], 0, 0, 0, 0, 0]),
        ARCH_GET_FS => put(a[1], thread::current().expose_provenance()),
        _ => Err(Errno::EINVAL),
    }
}

/// A thread's name of a path: the last component, cut at 15 bytes.
pub fn exec_name(path: &[u8]) -> [u8; 16] {
    let mut name = [0; 16];
    let last = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    for (to, from) in name.iter_mut().take(15).zip(last) {
        *to = *from;
    }
    name
}

pub unsafe fn sched_yield(_: Args) -> Result {
    syscall::yield_now();
    Ok(0)
}

pub unsafe fn sched_getaffinity(a: Args) -> Result {
    if a[1] < 8 || !a[1].is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    let mask = native(sys::GET_AFFINITY, [int(a[0]), 0, 0, 0, 0, 0])?;
    put(a[2], mask as u64)?;
    Ok(8)
}

pub unsafe fn sched_setaffinity(a: Args) -> Result {
    let mut mask = [0; 8];
    for (to, from) in mask.iter_mut().zip(bytes_mut(a[2], a[1])?) {
        *to = *from;
    }
    native(sys::SET_AFFINITY, [int(a[0]), u64::from_le_bytes(mask) as usize, 0, 0, 0, 0])
}

/// Whether threads may have this policy and static priority: there is the ordinary one (and its variants), whose priority is 0.
fn check_policy(policy: i32, priority: i32) -> Result {
    const SCHED_RESET_ON_FORK: i32 = 0x4000_0000;
    match (policy & !SCHED_RESET_ON_FORK, priority) {
        (libc::SCHED_OTHER | libc::SCHED_BATCH | libc::SCHED_IDLE, 0) => Ok(0),
        (libc::SCHED_FIFO | libc::SCHED_RR, 1..=99) => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

/// ESRCH if there is no such thread of this process.
fn check_thread(tid: usize) -> Result<()> {
    syscall::get_affinity(tid as i32).map(|_| ())
}

pub unsafe fn sched_getscheduler(a: Args) -> Result {
    check_thread(a[0])?;
    Ok(libc::SCHED_OTHER as usize)
}

pub unsafe fn sched_setscheduler(a: Args) -> Result {
    check_thread(a[0])?;
    check_policy(a[1] as i32, get(a[2])?)
}

pub unsafe fn sched_getparam(a: Args) -> Result {
    check_thread(a[0])?;
    put(a[1], 0i32)
}

pub unsafe fn sched_setparam(a: Args) -> Result {
    check_thread(a[0])?;
    check_policy(libc::SCHED_OTHER, get_opt(a[1])?.ok_or(Errno::EINVAL)?)
}
