//! Input devices. Source: Linux's linux/input.h, drivers/input/evdev.c.

use crate::Argument::{self, Value};
use crate::Direction::{In, InOut, Out};
use crate::{Array, Count, Match, Row, plain, row};

/// The type of these numbers.
pub const TYPE: u8 = b'E';

const READ: u32 = 0x8000_4500;
const WRITE: u32 = 0x4000_4500;

/// A number for a struct of this size.
const fn exact(name: &'static str, base: u32, number: u8, size: u16, argument: Argument) -> Row {
    row(name, base | (size as u32) << 16 | number as u32, Match::Exact, argument)
}

/// Numbers for as many bytes as the caller has room for.
const fn sized(name: &'static str, base: u32, first: u8, count: u8, argument: Argument) -> Row {
    row(name, base | first as u32, Match::Numbers(count), argument)
}

/// `struct input_mask` (type, bytes, pointer), its array one way or the other.
const MASK_OUT: &[Array] = &[Array { direction: Out, pointer: 8, count: Count::Field32(4), element: 1 }];
const MASK_IN: &[Array] = &[Array { direction: In, pointer: 8, count: Count::Field32(4), element: 1 }];

/// A size for rows whose size the caller tells.
const ANY: u16 = 1;

/// The rows.
pub const ROWS: &[Row] = &[
    exact("EVIOCGVERSION", READ, 0x01, 4, plain(Out, 4)),
    exact("EVIOCGID", READ, 0x02, 8, plain(Out, 8)),
    exact("EVIOCGREP", READ, 0x03, 8, plain(Out, 8)),
    exact("EVIOCSREP", WRITE, 0x03, 8, plain(In, 8)),
    exact("EVIOCGKEYCODE", READ, 0x04, 8, plain(InOut, 8)),
    exact("EVIOCGKEYCODE_V2", READ, 0x04, 40, plain(InOut, 40)),
    exact("EVIOCSKEYCODE", WRITE, 0x04, 8, plain(In, 8)),
    exact("EVIOCSKEYCODE_V2", WRITE, 0x04, 40, plain(In, 40)),
    sized("EVIOCGNAME", READ, 0x06, 1, plain(Out, ANY)),
    sized("EVIOCGPHYS", READ, 0x07, 1, plain(Out, ANY)),
    sized("EVIOCGUNIQ", READ, 0x08, 1, plain(Out, ANY)),
    sized("EVIOCGPROP", READ, 0x09, 1, plain(Out, ANY)),
    // Which axis is asked for stands in the buffer.
    sized("EVIOCGMTSLOTS", READ, 0x0a, 1, plain(InOut, ANY)),
    sized("EVIOCGKEY", READ, 0x18, 1, plain(Out, ANY)),
    sized("EVIOCGLED", READ, 0x19, 1, plain(Out, ANY)),
    sized("EVIOCGSND", READ, 0x1a, 1, plain(Out, ANY)),
    sized("EVIOCGSW", READ, 0x1b, 1, plain(Out, ANY)),
    sized("EVIOCGBIT", READ, 0x20, 0x20, plain(Out, ANY)),
    sized("EVIOCGABS", READ, 0x40, 0x40, plain(Out, ANY)),
    sized("EVIOCSABS", WRITE, 0xc0, 0x40, plain(In, ANY)),
    exact("EVIOCSFF", WRITE, 0x80, 48, plain(InOut, 48)),
    exact("EVIOCRMFF", WRITE, 0x81, 4, Value),
    exact("EVIOCGEFFECTS", READ, 0x84, 4, plain(Out, 4)),
    exact("EVIOCGRAB", WRITE, 0x90, 4, Value),
    exact("EVIOCREVOKE", WRITE, 0x91, 4, Value),
    exact(
        "EVIOCGMASK",
        READ,
        0x92,
        16,
        Argument::Struct { direction: In, size: 16, arrays: MASK_OUT, descriptor: None },
    ),
    exact(
        "EVIOCSMASK",
        WRITE,
        0x93,
        16,
        Argument::Struct { direction: In, size: 16, arrays: MASK_IN, descriptor: None },
    ),
    exact("EVIOCSCLOCKID", WRITE, 0xa0, 4, plain(In, 4)),
];
