//! Starting a child that borrows this process's memory until exec.

use super::{Action, Attr, Job};
use crate::process::try_each;
use crate::sys;
use core::ffi::{c_int, c_short, c_void};
use core::ptr;
use libc::pid_t;

/// Stack of the child until exec, bytes.
const STACK: usize = 64 << 10;

/// Status with which a child ends that could not exec (glibc's).
const CANNOT_EXEC: c_int = 127;

struct Shared<'a> {
    job: &'a Job<'a>,
    /// The child's error, seen by the parent because they share memory.
    errno: c_int,
}

/// Resets the signals that have handlers (whose code the parent owns), or that are asked to be.
unsafe fn reset_signals(attr: Option<&Attr>) {
    let asked = match attr {
        Some(attr) if attr.flags & libc::POSIX_SPAWN_SETSIGDEF as c_short != 0 => {
            *(&raw const attr.default).cast::<u64>()
        }
        _ => 0,
    };
    let mut action: libc::sigaction = core::mem::zeroed();
    for signal in 1..=64 {
        if signal == libc::SIGKILL || signal == libc::SIGSTOP {
            continue;
        }
        if asked & 1 << (signal - 1) == 0 {
            sys::sigaction(signal, ptr::null(), &mut action);
            if matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN) {
                continue;
            }
        }
        action = core::mem::zeroed();
        sys::sigaction(signal, &action, ptr::null_mut());
    }
}

unsafe fn apply_attr(attr: &Attr) -> Result<(), c_int> {
    let has = |flag: c_int| c_int::from(attr.flags) & flag != 0;
    /// Not in every version of the crate `libc`.
    const SETSID: c_int = 0x80;
    if has(SETSID) {
        sys::result(sys::setsid())?;
    }
    if has(libc::POSIX_SPAWN_SETPGROUP) {
        sys::result(sys::setpgid(0, attr.group))?;
    }
    if has(libc::POSIX_SPAWN_SETSCHEDULER) {
        let args = [0, attr.policy as usize, (&raw const attr.param).expose_provenance(), 0, 0, 0];
        sys::result(sys::call(libc::SYS_sched_setscheduler, args))?;
    } else if has(libc::POSIX_SPAWN_SETSCHEDPARAM) {
        let args = [0, (&raw const attr.param).expose_provenance(), 0, 0, 0, 0];
        sys::result(sys::call(libc::SYS_sched_setparam, args))?;
    }
    if has(libc::POSIX_SPAWN_RESETIDS) {
        sys::result(sys::setgid(sys::getgid() as u32))?;
        sys::result(sys::setuid(sys::getuid() as u32))?;
    }
    Ok(())
}

unsafe fn apply_action(action: &Action) -> Result<(), c_int> {
    match action {
        Action::Open { fd, path, flags, mode } => {
            let opened = sys::result(sys::openat(libc::AT_FDCWD, path.as_ptr().cast(), *flags, *mode))? as c_int;
            if opened != *fd {
                sys::result(sys::dup3(opened, *fd, flags & libc::O_CLOEXEC))?;
                sys::close(opened);
            }
        }
        Action::Close(fd) => {
            // A descriptor that is not open is no error here. POSIX.
            sys::close(*fd);
        }
        Action::Dup2 { old, new } if old == new => {
            // The descriptor is to survive exec.
            let flags = sys::result(sys::fcntl(*old, libc::F_GETFD, 0))?;
            sys::result(sys::fcntl(*old, libc::F_SETFD, flags & !(libc::FD_CLOEXEC as usize)))?;
        }
        Action::Dup2 { old, new } => {
            sys::result(sys::dup3(*old, *new, 0))?;
        }
        Action::Chdir(path) => {
            sys::result(sys::chdir(path.as_ptr().cast()))?;
        }
        Action::Fchdir(fd) => {
            sys::result(sys::fchdir(*fd))?;
        }
        Action::CloseFrom(fd) => {
            sys::result(sys::call(libc::SYS_close_range, [*fd as usize, u32::MAX as usize, 0, 0, 0, 0]))?;
        }
        Action::TakeTerminal(fd) => {
            let group = sys::result(sys::getpgid(0))? as c_int;
            sys::result(sys::ioctl(*fd, libc::TIOCSPGRP as usize, (&raw const group).expose_provenance()))?;
        }
    }
    Ok(())
}

unsafe fn prepare(job: &Job) -> Result<(), c_int> {
    reset_signals(job.attr);
    if let Some(attr) = job.attr {
        apply_attr(attr)?;
    }
    for action in job.actions {
        apply_action(action)?;
    }
    let mut mask = job.mask;
    if let Some(attr) = job.attr
        && c_int::from(attr.flags) & libc::POSIX_SPAWN_SETSIGMASK != 0
    {
        mask = *(&raw const attr.mask).cast::<u64>();
    }
    sys::rt_sigprocmask(libc::SIG_SETMASK, &mask, ptr::null_mut(), 8);
    Ok(())
}

/// The child's part: returns only when it could not exec, with the errno.
unsafe fn become_program(job: &Job) -> c_int {
    match prepare(job) {
        Ok(()) => try_each(job.paths, job.argv, job.envp),
        Err(errno) => errno,
    }
}

/// The child: only system calls from here, in memory that it shares with the parent.
unsafe extern "C" fn child(argument: *mut c_void) -> ! {
    let shared = &mut *argument.cast::<Shared>();
    shared.errno = become_program(shared.job);
    sys::exit_process(CANNOT_EXEC)
}

/// Starts the child; its id.
///
/// # Errors
/// Why there is no child, or why it could not exec.
///
/// # Safety
/// All signals are blocked.
pub unsafe fn launch(job: &Job) -> Result<pid_t, c_int> {
    let raw = sys::mmap(
        ptr::null_mut(),
        STACK,
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK,
        -1,
        0,
    );
    let stack = sys::result(raw)?;
    let mut shared = Shared { job, errno: 0 };
    let raw = sys::spawn_vfork((stack + STACK) as *mut c_void, child, (&raw mut shared).cast());
    let errno = (&raw const shared.errno).read_volatile();
    sys::munmap(stack as *mut c_void, STACK);
    let pid = sys::result(raw)? as pid_t;
    if errno != 0 {
        // It has ended already; nobody else is to see it.
        sys::wait4(pid, ptr::null_mut(), 0, ptr::null_mut());
        return Err(errno);
    }
    Ok(pid)
}
