//! Where libraries are looked for. ld.so(8).
//!
//! A name with a slash is a path. Otherwise: DT_RPATH (of an object without DT_RUNPATH),
//! LD_LIBRARY_PATH, DT_RUNPATH, the default directories.

use super::error::{Result, fail, show};
use super::map::File;
use super::object::Object;
use crate::string::error_text;
use alloc::vec::Vec;

/// Searched last, in this order.
const DEFAULT_DIRS: [&[u8]; 6] =
    [b"/lib/x86_64-linux-gnu", b"/usr/lib/x86_64-linux-gnu", b"/lib64", b"/usr/lib64", b"/lib", b"/usr/lib"];

/// Names that this library is itself.
const BUILT_IN: [&[u8]; 9] = [
    b"libc.so.6",
    b"libm.so.6",
    b"libpthread.so.0",
    b"libdl.so.2",
    b"librt.so.1",
    b"libutil.so.1",
    b"libresolv.so.2",
    b"ld-linux-x86-64.so.2",
    b"libanl.so.1",
];

/// Whether `name`, with or without directories, means this library.
pub fn is_built_in(name: &[u8]) -> bool {
    let file = name.rsplit(|&byte| byte == b'/').next().unwrap_or(name);
    BUILT_IN.contains(&file)
}

/// Finds and opens the file for `name`, which `wanted_by` asks for.
///
/// # Errors
/// A sentence with the name, and why it could not be opened.
pub fn open(name: &[u8], wanted_by: Option<&Object>, library_path: Option<&[u8]>) -> Result<File> {
    if name.contains(&0) || name.is_empty() {
        return Err(fail!("{}: invalid library name", show(name)));
    }
    if name.contains(&b'/') {
        return File::open(with_nul(name)).map_err(|errno| cannot_open(name, errno));
    }
    let mut first_errno = libc::ENOENT;
    let mut attempt = |dir: &[u8]| -> Option<File> {
        let mut path = Vec::with_capacity(dir.len() + name.len() + 2);
        path.extend_from_slice(if dir.is_empty() { b"." } else { dir });
        path.push(b'/');
        path.extend_from_slice(name);
        path.push(0);
        match File::open(path) {
            Ok(file) => Some(file),
            Err(errno) => {
                if first_errno == libc::ENOENT && errno != libc::ENOTDIR {
                    first_errno = errno;
                }
                None
            }
        }
    };
    let mut lists: Vec<(&[u8], &[u8])> = Vec::new();
    let origin = wanted_by.map(origin_of).unwrap_or_default();
    if let Some(object) = wanted_by
        && object.runpath.is_none()
        && let Some(rpath) = object.rpath
    {
        lists.push((rpath, &origin));
    }
    if let Some(path) = library_path {
        lists.push((path, b""));
    }
    if let Some(runpath) = wanted_by.and_then(|object| object.runpath) {
        lists.push((runpath, &origin));
    }
    for (list, origin) in lists {
        for dir in list.split(|&byte| byte == b':' || byte == b';') {
            if let Some(file) = attempt(&expand(dir, origin)) {
                return Ok(file);
            }
        }
    }
    if let Some(file) = DEFAULT_DIRS.iter().find_map(|dir| attempt(dir)) {
        return Ok(file);
    }
    Err(cannot_open(name, first_errno))
}

fn cannot_open(name: &[u8], errno: i32) -> super::error::Error {
    fail!("{}: cannot open shared object file: {}", show(name), error_text(errno))
}

fn with_nul(name: &[u8]) -> Vec<u8> {
    let mut path = name.to_vec();
    path.push(0);
    path
}

/// The directory an object was loaded from.
fn origin_of(object: &Object) -> Vec<u8> {
    let mut path = object.path_bytes().to_vec();
    if path.is_empty() {
        path = super::start::program_path();
    }
    if path.first() != Some(&b'/') {
        let mut absolute = crate::unistd::current_dir().unwrap_or_default();
        absolute.push(b'/');
        absolute.extend_from_slice(&path);
        path = absolute;
    }
    let end = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    path.truncate(end);
    path
}

/// Replaces $ORIGIN, ${ORIGIN}, $LIB and $PLATFORM.
fn expand(dir: &[u8], origin: &[u8]) -> Vec<u8> {
    let tokens: [(&[u8], &[u8]); 6] = [
        (b"$ORIGIN", origin),
        (b"${ORIGIN}", origin),
        (b"$LIB", b"lib/x86_64-linux-gnu"),
        (b"${LIB}", b"lib/x86_64-linux-gnu"),
        (b"$PLATFORM", b"x86_64"),
        (b"${PLATFORM}", b"x86_64"),
    ];
    let mut out = Vec::with_capacity(dir.len() + origin.len());
    let mut rest = dir;
    while let Some(&byte) = rest.first() {
        if let Some((token, value)) = tokens.iter().find(|(token, _)| rest.starts_with(token)) {
            out.extend_from_slice(value);
            rest = &rest[token.len()..];
        } else {
            out.push(byte);
            rest = &rest[1..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_is_replaced() {
        assert_eq!(expand(b"$ORIGIN/../lib", b"/a/b"), b"/a/b/../lib");
        assert_eq!(expand(b"${ORIGIN}", b"/a"), b"/a");
        assert_eq!(expand(b"/x/$OTHER", b"/a"), b"/x/$OTHER");
    }

    #[test]
    fn built_in_names_are_ours() {
        assert!(is_built_in(b"libm.so.6") && is_built_in(b"/lib64/ld-linux-x86-64.so.2"));
        assert!(!is_built_in(b"libgcc_s.so.1"));
    }
}
