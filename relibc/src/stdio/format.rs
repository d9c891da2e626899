//! The `printf` language. printf(3), C11 7.21.6.1, and `%b` and `%B` of C23.
//!
//! Wide characters are written in the current locale's charset.

use super::float::{self, Float, Style};
use crate::errno;
use crate::locale;
use crate::string;
use crate::va::VaList;
use crate::wide;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};

/// Where formatted text goes.
pub trait Sink {
    /// Takes bytes; false if that failed, with `errno` set.
    fn put(&mut self, bytes: &[u8]) -> bool;
}

/// A width or a precision.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Amount {
    None,
    Given(c_int),
    Next,
    Position(usize),
}

/// The type of an argument, by its length modifier.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Length {
    Char,
    Short,
    Int,
    Long,
    LongDouble,
}

/// A conversion specification.
#[derive(Clone, Copy)]
pub(super) struct Spec {
    pub(super) position: Option<usize>,
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    pub(super) width: Amount,
    pub(super) precision: Amount,
    pub(super) length: Length,
    pub(super) conversion: u8,
}

#[derive(Clone, Copy)]
enum Value {
    Word(u64),
    Real(Float),
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Word,
    Double,
    LongDouble,
}

/// Greatest argument number (glibc's NL_ARGMAX).
const POSITIONS: usize = 4096;

fn number(text: &[u8], at: &mut usize) -> Option<usize> {
    let start = *at;
    let mut value = 0usize;
    while let Some(digit) = text.get(*at).filter(|byte| byte.is_ascii_digit()) {
        value = value.saturating_mul(10).saturating_add(usize::from(digit - b'0'));
        *at += 1;
    }
    (*at > start).then_some(value)
}

fn amount(text: &[u8], at: &mut usize) -> Result<Amount, c_int> {
    if text.get(*at) == Some(&b'*') {
        *at += 1;
        let mark = *at;
        if let Some(position) = number(text, at) {
            if text.get(*at) == Some(&b'$') && (1..=POSITIONS).contains(&position) {
                *at += 1;
                return Ok(Amount::Position(position));
            }
            *at = mark;
        }
        return Ok(Amount::Next);
    }
    match number(text, at) {
        None => Ok(Amount::None),
        Some(value) => c_int::try_from(value).map(Amount::Given).map_err(|_| libc::EOVERFLOW),
    }
}

/// Reads a conversion specification; `at` is behind the `%`.
pub(super) fn parse(text: &[u8], at: &mut usize) -> Result<Spec, c_int> {
    let mut spec = Spec {
        position: None,
        left: false,
        plus: false,
        space: false,
        alternate: false,
        zero: false,
        width: Amount::None,
        precision: Amount::None,
        length: Length::Int,
        conversion: 0,
    };
    let mark = *at;
    match number(text, at) {
        Some(position) if text.get(*at) == Some(&b'$') && (1..=POSITIONS).contains(&position) => {
            *at += 1;
            spec.position = Some(position);
        }
        _ => *at = mark,
    }
    loop {
        match text.get(*at) {
            Some(b'-') => spec.left = true,
            Some(b'+') => spec.plus = true,
            Some(b' ') => spec.space = true,
            Some(b'#') => spec.alternate = true,
            Some(b'0') => spec.zero = true,
            // Grouping and other digits: nothing in the C locale.
            Some(b'\'' | b'I') => {}
            _ => break,
        }
        *at += 1;
    }
    spec.width = amount(text, at)?;
    if text.get(*at) == Some(&b'.') {
        *at += 1;
        // A minus makes the precision count as not given.
        let negative = text.get(*at) == Some(&b'-');
        *at += usize::from(negative);
        spec.precision = match amount(text, at)? {
            _ if negative => Amount::None,
            Amount::None => Amount::Given(0),
            other => other,
        };
    }
    loop {
        spec.length = match text.get(*at) {
            Some(b'h') => {
                if spec.length == Length::Short {
                    Length::Char
                } else {
                    Length::Short
                }
            }
            Some(b'l') => {
                if spec.length == Length::Long {
                    Length::LongDouble
                } else {
                    Length::Long
                }
            }
            Some(b'j' | b'z' | b'Z' | b't') => Length::Long,
            Some(b'L' | b'q') => Length::LongDouble,
            _ => break,
        };
        *at += 1;
    }
    spec.conversion = text.get(*at).copied().unwrap_or(0);
    *at += 1;
    match spec.conversion {
        b'C' => (spec.conversion, spec.length) = (b'c', Length::Long),
        b'S' => (spec.conversion, spec.length) = (b's', Length::Long),
        _ => {}
    }
    Ok(spec)
}

impl Spec {
    /// The argument it takes.
    fn class(&self) -> Option<Class> {
        match self.conversion {
            b'd' | b'i' | b'o' | b'u' | b'x' | b'X' | b'b' | b'B' | b'c' | b's' | b'p' | b'n' => Some(Class::Word),
            b'a' | b'A' | b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => {
                Some(if self.length == Length::LongDouble { Class::LongDouble } else { Class::Double })
            }
            _ => None,
        }
    }
}

unsafe fn fetch(arguments: &mut VaList, class: Class) -> Value {
    match class {
        Class::Word => Value::Word(arguments.word()),
        Class::Double => Value::Real(Float::double(arguments.double())),
        Class::LongDouble => {
            let (significand, head) = arguments.long_double();
            Value::Real(Float::extended(significand, head))
        }
    }
}

/// The arguments: in order from the list, or all read before because the format numbers them.
enum Source<'a> {
    List(&'a mut VaList),
    Table(Vec<Value>),
}

impl Source<'_> {
    unsafe fn take(&mut self, position: Option<usize>, class: Class) -> Value {
        match self {
            Source::List(list) => fetch(list, class),
            Source::Table(table) => {
                position.and_then(|position| table.get(position - 1)).copied().unwrap_or(Value::Word(0))
            }
        }
    }

    unsafe fn amount(&mut self, amount: Amount) -> Option<c_int> {
        let position = match amount {
            Amount::None => return None,
            Amount::Given(value) => return Some(value),
            Amount::Next => None,
            Amount::Position(position) => Some(position),
        };
        match self.take(position, Class::Word) {
            Value::Word(word) => Some(word as c_int),
            Value::Real(_) => None,
        }
    }
}

/// Reads numbered arguments; None if the format numbers none.
unsafe fn table(text: &[u8], arguments: &mut VaList) -> Result<Option<Vec<Value>>, c_int> {
    let mut classes: Vec<Class> = Vec::new();
    let mut note = |position: usize, class: Class| {
        if classes.len() < position {
            classes.resize(position, Class::Word);
        }
        classes[position - 1] = class;
    };
    let mut numbered = false;
    let mut at = 0;
    while let Some(next) = text.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == b'%')) {
        at += next + 1;
        let spec = parse(text, &mut at)?;
        for amount in [spec.width, spec.precision] {
            if let Amount::Position(position) = amount {
                note(position, Class::Word);
                numbered = true;
            }
        }
        if let (Some(position), Some(class)) = (spec.position, spec.class()) {
            note(position, class);
            numbered = true;
        }
    }
    if !numbered {
        return Ok(None);
    }
    let mut values = Vec::with_capacity(classes.len());
    for class in classes {
        values.push(fetch(arguments, class));
    }
    Ok(Some(values))
}

struct Output<'a> {
    sink: &'a mut dyn Sink,
    count: usize,
}

impl Output<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), c_int> {
        self.count += bytes.len();
        if self.count > c_int::MAX as usize {
            return Err(libc::EOVERFLOW);
        }
        if bytes.is_empty() || self.sink.put(bytes) { Ok(()) } else { Err(errno::get()) }
    }

    fn repeat(&mut self, byte: u8, mut count: usize) -> Result<(), c_int> {
        if self.count.saturating_add(count) > c_int::MAX as usize {
            return Err(libc::EOVERFLOW);
        }
        let block = [byte; 64];
        while count > 0 {
            let now = count.min(block.len());
            self.put(&block[..now])?;
            count -= now;
        }
        Ok(())
    }

    /// Writes a field: the prefix, zeros, the parts, padded to the width.
    fn field(
        &mut self,
        spec: &Spec,
        width: usize,
        prefix: &[u8],
        zeros: usize,
        text: &float::Text,
    ) -> Result<(), c_int> {
        let len = prefix.len() + zeros + text.head.len() + text.zeros + text.tail.len();
        let pad = width.saturating_sub(len);
        if !spec.left && !spec.zero {
            self.repeat(b' ', pad)?;
        }
        self.put(prefix)?;
        if !spec.left && spec.zero {
            self.repeat(b'0', pad)?;
        }
        self.repeat(b'0', zeros)?;
        self.put(&text.head)?;
        self.repeat(b'0', text.zeros)?;
        self.put(&text.tail)?;
        if spec.left { self.repeat(b' ', pad) } else { Ok(()) }
    }

    /// Writes text padded with spaces.
    fn text(&mut self, spec: &Spec, width: usize, text: &[u8]) -> Result<(), c_int> {
        let pad = width.saturating_sub(text.len());
        if !spec.left {
            self.repeat(b' ', pad)?;
        }
        self.put(text)?;
        if spec.left { self.repeat(b' ', pad) } else { Ok(()) }
    }
}

fn sign(spec: &Spec, negative: bool) -> &'static [u8] {
    match (negative, spec.plus, spec.space) {
        (true, ..) => b"-",
        (_, true, _) => b"+",
        (.., true) => b" ",
        _ => b"",
    }
}

fn integer(out: &mut Output, spec: &mut Spec, width: usize, precision: Option<usize>, word: u64) -> Result<(), c_int> {
    let signed = matches!(spec.conversion, b'd' | b'i');
    let (value, negative) = if signed {
        let value = match spec.length {
            Length::Char => i64::from(word as i8),
            Length::Short => i64::from(word as i16),
            Length::Int => i64::from(word as i32),
            _ => word as i64,
        };
        (value.unsigned_abs(), value < 0)
    } else {
        let value = match spec.length {
            _ if spec.conversion == b'p' => word,
            Length::Char => u64::from(word as u8),
            Length::Short => u64::from(word as u16),
            Length::Int => u64::from(word as u32),
            _ => word,
        };
        (value, false)
    };
    let base = match spec.conversion {
        b'o' => 8,
        b'b' | b'B' => 2,
        b'x' | b'X' | b'p' => 16,
        _ => 10,
    };
    let letters = if spec.conversion == b'X' { b'A' } else { b'a' };
    let mut digits = Vec::new();
    let mut rest = value;
    while rest != 0 {
        let digit = (rest % base) as u8;
        digits.push(if digit < 10 { b'0' + digit } else { letters + digit - 10 });
        rest /= base;
    }
    if digits.is_empty() && precision != Some(0) {
        digits.push(b'0');
    }
    if spec.conversion == b'o' && spec.alternate && digits.last() != Some(&b'0') {
        digits.push(b'0');
    }
    digits.reverse();
    let prefix = match spec.conversion {
        b'd' | b'i' => sign(spec, negative),
        b'x' if spec.alternate && value != 0 => b"0x",
        b'X' if spec.alternate && value != 0 => b"0X",
        b'b' if spec.alternate && value != 0 => b"0b",
        b'B' if spec.alternate && value != 0 => b"0B",
        b'p' if spec.plus => b"+0x",
        b'p' if spec.space => b" 0x",
        b'p' => b"0x",
        _ => b"",
    };
    spec.zero &= precision.is_none();
    let zeros = precision.unwrap_or(0).saturating_sub(digits.len());
    out.field(spec, width, prefix, zeros, &float::Text { head: digits, zeros: 0, tail: Vec::new() })
}

fn real(out: &mut Output, spec: &mut Spec, width: usize, precision: Option<usize>, value: &Float) -> Result<(), c_int> {
    let upper = spec.conversion.is_ascii_uppercase();
    let style = Style { conversion: spec.conversion.to_ascii_lowercase(), precision, alternate: spec.alternate };
    let mut text = float::text(value, &style);
    let mut prefix = sign(spec, value.negative).to_vec();
    if !matches!(value.kind, float::Kind::Finite { .. }) {
        spec.zero = false;
    } else if style.conversion == b'a' {
        prefix.extend_from_slice(b"0x");
    }
    if upper {
        prefix.make_ascii_uppercase();
        text.head.make_ascii_uppercase();
        text.tail.make_ascii_uppercase();
    }
    out.field(spec, width, &prefix, 0, &text)
}

fn encode(wide: u32, to: &mut Vec<u8>) -> Result<(), c_int> {
    let mut buffer = [0; 6];
    let len = wide::encode(locale::current().charset(), wide, &mut buffer).ok_or(libc::EILSEQ)?;
    to.extend_from_slice(&buffer[..len]);
    Ok(())
}

unsafe fn text(out: &mut Output, spec: &Spec, width: usize, precision: Option<usize>, word: u64) -> Result<(), c_int> {
    if word == 0 {
        let shown: &[u8] = if precision.is_none_or(|most| most >= 6) { b"(null)" } else { b"" };
        return out.text(spec, width, shown);
    }
    if matches!(spec.length, Length::Long | Length::LongDouble) {
        let mut at: *const u32 = core::ptr::with_exposed_provenance(word as usize);
        let mut bytes = Vec::new();
        let most = precision.unwrap_or(usize::MAX);
        while bytes.len() < most && *at != 0 {
            let before = bytes.len();
            encode(*at, &mut bytes)?;
            if bytes.len() > most {
                bytes.truncate(before);
                break;
            }
            at = at.add(1);
        }
        return out.text(spec, width, &bytes);
    }
    let start: *const c_char = core::ptr::with_exposed_provenance(word as usize);
    let len = match precision {
        Some(most) => string::strnlen(start, most),
        None => string::strlen(start),
    };
    out.text(spec, width, core::slice::from_raw_parts(start.cast(), len))
}

unsafe fn store(spec: &Spec, word: u64, count: usize) {
    let at = word as usize;
    match spec.length {
        Length::Char => *core::ptr::with_exposed_provenance_mut::<i8>(at) = count as i8,
        Length::Short => *core::ptr::with_exposed_provenance_mut::<i16>(at) = count as i16,
        Length::Int => *core::ptr::with_exposed_provenance_mut::<i32>(at) = count as i32,
        _ => *core::ptr::with_exposed_provenance_mut::<i64>(at) = count as i64,
    }
}

unsafe fn run(out: &mut Output, format: &[u8], arguments: &mut VaList, errno: c_int) -> Result<(), c_int> {
    let table = if format.contains(&b'$') { table(format, arguments)? } else { None };
    let mut source = match table {
        Some(table) => Source::Table(table),
        None => Source::List(arguments),
    };
    let mut at = 0;
    while at < format.len() {
        let rest = &format[at..];
        let plain = rest.iter().position(|&byte| byte == b'%').unwrap_or(rest.len());
        out.put(&rest[..plain])?;
        at += plain;
        if at == format.len() {
            break;
        }
        let start = at;
        at += 1;
        let mut spec = parse(format, &mut at)?;
        if spec.conversion == 0 {
            return Err(libc::EINVAL);
        }
        let mut width = source.amount(spec.width).unwrap_or(0);
        if width < 0 {
            spec.left = true;
            width = width.checked_neg().ok_or(libc::EOVERFLOW)?;
        }
        let width = width as usize;
        let precision = source.amount(spec.precision).and_then(|value| usize::try_from(value).ok());
        let value = match spec.class() {
            Some(class) => source.take(spec.position, class),
            None => Value::Word(0),
        };
        match (spec.conversion, value) {
            (b'%', _) => out.put(b"%")?,
            (b'm', _) => {
                let message = string::bytes(string::errors::strerror(errno));
                let len = precision.unwrap_or(usize::MAX).min(message.len());
                out.text(&spec, width, &message[..len])?;
            }
            (b'c', Value::Word(word)) => {
                let mut bytes = Vec::new();
                match spec.length {
                    Length::Long | Length::LongDouble => encode(word as u32, &mut bytes)?,
                    _ => bytes.push(word as u8),
                }
                out.text(&spec, width, &bytes)?;
            }
            (b's', Value::Word(word)) => text(out, &spec, width, precision, word)?,
            (b'n', Value::Word(word)) => store(&spec, word, out.count),
            (b'p', Value::Word(0)) => out.text(&spec, width, b"(nil)")?,
            (b'd' | b'i' | b'o' | b'u' | b'x' | b'X' | b'b' | b'B' | b'p', Value::Word(word)) => {
                integer(out, &mut spec, width, precision, word)?;
            }
            (_, Value::Real(value)) => real(out, &mut spec, width, precision, &value)?,
            // Not a conversion: it stands for itself.
            _ => out.put(&format[start..at])?,
        }
    }
    Ok(())
}

/// Formats; the number of bytes, or −1 with `errno` set.
///
/// # Safety
/// The arguments are what the format says.
pub unsafe fn format(sink: &mut dyn Sink, format: *const c_char, arguments: *mut VaList) -> c_int {
    let errno = errno::get();
    let mut out = Output { sink, count: 0 };
    match run(&mut out, string::bytes(format), &mut *arguments, errno) {
        Ok(()) => out.count as c_int,
        Err(errno) => errno::fail(errno),
    }
}
