//! Names of locales: which there are, and texts that live as long as the process.

use super::{CATEGORIES, Category, POSIX, UTF8};
use crate::lock::Lock;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};

/// Names of the categories, by their numbers.
pub(super) const CATEGORY_NAMES: [&str; CATEGORIES] = [
    "LC_CTYPE",
    "LC_NUMERIC",
    "LC_TIME",
    "LC_COLLATE",
    "LC_MONETARY",
    "LC_MESSAGES",
    "LC_ALL",
    "LC_PAPER",
    "LC_NAME",
    "LC_ADDRESS",
    "LC_TELEPHONE",
    "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
];

/// A locale's data with the name it was asked for by.
pub(super) struct Named {
    pub data: &'static Category,
    pub name: *const c_char,
}

/// Texts that were handed out: `setlocale`'s result stays valid.
static TEXTS: Lock<Vec<&'static [u8]>> = Lock::new(Vec::new());

/// A C string of this text that is never freed, the same for equal texts.
pub(super) fn intern(text: &[u8]) -> *const c_char {
    if text == b"C" {
        return c"C".as_ptr();
    }
    let mut texts = TEXTS.lock();
    if let Some(known) = texts.iter().find(|known| &known[..known.len() - 1] == text) {
        return known.as_ptr().cast();
    }
    let mut owned = text.to_vec();
    owned.push(0);
    let owned: &'static [u8] = Box::leak(owned.into_boxed_slice());
    texts.push(owned);
    owned.as_ptr().cast()
}

/// Whether a name is one of C.UTF-8's: language `C`, any territory and modifier, as glibc's search drops them, and that codeset.
fn is_utf8(name: &[u8]) -> bool {
    let name = name.split(|&byte| byte == b'@').next().unwrap_or_default();
    let Some(dot) = name.iter().position(|&byte| byte == b'.') else { return false };
    let language = name[..dot].split(|&byte| byte == b'_').next().unwrap_or_default();
    let codeset = &name[dot + 1..];
    language == b"C" && (codeset.eq_ignore_ascii_case(b"UTF-8") || codeset.eq_ignore_ascii_case(b"UTF8"))
}

/// What the environment says for a category: LC_ALL, its own variable, LANG, or `C`. setlocale(3).
unsafe fn environment(category: usize) -> &'static [u8] {
    for name in ["LC_ALL", CATEGORY_NAMES[category], "LANG"] {
        if let Some(value) = crate::env::value(name.as_bytes())
            && !value.is_empty()
        {
            return value;
        }
    }
    b"C"
}

/// The locale of this name for a category; an empty name asks the environment. EINVAL: no name at all; ENOENT: there is no such.
///
/// # Safety
/// As reading the environment in C.
pub(super) unsafe fn find(category: usize, name: &[u8]) -> Result<Named, c_int> {
    let name = if name.is_empty() { environment(category) } else { name };
    if name == b"C" || name == b"POSIX" {
        return Ok(Named { data: &POSIX, name: c"C".as_ptr() });
    }
    if name.contains(&b'/') || name.len() > 255 {
        return Err(libc::EINVAL);
    }
    if !is_utf8(name) {
        return Err(libc::ENOENT);
    }
    Ok(Named { data: &UTF8, name: intern(name) })
}

/// The parts of `LC_CTYPE=a;LC_NUMERIC=b;…` by category; a name without `;` is every category's. EINVAL: an unknown category, or
/// not all of those `wanted`.
pub(super) fn parts(name: &[u8], wanted: impl Fn(usize) -> bool) -> Result<[&[u8]; CATEGORIES], c_int> {
    if !name.contains(&b';') {
        return Ok([name; CATEGORIES]);
    }
    let mut parts = [None; CATEGORIES];
    for part in name.split(|&byte| byte == b';') {
        let equals = part.iter().position(|&byte| byte == b'=').ok_or(libc::EINVAL)?;
        let category = CATEGORY_NAMES.iter().position(|known| known.as_bytes() == &part[..equals]);
        let category = category.filter(|&category| category != super::ALL).ok_or(libc::EINVAL)?;
        parts[category] = Some(&part[equals + 1..]);
    }
    let mut whole: [&[u8]; CATEGORIES] = [b"C"; CATEGORIES];
    for (category, part) in parts.into_iter().enumerate() {
        match part {
            Some(part) => whole[category] = part,
            None if category != super::ALL && wanted(category) => return Err(libc::EINVAL),
            None => {}
        }
    }
    Ok(whole)
}
