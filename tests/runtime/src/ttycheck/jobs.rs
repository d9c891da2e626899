//! Controlling terminals, foreground and background, signals from the terminal, orphaned groups.

use super::pair::{LIMIT, Pair, QUIET, is_ready, take};
use libc::*;
use runtime_tests::sys::{self, Ended, Take, bit};
use runtime_tests::{Result, checks, ensure, errno, same};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::time::Duration;

checks!("jobs": controlling, open_takes_it, not_mine, steal, keys_signal, no_flush, resized, background_read,
    background_ignored, background_write, background_settings, orphan_reads, foreground_errors, leader_ends,
    hang_up, give_up, orphans_continue, groups, restarted_read, login);

const TERMINAL: i32 = STDIN_FILENO;

/// A shell of a check: runs in a session of its own on a pty (its standard streams), and says `ok`, or why not.
fn shell(work: impl FnOnce() -> Result) -> Result {
    on_pty(work, |_| Ok(()))
}

/// The same, while the check does something at the master.
fn on_pty(work: impl FnOnce() -> Result, at_master: impl FnOnce(&File) -> Result) -> Result {
    // What it says must not be changed, nor stop it.
    let (mut from, to) = std::io::pipe()?;
    let (pid, master) = sys::fork_pty(|| {
        let result = work();
        let text = result.as_ref().map_or_else(|why| why.0.clone(), |()| "ok".to_owned());
        i32::from(std::io::Write::write_all(&mut &to, text.as_bytes()).is_err() || result.is_err())
    })?;
    drop(to);
    at_master(&master)?;
    let mut said = String::new();
    std::io::Read::read_to_string(&mut from, &mut said)?;
    let ended = sys::wait(pid, 0)?;
    if ended == Ended::Status(0) && said == "ok" { Ok(()) } else { Err(format!("the shell: {ended:?}, {said:?}"))? }
}

/// A child in a group of its own, in the foreground or not.
fn job(foreground: bool, work: impl FnOnce() -> i32) -> Result<i32> {
    let child = sys::fork(|| {
        let ready = sys::set_group(0, 0).is_ok() && (!foreground || take_foreground().is_ok());
        if ready { work() } else { 99 }
    })?;
    // Whichever of the two comes first (EACCES: it has started its program, which these do not).
    sys::set_group(child, child)?;
    if foreground {
        put_into_foreground(child)?;
    }
    Ok(child)
}

/// The caller's group goes to the foreground.
fn take_foreground() -> Result {
    put_into_foreground(sys::group(0)?)
}

/// From the background too: with SIGTTOU blocked meanwhile.
fn put_into_foreground(group: i32) -> Result {
    let old = sys::mask(bit(SIGTTOU))?;
    let done = sys::set_foreground(TERMINAL, group);
    sys::mask(old)?;
    Ok(done?)
}

fn controlling() -> Result {
    shell(|| {
        let me = sys::pid();
        same!((sys::session(0)?, sys::group(0)?), (me, me));
        same!((sys::session_of(TERMINAL)?, sys::foreground(TERMINAL)?), (me, me));
        let tty = sys::open_terminal("/dev/tty", 0)?;
        same!(sys::foreground(tty.as_raw_fd())?, me);
        same!(std::os::unix::fs::MetadataExt::rdev(&tty.metadata()?), libc::makedev(5, 0));
        sys::write(tty.as_raw_fd(), b"x")?;
        // A child has it too, and a session of its own has none.
        let child = sys::child(|| i32::from(sys::open_terminal("/dev/tty", 0).is_err()))?;
        same!(child, Ended::Status(0));
        let child = sys::child(|| {
            let new = sys::new_session().is_ok();
            i32::from(!new || errno(sys::open_terminal("/dev/tty", 0)) != ENXIO)
        })?;
        same!(child, Ended::Status(0));
        Ok(())
    })
}

/// Runs in a new session without a terminal.
fn apart(work: impl FnOnce() -> Result) -> Result {
    let (mut from, to) = std::io::pipe()?;
    let ended = sys::child(|| {
        let result = sys::new_session().map_err(Into::into).and_then(|_| work());
        let text = result.as_ref().map_or_else(|why| why.0.clone(), |()| String::new());
        i32::from(std::io::Write::write_all(&mut &to, text.as_bytes()).is_err() || result.is_err())
    })?;
    drop(to);
    let mut said = String::new();
    std::io::Read::read_to_string(&mut from, &mut said)?;
    if ended == Ended::Status(0) { Ok(()) } else { Err(format!("{ended:?}: {said}"))? }
}

fn open_takes_it() -> Result {
    let pair = Pair::new()?;
    let name = sys::name_of_other_side(&pair.master)?;
    apart(|| {
        same!(errno(sys::foreground(pair.slave())), ENOTTY);
        let slave = sys::open_terminal(&name, O_NOCTTY)?;
        same!(errno(sys::foreground(slave.as_raw_fd())), ENOTTY);
        let slave = sys::open_terminal(&name, 0)?;
        same!(sys::foreground(slave.as_raw_fd())?, sys::pid());
        // It has one now: another one is not taken.
        let other = Pair::new()?;
        let opened = sys::open_terminal(&sys::name_of_other_side(&other.master)?, 0)?;
        same!(errno(sys::foreground(opened.as_raw_fd())), ENOTTY);
        same!(errno(sys::control_plain(other.slave(), TIOCSCTTY, 0)), EPERM);
        Ok(())
    })
}

fn not_mine() -> Result {
    let pair = Pair::new()?;
    // Not a leader.
    apart(|| {
        let ended = sys::child(|| i32::from(errno(sys::control_plain(pair.slave(), TIOCSCTTY, 0)) != EPERM))?;
        same!(ended, Ended::Status(0));
        same!(errno(sys::session_of(pair.slave())), ENOTTY);
        Ok(())
    })?;
    same!(sys::foreground(pair.master())?, 0);
    Ok(())
}

fn steal() -> Result {
    if sys::user() != 0 {
        return Ok(());
    }
    let (master, slave) = sys::open_pty()?;
    let holder = sys::fork(|| {
        let taken = sys::new_session().is_ok() && sys::control_plain(slave.as_raw_fd(), TIOCSCTTY, 0).is_ok();
        let _ = sys::write(slave.as_raw_fd(), if taken { b"+" } else { b"-" });
        let _ = sys::sleep(LIMIT);
        1
    })?;
    same!(take(master.as_raw_fd(), 1)?, b"+");
    apart(|| {
        same!(errno(sys::control_plain(slave.as_raw_fd(), TIOCSCTTY, 0)), EPERM);
        sys::control_plain(slave.as_raw_fd(), TIOCSCTTY, 1)?;
        same!(sys::session_of(slave.as_raw_fd())?, sys::pid());
        Ok(())
    })?;
    sys::kill(holder, SIGKILL)?;
    sys::wait(holder, 0)?;
    Ok(())
}

/// ^C, ^\ and ^Z reach the foreground group, and not the shell.
fn keys_signal() -> Result {
    let keys = [(b'\x03', SIGINT), (b'\x1c', SIGQUIT), (b'\x1a', SIGTSTP)];
    for (key, signal) in keys {
        on_pty(
            || {
                let child = job(true, || {
                    let _ = sys::write(TERMINAL, b"!");
                    let _ = sys::sleep(LIMIT);
                    1
                })?;
                let ended = sys::wait(child, WUNTRACED)?;
                same!(ended, if signal == SIGTSTP { Ended::Stopped(signal) } else { Ended::Signal(signal) });
                if signal == SIGTSTP {
                    sys::kill(-child, SIGKILL)?;
                    same!(sys::wait(child, 0)?, Ended::Signal(SIGKILL));
                }
                take_foreground()
            },
            |master| {
                take(master.as_raw_fd(), 1)?;
                sys::write(master.as_raw_fd(), &[key])?;
                let shown = take(master.as_raw_fd(), 2)?;
                same!(shown, [b'^', key ^ 0o100]);
                Ok(())
            },
        )?;
    }
    Ok(())
}

/// A signal forgets what was typed, unless NOFLSH.
fn no_flush() -> Result {
    for keep in [false, true] {
        on_pty(
            || {
                sys::take(SIGINT, Take::Note, 0, 0)?;
                let mut termios = sys::settings(TERMINAL)?;
                if keep {
                    termios.c_lflag |= NOFLSH;
                }
                sys::set(TERMINAL, TCSANOW, &termios)?;
                sys::write(TERMINAL, b"!")?;
                while sys::count() == 0 {
                    let _ = sys::sleep(Duration::from_millis(10));
                }
                let mut buffer = [0; 16];
                let got = loop {
                    match sys::read(TERMINAL, &mut buffer) {
                        Err(error) if error.raw_os_error() == Some(EINTR) => {}
                        other => break other?,
                    }
                };
                same!(buffer[..got], *if keep { b"xyz\n".as_slice() } else { b"z\n" });
                Ok(())
            },
            |master| {
                take(master.as_raw_fd(), 1)?;
                sys::write(master.as_raw_fd(), b"xy\x03")?;
                take(master.as_raw_fd(), 2)?;
                sys::write(master.as_raw_fd(), b"z\n")?;
                Ok(())
            },
        )?;
    }
    Ok(())
}

fn resized() -> Result {
    on_pty(
        || {
            sys::mask(bit(SIGWINCH))?;
            sys::write(TERMINAL, b"!")?;
            sys::wait_for(bit(SIGWINCH), LIMIT)?;
            same!(sys::size(TERMINAL)?, (50, 132));
            // The same again is no change.
            sys::resize(TERMINAL, 50, 132)?;
            same!(errno(sys::wait_for(bit(SIGWINCH), QUIET)), EAGAIN);
            Ok(())
        },
        |master| {
            take(master.as_raw_fd(), 1)?;
            Ok(sys::resize(master.as_raw_fd(), 50, 132)?)
        },
    )
}

/// A read from the background stops the job; in the foreground again it goes on where it was.
fn background_read() -> Result {
    on_pty(
        || {
            let child = job(false, || {
                let mut buffer = [0; 16];
                match sys::read(TERMINAL, &mut buffer) {
                    Ok(3) if buffer.starts_with(b"hi\n") => 5,
                    _ => 6,
                }
            })?;
            same!(sys::wait(child, WUNTRACED)?, Ended::Stopped(SIGTTIN));
            put_into_foreground(child)?;
            sys::kill(-child, SIGCONT)?;
            same!(sys::wait(child, WCONTINUED)?, Ended::Continued);
            sys::write(TERMINAL, b"!").map(drop).or_else(|_| Ok::<(), std::io::Error>(()))?;
            same!(sys::wait(child, 0)?, Ended::Status(5));
            take_foreground()
        },
        |master| {
            take(master.as_raw_fd(), 1)?;
            sys::write(master.as_raw_fd(), b"hi\n")?;
            Ok(())
        },
    )
}

fn background_ignored() -> Result {
    shell(|| {
        for how in [true, false] {
            let child = job(false, || {
                let set = if how { sys::take(SIGTTIN, Take::Ignore, 0, 0) } else { sys::mask(bit(SIGTTIN)).map(drop) };
                i32::from(set.is_err() || errno(sys::read(TERMINAL, &mut [0; 4])) != EIO)
            })?;
            same!(sys::wait(child, WUNTRACED)?, Ended::Status(0));
        }
        // With a handler: EINTR, and the signal.
        let child = job(false, || {
            let set = sys::take(SIGTTIN, Take::Note, 0, 0);
            let failed = errno(sys::read(TERMINAL, &mut [0; 4]));
            i32::from(set.is_err() || failed != EINTR || sys::count() != 1)
        })?;
        same!(sys::wait(child, WUNTRACED)?, Ended::Status(0));
        Ok(())
    })
}

/// Writing from the background is allowed, unless TOSTOP.
fn background_write() -> Result {
    shell(|| {
        let write = || i32::from(sys::write(TERMINAL, b"x").is_err());
        let child = job(false, write)?;
        same!(sys::wait(child, WUNTRACED)?, Ended::Status(0));
        let mut termios = sys::settings(TERMINAL)?;
        termios.c_lflag |= TOSTOP;
        sys::set(TERMINAL, TCSANOW, &termios)?;
        let child = job(false, write)?;
        same!(sys::wait(child, WUNTRACED)?, Ended::Stopped(SIGTTOU));
        sys::kill(child, SIGKILL)?;
        same!(sys::wait(child, 0)?, Ended::Signal(SIGKILL));
        let child = job(false, || i32::from(sys::mask(bit(SIGTTOU)).is_err() || sys::write(TERMINAL, b"x").is_err()))?;
        same!(sys::wait(child, WUNTRACED)?, Ended::Status(0));
        Ok(())
    })
}

fn background_settings() -> Result {
    shell(|| {
        let termios = sys::settings(TERMINAL)?;
        let attempts: [&dyn Fn() -> i32; 3] =
            [&|| errno(sys::set(TERMINAL, TCSANOW, &termios)), &|| errno(sys::flush(TERMINAL, TCIFLUSH)), &|| {
                errno(sys::group(0).and_then(|group| sys::set_foreground(TERMINAL, group)))
            }];
        for attempt in attempts {
            let child = job(false, attempt)?;
            same!(sys::wait(child, WUNTRACED)?, Ended::Stopped(SIGTTOU));
            sys::kill(child, SIGKILL)?;
            sys::wait(child, 0)?;
        }
        // To look is no change.
        let child = job(false, || errno(sys::settings(TERMINAL)) | errno(sys::foreground(TERMINAL)))?;
        same!(sys::wait(child, WUNTRACED)?, Ended::Status(0));
        Ok(())
    })
}

/// Nobody would continue an orphaned group: its reads fail.
fn orphan_reads() -> Result {
    shell(|| {
        let (mut from, to) = std::io::pipe()?;
        // A job whose parent ends.
        let parent = sys::fork(|| {
            let made = sys::fork(|| {
                if sys::set_group(0, 0).is_err() {
                    return 1;
                }
                while sys::session(0).is_ok_and(|sid| parent_of() == sid || is_sibling_alive()) {
                    let _ = sys::sleep(Duration::from_millis(10));
                }
                let errors = [errno(sys::read(TERMINAL, &mut [0; 4])) as u8];
                i32::from(std::io::Write::write_all(&mut &to, &errors).is_err())
            });
            i32::from(made.is_err())
        })?;
        same!(sys::wait(parent, 0)?, Ended::Status(0));
        drop(to);
        let mut told = Vec::new();
        std::io::Read::read_to_end(&mut from, &mut told)?;
        same!(told, [EIO as u8]);
        Ok(())
    })
}

/// The parent's id.
fn parent_of() -> i32 {
    std::os::unix::process::parent_id() as i32
}

/// The parent is in this session still (it may be anybody once it has ended, but not one of this session).
fn is_sibling_alive() -> bool {
    match (sys::session(parent_of()), sys::session(0)) {
        (Ok(theirs), Ok(mine)) => theirs == mine,
        _ => false,
    }
}

fn foreground_errors() -> Result {
    shell(|| {
        same!(errno(sys::set_foreground(TERMINAL, 1 << 21)), ESRCH);
        same!(errno(sys::set_foreground(TERMINAL, -7)), EINVAL);
        let outside = sys::group(parent_of())?;
        same!(errno(sys::set_foreground(TERMINAL, outside)), EPERM);
        let pair = Pair::new()?;
        same!(errno(sys::set_foreground(pair.slave(), sys::group(0)?)), ENOTTY);
        Ok(())
    })
}

/// A session's end tells the foreground group, and frees the terminal.
fn leader_ends() -> Result {
    let pair = Pair::new()?;
    let (mut from, to) = std::io::pipe()?;
    let (mut go, gone) = std::io::pipe()?;
    let leader = sys::fork(|| {
        let ready = sys::login(pair.slave()).is_ok();
        let child = job(true, || {
            let set = sys::mask(bit(SIGHUP)).is_ok() && sys::write(TERMINAL, b"!").is_ok();
            let told = std::io::Write::write_all(&mut &gone, b"!").is_ok();
            let hung_up = sys::wait_for(bit(SIGHUP), LIMIT).is_ok();
            i32::from(!set || !told || std::io::Write::write_all(&mut &to, &[u8::from(hung_up)]).is_err())
        });
        // It ends when the child is ready for that.
        i32::from(!ready || child.is_err() || std::io::Read::read_exact(&mut go, &mut [0]).is_err())
    })?;
    same!(take(pair.master(), 1)?, b"!");
    same!(sys::wait(leader, 0)?, Ended::Status(0));
    drop(to);
    let mut told = Vec::new();
    std::io::Read::read_to_end(&mut from, &mut told)?;
    same!(told, [1]);
    apart(|| {
        sys::control_plain(pair.slave(), TIOCSCTTY, 0)?;
        Ok(())
    })
}

/// The master's end tells the session's leader.
fn hang_up() -> Result {
    let (mut from, to) = std::io::pipe()?;
    let (pid, master) = sys::fork_pty(|| {
        let set = sys::mask(bit(SIGHUP) | bit(SIGCONT)).is_ok() && sys::write(TERMINAL, b"!").is_ok();
        let hung_up = sys::wait_for(bit(SIGHUP), LIMIT).is_ok() && sys::wait_for(bit(SIGCONT), LIMIT).is_ok();
        let gone = errno(sys::open_terminal("/dev/tty", 0)) == ENXIO;
        i32::from(std::io::Write::write_all(&mut &to, &[set.into(), hung_up.into(), gone.into()]).is_err())
    })?;
    drop(to);
    take(master.as_raw_fd(), 1)?;
    drop(master);
    let mut told = Vec::new();
    std::io::Read::read_to_end(&mut from, &mut told)?;
    same!(told, [1, 1, 1]);
    same!(sys::wait(pid, 0)?, Ended::Status(0));
    Ok(())
}

fn give_up() -> Result {
    shell(|| {
        // One process alone.
        let child = sys::child(|| {
            let done = sys::control_plain(TERMINAL, TIOCNOTTY, 0).is_ok();
            i32::from(!done || errno(sys::open_terminal("/dev/tty", 0)) != ENXIO)
        })?;
        same!(child, Ended::Status(0));
        sys::open_terminal("/dev/tty", 0)?;
        // The session; its foreground group is told.
        sys::mask(bit(SIGHUP) | bit(SIGCONT))?;
        sys::control_plain(TERMINAL, TIOCNOTTY, 0)?;
        sys::wait_for(bit(SIGHUP), LIMIT)?;
        sys::wait_for(bit(SIGCONT), LIMIT)?;
        same!(errno(sys::open_terminal("/dev/tty", 0)), ENXIO);
        same!(errno(sys::control_plain(TERMINAL, TIOCNOTTY, 0)), ENOTTY);
        sys::control_plain(TERMINAL, TIOCSCTTY, 0)?;
        sys::open_terminal("/dev/tty", 0)?;
        Ok(())
    })
}

/// A stopped job whose group becomes an orphan gets SIGHUP and SIGCONT.
fn orphans_continue() -> Result {
    let (mut from, to) = std::io::pipe()?;
    apart(|| {
        let leader = sys::fork(|| {
            let job = sys::fork(|| {
                let set = sys::set_group(0, 0).is_ok() && sys::take(SIGHUP, Take::Note, 0, 0).is_ok();
                let stopped = sys::kill(sys::pid(), SIGSTOP).is_ok();
                let told = [set.into(), stopped.into(), sys::count() as u8];
                i32::from(std::io::Write::write_all(&mut &to, &told).is_err())
            });
            let stopped = job.and_then(|job| sys::wait(job, WUNTRACED));
            i32::from(!matches!(stopped, Ok(Ended::Stopped(SIGSTOP))))
        })?;
        same!(sys::wait(leader, 0)?, Ended::Status(0));
        Ok(())
    })?;
    drop(to);
    let mut told = Vec::new();
    std::io::Read::read_to_end(&mut from, &mut told)?;
    same!(told, [1, 1, 1]);
    Ok(())
}

/// setpgid(2)'s and setsid(2)'s rules.
fn groups() -> Result {
    apart(|| {
        same!(errno(sys::set_group(0, 0)), EPERM);
        same!(errno(sys::new_session()), EPERM);
        same!(errno(sys::set_group(0, -1)), EINVAL);
        same!(errno(sys::set_group(1 << 21, 0)), ESRCH);
        let child = sys::fork(|| {
            let _ = sys::sleep(LIMIT);
            1
        })?;
        sys::set_group(child, child)?;
        same!(sys::group(child)?, child);
        // A group that there is not in this session.
        same!(errno(sys::set_group(child, sys::group(parent_of())?)), EPERM);
        sys::set_group(child, sys::pid())?;
        same!(sys::group(child)?, sys::pid());
        sys::kill(child, SIGKILL)?;
        sys::wait(child, 0)?;
        // One that has started another program is its own.
        let mut program = std::process::Command::new("/bin/sleepms");
        if !std::path::Path::new("/bin/sleepms").exists() {
            program = std::process::Command::new("/bin/sleep");
        }
        let mut program = program.arg("20000").spawn()?;
        same!(errno(sys::set_group(program.id() as i32, 0)), EACCES);
        program.kill()?;
        program.wait()?;
        // The leader of a group starts no session; others do.
        let ended = sys::child(|| i32::from(sys::set_group(0, 0).is_err() || errno(sys::new_session()) != EPERM))?;
        same!(ended, Ended::Status(0));
        Ok(())
    })
}

/// A read that a stop interrupts goes on afterwards.
fn restarted_read() -> Result {
    on_pty(
        || {
            let child = job(true, || {
                let mut buffer = [0; 16];
                let _ = sys::write(TERMINAL, b"!");
                match sys::read(TERMINAL, &mut buffer) {
                    Ok(3) if buffer.starts_with(b"hi\n") => 5,
                    _ => 6,
                }
            })?;
            same!(sys::wait(child, WUNTRACED)?, Ended::Stopped(SIGTSTP));
            take_foreground()?;
            put_into_foreground(child)?;
            sys::kill(-child, SIGCONT)?;
            let old = sys::mask(bit(SIGTTOU))?;
            sys::write(TERMINAL, b"?")?;
            sys::mask(old)?;
            same!(sys::wait(child, 0)?, Ended::Status(5));
            take_foreground()
        },
        |master| {
            take(master.as_raw_fd(), 1)?;
            // The read is waiting, most likely; if not yet, the rest is so as well.
            ensure!(!is_ready(master.as_raw_fd(), QUIET)?);
            sys::write(master.as_raw_fd(), b"\x1a")?;
            same!(take(master.as_raw_fd(), 3)?, b"^Z?");
            sys::write(master.as_raw_fd(), b"hi\n")?;
            Ok(())
        },
    )
}

fn login() -> Result {
    let pair = Pair::new()?;
    let name = sys::name_of_other_side(&pair.master)?;
    let ended = sys::child(|| {
        let done = sys::login(pair.slave()).is_ok();
        let named = (0..3).all(|fd| sys::terminal_name(fd).is_ok_and(|other| other == name));
        i32::from(!done || !named || sys::session_of(0).ok() != Some(sys::pid()))
    })?;
    same!(ended, Ended::Status(0));
    Ok(())
}
