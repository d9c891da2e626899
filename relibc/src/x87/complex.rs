//! `complex.h`. C11 7.3; special cases as in its annex G where a component is infinite or not a number, by the functions
//! of real numbers that these are made of.

use super::F80;
use super::functions as f;
use core::ops::{Add, Div, Mul, Neg, Sub};

/// What complex functions need of real numbers.
trait Real:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    fn of(value: f64) -> Self;
    fn exp(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;
    fn sinh(self) -> Self;
    fn cosh(self) -> Self;
    fn log(self) -> Self;
    fn log1p(self) -> Self;
    fn sqrt(self) -> Self;
    fn hypot(self, other: Self) -> Self;
    fn atan2(self, x: Self) -> Self;
    fn finite(self) -> bool;
    fn infinite(self) -> bool;
    fn with_sign(self, of: Self) -> Self;
    fn abs(self) -> Self {
        self.with_sign(Self::of(1.0))
    }
    fn zero(self) -> bool {
        self == Self::of(0.0)
    }
}

impl Real for f64 {
    fn of(value: f64) -> f64 {
        value
    }
    fn exp(self) -> f64 {
        libm::exp(self)
    }
    fn sin(self) -> f64 {
        libm::sin(self)
    }
    fn cos(self) -> f64 {
        libm::cos(self)
    }
    fn sinh(self) -> f64 {
        libm::sinh(self)
    }
    fn cosh(self) -> f64 {
        libm::cosh(self)
    }
    fn log(self) -> f64 {
        libm::log(self)
    }
    fn log1p(self) -> f64 {
        libm::log1p(self)
    }
    fn sqrt(self) -> f64 {
        libm::sqrt(self)
    }
    fn hypot(self, other: f64) -> f64 {
        libm::hypot(self, other)
    }
    fn atan2(self, x: f64) -> f64 {
        libm::atan2(self, x)
    }
    fn finite(self) -> bool {
        self.is_finite()
    }
    fn infinite(self) -> bool {
        self.is_infinite()
    }
    fn with_sign(self, of: f64) -> f64 {
        libm::copysign(self, of)
    }
}

impl Real for F80 {
    fn of(value: f64) -> F80 {
        F80::from(value)
    }
    fn exp(self) -> F80 {
        f::exp(self)
    }
    fn sin(self) -> F80 {
        f::sin(self)
    }
    fn cos(self) -> F80 {
        f::cos(self)
    }
    fn sinh(self) -> F80 {
        f::sinh(self)
    }
    fn cosh(self) -> F80 {
        f::cosh(self)
    }
    fn log(self) -> F80 {
        f::log(self)
    }
    fn log1p(self) -> F80 {
        f::log1p(self)
    }
    fn sqrt(self) -> F80 {
        f::sqrt(self)
    }
    fn hypot(self, other: F80) -> F80 {
        f::hypot(self, other)
    }
    fn atan2(self, x: F80) -> F80 {
        f::atan2(self, x)
    }
    fn finite(self) -> bool {
        self.is_finite()
    }
    fn infinite(self) -> bool {
        self.is_infinite()
    }
    fn with_sign(self, of: F80) -> F80 {
        F80::with_sign(self, of)
    }
}

/// A complex number.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Complex<T> {
    re: T,
    im: T,
}

fn nan<T: Real>() -> T {
    T::of(f64::NAN)
}

/// size × (cos angle, sin angle), where a size of 0 or ∞ is kept from making NaN.
fn polar<T: Real>(size: T, angle: T) -> Complex<T> {
    if angle.zero() {
        return Complex { re: size, im: angle };
    }
    Complex { re: size * angle.cos(), im: size * angle.sin() }
}

fn exp<T: Real>(z: Complex<T>) -> Complex<T> {
    if z.im.finite() {
        return polar(z.re.exp(), z.im);
    }
    match z.re {
        re if re.infinite() && re < T::of(0.0) => Complex { re: T::of(0.0), im: T::of(0.0).with_sign(z.im) },
        re if re.infinite() => Complex { re, im: nan() },
        _ => Complex { re: nan(), im: nan() },
    }
}

fn log<T: Real>(z: Complex<T>) -> Complex<T> {
    let im = z.im.atan2(z.re);
    let size = z.re.hypot(z.im);
    let one = T::of(1.0);
    let (small, large) = if z.re.abs() < z.im.abs() { (z.re.abs(), z.im.abs()) } else { (z.im.abs(), z.re.abs()) };
    // Near the unit circle the logarithm of the size would lose digits.
    let near = size > T::of(0.5) && size < T::of(2.0);
    let re = if near { ((large - one) * (large + one) + small * small).log1p() * T::of(0.5) } else { size.log() };
    Complex { re, im }
}

fn sqrt<T: Real>(z: Complex<T>) -> Complex<T> {
    let zero = T::of(0.0);
    if z.im.infinite() {
        return Complex { re: z.im.abs(), im: z.im };
    }
    if z.re.infinite() {
        let other = if z.im == z.im { zero.with_sign(z.im) } else { z.im };
        return match z.re > zero {
            true => Complex { re: z.re, im: other },
            false if z.im == z.im => Complex { re: zero, im: z.re.with_sign(z.im) },
            false => Complex { re: nan(), im: z.re.with_sign(z.im) },
        };
    }
    if z.re.zero() && z.im.zero() {
        return Complex { re: zero, im: z.im };
    }
    let half = T::of(0.5);
    let size = z.re.hypot(z.im);
    if z.re >= zero {
        let re = ((size + z.re) * half).sqrt();
        return Complex { re, im: half * (z.im / re) };
    }
    let im = ((size - z.re) * half).sqrt();
    Complex { re: (half * (z.im / im)).abs(), im: im.with_sign(z.im) }
}

/// A product in which a zero wins over an infinity, as the exact values of sin 0 and sinh 0 do.
fn times<T: Real>(a: T, b: T) -> T {
    if a.zero() && b.infinite() { a.with_sign(if b < T::of(0.0) { -a } else { a }) } else { a * b }
}

fn sin<T: Real>(z: Complex<T>) -> Complex<T> {
    let im = z.im.sinh();
    let re = times(z.re.sin(), z.im.cosh());
    Complex { re, im: if im.zero() && !z.re.finite() { im } else { z.re.cos() * im } }
}

fn cos<T: Real>(z: Complex<T>) -> Complex<T> {
    Complex { re: z.re.cos() * z.im.cosh(), im: -times(z.re.sin(), times(z.im.sinh(), T::of(1.0))) }
}

/// Through `double`, which has bits enough for any `float`.
fn single(z: Complex<f32>, function: fn(Complex<f64>) -> Complex<f64>) -> Complex<f32> {
    let value = function(Complex { re: f64::from(z.re), im: f64::from(z.im) });
    Complex { re: value.re as f32, im: value.im as f32 }
}

c_api! {
    /// cabs(3).
    fn cabs(z: Complex<f64>) -> f64 { libm::hypot(z.re, z.im) }
    /// cabsf(3).
    fn cabsf(z: Complex<f32>) -> f32 { libm::hypotf(z.re, z.im) }
    /// carg(3).
    fn carg(z: Complex<f64>) -> f64 { libm::atan2(z.im, z.re) }
    /// cexp(3).
    fn cexp(z: Complex<f64>) -> Complex<f64> { exp(z) }
    /// cexpf(3).
    fn cexpf(z: Complex<f32>) -> Complex<f32> { single(z, exp) }
    /// clog(3).
    fn clog(z: Complex<f64>) -> Complex<f64> { log(z) }
    /// clogf(3).
    fn clogf(z: Complex<f32>) -> Complex<f32> { single(z, log) }
    /// csqrt(3).
    fn csqrt(z: Complex<f64>) -> Complex<f64> { sqrt(z) }
    /// csqrtf(3).
    fn csqrtf(z: Complex<f32>) -> Complex<f32> { single(z, sqrt) }
    /// csin(3).
    fn csin(z: Complex<f64>) -> Complex<f64> { sin(z) }
    /// csinf(3).
    fn csinf(z: Complex<f32>) -> Complex<f32> { single(z, sin) }
    /// ccos(3).
    fn ccos(z: Complex<f64>) -> Complex<f64> { cos(z) }
    /// ccosf(3).
    fn ccosf(z: Complex<f32>) -> Complex<f32> { single(z, cos) }
}

unsafe extern "C" fn abs_long(_: usize, _: usize, arguments: *const F80, out: *mut F80) {
    *out = f::hypot(*arguments, *arguments.add(1));
}

c_long_double! {
    /// cabsl(3).
    fn cabsl = abs_long;
}

/// Defines functions of a `long double complex`: on the stack as its two parts are, returned in st(0) and st(1).
macro_rules! long {
    ($( $(#[$meta:meta])* fn $name:ident / $inner:ident = $function:path; )*) => {
        $(
            unsafe extern "C" fn $inner(z: *const Complex<F80>, out: *mut Complex<F80>) {
                *out = $function(*z);
            }

            $(#[$meta])*
            #[cfg_attr(panic = "abort", unsafe(no_mangle))]
            #[unsafe(naked)]
            pub unsafe extern "C" fn $name() {
                core::arch::naked_asm!(
                    "lea rdi, [rsp + 8]",
                    "sub rsp, 40",
                    "mov rsi, rsp",
                    "call {target}",
                    "fld tbyte ptr [rsp + 16]",
                    "fld tbyte ptr [rsp]",
                    "add rsp, 40",
                    "ret",
                    target = sym $inner,
                )
            }
        )*
    };
}

long! {
    /// cexpl(3).
    fn cexpl / exp_long = exp;
    /// clogl(3).
    fn clogl / log_long = log;
    /// csqrtl(3).
    fn csqrtl / sqrt_long = sqrt;
    /// csinl(3).
    fn csinl / sin_long = sin;
    /// ccosl(3).
    fn ccosl / cos_long = cos;
}
