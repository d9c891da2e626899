//! `printf.h`: the arguments that a format takes. parse_printf_format in glibc's manual, "Parsing a Template String".

use super::format::{Amount, Length, parse};
use crate::string;
use core::ffi::{c_char, c_int};
use libc::size_t;

const INT: c_int = 0;
const CHAR: c_int = 1;
const WCHAR: c_int = 2;
const STRING: c_int = 3;
const WSTRING: c_int = 4;
const POINTER: c_int = 5;
const DOUBLE: c_int = 7;
const LONG_DOUBLE: c_int = 1 << 8;
const LONG: c_int = 1 << 9;
const SHORT: c_int = 1 << 10;
const PTR: c_int = 1 << 11;

/// The type of a conversion's argument; None if it takes none. `text` ends with the conversion.
fn kind(text: &[u8], length: Length) -> Option<c_int> {
    let (&conversion, before) = text.split_last()?;
    Some(match conversion {
        b'd' | b'i' | b'o' | b'u' | b'x' | b'X' | b'b' | b'B' => match length {
            // As glibc has it where `long` is as long as `long long`.
            Length::LongDouble if matches!(before.last(), Some(b'L' | b'q')) => INT,
            Length::Long | Length::LongDouble => INT | LONG,
            Length::Short => INT | SHORT,
            Length::Char => CHAR,
            Length::Int => INT,
        },
        b'a' | b'A' | b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => match length {
            Length::LongDouble => DOUBLE | LONG_DOUBLE,
            _ => DOUBLE,
        },
        b'c' => CHAR,
        b'C' => WCHAR,
        b's' => STRING,
        b'S' => WSTRING,
        b'p' => POINTER,
        b'n' => INT | PTR,
        _ => return None,
    })
}

c_api! {
    /// parse_printf_format: how many arguments the format takes, and the types of the first `most`. A format with a width too great
    /// for `int` is read until there.
    fn parse_printf_format(format: *const c_char, most: size_t, types: *mut c_int) -> size_t {
        let text = string::bytes(format);
        let (mut next, mut last, mut at) = (0, 0, 0);
        let note = |position: usize, kind: c_int| {
            if position < most {
                *types.add(position) = kind;
            }
        };
        while let Some(found) = text.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == b'%')) {
            at += found + 1;
            let Ok(spec) = parse(text, &mut at) else { break };
            for amount in [spec.width, spec.precision] {
                match amount {
                    Amount::Next => {
                        note(next, INT);
                        next += 1;
                    }
                    Amount::Position(position) => {
                        note(position - 1, INT);
                        last = last.max(position);
                    }
                    Amount::None | Amount::Given(_) => {}
                }
            }
            let kind = text.get(..at).and_then(|text| kind(text, spec.length));
            match (spec.position, kind) {
                (Some(position), kind) => {
                    last = last.max(position);
                    if let Some(kind) = kind {
                        note(position - 1, kind);
                    }
                }
                (None, Some(kind)) => {
                    note(next, kind);
                    next += 1;
                }
                (None, None) => {}
            }
        }
        next.max(last)
    }
}
