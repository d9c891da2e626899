//! posix_spawn's core: a child is made in an address space of its own, with descriptors and directory as the file actions would leave
//! them. Nothing is forked, and the parent's table is only added to for a moment (close-on-exec).

use super::paths::open_directory;
use super::{Result, signals};
use core::ffi::{c_char, c_int};
use libc::pid_t;
use ochre_rt::abi::Errno;
use ochre_rt::abi::errno::encode;
use ochre_rt::abi::file::{AT_FDCWD, F_GETFD, FD_CLOEXEC, O_CLOEXEC};
use ochre_rt::abi::process::{FdPair, PROCESS_NEW_SESSION, RLIMIT_NOFILE};
use ochre_rt::exec::{self, CStrings, Fds, SpawnOptions};
use ochre_rt::{OwnedFd, syscall};

/// A file action of posix_spawn(3); paths have no NUL.
#[derive(Clone, Copy, Debug)]
pub enum FileAction<'a> {
    Open { fd: c_int, path: &'a [u8], flags: c_int, mode: libc::mode_t },
    Close(c_int),
    Dup2 { old: c_int, new: c_int },
    Chdir(&'a [u8]),
    Fchdir(c_int),
    CloseFrom(c_int),
}

/// What a child gets besides descriptors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes {
    /// Blocked signals.
    pub mask: u64,
    /// Signals that are not to be ignored, though they are here.
    pub default: u64,
    /// Process group: an existing one, or 0 for a new one.
    pub group: Option<pid_t>,
    /// Start a session.
    pub session: bool,
}

/// Descriptors that the actions may name, and files that they may open.
const CHANGED_MAX: usize = 128;
const OPENED_MAX: usize = 32;
/// Descriptors of a child whose table has to be listed in full.
const LISTED_MAX: usize = 1024;

/// What the actions did to one descriptor.
#[derive(Clone, Copy)]
struct Changed {
    target: i32,
    /// The parent's descriptor for the same file; −1: closed.
    source: i32,
    /// It closes at exec all the same.
    cloexec: bool,
}

/// The child's descriptors as the actions leave them.
struct Child {
    changed: [Changed; CHANGED_MAX],
    count: usize,
    /// Descriptors from here on are closed, unless they are changed later.
    closed_from: i32,
    opened: [Option<OwnedFd>; OPENED_MAX],
    /// The directory to start in; −1: the parent's.
    cwd: i32,
    /// Holds `cwd` open if it is ours.
    own_cwd: Option<OwnedFd>,
}

impl Child {
    fn new() -> Child {
        Child {
            changed: [Changed { target: -1, source: -1, cloexec: false }; CHANGED_MAX],
            count: 0,
            closed_from: i32::MAX,
            opened: [const { None }; OPENED_MAX],
            cwd: -1,
            own_cwd: None,
        }
    }

    fn changed(&self) -> &[Changed] {
        self.changed.get(..self.count).unwrap_or(&[])
    }

    /// The parent's descriptor for what is `fd` in the child now.
    fn source(&self, fd: i32) -> Result<i32> {
        let source = match self.changed().iter().find(|entry| entry.target == fd) {
            Some(entry) => entry.source,
            None if fd >= self.closed_from => -1,
            None => fd,
        };
        // Also asks whether it is open at all.
        syscall::fcntl(source, F_GETFD, 0).map(|_| source)
    }

    fn set(&mut self, target: i32, source: i32, cloexec: bool) -> Result<()> {
        if target < 0 {
            return Err(Errno::EBADF);
        }
        let index = self.changed().iter().position(|entry| entry.target == target).unwrap_or(self.count);
        *self.changed.get_mut(index).ok_or(Errno::ENOMEM)? = Changed { target, source, cloexec };
        self.count = self.count.max(index + 1);
        Ok(())
    }

    fn directory(&self) -> i32 {
        if self.cwd < 0 { AT_FDCWD } else { self.cwd }
    }

    fn apply(&mut self, action: FileAction<'_>) -> Result<()> {
        match action {
            FileAction::Open { fd, path, flags, mode } => {
                let directory = self.directory() as isize as usize;
                let mut name = [0; ochre_rt::abi::call::PATH_LEN_MAX + 1];
                name.get_mut(..path.len()).ok_or(Errno::ENAMETOOLONG)?.copy_from_slice(path);
                let arguments = [
                    directory,
                    name.as_ptr().expose_provenance(),
                    (flags | O_CLOEXEC as i32) as usize,
                    mode as usize,
                    0,
                    0,
                ];
                // SAFETY: the name ends in a NUL.
                let opened = unsafe { super::paths::openat(arguments) }?;
                let place = self.opened.iter_mut().find(|place| place.is_none());
                let opened = OwnedFd::new(opened as i32);
                let source = opened.get();
                *place.ok_or(Errno::EMFILE)? = Some(opened);
                self.set(fd, source, flags & O_CLOEXEC as i32 != 0)
            }
            FileAction::Close(fd) => self.set(fd, -1, false),
            FileAction::Dup2 { old, new } => {
                let source = self.source(old)?;
                self.set(new, source, false)
            }
            FileAction::Chdir(path) => {
                let opened = open_directory(self.directory(), path)?;
                self.cwd = opened.get();
                self.own_cwd = Some(opened);
                Ok(())
            }
            FileAction::Fchdir(fd) => {
                self.cwd = self.source(fd)?;
                Ok(())
            }
            FileAction::CloseFrom(from) => {
                self.closed_from = self.closed_from.min(from);
                for entry in &mut self.changed[..self.count] {
                    if entry.target >= from {
                        entry.source = -1;
                    }
                }
                Ok(())
            }
        }
    }

    /// The child would inherit something that the actions closed.
    fn closes_inherited(&self) -> bool {
        let inherited = |fd| syscall::fcntl(fd, F_GETFD, 0).is_ok_and(|flags| flags as u64 & FD_CLOEXEC == 0);
        self.closed_from != i32::MAX
            || self.changed().iter().any(|entry| (entry.source < 0 || entry.cloexec) && inherited(entry.target))
    }

    /// Fills `pairs`: the child's whole table if `all`, else what differs from the inherited one. How many.
    fn pairs(&self, all: bool, pairs: &mut [FdPair]) -> Result {
        let mut count = 0;
        let mut add = |source, target| {
            *pairs.get_mut(count).ok_or(Errno::EMFILE)? = FdPair { source, target };
            count += 1;
            Ok(())
        };
        for entry in self.changed().iter().filter(|entry| entry.source >= 0 && !entry.cloexec) {
            add(entry.source, entry.target)?;
        }
        if all {
            let limit = syscall::limit(RLIMIT_NOFILE, None)?.current.min(LISTED_MAX as u64) as i32;
            for fd in 0..limit.min(self.closed_from) {
                let kept = syscall::fcntl(fd, F_GETFD, 0).is_ok_and(|flags| flags as u64 & FD_CLOEXEC == 0);
                if kept && !self.changed().iter().any(|entry| entry.target == fd) {
                    add(fd, fd)?;
                }
            }
        }
        Ok(count)
    }
}

/// Starts the program at `path` as a child. Returns its pid, or the negated errno of the first action or of exec that failed.
///
/// # Safety
/// `argv` and `envp` are null or arrays of strings that end in null.
pub unsafe fn spawn<'a>(
    path: &[u8],
    argv: *const *const c_char,
    envp: *const *const c_char,
    actions: impl Iterator<Item = FileAction<'a>>,
    attributes: &Attributes,
) -> isize {
    encode(try_spawn(path, CStrings::new(argv.cast()), CStrings::new(envp.cast()), actions, attributes)) as isize
}

fn try_spawn<'a>(
    path: &[u8],
    argv: CStrings<'_>,
    envp: CStrings<'_>,
    actions: impl Iterator<Item = FileAction<'a>>,
    attributes: &Attributes,
) -> Result {
    let mut child = Child::new();
    for action in actions {
        child.apply(action)?;
    }
    let all = child.closes_inherited();
    let mut pairs = [FdPair::default(); LISTED_MAX];
    let count = child.pairs(all, &mut pairs)?;
    let pairs = pairs.get(..count).unwrap_or(&[]);
    let image = exec::load_file(exec::open(child.directory(), path)?, path, argv, envp)?;
    let options = SpawnOptions {
        fds: if all { Fds::Only(pairs) } else { Fds::Inherit(pairs) },
        cwd: (child.cwd >= 0).then_some(child.cwd),
        flags: if attributes.session { PROCESS_NEW_SESSION } else { 0 },
        pgid: match attributes.group {
            None => 0,
            Some(0) => u64::MAX,
            Some(group) => u64::try_from(group).map_err(|_| Errno::EINVAL)?,
        },
        sigmask: attributes.mask,
        sigignore: signals::ignored() & !attributes.default,
        ..SpawnOptions::default()
    };
    exec::start(image, &options).map(|pid| pid as usize)
}
