//! Domain names: as text, with `\` before what is not plain, and as in messages, with compression. RFC 1035, 3.1, 4.1.4 and 5.1.

use crate::{errno, string};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_uchar};
use core::slice;

/// The longest name in a message, with the empty label that ends it.
pub const MOST: usize = 255;
/// The longest label.
const LABEL: usize = 63;
/// Where pointers can lead.
const REACH: usize = 0x4000;

/// Not a name: EMSGSIZE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Reads the name at `at`: its labels without compression, each after its length, and how many bytes it takes there.
///
/// # Errors
/// It leads out of the message, or in circles, or is too long.
pub fn unpack(message: &[u8], at: usize) -> Result<(Vec<u8>, usize), Malformed> {
    let mut labels = Vec::new();
    let (mut next, mut used, mut checked) = (at, None, 0);
    loop {
        let &byte = message.get(next).ok_or(Malformed)?;
        next += 1;
        let len = usize::from(byte);
        match byte & 0xc0 {
            0 if byte == 0 => break,
            0 => {
                if next + len >= message.len() || labels.len() + len + 1 >= MOST {
                    return Err(Malformed);
                }
                labels.push(byte);
                labels.extend_from_slice(&message[next..next + len]);
                next += len;
                checked += len + 1;
            }
            0xc0 => {
                let &low = message.get(next).ok_or(Malformed)?;
                used.get_or_insert(next + 1 - at);
                next = (len & 0x3f) << 8 | usize::from(low);
                checked += 2;
                if checked >= message.len() {
                    return Err(Malformed);
                }
            }
            _ => return Err(Malformed),
        }
    }
    labels.push(0);
    Ok((labels, used.unwrap_or(next - at)))
}

/// How many bytes the name at the start takes, without following pointers.
///
/// # Errors
/// It has no end.
pub fn skip(message: &[u8]) -> Result<usize, Malformed> {
    let mut at = 0;
    loop {
        let &byte = message.get(at).ok_or(Malformed)?;
        at += 1;
        match byte & 0xc0 {
            0 if byte == 0 => return Ok(at),
            0 => at += usize::from(byte),
            0xc0 if at < message.len() => return Ok(at + 1),
            _ => return Err(Malformed),
        }
    }
}

/// The text of unpacked labels; the root is `.`.
pub fn text(labels: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&len) = labels.get(at).filter(|&&len| len > 0) {
        if !out.is_empty() {
            out.push(b'.');
        }
        for &byte in labels.iter().skip(at + 1).take(usize::from(len)) {
            match byte {
                b'"' | b'.' | b';' | b'\\' | b'@' | b'$' => out.extend_from_slice(&[b'\\', byte]),
                0x21..=0x7e => out.push(byte),
                _ => out.extend_from_slice(&[b'\\', b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10]),
            }
        }
        at += usize::from(len) + 1;
    }
    if out.is_empty() {
        out.push(b'.');
    }
    out
}

/// The labels of a text.
///
/// # Errors
/// A label is empty or too long, or the whole is.
pub fn labels(text: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::new();
    let mut label = Vec::new();
    let mut at = 0;
    let close = |out: &mut Vec<u8>, label: &mut Vec<u8>| {
        let len = u8::try_from(label.len()).ok().filter(|&len| (1..=LABEL as u8).contains(&len)).ok_or(Malformed)?;
        out.push(len);
        out.append(label);
        Ok(())
    };
    if text == b"." {
        return Ok(Vec::from([0]));
    }
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'.' => close(&mut out, &mut label)?,
            b'\\' => {
                let &next = text.get(at).ok_or(Malformed)?;
                at += 1;
                if next.is_ascii_digit() {
                    let digits = text.get(at - 1..at + 2).filter(|it| it.iter().all(u8::is_ascii_digit));
                    let value = digits.ok_or(Malformed)?.iter().fold(0, |sum, it| sum * 10 + u32::from(it - b'0'));
                    label.push(u8::try_from(value).map_err(|_| Malformed)?);
                    at += 2;
                } else {
                    label.push(next);
                }
            }
            _ => label.push(byte),
        }
    }
    if !label.is_empty() {
        close(&mut out, &mut label)?;
    }
    out.push(0);
    if out.len() > MOST { Err(Malformed) } else { Ok(out) }
}

/// The bytes that stand for labels in a message: as many labels as needed, then a pointer to one of `known` with the same rest.
pub fn packed(message: &[u8], known: &[usize], labels: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while labels[at] != 0 {
        let same =
            known.iter().filter(|&&place| place < REACH).find_map(|&place| suffix(message, place, &labels[at..]));
        if let Some(place) = same {
            out.extend_from_slice(&(0xc000 | place as u16).to_be_bytes());
            return out;
        }
        let end = at + 1 + usize::from(labels[at]);
        out.extend_from_slice(&labels[at..end]);
        at = end;
    }
    out.push(0);
    out
}

/// The place within the name at `place` where the rest is these labels.
fn suffix(message: &[u8], place: usize, labels: &[u8]) -> Option<usize> {
    let mut at = place;
    // A name has at most this many labels.
    for _ in 0..MOST / 2 {
        let len = *message.get(at)?;
        if len == 0 || len & 0xc0 != 0 {
            return None;
        }
        if unpack(message, at).is_ok_and(|(found, _)| found.eq_ignore_ascii_case(labels)) {
            return (at < REACH).then_some(at);
        }
        at += usize::from(len) + 1;
    }
    None
}

fn too_long() -> c_int {
    errno::fail(libc::EMSGSIZE)
}

/// Expands the name at `at` into a text of at most `room` bytes.
unsafe fn expand(
    message: *const c_uchar,
    end: *const c_uchar,
    at: *const c_uchar,
    out: *mut c_char,
    room: usize,
) -> c_int {
    if at < message || at >= end {
        return too_long();
    }
    let bytes = slice::from_raw_parts(message, end.offset_from_unsigned(message));
    let Ok((labels, used)) = unpack(bytes, at.offset_from_unsigned(message)) else { return too_long() };
    let text = text(&labels);
    if text.len() >= room {
        return too_long();
    }
    out.copy_from_nonoverlapping(text.as_ptr().cast(), text.len());
    *out.add(text.len()) = 0;
    used as c_int
}

c_api! {
    /// Expands a compressed name. Returns the bytes it takes in the message.
    fn ns_name_uncompress(message: *const c_uchar, end: *const c_uchar, at: *const c_uchar, out: *mut c_char, room: usize) -> c_int {
        expand(message, end, at, out, room)
    }

    /// dn_expand: as [`ns_name_uncompress`], but the root is the empty text. resolver(3).
    fn dn_expand(message: *const c_uchar, end: *const c_uchar, at: *const c_uchar, out: *mut c_char, room: c_int) -> c_int {
        let used = expand(message, end, at, out, usize::try_from(room).unwrap_or(0));
        if used > 0 && *out as u8 == b'.' {
            *out = 0;
        }
        used
    }

    /// dn_skipname: the bytes a name takes. resolver(3).
    fn dn_skipname(at: *const c_uchar, end: *const c_uchar) -> c_int {
        if at >= end {
            return too_long();
        }
        match skip(slice::from_raw_parts(at, end.offset_from_unsigned(at))) {
            Ok(used) => used as c_int,
            Err(Malformed) => too_long(),
        }
    }

    /// dn_comp: compresses a name by the names that a list tells, of which the first is the message's start, and adds it to the list.
    /// resolver(3).
    fn dn_comp(name: *const c_char, out: *mut c_uchar, room: c_int, list: *mut *mut c_uchar, list_end: *mut *mut c_uchar) -> c_int {
        let Ok(labels) = labels(string::bytes(name)) else { return too_long() };
        let message = if list.is_null() { core::ptr::null_mut() } else { *list };
        let mut known = Vec::new();
        let mut last = list;
        if !message.is_null() {
            last = last.add(1);
            while !(*last).is_null() {
                known.push((*last).offset_from_unsigned(message));
                last = last.add(1);
            }
        }
        let before: &[u8] = if message.is_null() { &[] } else { slice::from_raw_parts(message, out.offset_from_unsigned(message)) };
        let packed = packed(before, &known, &labels);
        if packed.len() > usize::try_from(room).unwrap_or(0) {
            return too_long();
        }
        out.copy_from_nonoverlapping(packed.as_ptr(), packed.len());
        let whole = packed[0] & 0xc0 == 0 && packed[0] != 0;
        if !message.is_null() && !list_end.is_null() && whole && before.len() < REACH && last.add(1) < list_end {
            *last = out;
            *last.add(1) = core::ptr::null_mut();
        }
        packed.len() as c_int
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for name in [&b"www.example.com"[..], b"a\\.b.c", b"\\000x", b".", b"x"] {
            assert_eq!(text(&labels(name).expect("a name")), name);
        }
        for name in [&b"a..b"[..], b".a", b"\\", b"\\25", b"\\999", &[b'a'; 64]] {
            assert_eq!(labels(name), Err(Malformed));
        }
        assert_eq!(labels(&[b"abcdefg.".as_slice(); 32].concat()), Err(Malformed));
    }

    #[test]
    fn pointers_are_followed_but_not_in_circles() {
        let message = b"\x03com\x00\x03www\xc0\x00\xc0\x0b\xc0\x20";
        assert_eq!(unpack(message, 5), Ok((b"\x03www\x03com\x00".to_vec(), 6)));
        assert_eq!(unpack(message, 11), Err(Malformed));
        assert_eq!(unpack(message, 13), Err(Malformed));
        assert_eq!(skip(&message[5..]), Ok(6));
        assert_eq!(packed(message, &[0], b"\x01a\x03COM\x00"), b"\x01a\xc0\x00");
    }
}
