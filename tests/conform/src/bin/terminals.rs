//! Names of terminals and speeds of lines: what needs no program at the other end. (ttycheck has the rest.)

use std::ffi::{CStr, c_char, c_int};
use std::io::Error;

unsafe extern "C" {
    fn ctermid(name: *mut c_char) -> *mut c_char;
}

fn errno() -> i32 {
    Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// A returned string, or the error.
fn text(name: *const c_char) -> String {
    if name.is_null() {
        return format!("error {}", errno());
    }
    // SAFETY: the functions return null or a string that ends with NUL.
    unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
}

/// A name without its number.
fn kind(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit())
}

fn names() {
    // SAFETY: plain numbers, buffers of the stated lengths, and descriptors of this function's own.
    unsafe {
        let mut buffer = [0x7f as c_char; 64];
        println!("ctermid {} {}", text(ctermid(std::ptr::null_mut())), text(ctermid(buffer.as_mut_ptr())));
        let master = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY);
        println!("master {} grantpt {} unlockpt {}", master >= 0, libc::grantpt(master), libc::unlockpt(master));
        let name = text(libc::ptsname(master));
        println!("ptsname {} short {}", kind(&name), libc::ptsname_r(master, buffer.as_mut_ptr(), 5));
        println!("whole {} same {}", libc::ptsname_r(master, buffer.as_mut_ptr(), 64), text(buffer.as_ptr()) == name);
        let other = libc::open(libc::ptsname(master), libc::O_RDWR | libc::O_NOCTTY);
        println!("ttyname same {}", text(libc::ttyname(other)) == name);
        println!("short {}", libc::ttyname_r(other, buffer.as_mut_ptr(), 5));
        println!("whole {} same {}", libc::ttyname_r(other, buffer.as_mut_ptr(), 64), text(buffer.as_ptr()) == name);
        println!("isatty {} {}", libc::isatty(master), libc::isatty(other));
        println!("session {} {} foreground {} {}", libc::tcgetsid(other), errno(), libc::tcgetpgrp(other), errno());
        libc::close(other);
        libc::close(master);
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for (what, fd) in [("null", null), ("none", -1)] {
            println!("{what} ptsname {} ttyname {}", text(libc::ptsname(fd)), text(libc::ttyname(fd)));
            println!("{what} grantpt {} {} unlockpt {} {}", libc::grantpt(fd), errno(), libc::unlockpt(fd), errno());
            println!("{what} isatty {} {} setpgrp {} {}", libc::isatty(fd), errno(), libc::tcsetpgrp(fd, 1), errno());
            println!("{what} drain {} {} login {}", libc::tcdrain(fd), errno(), libc::tcflush(fd, libc::TCIFLUSH));
        }
        libc::close(null);
    }
}

fn speeds() {
    // SAFETY: a structure of flags, all zero.
    let mut termios: libc::termios = unsafe { std::mem::zeroed() };
    let values = [
        libc::B0,
        libc::B50,
        libc::B9600,
        libc::B38400,
        libc::B57600,
        libc::B115200,
        libc::B4000000,
        12345,
        115_200,
        134,
    ];
    for value in values {
        // SAFETY: the structure is this function's own.
        let results: [c_int; 3] = unsafe {
            [
                libc::cfsetospeed(&mut termios, value),
                libc::cfsetispeed(&mut termios, value),
                libc::cfsetspeed(&mut termios, value),
            ]
        };
        // SAFETY: as above.
        let speeds = unsafe { (libc::cfgetospeed(&termios), libc::cfgetispeed(&termios)) };
        println!("speed {value} {results:?} {speeds:?} flags {:o}", termios.c_cflag);
    }
    termios.c_lflag = u32::MAX;
    (termios.c_iflag, termios.c_oflag, termios.c_cflag) = (u32::MAX, u32::MAX, u32::MAX);
    // SAFETY: as above.
    unsafe { libc::cfmakeraw(&mut termios) };
    println!("raw {:o} {:o} {:o} {:o}", termios.c_iflag, termios.c_oflag, termios.c_cflag, termios.c_lflag);
}

fn main() {
    names();
    speeds();
}
