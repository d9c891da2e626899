//! The functions of `math.h` on `long double`. C11 7.12; within 4 units of the last place of glibc's results.

use super::functions as f;
use super::ops::{remainder_nearest, remainder_truncated, scale, to_whole};
use super::{BIAS, F80};
use crate::numbers::long::{Natural, ratio};
use alloc::vec::Vec;
use core::ffi::{c_double, c_float, c_int, c_long};

/// Defines what entry points of functions of one number call.
macro_rules! unary {
    ($( $(#[$meta:meta])* fn $name:ident / $inner:ident = $function:expr; )*) => {
        $(
            unsafe extern "C" fn $inner(_: usize, _: usize, arguments: *const F80, out: *mut F80) {
                let function: fn(F80) -> F80 = $function;
                *out = function(*arguments);
            }
        )*
        c_long_double! { $( $(#[$meta])* fn $name = $inner; )* }
    };
}

/// The same for two numbers.
macro_rules! binary {
    ($( $(#[$meta:meta])* fn $name:ident / $inner:ident = $function:expr; )*) => {
        $(
            unsafe extern "C" fn $inner(_: usize, _: usize, arguments: *const F80, out: *mut F80) {
                let function: fn(F80, F80) -> F80 = $function;
                *out = function(*arguments, *arguments.add(1));
            }
        )*
        c_long_double! { $( $(#[$meta])* fn $name = $inner; )* }
    };
}

unary! {
    /// acosl(3).
    fn acosl / acos = f::acos;
    /// acoshl(3).
    fn acoshl / acosh = f::acosh;
    /// asinl(3).
    fn asinl / asin = f::asin;
    /// asinhl(3).
    fn asinhl / asinh = f::asinh;
    /// atanl(3).
    fn atanl / atan = f::atan;
    /// atanhl(3).
    fn atanhl / atanh = f::atanh;
    /// ceill(3).
    fn ceill / ceil = f::ceil;
    /// cosl(3).
    fn cosl / cos = f::cos;
    /// coshl(3).
    fn coshl / cosh = f::cosh;
    /// expl(3).
    fn expl / exp = f::exp;
    /// exp2l(3).
    fn exp2l / exp2 = f::exp2;
    /// expm1l(3).
    fn expm1l / expm1 = f::expm1;
    /// fabsl(3).
    fn fabsl / fabs = F80::abs;
    /// floorl(3).
    fn floorl / floor = f::floor;
    /// logl(3).
    fn logl / log = f::log;
    /// log10l(3).
    fn log10l / log10 = f::log10;
    /// log1pl(3).
    fn log1pl / log1p = f::log1p;
    /// log2l(3).
    fn log2l / log2 = f::log2;
    /// nearbyintl(3).
    fn nearbyintl / nearbyint = to_whole;
    /// rintl(3).
    fn rintl / rint = to_whole;
    /// roundl(3).
    fn roundl / round = f::round;
    /// sinl(3).
    fn sinl / sin = f::sin;
    /// sinhl(3).
    fn sinhl / sinh = f::sinh;
    /// sqrtl(3).
    fn sqrtl / sqrt = f::sqrt;
    /// tanl(3).
    fn tanl / tan = f::tan;
    /// tanhl(3).
    fn tanhl / tanh = f::tanh;
    /// truncl(3).
    fn truncl / trunc = F80::truncated;
}

binary! {
    /// atan2l(3).
    fn atan2l / atan2 = f::atan2;
    /// copysignl(3).
    fn copysignl / copysign = F80::with_sign;
    /// fmodl(3).
    fn fmodl / fmod = |x, y| remainder_truncated(y, x);
    /// hypotl(3).
    fn hypotl / hypot = f::hypot;
    /// powl(3).
    fn powl / pow = f::pow;
    /// remainderl(3).
    fn remainderl / remainder = |x, y| remainder_nearest(y, x);
}

/// A finite number's bits without sign, as a whole number of 2^`unit`.
fn natural(low: u64, high: u64, exponent: i64, unit: i64) -> Natural {
    let mut number = Natural(Vec::from([low as u32, (low >> 32) as u32, high as u32, (high >> 32) as u32]));
    while number.0.last() == Some(&0) {
        number.0.pop();
    }
    if !number.0.is_empty() {
        number.shift(exponent - unit);
    }
    number
}

/// The exponent of a finite number's lowest bit.
fn lowest(x: F80) -> i64 {
    i64::from(x.head & 0x7fff).max(1) - i64::from(BIAS) - 63
}

/// x × y + z, rounded once, exactly.
fn multiply_add(x: F80, y: F80, z: F80) -> F80 {
    if !x.is_finite() || !y.is_finite() || !z.is_finite() || x.is_zero() || y.is_zero() || z.is_zero() {
        return x * y + z;
    }
    let product = u128::from(x.significand) * u128::from(y.significand);
    let (first, second) = (lowest(x) + lowest(y), lowest(z));
    let unit = first.min(second);
    let mut sum = natural(product as u64, (product >> 64) as u64, first, unit);
    let mut other = natural(z.significand, 0, second, unit);
    let mut negative = x.is_negative() != y.is_negative();
    if negative == z.is_negative() {
        sum.add(&other);
    } else if sum.less(&other) {
        other.subtract(&sum);
        sum = other;
        negative = !negative;
    } else {
        sum.subtract(&other);
    }
    if sum.0.is_empty() {
        return F80::ZERO;
    }
    let value = ratio(sum, Natural(Vec::from([1])), unit, false).0;
    if negative { -value } else { value }
}

unsafe extern "C" fn fma(_: usize, _: usize, arguments: *const F80, out: *mut F80) {
    *out = multiply_add(*arguments, *arguments.add(1), *arguments.add(2));
}

unsafe extern "C" fn frexp(exponent: *mut c_int, _: usize, arguments: *const F80, out: *mut F80) {
    let x = *arguments;
    if x.is_zero() || !x.is_finite() {
        *exponent = 0;
        *out = x + x;
        return;
    }
    *exponent = x.exponent() + 1;
    let head = (BIAS - 1) as u16 | x.head & 0x8000;
    *out = F80 { significand: x.significand << x.significand.leading_zeros(), head };
}

unsafe extern "C" fn ldexp(by: usize, _: usize, arguments: *const F80, out: *mut F80) {
    *out = scale(F80::from(i64::from((by as c_int).clamp(-70_000, 70_000))), *arguments);
}

unsafe extern "C" fn scalbln(by: c_long, _: usize, arguments: *const F80, out: *mut F80) {
    *out = scale(F80::from(by.clamp(-70_000, 70_000)), *arguments);
}

unsafe extern "C" fn modf(whole: *mut F80, _: usize, arguments: *const F80, out: *mut F80) {
    let x = *arguments;
    let part = x.truncated();
    whole.cast::<[u8; 10]>().write(part.bytes());
    *out = if x.is_infinite() { F80::ZERO.with_sign(x) } else { (x - part).with_sign(x) };
}

unsafe extern "C" fn jn(order: usize, _: usize, arguments: *const F80, out: *mut F80) {
    *out = F80::from(libm::jn(order as c_int, (*arguments).double()));
}

unsafe extern "C" fn yn(order: usize, _: usize, arguments: *const F80, out: *mut F80) {
    *out = F80::from(libm::yn(order as c_int, (*arguments).double()));
}

c_long_double! {
    /// fmal(3).
    fn fmal = fma;
    /// frexpl(3).
    fn frexpl = frexp;
    /// ldexpl(3).
    fn ldexpl = ldexp;
    /// scalbnl(3).
    fn scalbnl = ldexp;
    /// scalblnl(3).
    fn scalblnl = scalbln;
    /// modfl(3).
    fn modfl = modf;
    /// jnl(3), to the precision of a `double`.
    fn jnl = jn;
    /// ynl(3), to the precision of a `double`.
    fn ynl = yn;
}

/// Defines entry points of functions of `long double` that return something else: the target gets what the registers hold
/// and, in the register named, the place of the numbers.
macro_rules! from_stack {
    ($( $(#[$meta:meta])* fn $name:ident = $target:path, $register:literal; )*) => {
        $(
            $(#[$meta])*
            #[cfg_attr(panic = "abort", unsafe(no_mangle))]
            #[unsafe(naked)]
            pub unsafe extern "C" fn $name() {
                core::arch::naked_asm!(concat!("lea ", $register, ", [rsp + 8]"), "jmp {target}", target = sym $target)
            }
        )*
    };
}

unsafe extern "C" fn lround(arguments: *const F80) -> c_long {
    f::round(*arguments).long()
}

unsafe extern "C" fn lrint(arguments: *const F80) -> c_long {
    (*arguments).long()
}

unsafe extern "C" fn ilogb(arguments: *const F80) -> c_int {
    match *arguments {
        x if x.is_infinite() => c_int::MAX,
        // FP_ILOGB0 and FP_ILOGBNAN.
        x if x.is_zero() || x.is_nan() => c_int::MIN,
        x => x.exponent(),
    }
}

unsafe extern "C" fn issignaling(arguments: *const F80) -> c_int {
    let x = *arguments;
    (x.is_nan() && x.significand >> 62 & 1 == 0) as c_int
}

unsafe extern "C" fn toward(x: c_double, arguments: *const F80) -> c_double {
    let y = *arguments;
    match F80::from(x).partial_cmp(&y) {
        None => x + y.double(),
        Some(core::cmp::Ordering::Equal) => y.double(),
        Some(core::cmp::Ordering::Less) => libm::nextafter(x, f64::INFINITY),
        Some(core::cmp::Ordering::Greater) => libm::nextafter(x, f64::NEG_INFINITY),
    }
}

unsafe extern "C" fn towardf(x: c_float, arguments: *const F80) -> c_float {
    let y = *arguments;
    match F80::from(f64::from(x)).partial_cmp(&y) {
        None => x + y.double() as c_float,
        Some(core::cmp::Ordering::Equal) => y.double() as c_float,
        Some(core::cmp::Ordering::Less) => libm::nextafterf(x, f32::INFINITY),
        Some(core::cmp::Ordering::Greater) => libm::nextafterf(x, f32::NEG_INFINITY),
    }
}

from_stack! {
    /// lroundl(3).
    fn lroundl = lround, "rdi";
    /// llroundl(3).
    fn llroundl = lround, "rdi";
    /// lrintl(3).
    fn lrintl = lrint, "rdi";
    /// llrintl(3).
    fn llrintl = lrint, "rdi";
    /// ilogbl(3).
    fn ilogbl = ilogb, "rdi";
    /// Whether it is a signalling NaN. TS 18661-1.
    fn __issignalingl = issignaling, "rdi";
    /// nexttoward(3).
    fn nexttoward = toward, "rdi";
    /// nexttowardf(3).
    fn nexttowardf = towardf, "rdi";
}

c_api! {
    /// Whether it is a signalling NaN. TS 18661-1.
    fn __issignaling(x: c_double) -> c_int { (x.is_nan() && x.to_bits() >> 51 & 1 == 0) as c_int }

    /// Whether it is a signalling NaN. TS 18661-1.
    fn __issignalingf(x: c_float) -> c_int { (x.is_nan() && x.to_bits() >> 22 & 1 == 0) as c_int }

    /// isinf(3): 1, −1 for minus infinity, or 0.
    fn isinff(x: c_float) -> c_int { if x.is_infinite() { if x > 0.0 { 1 } else { -1 } } else { 0 } }

    /// isnan(3).
    fn isnanf(x: c_float) -> c_int { x.is_nan() as c_int }
}

/// Whether 128 bits, in two halves, are a signalling NaN of IEEE's quadruple precision.
unsafe extern "C" fn issignaling_quadruple(low: u64, high: u64) -> c_int {
    let nan = high >> 48 & 0x7fff == 0x7fff && (high << 16 | low) != 0;
    (nan && high >> 47 & 1 == 0) as c_int
}

/// Whether it is a signalling NaN. TS 18661-1. A `_Float128` comes in a vector register.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
#[unsafe(naked)]
pub unsafe extern "C" fn __issignalingf128() {
    core::arch::naked_asm!(
        "movq rdi, xmm0",
        "movhlps xmm0, xmm0",
        "movq rsi, xmm0",
        "jmp {target}",
        target = sym issignaling_quadruple,
    )
}
