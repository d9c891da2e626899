//! Namespaces of what init starts.

use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::Errno;
use ochre_scheme::abi::file::{F_SETFD, FD_CLOEXEC};
use std::ffi::{OsStr, OsString};
use std::io::{Error, Result};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::rc::Rc;

/// This program, in the initial file system.
const SELF: &str = "/sbin/init";
/// See [`enter`].
pub const ENTER: &str = "enter";

/// Where a program is started.
#[derive(Clone)]
pub enum World {
    /// In init's own namespace: `/` is the initial file system.
    Initial,
    /// In the namespace of this descriptor.
    Later(Rc<OwnedFd>),
}

/// The error of a system call as std's.
pub fn told(error: Errno) -> Error {
    Error::from_raw_os_error(error.0)
}

impl World {
    /// It is init's own.
    pub fn is_initial(&self) -> bool {
        matches!(self, World::Initial)
    }

    /// The command that runs a program here, to be started by [`World::start`].
    pub fn command<S: AsRef<OsStr>>(&self, argv: &[S]) -> Command {
        let mut command = match self {
            World::Initial => Command::new(&argv[0]),
            World::Later(namespace) => {
                let mut command = Command::new(SELF);
                command.arg(ENTER).arg(namespace.get().to_string()).arg(&argv[0]);
                command
            }
        };
        command.args(&argv[1..]);
        command
    }

    /// Starts a command that was made for this world.
    pub fn start(&self, command: &mut Command) -> Result<Child> {
        let World::Later(namespace) = self else { return command.spawn() };
        // No other program gets it.
        syscall::fcntl(namespace.get(), F_SETFD, 0).map_err(told)?;
        let child = command.spawn();
        syscall::fcntl(namespace.get(), F_SETFD, FD_CLOEXEC).map_err(told)?;
        child
    }

    /// This world with another prefix bound. Init's own changes; of a later one, what runs there already keeps what it has.
    pub fn bind(&mut self, prefix: &str, scheme: &str) -> std::result::Result<(), Errno> {
        let World::Later(later) = self else {
            return syscall::ns_bind(prefix.as_bytes(), scheme.as_bytes());
        };
        let here = OwnedFd::new(syscall::ns_open()?);
        syscall::ns_enter(later.get())?;
        let bound = syscall::ns_bind(prefix.as_bytes(), scheme.as_bytes()).and_then(|()| syscall::ns_open());
        syscall::ns_enter(here.get())?;
        *self = World::Later(Rc::new(OwnedFd::new(bound?)));
        Ok(())
    }

    /// This world with another root.
    pub fn with_root(&self, scheme: &str) -> std::result::Result<World, Errno> {
        let mut later = match self {
            World::Initial => World::Later(Rc::new(OwnedFd::new(syscall::ns_open()?))),
            World::Later(namespace) => World::Later(namespace.clone()),
        };
        later.bind("/", scheme)?;
        Ok(later)
    }
}

/// `init enter FD PROGRAM [ARGUMENT]...`: becomes PROGRAM in the namespace FD.
pub fn enter(arguments: Vec<OsString>) -> ! {
    let [namespace, program, rest @ ..] = &arguments[..] else {
        eprintln!("usage: init {ENTER} FD PROGRAM [ARGUMENT]...");
        std::process::exit(2);
    };
    let entered = namespace.to_str().and_then(|text| text.parse().ok()).ok_or(Errno::EBADF).and_then(|fd| {
        syscall::ns_enter(fd)?;
        syscall::close(fd)
    });
    let error = match entered {
        Ok(()) => Command::new(program).args(rest).current_dir("/").exec(),
        Err(error) => told(error),
    };
    eprintln!("init: {}: {error}", program.display());
    // What a shell gives for a command that it cannot run.
    std::process::exit(127)
}
