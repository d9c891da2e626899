//! x^y: the logarithm in fixed point with more bits than the result has.

use super::functions::ONE;
use super::ops::{power_of_2_minus_1, scale};
use super::{BIAS, F80};

/// Bits behind the point of a logarithm.
const FRACTION: u32 = 110;

/// The square of a number in units of 2^−126, below 4 (it stays below 2^128).
fn square(value: u128) -> u128 {
    let (high, low) = (value >> 64, value & u128::from(u64::MAX));
    // (high·2^64 + low)² / 2^126
    (high * high << 2) + (high * low >> 61) + (low * low >> 126)
}

/// log₂ of a positive number, in units of 2^−[`FRACTION`]: digit after digit, by squaring.
fn log2(x: F80) -> i128 {
    let mut whole = i128::from(x.exponent());
    let significand = x.significand << x.significand.leading_zeros();
    // In 1 to 2, in units of 2^−126.
    let mut rest = u128::from(significand) << 63;
    let mut fraction = 0i128;
    for bit in (0..FRACTION).rev() {
        rest = square(rest);
        if rest >> 127 != 0 {
            rest >>= 1;
            fraction |= 1 << bit;
        }
    }
    whole <<= FRACTION;
    whole + fraction
}

/// Whether it is a whole number, and whether that is odd.
fn whole(y: F80) -> (bool, bool) {
    if y.is_zero() {
        return (true, false);
    }
    let exponent = y.exponent();
    if exponent > 63 {
        return (true, false);
    }
    if exponent < 0 {
        return (false, false);
    }
    let whole = y.truncated() == y;
    (whole, whole && y.significand >> (63 - exponent) & 1 == 1)
}

/// x^y. Special cases as in C11 F.10.4.4.
pub fn pow(x: F80, y: F80) -> F80 {
    if x == ONE || y.is_zero() {
        return ONE;
    }
    if x.is_nan() || y.is_nan() {
        return x + y;
    }
    let size = x.abs();
    if y.is_infinite() {
        return match size.partial_cmp(&ONE) {
            Some(core::cmp::Ordering::Equal) => ONE,
            order if (order == Some(core::cmp::Ordering::Greater)) != y.is_negative() => F80::INFINITY,
            _ => F80::ZERO,
        };
    }
    let (is_whole, odd) = whole(y);
    let negative = x.is_negative() && odd;
    let signed = |value: F80| if negative { -value } else { value };
    if x.is_zero() || x.is_infinite() {
        if x.is_zero() == y.is_negative() {
            // Division by zero raises its exception.
            return signed(if x.is_zero() { ONE / F80::ZERO } else { F80::INFINITY });
        }
        return signed(F80::ZERO);
    }
    if x.is_negative() && !is_whole {
        return F80::ZERO / F80::ZERO;
    }
    if size == ONE {
        return signed(ONE);
    }
    signed(positive(size, y))
}

fn positive(x: F80, y: F80) -> F80 {
    let far = |up: bool| scale(F80::from(if up { 40_000i64 } else { -40_000 }), ONE);
    let log = log2(x);
    let up = (log > 0) != y.is_negative();
    // |log| × significand of y, as 256 bits: high × 2^64 + low.
    let magnitude = log.unsigned_abs();
    let factor = u128::from(y.significand);
    let low = (magnitude & u128::from(u64::MAX)) * factor;
    let high = (magnitude >> 64) * factor + (low >> 64);
    let low = low as u64;
    // The product's unit is 2^(exponent of y − 63 − FRACTION).
    let unit = i64::from(y.head & 0x7fff).max(1) - i64::from(BIAS) - 63 - i64::from(FRACTION);
    // Drop what is below 2^−100, keeping `high` below 2^128.
    let bits = 192 - i64::from(if high == 0 { 128 + low.leading_zeros() } else { high.leading_zeros() });
    if bits + unit > 16 {
        return far(up);
    }
    if bits + unit < -70 {
        return ONE + F80::from(if up { 1e-30 } else { -1e-30 });
    }
    // The product in units of 2^−100.
    let shift = unit + 100;
    let product = match shift {
        0.. => (high << 64 | u128::from(low)) << shift,
        -64..0 => (high << (64 + shift)) | u128::from(low) >> -shift,
        _ => high.checked_shr((-shift - 64) as u32).unwrap_or(0),
    };
    let product = if up { product as i128 } else { -(product as i128) };
    let whole = (product + (1 << 99)) >> 100;
    let rest = product - (whole << 100);
    // To the 64 bits of a long double.
    let size = rest.unsigned_abs();
    let drop = (128 - size.leading_zeros()).saturating_sub(63);
    let fraction = scale(F80::from(i64::from(drop) - 100), F80::from((size >> drop) as i64));
    let fraction = if rest < 0 { -fraction } else { fraction };
    scale(F80::from(whole as i64), power_of_2_minus_1(fraction) + ONE)
}
