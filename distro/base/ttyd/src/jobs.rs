//! Controlling terminals, foreground and background (POSIX XBD 11.1; Linux's tty_jobctrl.c).

use crate::server::Ttys;
use crate::terminal::{Id, SERIAL};
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::call::CallerInfo;
use ochre_scheme::abi::event::EPOLLIN;
use ochre_scheme::abi::signal::{SIGCONT, SIGHUP, SIGTTIN, bit};
use ochre_scheme::{Errno, Result};
use std::fmt::Write;

/// A session that has, or had, a controlling terminal.
pub struct Session {
    /// The terminal, while it has one.
    pub terminal: Option<Id>,
    /// The foreground group at the time when it lost its terminal.
    pub former_group: Option<u32>,
    /// Tells of the leader's end.
    _leader: OwnedFd,
}

impl Ttys {
    /// The terminal that controls the caller.
    pub fn controlling(&self, caller: &CallerInfo) -> Option<Id> {
        if self.detached.contains_key(&caller.pid) {
            return None;
        }
        self.sessions.get(&caller.sid).and_then(|session| session.terminal)
    }

    /// May the caller do what `signal` is for (SIGTTIN: read, SIGTTOU: write or change)? From the background it gets that signal and
    /// EINTR, or EIO if the signal would not stop it (tty_check_change).
    pub fn check(&self, id: Id, caller: &CallerInfo, signal: u32) -> Result<()> {
        if self.in_foreground(id, caller) {
            return Ok(());
        }
        if (caller.blocked | caller.ignored) & bit(signal) != 0 {
            return if signal == SIGTTIN { Err(Errno::EIO) } else { Ok(()) };
        }
        if syscall::group_info(caller.pgid)?.orphaned != 0 {
            return Err(Errno::EIO);
        }
        signal_group(caller.pgid, signal);
        Err(Errno::EINTR)
    }

    /// The caller is in the foreground, or the terminal is not its controlling one.
    pub fn in_foreground(&self, id: Id, caller: &CallerInfo) -> bool {
        let group = self.terminals.get(&id).and_then(|terminal| terminal.foreground);
        self.controlling(caller) != Some(id) || group.is_none_or(|group| group == caller.pgid)
    }

    /// An open without O_NOCTTY: a session leader without a terminal gets this one, if no session has it.
    pub fn acquire_by_open(&mut self, id: Id, caller: &CallerInfo) {
        let free = self.terminals.get(&id).is_some_and(|terminal| terminal.session.is_none());
        if free && caller.pid == caller.sid && self.controlling(caller).is_none() {
            // If the leader is gone already there is nobody to give it to.
            let _ = self.acquire(id, caller);
        }
    }

    /// TIOCSCTTY: EPERM unless the caller leads a session without a terminal, and no session has this one (`steal`: root takes it).
    pub fn acquire_by_call(&mut self, id: Id, caller: &CallerInfo, steal: bool) -> Result<()> {
        let owner = self.terminals.get(&id).ok_or(Errno::EIO)?.session;
        if caller.pid == caller.sid && owner == Some(caller.sid) {
            return Ok(());
        }
        if caller.pid != caller.sid || self.controlling(caller).is_some() {
            return Err(Errno::EPERM);
        }
        if let Some(owner) = owner {
            if !(steal && caller.uid == 0) {
                return Err(Errno::EPERM);
            }
            if let Some(session) = self.sessions.get_mut(&owner) {
                session.terminal = None;
            }
        }
        self.acquire(id, caller)
    }

    fn acquire(&mut self, id: Id, caller: &CallerInfo) -> Result<()> {
        let leader = OwnedFd::new(syscall::pidfd_open(caller.sid as i32, 0)?);
        self.queue.add(leader.get(), EPOLLIN, u64::from(caller.sid))?;
        self.detached.remove(&caller.pid);
        self.sessions.insert(caller.sid, Session { terminal: Some(id), former_group: None, _leader: leader });
        if let Some(terminal) = self.terminals.get_mut(&id) {
            terminal.session = Some(caller.sid);
            terminal.foreground = Some(caller.pgid);
        }
        Ok(())
    }

    /// TIOCNOTTY: a leader gives the terminal up for its session, whose foreground group is told; any other process for itself.
    pub fn give_up(&mut self, id: Id, caller: &CallerInfo) -> Result<()> {
        if self.controlling(caller) != Some(id) {
            return Err(Errno::ENOTTY);
        }
        if caller.pid != caller.sid {
            let process = OwnedFd::new(syscall::pidfd_open(caller.pid as i32, 0)?);
            self.queue.add(process.get(), EPOLLIN, u64::from(caller.pid))?;
            self.detached.insert(caller.pid, process);
            return Ok(());
        }
        self.sessions.remove(&caller.sid);
        if let Some(group) = self.free(id) {
            signal_group(group, SIGHUP);
            signal_group(group, SIGCONT);
        }
        Ok(())
    }

    /// The terminal controls no session any more; its foreground group.
    fn free(&mut self, id: Id) -> Option<u32> {
        let terminal = self.terminals.get_mut(&id)?;
        terminal.session = None;
        terminal.foreground.take()
    }

    /// A process ended that leads a session, or had given its terminal up.
    pub fn process_ended(&mut self, pid: u32) {
        self.detached.remove(&pid);
        let Some(session) = self.sessions.remove(&pid) else { return };
        let Some(id) = session.terminal else {
            if let Some(group) = session.former_group {
                signal_group(group, SIGHUP);
                signal_group(group, SIGCONT);
            }
            return;
        };
        if let Some(group) = self.free(id) {
            signal_group(group, SIGHUP);
        }
        if id == SERIAL {
            // What is left of the session loses the line: the next one has it for itself (tty_vhangup_session).
            self.hang_up(id);
            if let Some(terminal) = self.terminals.get_mut(&id) {
                terminal.reset();
            }
        }
    }

    /// The other side went away: the session's leader is told, and the session has no terminal any more (__tty_hangup).
    pub fn hang_up_session(&mut self, id: Id) {
        let Some(terminal) = self.terminals.get_mut(&id) else { return };
        let group = terminal.foreground.take();
        let Some(sid) = terminal.session.take() else { return };
        if let Some(session) = self.sessions.get_mut(&sid) {
            session.terminal = None;
            session.former_group = group;
        }
        for signal in [SIGHUP, SIGCONT] {
            // It may have ended at this moment.
            let _ = syscall::kill(sid as i32, signal);
        }
    }

    /// Lines `SID MAJOR:MINOR FOREGROUND-GROUP`, −1 for none.
    pub fn sessions_text(&self) -> String {
        let mut text = String::new();
        for terminal in self.terminals.values() {
            let Some(sid) = terminal.session else { continue };
            let (major, minor) = terminal.device();
            let group = terminal.foreground.map_or(-1, i64::from);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{sid} {major}:{minor} {group}");
        }
        text
    }
}

/// A signal of the terminal's for a group, which may have ended.
pub fn signal_group(group: u32, signal: u32) {
    let _ = syscall::group_signal(group, signal);
}
