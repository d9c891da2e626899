//! Starting a child in a fresh address space.
//!
//! Most lists of actions come down to "these descriptors become those, start in that directory": such a child
//! is started as a program at once. What does not fit (closing an inheritable descriptor, for instance)
//! is done by a forked child.

use super::{Action, CANNOT_EXEC, Job, become_program};
use crate::sys::{self, Spawn};
use alloc::vec::Vec;
use core::ffi::c_int;
use core::ptr;
use libc::pid_t;

/// The outcome of the actions, seen from the parent.
#[derive(Default)]
struct Plan {
    /// (The parent's descriptor, the child's).
    fds: Vec<(c_int, c_int)>,
    cwd: Option<c_int>,
    /// Descriptors opened for the child, to be closed here.
    opened: Vec<c_int>,
}

impl Drop for Plan {
    fn drop(&mut self) {
        for fd in &self.opened {
            // SAFETY: opened here.
            unsafe { sys::close(*fd) };
        }
    }
}

impl Plan {
    /// The parent's descriptor behind the child's `fd`.
    fn source(&self, fd: c_int) -> c_int {
        self.fds.iter().find(|pair| pair.1 == fd).map_or(fd, |pair| pair.0)
    }

    fn set(&mut self, source: c_int, target: c_int) {
        self.fds.retain(|pair| pair.1 != target);
        self.fds.push((source, target));
    }

    unsafe fn open(&mut self, dir: c_int, path: &[u8], flags: c_int, mode: u32) -> Result<c_int, c_int> {
        let fd = sys::result(sys::openat(dir, path.as_ptr().cast(), flags | libc::O_CLOEXEC, mode))? as c_int;
        self.opened.push(fd);
        Ok(fd)
    }

    /// Carries out what can be foreseen. None: something cannot.
    unsafe fn make(actions: &[Action]) -> Result<Option<Plan>, c_int> {
        let mut plan = Plan::default();
        for action in actions {
            match action {
                Action::Dup2 { old, new } => {
                    let source = plan.source(*old);
                    sys::result(sys::fcntl(source, libc::F_GETFD, 0))?;
                    plan.set(source, *new);
                }
                Action::Open { fd, path, flags, mode } if flags & libc::O_CLOEXEC == 0 => {
                    if plan.cwd.is_some() && path.first() != Some(&b'/') {
                        return Ok(None);
                    }
                    let source = plan.open(libc::AT_FDCWD, path, *flags, *mode)?;
                    plan.set(source, *fd);
                }
                Action::Chdir(path) => {
                    let from = plan.cwd.unwrap_or(libc::AT_FDCWD);
                    plan.cwd = Some(plan.open(from, path, libc::O_RDONLY | libc::O_DIRECTORY, 0)?);
                }
                Action::Fchdir(fd) => plan.cwd = Some(plan.source(*fd)),
                _ => return Ok(None),
            }
        }
        Ok(Some(plan))
    }
}

/// Starts the child; its id.
///
/// # Errors
/// Why there is no child, or why it could not become the program.
///
/// # Safety
/// All signals are blocked.
pub unsafe fn launch(job: &Job) -> Result<pid_t, c_int> {
    const SETSID: c_int = 0x80;
    const FORESEEN: c_int =
        libc::POSIX_SPAWN_SETPGROUP | libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK | SETSID
        // POSIX_SPAWN_USEVFORK, without meaning.
        | 0x40;
    let flags = job.attr.map_or(0, |attr| c_int::from(attr.flags));
    if flags & !FORESEEN != 0 {
        return fork_and_exec(job);
    }
    let Some(plan) = Plan::make(job.actions)? else {
        return fork_and_exec(job);
    };
    let mut spawn = Spawn {
        argv: job.argv,
        envp: job.envp,
        fds: &plan.fds,
        cwd: plan.cwd,
        new_session: flags & SETSID != 0,
        group: None,
        mask: job.mask,
        default: 0,
    };
    if let Some(attr) = job.attr {
        if flags & libc::POSIX_SPAWN_SETPGROUP != 0 {
            spawn.group = Some(attr.group);
        }
        if flags & libc::POSIX_SPAWN_SETSIGDEF != 0 {
            spawn.default = *(&raw const attr.default).cast::<u64>();
        }
        if flags & libc::POSIX_SPAWN_SETSIGMASK != 0 {
            spawn.mask = *(&raw const attr.mask).cast::<u64>();
        }
    }
    let mut worst = libc::ENOENT;
    for path in job.paths {
        let relative = path.first() != Some(&b'/');
        if relative && plan.cwd.is_some() {
            return fork_and_exec(job);
        }
        match sys::native_spawn(path.strip_suffix(&[0]).unwrap_or(path), &spawn) {
            Ok(pid) => return Ok(pid),
            Err(libc::EACCES) => worst = libc::EACCES,
            Err(libc::ENOENT | libc::ENOTDIR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(worst)
}

/// The general way. The child tells its error through a pipe, which exec closes.
unsafe fn fork_and_exec(job: &Job) -> Result<pid_t, c_int> {
    let mut pipe = [0; 2];
    sys::result(sys::pipe2(pipe.as_mut_ptr(), libc::O_CLOEXEC))?;
    let pid = sys::result(crate::pthread::atfork::fork_quietly());
    if pid == Ok(0) {
        sys::close(pipe[0]);
        let errno = become_program(job);
        sys::write(pipe[1], (&raw const errno).cast(), size_of::<c_int>());
        sys::exit_process(CANNOT_EXEC)
    }
    sys::close(pipe[1]);
    let mut errno: c_int = 0;
    let mut out = pid.map(|pid| pid as pid_t);
    if let Ok(pid) = out {
        let got = loop {
            match sys::result(sys::read(pipe[0], (&raw mut errno).cast(), size_of::<c_int>())) {
                Err(libc::EINTR) => {}
                result => break result,
            }
        };
        if got == Ok(size_of::<c_int>()) {
            sys::wait4(pid, ptr::null_mut(), 0, ptr::null_mut());
            out = Err(errno);
        }
    }
    sys::close(pipe[0]);
    out
}
