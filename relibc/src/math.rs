//! `math.h`, through the crate `libm`.
//!
//! The library computes in C's default rounding mode and does not set `errno`, as math_error(7) allows.

use core::ffi::{c_int, c_long};

/// The sign of what [`lgamma`] told the logarithm of.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut signgam: c_int = 0;

/// [`signgam`]. glibc.
#[cfg_attr(panic = "abort", unsafe(no_mangle))]
pub static mut __signgam: c_int = 0;

c_api! {
    /// acos(3).
    fn acos(x: f64) -> f64 { libm::acos(x) }

    /// acosh(3).
    fn acosh(x: f64) -> f64 { libm::acosh(x) }

    /// asin(3).
    fn asin(x: f64) -> f64 { libm::asin(x) }

    /// asinh(3).
    fn asinh(x: f64) -> f64 { libm::asinh(x) }

    /// atan(3).
    fn atan(x: f64) -> f64 { libm::atan(x) }

    /// atanh(3).
    fn atanh(x: f64) -> f64 { libm::atanh(x) }

    /// cbrt(3).
    fn cbrt(x: f64) -> f64 { libm::cbrt(x) }

    /// ceil(3).
    fn ceil(x: f64) -> f64 { libm::ceil(x) }

    /// cos(3).
    fn cos(x: f64) -> f64 { libm::cos(x) }

    /// cosh(3).
    fn cosh(x: f64) -> f64 { libm::cosh(x) }

    /// erf(3).
    fn erf(x: f64) -> f64 { libm::erf(x) }

    /// erfc(3).
    fn erfc(x: f64) -> f64 { libm::erfc(x) }

    /// exp(3).
    fn exp(x: f64) -> f64 { libm::exp(x) }

    /// exp10(3).
    fn exp10(x: f64) -> f64 { libm::exp10(x) }

    /// exp2(3).
    fn exp2(x: f64) -> f64 { libm::exp2(x) }

    /// expm1(3).
    fn expm1(x: f64) -> f64 { libm::expm1(x) }

    /// fabs(3).
    fn fabs(x: f64) -> f64 { libm::fabs(x) }

    /// floor(3).
    fn floor(x: f64) -> f64 { libm::floor(x) }

    /// j0(3).
    fn j0(x: f64) -> f64 { libm::j0(x) }

    /// j1(3).
    fn j1(x: f64) -> f64 { libm::j1(x) }

    /// lgamma(3).
    fn lgamma(x: f64) -> f64 { let (value, sign) = libm::lgamma_r(x); (signgam, __signgam) = (sign, sign); value }

    /// log(3).
    fn log(x: f64) -> f64 { libm::log(x) }

    /// log10(3).
    fn log10(x: f64) -> f64 { libm::log10(x) }

    /// log1p(3).
    fn log1p(x: f64) -> f64 { libm::log1p(x) }

    /// log2(3).
    fn log2(x: f64) -> f64 { libm::log2(x) }

    /// rint(3).
    fn rint(x: f64) -> f64 { libm::rint(x) }

    /// round(3).
    fn round(x: f64) -> f64 { libm::round(x) }

    /// roundeven(3).
    fn roundeven(x: f64) -> f64 { libm::roundeven(x) }

    /// sin(3).
    fn sin(x: f64) -> f64 { libm::sin(x) }

    /// sinh(3).
    fn sinh(x: f64) -> f64 { libm::sinh(x) }

    /// sqrt(3).
    fn sqrt(x: f64) -> f64 { libm::sqrt(x) }

    /// tan(3).
    fn tan(x: f64) -> f64 { libm::tan(x) }

    /// tanh(3).
    fn tanh(x: f64) -> f64 { libm::tanh(x) }

    /// tgamma(3).
    fn tgamma(x: f64) -> f64 { libm::tgamma(x) }

    /// trunc(3).
    fn trunc(x: f64) -> f64 { libm::trunc(x) }

    /// y0(3).
    fn y0(x: f64) -> f64 { libm::y0(x) }

    /// y1(3).
    fn y1(x: f64) -> f64 { libm::y1(x) }

    /// atan2(3).
    fn atan2(x: f64, y: f64) -> f64 { libm::atan2(x, y) }

    /// copysign(3).
    fn copysign(x: f64, y: f64) -> f64 { libm::copysign(x, y) }

    /// fdim(3).
    fn fdim(x: f64, y: f64) -> f64 { libm::fdim(x, y) }

    /// fmax(3).
    fn fmax(x: f64, y: f64) -> f64 { libm::fmax(x, y) }

    /// fmin(3).
    fn fmin(x: f64, y: f64) -> f64 { libm::fmin(x, y) }

    /// fmod(3).
    fn fmod(x: f64, y: f64) -> f64 { libm::fmod(x, y) }

    /// hypot(3).
    fn hypot(x: f64, y: f64) -> f64 { libm::hypot(x, y) }

    /// nextafter(3).
    fn nextafter(x: f64, y: f64) -> f64 { libm::nextafter(x, y) }

    /// pow(3).
    fn pow(x: f64, y: f64) -> f64 { libm::pow(x, y) }

    /// remainder(3).
    fn remainder(x: f64, y: f64) -> f64 { libm::remainder(x, y) }

    /// fma(3).
    fn fma(x: f64, y: f64, z: f64) -> f64 { libm::fma(x, y, z) }

    /// ldexp(3).
    fn ldexp(x: f64, n: c_int) -> f64 { libm::ldexp(x, n) }

    /// scalbn(3).
    fn scalbn(x: f64, n: c_int) -> f64 { libm::scalbn(x, n) }

    /// scalbln(3).
    fn scalbln(x: f64, n: c_long) -> f64 { libm::scalbn(x, n.clamp(-100_000, 100_000) as c_int) }

    /// jn(3).
    fn jn(n: c_int, x: f64) -> f64 { libm::jn(n, x) }

    /// yn(3).
    fn yn(n: c_int, x: f64) -> f64 { libm::yn(n, x) }

    /// nearbyint(3).
    fn nearbyint(x: f64) -> f64 { libm::rint(x) }

    /// ilogb(3).
    fn ilogb(x: f64) -> c_int { libm::ilogb(x) }

    /// lround(3).
    fn lround(x: f64) -> c_long { libm::round(x) as c_long }

    /// llround(3).
    fn llround(x: f64) -> c_long { libm::round(x) as c_long }

    /// lrint(3).
    fn lrint(x: f64) -> c_long { libm::rint(x) as c_long }

    /// llrint(3).
    fn llrint(x: f64) -> c_long { libm::rint(x) as c_long }

    /// frexp(3).
    fn frexp(x: f64, out: *mut c_int) -> f64 { let (m, e) = libm::frexp(x); *out = e; m }

    /// modf(3).
    fn modf(x: f64, out: *mut f64) -> f64 { let (fraction, whole) = libm::modf(x); *out = whole; fraction }

    /// sincos(3).
    fn sincos(x: f64, sin: *mut f64, cos: *mut f64) { (*sin, *cos) = libm::sincos(x) }

    /// remquo(3).
    fn remquo(x: f64, y: f64, out: *mut c_int) -> f64 { let (r, q) = libm::remquo(x, y); *out = q; r }

    /// lgamma_r(3).
    fn lgamma_r(x: f64, sign: *mut c_int) -> f64 { let (value, s) = libm::lgamma_r(x); *sign = s; value }

    /// logb(3).
    fn logb(x: f64) -> f64 { if x == 0.0 { f64::NEG_INFINITY } else if !x.is_finite() { x * x } else { libm::ilogb(x) as f64 } }

    /// significand(3).
    fn significand(x: f64) -> f64 { if x == 0.0 || !x.is_finite() { x } else { libm::scalbn(x, -libm::ilogb(x)) } }

    /// acosf(3).
    fn acosf(x: f32) -> f32 { libm::acosf(x) }

    /// acoshf(3).
    fn acoshf(x: f32) -> f32 { libm::acoshf(x) }

    /// asinf(3).
    fn asinf(x: f32) -> f32 { libm::asinf(x) }

    /// asinhf(3).
    fn asinhf(x: f32) -> f32 { libm::asinhf(x) }

    /// atanf(3).
    fn atanf(x: f32) -> f32 { libm::atanf(x) }

    /// atanhf(3).
    fn atanhf(x: f32) -> f32 { libm::atanhf(x) }

    /// cbrtf(3).
    fn cbrtf(x: f32) -> f32 { libm::cbrtf(x) }

    /// ceilf(3).
    fn ceilf(x: f32) -> f32 { libm::ceilf(x) }

    /// cosf(3).
    fn cosf(x: f32) -> f32 { libm::cosf(x) }

    /// coshf(3).
    fn coshf(x: f32) -> f32 { libm::coshf(x) }

    /// erff(3).
    fn erff(x: f32) -> f32 { libm::erff(x) }

    /// erfcf(3).
    fn erfcf(x: f32) -> f32 { libm::erfcf(x) }

    /// expf(3).
    fn expf(x: f32) -> f32 { libm::expf(x) }

    /// exp10f(3).
    fn exp10f(x: f32) -> f32 { libm::exp10f(x) }

    /// exp2f(3).
    fn exp2f(x: f32) -> f32 { libm::exp2f(x) }

    /// expm1f(3).
    fn expm1f(x: f32) -> f32 { libm::expm1f(x) }

    /// fabsf(3).
    fn fabsf(x: f32) -> f32 { libm::fabsf(x) }

    /// floorf(3).
    fn floorf(x: f32) -> f32 { libm::floorf(x) }

    /// j0f(3).
    fn j0f(x: f32) -> f32 { libm::j0f(x) }

    /// j1f(3).
    fn j1f(x: f32) -> f32 { libm::j1f(x) }

    /// lgammaf(3).
    fn lgammaf(x: f32) -> f32 { let (value, sign) = libm::lgammaf_r(x); (signgam, __signgam) = (sign, sign); value }

    /// logf(3).
    fn logf(x: f32) -> f32 { libm::logf(x) }

    /// log10f(3).
    fn log10f(x: f32) -> f32 { libm::log10f(x) }

    /// log1pf(3).
    fn log1pf(x: f32) -> f32 { libm::log1pf(x) }

    /// log2f(3).
    fn log2f(x: f32) -> f32 { libm::log2f(x) }

    /// rintf(3).
    fn rintf(x: f32) -> f32 { libm::rintf(x) }

    /// roundf(3).
    fn roundf(x: f32) -> f32 { libm::roundf(x) }

    /// roundevenf(3).
    fn roundevenf(x: f32) -> f32 { libm::roundevenf(x) }

    /// sinf(3).
    fn sinf(x: f32) -> f32 { libm::sinf(x) }

    /// sinhf(3).
    fn sinhf(x: f32) -> f32 { libm::sinhf(x) }

    /// sqrtf(3).
    fn sqrtf(x: f32) -> f32 { libm::sqrtf(x) }

    /// tanf(3).
    fn tanf(x: f32) -> f32 { libm::tanf(x) }

    /// tanhf(3).
    fn tanhf(x: f32) -> f32 { libm::tanhf(x) }

    /// tgammaf(3).
    fn tgammaf(x: f32) -> f32 { libm::tgammaf(x) }

    /// truncf(3).
    fn truncf(x: f32) -> f32 { libm::truncf(x) }

    /// y0f(3).
    fn y0f(x: f32) -> f32 { libm::y0f(x) }

    /// y1f(3).
    fn y1f(x: f32) -> f32 { libm::y1f(x) }

    /// atan2f(3).
    fn atan2f(x: f32, y: f32) -> f32 { libm::atan2f(x, y) }

    /// copysignf(3).
    fn copysignf(x: f32, y: f32) -> f32 { libm::copysignf(x, y) }

    /// fdimf(3).
    fn fdimf(x: f32, y: f32) -> f32 { libm::fdimf(x, y) }

    /// fmaxf(3).
    fn fmaxf(x: f32, y: f32) -> f32 { libm::fmaxf(x, y) }

    /// fminf(3).
    fn fminf(x: f32, y: f32) -> f32 { libm::fminf(x, y) }

    /// fmodf(3).
    fn fmodf(x: f32, y: f32) -> f32 { libm::fmodf(x, y) }

    /// hypotf(3).
    fn hypotf(x: f32, y: f32) -> f32 { libm::hypotf(x, y) }

    /// nextafterf(3).
    fn nextafterf(x: f32, y: f32) -> f32 { libm::nextafterf(x, y) }

    /// powf(3).
    fn powf(x: f32, y: f32) -> f32 { libm::powf(x, y) }

    /// remainderf(3).
    fn remainderf(x: f32, y: f32) -> f32 { libm::remainderf(x, y) }

    /// fmaf(3).
    fn fmaf(x: f32, y: f32, z: f32) -> f32 { libm::fmaf(x, y, z) }

    /// ldexpf(3).
    fn ldexpf(x: f32, n: c_int) -> f32 { libm::ldexpf(x, n) }

    /// scalbnf(3).
    fn scalbnf(x: f32, n: c_int) -> f32 { libm::scalbnf(x, n) }

    /// scalblnf(3).
    fn scalblnf(x: f32, n: c_long) -> f32 { libm::scalbnf(x, n.clamp(-100_000, 100_000) as c_int) }

    /// jnf(3).
    fn jnf(n: c_int, x: f32) -> f32 { libm::jnf(n, x) }

    /// ynf(3).
    fn ynf(n: c_int, x: f32) -> f32 { libm::ynf(n, x) }

    /// nearbyintf(3).
    fn nearbyintf(x: f32) -> f32 { libm::rintf(x) }

    /// ilogbf(3).
    fn ilogbf(x: f32) -> c_int { libm::ilogbf(x) }

    /// lroundf(3).
    fn lroundf(x: f32) -> c_long { libm::roundf(x) as c_long }

    /// llroundf(3).
    fn llroundf(x: f32) -> c_long { libm::roundf(x) as c_long }

    /// lrintf(3).
    fn lrintf(x: f32) -> c_long { libm::rintf(x) as c_long }

    /// llrintf(3).
    fn llrintf(x: f32) -> c_long { libm::rintf(x) as c_long }

    /// frexpf(3).
    fn frexpf(x: f32, out: *mut c_int) -> f32 { let (m, e) = libm::frexpf(x); *out = e; m }

    /// modff(3).
    fn modff(x: f32, out: *mut f32) -> f32 { let (fraction, whole) = libm::modff(x); *out = whole; fraction }

    /// sincosf(3).
    fn sincosf(x: f32, sin: *mut f32, cos: *mut f32) { (*sin, *cos) = libm::sincosf(x) }

    /// remquof(3).
    fn remquof(x: f32, y: f32, out: *mut c_int) -> f32 { let (r, q) = libm::remquof(x, y); *out = q; r }

    /// lgammaf_r(3).
    fn lgammaf_r(x: f32, sign: *mut c_int) -> f32 { let (value, s) = libm::lgammaf_r(x); *sign = s; value }

    /// logbf(3).
    fn logbf(x: f32) -> f32 { if x == 0.0 { f32::NEG_INFINITY } else if !x.is_finite() { x * x } else { libm::ilogbf(x) as f32 } }

    /// significandf(3).
    fn significandf(x: f32) -> f32 { if x == 0.0 || !x.is_finite() { x } else { libm::scalbnf(x, -libm::ilogbf(x)) } }

    /// exp(3).
    fn __exp_finite(x: f64) -> f64 { libm::exp(x) }

    /// log(3).
    fn __log_finite(x: f64) -> f64 { libm::log(x) }

    /// pow(3).
    fn __pow_finite(x: f64, y: f64) -> f64 { libm::pow(x, y) }

    /// atan2(3).
    fn __atan2_finite(x: f64, y: f64) -> f64 { libm::atan2(x, y) }
}
