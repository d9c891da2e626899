//! Wide characters: `wchar.h`, `wctype.h`, `uchar.h`, and the multibyte functions of `stdlib.h`.

mod checked;
mod classes;
mod convert;
#[cfg(test)]
mod generate;
mod numbers;
mod single;
mod string;
mod tables;
mod time;
mod uchar;
mod utf8;

pub use checked::*;
pub use classes::*;
pub use convert::*;
pub use numbers::*;
pub use single::*;
pub use string::*;
pub use time::*;
pub use uchar::*;
pub use utf8::{Decoded, decode, encode, is_tag};

/// `wint_t`'s WEOF.
pub const WEOF: u32 = u32::MAX;

/// `mbstate_t`: what glibc keeps in it. All zero between characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct State {
    /// Bytes read of an unfinished character; times 256 plus that, how many it has.
    pub(crate) count: u32,
    /// The bits read of it, shifted to their places.
    pub(crate) value: u32,
}

const _: () = assert!(size_of::<State>() == 8);
