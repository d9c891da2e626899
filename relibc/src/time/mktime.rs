//! From fields to seconds: `mktime`, `timegm`. mktime(3), timegm(3).
//!
//! Local time is not invertible: around a change a reading of the clock happens twice, or never. glibc searches, starting from
//! the offset that its last answer had, and programs see which of the candidates it finds; so this searches the same way.

use super::calendar::{DAY, MONTHS, days_before_year, is_leap};
use super::local;
use crate::errno;
use core::ffi::c_int;
use core::sync::atomic::{AtomicI32, Ordering};
use libc::{time_t, tm};

/// Steps of the search before it gives up.
const PROBES: usize = 6;
/// Seconds between looks for a time with the wanted `tm_isdst`: no stretch of either kind was ever shorter.
const STRIDE: i64 = 601_200;
/// How far away one is looked for: half the longest stretch of daylight-saving time, and a stride.
const REACH: i64 = 457_243_209 / 2 + STRIDE;

/// The wanted fields: days since 1970 and seconds of the day, not normalised.
struct Wanted {
    seconds: i64,
    dst: c_int,
}

fn blank() -> tm {
    // SAFETY: all-zero is a valid struct.
    unsafe { core::mem::zeroed() }
}

/// Seconds since 1970 if the fields were UTC.
fn plain(fields: &tm, second: c_int) -> i64 {
    let month = i64::from(fields.tm_mon);
    let year = i64::from(fields.tm_year) + 1900 + month.div_euclid(12);
    let first = MONTHS[usize::from(is_leap(year))][month.rem_euclid(12) as usize];
    let days = days_before_year(year) + i64::from(first) + i64::from(fields.tm_mday) - 1;
    days * DAY + i64::from(fields.tm_hour) * 3600 + i64::from(fields.tm_min) * 60 + i64::from(second)
}

/// Whether two values of `tm_isdst` are both known and differ.
fn differ(a: c_int, b: c_int) -> bool {
    a >= 0 && b >= 0 && (a == 0) != (b == 0)
}

type Convert = fn(time_t, &mut tm) -> Result<(), c_int>;

impl Wanted {
    /// How far a moment's fields are from the wanted ones, in seconds.
    fn error(&self, fields: &tm) -> i64 {
        self.seconds.wrapping_sub(plain(fields, fields.tm_sec))
    }

    /// A moment whose fields are the wanted ones, or across the gap from where they would be.
    fn search(&self, start: i64, convert: Convert, found: &mut tm) -> Result<i64, c_int> {
        let mut at = start;
        // The two moments tried before this one, and whether the last had daylight-saving time.
        let (mut before, mut last, mut last_dst) = (start, start, false);
        for _ in 0..PROBES {
            convert(at, found)?;
            let error = self.error(found);
            if error == 0 {
                return self.adjust_dst(at, convert, found);
            }
            let dst = found.tm_isdst != 0;
            let oscillates = at == before && at != last;
            let preferred = match self.dst {
                ..0 => u8::from(last_dst) <= u8::from(dst),
                wanted => (wanted != 0) != dst,
            };
            if oscillates && (found.tm_isdst < 0 || preferred) {
                return Ok(at);
            }
            (before, last, last_dst) = (last, at, dst);
            at = at.checked_add(error).ok_or(libc::EOVERFLOW)?;
        }
        Err(libc::EOVERFLOW)
    }

    /// If the moment found has the wrong `tm_isdst`, the moment that the nearest offset with the right one gives.
    fn adjust_dst(&self, at: i64, convert: Convert, found: &mut tm) -> Result<i64, c_int> {
        if !differ(self.dst, found.tm_isdst) {
            return Ok(at);
        }
        let mut delta = STRIDE;
        while delta < REACH {
            for away in [-delta, delta] {
                let Some(near) = at.checked_add(away) else { continue };
                let mut fields = blank();
                convert(near, &mut fields)?;
                if !differ(self.dst, fields.tm_isdst) {
                    let moved = near + self.error(&fields);
                    convert(moved, found)?;
                    return Ok(moved);
                }
            }
            delta += STRIDE;
        }
        // None of that kind is near: it is taken to be an hour off.
        let moved = at + if self.dst == 0 { 3600 } else { -3600 };
        convert(moved, found)?;
        Ok(moved)
    }
}

/// Finds the moment, normalises the fields, and keeps the offset for the next search.
fn make(fields: &mut tm, convert: Convert, guess: &AtomicI32) -> Result<time_t, c_int> {
    let second = fields.tm_sec.clamp(0, 59);
    let wanted = Wanted { seconds: plain(fields, second), dst: fields.tm_isdst };
    let start = wanted.seconds + i64::from(guess.load(Ordering::Relaxed));
    let mut found = blank();
    let mut at = wanted.search(start, convert, &mut found)?;
    guess.store(at.wrapping_sub(wanted.seconds) as i32, Ordering::Relaxed);
    if fields.tm_sec != found.tm_sec {
        // A second out of range, or a match that is off by a leap second.
        at += i64::from(second == 0 && found.tm_sec == 60) - i64::from(second) + i64::from(fields.tm_sec);
        convert(at, &mut found)?;
    }
    *fields = found;
    Ok(at)
}

/// [`make`] in the process's zone, which is taken as it is.
pub fn local(fields: &mut tm) -> Result<time_t, c_int> {
    static GUESS: AtomicI32 = AtomicI32::new(0);
    make(fields, |time, out| local::convert(time, false, out), &GUESS)
}

/// [`make`] in UTC.
fn utc(fields: &mut tm) -> Result<time_t, c_int> {
    static GUESS: AtomicI32 = AtomicI32::new(0);
    fields.tm_isdst = 0;
    make(fields, local::convert_utc, &GUESS)
}

fn answer(result: Result<time_t, c_int>) -> time_t {
    result.unwrap_or_else(|error| time_t::from(errno::fail(error)))
}

c_api! {
    /// mktime(3).
    fn mktime(fields: *mut tm) -> time_t {
        local::tzset();
        answer(local(&mut *fields))
    }

    /// timegm(3).
    fn timegm(fields: *mut tm) -> time_t { answer(utc(&mut *fields)) }
}

c_alias! {
    fn timelocal = mktime[fields: *mut tm] -> time_t;
}
