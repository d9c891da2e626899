//! `pty.h`, and the pseudo-terminals of `stdlib.h`: posix_openpt(3), openpty(3), login_tty(3), pts(4).

use crate::errno::{self, int};
use crate::sys;
use crate::termios::tcsetattr;
use core::ffi::{c_char, c_int};
use core::fmt::Write;
use libc::{pid_t, size_t, termios, winsize};

/// "/dev/pts/" and ten digits with a NUL.
const NAME_MAX: usize = 20;
/// ioctl(2): opens the other side of a master (ioctl_tty(2)).
const TIOCGPTPEER: usize = 0x5441;

/// A name, ended by NUL.
pub(crate) struct Name {
    bytes: [u8; NAME_MAX],
    len: usize,
}

impl Write for Name {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        // The last byte stays NUL.
        let room = self.bytes.len() - 1 - self.len;
        let text = text.as_bytes();
        if text.len() > room {
            return Err(core::fmt::Error);
        }
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text);
        self.len += text.len();
        Ok(())
    }
}

impl Name {
    /// The name of the pts of this number.
    pub(crate) fn of_pts(number: u32) -> Name {
        let mut name = Name { bytes: [0; NAME_MAX], len: 0 };
        // Ten digits fit.
        let _ = write!(name, "/dev/pts/{number}");
        name
    }

    /// Copies it with its NUL; ERANGE if `room` is less.
    pub(crate) unsafe fn copy_to(&self, out: *mut c_char, room: size_t) -> c_int {
        if room <= self.len {
            return libc::ERANGE;
        }
        crate::string::memcpy(out.cast(), self.bytes.as_ptr().cast(), self.len + 1);
        0
    }

    pub(crate) fn as_ptr(&self) -> *const c_char {
        self.bytes.as_ptr().cast()
    }
}

/// The number of a master's other side, or the error.
unsafe fn number(master: c_int) -> Result<u32, c_int> {
    let mut number = 0_u32;
    match sys::ioctl(master, libc::TIOCGPTN as usize, (&raw mut number).expose_provenance()) {
        0.. => Ok(number),
        error => Err(-error as c_int),
    }
}

/// POSIX wants EINVAL where Linux says that the descriptor is no master.
fn no_master(error: c_int) -> c_int {
    errno::fail(if error == libc::ENOTTY { libc::EINVAL } else { error })
}

c_api! {
    /// posix_openpt(3).
    fn posix_openpt(flags: c_int) -> c_int { int(sys::openat(libc::AT_FDCWD, c"/dev/ptmx".as_ptr(), flags, 0)) }

    /// getpt(3).
    fn getpt() -> c_int { posix_openpt(libc::O_RDWR) }

    /// grantpt(3). Owner and mode are right from the start, so only the descriptor is checked.
    fn grantpt(master: c_int) -> c_int {
        match number(master) {
            Ok(_) => 0,
            Err(error) => no_master(error),
        }
    }

    /// unlockpt(3).
    fn unlockpt(master: c_int) -> c_int {
        let off: c_int = 0;
        match sys::ioctl(master, libc::TIOCSPTLCK as usize, (&raw const off).expose_provenance()) {
            0.. => 0,
            error => no_master(-error as c_int),
        }
    }

    /// ptsname_r(3): 0, or the error number, which errno is set to as well.
    fn ptsname_r(master: c_int, out: *mut c_char, room: size_t) -> c_int {
        let error = match number(master) {
            Ok(_) if out.is_null() => libc::EINVAL,
            Ok(number) => Name::of_pts(number).copy_to(out, room),
            Err(error) => error,
        };
        if error != 0 {
            errno::set(error);
        }
        error
    }

    /// ptsname(3): not for several threads.
    fn ptsname(master: c_int) -> *mut c_char {
        static mut NAME: [c_char; NAME_MAX] = [0; NAME_MAX];
        let name = (&raw mut NAME).cast();
        if ptsname_r(master, name, NAME_MAX) == 0 { name } else { core::ptr::null_mut() }
    }

    /// openpty(3).
    fn openpty(master: *mut c_int, slave: *mut c_int, name: *mut c_char, term: *const termios, size: *const winsize) -> c_int {
        let pty = getpt();
        if pty < 0 {
            return -1;
        }
        let mut other = -1;
        let opened = grantpt(pty) == 0 && unlockpt(pty) == 0 && {
            other = int(sys::ioctl(pty, TIOCGPTPEER, (libc::O_RDWR | libc::O_NOCTTY) as usize));
            other >= 0
        };
        if !opened {
            sys::close(pty);
            return -1;
        }
        if !term.is_null() {
            // As glibc: settings that the terminal does not take are no error.
            tcsetattr(other, libc::TCSAFLUSH, term);
        }
        if !size.is_null() {
            sys::ioctl(other, libc::TIOCSWINSZ as usize, size.expose_provenance());
        }
        if !name.is_null() && ptsname_r(pty, name, NAME_MAX) != 0 {
            sys::close(pty);
            sys::close(other);
            return -1;
        }
        *master = pty;
        *slave = other;
        0
    }

    /// login_tty(3).
    fn login_tty(fd: c_int) -> c_int {
        // A leader keeps its session.
        sys::setsid();
        if int(sys::ioctl(fd, libc::TIOCSCTTY as usize, 0)) < 0 {
            return -1;
        }
        for standard in 0..3 {
            if standard != fd && int(sys::dup3(fd, standard, 0)) < 0 {
                return -1;
            }
        }
        if fd > 2 {
            sys::close(fd);
        }
        0
    }

    /// forkpty(3).
    fn forkpty(master: *mut c_int, name: *mut c_char, term: *const termios, size: *const winsize) -> pid_t {
        let (mut pty, mut other) = (-1, -1);
        if openpty(&mut pty, &mut other, name, term, size) < 0 {
            return -1;
        }
        match crate::pthread::atfork::fork() {
            -1 => {
                sys::close(pty);
                sys::close(other);
                -1
            }
            0 => {
                sys::close(pty);
                if login_tty(other) != 0 {
                    crate::exit::_exit(1);
                }
                0
            }
            pid => {
                *master = pty;
                sys::close(other);
                pid
            }
        }
    }
}
