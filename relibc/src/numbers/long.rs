//! `strtold`: 80-bit numbers from text, rounded correctly by exact integer arithmetic.
//!
//! Any number in text is a ratio of integers times a power of two; its binary digits come from long division.

use super::{behind_sign, digits, exponent};
use crate::x87::{BIAS, F80};
use crate::{errno, string};
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ffi::c_char;

/// Exponent of the least subnormal number's bit.
const LEAST: i64 = -(BIAS as i64) - 62;
/// Exponent of the least normal number.
const LEAST_NORMAL: i64 = 1 - BIAS as i64;
/// Decimal digits that can matter; those beyond only tell that there is more.
const MOST_DIGITS: usize = 12_000;

/// A natural number, lowest limb first, no zero limbs at the end.
#[derive(Clone)]
pub struct Natural(pub Vec<u32>);

impl Natural {
    /// self × `factor` + `add`.
    fn scale(&mut self, factor: u32, add: u32) {
        let mut carry = u64::from(add);
        for limb in &mut self.0 {
            let product = u64::from(*limb) * u64::from(factor) + carry;
            *limb = product as u32;
            carry = product >> 32;
        }
        if carry != 0 {
            self.0.push(carry as u32);
        }
    }

    fn times_power_of_five(&mut self, mut power: u64) {
        while power > 0 {
            let now = power.min(13) as u32;
            self.scale(5u32.pow(now), 0);
            power -= u64::from(now);
        }
    }

    /// Divides by a small number, rounding down.
    pub fn divide(&mut self, by: u32) {
        let mut rest = 0u64;
        for limb in self.0.iter_mut().rev() {
            let wide = rest << 32 | u64::from(*limb);
            *limb = (wide / u64::from(by)) as u32;
            rest = wide % u64::from(by);
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// Adds.
    pub fn add(&mut self, other: &Natural) {
        let mut carry = 0;
        for index in 0..self.0.len().max(other.0.len()) + 1 {
            let own = self.0.get(index).copied().unwrap_or(0);
            let wide = u64::from(own) + u64::from(other.0.get(index).copied().unwrap_or(0)) + carry;
            carry = wide >> 32;
            match self.0.get_mut(index) {
                Some(limb) => *limb = wide as u32,
                None => self.0.push(wide as u32),
            }
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// Whether it is less.
    pub fn less(&self, other: &Natural) -> bool {
        self.compare(other) == Ordering::Less
    }

    /// Bits up to the highest that is set.
    pub fn bits(&self) -> i64 {
        self.0.last().map_or(0, |top| self.0.len() as i64 * 32 - i64::from(top.leading_zeros()))
    }

    /// Multiplies by 2^`by`; divides, rounding down, where that is negative.
    pub fn shift(&mut self, by: i64) {
        if by < 0 {
            let (limbs, bits) = ((-by) as usize / 32, (-by) as u32 % 32);
            self.0.drain(..limbs.min(self.0.len()));
            self.divide(1 << bits);
            return;
        }
        let (limbs, bits) = (by as usize / 32, by as u32 % 32);
        if bits > 0 {
            let mut carry = 0;
            for limb in &mut self.0 {
                let wide = u64::from(*limb) << bits | carry;
                *limb = wide as u32;
                carry = wide >> 32;
            }
            if carry != 0 {
                self.0.push(carry as u32);
            }
        }
        self.0.splice(0..0, core::iter::repeat_n(0, limbs));
    }

    fn compare(&self, other: &Natural) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    /// Takes away what is not greater.
    pub fn subtract(&mut self, other: &Natural) {
        let mut borrow = false;
        for (index, limb) in self.0.iter_mut().enumerate() {
            let (less, first) = limb.overflowing_sub(other.0.get(index).copied().unwrap_or(0));
            let (less, second) = less.overflowing_sub(u32::from(borrow));
            (*limb, borrow) = (less, first || second);
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

/// The number `above` ÷ `below` × 2^`power`, plus something less than any bit if there is `more`; and whether it is out of range.
/// `above` is not 0.
pub fn ratio(mut above: Natural, mut below: Natural, power: i64, more: bool) -> (F80, bool) {
    // Make 1 ≤ above/below < 2; then the number is that times 2^top.
    let mut top = above.bits() - below.bits();
    if top >= 0 {
        below.shift(top)
    } else {
        above.shift(-top)
    }
    if above.compare(&below) == Ordering::Less {
        above.shift(1);
        top -= 1;
    }
    top += power;
    if top > i64::from(BIAS) {
        return (F80::INFINITY, true);
    }
    let wanted = (top - LEAST + 1).min(64);
    if wanted < 0 {
        return (F80::ZERO, true);
    }
    let mut quotient = 0u128;
    for _ in 0..wanted {
        quotient <<= 1;
        if above.compare(&below) != Ordering::Less {
            above.subtract(&below);
            quotient |= 1;
        }
        above.shift(1);
    }
    // What is left against one half of the last bit.
    let order = above.compare(&below).then(if more { Ordering::Greater } else { Ordering::Equal });
    let exact = above.0.is_empty() && !more;
    if order == Ordering::Greater || order == Ordering::Equal && quotient & 1 == 1 {
        quotient += 1;
    }
    let tiny = top < LEAST_NORMAL;
    if quotient >> 64 != 0 {
        quotient >>= 1;
        top += 1;
    }
    if top > i64::from(BIAS) {
        return (F80::INFINITY, true);
    }
    let significand = quotient as u64;
    let head = if tiny { (significand >> 63) as u16 } else { (top + i64::from(BIAS)) as u16 };
    (F80 { significand, head }, tiny && significand >> 63 == 0 && !exact)
}

/// Digits of a base, with an optional point: the number, how often the base divides it, and whether digits were left out.
fn mantissa(text: &[u8], base: u32) -> (Natural, i64, bool) {
    let (mut number, mut behind, mut more, mut point, mut taken) = (Natural(Vec::new()), 0, false, false, 0);
    for &byte in text {
        let Some(digit) = char::from(byte).to_digit(base) else {
            point = true;
            continue;
        };
        if taken < MOST_DIGITS {
            number.scale(base, digit);
            taken += usize::from(!number.0.is_empty());
            behind += i64::from(point);
        } else {
            more |= digit != 0;
            behind -= i64::from(!point);
        }
    }
    (number, behind, more)
}

/// Value, length and whether it is out of range.
type Read = (F80, usize, bool);

fn decimal(text: &[u8]) -> Option<Read> {
    let (len, any) = digits(text, 10);
    if !any {
        return None;
    }
    let (power, behind) = exponent(&text[len..], b'e');
    let (mut above, divided, more) = mantissa(&text[..len], 10);
    let len = len + behind;
    if above.0.is_empty() {
        return Some((F80::ZERO, len, false));
    }
    let power = power - divided;
    // Far outside of every range, whatever the digits.
    let size = power + above.bits() * 30103 / 100_000;
    if size > 5000 {
        return Some((F80::INFINITY, len, true));
    }
    if size < -5100 {
        return Some((F80::ZERO, len, true));
    }
    let mut below = Natural(Vec::from([1]));
    if power >= 0 { &mut above } else { &mut below }.times_power_of_five(power.unsigned_abs());
    let (value, range) = ratio(above, below, power, more);
    Some((value, len, range))
}

fn hexadecimal(text: &[u8]) -> Option<Read> {
    let (len, any) = digits(text, 16);
    if !any {
        return None;
    }
    let (power, behind) = exponent(&text[len..], b'p');
    let (number, divided, more) = mantissa(&text[..len], 16);
    let len = len + behind;
    if number.0.is_empty() {
        return Some((F80::ZERO, len, false));
    }
    let (value, range) = ratio(number, Natural(Vec::from([1])), power - 4 * divided, more);
    Some((value, len, range))
}

fn word(text: &[u8]) -> Option<Read> {
    let (value, len) = super::named(text)?;
    Some((if value == super::Named::Infinity { F80::INFINITY } else { F80::NAN }, len, false))
}

/// Reads a number, as strtold(3) does.
///
/// # Safety
/// `text` ends in NUL; `end` is null or a place for a pointer.
pub unsafe fn parse(text: *const c_char, end: *mut *mut c_char) -> F80 {
    let bytes = string::bytes(text);
    let (negative, start) = behind_sign(bytes);
    let body = &bytes[start..];
    let hex = matches!(body, [b'0', b'x' | b'X', ..]).then(|| hexadecimal(&body[2..])).flatten();
    let hex = hex.map(|(value, len, range)| (value, len + 2, range));
    let read = hex.or_else(|| decimal(body)).or_else(|| word(body));
    if !end.is_null() {
        *end = text.add(read.map_or(0, |(_, len, _)| start + len)).cast_mut();
    }
    let Some((value, _, range)) = read else { return F80::ZERO };
    if range {
        errno::set(libc::ERANGE);
    }
    if negative { value.negated() } else { value }
}

unsafe extern "C" fn read(text: *const c_char, end: *mut *mut c_char, _arguments: *const F80, out: *mut F80) {
    *out = parse(text, end);
}

c_long_double! {
    /// strtold(3).
    fn strtold = read;
    /// strtold of a locale: all of ours write numbers alike.
    fn strtold_l = read;
    /// [`strtold_l`]. glibc.
    fn __strtold_l = read;
}
