//! Streams: `struct _IO_FILE` with glibc's layout, buffers and locks.
//!
//! Compiled macros use the read and write pointers directly: a byte is put at `write_ptr` while that is below
//! `write_end`, otherwise `__overflow` is called; so `write_end` stays at the buffer's start unless the stream is
//! fully buffered. A stream is reading (`read_end` set), writing (flag `PUTTING`), or neither.

use super::backend::Backend;
use crate::lock::{Lock, RawLock};
use crate::{errno, heap, sys, thread};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ffi::{c_int, c_void};
use core::ptr;

/// The buffer is the program's.
pub const USER_BUF: c_int = 1;
/// Every write goes out at once.
pub const UNBUFFERED: c_int = 2;
/// Not open for reading.
pub const NO_READS: c_int = 4;
/// Not open for writing.
pub const NO_WRITES: c_int = 8;
/// The end was met.
pub const EOF: c_int = 0x10;
/// An operation failed.
pub const ERROR: c_int = 0x20;
/// A line goes out when it ends.
pub const LINE: c_int = 0x200;
/// The buffer holds bytes to be written.
pub const PUTTING: c_int = 0x800;
/// Writes go to the end of the file.
pub const APPEND: c_int = 0x1000;
const MAGIC: c_int = 0xfbad_0000_u32 as c_int;
/// Bytes of a buffer, and those in front of it for `ungetc`.
const BUFFER: usize = 4096;
const PUSHBACK: usize = 8;

/// A stream.
#[repr(C)]
pub struct File {
    pub(super) flags: c_int,
    pub(super) read_ptr: *mut u8,
    pub(super) read_end: *mut u8,
    pub(super) read_base: *mut u8,
    pub(super) write_base: *mut u8,
    pub(super) write_ptr: *mut u8,
    pub(super) write_end: *mut u8,
    pub(super) buf_base: *mut u8,
    pub(super) buf_end: *mut u8,
    unused1: [usize; 5],
    pub(super) fd: c_int,
    unused2: [u8; 15],
    short: [u8; 5],
    unused3: [usize; 10],
    // Behind the 216 bytes that programs know:
    lock: RawLock,
    owner: usize,
    depth: usize,
    /// The process at the other end of a stream of `popen`.
    pub(super) pid: c_int,
    /// What is read and written instead of a descriptor.
    pub(super) backend: Option<Box<dyn Backend>>,
    /// 1: for wide characters; −1: for bytes; 0: not used yet. fwide(3).
    orientation: c_int,
}

const _: () = assert!(core::mem::offset_of!(File, fd) == 112 && core::mem::offset_of!(File, lock) == 216);

impl File {
    /// A stream on a descriptor.
    pub const fn new(fd: c_int, flags: c_int) -> File {
        File {
            flags: flags | MAGIC,
            read_ptr: ptr::null_mut(),
            read_end: ptr::null_mut(),
            read_base: ptr::null_mut(),
            write_base: ptr::null_mut(),
            write_ptr: ptr::null_mut(),
            write_end: ptr::null_mut(),
            buf_base: ptr::null_mut(),
            buf_end: ptr::null_mut(),
            unused1: [0; 5],
            fd,
            unused2: [0; 15],
            short: [0; 5],
            unused3: [0; 10],
            lock: RawLock::new(),
            owner: 0,
            depth: 0,
            pid: 0,
            backend: None,
            orientation: 0,
        }
    }

    /// Takes the stream's orientation from it.
    pub(super) fn disorient(&mut self) {
        self.orientation = 0;
    }

    /// Gives the stream an orientation, by a number's sign, if it has none; what it has then.
    pub(super) fn orient(&mut self, mode: c_int) -> c_int {
        if self.orientation == 0 {
            self.orientation = mode.signum();
        }
        self.orientation
    }

    /// Reads from what the stream stands on; a count or a negated errno.
    unsafe fn raw_read(&mut self, to: *mut u8, len: usize) -> isize {
        match &mut self.backend {
            Some(backend) => backend.read(to, len),
            None => sys::read(self.fd, to.cast::<c_void>(), len),
        }
    }

    /// Writes to what the stream stands on; a count or a negated errno.
    unsafe fn raw_write(&mut self, from: *const u8, len: usize) -> isize {
        match &mut self.backend {
            Some(backend) => backend.write(from, len),
            None => sys::write(self.fd, from.cast(), len),
        }
    }

    /// Moves in what the stream stands on; the new position or a negated errno.
    pub(super) unsafe fn raw_seek(&mut self, offset: i64, whence: c_int) -> isize {
        match &mut self.backend {
            Some(backend) => backend.seek(offset, whence),
            None => sys::lseek(self.fd, offset, whence),
        }
    }

    /// Closes what the stream stands on; 0 or a negated errno.
    pub(super) unsafe fn raw_close(&mut self) -> isize {
        let fd = core::mem::replace(&mut self.fd, -1);
        match self.backend.take() {
            Some(mut backend) => backend.close(),
            None => sys::close(fd),
        }
    }

    unsafe fn allocate(&mut self) {
        if !self.buf_base.is_null() {
            return;
        }
        let errno = errno::get();
        let block =
            if self.flags & UNBUFFERED == 0 { heap::c_malloc(BUFFER + PUSHBACK).cast::<u8>() } else { ptr::null_mut() };
        if block.is_null() {
            self.flags |= UNBUFFERED | USER_BUF;
            self.buf_base = (&raw mut self.short).cast();
            self.buf_end = self.buf_base.add(1);
        } else {
            self.buf_base = block;
            self.buf_end = block.add(BUFFER + PUSHBACK);
            if self.flags & LINE == 0 && self.backend.is_none() && crate::unistd::isatty(self.fd) != 0 {
                self.flags |= LINE;
            }
        }
        errno::set(errno);
    }

    /// Sets the pointers to "neither reading nor writing".
    pub(super) fn idle(&mut self) {
        let base = self.buf_base;
        (self.read_base, self.read_ptr, self.read_end) = (base, base, base);
        (self.write_base, self.write_ptr, self.write_end) = (base, base, base);
        self.flags &= !PUTTING;
    }

    unsafe fn write_out(&mut self, mut from: *const u8, mut len: usize) -> bool {
        while len > 0 {
            let raw = self.raw_write(from, len);
            // A cookie that takes less than it was given has failed.
            if raw < 0 || self.backend.is_some() && raw as usize != len {
                if raw < 0 {
                    errno::set(-raw as c_int);
                }
                self.flags |= ERROR;
                return false;
            }
            from = from.add(raw as usize);
            len -= raw as usize;
        }
        true
    }

    /// Writes out what is buffered, or gives back what was read ahead.
    pub(super) unsafe fn flush(&mut self) -> bool {
        if self.flags & PUTTING != 0 {
            let len = self.write_ptr.offset_from_unsigned(self.write_base);
            let done = self.write_out(self.write_base, len);
            self.write_ptr = self.write_base;
            return done;
        }
        let ahead = self.read_end.offset_from_unsigned(self.read_ptr);
        if ahead > 0 {
            let raw = self.raw_seek(-(ahead as i64), libc::SEEK_CUR);
            if raw < 0 {
                return true; // A pipe or terminal keeps what was read.
            }
            self.idle();
        }
        true
    }

    unsafe fn start_writing(&mut self) -> bool {
        if self.flags & NO_WRITES != 0 {
            self.flags |= ERROR;
            errno::set(libc::EBADF);
            return false;
        }
        if self.flags & PUTTING == 0 {
            self.allocate();
            self.flush();
            self.idle();
            self.flags |= PUTTING;
            if self.flags & (LINE | UNBUFFERED) == 0 {
                self.write_end = self.buf_end;
            }
        }
        true
    }

    /// Writes; the number of bytes taken.
    pub(super) unsafe fn write(&mut self, bytes: &[u8]) -> usize {
        self.orient(-1);
        if !self.start_writing() {
            return 0;
        }
        let room = self.buf_end.offset_from_unsigned(self.write_ptr);
        let direct = self.flags & UNBUFFERED != 0 || bytes.len() > room;
        if direct {
            if !self.flush() || !self.write_out(bytes.as_ptr(), bytes.len()) {
                return 0;
            }
            return bytes.len();
        }
        ptr::copy_nonoverlapping(bytes.as_ptr(), self.write_ptr, bytes.len());
        self.write_ptr = self.write_ptr.add(bytes.len());
        if self.flags & LINE != 0 && bytes.contains(&b'\n') && !self.flush() {
            return 0;
        }
        bytes.len()
    }

    /// Reads into the buffer, which is empty; false at the end or on an error.
    pub(super) unsafe fn fill(&mut self) -> bool {
        self.orient(-1);
        if self.flags & NO_READS != 0 {
            self.flags |= ERROR;
            errno::set(libc::EBADF);
            return false;
        }
        if self.flags & PUTTING != 0 && !self.flush() {
            return false;
        }
        self.allocate();
        self.idle();
        if self.flags & (LINE | UNBUFFERED) != 0 && !ptr::eq(self, stdout) && (*stdout).flags & LINE != 0 {
            with(stdout, |out| out.flush());
        }
        let whole = self.buf_end.offset_from_unsigned(self.buf_base);
        let start = if whole > 2 * PUSHBACK { self.buf_base.add(PUSHBACK) } else { self.buf_base };
        let raw = self.raw_read(start, self.buf_end.offset_from_unsigned(start));
        (self.read_base, self.read_ptr, self.read_end) = (start, start, start);
        if raw <= 0 {
            if raw < 0 {
                errno::set(-raw as c_int);
            }
            self.flags |= if raw == 0 { EOF } else { ERROR };
            return false;
        }
        self.read_end = start.add(raw as usize);
        true
    }

    /// What is buffered for reading, after filling an empty buffer; empty at the end or on an error.
    pub(super) unsafe fn ahead(&mut self) -> &[u8] {
        if self.read_ptr == self.read_end && !self.fill() {
            return &[];
        }
        core::slice::from_raw_parts(self.read_ptr, self.read_end.offset_from_unsigned(self.read_ptr))
    }

    /// Puts a byte back in front of what is to be read.
    pub(super) unsafe fn unget(&mut self, byte: u8) -> bool {
        if self.flags & PUTTING != 0 {
            self.flush();
        }
        self.allocate();
        if self.flags & PUTTING != 0 || self.read_ptr.is_null() {
            self.idle();
        }
        if self.read_ptr == self.buf_base {
            let len = self.read_end.offset_from_unsigned(self.read_ptr);
            if self.read_end == self.buf_end {
                return false;
            }
            ptr::copy(self.read_ptr, self.read_ptr.add(1), len);
            self.read_ptr = self.read_ptr.add(1);
            self.read_end = self.read_end.add(1);
        }
        self.read_ptr = self.read_ptr.sub(1);
        *self.read_ptr = byte;
        self.flags &= !EOF;
        true
    }
}

static mut STDIN: File = File::new(0, NO_WRITES);
static mut STDOUT: File = File::new(1, NO_READS);
static mut STDERR: File = File::new(2, NO_READS | UNBUFFERED);

/// Standard input. A program may hold this variable itself, by copy relocation.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut stdin: *mut File = &raw mut STDIN;
/// Standard output; see [`stdin`].
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut stdout: *mut File = &raw mut STDOUT;
/// Standard error; see [`stdin`].
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut stderr: *mut File = &raw mut STDERR;

/// Streams the program opened.
pub static OPEN: Lock<Vec<*mut File>> = Lock::new(Vec::new());

/// Takes a stream's lock, which its holder may take again.
pub(super) unsafe fn lock(file: *mut File) {
    let this = thread::current().addr();
    if (&raw const (*file).owner).read_volatile() != this {
        (*file).lock.lock();
        (*file).owner = this;
    }
    (*file).depth += 1;
}

/// Gives the lock back.
pub(super) unsafe fn unlock(file: *mut File) {
    (*file).depth -= 1;
    if (*file).depth == 0 {
        (*file).owner = 0;
        (*file).lock.unlock();
    }
}

/// Works on a stream under its lock.
pub(super) unsafe fn with<T>(file: *mut File, work: impl FnOnce(&mut File) -> T) -> T {
    lock(file);
    let result = work(&mut *file);
    unlock(file);
    result
}

/// Every stream.
pub(super) unsafe fn all() -> Vec<*mut File> {
    let mut list = OPEN.lock().clone();
    list.extend([&raw mut STDIN, &raw mut STDOUT, &raw mut STDERR]);
    list
}

/// Flushes every stream when the process ends, but those that another thread is using.
///
/// # Safety
/// No stream is closed meanwhile.
pub unsafe fn flush_at_exit() {
    for file in all() {
        let owner = (&raw const (*file).owner).read_volatile();
        if owner == 0 || owner == thread::current().addr() {
            with(file, |file| file.flush());
        }
    }
}

/// Frees every stream's lock in a child of `fork`: threads that held them are not there.
///
/// # Safety
/// Called by the only thread, with [`OPEN`] locked.
pub unsafe fn fork_child(open: &[*mut File]) {
    for &file in open.iter().chain(&[&raw mut STDIN, &raw mut STDOUT, &raw mut STDERR]) {
        (*file).lock = RawLock::new();
        (*file).owner = 0;
        (*file).depth = 0;
    }
}
