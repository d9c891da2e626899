//! `ftw.h`: walks over file trees. ftw(3), nftw(3).
//!
//! A directory's names are read before its files are visited, so that no more than one descriptor is open however few the caller
//! allows, except with FTW_CHDIR, which holds one for each level to come back by.

use crate::dirent::{closedir, fdopendir, readdir};
use crate::{errno, string, sys};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};
use libc::stat;

type Visit = unsafe extern "C" fn(*const c_char, *const stat, c_int) -> c_int;
type VisitAt = unsafe extern "C" fn(*const c_char, *const stat, c_int, *mut Place) -> c_int;

/// `struct FTW`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Place {
    base: c_int,
    level: c_int,
}

#[derive(Clone, Copy)]
enum Function {
    Plain(Visit),
    At(VisitAt),
}

const FILE: c_int = 0;
const DIRECTORY: c_int = 1;
const UNREADABLE: c_int = 2;
const UNKNOWN: c_int = 3;
const LINK: c_int = 4;
const DIRECTORY_DONE: c_int = 5;
const DANGLING: c_int = 6;

const PHYS: c_int = 1;
const MOUNT: c_int = 2;
const CHDIR: c_int = 4;
const DEPTH: c_int = 8;
const ACTION: c_int = 16;
const SKIP_SUBTREE: c_int = 2;
const SKIP_SIBLINGS: c_int = 3;

/// A walk in progress. An error is told as −1 with `errno` set, like a result of the function that is not 0.
struct Walk {
    function: Function,
    flags: c_int,
    /// The path of the file, without NUL.
    path: Vec<u8>,
    place: Place,
    /// The device of the start.
    device: u64,
    /// Directories that were entered through links or not.
    known: BTreeSet<(u64, u64)>,
}

impl Walk {
    unsafe fn call(&mut self, stat: &stat, kind: c_int) -> c_int {
        self.path.push(0);
        let path = self.path.as_ptr().cast();
        let result = match self.function {
            Function::Plain(visit) => {
                let kind = match kind {
                    LINK => FILE,
                    DIRECTORY_DONE => DIRECTORY,
                    DANGLING => UNKNOWN,
                    other => other,
                };
                visit(path, stat, kind)
            }
            Function::At(visit) => visit(path, stat, kind, &mut self.place),
        };
        self.path.pop();
        result
    }

    /// The name that system calls use: with FTW_CHDIR its last part.
    fn name(&self) -> Vec<u8> {
        let start = if self.flags & CHDIR != 0 { self.place.base as usize } else { 0 };
        let mut name = self.path.get(start..).filter(|name| !name.is_empty()).unwrap_or(&self.path).to_vec();
        name.push(0);
        name
    }

    unsafe fn look(&self, stat: &mut stat, follow: bool) -> c_int {
        let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
        errno::int(sys::newfstatat(libc::AT_FDCWD, self.name().as_ptr().cast(), stat, flags))
    }

    unsafe fn entry(&mut self) -> c_int {
        let mut stat: stat = core::mem::zeroed();
        let mut kind = FILE;
        if self.look(&mut stat, self.flags & PHYS == 0) < 0 {
            if !matches!(errno::get(), libc::EACCES | libc::ENOENT) {
                return -1;
            }
            let link = self.flags & PHYS == 0
                && self.look(&mut stat, false) == 0
                && stat.st_mode & libc::S_IFMT == libc::S_IFLNK;
            kind = if link { DANGLING } else { UNKNOWN };
        } else {
            match stat.st_mode & libc::S_IFMT {
                libc::S_IFDIR => kind = DIRECTORY,
                libc::S_IFLNK => kind = LINK,
                _ => {}
            }
        }
        let mut result = 0;
        if kind == UNKNOWN || self.flags & MOUNT == 0 || stat.st_dev == self.device {
            if kind != DIRECTORY {
                result = self.call(&stat, kind);
            } else if self.flags & PHYS != 0 || self.known.insert((stat.st_dev, stat.st_ino)) {
                result = self.directory(&stat);
            }
        }
        if self.flags & ACTION != 0 && result == SKIP_SUBTREE { 0 } else { result }
    }

    unsafe fn directory(&mut self, stat: &stat) -> c_int {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC | libc::O_NONBLOCK;
        let fd = errno::int(sys::openat(libc::AT_FDCWD, self.name().as_ptr().cast(), flags, 0));
        if fd < 0 {
            return if errno::get() == libc::EACCES { self.call(stat, UNREADABLE) } else { -1 };
        }
        let names = match names(fd) {
            Ok(names) => names,
            Err(errno) => return errno::fail(errno),
        };
        if self.flags & DEPTH == 0 {
            let result = self.call(stat, DIRECTORY);
            if result != 0 {
                return result;
            }
        }
        let back = match self.enter() {
            Ok(back) => back,
            Err(errno) => return errno::fail(errno),
        };
        let (place, len) = (self.place, self.path.len());
        if self.path.last() != Some(&b'/') {
            self.path.push(b'/');
        }
        let start = self.path.len();
        self.place = Place { base: start as c_int, level: place.level + 1 };
        let mut result = 0;
        for name in names {
            self.path.truncate(start);
            self.path.extend_from_slice(&name);
            result = self.entry();
            if result != 0 {
                break;
            }
        }
        self.path.truncate(len);
        self.place = place;
        if self.flags & ACTION != 0 && result == SKIP_SIBLINGS {
            result = 0;
        }
        // With FTW_CHDIR that is still in the directory itself.
        if result == 0 && self.flags & DEPTH != 0 {
            result = self.call(stat, DIRECTORY_DONE);
        }
        if let Some(back) = back {
            let before = errno::get();
            let raw = sys::fchdir(back);
            sys::close(back);
            errno::set(before);
            if raw < 0 && result == 0 {
                return errno::int(raw);
            }
        }
        result
    }

    /// With FTW_CHDIR, enters the directory; a descriptor of the one before.
    unsafe fn enter(&mut self) -> Result<Option<c_int>, c_int> {
        if self.flags & CHDIR == 0 {
            return Ok(None);
        }
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        let back = sys::result(sys::openat(libc::AT_FDCWD, c".".as_ptr(), flags, 0))? as c_int;
        let raw = sys::chdir(self.name().as_ptr().cast());
        if raw < 0 {
            sys::close(back);
            return Err(-raw as c_int);
        }
        Ok(Some(back))
    }
}

/// The names in a directory, whose descriptor it closes.
unsafe fn names(fd: c_int) -> Result<Vec<Vec<u8>>, c_int> {
    let stream = fdopendir(fd);
    if stream.is_null() {
        let errno = errno::get();
        sys::close(fd);
        return Err(errno);
    }
    let mut names = Vec::new();
    let before = errno::get();
    errno::set(0);
    loop {
        let entry = readdir(stream);
        if entry.is_null() {
            break;
        }
        let name = string::bytes((&raw const (*entry).d_name).cast());
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    let outcome = errno::get();
    closedir(stream);
    errno::set(before);
    if outcome == 0 { Ok(names) } else { Err(outcome) }
}

unsafe fn walk(path: *const c_char, function: Function, flags: c_int) -> c_int {
    let mut path = string::bytes(path).to_vec();
    if path.is_empty() {
        return errno::fail(libc::ENOENT);
    }
    while path.len() > 1 && path.last() == Some(&b'/') {
        path.pop();
    }
    let base = match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) if path.len() > 1 => slash + 1,
        _ => 0,
    };
    let place = Place { base: base as c_int, level: 0 };
    let mut walk = Walk { function, flags, path, place, device: 0, known: BTreeSet::new() };
    let mut back = -1;
    if flags & CHDIR != 0 {
        let open = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        back = errno::int(sys::openat(libc::AT_FDCWD, c".".as_ptr(), open, 0));
        if back < 0 {
            return -1;
        }
        if base > 0 {
            let mut dir = walk.path[..base].to_vec();
            dir.push(0);
            let raw = sys::chdir(dir.as_ptr().cast());
            if raw < 0 {
                sys::close(back);
                return errno::int(raw);
            }
        }
    }
    let mut stat: stat = core::mem::zeroed();
    // The start must be there; what cannot be looked at is an error, not an entry.
    let result = match walk.look(&mut stat, flags & PHYS == 0) {
        0 => {
            walk.device = stat.st_dev;
            walk.entry()
        }
        // A link that leads nowhere is one, all the same.
        _ if flags & PHYS == 0 && errno::get() == libc::ENOENT && walk.look(&mut stat, false) == 0 => walk.entry(),
        _ => -1,
    };
    if back >= 0 {
        let before = errno::get();
        sys::fchdir(back);
        sys::close(back);
        errno::set(before);
    }
    if flags & ACTION != 0 && matches!(result, SKIP_SUBTREE | SKIP_SIBLINGS) { 0 } else { result }
}

c_api! {
    /// ftw(3).
    fn ftw(path: *const c_char, visit: Visit, _descriptors: c_int) -> c_int { walk(path, Function::Plain(visit), 0) }

    /// nftw(3).
    fn nftw(path: *const c_char, visit: VisitAt, _descriptors: c_int, flags: c_int) -> c_int {
        if flags & !(PHYS | MOUNT | CHDIR | DEPTH | ACTION) != 0 {
            return errno::fail(libc::EINVAL);
        }
        walk(path, Function::At(visit), flags)
    }
}

c_alias! {
    fn ftw64 = ftw[path: *const c_char, visit: Visit, descriptors: c_int] -> c_int;
    fn nftw64 = nftw[path: *const c_char, visit: VisitAt, descriptors: c_int, flags: c_int] -> c_int;
}
