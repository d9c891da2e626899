//! Text files that are tables, such as /etc/passwd: looking for a line, going through all, and packing a line's fields into the
//! buffer that the caller of a `…_r` function gives.

use crate::lock::Lock;
use crate::stdio::api::getdelim;
use crate::stdio::file::File;
use crate::{errno, heap, pwd};
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int};
use core::mem::MaybeUninit;
use core::ptr;

/// The caller's buffer.
pub struct Buffer {
    at: *mut c_char,
    left: usize,
}

/// The buffer is too small: ERANGE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Buffer {
    /// A buffer of `room` bytes.
    ///
    /// # Safety
    /// They are the caller's to write as long as this lives, and as what is put there is used.
    pub unsafe fn new(at: *mut c_char, room: usize) -> Buffer {
        Buffer { at, left: room }
    }

    /// Puts a string and a NUL there.
    ///
    /// # Errors
    /// There is no room.
    pub fn text(&mut self, text: &[u8]) -> Result<*mut c_char, Full> {
        if text.len() >= self.left {
            return Err(Full);
        }
        let start = self.at;
        // SAFETY: there is room, by `new`.
        unsafe {
            ptr::copy_nonoverlapping(text.as_ptr(), start.cast(), text.len());
            *start.add(text.len()) = 0;
            self.at = start.add(text.len() + 1);
        }
        self.left -= text.len() + 1;
        Ok(start)
    }

    /// Puts a list of pointers there, with a null behind.
    ///
    /// # Errors
    /// There is no room.
    pub fn list<T>(&mut self, list: &[*mut T]) -> Result<*mut *mut T, Full> {
        let align = self.at.align_offset(align_of::<*mut T>());
        let size = align + (list.len() + 1) * size_of::<*mut T>();
        if size > self.left {
            return Err(Full);
        }
        // SAFETY: there is room, by `new`.
        unsafe {
            let start = self.at.add(align).cast::<*mut T>();
            ptr::copy_nonoverlapping(list.as_ptr(), start, list.len());
            *start.add(list.len()) = ptr::null_mut();
            self.at = self.at.add(size);
            self.left -= size;
            Ok(start)
        }
    }

    /// Puts bytes there, at a multiple of 8.
    ///
    /// # Errors
    /// There is no room.
    pub fn aligned(&mut self, bytes: &[u8]) -> Result<*mut c_char, Full> {
        let gap = self.at.align_offset(8);
        if gap.saturating_add(bytes.len()) > self.left {
            return Err(Full);
        }
        // SAFETY: there is room, by `new`.
        unsafe {
            let start = self.at.add(gap);
            ptr::copy_nonoverlapping(bytes.as_ptr(), start.cast(), bytes.len());
            self.at = start.add(bytes.len());
            self.left -= gap + bytes.len();
            Ok(start)
        }
    }

    /// Puts strings there, and the list of them.
    ///
    /// # Errors
    /// There is no room.
    pub fn texts<'a>(&mut self, texts: impl Iterator<Item = &'a [u8]>) -> Result<*mut *mut c_char, Full> {
        let list = texts.map(|text| self.text(text)).collect::<Result<Vec<_>, _>>()?;
        self.list(&list)
    }
}

/// Makes an entry of a line, its strings in the buffer. None for a line that is none.
pub type Store<C> = fn(&[u8], &mut Buffer) -> Option<Result<C, Full>>;

/// The answer of functions that give a pointer to memory of their own.
struct Place<C> {
    entry: MaybeUninit<C>,
    buffer: Vec<u8>,
}

/// A file, and what is needed to go through it.
pub struct Database<C> {
    path: &'static [u8],
    store: Store<C>,
    /// The text and the place in it, for getpwent and its like.
    cursor: Lock<Option<(Vec<u8>, usize)>>,
    place: UnsafeCell<Place<C>>,
}

// SAFETY: `place` is used by functions only that are documented not to be thread-safe.
unsafe impl<C> Sync for Database<C> {}

/// Bytes that the own buffer starts with; it grows as needed.
const ROOM: usize = 1024;

/// Lines that may be entries: neither empty nor a comment, without blanks in front.
fn line_at(text: &[u8], at: usize) -> (&[u8], usize) {
    let rest = &text[at..];
    let len = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    (clean(&rest[..len]), (at + len + 1).min(text.len()))
}

fn clean(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii_start();
    if line.first() == Some(&b'#') { &[] } else { line }
}

impl<C: Copy> Database<C> {
    /// The file at `path`, which ends in NUL.
    pub const fn new(path: &'static [u8], store: Store<C>) -> Database<C> {
        let place = Place { entry: MaybeUninit::uninit(), buffer: Vec::new() };
        Database { path, store, cursor: Lock::new(None), place: UnsafeCell::new(place) }
    }

    /// Looks for the first entry that is wanted. Returns 0, also if there is none (then `result` is null), or ERANGE.
    ///
    /// # Safety
    /// The pointers are those of getpwnam_r(3).
    pub unsafe fn find_r(
        &self,
        wanted: impl Fn(&C) -> bool,
        out: *mut C,
        buffer: *mut c_char,
        room: usize,
        result: *mut *mut C,
    ) -> c_int {
        *result = ptr::null_mut();
        let text = pwd::read_file(self.path).unwrap_or_default();
        let mut at = 0;
        while at < text.len() {
            let (line, next) = line_at(&text, at);
            at = next;
            match (self.store)(line, &mut Buffer::new(buffer, room)) {
                Some(Ok(entry)) if wanted(&entry) => {
                    *out = entry;
                    *result = out;
                    return 0;
                }
                Some(Err(Full)) => return libc::ERANGE,
                _ => {}
            }
        }
        0
    }

    /// The next entry. Returns 0, ENOENT behind the last, or ERANGE (then the entry comes again).
    ///
    /// # Safety
    /// The pointers are those of getpwent_r(3).
    pub unsafe fn next_r(&self, out: *mut C, buffer: *mut c_char, room: usize, result: *mut *mut C) -> c_int {
        *result = ptr::null_mut();
        let mut cursor = self.cursor.lock();
        let (text, at) = cursor.get_or_insert_with(|| (pwd::read_file(self.path).unwrap_or_default(), 0));
        while *at < text.len() {
            let (line, next) = line_at(text, *at);
            match (self.store)(line, &mut Buffer::new(buffer, room)) {
                Some(Err(Full)) => return libc::ERANGE,
                Some(Ok(entry)) => {
                    *at = next;
                    *out = entry;
                    *result = out;
                    return 0;
                }
                None => *at = next,
            }
        }
        libc::ENOENT
    }

    /// Runs a `…_r` function on memory of the library, with as much room as it needs. Null if it finds nothing.
    ///
    /// # Safety
    /// No other thread does so.
    pub unsafe fn own(&self, call: impl Fn(*mut C, *mut c_char, usize, *mut *mut C) -> c_int) -> *mut C {
        let place = &mut *self.place.get();
        loop {
            let mut result = ptr::null_mut();
            let (buffer, room) = (place.buffer.as_mut_ptr().cast(), place.buffer.len());
            match call(place.entry.as_mut_ptr(), buffer, room, &mut result) {
                libc::ERANGE => place.buffer.resize((room * 2).max(ROOM), 0),
                0 | libc::ENOENT => return result,
                error => {
                    errno::set(error);
                    return ptr::null_mut();
                }
            }
        }
    }

    /// [`Self::find_r`] on memory of the library.
    ///
    /// # Safety
    /// As [`Self::own`].
    pub unsafe fn find(&self, wanted: impl Fn(&C) -> bool) -> *mut C {
        self.own(|out, buffer, room, result| self.find_r(&wanted, out, buffer, room, result))
    }

    /// [`Self::next_r`] on memory of the library.
    ///
    /// # Safety
    /// As [`Self::own`].
    pub unsafe fn next(&self) -> *mut C {
        self.own(|out, buffer, room, result| self.next_r(out, buffer, room, result))
    }

    /// Starts again with the first entry.
    pub fn rewind(&self) {
        *self.cursor.lock() = None;
    }

    /// An entry from a string. Returns 0, ENOENT if it is none, or ERANGE.
    ///
    /// # Safety
    /// As [`Self::next_r`].
    pub unsafe fn parse_r(
        &self,
        line: &[u8],
        out: *mut C,
        buffer: *mut c_char,
        room: usize,
        result: *mut *mut C,
    ) -> c_int {
        *result = ptr::null_mut();
        match (self.store)(clean(line), &mut Buffer::new(buffer, room)) {
            Some(Ok(entry)) => {
                *out = entry;
                *result = out;
                0
            }
            Some(Err(Full)) => libc::ERANGE,
            None => libc::ENOENT,
        }
    }

    /// The next entry of a stream. Returns 0, ENOENT at its end, or ERANGE (then the line comes again, if the stream can go back).
    ///
    /// # Safety
    /// As [`Self::next_r`]; the stream is open.
    pub unsafe fn read_r(
        &self,
        file: *mut File,
        out: *mut C,
        buffer: *mut c_char,
        room: usize,
        result: *mut *mut C,
    ) -> c_int {
        *result = ptr::null_mut();
        let (mut line, mut size) = (ptr::null_mut(), 0);
        let error = loop {
            let before = crate::stdio::api::ftello(file);
            let len = getdelim(&mut line, &mut size, c_int::from(b'\n'), file);
            if len < 0 {
                break libc::ENOENT;
            }
            let text = core::slice::from_raw_parts(line.cast::<u8>(), len as usize);
            let text = text.strip_suffix(b"\n").unwrap_or(text);
            match self.parse_r(text, out, buffer, room, result) {
                libc::ENOENT => {}
                error => {
                    if error == libc::ERANGE && before >= 0 {
                        crate::stdio::api::fseeko(file, before, libc::SEEK_SET);
                    }
                    break error;
                }
            }
        };
        heap::c_free(line.cast());
        error
    }
}

/// Splits a line at colons into exactly `N` fields; those that are missing are empty, the last takes the rest.
pub fn colons<const N: usize>(line: &[u8]) -> [&[u8]; N] {
    let mut fields = [&[][..]; N];
    for (field, text) in fields.iter_mut().zip(line.splitn(N, |&byte| byte == b':')) {
        *field = text;
    }
    fields
}

/// A decimal number, the whole field.
pub fn number<T: core::str::FromStr>(field: &[u8]) -> Option<T> {
    core::str::from_utf8(field).ok()?.parse().ok()
}

/// The words of a line, up to a comment.
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let line = line.split(|&byte| byte == b'#').next().unwrap_or_default();
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}
