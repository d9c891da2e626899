//! What `scanf` reads from, and what it writes to.

use super::file::File;
use crate::errno;
use crate::heap::{c_free, c_malloc};
use crate::locale;
use crate::va::VaList;
use crate::wide::{self, Decoded};
use alloc::vec::Vec;
use core::ffi::c_int;
use core::ptr;

/// Where text comes from.
pub enum Source<'a> {
    /// A stream, locked by the caller.
    Stream(&'a mut File),
    /// The rest of a string.
    Text(&'a [u8]),
}

/// Text to be read byte by byte, and how far that went.
pub struct Input<'a> {
    source: Source<'a>,
    count: usize,
    /// The end was met; it is not tried again.
    ended: bool,
    /// The errno of the read that met it.
    error: c_int,
}

impl<'a> Input<'a> {
    /// Reading from the start.
    pub fn new(source: Source<'a>) -> Input<'a> {
        Input { source, count: 0, ended: false, error: 0 }
    }

    /// The next byte; None at the end or after an error.
    ///
    /// # Safety
    /// The stream, if it is one, is the caller's.
    pub unsafe fn next(&mut self) -> Option<u8> {
        if self.ended {
            return None;
        }
        let byte = match &mut self.source {
            Source::Stream(file) => {
                let byte = file.ahead().first().copied();
                if byte.is_some() {
                    file.read_ptr = file.read_ptr.add(1);
                }
                byte
            }
            Source::Text(text) => {
                let byte = text.first().copied();
                *text = text.get(1..).unwrap_or(&[]);
                byte
            }
        };
        match byte {
            Some(_) => self.count += 1,
            None => {
                self.ended = true;
                if let Source::Stream(file) = &self.source
                    && file.flags & super::file::ERROR != 0
                {
                    self.error = errno::get();
                }
            }
        }
        byte
    }

    /// Puts the byte read last back; None is no byte.
    ///
    /// # Safety
    /// As [`Self::next`].
    pub unsafe fn back(&mut self, byte: Option<u8>) {
        if let Some(byte) = byte {
            self.count -= 1;
            match &mut self.source {
                Source::Stream(file) => {
                    file.unget(byte);
                }
                // SAFETY: the slice was advanced over this byte.
                Source::Text(text) => *text = core::slice::from_raw_parts(text.as_ptr().sub(1), text.len() + 1),
            }
        }
    }

    /// Bytes read.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether a signal ended the input.
    pub fn interrupted(&self) -> bool {
        self.ended && self.error == libc::EINTR
    }

    /// Skips white space, whatever ends it.
    ///
    /// # Safety
    /// As [`Self::next`].
    pub unsafe fn skip_until_end(&mut self) {
        loop {
            match self.next() {
                Some(byte) if byte == b' ' || (9..=13).contains(&byte) => {}
                other => return self.back(other),
            }
        }
    }
}

/// The pointers that were passed, in order or by number; and the blocks stored through them.
pub struct Arguments<'a> {
    list: &'a mut VaList,
    /// Those read by number so far.
    numbered: Vec<usize>,
    kept: Vec<*mut *mut u8>,
}

impl<'a> Arguments<'a> {
    /// All of a list.
    pub fn new(list: &'a mut VaList) -> Arguments<'a> {
        Arguments { list, numbered: Vec::new(), kept: Vec::new() }
    }

    /// The next pointer, or the one with this number.
    ///
    /// # Safety
    /// There is one.
    pub unsafe fn pointer<T>(&mut self, position: Option<usize>) -> *mut T {
        let Some(position) = position else { return self.list.pointer() };
        while self.numbered.len() < position.max(1) {
            self.numbered.push(self.list.word() as usize);
        }
        ptr::with_exposed_provenance_mut(self.numbered[position.max(1) - 1])
    }

    /// Notes a block made for the caller.
    pub fn keep(&mut self, place: *mut *mut u8) {
        self.kept.push(place);
    }

    /// Takes such blocks back: the call ends as if it had read nothing.
    ///
    /// # Safety
    /// The places hold what was stored.
    pub unsafe fn free_kept(&mut self) {
        for place in self.kept.drain(..) {
            c_free((*place).cast());
            *place = ptr::null_mut();
        }
    }
}

/// Where characters go: a buffer of the caller's, a new block, or nowhere; as they are or as wide characters.
pub struct Target {
    /// The buffer's next byte, or null.
    at: *mut u8,
    /// Where to store the block, or null.
    place: *mut *mut u8,
    block: Vec<u8>,
    wide: bool,
    /// Bytes of an unfinished character.
    partial: Vec<u8>,
}

impl Target {
    /// Throws characters away, but checks them if they are wide.
    pub fn nowhere(wide: bool) -> Target {
        Target { at: ptr::null_mut(), place: ptr::null_mut(), block: Vec::new(), wide, partial: Vec::new() }
    }

    /// Stores at `argument`, or a block's address there.
    pub fn new(argument: *mut u8, allocate: bool, wide: bool) -> Target {
        let mut target = Target::nowhere(wide);
        match allocate {
            true => target.place = argument.cast(),
            false => target.at = argument,
        }
        target
    }

    unsafe fn store(&mut self, bytes: &[u8]) -> Result<(), ()> {
        if !self.at.is_null() {
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.at, bytes.len());
            self.at = self.at.add(bytes.len());
        } else if !self.place.is_null() {
            if self.block.try_reserve(bytes.len()).is_err() {
                errno::set(libc::ENOMEM);
                return Err(());
            }
            self.block.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Whether the last character is complete.
    pub fn between_characters(&self) -> bool {
        self.partial.is_empty()
    }

    /// Adds a byte.
    ///
    /// # Errors
    /// With `errno` set: no memory, or no character.
    ///
    /// # Safety
    /// There is room at the argument.
    pub unsafe fn put(&mut self, byte: u8) -> Result<(), ()> {
        if !self.wide {
            return self.store(&[byte]);
        }
        self.partial.push(byte);
        match wide::decode(locale::current().charset(), &self.partial) {
            Decoded::Char(wide, _) => {
                self.partial.clear();
                self.store(&wide.to_ne_bytes())
            }
            Decoded::Incomplete => Ok(()),
            Decoded::Illegal(_) => {
                errno::set(libc::EILSEQ);
                Err(())
            }
        }
    }

    /// Ends the text, with a NUL if it is a string, and stores the block.
    ///
    /// # Errors
    /// With `errno` set: no memory, or the last character is not complete.
    ///
    /// # Safety
    /// As [`Self::put`].
    pub unsafe fn end(&mut self, terminate: bool) -> Result<(), ()> {
        if !self.between_characters() {
            errno::set(libc::EILSEQ);
            return Err(());
        }
        if terminate {
            self.store(if self.wide { &[0; 4] } else { &[0] })?;
        }
        if !self.place.is_null() {
            let block = c_malloc(self.block.len()).cast::<u8>();
            if block.is_null() {
                errno::set(libc::ENOMEM);
                return Err(());
            }
            ptr::copy_nonoverlapping(self.block.as_ptr(), block, self.block.len());
            *self.place = block;
        }
        Ok(())
    }

    /// Stores that there is no block.
    ///
    /// # Safety
    /// As [`Self::put`].
    pub unsafe fn give_up(&mut self) {
        if !self.place.is_null() {
            *self.place = ptr::null_mut();
        }
    }

    /// Where the block was stored.
    pub fn allocated(&self) -> Option<*mut *mut u8> {
        (!self.place.is_null()).then_some(self.place)
    }
}
