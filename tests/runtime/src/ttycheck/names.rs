//! Names of ptys, opening and closing, hanging up.

use super::pair::{LIMIT, Pair, QUIET, is_ready};
use libc::*;
use runtime_tests::{Result, checks, ensure, errno, same, sys};
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

checks!("names": pts, locked, no_terminal, settings, peer, close_slave, close_master, exclusive, many);

fn pts() -> Result {
    let master = sys::open_master()?;
    sys::unlock(&master)?;
    let name = sys::name_of_other_side(&master)?;
    let number: u32 = name.strip_prefix("/dev/pts/").ok_or("not in /dev/pts")?.parse()?;
    same!(sys::control(master.as_raw_fd(), TIOCGPTN, 0)?, number as i32);
    let meta = fs::metadata(&name)?;
    ensure!(meta.file_type().is_char_device());
    same!(meta.rdev(), libc::makedev(136, number));
    same!(meta.uid(), sys::user());
    // Debian mounts devpts with 620; a container may have 600.
    ensure!(matches!(meta.mode() & 0o777, 0o620 | 0o600));
    let listed = |name: &str| -> std::io::Result<bool> {
        Ok(fs::read_dir("/dev/pts")?.flatten().any(|entry| entry.path().to_string_lossy() == name))
    };
    ensure!(listed(&name)?);
    ensure!(fs::read_dir("/dev")?.flatten().any(|entry| entry.file_name() == "ptmx"));
    same!(fs::metadata("/dev/ptmx")?.rdev(), libc::makedev(5, 2));
    let slave = sys::open_terminal(&name, O_NOCTTY)?;
    same!(sys::terminal_name(slave.as_raw_fd())?, name);
    ensure!(sys::is_terminal(slave.as_raw_fd()) && sys::is_terminal(master.as_raw_fd()));
    drop(slave);
    drop(master);
    ensure!(!listed(&name)?);
    same!(errno(sys::open_terminal(&name, O_NOCTTY)), ENOENT);
    Ok(())
}

fn locked() -> Result {
    let master = sys::open_master()?;
    let name = sys::name_of_other_side(&master)?;
    same!(errno(sys::open_terminal(&name, O_NOCTTY)), EIO);
    sys::unlock(&master)?;
    sys::open_terminal(&name, O_NOCTTY)?;
    Ok(())
}

fn no_terminal() -> Result {
    let null = fs::File::open("/dev/null")?;
    ensure!(!sys::is_terminal(null.as_raw_fd()));
    same!(errno(sys::settings(null.as_raw_fd())), ENOTTY);
    same!(errno(sys::terminal_name(null.as_raw_fd())), ENOTTY);
    same!(errno(sys::name_of_other_side(&null)), ENOTTY);
    same!(errno(sys::unlock(&null)), EINVAL);
    same!(errno(sys::settings(-1)), EBADF);
    let pair = Pair::new()?;
    same!(errno(sys::control(pair.slave(), 0x54ff, 0)), ENOTTY);
    same!(errno(sys::control(pair.slave(), TIOCGPTN, 0)), ENOTTY);
    Ok(())
}

fn settings() -> Result {
    let pair = Pair::new()?;
    let termios = sys::settings(pair.slave())?;
    same!(termios.c_iflag, ICRNL | IXON);
    same!(termios.c_oflag, OPOST | ONLCR);
    same!(termios.c_cflag, B38400 | CS8 | CREAD);
    same!(termios.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
    same!(termios.c_cc[..17], [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0]);
    pair.change(|t| t.c_cc[VINTR] = b'x')?;
    same!(sys::settings(pair.master())?.c_cc[VINTR], b'x');
    same!(sys::control(pair.slave(), TIOCGETD, 7)?, 0);
    sys::drain_and_break(pair.slave())?;
    same!(sys::size(pair.slave())?, (0, 0));
    sys::resize(pair.master(), 24, 80)?;
    same!(sys::size(pair.slave())?, (24, 80));
    Ok(())
}

fn peer() -> Result {
    let master = sys::open_master()?;
    sys::unlock(&master)?;
    let fd = sys::control_plain(master.as_raw_fd(), 0x5441, O_RDWR | O_NOCTTY)?;
    same!(sys::terminal_name(fd)?, sys::name_of_other_side(&master)?);
    Ok(())
}

/// The last close of the terminal's side: the master reads what is left, then EIO, until it is opened again.
fn close_slave() -> Result {
    let Pair { master, slave } = Pair::new()?;
    let name = sys::name_of_other_side(&master)?;
    let fd = master.as_raw_fd();
    sys::write(slave.as_raw_fd(), b"last")?;
    drop(slave);
    same!(super::pair::take(fd, 4)?, b"last");
    same!(sys::poll_for(fd, POLLIN, LIMIT)?, POLLHUP);
    same!(errno(sys::read(fd, &mut [0; 8])), EIO);
    let slave = sys::open_terminal(&name, O_NOCTTY)?;
    same!(sys::poll_for(fd, POLLIN | POLLOUT, QUIET)?, POLLOUT);
    sys::write(slave.as_raw_fd(), b"again")?;
    same!(super::pair::take(fd, 5)?, b"again");
    Ok(())
}

/// The master's close hangs the terminal up.
fn close_master() -> Result {
    let Pair { master, slave } = Pair::new()?;
    let fd = slave.as_raw_fd();
    drop(master);
    // POLLHUP is always waited for.
    same!(sys::poll_for(fd, 0, LIMIT)? & POLLHUP, POLLHUP);
    same!(sys::poll_for(fd, POLLIN | POLLOUT, LIMIT)? & (POLLHUP | POLLIN), POLLHUP | POLLIN);
    same!(sys::read(fd, &mut [0; 8])?, 0);
    same!(errno(sys::write(fd, b"x")), EIO);
    same!(errno(sys::settings(fd)), EIO);
    // A read that waits ends too.
    let Pair { master, slave } = Pair::new()?;
    let reader = sys::fork(|| {
        let closed = sys::close_in_child(master.as_raw_fd());
        let ended = sys::read(slave.as_raw_fd(), &mut [0; 8]);
        i32::from(closed.is_err() || !(matches!(ended, Ok(0)) || errno(ended) == EIO))
    })?;
    ensure!(!is_ready(master.as_raw_fd(), QUIET)?);
    drop(slave);
    drop(master);
    same!(sys::wait(reader, 0)?, sys::Ended::Status(0));
    Ok(())
}

fn exclusive() -> Result {
    let pair = Pair::new()?;
    let name = sys::name_of_other_side(&pair.master)?;
    same!(sys::control(pair.slave(), 0x8004_5440, 7)?, 0);
    sys::control_plain(pair.slave(), TIOCEXCL, 0)?;
    same!(sys::control(pair.slave(), 0x8004_5440, 7)?, 1);
    if sys::user() == 0 {
        std::os::unix::fs::chown(&name, Some(1234), Some(1234))?;
        let opened = || errno(sys::open_terminal(&name, O_NOCTTY));
        sys::as_user(1234, || {
            same!(opened(), EBUSY);
            Ok(())
        })?;
        sys::control_plain(pair.slave(), TIOCNXCL, 0)?;
        sys::as_user(1234, || {
            same!(opened(), 0);
            Ok(())
        })?;
        sys::as_user(4321, || {
            same!(opened(), EACCES);
            Ok(())
        })?;
    }
    Ok(())
}

fn many() -> Result {
    let pairs = (0..40).map(|_| Pair::new()).collect::<std::io::Result<Vec<_>>>()?;
    for (n, pair) in pairs.iter().enumerate() {
        pair.keys(format!("{n}\n").as_bytes())?;
    }
    for (n, pair) in pairs.iter().enumerate() {
        same!(pair.line()?, format!("{n}\n"));
    }
    Ok(())
}
