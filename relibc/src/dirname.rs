//! `libgen.h`: parts of paths. basename(3), dirname(3).
//!
//! Both write into the path they are given. GNU's `basename`, which does not, is with the strings.

use crate::string;
use core::ffi::c_char;

/// "." and "/", which are returned for paths without what was asked for; callers do not write to them.
const DOT: *mut c_char = c".".as_ptr().cast_mut();

/// Length of the path without the slashes at its end; a path of slashes keeps its first.
fn trimmed(path: &[u8]) -> usize {
    path.iter().rposition(|&byte| byte != b'/').map_or(path.len().min(1), |last| last + 1)
}

c_api! {
    /// dirname(3).
    fn dirname(path: *mut c_char) -> *mut c_char {
        if path.is_null() {
            return DOT;
        }
        let bytes = string::bytes(path);
        if bytes == b"//" {
            return path;
        }
        let name_end = trimmed(bytes);
        let Some(slash) = bytes[..name_end].iter().rposition(|&byte| byte == b'/') else { return DOT };
        // Two slashes alone before the name stay, as in glibc.
        let keep = match trimmed(&bytes[..=slash]) {
            1 if slash == 1 && bytes[0] == b'/' => 2,
            keep => keep,
        };
        *path.add(keep) = 0;
        path
    }

    /// basename(3) of POSIX.
    fn __xpg_basename(path: *mut c_char) -> *mut c_char {
        if path.is_null() || *path == 0 {
            return DOT;
        }
        let bytes = string::bytes(path);
        let end = trimmed(bytes);
        let start = bytes[..end].iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        if start == end {
            // Only slashes: the last is the name.
            return path.add(bytes.len() - 1);
        }
        if end < bytes.len() {
            *path.add(end) = 0;
        }
        path.add(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ffi::{CStr, CString};

    unsafe extern "C" {
        #[link_name = "dirname"]
        fn host_dirname(path: *mut c_char) -> *mut c_char;
        #[link_name = "__xpg_basename"]
        fn host_basename(path: *mut c_char) -> *mut c_char;
    }

    proptest! {
        #[test]
        fn parts_are_the_hosts(path in "[ab/]{0,8}") {
            let part = |function: unsafe extern "C" fn(*mut c_char) -> *mut c_char| {
                let mut copy = CString::new(path.as_str()).expect("no NUL").into_bytes_with_nul();
                // SAFETY: a writable string.
                unsafe { CStr::from_ptr(function(copy.as_mut_ptr().cast())).to_owned() }
            };
            prop_assert_eq!(part(dirname), part(host_dirname));
            prop_assert_eq!(part(__xpg_basename), part(host_basename));
        }
    }
}
