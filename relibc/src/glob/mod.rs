//! `glob.h`. glob(3), with GNU's extensions.

mod brace;
mod walk;

use crate::heap::{c_free, c_malloc, c_string};
use crate::{env, pwd, string};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use libc::{dirent64, size_t};

const ERR: c_int = 1;
const MARK: c_int = 2;
const NOSORT: c_int = 4;
const DOOFFS: c_int = 8;
const NOCHECK: c_int = 16;
const APPEND: c_int = 32;
const NOESCAPE: c_int = 64;
const PERIOD: c_int = 128;
const MAGCHAR: c_int = 256;
const ALTDIRFUNC: c_int = 512;
const BRACE: c_int = 1024;
const NOMAGIC: c_int = 2048;
const TILDE: c_int = 4096;
const ONLYDIR: c_int = 8192;
const TILDE_CHECK: c_int = 16384;
const ALL: c_int = 32767;

const NOSPACE: c_int = 1;
const ABORTED: c_int = 2;
const NOMATCH: c_int = 3;

/// `glob_t`.
#[repr(C)]
pub struct Glob {
    count: size_t,
    paths: *mut *mut c_char,
    offset: size_t,
    flags: c_int,
    closedir: Option<unsafe extern "C" fn(*mut c_void)>,
    readdir: Option<unsafe extern "C" fn(*mut c_void) -> *mut dirent64>,
    opendir: Option<unsafe extern "C" fn(*const c_char) -> *mut c_void>,
    lstat: Option<unsafe extern "C" fn(*const c_char, *mut libc::stat) -> c_int>,
    stat: Option<unsafe extern "C" fn(*const c_char, *mut libc::stat) -> c_int>,
}

const _: () = assert!(size_of::<Glob>() == 72);

type OnError = Option<unsafe extern "C" fn(*const c_char, c_int) -> c_int>;

/// Whether a text has wildcards; escapes count only with `escapes`.
fn magic(text: &[u8], escapes: bool) -> bool {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'?' | b'*' | b'[' => return true,
            b'\\' if escapes => at += 1,
            _ => {}
        }
        at += 1;
    }
    false
}

fn unescape(text: &[u8], flags: c_int) -> Vec<u8> {
    if flags & NOESCAPE != 0 {
        return text.to_vec();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        out.push(if byte == b'\\' { bytes.next().copied().unwrap_or(byte) } else { byte });
    }
    out
}

/// A home directory: of a user, or the caller's own.
unsafe fn home(user: &[u8]) -> Option<Vec<u8>> {
    if user.is_empty() {
        let home = env::getenv(c"HOME".as_ptr());
        if !home.is_null() && *home != 0 {
            return Some(string::bytes(home).to_vec());
        }
    }
    let name = [user, b"\0"].concat();
    let entry =
        if user.is_empty() { pwd::getpwuid(crate::sys::getuid() as u32) } else { pwd::getpwnam(name.as_ptr().cast()) };
    if entry.is_null() { None } else { Some(string::bytes((*entry).pw_dir).to_vec()) }
}

/// Puts a home directory in place of a leading tilde.
unsafe fn tilde(pattern: &[u8], flags: c_int) -> Result<Vec<u8>, c_int> {
    if flags & (TILDE | TILDE_CHECK) == 0 || pattern.first() != Some(&b'~') {
        return Ok(pattern.to_vec());
    }
    let end = pattern.iter().position(|&byte| byte == b'/').unwrap_or(pattern.len());
    match home(&unescape(&pattern[1..end], flags)) {
        Some(dir) => Ok([&dir, &pattern[end..]].concat()),
        None if flags & TILDE_CHECK != 0 => Err(NOMATCH),
        None => Ok(pattern.to_vec()),
    }
}

/// The paths that a pattern without braces matches.
unsafe fn expand(pattern: &[u8], flags: &mut c_int, on_error: OnError, glob: &Glob) -> Result<Vec<Vec<u8>>, c_int> {
    let pattern = tilde(pattern, *flags)?;
    let escapes = *flags & NOESCAPE == 0;
    let has_magic = magic(&pattern, escapes);
    let mut walk = walk::Walk { flags: *flags, on_error, glob, found: Vec::new() };
    walk.run(&pattern)?;
    *flags |= walk.flags & MAGCHAR;
    let mut found = walk.found;
    if found.is_empty() {
        if *flags & NOCHECK != 0 || *flags & NOMAGIC != 0 && !has_magic && !pattern.is_empty() {
            // As it was written, backslashes and all.
            return Ok(Vec::from([pattern]));
        }
        return Err(NOMATCH);
    }
    if *flags & NOSORT == 0 {
        found.sort();
    }
    Ok(found)
}

/// Adds paths to those of the structure.
unsafe fn store(glob: &mut Glob, found: &[Vec<u8>]) -> Result<(), c_int> {
    let offset = if glob.flags & DOOFFS != 0 { glob.offset } else { 0 };
    let old = glob.count;
    let total = offset + old + found.len() + 1;
    let Some(bytes) = total.checked_mul(size_of::<*mut c_char>()) else { return Err(NOSPACE) };
    let array = c_malloc(bytes).cast::<*mut c_char>();
    if array.is_null() {
        return Err(NOSPACE);
    }
    ptr::write_bytes(array, 0, total);
    if !glob.paths.is_null() {
        ptr::copy_nonoverlapping(glob.paths.add(offset), array.add(offset), old);
        c_free(glob.paths.cast());
    }
    glob.paths = array;
    for path in found {
        let text = c_string(path);
        if text.is_null() {
            return Err(NOSPACE);
        }
        *array.add(offset + glob.count) = text;
        glob.count += 1;
    }
    Ok(())
}

unsafe fn run(pattern: &[u8], mut flags: c_int, on_error: OnError, glob: &mut Glob) -> Result<(), c_int> {
    let patterns = if flags & BRACE != 0 { brace::expand(pattern) } else { Vec::from([pattern.to_vec()]) };
    let braces = patterns.len() > 1;
    let mut found = Vec::new();
    for pattern in &patterns {
        // Of several patterns each may match nothing.
        let each = if braces { flags & !(NOCHECK | NOMAGIC) } else { flags };
        let mut each = each;
        match expand(pattern, &mut each, on_error, glob) {
            Ok(paths) => found.extend(paths),
            Err(NOMATCH) if braces => {}
            Err(error) => return Err(error),
        }
        flags |= each & MAGCHAR;
    }
    glob.flags = flags;
    if found.is_empty() {
        if flags & (NOCHECK | NOMAGIC) == 0 || pattern.is_empty() && flags & NOCHECK == 0 {
            return Err(NOMATCH);
        }
        found.push(pattern.to_vec());
    }
    store(glob, &found)
}

c_api! {
    /// glob(3).
    fn glob(pattern: *const c_char, flags: c_int, on_error: OnError, out: *mut Glob) -> c_int {
        if pattern.is_null() || out.is_null() || flags & !ALL != 0 {
            return crate::errno::fail(libc::EINVAL);
        }
        let out = &mut *out;
        if flags & DOOFFS == 0 {
            out.offset = 0;
        }
        if flags & APPEND == 0 {
            (out.count, out.paths) = (0, ptr::null_mut());
            if flags & DOOFFS != 0 {
                out.flags = flags;
                // The places in front are there even if nothing matches.
                if let Err(error) = store(out, &[]) {
                    return error;
                }
            }
        }
        out.flags = flags & !MAGCHAR;
        match run(string::bytes(pattern), flags & !MAGCHAR, on_error, out) {
            Ok(()) => 0,
            Err(error) => error,
        }
    }

    /// globfree(3).
    fn globfree(of: *mut Glob) {
        let of = &mut *of;
        if !of.paths.is_null() {
            let offset = if of.flags & DOOFFS != 0 { of.offset } else { 0 };
            for index in 0..of.count {
                c_free((*of.paths.add(offset + index)).cast());
            }
            c_free(of.paths.cast());
            of.paths = ptr::null_mut();
        }
    }

    /// Whether a pattern has wildcards. glibc.
    fn glob_pattern_p(pattern: *const c_char, quote: c_int) -> c_int { c_int::from(magic(string::bytes(pattern), quote != 0)) }
}

c_alias! {
    fn glob64 = glob[pattern: *const c_char, flags: c_int, on_error: OnError, out: *mut Glob] -> c_int;
    fn globfree64 = globfree[of: *mut Glob];
}
