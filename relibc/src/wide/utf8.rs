//! UTF-8 and ASCII as glibc 2.36 reads and writes them.
//!
//! That is UTF-8 of 31 bits, in up to six bytes, without surrogates. Checked against glibc by conform's `wide`.

use crate::locale::Charset;

/// What stands at the start of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A character and its length in bytes.
    Char(u32, usize),
    /// The start of a character whose end is missing.
    Incomplete,
    /// No character: this many bytes are to be skipped by those who go on.
    Illegal(usize),
}

/// Reads the character at the start of `bytes`, which are not empty.
#[inline]
pub fn decode(charset: Charset, bytes: &[u8]) -> Decoded {
    match bytes[0] {
        byte @ 0..0x80 => Decoded::Char(u32::from(byte), 1),
        _ if charset == Charset::Ascii => Decoded::Illegal(1),
        first => several(first, bytes),
    }
}

/// The length of a character by its first byte, and that byte's bits; None: no character starts so.
fn lead(first: u8) -> Option<(usize, u32)> {
    match first {
        0xc2..0xe0 => Some((2, u32::from(first & 0x1f))),
        0xe0..0xf0 => Some((3, u32::from(first & 0x0f))),
        0xf0..0xf8 => Some((4, u32::from(first & 0x07))),
        0xf8..0xfc => Some((5, u32::from(first & 0x03))),
        0xfc..0xfe => Some((6, u32::from(first & 0x01))),
        _ => None,
    }
}

fn continues(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

fn several(first: u8, bytes: &[u8]) -> Decoded {
    let Some((len, mut value)) = lead(first) else {
        let more = bytes[1..].iter().take(4).take_while(|&&byte| continues(byte)).count();
        return Decoded::Illegal(1 + more);
    };
    let tail = &bytes[1..bytes.len().min(len)];
    let good = tail.iter().take_while(|&&byte| continues(byte)).count();
    if good < tail.len() {
        return Decoded::Illegal(1 + good);
    }
    if bytes.len() < len {
        return Decoded::Incomplete;
    }
    for &byte in tail {
        value = value << 6 | u32::from(byte & 0x3f);
    }
    // Longer than needed, or a surrogate.
    if len > 2 && value >> (5 * len - 4) == 0 || (0xd800..0xe000).contains(&value) {
        return Decoded::Illegal(len);
    }
    Decoded::Char(value, len)
}

/// Whether a character is a tag, which charsets without tags leave out.
pub fn is_tag(wide: u32) -> bool {
    wide >> 7 == 0xe_0000 >> 7
}

/// Writes a character; how many bytes, or None if the charset has none for it.
#[inline]
pub fn encode(charset: Charset, wide: u32, to: &mut [u8; 6]) -> Option<usize> {
    if wide < 0x80 {
        to[0] = wide as u8;
        return Some(1);
    }
    if charset == Charset::Ascii {
        return is_tag(wide).then_some(0);
    }
    if wide > 0x7fff_ffff || (0xd800..0xe000).contains(&wide) {
        return None;
    }
    let len = (2..6).find(|len| wide >> (5 * len + 1) == 0).unwrap_or(6);
    let mut rest = wide;
    for byte in to[1..len].iter_mut().rev() {
        *byte = 0x80 | (rest & 0x3f) as u8;
        rest >>= 6;
    }
    to[0] = !(0xff_u32 >> len) as u8 | rest as u8;
    Some(len)
}

impl super::State {
    /// The bytes of the unfinished character.
    pub(super) fn bytes(self) -> ([u8; 6], usize) {
        let mut bytes = [0; 6];
        let have = (self.count & 0xff).clamp(1, 5) as usize;
        let len = ((self.count >> 8) & 0xff).clamp(2, 6) as usize;
        let mut rest = self.value;
        for byte in bytes[1..len].iter_mut().rev() {
            *byte = 0x80 | (rest & 0x3f) as u8;
            rest >>= 6;
        }
        bytes[0] = !(0xff_u32 >> len) as u8 | rest as u8;
        (bytes, have)
    }

    /// The state after the bytes of an unfinished character.
    pub(super) fn unfinished(bytes: &[u8]) -> super::State {
        let (len, mut value) = lead(bytes[0]).unwrap_or((4, 0));
        for &byte in &bytes[1..] {
            value = value << 6 | u32::from(byte & 0x3f);
        }
        value <<= 6 * (len - bytes.len());
        super::State { count: bytes.len() as u32 | (len as u32) << 8, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_round_trip() {
        for wide in 0..0x11_0000 {
            let mut bytes = [0; 6];
            match encode(Charset::Utf8, wide, &mut bytes) {
                Some(len) => {
                    assert_eq!(decode(Charset::Utf8, &bytes[..len]), Decoded::Char(wide, len));
                    let good = char::from_u32(wide).expect("no surrogate");
                    assert_eq!(good.encode_utf8(&mut [0; 4]).as_bytes(), &bytes[..len]);
                    for part in 1..len {
                        assert_eq!(decode(Charset::Utf8, &bytes[..part]), Decoded::Incomplete);
                        let (kept, have) = super::super::State::unfinished(&bytes[..part]).bytes();
                        assert_eq!(kept[..have], bytes[..part]);
                    }
                }
                None => assert!((0xd800..0xe000).contains(&wide)),
            }
        }
    }

    #[test]
    fn what_is_illegal() {
        use Decoded::*;
        let cases: [(&[u8], Decoded); 9] = [
            (b"\x80\x80a", Illegal(2)),
            (b"\xc1\x80", Illegal(2)),
            (b"\xe0\x80", Incomplete),
            (b"\xe0\x80\x80", Illegal(3)),
            (b"\xed\xa0\x80", Illegal(3)),
            (b"\xf4\x90\x80\x80", Char(0x11_0000, 4)),
            (b"\xf8\x88\x80\x80\x80\x80", Char(0x20_0000, 5)),
            (b"\xe4\xb8a", Illegal(2)),
            (b"\xe4", Incomplete),
        ];
        for (bytes, wanted) in cases {
            assert_eq!(decode(Charset::Utf8, bytes), wanted, "{bytes:x?}");
        }
        assert_eq!(decode(Charset::Ascii, b"\xc3\xa4"), Illegal(1));
    }
}
