//! Terminals, and what every descriptor may be asked. Source: ioctl_tty(2), Linux's asm-generic/ioctls.h.

use crate::Argument::{self, Value};
use crate::Direction::{In, Out};
use crate::{Match, Row, plain, row};

const fn exact(name: &'static str, request: u32, argument: Argument) -> Row {
    row(name, request, Match::Exact, argument)
}

/// `struct termios` and `struct termios2` of the kernel, `struct winsize`, an int.
const TERMIOS: u16 = 36;
const TERMIOS2: u16 = 44;
const SIZE: u16 = 8;
const INT: u16 = 4;

/// The rows.
pub const ROWS: &[Row] = &[
    exact("TCGETS", 0x5401, plain(Out, TERMIOS)),
    exact("TCSETS", 0x5402, plain(In, TERMIOS)),
    exact("TCSETSW", 0x5403, plain(In, TERMIOS)),
    exact("TCSETSF", 0x5404, plain(In, TERMIOS)),
    exact("TCSBRK", 0x5409, Value),
    exact("TCXONC", 0x540a, Value),
    exact("TCFLSH", 0x540b, Value),
    exact("TIOCEXCL", 0x540c, Value),
    exact("TIOCNXCL", 0x540d, Value),
    exact("TIOCSCTTY", 0x540e, Value),
    exact("TIOCGPGRP", 0x540f, plain(Out, INT)),
    exact("TIOCSPGRP", 0x5410, plain(In, INT)),
    exact("TIOCOUTQ", 0x5411, plain(Out, INT)),
    exact("TIOCSTI", 0x5412, plain(In, 1)),
    exact("TIOCGWINSZ", 0x5413, plain(Out, SIZE)),
    exact("TIOCSWINSZ", 0x5414, plain(In, SIZE)),
    exact("FIONREAD", 0x541b, plain(Out, INT)),
    exact("TIOCPKT", 0x5420, plain(In, INT)),
    exact("TIOCNOTTY", 0x5422, Value),
    exact("TIOCSETD", 0x5423, plain(In, INT)),
    exact("TIOCGETD", 0x5424, plain(Out, INT)),
    exact("TCSBRKP", 0x5425, Value),
    exact("TIOCSBRK", 0x5427, Value),
    exact("TIOCCBRK", 0x5428, Value),
    exact("TIOCGSID", 0x5429, plain(Out, INT)),
    exact("TCGETS2", 0x802c_542a, plain(Out, TERMIOS2)),
    exact("TCSETS2", 0x402c_542b, plain(In, TERMIOS2)),
    exact("TCSETSW2", 0x402c_542c, plain(In, TERMIOS2)),
    exact("TCSETSF2", 0x402c_542d, plain(In, TERMIOS2)),
    exact("TIOCGPTN", 0x8004_5430, plain(Out, INT)),
    exact("TIOCSPTLCK", 0x4004_5431, plain(In, INT)),
    exact("TIOCGDEV", 0x8004_5432, plain(Out, INT)),
    exact("TIOCVHANGUP", 0x5437, Value),
    exact("TIOCGPKT", 0x8004_5438, plain(Out, INT)),
    exact("TIOCGPTLCK", 0x8004_5439, plain(Out, INT)),
    exact("TIOCGEXCL", 0x8004_5440, plain(Out, INT)),
];
