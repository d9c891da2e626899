//! Starting a child in a fresh address space: the platform does it all.

use super::{Action, Job};
use crate::sys::{self, Attributes, FileAction};
use core::ffi::c_int;
use libc::pid_t;

/// An action as the platform takes it; None for one it has not.
fn convert(action: &Action) -> Option<FileAction<'_>> {
    let plain = |path: &'_ [u8]| path.len() - 1;
    Some(match action {
        Action::Open { fd, path, flags, mode } => {
            FileAction::Open { fd: *fd, path: &path[..plain(path)], flags: *flags, mode: *mode }
        }
        Action::Close(fd) => FileAction::Close(*fd),
        Action::Dup2 { old, new } => FileAction::Dup2 { old: *old, new: *new },
        Action::Chdir(path) => FileAction::Chdir(&path[..plain(path)]),
        Action::Fchdir(fd) => FileAction::Fchdir(*fd),
        Action::CloseFrom(fd) => FileAction::CloseFrom(*fd),
        Action::TakeTerminal(_) => return None,
    })
}

/// Starts the child; its id.
///
/// # Errors
/// Why there is no child: the first action or program that failed; ENOSYS for what the platform has not
/// (scheduling policies, other ids, taking the terminal).
///
/// # Safety
/// All signals are blocked.
pub unsafe fn launch(job: &Job) -> Result<pid_t, c_int> {
    const SETSID: c_int = 0x80;
    /// A hint without meaning here.
    const USEVFORK: c_int = 0x40;
    const KNOWN: c_int =
        libc::POSIX_SPAWN_SETPGROUP | libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK | SETSID | USEVFORK;
    let mut attributes = Attributes { mask: job.mask, ..Attributes::default() };
    if let Some(attr) = job.attr {
        let flags = c_int::from(attr.flags);
        if flags & !KNOWN != 0 {
            return Err(libc::ENOSYS);
        }
        attributes.session = flags & SETSID != 0;
        if flags & libc::POSIX_SPAWN_SETPGROUP != 0 {
            attributes.group = Some(attr.group);
        }
        if flags & libc::POSIX_SPAWN_SETSIGDEF != 0 {
            attributes.default = *(&raw const attr.default).cast::<u64>();
        }
        if flags & libc::POSIX_SPAWN_SETSIGMASK != 0 {
            attributes.mask = *(&raw const attr.mask).cast::<u64>();
        }
    }
    if job.actions.iter().any(|action| convert(action).is_none()) {
        return Err(libc::ENOSYS);
    }
    let mut worst = libc::ENOENT;
    for path in job.paths {
        let path = path.strip_suffix(&[0]).unwrap_or(path);
        let actions = job.actions.iter().filter_map(convert);
        match sys::result(sys::spawn(path, job.argv, job.envp, actions, &attributes)) {
            Ok(pid) => return Ok(pid as pid_t),
            Err(libc::EACCES) => worst = libc::EACCES,
            Err(libc::ENOENT | libc::ENOTDIR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(worst)
}
