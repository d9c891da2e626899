//! POSIX TZ strings: `std offset [dst [offset] [,start[/time],end[/time]]]`. POSIX.1-2017 8.3, RFC 8536 3.3.1, tzset(3).

use super::calendar::{DAY, MONTHS, days_before_year, is_leap};
use super::names::Name;

/// The day of a year on which a change happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Day {
    /// `Jn`: 1 to 365, without the 29th of February.
    Julian(u16),
    /// `n`: 0 to 365, with it.
    Counted(u16),
    /// `Mm.w.d`: month 1 to 12, week 1 to 5 (5 is the last), day of the week from Sunday.
    Month(u8, u8, u8),
}

/// When a change happens: the day, and seconds from midnight by the clock that is valid before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    day: Day,
    seconds: i32,
}

impl Change {
    const fn new(day: Day) -> Change {
        Change { day, seconds: 7200 }
    }

    /// Seconds since 1970, by a clock that is `offset` seconds east of UTC.
    fn in_year(self, year: i64, offset: i32) -> i64 {
        let first = days_before_year(year);
        let months = &MONTHS[usize::from(is_leap(year))];
        let days = match self.day {
            Day::Julian(day) => i64::from(day) - 1 + i64::from(day >= 60 && is_leap(year)),
            Day::Counted(day) => i64::from(day),
            Day::Month(month, week, weekday) => {
                let start = i64::from(months[usize::from(month) - 1]);
                let end = i64::from(months[usize::from(month)]);
                let first_weekday = (first + start + 4).rem_euclid(7);
                let mut day = start + (i64::from(weekday) - first_weekday).rem_euclid(7);
                for _ in 1..week {
                    if day + 7 < end {
                        day += 7;
                    }
                }
                day
            }
        };
        // As glibc, which leaves out the years before 1970: their changes all seem to happen in that year.
        (first.max(0) + days) * DAY - i64::from(offset) + i64::from(self.seconds)
    }
}

/// A zone that follows a TZ string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Names of standard time and of daylight-saving time.
    pub names: [Name; 2],
    /// Their seconds east of UTC.
    pub offsets: [i32; 2],
    /// When daylight-saving time starts and ends; None without it.
    changes: Option<[Change; 2]>,
}

/// What is left of a TZ string.
struct Text<'a>(&'a [u8]);

impl Text<'_> {
    fn peek(&self) -> u8 {
        self.0.first().copied().unwrap_or(0)
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte && byte != 0;
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    /// A name: three letters or more, or `<...>` with digits and signs too.
    fn name(&mut self) -> Option<Name> {
        let quoted = self.peek() == b'<';
        let text = if quoted { &self.0[1..] } else { self.0 };
        let ends = |byte: &u8| {
            !(byte.is_ascii_alphabetic() || quoted && (byte.is_ascii_digit() || matches!(byte, b'+' | b'-')))
        };
        let len = text.iter().position(ends).unwrap_or(text.len());
        let closed = !quoted || text.get(len) == Some(&b'>');
        if len < 3 || !closed {
            return None;
        }
        self.0 = &text[len + usize::from(quoted)..];
        Some(Name::new(&text[..len]))
    }

    /// A decimal number of at most five digits.
    fn number(&mut self) -> Option<u16> {
        let len = self.0.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
        let value = core::str::from_utf8(&self.0[..len]).ok()?.parse().ok()?;
        self.0 = &self.0[len..];
        Some(value)
    }

    /// `hh[:mm[:ss]]` with a sign, in seconds; hours up to `most`.
    fn clock(&mut self, most: i32) -> Option<i32> {
        let negative = self.take(b'-');
        if !negative {
            self.take(b'+');
        }
        let mut seconds = i32::from(self.number()?).min(most) * 3600;
        for unit in [60, 1] {
            if !self.take(b':') {
                break;
            }
            seconds += i32::from(self.number()?).min(59) * unit;
        }
        Some(if negative { -seconds } else { seconds })
    }

    fn change(&mut self) -> Option<Change> {
        if !self.take(b',') {
            return None;
        }
        let day = if self.take(b'J') {
            Day::Julian(self.number().filter(|day| (1..=365).contains(day))?)
        } else if self.take(b'M') {
            let month = self.number().filter(|month| (1..=12).contains(month))?;
            let week = self.take(b'.').then(|| self.number())?.filter(|week| (1..=5).contains(week))?;
            let weekday = self.take(b'.').then(|| self.number())?.filter(|day| *day <= 6)?;
            Day::Month(month as u8, week as u8, weekday as u8)
        } else {
            Day::Counted(self.number().filter(|day| *day <= 365)?)
        };
        let seconds = if self.take(b'/') { self.clock(167)? } else { Change::new(day).seconds };
        Some(Change { day, seconds })
    }
}

impl Rules {
    /// UTC.
    pub const UTC: Rules = Rules { names: [Name::UTC; 2], offsets: [0; 2], changes: None };

    /// Reads a TZ string. What cannot be read makes UTC under the name that could be, as in glibc: `Foo` is UTC named Foo.
    /// Rules that are missing are those of the United States, as in glibc without a `posixrules` file.
    pub fn parse(text: &[u8]) -> Rules {
        let mut text = Text(text);
        let mut rules = Rules { names: [Name::EMPTY; 2], offsets: [0; 2], changes: None };
        let Some(name) = text.name() else { return rules };
        rules.names[0] = name;
        let signed = matches!(text.peek(), b'+' | b'-' | b'0'..=b'9');
        let Some(offset) = signed.then(|| text.clock(24)).flatten() else { return rules };
        rules.offsets = [-offset, -offset];
        if text.0.is_empty() {
            rules.names[1] = name;
            return rules;
        }
        let Some(name) = text.name() else { return rules };
        rules.names[1] = name;
        rules.offsets[1] = match text.peek() {
            b'+' | b'-' | b'0'..=b'9' => text.clock(24).map_or(rules.offsets[0] + 3600, |offset| -offset),
            _ => rules.offsets[0] + 3600,
        };
        rules.changes = if matches!(text.0, b"" | b",") {
            Some([Change::new(Day::Month(3, 2, 0)), Change::new(Day::Month(11, 1, 0))])
        } else {
            text.change().zip(text.change()).map(|(start, end)| [start, end])
        };
        rules
    }

    /// Whether daylight-saving time holds at a time in `year` (the year by UTC).
    pub fn is_dst(&self, time: i64, year: i64) -> bool {
        let Some([start, end]) = self.changes else { return false };
        let start = start.in_year(year, self.offsets[0]);
        let end = end.in_year(year, self.offsets[1]);
        // South of the equator it holds from the end of a year to the start of the next.
        if start > end { time < end || time >= start } else { time >= start && time < end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_read() {
        let rules = Rules::parse(b"CET-1CEST,M3.5.0,M10.5.0/3");
        assert_eq!(rules.offsets, [3600, 7200]);
        // 2021-03-28 01:00 UTC and 2021-10-31 01:00 UTC.
        assert!(!rules.is_dst(1_616_893_199, 2021) && rules.is_dst(1_616_893_200, 2021));
        assert!(rules.is_dst(1_635_641_999, 2021) && !rules.is_dst(1_635_642_000, 2021));
        assert_eq!(Rules::parse(b"<-03>3").names[0].bytes(), b"-03");
        assert_eq!(Rules::parse(b"Foo").offsets, [0, 0]);
        for hostile in [&b"A"[..], b"<AB", b"ABC99999999", b"ABC1DEF,M13.1.1", b"ABC1DEF,J0", b"ABC1DEF,M1.1.1/"] {
            Rules::parse(hostile);
        }
    }
}
