//! Streams in memory: `open_memstream`, `fmemopen`; and temporary files. stdio.h.

use super::api::{add, add_with, mode};
use super::backend::Backend;
use super::file::{File, NO_READS};
use crate::heap::{c_free, c_malloc};
use crate::{errno, string, sys};
use alloc::boxed::Box;
use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use libc::size_t;

/// Where a seek leads from `at` in `len` bytes; None when that is negative.
fn target(offset: i64, whence: c_int, at: usize, len: usize) -> Option<usize> {
    let base = match whence {
        libc::SEEK_SET => 0,
        libc::SEEK_CUR => at,
        libc::SEEK_END => len,
        _ => return None,
    };
    usize::try_from(i64::try_from(base).ok()?.checked_add(offset)?).ok()
}

/// `open_memstream`: a block that grows, and the program's variables that tell where and how long it is.
struct Growing {
    out: *mut *mut c_char,
    size: *mut size_t,
    block: *mut u8,
    room: usize,
    len: usize,
    at: usize,
}

impl Growing {
    /// Room for `wanted` bytes and a NUL; what is new is zero.
    unsafe fn reserve(&mut self, wanted: usize) -> bool {
        if wanted < self.room {
            return true;
        }
        let room = (wanted + 1).max(self.room * 2).max(64);
        let block = c_malloc(room).cast::<u8>();
        if block.is_null() {
            return false;
        }
        ptr::copy_nonoverlapping(self.block, block, self.len);
        ptr::write_bytes(block.add(self.len), 0, room - self.len);
        c_free(self.block.cast());
        (self.block, self.room) = (block, room);
        true
    }

    unsafe fn publish(&mut self) {
        *self.out = self.block.cast();
        *self.size = self.at;
    }
}

impl Backend for Growing {
    unsafe fn read(&mut self, _to: *mut u8, _len: usize) -> isize {
        -libc::EBADF as isize
    }

    unsafe fn write(&mut self, from: *const u8, len: usize) -> isize {
        if !self.reserve(self.at.saturating_add(len)) {
            return -libc::ENOMEM as isize;
        }
        ptr::copy_nonoverlapping(from, self.block.add(self.at), len);
        self.at += len;
        self.len = self.len.max(self.at);
        self.publish();
        len as isize
    }

    unsafe fn seek(&mut self, offset: i64, whence: c_int) -> isize {
        let Some(at) = target(offset, whence, self.at, self.len) else { return -libc::EINVAL as isize };
        if !self.reserve(at) {
            return -libc::ENOMEM as isize;
        }
        self.at = at;
        self.publish();
        at as isize
    }

    unsafe fn close(&mut self) -> isize {
        self.publish();
        0
    }
}

/// `fmemopen`: a block of fixed size.
struct Fixed {
    block: *mut u8,
    /// The block is the library's.
    own: bool,
    append: bool,
    size: usize,
    /// Where the text in it ends.
    len: usize,
    at: usize,
}

impl Backend for Fixed {
    unsafe fn read(&mut self, to: *mut u8, len: usize) -> isize {
        let count = len.min(self.len.saturating_sub(self.at));
        ptr::copy_nonoverlapping(self.block.add(self.at), to, count);
        self.at += count;
        count as isize
    }

    unsafe fn write(&mut self, from: *const u8, len: usize) -> isize {
        let start = if self.append { self.len } else { self.at };
        // A NUL goes behind the text unless it ends in one.
        let terminate = len == 0 || *from.add(len - 1) != 0;
        let mut count = len;
        if start + len > self.size {
            if start + usize::from(terminate) >= self.size {
                return -libc::ENOSPC as isize;
            }
            count = self.size - start;
        }
        ptr::copy_nonoverlapping(from, self.block.add(start), count);
        self.at = start + count;
        if self.at > self.len {
            self.len = self.at;
            if self.len < self.size && terminate {
                *self.block.add(self.len) = 0;
            } else if !self.append && terminate {
                *self.block.add(self.size - 1) = 0;
            }
        }
        count as isize
    }

    unsafe fn seek(&mut self, offset: i64, whence: c_int) -> isize {
        match target(offset, whence, self.at, self.len) {
            Some(at) if at <= self.size => {
                self.at = at;
                at as isize
            }
            _ => -libc::EINVAL as isize,
        }
    }

    unsafe fn close(&mut self) -> isize {
        if self.own {
            c_free(self.block.cast());
        }
        0
    }
}

c_api! {
    /// open_memstream(3).
    fn open_memstream(out: *mut *mut c_char, size: *mut size_t) -> *mut File {
        let mut stream = Growing { out, size, block: ptr::null_mut(), room: 0, len: 0, at: 0 };
        if !stream.reserve(0) {
            errno::set(libc::ENOMEM);
            return ptr::null_mut();
        }
        stream.publish();
        add_with(-1, NO_READS, Some(Box::new(stream)))
    }

    /// fmemopen(3), as since glibc 2.22.
    fn fmemopen(block: *mut c_void, size: size_t, text: *const c_char) -> *mut File {
        let Some((_, flags)) = mode(text) else {
            errno::set(libc::EINVAL);
            return ptr::null_mut();
        };
        let kind = string::bytes(text)[0];
        let own = block.is_null();
        let block = if own { c_malloc(size.max(1)).cast::<u8>() } else { block.cast() };
        if block.is_null() {
            errno::set(libc::ENOMEM);
            return ptr::null_mut();
        }
        if size > 0 && (own || kind == b'w' && *text.add(1) as u8 == b'+') {
            *block = 0;
        }
        let len = if kind == b'r' { size } else { string::strnlen(block.cast(), size) };
        let append = kind == b'a';
        let at = if append { len } else { 0 };
        add_with(-1, flags, Some(Box::new(Fixed { block, own, append, size, len, at })))
    }

    /// tmpfile(3).
    fn tmpfile() -> *mut File {
        let unnamed = sys::openat(libc::AT_FDCWD, c"/tmp".as_ptr(), libc::O_RDWR | libc::O_TMPFILE | libc::O_EXCL, 0o600);
        if unnamed >= 0 {
            return add(unnamed as c_int, 0);
        }
        // Not every file system has files without names.
        let mut template = *b"/tmp/tmpfXXXXXX\0";
        let fd = crate::tempfile::mkstemp(template.as_mut_ptr().cast());
        if fd < 0 {
            return ptr::null_mut();
        }
        sys::unlinkat(libc::AT_FDCWD, template.as_ptr().cast(), 0);
        add(fd, 0)
    }
}

c_alias! {
    fn tmpfile64 = tmpfile[] -> *mut File;
}
