//! The everyday functions of math.h, `double` and `float`, on random numbers, told to 11 (5) digits: further ones differ among good libraries.

#![allow(unsafe_op_in_unsafe_fn, reason = "all of it is calls of C functions")]

use conform::{Group, Random};
use std::ffi::CStr;

unsafe extern "C" {
    fn exp(x: f64) -> f64;
    fn sin(x: f64) -> f64;
    fn cos(x: f64) -> f64;
    fn tanh(x: f64) -> f64;
    fn erfc(x: f64) -> f64;
    fn log2(x: f64) -> f64;
    fn log10(x: f64) -> f64;
    fn hypot(x: f64, y: f64) -> f64;
    fn atan2(x: f64, y: f64) -> f64;
    fn modf(x: f64, whole: *mut f64) -> f64;
    fn frexp(x: f64, exponent: *mut i32) -> f64;
    fn sincos(x: f64, sin: *mut f64, cos: *mut f64);
    fn acosf(x: f32) -> f32;
    fn atanf(x: f32) -> f32;
    fn tanf(x: f32) -> f32;
    fn log(x: f64) -> f64;
    fn pow(x: f64, y: f64) -> f64;
    fn atan2f(x: f32, y: f32) -> f32;
    fn sincosf(x: f32, sin: *mut f32, cos: *mut f32);
}

/// A number of any size up to 2^±20, or one of the special ones.
fn number(random: &mut Random) -> f64 {
    match random.below(40) {
        0 => 0.0,
        1 => -0.0,
        2 => f64::INFINITY,
        3 => f64::NEG_INFINITY,
        4 => f64::NAN,
        _ => {
            let fraction = (random.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0;
            fraction * 2f64.powi(random.below(41) as i32 - 20)
        }
    }
}

/// Eleven digits; NaN has no sign here.
fn shown(x: f64) -> String {
    if x.is_nan() { "nan".into() } else { format!("{x:.10e}") }
}

/// Five digits. A result so near the middle between two of those that good libraries round it differently is told as such.
fn shown_float(x: f32) -> String {
    let near = |factor: f64| format!("{:.4e}", f64::from(x) * factor);
    if x.is_nan() {
        "nan".into()
    } else if near(1.0 - 1e-6) != near(1.0 + 1e-6) {
        "between".into()
    } else {
        format!("{x:.4e}")
    }
}

/// The C library's function of this name. Rust programs bring some of their own under the same names, which a plain call would reach.
///
/// # Safety
/// `F` is a pointer to functions of that name's type.
unsafe fn library<F>(name: &CStr) -> F {
    // SAFETY: a C string; the caller's contract says what the address is.
    unsafe {
        let found = libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr());
        assert!(!found.is_null(), "{name:?}");
        std::mem::transmute_copy(&found)
    }
}

fn main() {
    // SAFETY: the names' types stand beside them.
    unsafe { tables() }
}

unsafe fn tables() {
    let one: [(&str, unsafe extern "C" fn(f64) -> f64); 12] = [
        ("exp", exp),
        ("sin", sin),
        ("cos", cos),
        ("tanh", tanh),
        ("erfc", erfc),
        ("log2", log2),
        ("log10", log10),
        ("ceil", library(c"ceil")),
        ("floor", library(c"floor")),
        ("log", log),
        ("sqrt", library(c"sqrt")),
        ("round", library(c"round")),
    ];
    let two: [(&str, unsafe extern "C" fn(f64, f64) -> f64); 5] = [
        ("hypot", hypot),
        ("atan2", atan2),
        ("fmod", library(c"fmod")),
        ("copysign", library(c"copysign")),
        ("pow", pow),
    ];
    let one_float: [(&str, unsafe extern "C" fn(f32) -> f32); 5] = [
        ("acosf", acosf),
        ("atanf", atanf),
        ("tanf", tanf),
        ("sqrtf", library(c"sqrtf")),
        ("roundf", library(c"roundf")),
    ];
    let two_float: [(&str, unsafe extern "C" fn(f32, f32) -> f32); 3] =
        [("atan2f", atan2f), ("fmaxf", library(c"fmaxf")), ("fmodf", library(c"fmodf"))];
    let mut random = Random::new(32);
    // SAFETY: mathematical functions, and places for their results.
    unsafe {
        for (name, function) in one {
            let mut group = Group::new(name);
            for _ in 0..2000 {
                let x = number(&mut random);
                group.add(format_args!("{x:e} {}", shown(function(x))));
            }
            group.end();
        }
        for (name, function) in two {
            let mut group = Group::new(name);
            for _ in 0..2000 {
                let (x, y) = (number(&mut random), number(&mut random));
                group.add(format_args!("{x:e} {y:e} {}", shown(function(x, y))));
            }
            group.end();
        }
        for (name, function) in one_float {
            let mut group = Group::new(name);
            for _ in 0..2000 {
                let x = number(&mut random) as f32;
                group.add(format_args!("{x:e} {}", shown_float(function(x))));
            }
            group.end();
        }
        for (name, function) in two_float {
            let mut group = Group::new(name);
            for _ in 0..2000 {
                let (x, y) = (number(&mut random) as f32, number(&mut random) as f32);
                let result = function(x, y);
                // Which of two zeroes is greater is open.
                let result = if name == "fmaxf" && result == 0.0 { 0.0 } else { result };
                group.add(format_args!("{x:e} {y:e} {}", shown_float(result)));
            }
            group.end();
        }
        let mut group = Group::new("parts");
        for _ in 0..2000 {
            let x = number(&mut random);
            let (mut whole, mut exponent, mut sine, mut cosine, mut sinef, mut cosinef) = (0.0, 0, 0.0, 0.0, 0.0, 0.0);
            let fraction = modf(x, &mut whole);
            let mantissa = frexp(x, &mut exponent);
            // For these glibc leaves the exponent open.
            let exponent = if x.is_finite() { exponent } else { 0 };
            sincos(x, &mut sine, &mut cosine);
            sincosf(x as f32, &mut sinef, &mut cosinef);
            group.add(format_args!(
                "{x:e} {} {} {} {exponent} {} {} {} {}",
                shown(fraction),
                shown(whole),
                shown(mantissa),
                shown(sine),
                shown(cosine),
                shown_float(sinef),
                shown_float(cosinef)
            ));
        }
        group.end();
    }
}
