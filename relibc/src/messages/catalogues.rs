//! `nl_types.h`: message catalogues of X/Open, in the files that glibc's gencat makes. catopen(3), catgets(3).
//!
//! A file is a magic number, a hash table's size and depth, the table twice (little-endian first), and the strings. An entry is a set's
//! number plus one, a message's number, and where its text begins.

use crate::ld::map::File;
use crate::locale;
use crate::{errno, start, string};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int, c_void};

const MAGIC: u32 = 0x9604_08de;
/// The greatest file that is read, in bytes.
const LARGEST: usize = 64 << 20;
/// What `catopen` returns when there is no catalogue.
const NONE: *mut c_void = core::ptr::without_provenance_mut(usize::MAX);
const NL_CAT_LOCALE: c_int = 1;
/// Where catalogues are looked for behind NLSPATH.
const PATH: &[u8] =
    b"/usr/share/locale/%L/%N:/usr/share/locale/%L/LC_MESSAGES/%N:/usr/share/locale/%l/%N:/usr/share/locale/%l/LC_MESSAGES/%N";

/// An open catalogue.
struct Catalogue {
    bytes: Vec<u8>,
    size: usize,
    depth: usize,
    strings: usize,
}

impl Catalogue {
    fn new(bytes: Vec<u8>) -> Option<Catalogue> {
        let mut new = Catalogue { bytes, size: 0, depth: 0, strings: 0 };
        if new.word(0)? != MAGIC {
            return None;
        }
        (new.size, new.depth) = (new.word(4)? as usize, new.word(8)? as usize);
        new.strings = new.size.checked_mul(new.depth)?.checked_mul(24)?.checked_add(12)?;
        (new.size > 0 && new.strings <= new.bytes.len()).then_some(new)
    }

    fn word(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
    }

    /// A message's text; None if there is no such message, or its text has no end.
    fn text(&self, set: u32, message: u32) -> Option<&CStr> {
        let first = set.wrapping_mul(message) as usize % self.size;
        for plane in 0..self.depth {
            let at = 12 + 12 * (first + plane * self.size);
            if self.word(at)? == set && self.word(at + 4)? == message {
                let start = self.strings.checked_add(self.word(at + 8)? as usize)?;
                return CStr::from_bytes_until_nul(self.bytes.get(start..)?).ok();
            }
        }
        None
    }
}

/// A part of NLSPATH with its fields filled in.
fn expand(pattern: &[u8], name: &[u8], locale: &[u8]) -> Vec<u8> {
    let (plain, codeset) = match locale.split(|&byte| byte == b'@').next().unwrap_or_default() {
        text if text.contains(&b'.') => {
            let dot = text.iter().position(|&byte| byte == b'.').unwrap_or(text.len());
            (&text[..dot], &text[dot + 1..])
        }
        text => (text, &b""[..]),
    };
    let mut parts = plain.splitn(2, |&byte| byte == b'_');
    let (language, territory) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut path = Vec::new();
    let mut bytes = pattern.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'%' {
            path.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'N') => path.extend_from_slice(name),
            Some(b'L') => path.extend_from_slice(locale),
            Some(b'l') => path.extend_from_slice(language),
            Some(b't') => path.extend_from_slice(territory),
            Some(b'c') => path.extend_from_slice(codeset),
            Some(b'%') => path.push(b'%'),
            _ => {}
        }
    }
    if path.is_empty() { name.to_vec() } else { path }
}

fn open(mut path: Vec<u8>) -> Result<Catalogue, c_int> {
    path.push(0);
    let bytes = File::open(path)?.read_all(LARGEST).map_err(|_| libc::EIO)?;
    Catalogue::new(bytes).ok_or(libc::EINVAL)
}

unsafe fn find(name: &[u8], flag: c_int) -> Result<Catalogue, c_int> {
    if name.contains(&b'/') {
        return open(name.to_vec());
    }
    let locale = if flag == NL_CAT_LOCALE {
        string::bytes(locale::current().name(libc::LC_MESSAGES as usize))
    } else {
        crate::env::value(b"LANG").unwrap_or(b"C")
    };
    let secure = start::__libc_enable_secure != 0;
    let locale = if locale.is_empty() || secure && locale.contains(&b'/') { b"C" } else { locale };
    let user = if secure { None } else { crate::env::value(b"NLSPATH").filter(|path| !path.is_empty()) };
    let user = user.into_iter().flat_map(|path| path.split(|&byte| byte == b':'));
    for pattern in user.chain(PATH.split(|&byte| byte == b':')) {
        if let Ok(catalogue) = open(expand(pattern, name, locale)) {
            return Ok(catalogue);
        }
    }
    Err(libc::ENOENT)
}

c_api! {
    /// catopen(3). ENOENT: there is none.
    fn catopen(name: *const c_char, flag: c_int) -> *mut c_void {
        match find(string::bytes(name), flag) {
            Ok(catalogue) => Box::into_raw(Box::new(catalogue)).cast(),
            Err(error) => {
                errno::set(error);
                NONE
            }
        }
    }

    /// catgets(3): the text given, with ENOMSG, where the catalogue has none.
    fn catgets(catalogue: *mut c_void, set: c_int, message: c_int, text: *const c_char) -> *mut c_char {
        if catalogue == NONE || !(0..c_int::MAX).contains(&set) || message < 0 {
            return text.cast_mut();
        }
        match (*catalogue.cast::<Catalogue>()).text(set as u32 + 1, message as u32) {
            Some(found) => found.as_ptr().cast_mut(),
            None => {
                errno::set(libc::ENOMSG);
                text.cast_mut()
            }
        }
    }

    /// catclose(3). EBADF: it is not open.
    fn catclose(catalogue: *mut c_void) -> c_int {
        if catalogue == NONE || catalogue.is_null() {
            return errno::fail(libc::EBADF);
        }
        drop(Box::from_raw(catalogue.cast::<Catalogue>()));
        0
    }
}
