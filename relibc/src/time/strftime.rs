//! `strftime` in the C locale, with glibc's flags. strftime(3).

use super::text::{MONTHS, WEEKDAYS};
use super::{local, mktime};
use alloc::string::String;
use core::ffi::{c_char, c_int, c_void};
use core::fmt::Write;
use libc::{size_t, tm};

/// What stands between `%` and the conversion.
#[derive(Clone, Copy, Default)]
struct Spec {
    /// `_`, `-` or `0`; 0 for none.
    pad: u8,
    upper: bool,
    change: bool,
    width: usize,
    /// `E` or `O`; 0 for none.
    modifier: u8,
}

/// How letters are changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Keep,
    Upper,
    Lower,
}

/// A buffer; with `to` null it only counts.
struct Out {
    to: *mut u8,
    room: usize,
    len: usize,
}

/// The text does not fit.
struct Full;

impl Out {
    fn bytes(&mut self, bytes: &[u8], case: Case) -> Result<(), Full> {
        if bytes.len() >= self.room - self.len {
            return Err(Full);
        }
        for byte in bytes {
            let byte = match case {
                Case::Keep => *byte,
                Case::Upper => byte.to_ascii_uppercase(),
                Case::Lower => byte.to_ascii_lowercase(),
            };
            if !self.to.is_null() {
                // SAFETY: `len` stays below `room`, the bytes that the caller gave.
                unsafe { self.to.add(self.len).write(byte) };
            }
            self.len += 1;
        }
        Ok(())
    }

    fn fill(&mut self, byte: u8, count: usize) -> Result<(), Full> {
        if count >= self.room - self.len {
            return Err(Full);
        }
        (0..count).try_for_each(|_| self.bytes(&[byte], Case::Keep))
    }

    /// A text, padded to the width.
    fn text(&mut self, bytes: &[u8], spec: Spec, case: Case) -> Result<(), Full> {
        let padding = spec.width.saturating_sub(bytes.len());
        self.fill(if spec.pad == b'0' { b'0' } else { b' ' }, padding)?;
        self.bytes(bytes, case)
    }

    /// A number of at least `digits` digits.
    fn number(&mut self, value: i64, digits: usize, mut spec: Spec) -> Result<(), Full> {
        let digits = digits.max(spec.width);
        let mut text = String::new();
        // A String takes everything.
        let _ = write!(text, "{value}");
        let padding = if spec.pad == b'-' { 0 } else { digits.saturating_sub(text.len()) };
        if spec.pad == b'_' {
            self.fill(b' ', padding)?;
            spec.width = spec.width.saturating_sub(padding);
            return self.text(text.as_bytes(), spec, Case::Keep);
        }
        if padding > 0 {
            let (sign, rest) = text.split_at(usize::from(value < 0));
            self.bytes(sign.as_bytes(), Case::Keep)?;
            self.fill(b'0', padding)?;
            return self.bytes(rest.as_bytes(), Case::Keep);
        }
        self.text(text.as_bytes(), spec, Case::Keep)
    }
}

/// The year and number of the ISO 8601 week that holds a day.
fn iso_week(fields: &tm) -> (i64, i64) {
    // Weeks start on Monday, and the first of a year is the one with its first Thursday.
    let days_into = |yday: i64| {
        let monday_based = (i64::from(fields.tm_wday) + 6).rem_euclid(7);
        // The day of the year of this week's Thursday.
        yday - monday_based + 3
    };
    let mut year = i64::from(fields.tm_year) + 1900;
    let mut thursday = days_into(i64::from(fields.tm_yday));
    let length = |year: i64| 365 + i64::from(super::calendar::is_leap(year));
    if thursday < 0 {
        year -= 1;
        thursday += length(year);
    } else if thursday >= length(year) {
        thursday -= length(year);
        year += 1;
    }
    (year, thursday.div_euclid(7) + 1)
}

/// A name, its first three letters, or `?` for an index out of range.
fn name(names: &[&'static str], index: c_int, short: bool) -> &'static str {
    match usize::try_from(index).ok().and_then(|index| names.get(index)) {
        Some(name) if short => &name[..3],
        Some(name) => name,
        None => "?",
    }
}

/// Which modifiers a conversion takes: `N`one, not `E`, not `O`, or any. 0 is no conversion.
fn modifiers(conversion: u8) -> u8 {
    match conversion {
        b'%' | b'a' | b'A' | b'D' | b'F' => b'N',
        b'b' | b'B' | b'h' | b'd' | b'e' | b'g' | b'G' | b'H' | b'I' | b'j' | b'k' | b'l' | b'm' | b'M' | b'S'
        | b'U' | b'V' | b'w' | b'W' => b'E',
        b'c' | b'x' | b'X' | b'Y' => b'O',
        b'C' | b'n' | b'p' | b'P' | b'r' | b'R' | b's' | b't' | b'T' | b'u' | b'y' | b'z' | b'Z' => b'A',
        _ => 0,
    }
}

/// Formats one conversion.
fn convert(out: &mut Out, conversion: u8, spec: Spec, fields: &tm) -> Result<(), Full> {
    let loud = spec.upper || spec.change && matches!(conversion, b'b' | b'h');
    let case = if loud { Case::Upper } else { Case::Keep };
    let loud = if spec.upper || spec.change { Case::Upper } else { Case::Keep };
    let n = i64::from;
    let spaced = Spec { pad: if spec.pad == 0 { b'_' } else { spec.pad }, ..spec };
    let hour12 = match fields.tm_hour {
        hour if hour > 12 => hour - 12,
        0 => 12,
        hour => hour,
    };
    let year = n(fields.tm_year) + 1900;
    let week = |first: i64| (n(fields.tm_yday) - (n(fields.tm_wday) - first + 7) % 7 + 7) / 7;
    match conversion {
        b'%' => out.text(b"%", spec, Case::Keep),
        b'n' => out.text(b"\n", spec, Case::Keep),
        b't' => out.text(b"\t", spec, Case::Keep),
        b'a' => out.text(name(&WEEKDAYS, fields.tm_wday, true).as_bytes(), spec, loud),
        b'A' => out.text(name(&WEEKDAYS, fields.tm_wday, false).as_bytes(), spec, loud),
        b'b' | b'h' => out.text(name(&MONTHS, fields.tm_mon, true).as_bytes(), spec, loud),
        b'B' => out.text(name(&MONTHS, fields.tm_mon, false).as_bytes(), spec, loud),
        b'p' | b'P' => {
            let text = if fields.tm_hour > 11 { b"PM" } else { b"AM" };
            let case = if conversion == b'P' || spec.change { Case::Lower } else { case };
            out.text(text, spec, case)
        }
        b'c' => nested(out, b"%a %b %e %H:%M:%S %Y", spec, fields),
        b'D' | b'x' => nested(out, b"%m/%d/%y", spec, fields),
        b'F' => nested(out, b"%Y-%m-%d", spec, fields),
        b'r' => nested(out, b"%I:%M:%S %p", spec, fields),
        b'R' => nested(out, b"%H:%M", spec, fields),
        b'T' | b'X' => nested(out, b"%H:%M:%S", spec, fields),
        b'C' => out.number(year / 100 - i64::from(year % 100 < 0), 1, spec),
        b'd' => out.number(n(fields.tm_mday), 2, spec),
        b'e' => out.number(n(fields.tm_mday), 2, spaced),
        b'g' => out.number(iso_week(fields).0.rem_euclid(100), 2, spec),
        b'G' => out.number(iso_week(fields).0, 1, spec),
        b'H' => out.number(n(fields.tm_hour), 2, spec),
        b'I' => out.number(n(hour12), 2, spec),
        b'k' => out.number(n(fields.tm_hour), 2, spaced),
        b'l' => out.number(n(hour12), 2, spaced),
        b'j' => out.number(n(fields.tm_yday) + 1, 3, spec),
        b'm' => out.number(n(fields.tm_mon) + 1, 2, spec),
        b'M' => out.number(n(fields.tm_min), 2, spec),
        b'S' => out.number(n(fields.tm_sec), 2, spec),
        b's' => {
            let mut copy = *fields;
            // SAFETY: the copy is ours.
            let mut text = String::new();
            // A String takes everything.
            let _ = write!(text, "{}", unsafe { mktime::mktime(&mut copy) });
            out.text(text.as_bytes(), spec, Case::Keep)
        }
        b'u' => out.number((n(fields.tm_wday) - 1 + 7) % 7 + 1, 1, spec),
        b'w' => out.number(n(fields.tm_wday), 1, spec),
        b'U' => out.number(week(0), 2, spec),
        b'W' => out.number(week(1), 2, spec),
        b'V' => out.number(iso_week(fields).1, 2, spec),
        b'y' => out.number(n(fields.tm_year).rem_euclid(100), 2, spec),
        b'Y' => out.number(year, 1, spec),
        b'z' if fields.tm_isdst < 0 => Ok(()),
        b'z' => {
            let minutes = fields.tm_gmtoff.abs() / 60;
            out.text(if fields.tm_gmtoff < 0 { b"-" } else { b"+" }, spec, Case::Keep)?;
            out.number(minutes / 60 * 100 + minutes % 60, 4, spec)
        }
        _ => {
            let mut zone: &[u8] = b"";
            if !fields.tm_zone.is_null() {
                // SAFETY: the caller's struct holds a string or null.
                zone = unsafe { crate::string::bytes(fields.tm_zone) };
            }
            if zone.is_empty() && fields.tm_isdst >= 0 {
                // SAFETY: as reading environ and tzname in C.
                unsafe {
                    local::tzset();
                    zone = crate::string::bytes(local::tzname[usize::from(fields.tm_isdst != 0)]);
                }
            }
            out.text(zone, spec, if spec.change { Case::Lower } else { case })
        }
    }
}

/// A conversion that stands for a format.
fn nested(out: &mut Out, format: &[u8], spec: Spec, fields: &tm) -> Result<(), Full> {
    let mut measure = Out { to: core::ptr::null_mut(), room: usize::MAX, len: 0 };
    run(&mut measure, format, fields)?;
    let zero = if spec.pad == b'0' { b'0' } else { b' ' };
    out.fill(zero, spec.width.saturating_sub(measure.len))?;
    let start = out.len;
    run(out, format, fields)?;
    if spec.upper && !out.to.is_null() {
        for at in start..out.len {
            // SAFETY: the bytes were just written.
            unsafe { *out.to.add(at) = (*out.to.add(at)).to_ascii_uppercase() };
        }
    }
    Ok(())
}

fn run(out: &mut Out, format: &[u8], fields: &tm) -> Result<(), Full> {
    let mut at = 0;
    while at < format.len() {
        let start = at;
        if format[at] != b'%' {
            out.bytes(&format[at..=at], Case::Keep)?;
            at += 1;
            continue;
        }
        at += 1;
        let mut spec = Spec::default();
        let peek = |at: usize| format.get(at).copied().unwrap_or(0);
        loop {
            match peek(at) {
                byte @ (b'_' | b'-' | b'0') => spec.pad = byte,
                b'^' => spec.upper = true,
                b'#' => spec.change = true,
                _ => break,
            }
            at += 1;
        }
        while peek(at).is_ascii_digit() {
            let width = spec.width.saturating_mul(10).saturating_add(usize::from(peek(at) - b'0'));
            spec.width = width.min(c_int::MAX as usize);
            at += 1;
        }
        if matches!(peek(at), b'E' | b'O') {
            spec.modifier = peek(at);
            at += 1;
        }
        let conversion = peek(at);
        let takes = match modifiers(conversion) {
            0 => false,
            b'N' => spec.modifier == 0,
            b'A' => true,
            refused => spec.modifier != refused,
        };
        if takes {
            convert(out, conversion, spec, fields)?;
            at += 1;
        } else {
            // What is no conversion stands for itself.
            let end = (at + 1).min(format.len());
            let start = if conversion == b'%' { at } else { start };
            let loud = spec.upper || spec.change && matches!(conversion, b'b' | b'h');
            let case = if loud { Case::Upper } else { Case::Keep };
            out.text(&format[start..end], spec, case)?;
            at = end;
        }
    }
    Ok(())
}

c_api! {
    /// strftime(3).
    fn strftime(to: *mut c_char, room: size_t, format: *const c_char, fields: *const tm) -> size_t {
        if room == 0 {
            return 0;
        }
        let mut out = Out { to: to.cast(), room, len: 0 };
        let done = run(&mut out, crate::string::bytes(format), &*fields);
        match done {
            Ok(()) => {
                if !to.is_null() {
                    *to.add(out.len) = 0;
                }
                out.len
            }
            Err(Full) => 0,
        }
    }

    /// strftime(3) in the C locale's words, whatever the locale.
    fn strftime_l(to: *mut c_char, room: size_t, format: *const c_char, fields: *const tm, _locale: *mut c_void) -> size_t {
        strftime(to, room, format, fields)
    }

    /// As [`strftime_l`].
    fn __strftime_l(to: *mut c_char, room: size_t, format: *const c_char, fields: *const tm, _locale: *mut c_void) -> size_t {
        strftime(to, room, format, fields)
    }
}
