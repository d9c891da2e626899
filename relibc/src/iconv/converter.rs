//! A conversion in progress.

use super::coding::{Coding, Progress, Refusal};
use super::{names, translit};
use crate::locale;
use crate::wide::Decoded;

/// Why a conversion stopped before the end of its input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// What comes next is no character, or the target has none for it (EILSEQ).
    Illegal,
    /// The input ends within a character (EINVAL).
    Incomplete,
    /// The next character does not fit (E2BIG).
    Full,
}

/// What `iconv_t` points to.
#[derive(Debug)]
pub struct Converter {
    from: Coding,
    to: Coding,
    reading: Progress,
    writing: Progress,
    transliterate: bool,
    ignore: bool,
}

/// A name and what stands behind its `//`.
fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match name.windows(2).position(|window| window == b"//") {
        Some(at) => (&name[..at], &name[at + 2..]),
        None => (name, b""),
    }
}

impl Converter {
    /// A conversion between two charsets by their names. None: one of them is unknown.
    pub fn new(from: &[u8], to: &[u8]) -> Option<Converter> {
        let (from, _) = split(from);
        let (to, options) = split(to);
        let option = |wanted: &[u8]| {
            options.split(|byte| matches!(byte, b',' | b'/')).any(|option| option.eq_ignore_ascii_case(wanted))
        };
        let (from, to) = (names::find(from)?, names::find(to)?);
        // glibc has no step from wide characters to themselves.
        if matches!((from, to), (Coding::Internal, Coding::Internal)) {
            return None;
        }
        Some(Converter {
            from,
            to,
            reading: Progress::default(),
            writing: Progress::default(),
            transliterate: option(b"TRANSLIT"),
            ignore: option(b"IGNORE"),
        })
    }

    /// Back to the start of a text.
    pub fn reset(&mut self) {
        self.reading = Progress::default();
        self.writing = Progress::default();
    }

    /// Converts `input`, which shrinks, into `out` from `done` on, which grows. The number of characters that something stands in for.
    pub fn run(&mut self, input: &mut &[u8], out: &mut [u8], done: &mut usize) -> Result<usize, Stop> {
        let mut replaced = 0;
        let mut ignored = false;
        if matches!(self.from, Coding::Internal) {
            *done += self.to.write_mark(&mut self.writing, &mut out[*done..]).ok_or(Stop::Full)?;
        }
        loop {
            let mark = self.from.mark(&mut self.reading, input);
            *input = &input[mark..];
            if input.is_empty() {
                break;
            }
            // In one step a full output comes before a bad input; before a short one only where units are copied.
            let short = input.len() < self.from.size();
            let copied = matches!(
                (self.from, self.to),
                (Coding::Internal, Coding::Ucs4(_)) | (Coding::Ucs4(_), Coding::Internal)
            );
            if (copied || matches!(self.to, Coding::Internal) && !short) && out.len() - *done < self.to.size() {
                return Err(Stop::Full);
            }
            let used = match self.from.read(&self.reading, input) {
                Decoded::Char(wide, used) => match self.put(wide, out, done) {
                    Ok(stood_in) => {
                        replaced += usize::from(stood_in);
                        used
                    }
                    Err(Stop::Illegal) if self.ignore => {
                        ignored = true;
                        used
                    }
                    Err(stop) => return Err(stop),
                },
                Decoded::Illegal(len) if self.ignore => {
                    ignored = true;
                    len
                }
                Decoded::Illegal(_) => return Err(Stop::Illegal),
                Decoded::Incomplete if ignored => return Err(Stop::Illegal),
                Decoded::Incomplete => return Err(Stop::Incomplete),
            };
            *input = &input[used..];
        }
        if ignored { Err(Stop::Illegal) } else { Ok(replaced) }
    }

    /// Writes a character, or what stands in for it (then true).
    fn put(&mut self, wide: u32, out: &mut [u8], done: &mut usize) -> Result<bool, Stop> {
        *done += self.to.write_mark(&mut self.writing, &mut out[*done..]).ok_or(Stop::Full)?;
        // As in glibc a full output comes before a bad character.
        if out.len() - *done < self.to.size() {
            return Err(Stop::Full);
        }
        match self.write(&[wide], out, done)? {
            Ok(()) => return Ok(false),
            Err(Refusal::Missing) if self.to.drops_tags() && crate::wide::is_tag(wide) => return Ok(false),
            Err(Refusal::Missing) if self.transliterate => {}
            Err(_) => return Err(Stop::Illegal),
        }
        let charset = locale::current().charset();
        for text in translit::stand_ins(charset, wide).into_iter().flatten() {
            let mut wides = [0; 32];
            let mut len = 0;
            for (slot, character) in wides.iter_mut().zip(text.chars()) {
                *slot = character as u32;
                len += 1;
            }
            if self.write(&wides[..len], out, done)?.is_ok() {
                return Ok(true);
            }
        }
        match self.write(&[u32::from(b'?')], out, done)? {
            Ok(()) => Ok(true),
            Err(_) => Err(Stop::Illegal),
        }
    }

    /// Writes characters, all or none.
    fn write(&self, wides: &[u32], out: &mut [u8], done: &mut usize) -> Result<Result<(), Refusal>, Stop> {
        let mut at = *done;
        for &wide in wides {
            let mut bytes = [0; 8];
            let len = match self.to.write(wide, &mut bytes) {
                Ok(len) => len,
                Err(refusal) => return Ok(Err(refusal)),
            };
            out.get_mut(at..at + len).ok_or(Stop::Full)?.copy_from_slice(&bytes[..len]);
            at += len;
        }
        *done = at;
        Ok(Ok(()))
    }
}
