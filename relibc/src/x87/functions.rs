//! Elementary functions on [`F80`], within 4 units of the last place of glibc's results.

use super::ops::{
    arctangent, cosine, power_of_2_minus_1, scale, sine, square_root, tangent, times_log2, times_log2_plus_1, to_whole,
};
use super::{F80, power, reduce};

const fn number(head: u16, significand: u64) -> F80 {
    F80 { significand, head }
}

/// 1.
pub const ONE: F80 = number(0x3fff, 1 << 63);
/// 2.
pub const TWO: F80 = number(0x4000, 1 << 63);
const HALF: F80 = number(0x3ffe, 1 << 63);
/// log₂ e.
const LOG2_E: F80 = number(0x3fff, 0xb8aa_3b29_5c17_f0bc);
/// ln 2.
const LN_2: F80 = number(0x3ffe, 0xb172_17f7_d1cf_79ac);
/// ln 2's first 32 bits, so that products with exponents are exact, and the rest.
const LN_2_HIGH: F80 = number(0x3ffe, 0xb172_17f7_0000_0000);
const LN_2_LOW: F80 = number(0x3fde, 0xd1cf_79ab_c9e3_b398);
/// log₁₀ 2.
const LOG10_2: F80 = number(0x3ffd, 0x9a20_9a84_fbcf_f799);

/// e^x.
pub fn exp(x: F80) -> F80 {
    if x.is_nan() {
        return x + x;
    }
    if x > F80::from(11357.0) {
        return if x.is_infinite() { x } else { scale(F80::from(20_000i64), ONE) };
    }
    if x < F80::from(-11515.0) {
        return if x.is_infinite() { F80::ZERO } else { scale(F80::from(-20_000i64), ONE) };
    }
    let whole = to_whole(x * LOG2_E);
    let rest = x - whole * LN_2_HIGH - whole * LN_2_LOW;
    scale(whole, power_of_2_minus_1(rest * LOG2_E) + ONE)
}

/// e^x − 1.
pub fn expm1(x: F80) -> F80 {
    if x.is_zero() || x.is_nan() {
        return x;
    }
    if x.abs() < F80::from(0.69) { power_of_2_minus_1(x * LOG2_E) } else { exp(x) - ONE }
}

/// 2^x.
pub fn exp2(x: F80) -> F80 {
    if !x.is_finite() || x.abs() > F80::from(17_000i64) {
        return exp(x * LN_2);
    }
    let whole = to_whole(x);
    scale(whole, power_of_2_minus_1(x - whole) + ONE)
}

/// ln x.
pub fn log(x: F80) -> F80 {
    if (x - ONE).abs() < F80::from(0.25) { times_log2_plus_1(LN_2, x - ONE) } else { times_log2(LN_2, x) }
}

/// log₁₀ x.
pub fn log10(x: F80) -> F80 {
    if (x - ONE).abs() < F80::from(0.25) { times_log2_plus_1(LOG10_2, x - ONE) } else { times_log2(LOG10_2, x) }
}

/// log₂ x.
pub fn log2(x: F80) -> F80 {
    if (x - ONE).abs() < F80::from(0.25) { times_log2_plus_1(ONE, x - ONE) } else { times_log2(ONE, x) }
}

/// ln(1 + x).
pub fn log1p(x: F80) -> F80 {
    if x.abs() < F80::from(0.29) {
        return times_log2_plus_1(LN_2, x);
    }
    let sum = x + ONE;
    if !sum.is_finite() || sum.is_zero() || sum.is_negative() {
        return times_log2(LN_2, sum);
    }
    // With what the sum lost.
    times_log2(LN_2, sum) + (x - (sum - ONE)) / sum
}

/// √x.
pub fn sqrt(x: F80) -> F80 {
    square_root(x)
}

/// sin x.
pub fn sin(x: F80) -> F80 {
    if !x.is_finite() {
        return x - x;
    }
    let (rest, quadrant) = reduce::quadrant(x);
    let value = if quadrant % 2 == 0 { sine(rest) } else { cosine(rest) };
    if quadrant & 2 == 0 { value } else { -value }
}

/// cos x.
pub fn cos(x: F80) -> F80 {
    if !x.is_finite() {
        return x - x;
    }
    let (rest, quadrant) = reduce::quadrant(x);
    let value = if quadrant % 2 == 0 { cosine(rest) } else { sine(rest) };
    if matches!(quadrant & 3, 1 | 2) { -value } else { value }
}

/// tan x.
pub fn tan(x: F80) -> F80 {
    if !x.is_finite() {
        return x - x;
    }
    let (rest, quadrant) = reduce::quadrant(x);
    if quadrant % 2 == 0 { tangent(rest) } else { -(ONE / tangent(rest)) }
}

/// The angle of the point (x, y).
pub fn atan2(y: F80, x: F80) -> F80 {
    arctangent(y, x)
}

/// arctan x.
pub fn atan(x: F80) -> F80 {
    arctangent(x, ONE)
}

/// arcsin x.
pub fn asin(x: F80) -> F80 {
    arctangent(x, square_root((ONE - x) * (ONE + x)))
}

/// arccos x.
pub fn acos(x: F80) -> F80 {
    arctangent(square_root((ONE - x) * (ONE + x)), x)
}

/// sinh x.
pub fn sinh(x: F80) -> F80 {
    if !x.is_finite() || x.is_zero() {
        return x;
    }
    let size = x.abs();
    let value = if size > F80::from(11_000i64) {
        let root = exp(size * HALF);
        HALF * root * root
    } else {
        let grown = expm1(size);
        HALF * (grown + grown / (grown + ONE))
    };
    value.with_sign(x)
}

/// cosh x.
pub fn cosh(x: F80) -> F80 {
    let size = x.abs();
    if !x.is_finite() {
        return size;
    }
    if size > F80::from(11_000i64) {
        let root = exp(size * HALF);
        return HALF * root * root;
    }
    let grown = exp(size);
    HALF * (grown + ONE / grown)
}

/// tanh x.
pub fn tanh(x: F80) -> F80 {
    if x.is_nan() || x.is_zero() {
        return x;
    }
    let size = x.abs();
    if size > F80::from(40i64) {
        return ONE.with_sign(x);
    }
    let grown = expm1(TWO * size);
    (grown / (grown + TWO)).with_sign(x)
}

/// arsinh x.
pub fn asinh(x: F80) -> F80 {
    if !x.is_finite() || x.is_zero() {
        return x;
    }
    let size = x.abs();
    let value = if size.exponent() > 40 {
        log(size) + LN_2
    } else {
        let square = size * size;
        log1p(size + square / (ONE + square_root(ONE + square)))
    };
    value.with_sign(x)
}

/// arcosh x.
pub fn acosh(x: F80) -> F80 {
    if x.is_infinite() && !x.is_negative() {
        return x;
    }
    if x > F80::from(1e13) {
        return log(x) + LN_2;
    }
    if x < ONE {
        return F80::ZERO / F80::ZERO;
    }
    let above = x - ONE;
    log1p(above + square_root(TWO * above + above * above))
}

/// artanh x.
pub fn atanh(x: F80) -> F80 {
    if x.is_zero() || x.is_nan() {
        return x;
    }
    let size = x.abs();
    (HALF * log1p(TWO * size / (ONE - size))).with_sign(x)
}

/// √(x² + y²) without overflow on the way.
pub fn hypot(x: F80, y: F80) -> F80 {
    if x.is_infinite() || y.is_infinite() {
        return F80::INFINITY;
    }
    let (small, large) = if x.abs() < y.abs() { (x.abs(), y.abs()) } else { (y.abs(), x.abs()) };
    if large.is_zero() || !large.is_finite() || small.is_nan() {
        return small + large;
    }
    let by = F80::from(i64::from(large.exponent()));
    let (small, large) = (scale(-by, small), scale(-by, large));
    scale(by, square_root(small * small + large * large))
}

/// x^y.
pub fn pow(x: F80, y: F80) -> F80 {
    power::pow(x, y)
}

/// The whole number below or at x.
pub fn floor(x: F80) -> F80 {
    let whole = x.truncated();
    if whole > x { (whole - ONE).with_sign(x) } else { whole }
}

/// The whole number above or at x.
pub fn ceil(x: F80) -> F80 {
    let whole = x.truncated();
    if whole < x { (whole + ONE).with_sign(x) } else { whole }
}

/// The nearest whole number, halves away from zero.
pub fn round(x: F80) -> F80 {
    let whole = x.truncated();
    if (x - whole).abs() >= HALF { (whole + ONE.with_sign(x)).with_sign(x) } else { whole }
}
