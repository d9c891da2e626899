//! Makes `tables.rs` and the lists of stand-ins from the host's glibc, and checks that they are current.

use std::ffi::{CString, c_char, c_int, c_void};
use std::fmt::Write;
use std::path::PathBuf;

/// The host's functions.
mod host {
    use super::*;
    unsafe extern "C" {
        pub fn iconv_open(to: *const c_char, from: *const c_char) -> *mut c_void;
        pub fn iconv(
            cd: *mut c_void,
            from: *mut *mut c_char,
            from_left: *mut usize,
            to: *mut *mut c_char,
            to_left: *mut usize,
        ) -> usize;
        pub fn iconv_close(cd: *mut c_void) -> c_int;
        pub fn newlocale(mask: c_int, name: *const c_char, base: *mut c_void) -> *mut c_void;
        pub fn nl_langinfo_l(item: c_int, locale: *mut c_void) -> *const u32;
    }
}

/// glibc's charsets of one byte that begin with ASCII.
const CHARSETS: [&str; 29] = [
    "ISO-8859-1",
    "ISO-8859-2",
    "ISO-8859-3",
    "ISO-8859-4",
    "ISO-8859-5",
    "ISO-8859-6",
    "ISO-8859-7",
    "ISO-8859-8",
    "ISO-8859-9",
    "ISO-8859-10",
    "ISO-8859-11",
    "ISO-8859-13",
    "ISO-8859-14",
    "ISO-8859-15",
    "ISO-8859-16",
    "CP1250",
    "CP1251",
    "CP1252",
    "CP1253",
    "CP1254",
    "CP1256",
    "CP1257",
    "KOI8-R",
    "KOI8-U",
    "IBM437",
    "IBM850",
    "IBM852",
    "IBM866",
    "MACINTOSH",
];

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/iconv").join(name)
}

/// The host's character for a byte; 0: none.
fn character(charset: &str, byte: u8) -> u32 {
    let name = CString::new(charset).expect("no NUL");
    let (mut from, mut to) = ([byte], [0u8; 4]);
    let (mut at, mut left) = (from.as_mut_ptr().cast::<c_char>(), 1);
    let (mut out, mut room) = (to.as_mut_ptr().cast::<c_char>(), 4);
    // SAFETY: C strings, buffers and their lengths.
    unsafe {
        let cd = host::iconv_open(c"UCS-4LE".as_ptr(), name.as_ptr());
        assert!(cd.addr() != usize::MAX, "{charset}");
        let result = host::iconv(cd, &mut at, &mut left, &mut out, &mut room);
        host::iconv_close(cd);
        if result == usize::MAX { 0 } else { u32::from_le_bytes(to) }
    }
}

fn tables() -> String {
    let mut out = String::from(
        "//! Charsets of one byte, made by `generate.rs`: run `UPDATE_ICONV_TABLES=1 cargo test -p relibc iconv`.\n\nuse super::single::Table;\n\n",
    );
    writeln!(out, "/// glibc's.\n#[rustfmt::skip]\npub static TABLES: [Table; {}] = [", CHARSETS.len())
        .expect("a String takes all");
    for charset in CHARSETS {
        assert!((0..128).all(|byte| character(charset, byte) == u32::from(byte)), "{charset}");
        writeln!(out, "    Table {{ name: \"{charset}\", upper: [").expect("a String takes all");
        for row in 0..8u8 {
            let row: Vec<String> =
                (0..16).map(|column| format!("{:#x}", character(charset, 128 + 16 * row + column))).collect();
            writeln!(out, "        {},", row.join(", ")).expect("a String takes all");
        }
        out.push_str("    ] },\n");
    }
    out.push_str("];\n");
    out
}

/// A locale's stand-ins: glibc keeps them as arrays, which items of `nl_langinfo` point to.
fn stand_ins(locale: &std::ffi::CStr) -> String {
    const COUNT: c_int = 61;
    // SAFETY: private items of glibc 2.36: a count; indices into texts, texts; indices into lists of texts, lists.
    unsafe {
        let locale = host::newlocale(0x1fbf, locale.as_ptr(), std::ptr::null_mut());
        let item = |number: c_int| host::nl_langinfo_l(COUNT + number, locale);
        let text = |mut at: *const u32| {
            let mut text = String::new();
            while *at != 0 {
                text.push(char::from_u32(*at).expect("a character"));
                at = at.add(1);
            }
            (text, at.add(1))
        };
        let mut lines = Vec::new();
        for index in 0..item(0).addr() as u32 as usize {
            let (mut line, _) = text(item(2).add(*item(1).add(index) as usize));
            assert_eq!(line.chars().count(), 1);
            let mut at = item(4).add(*item(3).add(index) as usize);
            loop {
                let (choice, next) = text(at);
                assert!(choice.chars().count() <= 32 && !choice.contains(['\t', '\n']));
                line.push('\t');
                line.push_str(&choice);
                if *next == 0 {
                    break;
                }
                at = next;
            }
            lines.push(line);
        }
        lines.sort_by_key(|line| line.chars().next());
        lines.push(String::new());
        lines.join("\n")
    }
}

#[test]
fn the_tables_are_current() {
    let files = [
        ("tables.rs", tables()),
        ("translit-posix.txt", stand_ins(c"C")),
        ("translit-utf8.txt", stand_ins(c"C.UTF-8")),
    ];
    for (name, wanted) in files {
        if std::env::var_os("UPDATE_ICONV_TABLES").is_some() {
            std::fs::write(path(name), &wanted).expect("the file is writable");
        }
        let actual = std::fs::read_to_string(path(name)).expect(name);
        assert!(actual == wanted, "{name}: run UPDATE_ICONV_TABLES=1 cargo test -p relibc iconv");
    }
}
