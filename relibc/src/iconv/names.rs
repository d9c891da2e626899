//! Charsets by their names and glibc's aliases of them.

use super::coding::{Coding, Order};
use super::tables::TABLES;
use crate::locale::{self, Charset};
use alloc::vec::Vec;

/// Charsets of more than one byte, and ASCII.
const CODINGS: [(Coding, &[&str]); 14] = [
    (
        Coding::Text(Charset::Ascii),
        &[
            "ANSI_X3.4-1968",
            "ISO-IR-6",
            "ANSI_X3.4-1986",
            "ISO_646.IRV:1991",
            "ASCII",
            "ISO646-US",
            "US-ASCII",
            "US",
            "IBM367",
            "CP367",
            "CSASCII",
            "OSF00010020",
            "ANSI_X3.4",
        ],
    ),
    (
        Coding::Text(Charset::Utf8),
        &["UTF-8", "UTF8", "ISO-IR-193", "ISO-10646/UTF8/", "ISO-10646/UTF-8/", "OSF05010001"],
    ),
    (Coding::Utf16(Order::Marked), &["UTF-16", "UTF16"]),
    (Coding::Utf16(Order::Little), &["UTF-16LE", "UTF16LE"]),
    (Coding::Utf16(Order::Big), &["UTF-16BE", "UTF16BE"]),
    (Coding::Utf32(Order::Marked), &["UTF-32", "UTF32"]),
    (Coding::Utf32(Order::Little), &["UTF-32LE", "UTF32LE"]),
    (Coding::Utf32(Order::Big), &["UTF-32BE", "UTF32BE"]),
    (
        Coding::Ucs2(Order::Little),
        &["ISO-10646/UCS2/", "UCS2", "UCS-2", "OSF00010100", "OSF00010101", "OSF00010102", "UCS-2LE", "UNICODELITTLE"],
    ),
    (Coding::Ucs2(Order::Big), &["UCS-2BE", "UNICODEBIG"]),
    (Coding::Ucs2(Order::Marked), &["UNICODE", "CSUNICODE"]),
    (
        Coding::Ucs4(Order::Big),
        &[
            "ISO-10646/UCS4/",
            "UCS4",
            "UCS-4",
            "UCS-4BE",
            "CSUCS4",
            "ISO-10646",
            "10646-1:1993",
            "10646-1:1993/UCS4/",
            "OSF00010104",
            "OSF00010105",
            "OSF00010106",
        ],
    ),
    (Coding::Ucs4(Order::Little), &["UCS-4LE"]),
    (Coding::Internal, &["WCHAR_T", "INTERNAL"]),
];

/// Aliases of the charsets of one byte.
const ALIASES: [(&str, &[&str]); 29] = [
    (
        "ISO-8859-1",
        &[
            "ISO-IR-100",
            "ISO_8859-1:1987",
            "ISO_8859-1",
            "ISO8859-1",
            "ISO88591",
            "LATIN1",
            "L1",
            "IBM819",
            "CP819",
            "CSISOLATIN1",
            "8859_1",
            "OSF00010001",
        ],
    ),
    (
        "ISO-8859-2",
        &[
            "ISO-IR-101",
            "ISO_8859-2:1987",
            "ISO_8859-2",
            "ISO8859-2",
            "ISO88592",
            "LATIN2",
            "L2",
            "CSISOLATIN2",
            "8859_2",
            "OSF00010002",
            "IBM912",
            "CP912",
        ],
    ),
    (
        "ISO-8859-3",
        &[
            "ISO-IR-109",
            "ISO_8859-3:1988",
            "ISO_8859-3",
            "ISO8859-3",
            "ISO88593",
            "LATIN3",
            "L3",
            "CSISOLATIN3",
            "8859_3",
            "OSF00010003",
        ],
    ),
    (
        "ISO-8859-4",
        &[
            "ISO-IR-110",
            "ISO_8859-4:1988",
            "ISO_8859-4",
            "ISO8859-4",
            "ISO88594",
            "LATIN4",
            "L4",
            "CSISOLATIN4",
            "8859_4",
            "OSF00010004",
        ],
    ),
    (
        "ISO-8859-5",
        &[
            "ISO-IR-144",
            "ISO_8859-5:1988",
            "ISO_8859-5",
            "ISO8859-5",
            "ISO88595",
            "CYRILLIC",
            "CSISOLATINCYRILLIC",
            "8859_5",
            "OSF00010005",
            "IBM915",
            "CP915",
        ],
    ),
    (
        "ISO-8859-6",
        &[
            "ISO-IR-127",
            "ISO_8859-6:1987",
            "ISO_8859-6",
            "ISO8859-6",
            "ISO88596",
            "ECMA-114",
            "ASMO-708",
            "ARABIC",
            "CSISOLATINARABIC",
            "8859_6",
            "OSF00010006",
            "IBM1089",
            "CP1089",
        ],
    ),
    (
        "ISO-8859-7",
        &[
            "ISO-IR-126",
            "ISO_8859-7:2003",
            "ISO_8859-7:1987",
            "ISO_8859-7",
            "ISO8859-7",
            "ISO88597",
            "ELOT_928",
            "ECMA-118",
            "GREEK",
            "GREEK8",
            "CSISOLATINGREEK",
            "8859_7",
            "OSF00010007",
            "IBM813",
            "CP813",
        ],
    ),
    (
        "ISO-8859-8",
        &[
            "ISO-IR-138",
            "ISO_8859-8:1988",
            "ISO_8859-8",
            "ISO8859-8",
            "ISO88598",
            "HEBREW",
            "CSISOLATINHEBREW",
            "8859_8",
            "OSF00010008",
            "IBM916",
            "CP916",
        ],
    ),
    (
        "ISO-8859-9",
        &[
            "ISO-IR-148",
            "ISO_8859-9:1989",
            "ISO_8859-9",
            "ISO8859-9",
            "ISO88599",
            "LATIN5",
            "L5",
            "CSISOLATIN5",
            "8859_9",
            "OSF00010009",
            "IBM920",
            "CP920",
            "TS-5881",
            "ECMA-128",
        ],
    ),
    (
        "ISO-8859-10",
        &[
            "ISO-IR-157",
            "ISO_8859-10:1992",
            "ISO_8859-10",
            "ISO8859-10",
            "ISO885910",
            "LATIN6",
            "L6",
            "CSISOLATIN6",
            "OSF0001000A",
        ],
    ),
    ("ISO-8859-11", &["ISO8859-11", "ISO885911"]),
    ("ISO-8859-13", &["ISO8859-13", "ISO885913", "ISO-IR-179", "LATIN7", "L7", "BALTIC"]),
    (
        "ISO-8859-14",
        &["ISO8859-14", "ISO885914", "ISO-IR-199", "LATIN8", "L8", "ISO_8859-14:1998", "ISO_8859-14", "ISO-CELTIC"],
    ),
    ("ISO-8859-15", &["ISO8859-15", "ISO885915", "ISO-IR-203", "ISO_8859-15", "LATIN-9", "LATIN9", "ISO_8859-15:1998"]),
    ("ISO-8859-16", &["ISO8859-16", "ISO885916", "ISO-IR-226", "LATIN10", "L10", "ISO_8859-16:2001", "ISO_8859-16"]),
    ("CP1250", &["MS-EE", "WINDOWS-1250"]),
    ("CP1251", &["MS-CYRL", "WINDOWS-1251"]),
    ("CP1252", &["MS-ANSI", "WINDOWS-1252"]),
    ("CP1253", &["MS-GREEK", "WINDOWS-1253"]),
    ("CP1254", &["MS-TURK", "WINDOWS-1254"]),
    ("CP1256", &["MS-ARAB", "WINDOWS-1256"]),
    ("CP1257", &["WINBALTRIM", "WINDOWS-1257"]),
    ("KOI8-R", &["CSKOI8R", "KOI8R"]),
    ("KOI8-U", &["KOI8U"]),
    ("IBM437", &["CP437", "437", "CSPC8CODEPAGE437", "OSF100201B5"]),
    ("IBM850", &["CP850", "850", "CSPC850MULTILINGUAL", "OSF10020352"]),
    ("IBM852", &["CP852", "852", "CSPCP852", "OSF10020354"]),
    ("IBM866", &["CP866", "866", "CSIBM866"]),
    ("MACINTOSH", &["MAC", "CSMACINTOSH"]),
];

/// A charset by its name, in letters of either case; the locale's, if the name is empty.
pub fn find(name: &[u8]) -> Option<Coding> {
    if name.is_empty() {
        return Some(Coding::Text(locale::current().charset()));
    }
    // glibc leaves other characters out.
    let kept = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-/.,:".contains(byte);
    let name: Vec<u8> = name.iter().copied().filter(kept).collect();
    let is = |known: &&str| known.as_bytes().eq_ignore_ascii_case(&name);
    if let Some((coding, _)) = CODINGS.iter().find(|(_, names)| names.iter().any(|known| is(known))) {
        return Some(*coding);
    }
    let alias = ALIASES.iter().find(|(_, names)| names.iter().any(|known| is(known))).map(|(name, _)| *name);
    let table = TABLES.iter().find(|table| alias.map_or_else(|| is(&table.name), |alias| alias == table.name))?;
    Some(Coding::Single(table))
}
