//! Conversion between charsets: iconv(3).
//!
//! [`names`] knows the charsets and their aliases, [`coding`] reads and writes a character in one, [`translit`] has stand-ins for characters that a
//! charset lacks, and [`converter`] puts them together.

mod api;
mod coding;
mod converter;
#[cfg(test)]
mod generate;
mod names;
mod single;
mod tables;
mod translit;

pub use api::*;

use alloc::vec;
use alloc::vec::Vec;
use converter::{Converter, Stop};

/// A whole text in another charset, with stand-ins for what that lacks. None: an unknown charset, or a text that is not in `from`.
pub(crate) fn transliterated(from: &[u8], to: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let mut converter = Converter::new(from, &[to, b"//TRANSLIT"].concat())?;
    // A stand-in has at most as many bytes as this for each of the text.
    let mut out = vec![0; text.len() * 32 + 16];
    let (mut input, mut done) = (text, 0);
    match converter.run(&mut input, &mut out, &mut done) {
        Ok(_) => {
            out.truncate(done);
            Some(out)
        }
        Err(Stop::Illegal | Stop::Incomplete | Stop::Full) => None,
    }
}
