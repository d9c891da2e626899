//! Where libraries are looked for. ld.so(8).
//!
//! A name with a slash is a path. Otherwise: DT_RPATH (if who asks has no DT_RUNPATH: its own, that of whoever made it be loaded
//! and so on, and the program's, of those without DT_RUNPATH), LD_LIBRARY_PATH, DT_RUNPATH, the default directories.

use super::debug::debug;
use super::error::{Error, Result, show};
use super::header::{self, OTHER_CLASS, Verdict};
use super::map::File;
use super::object::{Object, ObjectRef};
use super::registry::Held;
use alloc::vec::Vec;
use core::ffi::c_int;

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
/// Nothing was found, or what was found is no library.
pub fn open(name: &[u8], wanted_by: Option<ObjectRef>, held: &Held) -> Result<File> {
    if name.contains(&b'/') {
        let path = expand(name, &wanted_by.map(|object| origin_of(&object)).unwrap_or_default());
        let mut search = Search { name, errno: libc::ENOENT, other_class: false };
        return match search.attempt(with_nul(&path))? {
            Some(file) => Ok(file),
            None => Err(search.failed()),
        };
    }
    debug!(LIBS, "find library={} [0]; searching", show(name));
    let mut lists: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let (library_path, program) =
        held.with(|registry| (registry.library_path.clone(), registry.objects.first().copied()));
    let runpath = wanted_by.and_then(|object| object.runpath.map(|path| (path.to_vec(), origin_of(&object))));
    if runpath.is_none() {
        // DT_RPATH of who asks, of who made it be loaded, and so on, and of the program.
        let chain = core::iter::successors(wanted_by, |object| object.loader.get());
        let mut met = Vec::new();
        for object in chain.chain(program) {
            if met.contains(&object) {
                continue;
            }
            met.push(object);
            if let Some(rpath) = object.rpath.filter(|_| object.runpath.is_none()) {
                lists.push((rpath.to_vec(), origin_of(&object)));
            }
        }
    }
    lists.extend(library_path.map(|path| (path, Vec::new())));
    lists.extend(runpath);
    let mut search = Search { name, errno: libc::ENOENT, other_class: false };
    for (list, origin) in &lists {
        for dir in list.split(|&byte| byte == b':' || byte == b';') {
            if let Some(file) = search.in_dir(&expand(dir, origin))? {
                return Ok(file);
            }
        }
    }
    for dir in DEFAULT_DIRS {
        if let Some(file) = search.in_dir(dir)? {
            return Ok(file);
        }
    }
    Err(search.failed())
}

/// A search for one name.
struct Search<'a> {
    name: &'a [u8],
    /// Why the most telling attempt failed.
    errno: c_int,
    /// A 32-bit library of that name exists.
    other_class: bool,
}

impl Search<'_> {
    fn in_dir(&mut self, dir: &[u8]) -> Result<Option<File>> {
        let mut path = Vec::with_capacity(dir.len() + self.name.len() + 2);
        path.extend_from_slice(if dir.is_empty() { b"." } else { dir });
        path.push(b'/');
        path.extend_from_slice(self.name);
        debug!(LIBS, "  trying file={}", show(&path));
        path.push(0);
        self.attempt(path)
    }

    /// Opens a path. What is there and no library at all ends the search.
    fn attempt(&mut self, path: Vec<u8>) -> Result<Option<File>> {
        let file = match File::open(path.clone()) {
            Ok(file) => file,
            Err(libc::EISDIR) => {
                let path = path.strip_suffix(&[0]).unwrap_or(&path);
                return Err(Error::new(show(path), "cannot read file data", libc::EISDIR));
            }
            Err(errno) => {
                if self.errno == libc::ENOENT && errno != libc::ENOTDIR {
                    self.errno = errno;
                }
                return Ok(None);
            }
        };
        match header::read(&file)? {
            Verdict::Good(_) => Ok(Some(file)),
            Verdict::OtherClass => {
                self.other_class = true;
                Ok(None)
            }
            Verdict::OtherMachine => Ok(None),
        }
    }

    fn failed(&self) -> Error {
        if self.other_class {
            return Error::new(show(self.name), OTHER_CLASS, 0);
        }
        Error::new(show(self.name), "cannot open shared object file", self.errno)
    }
}

fn with_nul(name: &[u8]) -> Vec<u8> {
    let mut path = name.to_vec();
    path.push(0);
    path
}

/// The directory an object was loaded from.
pub fn origin_of(object: &Object) -> Vec<u8> {
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
