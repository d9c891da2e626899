//! The `scanf` language. scanf(3), C11 7.21.6.2; what the standard leaves open is as in glibc.

use super::input::{Arguments, Input, Target};
use crate::numbers;
use crate::va::VaList;
use alloc::vec::Vec;
use core::ffi::c_int;

/// Why reading ended before the format did.
enum Stop {
    /// Nothing more to read.
    Input,
    /// What was read does not fit.
    Match,
}

type Outcome = Result<(), Stop>;

/// What it means that a target took no byte: no character is, in glibc, no end of the input, but exhausted memory is.
fn refused() -> Stop {
    if crate::errno::get() == libc::EILSEQ { Stop::Match } else { Stop::Input }
}

#[derive(Clone, Copy, PartialEq)]
enum Length {
    Char,
    Short,
    Int,
    Long,
    LongDouble,
}

/// A conversion specification.
struct Spec {
    position: Option<usize>,
    suppress: bool,
    allocate: bool,
    /// None: as much as there is.
    width: Option<usize>,
    length: Length,
    conversion: u8,
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || (9..=13).contains(&byte)
}

/// Reads what stands behind a `%`. `old`: `a` before `s`, `S` or `[` means "allocate", as before C99.
fn parse(format: &[u8], at: &mut usize, old: bool) -> Spec {
    let mut spec =
        Spec { position: None, suppress: false, allocate: false, width: None, length: Length::Int, conversion: 0 };
    let number = |at: &mut usize| {
        let start = *at;
        let mut value = 0usize;
        while let Some(digit) = format.get(*at).filter(|byte| byte.is_ascii_digit()) {
            value = value.saturating_mul(10).saturating_add(usize::from(digit - b'0'));
            *at += 1;
        }
        (*at > start).then_some(value)
    };
    let mut width = number(at);
    if width.is_some() && format.get(*at) == Some(&b'$') {
        *at += 1;
        spec.position = width.take();
    }
    if width.is_none() {
        while let Some(flag @ (b'*' | b'\'' | b'I')) = format.get(*at) {
            spec.suppress |= *flag == b'*';
            *at += 1;
        }
        width = number(at);
    }
    spec.width = width.filter(|&width| width > 0).map(|width| width.min(c_int::MAX as usize));
    let next = format.get(*at + 1).copied().unwrap_or(0);
    let (mut length, mut used) = (Length::Int, 1);
    match format.get(*at) {
        Some(b'h') if next == b'h' => (length, used) = (Length::Char, 2),
        Some(b'h') => length = Length::Short,
        Some(b'l') if next == b'l' => (length, used) = (Length::LongDouble, 2),
        Some(b'l' | b'z' | b'j' | b't') => length = Length::Long,
        Some(b'q' | b'L') => length = Length::LongDouble,
        Some(b'a') if old && matches!(next, b's' | b'S' | b'[') => spec.allocate = true,
        Some(b'm') => {
            spec.allocate = true;
            if next == b'l' {
                (length, used) = (Length::Long, 2);
            }
        }
        _ => used = 0,
    }
    *at += used;
    spec.length = length;
    spec.conversion = format.get(*at).copied().unwrap_or(0);
    *at += 1;
    spec
}

/// A reading in progress.
struct Scan<'a> {
    input: Input<'a>,
    arguments: Arguments<'a>,
    /// Conversions stored.
    done: c_int,
}

/// What is left of a field's width.
struct Width(Option<usize>);

impl Width {
    fn any(&self) -> bool {
        self.0 != Some(0)
    }

    fn less(&mut self) {
        self.0 = self.0.map(|left| left.saturating_sub(1));
    }
}

impl Scan<'_> {
    unsafe fn first(&mut self) -> Result<u8, Stop> {
        self.input.next().ok_or(Stop::Input)
    }

    /// Skips white space; an interrupted read is an input failure.
    unsafe fn skip_space(&mut self) -> Outcome {
        loop {
            match self.input.next() {
                Some(byte) if is_space(byte) => {}
                None if self.input.interrupted() => return Err(Stop::Input),
                other => {
                    self.input.back(other);
                    return Ok(());
                }
            }
        }
    }

    unsafe fn integer(&mut self, spec: &Spec, mut base: u32, signed: bool) -> Outcome {
        let pointer = spec.conversion == b'p';
        let mut width = Width(spec.width);
        let mut text = Vec::new();
        let mut next = Some(self.first()?);
        if let Some(sign @ (b'-' | b'+')) = next {
            text.push(sign);
            width.less();
            next = self.input.next();
        }
        if width.any() && next == Some(b'0') {
            width.less();
            text.push(b'0');
            next = self.input.next();
            if width.any() && matches!(next, Some(b'x' | b'X')) {
                if base == 0 {
                    base = 16;
                }
                if base == 16 {
                    width.less();
                    next = self.input.next();
                }
            } else if base == 0 {
                base = 8;
            }
        }
        if base == 0 {
            base = 10;
        }
        while let Some(digit) = next.filter(|&byte| width.any() && char::from(byte).is_digit(base)) {
            text.push(digit);
            width.less();
            next = self.input.next();
        }
        if matches!(text.as_slice(), [] | [b'+' | b'-']) {
            // What printf writes for a null pointer.
            let null = pointer && text.is_empty() && width.0.is_none_or(|width| width >= 5) && next == Some(b'(');
            if null {
                for wanted in *b"nil)" {
                    next = self.input.next();
                    if next.map(|byte| byte.to_ascii_lowercase()) != Some(wanted) {
                        self.input.back(next);
                        return Err(Stop::Match);
                    }
                }
                text.push(b'0');
            } else {
                self.input.back(next);
                return Err(Stop::Match);
            }
        } else {
            self.input.back(next);
        }
        if spec.suppress {
            return Ok(());
        }
        text.push(0);
        let end = core::ptr::null_mut();
        let value = if signed {
            numbers::strtol(text.as_ptr().cast(), end, base as c_int) as u64
        } else {
            numbers::strtoul(text.as_ptr().cast(), end, base as c_int)
        };
        let length = if pointer { Length::Long } else { spec.length };
        self.store(spec.position, length, value);
        self.done += 1;
        Ok(())
    }

    unsafe fn store(&mut self, position: Option<usize>, length: Length, value: u64) {
        match length {
            Length::Char => *self.arguments.pointer::<u8>(position) = value as u8,
            Length::Short => *self.arguments.pointer::<u16>(position) = value as u16,
            Length::Int => *self.arguments.pointer::<u32>(position) = value as u32,
            _ => *self.arguments.pointer::<u64>(position) = value,
        }
    }

    /// Reads letters that must come, in either case.
    unsafe fn letters(&mut self, word: &[u8], width: &mut Width, text: &mut Vec<u8>) -> Outcome {
        for &letter in word {
            if !width.any() {
                return Err(Stop::Match);
            }
            match self.input.next() {
                Some(byte) if byte.to_ascii_lowercase() == letter => text.push(byte),
                // The byte stays read, as in glibc.
                _ => return Err(Stop::Match),
            }
            width.less();
        }
        Ok(())
    }

    /// The text of a floating-point number.
    unsafe fn real_text(&mut self, spec: &Spec) -> Result<Vec<u8>, Stop> {
        let mut width = Width(spec.width);
        let mut text = Vec::new();
        let mut next = self.first()?;
        width.less();
        let mut sign = 0;
        if matches!(next, b'-' | b'+') {
            sign = 1;
            text.push(next);
            if !width.any() {
                return Err(Stop::Match);
            }
            next = self.input.next().ok_or(Stop::Match)?;
            width.less();
        }
        match next.to_ascii_lowercase() {
            b'n' => {
                text.push(next);
                self.letters(b"an", &mut width, &mut text)?;
                return Ok(text);
            }
            b'i' => {
                text.push(next);
                self.letters(b"nf", &mut width, &mut text)?;
                if width.any() {
                    match self.input.next() {
                        Some(byte @ (b'i' | b'I')) => {
                            width.less();
                            text.push(byte);
                            self.letters(b"nity", &mut width, &mut text)?;
                        }
                        other => self.input.back(other),
                    }
                }
                return Ok(text);
            }
            _ => {}
        }
        let (mut digits, mut point, mut exponent, mut hexadecimal) = (false, false, false, false);
        let mut next = Some(next);
        if width.any() && next == Some(b'0') {
            text.push(b'0');
            next = self.input.next();
            width.less();
            if width.any() && matches!(next, Some(b'x' | b'X')) {
                text.push(b'x');
                hexadecimal = true;
                next = self.input.next();
                width.less();
            } else {
                digits = true;
            }
        }
        let mark = if hexadecimal { b'p' } else { b'e' };
        loop {
            match next {
                Some(byte) if byte.is_ascii_digit() || hexadecimal && !exponent && byte.is_ascii_hexdigit() => {
                    text.push(byte);
                    digits = true;
                }
                Some(byte @ (b'+' | b'-')) if exponent && text.last() == Some(&mark) => text.push(byte),
                Some(byte) if digits && !exponent && byte.to_ascii_lowercase() == mark => {
                    text.push(mark);
                    (exponent, point) = (true, true);
                }
                Some(b'.') if !point => {
                    text.push(b'.');
                    point = true;
                }
                other => {
                    self.input.back(other);
                    break;
                }
            }
            if !width.any() {
                break;
            }
            next = self.input.next();
            if next.is_none() {
                break;
            }
            width.less();
        }
        if text.len() == sign || hexadecimal && text.len() == sign + 2 { Err(Stop::Match) } else { Ok(text) }
    }

    unsafe fn real(&mut self, spec: &Spec) -> Outcome {
        let mut text = self.real_text(spec)?;
        text.push(0);
        let start = text.as_ptr().cast();
        let mut end = core::ptr::null_mut();
        match spec.length {
            Length::LongDouble => {
                let value = numbers::long::parse(start, &mut end);
                if end.cast_const() != start && !spec.suppress {
                    self.arguments.pointer::<[u8; 10]>(spec.position).write(value.bytes());
                }
            }
            Length::Long => {
                let value = numbers::strtod(start, &mut end);
                if end.cast_const() != start && !spec.suppress {
                    *self.arguments.pointer::<f64>(spec.position) = value;
                }
            }
            _ => {
                let value = numbers::strtof(start, &mut end);
                if end.cast_const() != start && !spec.suppress {
                    *self.arguments.pointer::<f32>(spec.position) = value;
                }
            }
        }
        if end.cast_const() == start {
            return Err(Stop::Match);
        }
        self.done += c_int::from(!spec.suppress);
        Ok(())
    }

    unsafe fn target(&mut self, spec: &Spec) -> Target {
        let wide = spec.length == Length::Long || matches!(spec.conversion, b'C' | b'S');
        match spec.suppress {
            true => Target::nowhere(wide),
            false => Target::new(self.arguments.pointer(spec.position), spec.allocate, wide),
        }
    }

    /// `%c`: as many characters as the width says, or as there are.
    unsafe fn characters(&mut self, spec: &Spec) -> Outcome {
        let mut target = self.target(spec);
        let mut next = match self.first() {
            Ok(byte) => byte,
            Err(stop) => {
                target.give_up();
                return Err(stop);
            }
        };
        let mut left = spec.width.unwrap_or(1);
        loop {
            self.put(&mut target, next)?;
            // A character of several bytes counts once.
            if target.between_characters() {
                left -= 1;
            }
            if left == 0 {
                break;
            }
            match self.input.next() {
                Some(byte) => next = byte,
                None => break,
            }
        }
        self.finish(spec, target, false)
    }

    /// `%s` and `%[`: characters while `wanted` says so.
    unsafe fn string(&mut self, spec: &Spec, wanted: impl Fn(u8) -> bool, empty: bool) -> Outcome {
        let mut target = self.target(spec);
        let mut next = match self.first() {
            Ok(byte) => byte,
            Err(stop) => {
                target.give_up();
                return Err(stop);
            }
        };
        if !empty && !wanted(next) {
            self.input.back(Some(next));
            target.give_up();
            return Err(Stop::Match);
        }
        let mut left = spec.width.unwrap_or(usize::MAX);
        loop {
            if target.between_characters() && !wanted(next) {
                self.input.back(Some(next));
                break;
            }
            self.put(&mut target, next)?;
            if target.between_characters() {
                left -= 1;
            }
            if left == 0 {
                break;
            }
            match self.input.next() {
                Some(byte) => next = byte,
                None => break,
            }
        }
        self.finish(spec, target, true)
    }

    unsafe fn put(&mut self, target: &mut Target, byte: u8) -> Outcome {
        target.put(byte).map_err(|()| {
            target.give_up();
            refused()
        })
    }

    unsafe fn finish(&mut self, spec: &Spec, mut target: Target, terminate: bool) -> Outcome {
        if target.end(terminate).is_err() {
            target.give_up();
            return Err(refused());
        }
        if !spec.suppress {
            self.done += 1;
            if let Some(block) = target.allocated() {
                self.arguments.keep(block);
            }
        }
        Ok(())
    }

    unsafe fn set(&mut self, spec: &Spec, format: &[u8], at: &mut usize) -> Outcome {
        let mut table = [false; 256];
        let negated = format.get(*at) == Some(&b'^');
        *at += usize::from(negated);
        // These are ordinary in the first place.
        if let Some(&first @ (b']' | b'-')) = format.get(*at) {
            table[usize::from(first)] = true;
            *at += 1;
        }
        loop {
            let Some(&byte) = format.get(*at) else { return Err(Stop::Match) };
            *at += 1;
            if byte == b']' {
                break;
            }
            let (before, after) = (format[*at - 2], format.get(*at).copied());
            match after.filter(|&after| byte == b'-' && after != b']' && before <= after) {
                Some(after) => table[usize::from(before)..usize::from(after)].fill(true),
                None => table[usize::from(byte)] = true,
            }
        }
        self.string(spec, |byte| table[usize::from(byte)] != negated, false)
    }

    unsafe fn conversion(&mut self, spec: &Spec, format: &[u8], at: &mut usize) -> Outcome {
        if !matches!(spec.conversion, b'[' | b'c' | b'C' | b'n') {
            self.skip_space()?;
        }
        match spec.conversion {
            b'%' => self.literal(b'%'),
            b'n' => {
                if !spec.suppress {
                    let count = self.input.count() as u64;
                    self.store(spec.position, spec.length, count);
                }
                Ok(())
            }
            b'c' | b'C' => self.characters(spec),
            b's' | b'S' => self.string(spec, |byte| !is_space(byte), true),
            b'[' => self.set(spec, format, at),
            b'd' => self.integer(spec, 10, true),
            b'i' => self.integer(spec, 0, true),
            b'u' => self.integer(spec, 10, false),
            b'o' => self.integer(spec, 8, false),
            b'x' | b'X' | b'p' => self.integer(spec, 16, false),
            b'a' | b'A' | b'e' | b'E' | b'f' | b'F' | b'g' | b'G' => self.real(spec),
            _ => Err(Stop::Match),
        }
    }

    unsafe fn literal(&mut self, wanted: u8) -> Outcome {
        let byte = self.first()?;
        if byte == wanted {
            return Ok(());
        }
        self.input.back(Some(byte));
        Err(Stop::Match)
    }

    unsafe fn run(&mut self, format: &[u8], old: bool) -> Outcome {
        let mut at = 0;
        let mut space = false;
        while let Some(&byte) = format.get(at) {
            at += 1;
            if is_space(byte) {
                space = true;
                continue;
            }
            if byte != b'%' {
                if space {
                    self.input.skip_until_end();
                }
                self.literal(byte)?;
                space = false;
                continue;
            }
            let spec = parse(format, &mut at, old);
            if core::mem::take(&mut space) {
                self.skip_space()?;
            }
            self.conversion(&spec, format, &mut at)?;
        }
        if space {
            self.input.skip_until_end();
        }
        Ok(())
    }
}

/// Reads by a format: the number of conversions, or −1 when the input ended before the first.
///
/// # Safety
/// The arguments are what the format says.
pub unsafe fn scan(input: Input<'_>, format: &[u8], arguments: &mut VaList, old: bool) -> c_int {
    let mut scan = Scan { input, arguments: Arguments::new(arguments), done: 0 };
    let outcome = scan.run(format, old);
    if matches!(outcome, Err(Stop::Input)) && scan.done == 0 {
        scan.arguments.free_kept();
        return -1;
    }
    scan.done
}
