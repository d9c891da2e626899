//! Processes and address spaces.

use super::{id, sys, unit};
use ochre_abi::Result;
use ochre_abi::memory::MapArgs;
use ochre_abi::process::{Credentials, GroupInfo, ProcessArgs, Rlimit, StartArgs, Usage, WaitResult};
use ochre_abi::{Errno, errno};

/// The calling process's id, from the kernel (rt keeps a copy in [`ochre_abi::signal::ProcessPage::pid`]).
pub fn getpid() -> i32 {
    sys!(GETPID).unwrap_or(0) as i32
}

/// The parent's id, 1 once it is gone.
pub fn getppid() -> i32 {
    sys!(GETPPID).unwrap_or(1) as i32
}

/// An empty address space. `flags`: 0 or O_CLOEXEC.
pub fn space_create(flags: u32) -> Result<i32> {
    id(sys!(SPACE_CREATE, flags))
}

/// mmap into another address space; the address.
pub fn space_map(space: i32, args: &MapArgs) -> Result<usize> {
    sys!(SPACE_MAP, space, core::ptr::from_ref(args))
}

/// Fills mapped memory of another address space in which nothing runs; the bytes written.
pub fn space_write(space: i32, addr: u64, data: &[u8]) -> Result<usize> {
    sys!(SPACE_WRITE, space, addr, data.as_ptr(), data.len())
}

/// Has the calling process go on in `space`. Returns only with an error.
///
/// # Safety
/// Every other thread ends where it is and this address space goes: nothing here may be needed any more.
pub unsafe fn space_exec(space: i32, args: &StartArgs) -> Errno {
    match sys!(SPACE_EXEC, space, core::ptr::from_ref(args)) {
        Ok(_) => Errno::EIO,
        Err(error) => error,
    }
}

/// A child process in `args.space`; its pid.
///
/// # Safety
/// `args.fds` is the address of `args.fd_count` [`ochre_abi::process::FdPair`]s.
pub unsafe fn process_create(args: &ProcessArgs) -> Result<i32> {
    id(sys!(PROCESS_CREATE, core::ptr::from_ref(args)))
}

/// A copy-on-write copy of the calling process with this thread only: 0 in the child, its pid in the parent.
///
/// # Safety
/// Locks that other threads hold stay held in the child.
pub unsafe fn fork(flags: u64) -> Result<i32> {
    id(sys!(FORK, flags))
}

/// Ends the process with `status` (exit(2)'s, or EXIT_SIGNAL | signal).
pub fn exit(status: u64) -> ! {
    loop {
        // EXIT does not return; the loop is for the type only.
        let _ = sys!(EXIT, status);
    }
}

/// waitid(2); `None` with WNOHANG if there is nothing yet.
pub fn wait(kind: u64, id: u64, options: u64) -> Result<Option<WaitResult>> {
    let mut result = WaitResult::default();
    let pid = sys!(WAIT, kind, id, core::ptr::from_mut(&mut result), options)?;
    Ok((pid != 0).then_some(result))
}

/// pidfd_open(2).
pub fn pidfd_open(pid: i32, flags: u32) -> Result<i32> {
    id(sys!(PIDFD_OPEN, pid, flags))
}

/// getrlimit(2) and setrlimit(2) of the calling process: the limits before.
pub fn limit(resource: u64, new: Option<&Rlimit>) -> Result<Rlimit> {
    let mut old = Rlimit::default();
    sys!(LIMIT, resource, super::address(new), core::ptr::from_mut(&mut old))?;
    Ok(old)
}

/// Gives up the rights in `mask` for ever; those left.
pub fn rights_drop(mask: u64) -> Result<u64> {
    sys!(RIGHTS_DROP, mask).map(|rights| rights as u64)
}

/// Sets the process's user and group ids; needs RIGHT_CREDENTIALS.
pub fn set_credentials(credentials: &Credentials) -> Result<()> {
    unit(sys!(SET_CREDENTIALS, core::ptr::from_ref(credentials)))
}

/// The process's user and group ids.
pub fn get_credentials() -> Result<Credentials> {
    let mut credentials = Credentials::default();
    sys!(GET_CREDENTIALS, core::ptr::from_mut(&mut credentials))?;
    Ok(credentials)
}

/// Resources used by the process (`who` 0) or its waited-for children (−1).
pub fn process_usage(who: i32) -> Result<Usage> {
    let mut usage = Usage::default();
    sys!(PROCESS_USAGE, who, core::ptr::from_mut(&mut usage))?;
    Ok(usage)
}

/// Where non-native system call numbers go (0: ENOSYS).
///
/// # Safety
/// `handler` is code that keeps to the convention of [`ochre_abi::syscall::REFLECT_SET`].
pub unsafe fn reflect_set(handler: usize) -> Result<()> {
    unit(sys!(REFLECT_SET, handler))
}

/// getpgid(2).
pub fn getpgid(pid: i32) -> Result<i32> {
    id(sys!(GETPGID, pid))
}

/// setpgid(2).
pub fn setpgid(pid: i32, pgid: i32) -> Result<()> {
    unit(sys!(SETPGID, pid, pgid))
}

/// setsid(2).
pub fn setsid() -> Result<i32> {
    id(sys!(SETSID))
}

/// getsid(2).
pub fn getsid(pid: i32) -> Result<i32> {
    id(sys!(GETSID, pid))
}

/// The result of the system call numbered `number` in its raw form; for calls that have no function here.
///
/// # Safety
/// As [`super::raw::syscall6`].
pub unsafe fn any(number: u64, args: [u64; 6]) -> Result<usize> {
    let [a, b, c, d, e, f] = args;
    // SAFETY: the caller's contract.
    errno::decode(unsafe { super::raw::syscall6(number, a, b, c, d, e, f) })
}

/// Session of a process group, and whether it is orphaned; ESRCH.
pub fn group_info(pgid: u32) -> Result<GroupInfo> {
    let mut info = GroupInfo::default();
    sys!(GROUP_INFO, pgid, core::ptr::from_mut(&mut info))?;
    Ok(info)
}

/// Sends a terminal's signal to a process group. ESRCH; EPERM without RIGHT_KILL.
pub fn group_signal(pgid: u32, signal: u32) -> Result<()> {
    unit(sys!(GROUP_SIGNAL, pgid, signal))
}
