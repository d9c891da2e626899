//! Makes `tables.rs` from the host's C.UTF-8, which is glibc 2.36's on the host we support, and checks that it is current.

use super::classes::{CLASSES, MAPPINGS, Record, SHIFT};
use std::collections::BTreeMap;
use std::ffi::{CString, c_char, c_int, c_ulong, c_void};
use std::fmt::Write;

/// The host's functions.
mod host {
    use super::*;
    unsafe extern "C" {
        pub fn newlocale(mask: c_int, name: *const c_char, base: *mut c_void) -> *mut c_void;
        pub fn uselocale(locale: *mut c_void) -> *mut c_void;
        pub fn wctype(name: *const c_char) -> c_ulong;
        pub fn iswctype(wide: u32, class: c_ulong) -> c_int;
        pub fn wctrans(name: *const c_char) -> c_ulong;
        pub fn towctrans(wide: u32, mapping: c_ulong) -> u32;
        pub fn wcwidth(wide: i32) -> c_int;
        pub fn gnu_get_libc_version() -> *const c_char;
    }
}

/// The host's properties of every character.
fn properties() -> Vec<Record> {
    // SAFETY: C strings, and handles the host gave; the thread's locale is set back.
    unsafe {
        let locale = host::newlocale(0x1fbf, c"C.UTF-8".as_ptr(), std::ptr::null_mut());
        assert!(!locale.is_null());
        let before = host::uselocale(locale);
        let text = |name: &str| CString::new(name).expect("no NUL");
        let classes = CLASSES.map(|name| host::wctype(text(name).as_ptr()));
        let mappings = MAPPINGS.map(|name| host::wctrans(text(name).as_ptr()));
        assert!(classes.iter().chain(&mappings).all(|&handle| handle != 0));
        let all = (0..0x11_0000u32)
            .map(|wide| {
                let class = |bit: usize| u16::from(host::iswctype(wide, classes[bit]) != 0) << bit;
                let bits = (0..CLASSES.len()).map(class).sum();
                let cases = mappings.map(|mapping| host::towctrans(wide, mapping).wrapping_sub(wide) as i32);
                let width = i8::try_from(host::wcwidth(wide as i32)).expect("a small width");
                Record { classes: bits, width, cases }
            })
            .collect();
        host::uselocale(before);
        all
    }
}

/// The table's source.
fn source(all: &[Record]) -> String {
    let mut numbers: BTreeMap<Record, usize> = all.iter().map(|&record| (record, 0)).collect();
    for (index, number) in numbers.values_mut().enumerate() {
        *number = index;
    }
    let mut runs: Vec<u32> = Vec::new();
    for (wide, record) in all.iter().enumerate() {
        if wide == 0 || all[wide - 1] != *record {
            assert!(numbers[record] < 1 << SHIFT);
            runs.push((wide as u32) << SHIFT | numbers[record] as u32);
        }
    }
    let mut out = String::from(
        "//! Properties of characters in C.UTF-8, made by `generate.rs`: run `UPDATE_WIDE_TABLES=1 cargo test -p relibc wide`.\n\n\
         use super::classes::Record;\n\n",
    );
    let write = |out: &mut String, text: std::fmt::Arguments| out.write_fmt(text).expect("a String takes everything");
    write(
        &mut out,
        format_args!("/// Each set of properties.\npub(super) static RECORDS: [Record; {}] = [\n", numbers.len()),
    );
    for Record { classes, width, cases: [upper, lower, title] } in numbers.keys() {
        write(&mut out, format_args!("    Record::new({classes:#06x}, {width}, {upper}, {lower}, {title}),\n"));
    }
    write(
        &mut out,
        format_args!(
            "];\n\n/// Where each set begins to hold: the first character times {}, and the set's number.\n#[rustfmt::skip]\npub(super) static RUNS: [u32; {}] = [\n",
            1 << SHIFT,
            runs.len()
        ),
    );
    for row in runs.chunks(12) {
        let row: Vec<String> = row.iter().map(u32::to_string).collect();
        write(&mut out, format_args!("    {},\n", row.join(", ")));
    }
    out.push_str("];\n");
    out
}

#[test]
fn the_tables_are_current() {
    // SAFETY: a C string that stays.
    let version = unsafe { std::ffi::CStr::from_ptr(host::gnu_get_libc_version()) };
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wide/tables.rs");
    assert_eq!(version, c"2.36", "the tables are those of glibc 2.36");
    let wanted = source(&properties());
    if std::env::var_os("UPDATE_WIDE_TABLES").is_some() {
        std::fs::write(&path, &wanted).expect("tables.rs is writable");
    }
    assert!(
        std::fs::read_to_string(&path).expect("tables.rs") == wanted,
        "run UPDATE_WIDE_TABLES=1 cargo test -p relibc wide"
    );
}
