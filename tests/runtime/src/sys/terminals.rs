//! Terminals: pty(7), termios(3), ioctl_tty(2), and the calls of job control.

use super::checked;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd};
use std::time::Duration;

/// posix_openpt(3): a master whose other side is locked still.
pub fn open_master() -> io::Result<File> {
    // SAFETY: the new descriptor is nobody else's.
    unsafe { Ok(File::from_raw_fd(checked(libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC))?)) }
}

/// grantpt(3) and unlockpt(3).
pub fn unlock(master: &File) -> io::Result<()> {
    // SAFETY: plain numbers.
    unsafe {
        checked(libc::grantpt(master.as_raw_fd()))?;
        checked(libc::unlockpt(master.as_raw_fd())).map(drop)
    }
}

/// ptsname_r(3).
pub fn name_of_other_side(master: &File) -> io::Result<String> {
    let mut name = [0; 64];
    // SAFETY: the buffer is as long as said, and the name in it ends with NUL.
    unsafe {
        match libc::ptsname_r(master.as_raw_fd(), name.as_mut_ptr(), name.len()) {
            0 => Ok(CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

/// open(2), with a terminal's flags; O_RDWR is added.
pub fn open_terminal(name: &str, flags: i32) -> io::Result<File> {
    let name = CString::new(name)?;
    // SAFETY: the name ends with NUL; the new descriptor is nobody else's.
    unsafe { Ok(File::from_raw_fd(checked(libc::open(name.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC | flags))?)) }
}

/// openpty(3): both sides.
pub fn open_pty() -> io::Result<(File, File)> {
    let (mut master, mut slave) = (0, 0);
    let null = std::ptr::null_mut();
    // SAFETY: two places for descriptors, which are nobody else's then.
    unsafe {
        checked(libc::openpty(&mut master, &mut slave, null, null.cast(), null.cast()))?;
        Ok((File::from_raw_fd(master), File::from_raw_fd(slave)))
    }
}

/// forkpty(3): the child runs `work` in a session of its own on a new pty.
pub fn fork_pty(work: impl FnOnce() -> i32) -> io::Result<(i32, File)> {
    let mut master = -1;
    let null = std::ptr::null_mut();
    // SAFETY: as for `fork`; the master is nobody else's.
    unsafe {
        let pid = checked(libc::forkpty(&mut master, null, null.cast(), null.cast()))?;
        if pid == 0 {
            libc::_exit(work());
        }
        Ok((pid, File::from_raw_fd(master)))
    }
}

/// login_tty(3).
pub fn login(fd: i32) -> io::Result<()> {
    // SAFETY: a plain number.
    checked(unsafe { libc::login_tty(fd) }).map(drop)
}

/// ttyname_r(3).
pub fn terminal_name(fd: i32) -> io::Result<String> {
    let mut name = [0; 256];
    // SAFETY: the buffer is as long as said, and the name in it ends with NUL.
    unsafe {
        match libc::ttyname_r(fd, name.as_mut_ptr(), name.len()) {
            0 => Ok(CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

/// isatty(3).
pub fn is_terminal(fd: i32) -> bool {
    // SAFETY: a plain number.
    unsafe { libc::isatty(fd) == 1 }
}

/// tcgetattr(3).
pub fn settings(fd: i32) -> io::Result<libc::termios> {
    // SAFETY: the structure is the caller's own.
    unsafe {
        let mut termios = zeroed();
        checked(libc::tcgetattr(fd, &mut termios))?;
        Ok(termios)
    }
}

/// tcsetattr(3).
pub fn set(fd: i32, action: i32, termios: &libc::termios) -> io::Result<()> {
    // SAFETY: the structure is the caller's own.
    checked(unsafe { libc::tcsetattr(fd, action, termios) }).map(drop)
}

/// cfmakeraw(3).
pub fn make_raw(termios: &mut libc::termios) {
    // SAFETY: the structure is the caller's own.
    unsafe { libc::cfmakeraw(termios) }
}

/// tcflow(3).
pub fn flow(fd: i32, action: i32) -> io::Result<()> {
    // SAFETY: plain numbers.
    checked(unsafe { libc::tcflow(fd, action) }).map(drop)
}

/// tcflush(3).
pub fn flush(fd: i32, queue: i32) -> io::Result<()> {
    // SAFETY: plain numbers.
    checked(unsafe { libc::tcflush(fd, queue) }).map(drop)
}

/// tcdrain(3) and tcsendbreak(3).
pub fn drain_and_break(fd: i32) -> io::Result<()> {
    // SAFETY: plain numbers.
    unsafe {
        checked(libc::tcdrain(fd))?;
        checked(libc::tcsendbreak(fd, 0)).map(drop)
    }
}

/// An ioctl(2) that reads or writes an int; the int afterwards.
pub fn control(fd: i32, request: u64, mut value: i32) -> io::Result<i32> {
    // SAFETY: the requests that the checks use take a pointer to an int (or to its first byte).
    checked(unsafe { libc::ioctl(fd, request, &raw mut value) })?;
    Ok(value)
}

/// An ioctl(2) whose argument is a number.
pub fn control_plain(fd: i32, request: u64, value: i32) -> io::Result<i32> {
    // SAFETY: plain numbers.
    checked(unsafe { libc::ioctl(fd, request, value) })
}

/// TIOCGWINSZ: rows and columns.
pub fn size(fd: i32) -> io::Result<(u16, u16)> {
    // SAFETY: the structure is the caller's own.
    unsafe {
        let mut size: libc::winsize = zeroed();
        checked(libc::ioctl(fd, libc::TIOCGWINSZ, &raw mut size))?;
        Ok((size.ws_row, size.ws_col))
    }
}

/// TIOCSWINSZ.
pub fn resize(fd: i32, rows: u16, columns: u16) -> io::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the structure is the caller's own.
    checked(unsafe { libc::ioctl(fd, libc::TIOCSWINSZ, &raw const size) }).map(drop)
}

/// setsid(2).
pub fn new_session() -> io::Result<i32> {
    // SAFETY: has no preconditions.
    checked(unsafe { libc::setsid() })
}

/// getsid(2).
pub fn session(pid: i32) -> io::Result<i32> {
    // SAFETY: a plain number.
    checked(unsafe { libc::getsid(pid) })
}

/// setpgid(2).
pub fn set_group(pid: i32, group: i32) -> io::Result<()> {
    // SAFETY: plain numbers.
    checked(unsafe { libc::setpgid(pid, group) }).map(drop)
}

/// getpgid(2).
pub fn group(pid: i32) -> io::Result<i32> {
    // SAFETY: a plain number.
    checked(unsafe { libc::getpgid(pid) })
}

/// tcgetpgrp(3).
pub fn foreground(fd: i32) -> io::Result<i32> {
    // SAFETY: a plain number.
    checked(unsafe { libc::tcgetpgrp(fd) })
}

/// tcsetpgrp(3).
pub fn set_foreground(fd: i32, group: i32) -> io::Result<()> {
    // SAFETY: plain numbers.
    checked(unsafe { libc::tcsetpgrp(fd, group) }).map(drop)
}

/// tcgetsid(3).
pub fn session_of(fd: i32) -> io::Result<i32> {
    // SAFETY: a plain number.
    checked(unsafe { libc::tcgetsid(fd) })
}

/// poll(2) of one descriptor: what is so of it.
pub fn poll_for(fd: i32, events: i16, timeout: Duration) -> io::Result<i16> {
    let mut poll = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: one entry, as said.
    checked(unsafe { libc::poll(&mut poll, 1, timeout.as_millis() as i32) })?;
    Ok(poll.revents)
}

/// write(2), without std's retry after EINTR.
pub fn write(fd: i32, data: &[u8]) -> io::Result<usize> {
    // SAFETY: the data is as long as said.
    let put = unsafe { libc::write(fd, data.as_ptr().cast(), data.len()) };
    usize::try_from(put).map_err(|_| io::Error::last_os_error())
}

/// Makes a descriptor wait, or not.
pub fn set_nonblocking(fd: i32, on: bool) -> io::Result<()> {
    // SAFETY: plain numbers.
    unsafe {
        let flags = checked(libc::fcntl(fd, libc::F_GETFL))?;
        let flags = if on { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
        checked(libc::fcntl(fd, libc::F_SETFL, flags)).map(drop)
    }
}

/// close(2), in a forked child, of a descriptor that its parent keeps.
pub fn close_in_child(fd: i32) -> io::Result<()> {
    // SAFETY: a plain number; the child runs no code that uses the descriptor later.
    checked(unsafe { libc::close(fd) }).map(drop)
}
