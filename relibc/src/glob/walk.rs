//! Finding the paths that match, one part of the pattern after the other.

use super::{ABORTED, ALTDIRFUNC, ERR, Glob, MAGCHAR, MARK, NOESCAPE, ONLYDIR, OnError, PERIOD, magic, unescape};
use crate::dirent::{Dir, closedir, opendir, readdir};
use crate::fnmatch::fnmatch;
use crate::{errno, string, sys};
use alloc::vec::Vec;
use core::ffi::{c_int, c_void};
use libc::dirent64;

/// The search for one pattern.
pub struct Walk<'a> {
    /// Flags of glob(3).
    pub flags: c_int,
    /// The program's function for directories that cannot be read.
    pub on_error: OnError,
    /// Holds the program's own functions.
    pub glob: &'a Glob,
    /// What was found, in no order.
    pub found: Vec<Vec<u8>>,
}

fn with_nul(path: &[u8]) -> Vec<u8> {
    [path, b"\0"].concat()
}

impl Walk<'_> {
    /// The type of a file, following links or not; None if it is not there.
    unsafe fn mode(&self, path: &[u8], follow: bool) -> Option<u32> {
        let name = with_nul(path);
        let mut stat: libc::stat = core::mem::zeroed();
        let function = if follow { self.glob.stat } else { self.glob.lstat };
        let result = match function.filter(|_| self.flags & ALTDIRFUNC != 0) {
            Some(function) => function(name.as_ptr().cast(), &mut stat) as isize,
            None => {
                let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
                sys::newfstatat(libc::AT_FDCWD, name.as_ptr().cast(), &mut stat, flags)
            }
        };
        (result == 0).then_some(stat.st_mode & libc::S_IFMT)
    }

    unsafe fn is_directory(&self, path: &[u8]) -> bool {
        self.mode(path, true) == Some(libc::S_IFDIR)
    }

    /// The entries of a directory: name and type.
    unsafe fn entries(&self, path: &[u8]) -> Result<Vec<(Vec<u8>, u8)>, c_int> {
        let name = with_nul(if path.is_empty() { b"." } else { path });
        let own = (self.flags & ALTDIRFUNC != 0).then_some(self.glob);
        let dir = match own.and_then(|glob| glob.opendir) {
            Some(open) => open(name.as_ptr().cast()),
            None => opendir(name.as_ptr().cast()).cast::<c_void>(),
        };
        if dir.is_null() {
            let errno = errno::get();
            let stop = self.on_error.is_some_and(|function| function(name.as_ptr().cast(), errno) != 0);
            let aborts = errno != libc::ENOTDIR && (stop || self.flags & ERR != 0);
            return if aborts { Err(ABORTED) } else { Ok(Vec::new()) };
        }
        let mut list = Vec::new();
        loop {
            let entry: *mut dirent64 = match own.and_then(|glob| glob.readdir) {
                Some(read) => read(dir),
                None => readdir(dir.cast::<Dir>()),
            };
            if entry.is_null() {
                break;
            }
            if (*entry).d_ino != 0 {
                list.push((string::bytes((&raw const (*entry).d_name).cast()).to_vec(), (*entry).d_type));
            }
        }
        match own.and_then(|glob| glob.closedir) {
            Some(close) => close(dir),
            None => {
                closedir(dir.cast::<Dir>());
            }
        }
        Ok(list)
    }

    unsafe fn accept(&mut self, mut path: Vec<u8>) {
        if self.flags & MARK != 0 && self.is_directory(&path) {
            path.push(b'/');
        }
        self.found.push(path);
    }

    /// Goes on behind `done`, which exists, with the rest of the pattern.
    unsafe fn parts(&mut self, done: &[u8], rest: &[u8]) -> Result<(), c_int> {
        let slashes = rest.iter().take_while(|&&byte| byte == b'/').count();
        let mut done = done.to_vec();
        done.extend_from_slice(&rest[..slashes]);
        let rest = &rest[slashes..];
        if rest.is_empty() {
            self.accept(done);
            return Ok(());
        }
        let end = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
        let (part, rest) = rest.split_at(end);
        let escapes = self.flags & NOESCAPE == 0;
        let escaped = escapes && part.contains(&b'\\');
        let wild = magic(part, escapes);
        // In glibc an escape counts as magic here, too.
        if rest.is_empty() && (wild || escaped) && (done.is_empty() || self.is_directory(&done)) {
            self.flags |= MAGCHAR;
        }
        if !wild {
            done.extend_from_slice(&unescape(part, self.flags));
            let directory = !rest.is_empty() || escaped && self.flags & ONLYDIR != 0;
            let there = if directory { self.is_directory(&done) } else { self.mode(&done, false).is_some() };
            return if there { self.parts(&done, rest) } else { Ok(()) };
        }
        let pattern = with_nul(part);
        let mut how = if self.flags & NOESCAPE != 0 { libc::FNM_NOESCAPE } else { 0 };
        // Only at the end may a wildcard find a name with a period in front.
        if self.flags & PERIOD == 0 || !rest.is_empty() {
            how |= libc::FNM_PERIOD;
        }
        for (name, kind) in self.entries(&done)? {
            let maybe_directory = matches!(kind, libc::DT_DIR | libc::DT_LNK | libc::DT_UNKNOWN);
            if (!rest.is_empty() || self.flags & ONLYDIR != 0) && !maybe_directory {
                continue;
            }
            if fnmatch(pattern.as_ptr().cast(), with_nul(&name).as_ptr().cast(), how) != 0 {
                continue;
            }
            let path = [done.as_slice(), &name].concat();
            if !rest.is_empty() && !self.is_directory(&path) {
                continue;
            }
            if rest.is_empty() && self.flags & ONLYDIR != 0 && kind != libc::DT_DIR && !self.is_directory(&path) {
                continue;
            }
            self.parts(&path, rest)?;
        }
        Ok(())
    }

    /// Finds all.
    ///
    /// # Errors
    /// `GLOB_ABORTED`, when a directory cannot be read and that matters.
    ///
    /// # Safety
    /// The program's functions are as glob(3) says.
    pub unsafe fn run(&mut self, pattern: &[u8]) -> Result<(), c_int> {
        let mut pattern = pattern;
        if pattern.is_empty() {
            return Ok(());
        }
        // As in glibc a slash at the end marks directories, and wildcards before it find nothing else.
        if pattern.len() > 1 && pattern.last() == Some(&b'/') {
            pattern = &pattern[..pattern.len() - 1];
            self.flags |= MARK | ONLYDIR;
        }
        self.parts(b"", pattern)
    }
}
