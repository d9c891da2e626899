//! Classes, cases and widths of characters: `wctype.h`, wcwidth(3).
//!
//! In C only ASCII characters have any. In C.UTF-8 they come from `tables.rs`, where a run of characters with the same
//! properties is a word: the first character, and the number of the properties' record.

use super::tables::{RECORDS, RUNS};
use crate::locale::{self, Charset, Locale};
use crate::string;
use core::ffi::{c_char, c_int, c_ulong};
use libc::{size_t, wchar_t};

/// Properties that characters share.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Record {
    /// A bit for each of [`CLASSES`].
    pub classes: u16,
    /// Columns; −1: none, it is not printable.
    pub width: i8,
    /// What to add for the upper case, the lower case, the title case.
    pub cases: [i32; 3],
}

impl Record {
    /// A row of the table.
    pub const fn new(classes: u16, width: i8, upper: i32, lower: i32, title: i32) -> Record {
        Record { classes, width, cases: [upper, lower, title] }
    }
}

/// Names of the classes, by their bits. The last two exist in C.UTF-8 only.
pub(super) const CLASSES: [&str; 14] = [
    "upper",
    "lower",
    "alpha",
    "digit",
    "xdigit",
    "space",
    "print",
    "graph",
    "blank",
    "cntrl",
    "punct",
    "alnum",
    "combining",
    "combining_level3",
];
const EVERYWHERE: usize = 12;

/// Names of the mappings, by their numbers. The last exists in C.UTF-8 only.
pub(super) const MAPPINGS: [&str; 3] = ["toupper", "tolower", "totitle"];

const UPPER: u16 = 0;
const LOWER: u16 = 1;
const ALPHA: u16 = 2;
const DIGIT: u16 = 3;
const XDIGIT: u16 = 4;
const SPACE: u16 = 5;
const PRINT: u16 = 6;
const GRAPH: u16 = 7;
const BLANK: u16 = 8;
const CNTRL: u16 = 9;
const PUNCT: u16 = 10;
const ALNUM: u16 = 11;

/// Bits of a run's word for its first character.
pub(super) const SHIFT: u32 = 11;
/// Characters of a block.
const BLOCK: u32 = 256;
const BLOCKS: usize = 0x11_0000 / BLOCK as usize;

/// For each block the run its first character is in; then the last run.
static FIRST: [u16; BLOCKS + 1] = {
    let mut first = [0; BLOCKS + 1];
    let (mut block, mut run) = (0, 0);
    while block < BLOCKS {
        while run + 1 < RUNS.len() && RUNS[run + 1] >> SHIFT <= block as u32 * BLOCK {
            run += 1;
        }
        first[block] = run as u16;
        block += 1;
    }
    first[BLOCKS] = (RUNS.len() - 1) as u16;
    first
};

fn record(wide: u32) -> &'static Record {
    let block = (wide / BLOCK) as usize;
    if block >= BLOCKS {
        // The last character has no properties.
        return &RECORDS[(RUNS[RUNS.len() - 1] & ((1 << SHIFT) - 1)) as usize];
    }
    let (first, last) = (usize::from(FIRST[block]), usize::from(FIRST[block + 1]));
    let behind = RUNS[first..=last].partition_point(|run| run >> SHIFT <= wide);
    &RECORDS[(RUNS[first + behind - 1] & ((1 << SHIFT) - 1)) as usize]
}

/// The properties of a character in a locale; None: it has none there.
#[inline]
fn known(locale: &Locale, wide: u32) -> Option<&'static Record> {
    (wide < 0x80 || locale.charset() == Charset::Utf8).then(|| record(wide))
}

fn has(locale: &Locale, wide: u32, class: u16) -> c_int {
    known(locale, wide).map_or(0, |record| c_int::from(record.classes >> class & 1))
}

/// Whether a character is white space in the calling thread's locale.
pub(crate) fn is_space(wide: u32) -> bool {
    has(locale::current(), wide, SPACE) != 0
}

fn map(locale: &Locale, wide: u32, mapping: usize) -> u32 {
    known(locale, wide).map_or(wide, |record| wide.wrapping_add_signed(record.cases[mapping]))
}

/// Columns of a character; −1: not printable.
pub(crate) fn width(wide: u32) -> c_int {
    known(locale::current(), wide).map_or(-1, |record| c_int::from(record.width))
}

/// The handle of a name in a list: its number and one.
unsafe fn handle(locale: &Locale, name: *const c_char, names: &[&str], everywhere: usize) -> usize {
    let name = string::bytes(name);
    let count = if locale.charset() == Charset::Utf8 { names.len() } else { everywhere };
    names[..count].iter().position(|known| known.as_bytes() == name).map_or(0, |at| at + 1)
}

/// Defines a class's function and its two forms with a locale.
macro_rules! classes {
    ($( $class:ident, $name:ident, $with:ident, $under:ident; )*) => {
        c_api! {
            $(
                /// iswalpha(3) and its kin.
                fn $name(wide: u32) -> c_int { has(locale::current(), wide, $class) }
                /// The same in a locale.
                fn $with(wide: u32, locale: *mut Locale) -> c_int { has(locale::of(locale), wide, $class) }
                /// The same in a locale. glibc.
                fn $under(wide: u32, locale: *mut Locale) -> c_int { has(locale::of(locale), wide, $class) }
            )*
        }
    };
}

classes! {
    UPPER, iswupper, iswupper_l, __iswupper_l;
    LOWER, iswlower, iswlower_l, __iswlower_l;
    ALPHA, iswalpha, iswalpha_l, __iswalpha_l;
    DIGIT, iswdigit, iswdigit_l, __iswdigit_l;
    XDIGIT, iswxdigit, iswxdigit_l, __iswxdigit_l;
    SPACE, iswspace, iswspace_l, __iswspace_l;
    PRINT, iswprint, iswprint_l, __iswprint_l;
    GRAPH, iswgraph, iswgraph_l, __iswgraph_l;
    BLANK, iswblank, iswblank_l, __iswblank_l;
    CNTRL, iswcntrl, iswcntrl_l, __iswcntrl_l;
    PUNCT, iswpunct, iswpunct_l, __iswpunct_l;
    ALNUM, iswalnum, iswalnum_l, __iswalnum_l;
}

c_api! {
    /// wctype(3); 0: no such class.
    fn wctype(name: *const c_char) -> c_ulong {
        handle(locale::current(), name, &CLASSES, EVERYWHERE) as c_ulong
    }

    /// wctype(3) in a locale.
    fn wctype_l(name: *const c_char, locale: *mut Locale) -> c_ulong {
        handle(locale::of(locale), name, &CLASSES, EVERYWHERE) as c_ulong
    }

    /// iswctype(3).
    fn iswctype(wide: u32, class: c_ulong) -> c_int {
        if (1..=CLASSES.len() as c_ulong).contains(&class) { has(locale::current(), wide, class as u16 - 1) } else { 0 }
    }

    /// iswctype(3) in a locale.
    fn iswctype_l(wide: u32, class: c_ulong, locale: *mut Locale) -> c_int {
        if (1..=CLASSES.len() as c_ulong).contains(&class) { has(locale::of(locale), wide, class as u16 - 1) } else { 0 }
    }

    /// towupper(3).
    fn towupper(wide: u32) -> u32 { map(locale::current(), wide, 0) }

    /// towupper(3) in a locale.
    fn towupper_l(wide: u32, locale: *mut Locale) -> u32 { map(locale::of(locale), wide, 0) }

    /// towlower(3).
    fn towlower(wide: u32) -> u32 { map(locale::current(), wide, 1) }

    /// towlower(3) in a locale.
    fn towlower_l(wide: u32, locale: *mut Locale) -> u32 { map(locale::of(locale), wide, 1) }

    /// wctrans(3); 0: no such mapping.
    fn wctrans(name: *const c_char) -> c_ulong {
        handle(locale::current(), name, &MAPPINGS, 2) as c_ulong
    }

    /// wctrans(3) in a locale.
    fn wctrans_l(name: *const c_char, locale: *mut Locale) -> c_ulong {
        handle(locale::of(locale), name, &MAPPINGS, 2) as c_ulong
    }

    /// towctrans(3).
    fn towctrans(wide: u32, mapping: c_ulong) -> u32 {
        if (1..=3).contains(&mapping) { map(locale::current(), wide, mapping as usize - 1) } else { wide }
    }

    /// towctrans(3) in a locale.
    fn towctrans_l(wide: u32, mapping: c_ulong, locale: *mut Locale) -> u32 {
        if (1..=3).contains(&mapping) { map(locale::of(locale), wide, mapping as usize - 1) } else { wide }
    }

    /// wcwidth(3).
    fn wcwidth(wide: wchar_t) -> c_int { width(wide as u32) }

    /// wcswidth(3).
    fn wcswidth(text: *const wchar_t, most: size_t) -> c_int {
        let mut columns: c_int = 0;
        let mut at = 0;
        while at < most && *text.add(at) != 0 {
            match width(*text.add(at) as u32) {
                -1 => return -1,
                more => columns = columns.wrapping_add(more),
            }
            at += 1;
        }
        columns
    }
}

c_alias! {
    fn __wctype_l = wctype_l[name: *const c_char, locale: *mut Locale] -> c_ulong;
    fn __iswctype_l = iswctype_l[wide: u32, class: c_ulong, locale: *mut Locale] -> c_int;
    fn __towupper_l = towupper_l[wide: u32, locale: *mut Locale] -> u32;
    fn __towlower_l = towlower_l[wide: u32, locale: *mut Locale] -> u32;
    fn __wctrans_l = wctrans_l[name: *const c_char, locale: *mut Locale] -> c_ulong;
    fn __towctrans_l = towctrans_l[wide: u32, mapping: c_ulong, locale: *mut Locale] -> u32;
}
