//! `nl_langinfo`: the texts and numbers of a locale. nl_langinfo(3), glibc's `langinfo.h`.
//!
//! An item is a category's number times 65536 and an index, in the order of glibc's header. `C` and `C.UTF-8` differ in the charset's
//! name and in who they say they are.

use super::{Charset, Locale};
use core::ffi::{CStr, c_char, c_int};
use core::ptr;

/// LC_TIME's texts from index 0: days, months, halves, formats.
const TIME: [&CStr; 44] = [
    c"Sun",
    c"Mon",
    c"Tue",
    c"Wed",
    c"Thu",
    c"Fri",
    c"Sat",
    c"Sunday",
    c"Monday",
    c"Tuesday",
    c"Wednesday",
    c"Thursday",
    c"Friday",
    c"Saturday",
    c"Jan",
    c"Feb",
    c"Mar",
    c"Apr",
    c"May",
    c"Jun",
    c"Jul",
    c"Aug",
    c"Sep",
    c"Oct",
    c"Nov",
    c"Dec",
    c"January",
    c"February",
    c"March",
    c"April",
    c"May",
    c"June",
    c"July",
    c"August",
    c"September",
    c"October",
    c"November",
    c"December",
    c"AM",
    c"PM",
    c"%a %b %e %H:%M:%S %Y",
    c"%m/%d/%y",
    c"%H:%M:%S",
    c"%I:%M:%S %p",
];
const DATE: &CStr = c"%a %b %e %H:%M:%S %Z %Y";
const MONTHS: usize = 26;
const SHORT_MONTHS: usize = 14;

/// A text in ASCII as a wide string.
const fn widen(text: &CStr) -> [u32; 24] {
    let bytes = text.to_bytes();
    let mut wide = [0; 24];
    let mut at = 0;
    while at < bytes.len() {
        wide[at] = bytes[at] as u32;
        at += 1;
    }
    wide
}

static WIDE_TIME: [[u32; 24]; 44] = {
    let mut wide = [[0; 24]; 44];
    let mut at = 0;
    while at < 44 {
        wide[at] = widen(TIME[at]);
        at += 1;
    }
    wide
};
static WIDE_DATE: [u32; 24] = widen(DATE);
static WIDE_EMPTY: [u32; 1] = [0];
static DIGITS: [&CStr; 10] = [c"0", c"1", c"2", c"3", c"4", c"5", c"6", c"7", c"8", c"9"];
static WIDE_DIGITS: [[u32; 24]; 10] = {
    let mut wide = [[0; 24]; 10];
    let mut at = 0;
    while at < 10 {
        wide[at] = widen(DIGITS[at]);
        at += 1;
    }
    wide
};

/// What an item is.
enum Item {
    Text(&'static CStr),
    Wide(&'static [u32]),
    Number(u32),
}

use Item::{Number, Text, Wide};

/// Texts of LC_IDENTIFICATION from index 0.
const POSIX_IDENTITY: [&CStr; 15] = [
    c"ISO/IEC 14652 i18n FDCC-set",
    c"ISO/IEC JTC1/SC22/WG20 - internationalization",
    c"C/o Keld Simonsen, Skt. Jorgens Alle 8, DK-1615 Kobenhavn V",
    c"Keld Simonsen",
    c"keld@dkuug.dk",
    c"+45 3122-6543",
    c"+45 3325-6543",
    c"",
    c"ISO",
    c"",
    c"",
    c"",
    c"1.0",
    c"1997-12-20",
    c"i18n:1999",
];
const UTF8_IDENTITY: [&CStr; 15] = [
    c"C locale",
    c"",
    c"",
    c"",
    c"bug-glibc-locales@gnu.org",
    c"",
    c"",
    c"",
    c"",
    c"",
    c"",
    c"",
    c"2.1",
    c"2022-01-30",
    c"i18n:2012",
];

fn ctype(index: usize, charset: Charset) -> Option<Item> {
    Some(match index {
        13 => Number(charset.longest() as u32),
        14 => Text(charset.name()),
        19 | 30 => Number(1),
        20..=29 => Text(DIGITS[index - 20]),
        31..=40 => Wide(&WIDE_DIGITS[index - 31]),
        41..=50 => Text(DIGITS[index - 41]),
        51..=60 => Number(b'0' as u32 + index as u32 - 51),
        _ => return None,
    })
}

fn time(index: usize, charset: Charset) -> Option<Item> {
    Some(match index {
        0..=43 => Text(TIME[index]),
        44..=49 | 51 | 107 => Text(c""),
        50 => Number(0),
        52..=95 => Wide(&WIDE_TIME[index - 52]),
        96..=100 => Wide(&WIDE_EMPTY),
        101 => Text(c"\x07"),
        // The first day of weeks, 30 November 1997.
        102 => Number(19_971_130),
        103 => Text(c"\x04"),
        104 => Text(c"\x01"),
        105 => Text(c"\x02"),
        106 => Text(c"\x01"),
        108 => Text(DATE),
        109 => Wide(&WIDE_DATE),
        110 => Text(charset.name()),
        111..=122 => Text(TIME[MONTHS + index - 111]),
        123..=134 => Wide(&WIDE_TIME[MONTHS + index - 123]),
        135..=146 => Text(TIME[SHORT_MONTHS + index - 135]),
        147..=158 => Wide(&WIDE_TIME[SHORT_MONTHS + index - 147]),
        _ => return None,
    })
}

fn monetary(index: usize, charset: Charset) -> Option<Item> {
    Some(match index {
        0..=6 | 22 | 23 => Text(c""),
        // Numbers of one byte: not available.
        7..=14 | 16..=21 | 24..=37 => Text(c"\xff"),
        15 => Text(c"-"),
        38 | 40 => Number(10_101),
        39 | 41 => Number(99_991_231),
        42 => Text(c"\x01"),
        43 | 44 => Number(0),
        45 => Text(charset.name()),
        _ => return None,
    })
}

fn item(category: c_int, index: usize, charset: Charset) -> Option<Item> {
    match (category, index) {
        (libc::LC_CTYPE, _) => ctype(index, charset),
        (libc::LC_NUMERIC, 0) => Some(Text(c".")),
        (libc::LC_NUMERIC, 1 | 2) => Some(Text(c"")),
        (libc::LC_NUMERIC, 3) => Some(Number(b'.' as u32)),
        (libc::LC_NUMERIC, 4) => Some(Number(0)),
        (libc::LC_TIME, _) => time(index, charset),
        (libc::LC_MONETARY, _) => monetary(index, charset),
        (libc::LC_MESSAGES, 0) => Some(Text(c"^[yY]")),
        (libc::LC_MESSAGES, 1) => Some(Text(c"^[nN]")),
        (libc::LC_MESSAGES, 2 | 3) => Some(Text(c"")),
        (libc::LC_PAPER, 0) => Some(Number(297)),
        (libc::LC_PAPER, 1) => Some(Number(210)),
        (libc::LC_NAME, 0) => Some(Text(c"%p%t%g%t%m%t%f")),
        (libc::LC_NAME, 1..=5) => Some(Text(c"")),
        (libc::LC_ADDRESS, 0) => Some(Text(c"%a%N%f%N%d%N%b%N%s %h %e %r%N%C-%z %T%N%c%N")),
        (libc::LC_ADDRESS, 1..=5 | 7..=11) => Some(Text(c"")),
        (libc::LC_ADDRESS, 6) => Some(Number(0)),
        (libc::LC_TELEPHONE, 0) => Some(Text(c"+%c %a %l")),
        (libc::LC_TELEPHONE, 1..=3) => Some(Text(c"")),
        (libc::LC_MEASUREMENT, 0) => Some(Text(c"\x01")),
        (libc::LC_IDENTIFICATION, 0..=14) => {
            Some(Text(if charset == Charset::Utf8 { UTF8_IDENTITY[index] } else { POSIX_IDENTITY[index] }))
        }
        // The charset's name stands last in each.
        (libc::LC_NUMERIC, 5)
        | (libc::LC_COLLATE, 18)
        | (libc::LC_MESSAGES, 4)
        | (libc::LC_PAPER, 2)
        | (libc::LC_NAME, 6)
        | (libc::LC_ADDRESS, 12)
        | (libc::LC_TELEPHONE, 4)
        | (libc::LC_MEASUREMENT, 1)
        | (libc::LC_IDENTIFICATION, 15) => Some(Text(charset.name())),
        _ => None,
    }
}

unsafe fn langinfo(locale: &Locale, item_number: c_int) -> *mut c_char {
    let category = item_number >> 16;
    let index = (item_number & 0xffff) as usize;
    if !(0..super::CATEGORIES as c_int).contains(&category) || category == libc::LC_ALL {
        return c"".as_ptr().cast_mut();
    }
    // glibc's _NL_LOCALE_NAME.
    if index == 0xffff {
        return locale.name(category as usize);
    }
    match item(category, index, locale.category(category as usize).charset) {
        Some(Text(text)) => text.as_ptr().cast_mut(),
        Some(Wide(text)) => text.as_ptr().cast_mut().cast(),
        Some(Number(number)) => ptr::without_provenance_mut(number as usize),
        None => c"".as_ptr().cast_mut(),
    }
}

c_api! {
    /// nl_langinfo(3).
    fn nl_langinfo(item: c_int) -> *mut c_char { langinfo(super::current(), item) }

    /// nl_langinfo_l(3).
    fn nl_langinfo_l(item: c_int, locale: *mut Locale) -> *mut c_char { langinfo(super::of(locale), item) }

    /// rpmatch(3): 1 for a text that starts with y, 0 for one that starts with n, else −1.
    fn rpmatch(answer: *const c_char) -> c_int {
        match *answer as u8 {
            b'y' | b'Y' => 1,
            b'n' | b'N' => 0,
            _ => -1,
        }
    }
}

c_alias! {
    fn __nl_langinfo_l = nl_langinfo_l[item: c_int, locale: *mut Locale] -> *mut c_char;
}
