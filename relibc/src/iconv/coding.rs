//! Charsets: one character read from bytes, or written to them, as glibc 2.36 does it.

use super::single::Table;
use crate::locale::Charset;
use crate::wide::{self, Decoded};

/// The order of a unit's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Least significant first.
    Little,
    /// Most significant first.
    Big,
    /// Little, unless a byte order mark says otherwise; written with a mark.
    Marked,
}

/// A charset.
#[derive(Clone, Copy, Debug)]
pub enum Coding {
    /// ASCII or UTF-8.
    Text(Charset),
    /// One byte a character.
    Single(&'static Table),
    /// UTF-16.
    Utf16(Order),
    /// UCS-2: UTF-16 without pairs.
    Ucs2(Order),
    /// UTF-32.
    Utf32(Order),
    /// UCS-4: 31 bits, surrogates among them.
    Ucs4(Order),
    /// The program's wide characters, which glibc converts in one step; the others go through them.
    Internal,
}

/// A byte order mark.
const MARK: u32 = 0xfeff;

/// What reading keeps between characters, and writing too.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// The first character, or mark, is over.
    started: bool,
    /// The mark said big-endian.
    big: bool,
}

/// Why a character cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The charset has no such character.
    Missing,
    /// It is no character, and nothing stands in for it.
    Invalid,
}

fn unit<const SIZE: usize>(bytes: &[u8], big: bool) -> Option<u32> {
    let part: [u8; SIZE] = bytes.get(..SIZE)?.try_into().ok()?;
    let add = |value: u32, byte: &u8| value << 8 | u32::from(*byte);
    Some(if big { part.iter().fold(0, add) } else { part.iter().rev().fold(0, add) })
}

fn is_surrogate(value: u32) -> bool {
    (0xd800..0xe000).contains(&value)
}

impl Coding {
    fn order(self) -> Option<Order> {
        match self {
            Coding::Utf16(order) | Coding::Ucs2(order) | Coding::Utf32(order) | Coding::Ucs4(order) => Some(order),
            Coding::Text(_) | Coding::Single(_) | Coding::Internal => None,
        }
    }

    /// Bytes of a unit.
    pub fn size(self) -> usize {
        match self {
            Coding::Utf16(_) | Coding::Ucs2(_) => 2,
            Coding::Utf32(_) | Coding::Ucs4(_) | Coding::Internal => 4,
            Coding::Text(_) | Coding::Single(_) => 1,
        }
    }

    /// Bytes of a byte order mark at the start of a text, which are to be skipped.
    pub fn mark(self, progress: &mut Progress, bytes: &[u8]) -> usize {
        if self.order() != Some(Order::Marked) || progress.started {
            return 0;
        }
        let (little, big) = if self.size() == 2 {
            (unit::<2>(bytes, false), unit::<2>(bytes, true))
        } else {
            (unit::<4>(bytes, false), unit::<4>(bytes, true))
        };
        if little.is_none() {
            return 0;
        }
        progress.started = true;
        progress.big = big == Some(MARK);
        if little == Some(MARK) || big == Some(MARK) { self.size() } else { 0 }
    }

    /// Reads the character at the start of `bytes`, which are not empty.
    pub fn read(self, progress: &Progress, bytes: &[u8]) -> Decoded {
        let big = match self.order() {
            Some(Order::Big) => true,
            Some(Order::Marked) => progress.big,
            _ => false,
        };
        match self {
            Coding::Text(charset) => wide::decode(charset, bytes),
            Coding::Single(table) => table.read(bytes[0]).map_or(Decoded::Illegal(1), |wide| Decoded::Char(wide, 1)),
            Coding::Ucs2(_) => match unit::<2>(bytes, big) {
                None => Decoded::Incomplete,
                Some(value) if is_surrogate(value) => Decoded::Illegal(2),
                Some(value) => Decoded::Char(value, 2),
            },
            Coding::Utf16(_) => match unit::<2>(bytes, big) {
                None => Decoded::Incomplete,
                Some(low @ 0xdc00..0xe000) => {
                    debug_assert!(is_surrogate(low));
                    Decoded::Illegal(2)
                }
                Some(high @ 0xd800..0xdc00) => match unit::<2>(&bytes[2..], big) {
                    None => Decoded::Incomplete,
                    Some(low @ 0xdc00..0xe000) => Decoded::Char(((high - 0xd7c0) << 10) + (low - 0xdc00), 4),
                    Some(_) => Decoded::Illegal(2),
                },
                Some(value) => Decoded::Char(value, 2),
            },
            Coding::Utf32(_) => match unit::<4>(bytes, big) {
                None => Decoded::Incomplete,
                Some(value) if value >= 0x11_0000 || is_surrogate(value) => Decoded::Illegal(4),
                Some(value) => Decoded::Char(value, 4),
            },
            Coding::Internal => unit::<4>(bytes, false).map_or(Decoded::Incomplete, |value| Decoded::Char(value, 4)),
            Coding::Ucs4(_) => match unit::<4>(bytes, big) {
                None => Decoded::Incomplete,
                Some(value) if value > 0x7fff_ffff => Decoded::Illegal(4),
                Some(value) => Decoded::Char(value, 4),
            },
        }
    }

    /// Writes the byte order mark if one is due; how many bytes, or None if there is no room.
    pub fn write_mark(self, progress: &mut Progress, to: &mut [u8]) -> Option<usize> {
        let due = self.order() == Some(Order::Marked) && !progress.started;
        let size = if due { self.size() } else { 0 };
        to.get_mut(..size)?.copy_from_slice(&MARK.to_le_bytes()[..size]);
        progress.started = true;
        Some(size)
    }

    /// Writes a character; how many bytes.
    pub fn write(self, wide: u32, to: &mut [u8; 8]) -> Result<usize, Refusal> {
        let big = self.order() == Some(Order::Big);
        let mut put = |at: usize, size: usize, value: u32| {
            let little = value.to_le_bytes();
            for (index, byte) in to[at..at + size].iter_mut().enumerate() {
                *byte = little[if big { size - 1 - index } else { index }];
            }
        };
        match self {
            Coding::Text(charset) => {
                let mut bytes = [0; 6];
                let len = wide::encode(charset, wide, &mut bytes).ok_or(Refusal::Missing)?;
                to[..len].copy_from_slice(&bytes[..len]);
                return Ok(len);
            }
            Coding::Single(table) => {
                to[0] = table.write(wide).ok_or(Refusal::Missing)?;
                return Ok(1);
            }
            Coding::Utf16(_) | Coding::Utf32(_) if is_surrogate(wide) => return Err(Refusal::Invalid),
            Coding::Utf16(_) | Coding::Utf32(_) if wide > 0x10_ffff => return Err(Refusal::Missing),
            Coding::Ucs2(_) if is_surrogate(wide) => return Err(Refusal::Invalid),
            Coding::Ucs2(_) if wide > 0xffff => return Err(Refusal::Missing),
            Coding::Utf16(_) if wide > 0xffff => {
                put(0, 2, 0xd7c0 + (wide >> 10));
                put(2, 2, 0xdc00 + (wide & 0x3ff));
                return Ok(4);
            }
            Coding::Utf16(_) | Coding::Ucs2(_) => put(0, 2, wide),
            Coding::Utf32(_) | Coding::Ucs4(_) | Coding::Internal => put(0, 4, wide),
        }
        Ok(self.size())
    }

    /// Whether the charset has no tag characters, and leaves them out. (ASCII writes no bytes for them.)
    pub fn drops_tags(self) -> bool {
        matches!(self, Coding::Single(_) | Coding::Ucs2(_))
    }
}
