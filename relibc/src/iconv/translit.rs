//! Stand-ins for characters that a charset lacks, as a locale's LC_CTYPE lists them in glibc 2.36.
//!
//! A line of the files is a character and, behind tabs, what may stand in for it, the best first. They were made by `generate.rs`.

use crate::locale::Charset;

const POSIX: &str = include_str!("translit-posix.txt");
const UTF8: &str = include_str!("translit-utf8.txt");

/// The stand-ins for a character in a locale of this charset, the best first.
pub fn stand_ins(charset: Charset, wide: u32) -> Option<impl Iterator<Item = &'static str>> {
    let list = if charset == Charset::Utf8 { UTF8 } else { POSIX };
    let wanted = char::from_u32(wide)?;
    let (mut low, mut high) = (0, list.len());
    while low < high {
        // The line that the middle is in.
        let middle = low + (high - low) / 2;
        let start = list.as_bytes()[..middle].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let end = list.as_bytes()[middle..].iter().position(|&byte| byte == b'\n').map_or(list.len(), |at| middle + at);
        let line = list.get(start..end)?;
        let mut fields = line.split('\t');
        let known = fields.next()?.chars().next()?;
        match known.cmp(&wanted) {
            core::cmp::Ordering::Equal => return Some(fields),
            core::cmp::Ordering::Less => low = end + 1,
            core::cmp::Ordering::Greater => high = start,
        }
    }
    None
}
