//! Messages: the header, and records one by one. RFC 1035, 4.1.

use super::name;
use crate::errno;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_uchar, c_uint, c_ulong};
use core::{ptr, slice};

/// Bytes of the header.
pub const HEADER: usize = 12;

/// The 16-bit number at `at`.
pub fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// A record of an answer.
pub struct Record<'a> {
    /// Whose it is, as text.
    pub owner: Vec<u8>,
    /// The kind: see [`super::kind`].
    pub kind: u16,
    /// The content.
    pub data: &'a [u8],
    /// Where in the message that starts.
    pub at: usize,
}

/// The records of the answer section of class IN, up to the first that is malformed.
pub fn answers(message: &[u8]) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    // What stands before a malformed record counts.
    let _ = collect(message, &mut records);
    records
}

fn collect<'a>(message: &'a [u8], records: &mut Vec<Record<'a>>) -> Option<()> {
    let mut at = HEADER;
    for _ in 0..half(message, 4)? {
        at += name::skip(message.get(at..)?).ok()? + 4;
    }
    for _ in 0..half(message, 6)? {
        let (owner, used) = name::unpack(message, at).ok()?;
        let (kind, class) = (half(message, at + used)?, half(message, at + used + 2)?);
        let start = at + used + 10;
        at = start + usize::from(half(message, start - 2)?);
        let data = message.get(start..at)?;
        if class == 1 {
            records.push(Record { owner: name::text(&owner), kind, data, at: start });
        }
    }
    Some(())
}

/// `ns_msg`: a message to go through.
#[repr(C)]
pub struct Message {
    start: *const c_uchar,
    end: *const c_uchar,
    id: u16,
    flags: u16,
    counts: [u16; 4],
    sections: [*const c_uchar; 4],
    section: c_int,
    record: c_int,
    at: *const c_uchar,
}

/// `ns_rr`: a record.
#[repr(C)]
pub struct NsRecord {
    name: [c_char; 1025],
    kind: u16,
    class: u16,
    ttl: u32,
    len: u16,
    data: *const c_uchar,
}

/// No section.
const SECTIONS: c_int = 4;

impl Message {
    fn select(&mut self, section: c_int) {
        self.section = section;
        let start = usize::try_from(section).ok().and_then(|index| self.sections.get(index));
        (self.record, self.at) = match start {
            Some(&start) => (0, start),
            None => (-1, ptr::null()),
        };
    }

    unsafe fn rest(&self, at: *const c_uchar) -> &[u8] {
        slice::from_raw_parts(at, self.end.offset_from_unsigned(at))
    }
}

/// The bytes of `count` records; the question's have neither time nor content.
fn skip(message: &[u8], question: bool, count: usize) -> Option<usize> {
    let mut at = 0;
    for _ in 0..count {
        at += name::skip(message.get(at..)?).ok()? + 4;
        if !question {
            at += 6 + usize::from(half(message, at + 4)?);
        }
        message.get(..at)?;
    }
    Some(at)
}

c_api! {
    /// A 16-bit number of a message.
    fn ns_get16(at: *const c_uchar) -> c_uint { c_uint::from(u16::from_be_bytes(*at.cast())) }

    /// A 32-bit number of a message.
    fn ns_get32(at: *const c_uchar) -> c_ulong { c_ulong::from(u32::from_be_bytes(*at.cast())) }

    /// Starts to go through a message.
    fn ns_initparse(bytes: *const c_uchar, len: c_int, out: *mut Message) -> c_int {
        let all = slice::from_raw_parts(bytes, usize::try_from(len).unwrap_or(0));
        let field = |index: usize| half(all, 2 * index);
        let (Some(id), Some(flags), Some(questions), Some(answers), Some(authorities), Some(more)) =
            (field(0), field(1), field(2), field(3), field(4), field(5))
        else {
            return errno::fail(libc::EMSGSIZE);
        };
        let counts = [questions, answers, authorities, more];
        let mut sections = [ptr::null(); 4];
        let mut at = HEADER;
        for (index, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            let Some(len) = skip(&all[at..], index == 0, usize::from(count)) else {
                return errno::fail(libc::EMSGSIZE);
            };
            sections[index] = bytes.add(at);
            at += len;
        }
        if at != all.len() {
            return errno::fail(libc::EMSGSIZE);
        }
        *out = Message {
            start: bytes, end: bytes.add(at), id, flags, counts, sections, section: SECTIONS, record: -1, at: ptr::null(),
        };
        0
    }

    /// Reads a record of a section; −1 is the next one.
    fn ns_parserr(message: *mut Message, section: c_int, number: c_int, out: *mut NsRecord) -> c_int {
        let message = &mut *message;
        if !(0..SECTIONS).contains(&section) {
            return errno::fail(libc::ENODEV);
        }
        if section != message.section {
            message.select(section);
        }
        let number = if number == -1 { message.record } else { number };
        let count = message.counts[section as usize];
        if number < 0 || number >= c_int::from(count) {
            return errno::fail(libc::ENODEV);
        }
        if number < message.record {
            message.select(section);
        }
        if number > message.record {
            let Some(len) = skip(message.rest(message.at), section == 0, (number - message.record) as usize) else {
                return errno::fail(libc::EMSGSIZE);
            };
            message.at = message.at.add(len);
            message.record = number;
        }
        let used = name::dn_expand(message.start, message.end, message.at, (*out).name.as_mut_ptr(), 1025);
        if used < 0 {
            return -1;
        }
        message.at = message.at.add(used as usize);
        let rest = message.rest(message.at);
        let (Some(kind), Some(class)) = (half(rest, 0), half(rest, 2)) else { return errno::fail(libc::EMSGSIZE) };
        ((*out).kind, (*out).class) = (kind, class);
        let mut used = 4;
        if section == 0 {
            ((*out).ttl, (*out).len, (*out).data) = (0, 0, ptr::null());
        } else {
            let Some(len) = half(rest, 8).filter(|&len| rest.len() >= 10 + usize::from(len)) else {
                return errno::fail(libc::EMSGSIZE);
            };
            (*out).ttl = ns_get32(message.at.add(4)) as u32;
            ((*out).len, (*out).data) = (len, message.at.add(10));
            used = 10 + usize::from(len);
        }
        message.at = message.at.add(used);
        message.record += 1;
        if message.record > c_int::from(count) {
            message.select(section + 1);
        }
        0
    }
}
