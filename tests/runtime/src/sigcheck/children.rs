//! Signals between processes: SIGCHLD, default actions, stop and continue, what exec keeps.

use runtime_tests::sys::{self, Ended, Take, bit};
use runtime_tests::{Result, checks, ensure, errno, same};
use std::process::{Command, ExitCode};
use std::time::Duration;

checks!("children": chld, chld_ignored, default_actions, no_action, stop_and_continue, tstp, over_fork, over_spawn);

const A: i32 = libc::SIGUSR1;

/// What the program started by `over_spawn` does: 1 if SIGUSR1 is blocked, 2 if SIGHUP is ignored, 4 if SIGUSR2 has its default, as a sum.
pub fn inherited() -> ExitCode {
    let blocked = sys::mask(0).is_ok_and(|mask| mask & bit(A) != 0);
    let ignored = sys::disposition(libc::SIGHUP).is_ok_and(|d| d == libc::SIG_IGN);
    let default = sys::disposition(libc::SIGUSR2).is_ok_and(|d| d == libc::SIG_DFL);
    ExitCode::from(u8::from(blocked) | u8::from(ignored) << 1 | u8::from(default) << 2)
}

fn chld() -> Result {
    sys::mask(bit(libc::SIGCHLD))?;
    let expect = |work: fn() -> i32, code: i32, status: i32| -> Result {
        let child = sys::fork(work)?;
        let info = sys::wait_for(bit(libc::SIGCHLD), Duration::from_secs(10))?;
        same!((info.code, info.pid, info.value), (code, child, status));
        sys::wait(child, 0)?;
        Ok(())
    };
    expect(|| 7, libc::CLD_EXITED, 7)?;
    expect(|| sys::raise(libc::SIGTERM).map_or(1, |()| 0), libc::CLD_KILLED, libc::SIGTERM)
}

fn chld_ignored() -> Result {
    sys::take(libc::SIGCHLD, Take::Ignore, 0, 0)?;
    let child = sys::fork(|| 1)?;
    // Nothing is left to wait for, but only once it has ended.
    same!(errno(sys::wait(child, 0)), libc::ECHILD);
    same!(errno(sys::kill(child, 0)), libc::ESRCH);
    Ok(())
}

fn default_actions() -> Result {
    use libc::*;
    for signal in
        [SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGABRT, SIGFPE, SIGKILL, SIGALRM, SIGTERM, SIGUSR1, SIGXCPU, SIGSYS, SIGIO]
    {
        let ended =
            sys::child(|| sys::take(signal, Take::Default, 0, 0).and(sys::kill(sys::pid(), signal)).map_or(1, |()| 0));
        let ended =
            if signal == SIGKILL { sys::child(|| sys::kill(sys::pid(), signal).map_or(1, |()| 0)) } else { ended };
        same!(ended?, Ended::Signal(signal));
    }
    same!(sys::child(|| sys::raise(sys::rtmin()).map_or(1, |()| 0))?, Ended::Signal(sys::rtmin()));
    Ok(())
}

fn no_action() -> Result {
    for signal in [libc::SIGCHLD, libc::SIGURG, libc::SIGWINCH, libc::SIGCONT] {
        same!(sys::child(|| sys::raise(signal).map_or(1, |()| 3))?, Ended::Status(3));
    }
    Ok(())
}

fn stop_and_continue() -> Result {
    let child = sys::fork(|| sys::kill(sys::pid(), libc::SIGSTOP).map_or(1, |()| 3))?;
    same!(sys::wait(child, libc::WUNTRACED)?, Ended::Stopped(libc::SIGSTOP));
    // A stopped process takes no other signal until it goes on.
    sys::kill(child, libc::SIGCONT)?;
    let mut next = sys::wait(child, libc::WCONTINUED)?;
    if next == Ended::Continued {
        next = sys::wait(child, 0)?;
    }
    same!(next, Ended::Status(3));
    let child = sys::fork(|| sys::kill(sys::pid(), libc::SIGSTOP).map_or(1, |()| 3))?;
    same!(sys::wait(child, libc::WUNTRACED)?, Ended::Stopped(libc::SIGSTOP));
    sys::kill(child, libc::SIGKILL)?;
    same!(sys::wait(child, 0)?, Ended::Signal(libc::SIGKILL));
    Ok(())
}

fn tstp() -> Result {
    // A process of an orphaned group does not stop (POSIX, setpgid); whether this is one depends on who started the check.
    let child = sys::fork(|| sys::raise(libc::SIGTSTP).map_or(1, |()| 4))?;
    let first = sys::wait(child, libc::WUNTRACED)?;
    if first != Ended::Status(4) {
        same!(first, Ended::Stopped(libc::SIGTSTP));
        sys::kill(child, libc::SIGCONT)?;
        same!(sys::wait(child, 0)?, Ended::Status(4));
    }
    Ok(())
}

/// A child has its parent's mask and handlers, and nothing pending.
fn over_fork() -> Result {
    sys::take(A, Take::Note, 0, 0)?;
    sys::mask(bit(A))?;
    sys::raise(A)?;
    let ended = sys::child(|| {
        let nothing = sys::pending().is_ok_and(|set| set == 0);
        let blocked = sys::raise(A).is_ok() && sys::count() == 0;
        let handled = sys::mask(0).is_ok_and(|mask| mask == bit(A)) && sys::count() == 1;
        i32::from(!(nothing && blocked && handled))
    })?;
    same!(ended, Ended::Status(0));
    ensure!(sys::pending()? == bit(A));
    Ok(())
}

/// Ignored stays ignored and handled becomes the default (execve(2)); std gives its children an empty mask.
fn over_spawn() -> Result {
    let program = std::env::current_exe()?;
    sys::take(libc::SIGUSR2, Take::Note, 0, 0)?;
    let status = |arguments: &mut Command| arguments.arg("--inherited").status().map(|status| status.code());
    same!(status(&mut Command::new(&program))?, Some(4));
    sys::take(libc::SIGHUP, Take::Ignore, 0, 0)?;
    sys::mask(bit(A))?;
    let kept = status(&mut Command::new(&program))?;
    ensure!(kept == Some(2 + 4) || kept == Some(1 + 2 + 4));
    // exec without std's own spawning keeps the mask too.
    let ended = sys::child(|| sys::exec(&program, "--inherited"))?;
    same!(ended, Ended::Status(1 + 2 + 4));
    Ok(())
}
