//! A service: a program that is kept running.

use crate::world::{World, told};
use init::supervise::Restarts;
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::file::{F_SETFD, FD_CLOEXEC};
use ochre_scheme::abi::process::{P_PID, WEXITED, WNOHANG};
use ochre_scheme::abi::signal::CLD_EXITED;
use std::io::Result;
use std::process::Command;
use std::time::Instant;

/// A child, by which it can be waited for.
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Readable once it has ended.
    pub end: OwnedFd,
}

impl Process {
    /// Of a child.
    pub fn of(pid: u32) -> Result<Process> {
        Ok(Process { pid, end: OwnedFd::new(syscall::pidfd_open(pid as i32, 0).map_err(told)?) })
    }

    /// Its status as a shell tells it, once it has ended.
    pub fn status(&self) -> Option<i32> {
        let ended = syscall::wait(P_PID, self.pid.into(), WEXITED | WNOHANG).ok()??;
        Some(if ended.code == CLD_EXITED { ended.status } else { 128 + ended.status })
    }
}

/// What a service does just now.
pub enum State {
    /// It runs.
    Running {
        /// The process.
        process: Process,
        /// Readable once it is ready; `None` if it has said so, or never will.
        notify: Option<OwnedFd>,
        /// It serves.
        ready: bool,
        /// When it was started.
        since: Instant,
    },
    /// It is started again then.
    Waiting(Instant),
    /// It is given up.
    GivenUp,
}

/// A service.
pub struct Service {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Names that it serves.
    pub schemes: Vec<String>,
    /// It says when it is ready.
    pub notify: bool,
    /// When it is started again.
    pub restarts: Restarts,
    /// Where it is started.
    pub world: World,
    /// What it does.
    pub state: State,
}

impl Service {
    /// It runs, and serves.
    pub fn is_ready(&self) -> bool {
        matches!(&self.state, State::Running { ready: true, .. })
    }

    /// Starts it by a command of its world.
    pub fn start(&mut self, mut command: Command) -> Result<()> {
        let mut pipe = None;
        if self.notify {
            let [ready, notify] = syscall::pipe(0).map_err(told)?.map(OwnedFd::new);
            syscall::fcntl(ready.get(), F_SETFD, FD_CLOEXEC).map_err(told)?;
            command.env("INIT_NOTIFY", notify.get().to_string());
            pipe = Some((ready, notify));
        }
        let child = self.world.start(&mut command)?;
        let notify = pipe.map(|(ready, _)| ready);
        let process = Process::of(child.id())?;
        self.state = State::Running { process, notify, ready: !self.notify, since: Instant::now() };
        Ok(())
    }

    /// Keeps (or gives up) its names while it is not there.
    pub fn reserve(&self, keep: bool) {
        for scheme in &self.schemes {
            if let Err(error) = syscall::scheme_reserve(scheme.as_bytes(), u64::from(keep)) {
                eprintln!("init: scheme {scheme}: {error}");
            }
        }
    }
}
