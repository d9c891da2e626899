//! `string.h` and `strings.h`.
//!
//! [`mem`] moves and fills memory, [`scan`] looks through it 16 bytes at a time, [`plain`] is the rest,
//! [`errors`] and [`signals`] have the messages of their numbers.

mod error_names;
pub mod errors;
pub mod mem;
pub mod plain;
pub mod scan;
pub mod signals;

pub use errors::text as error_text;
pub use mem::*;
pub use plain::*;
pub use scan::*;
pub use signals::*;

use core::ffi::c_char;

/// Length of a C string.
///
/// # Safety
/// `text` ends in NUL.
#[inline]
pub unsafe fn len(text: *const c_char) -> usize {
    scan::strlen(text)
}

/// A C string as bytes, without NUL.
///
/// # Safety
/// `text` ends in NUL and lives as long as the result is used.
pub unsafe fn bytes<'a>(text: *const c_char) -> &'a [u8] {
    core::slice::from_raw_parts(text.cast(), len(text))
}

#[cfg(test)]
mod tests;
