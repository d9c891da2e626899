//! The end of processes, and waiting for it: EXIT, WAIT, pidfds.

use super::*;

/// si_code and si_status of an exit status.
pub(super) fn exit_code(status: u64) -> (i32, i32) {
    if status & abi::EXIT_SIGNAL != 0 {
        let code = if status & abi::EXIT_CORE != 0 { CLD_DUMPED } else { CLD_KILLED };
        (code, (status & 0x7f) as i32)
    } else {
        (CLD_EXITED, (status & 0xff) as i32)
    }
}

/// EXIT.
pub fn exit(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.process.begin_exit(a[0]);
    Ok(0)
}

/// THREAD_EXIT.
pub fn thread_exit(me: &Arc<Thread>, _: &[u64; 6]) -> Result<usize> {
    me.ask(KILLED);
    Ok(0)
}

/// WAIT.
pub fn wait(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [kind, id, result, options, ..] = *a;
    let process = &me.process;
    let id = match kind {
        abi::P_ALL => 0,
        abi::P_PID | abi::P_PGID => u32::try_from(id).map_err(|_| Errno::EINVAL)?,
        abi::P_PIDFD => {
            let file = process.file(id as i32)?;
            file.object::<PidFd>().ok_or(Errno::EINVAL)?.0.pid
        }
        _ => return Err(Errno::EINVAL),
    };
    let id = if kind == abi::P_PGID && id == 0 { process.pgid() } else { id };
    if options & (abi::WEXITED | abi::WSTOPPED | abi::WCONTINUED) == 0 {
        return Err(Errno::EINVAL);
    }
    let matches = |child: &Process| match kind {
        abi::P_ALL => true,
        abi::P_PGID => child.pgid() == id,
        _ => child.pid == id,
    };
    let look = || -> Option<Result<Option<abi::WaitResult>>> {
        let mut family = process.family.lock();
        let mut any = false;
        for index in 0..family.children.len() {
            let child = family.children[index].clone();
            if !matches(&child) {
                continue;
            }
            any = true;
            if let Some(found) = child.report(options) {
                if found.code == CLD_EXITED || found.code == CLD_KILLED || found.code == CLD_DUMPED {
                    if options & abi::WNOWAIT == 0 {
                        family.children.swap_remove(index);
                        drop(family);
                        process.children_run_ns.fetch_add(child.run_ns() + child.children_run_ns(), Relaxed);
                        child.forget();
                    }
                }
                return Some(Ok(Some(found)));
            }
        }
        if !any {
            return Some(Err(Errno::ECHILD));
        }
        (options & abi::WNOHANG != 0).then_some(Ok(None))
    };
    match process.child_changed.wait_until(None, look)?? {
        Some(found) => {
            if result != 0 {
                crate::user::write(result, &found)?;
            }
            Ok(found.pid as usize)
        }
        None => Ok(0),
    }
}

impl Process {
    /// What WAIT tells of this child with these options, if anything.
    fn report(&self, options: u64) -> Option<abi::WaitResult> {
        let (code, status) = match *self.state.lock() {
            State::Zombie(status) if options & abi::WEXITED != 0 => exit_code(status),
            _ => match self.signals.change(options & abi::WNOWAIT == 0, options) {
                Change::Stopped(signal) => (CLD_STOPPED, signal as i32),
                Change::Continued => (CLD_CONTINUED, ochre_abi::signal::SIGCONT as i32),
                Change::None => return None,
            },
        };
        Some(abi::WaitResult {
            pid: self.pid,
            uid: self.credentials().ruid,
            code,
            status,
            usage: abi::Usage { user_ns: self.run_ns(), ..abi::Usage::default() },
        })
    }
}

/// What PIDFD_OPEN gives.
pub struct PidFd(pub Arc<Process>);

impl crate::file::Object for PidFd {
    fn kind(&self) -> &'static str {
        "pidfd"
    }

    fn readiness(&self) -> Option<&Readiness> {
        Some(&self.0.ended)
    }
}

/// PIDFD_OPEN.
pub fn pidfd_open(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let pid = u32::try_from(a[0]).map_err(|_| Errno::EINVAL)?;
    let flags = a[1] as u32 & ochre_abi::file::O_NONBLOCK;
    let file = File::new(Arc::new(PidFd(find(pid)?)), ochre_abi::file::O_RDWR | flags);
    Ok(me.process.install(file, true)? as usize)
}
