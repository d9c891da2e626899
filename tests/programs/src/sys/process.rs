//! Processes made by fork, for programs that have one thread.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

/// How long a killed child may take to end.
const DEATH: Duration = Duration::from_secs(5);

/// A child; killed and waited for when dropped.
pub struct Child {
    pid: libc::pid_t,
    ended: bool,
}

/// fork(2); the child runs `work` and ends with status 0, without destructors.
///
/// # Errors
/// Those of fork(2).
pub fn fork(work: impl FnOnce()) -> io::Result<Child> {
    // SAFETY: the programs that call this start no threads, so no lock is held that the child would wait for.
    match super::check(unsafe { libc::fork() })? {
        0 => {
            work();
            // SAFETY: ends the process.
            unsafe { libc::_exit(0) }
        }
        pid => Ok(Child { pid, ended: false }),
    }
}

impl Child {
    fn wait(&mut self, options: libc::c_int) -> io::Result<Option<ExitStatus>> {
        let mut status = 0;
        // SAFETY: the status is ours to write.
        let pid = super::check(unsafe { libc::waitpid(self.pid, &mut status, options) })?;
        self.ended = pid != 0;
        Ok(self.ended.then(|| ExitStatus::from_raw(status)))
    }

    /// Its status if it has ended; it must not be asked again then.
    ///
    /// # Errors
    /// Those of waitpid(2).
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.wait(libc::WNOHANG)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: a child that has not been waited for keeps its pid. It may have ended: that is no error here.
        unsafe { libc::kill(self.pid, signal) };
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        self.signal(libc::SIGKILL);
        let start = Instant::now();
        // A process that cannot be killed is reported by who waits for it; it must not hang us as well.
        while !self.ended && start.elapsed() < DEATH && self.wait(libc::WNOHANG).is_ok() {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

extern "C" fn nothing(_: libc::c_int) {}

/// From now on SIGUSR1 does no more than interrupt a system call (no SA_RESTART).
///
/// # Errors
/// Those of sigaction(2).
pub fn interrupt_on_sigusr1() -> io::Result<()> {
    // SAFETY: a sigaction of zeros has an empty mask and no flags.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler does nothing.
    super::check(unsafe { libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()) }).map(drop)
}

/// dup2(2): these standard descriptors (0 to 2) become /dev/null. Where it cannot be opened they stay as they are.
pub fn silence(fds: &[i32]) {
    // SAFETY: a constant path; only descriptor numbers otherwise. std owns no handle of 0 to 2.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        if null >= 0 {
            for &fd in fds {
                libc::dup2(null, fd);
            }
        }
    }
}

/// Opens one of each kind of descriptor, for a fuzzer to find; what the system has not is left out.
pub fn open_assortment() {
    let mut pair = [0; 2];
    // SAFETY: constant paths, room for two descriptors, and numbers. The descriptors are nobody's: they end with the process.
    unsafe {
        libc::pipe(pair.as_mut_ptr());
        libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr());
        libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0, pair.as_mut_ptr());
        libc::eventfd(1, 0);
        libc::epoll_create1(0);
        libc::open(c"/".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY);
        libc::open(c"/dev/zero".as_ptr(), libc::O_RDWR);
        libc::open(c"/scheme/sys/memory".as_ptr(), libc::O_RDONLY);
    }
}
