//! The Gregorian calendar, extended to all years: days and seconds since 1970.

use libc::tm;

/// Days before each month of a common year, and of a leap year.
pub const MONTHS: [[u16; 13]; 2] = [
    [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365],
    [0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366],
];

/// Seconds of a day without leap seconds.
pub const DAY: i64 = 86_400;

/// Whether a year has a 29th of February.
pub fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days from 1970-01-01 to the first day of `year`.
pub fn days_before_year(year: i64) -> i64 {
    let before = year - 1;
    365 * (year - 1970) + (before.div_euclid(4) - 492) - (before.div_euclid(100) - 19) + (before.div_euclid(400) - 4)
}

/// The year that holds a day counted from 1970-01-01, and the day's number in it, from 0.
pub fn year_of(days: i64) -> (i64, i64) {
    // A first guess from the mean length is at most one year off.
    let mut year = 1970 + (i128::from(days) * 400).div_euclid(146_097) as i64;
    loop {
        let within = days - days_before_year(year);
        if within < 0 {
            year -= 1;
        } else if within >= 365 + i64::from(is_leap(year)) {
            year += 1;
        } else {
            return (year, within);
        }
    }
}

/// Breaks a count of seconds since 1970, shifted by `offset` seconds, into fields; `extra` is added to the seconds, for a leap
/// second. None if the year does not fit. The zone's fields and `tm_isdst` stay as they are.
pub fn fill(time: i64, offset: i64, extra: i32, out: &mut tm) -> Option<()> {
    let mut days = time.div_euclid(DAY);
    let mut rest = time.rem_euclid(DAY) + offset;
    days += rest.div_euclid(DAY);
    rest = rest.rem_euclid(DAY);
    let (year, yday) = year_of(days);
    out.tm_year = i32::try_from(year - 1900).ok()?;
    out.tm_sec = (rest % 60) as i32 + extra;
    out.tm_min = (rest / 60 % 60) as i32;
    out.tm_hour = (rest / 3600) as i32;
    out.tm_wday = (days + 4).rem_euclid(7) as i32;
    out.tm_yday = yday as i32;
    let months = &MONTHS[usize::from(is_leap(year))];
    let month = months.iter().rposition(|first| i64::from(*first) <= yday).unwrap_or(0).min(11);
    out.tm_mon = month as i32;
    out.tm_mday = (yday - i64::from(months[month])) as i32 + 1;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_years_are_inverse() {
        for year in (-5000..5000).chain([-2_147_481_748, 2_147_485_547]) {
            let first = days_before_year(year);
            assert_eq!(year_of(first), (year, 0));
            assert_eq!(year_of(first - 1).0, year - 1);
        }
        assert_eq!(days_before_year(1970), 0);
    }
}
