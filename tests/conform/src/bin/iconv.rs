//! iconv: every pair of a set of charsets on random texts in pieces, with little room, with stand-ins and without; names; errors.

use conform::{Group, Random};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null_mut;

unsafe extern "C" {
    fn iconv_open(to: *const c_char, from: *const c_char) -> *mut c_void;
    fn iconv(
        cd: *mut c_void,
        from: *mut *mut c_char,
        left: *mut usize,
        to: *mut *mut c_char,
        room: *mut usize,
    ) -> usize;
    fn iconv_close(cd: *mut c_void) -> c_int;
}

const CHARSETS: [&str; 22] = [
    "UTF-8",
    "ASCII",
    "ISO-8859-1",
    "ISO-8859-15",
    "CP1252",
    "KOI8-R",
    "ISO-8859-7",
    "IBM437",
    "UTF-16",
    "UTF-16LE",
    "UTF-16BE",
    "UTF-32",
    "UTF-32LE",
    "UTF-32BE",
    "UCS-2",
    "UCS-2LE",
    "UCS-2BE",
    "UCS-4",
    "UCS-4LE",
    "UCS-4BE",
    "WCHAR_T",
    "UNICODE",
];

fn errno() -> c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// A conversion, or the error.
fn open(to: &str, from: &str) -> Result<*mut c_void, c_int> {
    let (to, from) = (CString::new(to).expect("no NUL"), CString::new(from).expect("no NUL"));
    // SAFETY: C strings.
    let cd = unsafe { iconv_open(to.as_ptr(), from.as_ptr()) };
    if cd.addr() == usize::MAX { Err(errno()) } else { Ok(cd) }
}

/// One call: the result, the error, how much was read, and what was written.
fn step(cd: *mut c_void, from: &[u8], room: usize) -> (isize, c_int, usize, Vec<u8>) {
    let mut text = from.to_vec();
    let mut out = vec![0x55; room];
    let (mut at, mut left) = (text.as_mut_ptr().cast::<c_char>(), text.len());
    let (mut to, mut rest) = (out.as_mut_ptr().cast::<c_char>(), room);
    // SAFETY: buffers and their lengths.
    let result = unsafe { iconv(cd, &mut at, &mut left, &mut to, &mut rest) } as isize;
    let error = if result < 0 { errno() } else { 0 };
    assert_eq!(at.addr() - text.as_ptr().addr() + left, text.len());
    out.truncate(room - rest);
    (result, error, from.len() - left, out)
}

fn close(cd: *mut c_void) -> c_int {
    // SAFETY: an open conversion.
    unsafe { iconv_close(cd) }
}

/// A random character, often one that few charsets have.
fn character(random: &mut Random) -> char {
    const CHOSEN: [char; 24] = [
        'a',
        'Z',
        '\n',
        '?',
        '\u{e4}',
        '\u{df}',
        '\u{20ac}',
        '\u{201c}',
        '\u{2019}',
        '\u{2026}',
        '\u{416}',
        '\u{3b1}',
        '\u{4e2d}',
        '\u{fb01}',
        '\u{153}',
        '\u{200b}',
        '\u{1f600}',
        '\u{e0041}',
        '\u{ff21}',
        '\u{2260}',
        '\u{a0}',
        '\u{2014}',
        '\u{1d400}',
        '\u{80}',
    ];
    match random.below(4) {
        0 => char::from_u32(random.below(0x11_0000) as u32).unwrap_or('x'),
        1 => char::from_u32(random.below(0x500) as u32).unwrap_or('x'),
        _ => *random.pick(&CHOSEN),
    }
}

/// A text in a charset, sometimes a damaged one; bytes for charsets that only glibc can write.
fn text(random: &mut Random, charset: &str) -> Vec<u8> {
    let characters: Vec<char> = (0..random.below(6)).map(|_| character(random)).collect();
    let mut bytes: Vec<u8> = Vec::new();
    for &character in &characters {
        let mut units = [0; 2];
        let units = character.encode_utf16(&mut units);
        let scalar = character as u32;
        match charset {
            "UTF-8" => bytes.extend_from_slice(character.to_string().as_bytes()),
            "UTF-16" | "UTF-16LE" | "UCS-2" | "UCS-2LE" | "UNICODE" => {
                units.iter().for_each(|unit| bytes.extend(unit.to_le_bytes()))
            }
            "UTF-16BE" | "UCS-2BE" => units.iter().for_each(|unit| bytes.extend(unit.to_be_bytes())),
            "UTF-32" | "UTF-32LE" | "UCS-4LE" | "WCHAR_T" => bytes.extend(scalar.to_le_bytes()),
            "UTF-32BE" | "UCS-4" | "UCS-4BE" => bytes.extend(scalar.to_be_bytes()),
            _ => bytes.push(scalar as u8),
        }
    }
    if random.below(8) == 0 {
        let mark: &[u8] = match charset {
            "UTF-16" | "UNICODE" => *random.pick(&[&b"\xff\xfe"[..], b"\xfe\xff"]),
            "UTF-32" => *random.pick(&[&b"\xff\xfe\0\0"[..], b"\0\0\xfe\xff"]),
            _ => b"",
        };
        bytes.splice(0..0, mark.iter().copied());
    }
    if random.below(4) == 0 && !bytes.is_empty() {
        let at = random.below(bytes.len() as u64) as usize;
        match random.below(3) {
            0 => bytes[at] = random.next() as u8,
            1 => bytes.truncate(at),
            _ => bytes.insert(at, *random.pick(&[0xd8, 0xdc, 0x80, 0xff, 0xed, 0xf8])),
        }
    }
    bytes
}

fn pairs(name: &'static str, suffix: &str) {
    let mut random = Random::new(6);
    let mut group = Group::new(name);
    for from in CHARSETS {
        for to in CHARSETS {
            // With stand-ins glibc writes a second byte order mark in these.
            if ["UNICODE", "UTF-16", "UTF-32"].contains(&to) && suffix.contains("TRANSLIT") {
                continue;
            }
            for _ in 0..100 {
                let cd = match open(&format!("{to}{suffix}"), from) {
                    Ok(cd) => cd,
                    Err(error) => {
                        group.add(format_args!("{from} {to} {error}"));
                        continue;
                    }
                };
                let bytes = text(&mut random, from);
                let mut rest = &bytes[..];
                let room = if random.below(4) == 0 { 1 + random.below(12) as usize } else { 200 };
                let mut line = format!("{from} {to} {bytes:x?} {room}");
                let mut all = Vec::new();
                for _ in 0..40 {
                    let (result, error, used, out) = step(cd, rest, room);
                    // Whether glibc tells of what it ignored, and when, depends on its buffers.
                    if suffix.contains("IGNORE") {
                        all.extend(out);
                    } else {
                        line += &format!(" | {result} {error} {used} {out:x?}");
                    }
                    rest = &rest[used..];
                    if error != libc::E2BIG {
                        break;
                    }
                }
                line += &format!(" {all:x?} {}", close(cd));
                group.add(format_args!("{line}"));
            }
        }
    }
    group.end();
}

/// Every byte of the charsets of one byte, and what every character becomes with stand-ins.
fn everything(name: &'static str) {
    let mut group = Group::new(name);
    for number in (1..=16).filter(|&number| number != 12) {
        let cd = open("UTF-8", &format!("ISO-8859-{number}")).expect("known");
        for byte in 0..=255u8 {
            group.add(format_args!("{number} {byte} {:x?}", step(cd, &[byte], 8)));
        }
        close(cd);
    }
    for charset in ["ASCII//TRANSLIT", "ISO-8859-1//TRANSLIT", "ISO-8859-15//TRANSLIT", "CP1252//TRANSLIT"] {
        let cd = open(charset, "WCHAR_T").expect("known");
        for wide in (0..0x3_0000u32).chain(0xd_fff0..0xe_0100) {
            group.add(format_args!("{charset} {wide:x} {:x?}", step(cd, &wide.to_le_bytes(), 64)));
        }
        close(cd);
    }
    group.end();
}

fn names() {
    for (to, from) in [
        ("utf8", "latin1"),
        ("UTF-8", "utf-8"),
        ("L1", "us-ascii"),
        ("ISO_8859-1:1987", "ANSI_X3.4-1968"),
        ("", "UTF-8"),
        ("UTF-8//", "ISO-8859-1//"),
        ("utf-8//translit", "ISO-8859-1"),
        ("ASCII//TRANSLIT//IGNORE", "UTF-8"),
        ("ASCII//IGNORE,TRANSLIT", "UTF-8"),
        ("nonsense", "UTF-8"),
        ("UTF-8", "nonsense"),
        ("UTF 8", "UTF-8"),
        ("windows-1252", "koi8r"),
        ("UCS2", "UCS4"),
        ("ISO-10646/UCS4/", "ISO-10646/UTF8/"),
    ] {
        match open(to, from) {
            Ok(cd) => {
                println!("names: {from} to {to}: {:x?} {:x?}", step(cd, b"a\xc3\xa4", 16), step(cd, b"abcdefgh", 16));
                println!("names: closed {}", close(cd));
            }
            Err(error) => println!("names: {from} to {to}: error {error}"),
        }
    }
    let cd = open("UTF-16", "UTF-8").expect("known");
    println!("reset: {:x?}", step(cd, b"a", 16));
    println!("reset: {:x?}", step(cd, b"b", 16));
    let (mut to, mut room) = ([0 as c_char; 8], 8);
    let mut at = to.as_mut_ptr();
    // SAFETY: a place to write to, or none.
    unsafe {
        println!("reset: {} {room}", iconv(cd, null_mut(), null_mut(), &mut at, &mut room));
        println!("reset: {:x?}", step(cd, b"c", 16));
        println!("reset: {}", iconv(cd, null_mut(), null_mut(), null_mut(), null_mut()));
    }
    println!("reset: {:x?}", step(cd, b"c", 16));
    println!("reset: {:x?}", step(cd, b"", 16));
    close(cd);
    // SAFETY: not an open conversion, which both functions look for.
    unsafe {
        let none = std::ptr::without_provenance_mut(usize::MAX);
        println!("none: {} {}", iconv_close(none), errno());
        println!("none: {} {}", iconv(none, null_mut(), null_mut(), null_mut(), null_mut()) as isize, errno());
    }
}

fn choose(name: &CStr) {
    // SAFETY: a C string.
    assert!(!unsafe { libc::setlocale(libc::LC_ALL, name.as_ptr()) }.is_null());
}

fn main() {
    pairs("pairs", "");
    pairs("pairs translit C", "//TRANSLIT");
    pairs("pairs ignore", "//IGNORE");
    everything("everything C");
    names();
    choose(c"C.UTF-8");
    pairs("pairs translit UTF-8", "//TRANSLIT");
    everything("everything UTF-8");
}
