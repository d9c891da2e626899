//! `stdlib.h`: temporary files. mkstemp(3), mkdtemp(3).

use crate::{errno, string, sys};
use core::ffi::{c_char, c_int};

const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// Names tried before EEXIST: glibc's TMP_MAX, 62³.
const ATTEMPTS: usize = 238_328;
/// The X's at the template's end.
const PLACES: usize = 6;

/// Fills the template's X's, which stand before `suffix` bytes, until `make` takes the name.
unsafe fn with_name(
    template: *mut c_char,
    suffix: c_int,
    mut make: impl FnMut(*const c_char) -> isize,
) -> Result<usize, c_int> {
    let len = string::len(template);
    let end = usize::try_from(suffix).ok().and_then(|suffix| len.checked_sub(suffix)).ok_or(libc::EINVAL)?;
    let start = end.checked_sub(PLACES).ok_or(libc::EINVAL)?;
    let places = core::slice::from_raw_parts_mut(template.add(start).cast::<u8>(), PLACES);
    if places != b"XXXXXX" {
        return Err(libc::EINVAL);
    }
    for _ in 0..ATTEMPTS {
        let mut random = [0u8; 8];
        sys::result(sys::getrandom(random.as_mut_ptr().cast(), random.len(), 0))?;
        let mut random = u64::from_ne_bytes(random);
        for place in &mut *places {
            *place = LETTERS[(random % 62) as usize];
            random /= 62;
        }
        match sys::result(make(template)) {
            Err(libc::EEXIST) => {}
            other => return other,
        }
    }
    Err(libc::EEXIST)
}

c_api! {
    /// mkostemps(3).
    fn mkostemps(template: *mut c_char, suffix: c_int, flags: c_int) -> c_int {
        let flags = flags & !libc::O_ACCMODE | libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
        match with_name(template, suffix, |path| sys::openat(libc::AT_FDCWD, path, flags, 0o600)) {
            Ok(fd) => fd as c_int,
            Err(errno) => errno::fail(errno),
        }
    }

    /// mkdtemp(3).
    fn mkdtemp(template: *mut c_char) -> *mut c_char {
        match with_name(template, 0, |path| sys::mkdirat(libc::AT_FDCWD, path, 0o700)) {
            Ok(_) => template,
            Err(errno) => {
                errno::set(errno);
                core::ptr::null_mut()
            }
        }
    }

    /// mktemp(3): a name that nothing had; an empty one after an error.
    fn mktemp(template: *mut c_char) -> *mut c_char {
        let free = |path: *const c_char| {
            let mut known: libc::stat = core::mem::zeroed();
            match sys::newfstatat(libc::AT_FDCWD, path, &mut known, libc::AT_SYMLINK_NOFOLLOW) {
                0 => -libc::EEXIST as isize,
                raw if raw == -libc::ENOENT as isize => 0,
                raw => raw,
            }
        };
        if let Err(errno) = with_name(template, 0, free) {
            errno::set(errno);
            *template = 0;
        }
        template
    }

    /// mkstemp(3).
    fn mkstemp(template: *mut c_char) -> c_int { mkostemps(template, 0, 0) }

    /// mkostemp(3).
    fn mkostemp(template: *mut c_char, flags: c_int) -> c_int { mkostemps(template, 0, flags) }

    /// mkstemps(3).
    fn mkstemps(template: *mut c_char, suffix: c_int) -> c_int { mkostemps(template, suffix, 0) }
}

c_alias! {
    fn mkstemp64 = mkstemp[template: *mut c_char] -> c_int;
    fn mkostemp64 = mkostemp[template: *mut c_char, flags: c_int] -> c_int;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::{CStr, CString};

    #[test]
    fn makes_what_was_not_there() {
        let dir = std::env::temp_dir();
        let name = |end: &str| CString::new(format!("{}/relibc-{end}", dir.display())).expect("no NUL").into_raw();
        // SAFETY: templates are writable strings; the descriptor is ours.
        unsafe {
            let file = name("XXXXXX.txt");
            let fd = mkstemps(file, 4);
            assert!(fd >= 0);
            libc::close(fd);
            let path = CString::from_raw(file).into_string().expect("UTF-8");
            assert!(path.ends_with(".txt") && !path.contains("XXXXXX"));
            std::fs::remove_file(path).expect("it was made");
            let made = name("XXXXXX");
            assert_eq!(mkdtemp(made), made);
            std::fs::remove_dir(CStr::from_ptr(made).to_str().expect("UTF-8")).expect("it was made");
            assert_eq!(mkdtemp(made), core::ptr::null_mut());
            assert_eq!(errno::get(), libc::EINVAL);
            drop(CString::from_raw(made));
        }
    }
}
