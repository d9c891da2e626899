//! Floating-point numbers as text, exactly: the `%f`, `%e`, `%g` and `%a` conversions. printf(3).
//!
//! A finite number is m × 2^e. For e ≥ 0 that is an integer; for e < 0 it is m × 5^(−e) / 10^(−e). So its decimal
//! digits are always those of one integer, which is computed exactly, and rounded to nearest, ties to even.

use alloc::vec::Vec;

/// A number as its format has it.
#[derive(Clone, Copy)]
pub struct Float {
    /// The sign bit.
    pub negative: bool,
    /// What it is.
    pub kind: Kind,
    /// Whether it came as a `long double`, which `%a` shows differently.
    pub long: bool,
}

/// What a number is.
#[derive(Clone, Copy)]
pub enum Kind {
    /// An infinity.
    Infinite,
    /// Not a number.
    Nan,
    /// `significand` × 2^`exponent`.
    Finite {
        /// The significand as it is stored, with the leading bit.
        significand: u64,
        /// The exponent of the significand's lowest bit.
        exponent: i32,
    },
}

impl Float {
    /// From a `double`.
    pub fn double(value: f64) -> Float {
        let bits = value.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as i32;
        let fraction = bits & ((1 << 52) - 1);
        let kind = match (exponent, fraction) {
            (0x7ff, 0) => Kind::Infinite,
            (0x7ff, _) => Kind::Nan,
            (0, _) => Kind::Finite { significand: fraction, exponent: -1074 },
            _ => Kind::Finite { significand: fraction | 1 << 52, exponent: exponent - 1075 },
        };
        Float { negative: bits >> 63 != 0, kind, long: false }
    }

    /// From an 80-bit `long double`: significand, and sign with exponent.
    pub fn extended(significand: u64, head: u16) -> Float {
        let exponent = i32::from(head & 0x7fff);
        let kind = match exponent {
            0x7fff if significand << 1 == 0 => Kind::Infinite,
            0x7fff => Kind::Nan,
            _ => Kind::Finite { significand, exponent: exponent.max(1) - 16383 - 63 },
        };
        Float { negative: head >> 15 != 0, kind, long: true }
    }
}

/// Decimal digits (values, not characters), without leading zeros, and the number of them before the point
/// (negative: zeros after the point). Zero has no digits.
struct Decimal {
    digits: Vec<u8>,
    point: i32,
}

/// Limbs of an integer are below this.
const LIMB: u64 = 1_000_000_000;

/// Multiplies an integer, lowest limb first.
fn multiply(limbs: &mut Vec<u32>, factor: u32) {
    let mut carry = 0u64;
    for limb in limbs.iter_mut() {
        let product = u64::from(*limb) * u64::from(factor) + carry;
        *limb = (product % LIMB) as u32;
        carry = product / LIMB;
    }
    while carry != 0 {
        limbs.push((carry % LIMB) as u32);
        carry /= LIMB;
    }
}

fn decimal(significand: u64, exponent: i32) -> Decimal {
    if significand == 0 {
        return Decimal { digits: Vec::new(), point: 1 };
    }
    let zeros = significand.trailing_zeros();
    let (significand, exponent) = (significand >> zeros, exponent + zeros as i32);
    let mut limbs = Vec::new();
    let mut rest = significand;
    while rest != 0 {
        limbs.push((rest % LIMB) as u32);
        rest /= LIMB;
    }
    // The greatest powers that fit a factor of 32 bits.
    let (base, step) = if exponent >= 0 { (2u32, 31) } else { (5u32, 13) };
    let mut times = exponent.unsigned_abs();
    while times != 0 {
        let now = times.min(step);
        multiply(&mut limbs, base.pow(now));
        times -= now;
    }
    let mut digits = Vec::with_capacity(limbs.len() * 9);
    for &limb in limbs.iter().rev() {
        let mut unit = 100_000_000;
        while unit != 0 {
            digits.push((limb / unit % 10) as u8);
            unit /= 10;
        }
    }
    let leading = digits.iter().take_while(|&&digit| digit == 0).count();
    digits.drain(..leading);
    let point = digits.len() as i32 + exponent.min(0);
    Decimal { digits, point }
}

impl Decimal {
    /// Rounds to `keep` digits (none or fewer: to zero or one unit of the last place kept).
    fn round(&mut self, keep: i64) {
        if keep >= self.digits.len() as i64 {
            return;
        }
        if keep < 0 {
            self.digits.clear();
            return;
        }
        let keep = keep as usize;
        let (first, more) = (self.digits[keep], self.digits[keep + 1..].iter().any(|&digit| digit != 0));
        let odd = keep > 0 && self.digits[keep - 1] % 2 == 1;
        self.digits.truncate(keep);
        if first < 5 || first == 5 && !more && !odd {
            return;
        }
        for digit in self.digits.iter_mut().rev() {
            *digit += 1;
            if *digit < 10 {
                return;
            }
            *digit = 0;
        }
        self.digits.insert(0, 1);
        self.point += 1;
    }

    /// The digit of weight 10^(point − 1 − index), as a character.
    fn at(&self, index: i64) -> u8 {
        let digit = usize::try_from(index).ok().and_then(|index| self.digits.get(index));
        b'0' + digit.copied().unwrap_or(0)
    }
}

/// How a number is to look.
pub struct Style {
    /// `f`, `e`, `g` or `a`, in lower case.
    pub conversion: u8,
    /// Digits after the point (significant ones for `g`).
    pub precision: Option<usize>,
    /// The flag `#`.
    pub alternate: bool,
}

/// The most digits any number has; those beyond are zeros and left to the caller.
pub const MOST: usize = 17_000;

/// Text of a finite number without sign: what stands before missing zeros, their number, and what stands after them.
pub struct Text {
    /// First part.
    pub head: Vec<u8>,
    /// Zeros behind it.
    pub zeros: usize,
    /// Last part.
    pub tail: Vec<u8>,
}

fn fixed(number: &mut Decimal, precision: usize, alternate: bool) -> Text {
    let exact = precision.min(MOST);
    number.round(i64::from(number.point) + exact as i64);
    let mut head = Vec::new();
    if number.point <= 0 || number.digits.is_empty() {
        head.push(b'0');
    } else {
        head.extend((0..i64::from(number.point)).map(|index| number.at(index)));
    }
    if precision > 0 || alternate {
        head.push(b'.');
    }
    let start = if number.digits.is_empty() { 0 } else { i64::from(number.point) };
    head.extend((start..start + exact as i64).map(|index| number.at(index)));
    Text { head, zeros: precision - exact, tail: Vec::new() }
}

fn exponent_text(mark: u8, exponent: i32, least: usize) -> Vec<u8> {
    let mut tail = Vec::from([mark, if exponent < 0 { b'-' } else { b'+' }]);
    let digits = alloc::format!("{:0least$}", exponent.unsigned_abs());
    tail.extend_from_slice(digits.as_bytes());
    tail
}

fn scientific(number: &mut Decimal, precision: usize, alternate: bool) -> Text {
    let exact = precision.min(MOST);
    number.round(exact as i64 + 1);
    let mut head = Vec::from([number.at(0)]);
    if precision > 0 || alternate {
        head.push(b'.');
    }
    head.extend((1..=exact as i64).map(|index| number.at(index)));
    let exponent = if number.digits.is_empty() { 0 } else { number.point - 1 };
    Text { head, zeros: precision - exact, tail: exponent_text(b'e', exponent, 2) }
}

fn general(number: &mut Decimal, precision: usize, alternate: bool) -> Text {
    let mut precision = precision.max(1);
    number.round(precision.min(MOST) as i64);
    if !alternate {
        // Zeros at the end of the fraction go.
        let used = number.digits.iter().rposition(|&digit| digit != 0).map_or(0, |last| last + 1);
        number.digits.truncate(used);
    }
    let exponent = if number.digits.is_empty() { 0 } else { number.point - 1 };
    let small = exponent >= -4 && i64::from(exponent) < precision as i64;
    if !alternate {
        precision = number.digits.len().max(1);
    }
    if small {
        let after = (precision as i64 - 1 - i64::from(exponent)).max(0) as usize;
        fixed(number, after, alternate)
    } else {
        scientific(number, precision - 1, alternate)
    }
}

fn hexadecimal(float: &Float, significand: u64, exponent: i32, style: &Style) -> Text {
    // Four bits before the point for a long double, one for a double; the rest are whole digits.
    let fraction_bits = if float.long { 60 } else { 52 };
    let mut value = u128::from(significand);
    let mut power = if significand == 0 { 0 } else { exponent + fraction_bits };
    let digits = fraction_bits as usize / 4;
    if let Some(precision) = style.precision.filter(|&precision| precision < digits) {
        let cut = 4 * (digits - precision) as u32;
        let (half, low) = (1u128 << (cut - 1), value & ((1 << cut) - 1));
        value >>= cut;
        if low > half || low == half && value & 1 == 1 {
            value += 1;
        }
        value <<= cut;
        if value >> fraction_bits > 15 {
            value >>= 4;
            power += 4;
        }
    }
    let mut fraction: Vec<u8> = (0..digits)
        .map(|index| {
            let digit = (value >> (fraction_bits as usize - 4 * (index + 1)) & 15) as u8;
            if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }
        })
        .collect();
    let shown = match style.precision {
        Some(precision) => precision,
        None => fraction.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1),
    };
    fraction.truncate(shown);
    let leading = (value >> fraction_bits) as u8;
    let mut head = Vec::from([if leading < 10 { b'0' + leading } else { b'a' + leading - 10 }]);
    if shown > 0 || style.alternate {
        head.push(b'.');
    }
    let zeros = shown - fraction.len();
    head.extend_from_slice(&fraction);
    Text { head, zeros, tail: exponent_text(b'p', power, 1) }
}

/// The text of a number's absolute value in lower case, without the prefix `0x` of `%a`.
pub fn text(float: &Float, style: &Style) -> Text {
    let (significand, exponent) = match float.kind {
        Kind::Infinite => return Text { head: b"inf".to_vec(), zeros: 0, tail: Vec::new() },
        Kind::Nan => return Text { head: b"nan".to_vec(), zeros: 0, tail: Vec::new() },
        Kind::Finite { significand, exponent } => (significand, exponent),
    };
    if style.conversion == b'a' {
        return hexadecimal(float, significand, exponent, style);
    }
    let mut number = decimal(significand, exponent);
    let precision = style.precision.unwrap_or(6);
    match style.conversion {
        b'e' => scientific(&mut number, precision, style.alternate),
        b'g' => general(&mut number, precision, style.alternate),
        _ => fixed(&mut number, precision, style.alternate),
    }
}
