//! `termios.h`: terminals, through ioctl_tty(2).
//!
//! The library's `struct termios` is longer than the kernel's (32 characters instead of 19, and speeds behind them).

use crate::errno::{self, int};
use crate::sys;
use core::ffi::c_int;
use libc::{pid_t, speed_t, termios};

/// The kernel's `struct termios`.
#[repr(C)]
struct Kernel {
    iflag: u32,
    oflag: u32,
    cflag: u32,
    lflag: u32,
    line: u8,
    characters: [u8; 19],
}

unsafe fn control<T>(fd: c_int, request: u64, argument: *mut T) -> c_int {
    int(sys::ioctl(fd, request as usize, argument.expose_provenance()))
}

unsafe fn control_value(fd: c_int, request: u64, value: c_int) -> c_int {
    int(sys::ioctl(fd, request as usize, value as usize))
}

/// Bits per second and the constants that stand for them.
const RATES: [(speed_t, speed_t); 30] = [
    (50, libc::B50),
    (75, libc::B75),
    (110, libc::B110),
    (134, libc::B134),
    (150, libc::B150),
    (200, libc::B200),
    (300, libc::B300),
    (600, libc::B600),
    (1200, libc::B1200),
    (1800, libc::B1800),
    (2400, libc::B2400),
    (4800, libc::B4800),
    (9600, libc::B9600),
    (19_200, libc::B19200),
    (38_400, libc::B38400),
    (57_600, libc::B57600),
    (115_200, libc::B115200),
    (230_400, libc::B230400),
    (460_800, libc::B460800),
    (500_000, libc::B500000),
    (576_000, libc::B576000),
    (921_600, libc::B921600),
    (1_000_000, libc::B1000000),
    (1_152_000, libc::B1152000),
    (1_500_000, libc::B1500000),
    (2_000_000, libc::B2000000),
    (2_500_000, libc::B2500000),
    (3_000_000, libc::B3000000),
    (3_500_000, libc::B3500000),
    (4_000_000, libc::B4000000),
];

fn valid_speed(speed: speed_t) -> bool {
    speed & !libc::CBAUD == 0 || (libc::B57600..=libc::B4000000).contains(&speed)
}

c_api! {
    /// tcgetattr(3).
    fn tcgetattr(fd: c_int, out: *mut termios) -> c_int {
        let mut kernel: Kernel = core::mem::zeroed();
        let done = control(fd, libc::TCGETS, &mut kernel);
        if done == 0 {
            let mut c_cc = [0; 32];
            c_cc[..19].copy_from_slice(&kernel.characters);
            let speed = kernel.cflag & libc::CBAUD;
            *out = termios {
                c_iflag: kernel.iflag,
                c_oflag: kernel.oflag,
                c_cflag: kernel.cflag,
                c_lflag: kernel.lflag,
                c_line: kernel.line,
                c_cc,
                c_ispeed: speed,
                c_ospeed: speed,
            };
        }
        done
    }

    /// tcsetattr(3).
    fn tcsetattr(fd: c_int, actions: c_int, new: *const termios) -> c_int {
        let request = match actions {
            libc::TCSANOW => libc::TCSETS,
            libc::TCSADRAIN => libc::TCSETSW,
            libc::TCSAFLUSH => libc::TCSETSF,
            _ => return errno::fail(libc::EINVAL),
        };
        let new = &*new;
        let mut characters = [0; 19];
        characters.copy_from_slice(&new.c_cc[..19]);
        let mut kernel = Kernel {
            iflag: new.c_iflag,
            oflag: new.c_oflag,
            cflag: new.c_cflag,
            lflag: new.c_lflag,
            line: new.c_line,
            characters,
        };
        control(fd, request, &mut kernel)
    }

    /// tcgetpgrp(3).
    fn tcgetpgrp(fd: c_int) -> pid_t {
        let mut group: c_int = 0;
        if control(fd, libc::TIOCGPGRP, &mut group) < 0 { -1 } else { group }
    }

    /// tcsetpgrp(3).
    fn tcsetpgrp(fd: c_int, group: pid_t) -> c_int {
        let mut group = group;
        control(fd, libc::TIOCSPGRP, &mut group)
    }

    /// tcgetsid(3).
    fn tcgetsid(fd: c_int) -> pid_t {
        let mut session: c_int = 0;
        if control(fd, libc::TIOCGSID, &mut session) < 0 { -1 } else { session }
    }

    /// tcdrain(3).
    fn tcdrain(fd: c_int) -> c_int { control_value(fd, libc::TCSBRK, 1) }

    /// tcflush(3).
    fn tcflush(fd: c_int, queue: c_int) -> c_int { control_value(fd, libc::TCFLSH, queue) }

    /// tcflow(3).
    fn tcflow(fd: c_int, action: c_int) -> c_int { control_value(fd, libc::TCXONC, action) }

    /// tcsendbreak(3). `duration` is in units of 100 ms beyond the usual length, as on Linux.
    fn tcsendbreak(fd: c_int, duration: c_int) -> c_int {
        if duration <= 0 { control_value(fd, libc::TCSBRK, 0) } else { control_value(fd, libc::TCSBRKP, (duration + 99) / 100) }
    }

    /// cfgetospeed(3).
    fn cfgetospeed(of: *const termios) -> speed_t { (*of).c_cflag & libc::CBAUD }

    /// cfgetispeed(3).
    fn cfgetispeed(of: *const termios) -> speed_t { (*of).c_cflag & libc::CBAUD }

    /// cfsetospeed(3).
    fn cfsetospeed(of: *mut termios, speed: speed_t) -> c_int {
        if !valid_speed(speed) {
            return errno::fail(libc::EINVAL);
        }
        (*of).c_ospeed = speed;
        (*of).c_cflag = (*of).c_cflag & !libc::CBAUD | speed;
        0
    }

    /// cfsetispeed(3). Speed 0 means the output's.
    fn cfsetispeed(of: *mut termios, speed: speed_t) -> c_int {
        if !valid_speed(speed) {
            return errno::fail(libc::EINVAL);
        }
        (*of).c_ispeed = speed;
        if speed != 0 {
            (*of).c_cflag = (*of).c_cflag & !libc::CBAUD | speed;
        }
        0
    }

    /// cfsetspeed(3): takes the B constants, and bits per second too, as glibc.
    fn cfsetspeed(of: *mut termios, speed: speed_t) -> c_int {
        let by_rate = RATES.iter().find(|(rate, _)| *rate == speed).map(|(_, constant)| *constant);
        let speed = if valid_speed(speed) { speed } else { by_rate.unwrap_or(speed) };
        if cfsetospeed(of, speed) < 0 { -1 } else { cfsetispeed(of, speed) }
    }

    /// cfmakeraw(3).
    fn cfmakeraw(of: *mut termios) {
        use libc::{BRKINT, CS8, CSIZE, ECHO, ECHONL, ICANON, ICRNL, IEXTEN, IGNBRK, IGNCR, INLCR, ISIG, ISTRIP, IXON, OPOST, PARENB, PARMRK};
        (*of).c_iflag &= !(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
        (*of).c_oflag &= !OPOST;
        (*of).c_lflag &= !(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
        (*of).c_cflag = (*of).c_cflag & !(CSIZE | PARENB) | CS8;
        (*of).c_cc[libc::VMIN] = 1;
        (*of).c_cc[libc::VTIME] = 0;
    }
}
