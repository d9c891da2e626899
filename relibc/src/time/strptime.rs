//! `strptime` in the C locale, with glibc's extensions. strptime(3).

use super::calendar::{MONTHS as DAYS, days_before_year, is_leap};
use super::local;
use super::text::{MONTHS, WEEKDAYS};
use core::ffi::{c_char, c_int, c_long, c_void};
use core::ptr;
use libc::tm;

/// What was read and has an effect only at the end.
#[derive(Default)]
struct State {
    pm: bool,
    hour12: bool,
    weekday: bool,
    yday: bool,
    month: bool,
    mday: bool,
    century: Option<i32>,
    /// A year's last two digits were read.
    short_year: bool,
    /// The day must be computed from the rest.
    wants_day: bool,
    /// A week's number.
    week: Option<i32>,
    /// It counts from Sunday.
    sunday: bool,
}

/// Text that is being read.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn spaces(&mut self) {
        while let [b' ' | b'\t'..=b'\r', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    fn byte(&mut self, wanted: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        (*first == wanted).then_some(())
    }

    /// A number in a range, of at most so many digits, behind blanks.
    fn number(&mut self, from: i32, to: i32, digits: usize) -> Option<i32> {
        self.spaces();
        let (mut value, mut count) = (0, 0);
        // A digit that would make it too large belongs to what follows.
        while let [byte @ b'0'..=b'9', rest @ ..] = self.0
            && count < digits
            && (count == 0 || value * 10 <= to)
        {
            value = value * 10 + i32::from(byte - b'0');
            count += 1;
            self.0 = rest;
        }
        if count == 0 {
            return None;
        }
        (from..=to).contains(&value).then_some(value)
    }

    /// The index of a name, whole or by its first three letters, in any case.
    fn name(&mut self, names: &[&str]) -> Option<i32> {
        for (index, name) in names.iter().enumerate() {
            for name in [name.as_bytes(), &name.as_bytes()[..3]] {
                if self.0.get(..name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name)) {
                    self.0 = &self.0[name.len()..];
                    return Some(index as i32);
                }
            }
        }
        None
    }

    fn word(&mut self, word: &[u8]) -> bool {
        let found = self.0.get(..word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word));
        if found {
            self.0 = &self.0[word.len()..];
        }
        found
    }
}

/// Seconds east of UTC: `Z`, or `+hh`, `+hhmm`, `+hh:mm`.
fn offset(input: &mut Input<'_>) -> Option<c_long> {
    input.spaces();
    if input.0.first() == Some(&b'Z') {
        input.0 = &input.0[1..];
        return Some(0);
    }
    let (sign, rest) = input.0.split_first()?;
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    input.0 = rest;
    let (mut digits, mut value) = (0, 0);
    while digits < 4 {
        match input.0 {
            [byte, rest @ ..] if byte.is_ascii_digit() => {
                value = value * 10 + c_long::from(byte - b'0');
                digits += 1;
                input.0 = rest;
            }
            [b':', byte, rest @ ..] if digits == 2 && byte.is_ascii_digit() => {
                value = value * 10 + c_long::from(byte - b'0');
                digits += 1;
                input.0 = rest;
            }
            _ => break,
        }
    }
    match digits {
        2 => value *= 100,
        4 => {}
        _ => return None,
    }
    if value % 100 >= 60 {
        return None;
    }
    Some(sign * (value / 100 * 3600 + value % 100 * 60))
}

/// `%s`: seconds since 1970, in local time.
fn seconds(input: &mut Input<'_>, out: &mut tm) -> Option<()> {
    let len = input.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = core::str::from_utf8(&input.0[..len]).ok()?;
    let value = text.bytes().fold(0i64, |value, byte| value.wrapping_mul(10).wrapping_add(i64::from(byte - b'0')));
    input.0 = &input.0[len..];
    if text.is_empty() {
        return None;
    }
    local::convert(value, true, out).ok()
}

/// Reads by a format.
fn read(input: &mut Input<'_>, format: &[u8], out: &mut tm, state: &mut State) -> Option<()> {
    let mut at = 0;
    while let Some(&byte) = format.get(at) {
        at += 1;
        if byte.is_ascii_whitespace() || byte == 0x0b {
            input.spaces();
            continue;
        }
        if byte != b'%' {
            input.byte(byte)?;
            continue;
        }
        while matches!(format.get(at), Some(b'-' | b'_' | b'0' | b'^' | b'#')) {
            at += 1;
        }
        let mut conversion = *format.get(at)?;
        let mut alternative = false;
        at += 1;
        if matches!(conversion, b'E' | b'O') {
            let modifier = conversion;
            alternative = modifier == b'O';
            conversion = *format.get(at)?;
            at += 1;
            let known: &[u8] = if modifier == b'E' { b"cCYxX" } else { b"bBhdeHImMqSUVWwy" };
            if !known.contains(&conversion) {
                return None;
            }
        }
        let short_year = state.short_year;
        one(input, conversion, out, state)?;
        if alternative {
            // As glibc, `%Oy` takes no part in the play of years and centuries.
            state.short_year = short_year;
        }
    }
    Some(())
}

/// Reads one conversion.
fn one(input: &mut Input<'_>, conversion: u8, out: &mut tm, state: &mut State) -> Option<()> {
    match conversion {
        b'%' => input.byte(b'%')?,
        b'a' | b'A' => {
            out.tm_wday = input.name(&WEEKDAYS)?;
            state.weekday = true;
        }
        b'b' | b'B' | b'h' => {
            out.tm_mon = input.name(&MONTHS)?;
            state.month = true;
            state.wants_day = true;
        }
        b'c' => {
            read(input, b"%a %b %e %H:%M:%S %Y", out, state)?;
            state.wants_day = true;
        }
        b'C' => {
            state.century = Some(input.number(0, 99, 2)?);
            state.wants_day = true;
        }
        b'd' | b'e' => {
            out.tm_mday = input.number(1, 31, 2)?;
            state.mday = true;
            state.wants_day = true;
        }
        b'x' | b'D' => {
            read(input, b"%m/%d/%y", out, state)?;
            state.wants_day = true;
        }
        b'F' => {
            read(input, b"%Y-%m-%d", out, state)?;
            state.wants_day = true;
        }
        b'H' | b'k' => {
            out.tm_hour = input.number(0, 23, 2)?;
            state.hour12 = false;
        }
        b'I' | b'l' => {
            out.tm_hour = input.number(1, 12, 2)? % 12;
            state.hour12 = true;
        }
        b'j' => {
            out.tm_yday = input.number(1, 366, 3)? - 1;
            state.yday = true;
        }
        b'm' => {
            out.tm_mon = input.number(1, 12, 2)? - 1;
            state.month = true;
            state.wants_day = true;
        }
        b'M' => out.tm_min = input.number(0, 59, 2)?,
        b'n' | b't' => input.spaces(),
        b'p' => {
            state.pm = if input.word(b"AM") {
                false
            } else if input.word(b"PM") {
                true
            } else {
                return None;
            };
        }
        b'r' => read(input, b"%I:%M:%S %p", out, state)?,
        b'R' => read(input, b"%H:%M", out, state)?,
        b's' => seconds(input, out)?,
        b'S' => out.tm_sec = input.number(0, 61, 2)?,
        b'T' | b'X' => read(input, b"%H:%M:%S", out, state)?,
        b'u' => {
            out.tm_wday = input.number(1, 7, 1)? % 7;
            state.weekday = true;
        }
        b'g' => drop(input.number(0, 99, 2)?),
        b'G' => {
            if !input.0.first()?.is_ascii_digit() {
                return None;
            }
            while input.0.first().is_some_and(u8::is_ascii_digit) {
                input.0 = &input.0[1..];
            }
        }
        b'U' | b'W' => {
            state.week = Some(input.number(0, 53, 2)?);
            state.sunday |= conversion == b'U';
        }
        b'V' => drop(input.number(0, 53, 2)?),
        b'w' => {
            out.tm_wday = input.number(0, 6, 1)?;
            state.weekday = true;
        }
        b'y' => {
            let year = input.number(0, 99, 2)?;
            out.tm_year = if year >= 69 { year } else { year + 100 };
            state.short_year = true;
            state.wants_day = true;
        }
        b'Y' => {
            out.tm_year = input.number(0, 9999, 4)? - 1900;
            state.short_year = false;
            state.wants_day = true;
        }
        b'z' => out.tm_gmtoff = offset(input)?,
        // A zone's name is not read: there is no telling what it means.
        b'Z' => {
            input.spaces();
            while input.0.first().is_some_and(|byte| !byte.is_ascii_whitespace() && *byte != 0x0b) {
                input.0 = &input.0[1..];
            }
        }
        _ => return None,
    }
    Some(())
}

/// The day of the week and of the year, from the date.
fn weekday_of(out: &mut tm) {
    let year = i64::from(out.tm_year) + 1900;
    let first = DAYS[usize::from(is_leap(year))][out.tm_mon.clamp(0, 11) as usize];
    let days = days_before_year(year) + i64::from(first) + i64::from(out.tm_mday) - 1;
    out.tm_wday = (days + 4).rem_euclid(7) as c_int;
}

fn yday_of(out: &mut tm) {
    let first = DAYS[usize::from(is_leap(i64::from(out.tm_year) + 1900))][out.tm_mon.clamp(0, 11) as usize];
    out.tm_yday = c_int::from(first) + out.tm_mday - 1;
}

/// Puts the month and day of the year's day into those that were not read.
fn date_of_yday(out: &mut tm, month: bool, mday: bool) {
    let months = &DAYS[usize::from(is_leap(i64::from(out.tm_year) + 1900))];
    let index = months.iter().rposition(|first| c_int::from(*first) <= out.tm_yday).unwrap_or(0).min(11);
    if !month {
        out.tm_mon = index as c_int;
    }
    if !mday {
        out.tm_mday = out.tm_yday - c_int::from(months[index]) + 1;
    }
}

/// What follows from everything read.
fn finish(state: &State, out: &mut tm) {
    if state.hour12 && state.pm {
        out.tm_hour += 12;
    }
    if let Some(century) = state.century {
        out.tm_year = if state.short_year { out.tm_year % 100 } else { 0 } + (century - 19) * 100;
    }
    let mut month = state.month;
    if state.wants_day && !state.weekday {
        if !(state.month && state.mday) && state.yday {
            date_of_yday(out, state.month, state.mday);
            month = true;
        }
        if month || (0..12).contains(&out.tm_mon) {
            weekday_of(out);
        }
    }
    if state.wants_day && !state.yday && (month || (0..12).contains(&out.tm_mon)) {
        yday_of(out);
    }
    if let Some(week) = state.week
        && state.weekday
    {
        let wanted = out.tm_wday;
        if !state.yday {
            let mday = out.tm_mday;
            let month = out.tm_mon;
            out.tm_mday = 1;
            out.tm_mon = 0;
            weekday_of(out);
            if state.mday {
                out.tm_mday = mday;
            }
            if state.month {
                out.tm_mon = month;
            }
            let first = i32::from(!state.sunday);
            out.tm_yday = (7 - (out.tm_wday - first)) % 7 + (week - 1) * 7 + (wanted - first + 7) % 7;
        }
        if !(state.mday && state.month) {
            date_of_yday(out, state.month, state.mday);
        }
        out.tm_wday = wanted;
    }
}

c_api! {
    /// strptime(3).
    fn strptime(text: *const c_char, format: *const c_char, out: *mut tm) -> *mut c_char {
        let text_bytes = crate::string::bytes(text);
        let mut input = Input(text_bytes);
        let mut state = State::default();
        if read(&mut input, crate::string::bytes(format), &mut *out, &mut state).is_none() {
            return ptr::null_mut();
        }
        finish(&state, &mut *out);
        text.add(text_bytes.len() - input.0.len()).cast_mut()
    }

    /// strptime(3) in the C locale's words, whatever the locale.
    fn strptime_l(text: *const c_char, format: *const c_char, out: *mut tm, _locale: *mut c_void) -> *mut c_char {
        strptime(text, format, out)
    }
}
