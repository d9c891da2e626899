//! Functions of `long double` against the host's glibc: within 2 units of the last place (3 or 4 for those made of several others).

use super::functions as f;
use super::{F80, api};
use core::arch::asm;

/// Calls a C function of numbers on the stack that returns one.
fn call(function: *const (), arguments: [F80; 3]) -> F80 {
    let mut out = F80::ZERO;
    // SAFETY: the function takes at most three numbers, whose place is as the ABI wants it, and returns one in st(0).
    unsafe {
        asm!(
            "mov r12, rsp",
            "and rsp, -16",
            "sub rsp, 48",
            "fld tbyte ptr [r14]", "fstp tbyte ptr [rsp]",
            "fld tbyte ptr [r14 + 16]", "fstp tbyte ptr [rsp + 16]",
            "fld tbyte ptr [r14 + 32]", "fstp tbyte ptr [rsp + 32]",
            "call {function}",
            "mov rsp, r12",
            "fstp tbyte ptr [r13]",
            function = in(reg) function,
            in("r13") &mut out,
            in("r14") &arguments,
            out("r12") _,
            clobber_abi("C"),
        );
    }
    out
}

unsafe extern "C" {
    safe fn acosl();
    safe fn acoshl();
    safe fn asinl();
    safe fn asinhl();
    safe fn atanl();
    safe fn atanhl();
    safe fn atan2l();
    safe fn cosl();
    safe fn coshl();
    safe fn expl();
    safe fn exp2l();
    safe fn expm1l();
    safe fn fmal();
    safe fn fmodl();
    safe fn remainderl();
    safe fn floorl();
    safe fn ceill();
    safe fn truncl();
    safe fn rintl();
    safe fn roundl();
    safe fn hypotl();
    safe fn logl();
    safe fn log10l();
    safe fn log1pl();
    safe fn log2l();
    safe fn powl();
    safe fn sinl();
    safe fn sinhl();
    safe fn sqrtl();
    safe fn tanl();
    safe fn tanhl();
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number with an exponent within `range` of 0.
    fn number(&mut self, range: u64) -> F80 {
        let exponent = (16383 + self.next() % (2 * range + 1) - range) as u16;
        let sign = (self.next() & 0x8000) as u16;
        F80 { significand: self.next() | 1 << 63, head: exponent | sign }
    }
}

/// How many units of the last place two numbers are apart; NaNs and equal infinities are not.
fn distance(a: F80, b: F80) -> u128 {
    if a.is_nan() && b.is_nan() {
        return 0;
    }
    if a.is_nan() || b.is_nan() {
        return u128::MAX;
    }
    let key = |x: F80| {
        let magnitude = i128::from(x.head & 0x7fff) << 63 | i128::from(x.significand & (u64::MAX >> 1));
        if x.is_negative() { -magnitude } else { magnitude }
    };
    (key(a) - key(b)).unsigned_abs()
}

/// The greatest distance of a function from the host's.
fn worst(name: &str, ours: unsafe extern "C" fn(), hosts: extern "C" fn(), range: u64, allowed: u128) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for index in 0..20_000 {
        let range = if index % 2 == 0 { range } else { range.min(3) };
        let arguments = [random.number(range), random.number(range), random.number(range)];
        let (a, b) = (call(ours as *const (), arguments), call(hosts as *const (), arguments));
        if distance(a, b) > allowed {
            wrong.push(format!("{name} of {arguments:x?}: {a:x?}, host {b:x?}"));
        }
    }
    let special =
        [F80::ZERO, -F80::ZERO, f::ONE, -f::ONE, F80::INFINITY, -F80::INFINITY, F80::NAN, f::TWO, F80::from(0.5)];
    for a in special {
        for b in special {
            let arguments = [a, b, f::ONE];
            let (ours, hosts) = (call(ours as *const (), arguments), call(hosts as *const (), arguments));
            if distance(ours, hosts) > allowed {
                wrong.push(format!("{name} of {arguments:x?}: {ours:x?}, host {hosts:x?}"));
            }
        }
    }
    wrong
}

macro_rules! compare {
    ($($name:ident $range:literal $allowed:literal;)*) => {
        let mut wrong = Vec::new();
        $(wrong.extend(worst(stringify!($name), api::$name, $name, $range, $allowed).into_iter().take(3));)*
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    };
}

#[test]
fn functions_are_near_the_hosts() {
    compare! {
        acosl 3 2; acoshl 100 2; asinl 3 2; asinhl 100 2; atanl 60 2; atanhl 4 3; atan2l 60 2;
        coshl 13 2; expl 14 2; exp2l 14 2; expm1l 13 3; logl 16000 2; log10l 16000 2; log1pl 100 2; log2l 16000 2;
        sinhl 13 3; tanhl 10 4; hypotl 100 2; powl 12 2; sinl 60 2; cosl 60 2; tanl 60 3;
        sqrtl 16000 0; fmal 60 0; fmodl 100 0; remainderl 100 0; floorl 66 0; ceill 66 0; truncl 66 0; rintl 66 0; roundl 66 0;
    }
}

#[test]
fn great_angles() {
    for name in 0..3 {
        let (ours, hosts): (unsafe extern "C" fn(), extern "C" fn()) =
            [(api::sinl as _, sinl as _), (api::cosl as _, cosl as _), (api::tanl as _, tanl as _)][name];
        let mut random = Random(5);
        for _ in 0..4 {
            let arguments = [random.number(16_000), F80::ZERO, F80::ZERO];
            let (a, b) = (call(ours as *const (), arguments), call(hosts as *const (), arguments));
            assert!(distance(a, b) <= 3, "{name} of {arguments:x?}: {a:x?}, host {b:x?}");
        }
    }
}
