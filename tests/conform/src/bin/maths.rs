//! math.h, complex.h, fenv.h. Functions that glibc rounds correctly are compared bit by bit, others to 11 digits.

use conform::{Group, Random};
use std::arch::asm;
use std::ffi::{c_double, c_float, c_int, c_long};

/// A `long double` in memory.
#[repr(C, align(16))]
#[derive(Clone, Copy, Default)]
struct Long {
    significand: u64,
    head: u16,
}

impl Long {
    fn of(value: f64) -> Long {
        let mut out = Long::default();
        // SAFETY: reads and writes the numbers named.
        unsafe { asm!("fld qword ptr [{}]", "fstp tbyte ptr [{}]", in(reg) &value, in(reg) &mut out, out("st(0)") _) };
        out
    }

    fn double(self) -> f64 {
        let mut out = 0f64;
        // SAFETY: as above.
        unsafe { asm!("fld tbyte ptr [{}]", "fstp qword ptr [{}]", in(reg) &self, in(reg) &mut out, out("st(0)") _) };
        out
    }
}

/// Calls a function of up to three `long double`, after two integers: what it returns in st(0), st(1) if `pair`, and rax.
fn call(function: unsafe extern "C" fn(), words: [usize; 2], numbers: [Long; 3], results: usize) -> ([Long; 2], usize) {
    let mut out = [Long::default(); 2];
    let word: usize;
    // SAFETY: numbers lie on the stack as the ABI wants them; as many results are taken off the register stack as there are.
    unsafe {
        asm!(
            "mov r12, rsp", "and rsp, -16", "sub rsp, 48",
            "fld tbyte ptr [r14]", "fstp tbyte ptr [rsp]",
            "fld tbyte ptr [r14 + 16]", "fstp tbyte ptr [rsp + 16]",
            "fld tbyte ptr [r14 + 32]", "fstp tbyte ptr [rsp + 32]",
            "call {function}",
            "mov rsp, r12",
            "cmp r15, 1", "jb 2f", "fstp tbyte ptr [r13]",
            "cmp r15, 2", "jb 2f", "fstp tbyte ptr [r13 + 16]",
            "2:",
            function = in(reg) function,
            inout("rdi") words[0] => _, inout("rsi") words[1] => _,
            in("r13") &mut out, in("r14") &numbers, in("r15") results,
            out("r12") _, lateout("rax") word,
            clobber_abi("C"),
        );
    }
    (out, word)
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Complex<T> {
    re: T,
    im: T,
}

#[repr(C)]
struct Environment([u32; 8]);

#[link(name = "m")]
unsafe extern "C" {
    fn acosl();
    fn acoshl();
    fn asinl();
    fn asinhl();
    fn atanl();
    fn atanhl();
    fn atan2l();
    fn cosl();
    fn coshl();
    fn expl();
    fn logl();
    fn log10l();
    fn sinl();
    fn sinhl();
    fn tanl();
    fn tanhl();
    fn powl();
    fn jnl();
    fn ynl();
    fn sqrtl();
    fn fmal();
    fn fmodl();
    fn floorl();
    fn nearbyintl();
    fn roundl();
    fn ldexpl();
    fn frexpl();
    fn lroundl();
    fn ilogbl();
    fn cabsl();
    fn ccosl();
    fn cexpl();
    fn clogl();
    fn csinl();
    fn csqrtl();
    fn __issignalingl();
    fn __issignaling(x: c_double) -> c_int;
    fn __issignalingf(x: c_float) -> c_int;
    fn isinff(x: c_float) -> c_int;
    fn isnanf(x: c_float) -> c_int;
    fn lgamma(x: c_double) -> c_double;
    static signgam: c_int;
    fn cabs(z: Complex<f64>) -> f64;
    fn cabsf(z: Complex<f32>) -> f32;
    fn ccos(z: Complex<f64>) -> Complex<f64>;
    fn cexp(z: Complex<f64>) -> Complex<f64>;
    fn clog(z: Complex<f64>) -> Complex<f64>;
    fn csin(z: Complex<f64>) -> Complex<f64>;
    fn csqrt(z: Complex<f64>) -> Complex<f64>;
    fn ccosf(z: Complex<f32>) -> Complex<f32>;
    fn cexpf(z: Complex<f32>) -> Complex<f32>;
    fn clogf(z: Complex<f32>) -> Complex<f32>;
    fn csinf(z: Complex<f32>) -> Complex<f32>;
    fn csqrtf(z: Complex<f32>) -> Complex<f32>;
    fn feclearexcept(which: c_int) -> c_int;
    fn fetestexcept(which: c_int) -> c_int;
    fn feraiseexcept(which: c_int) -> c_int;
    fn fegetround() -> c_int;
    fn fesetround(mode: c_int) -> c_int;
    fn fegetenv(to: *mut Environment) -> c_int;
    fn fesetenv(from: *const Environment) -> c_int;
    fn feholdexcept(to: *mut Environment) -> c_int;
    fn feupdateenv(from: *const Environment) -> c_int;
}

/// A number to 11 digits; NaNs have no sign.
fn coarse(value: f64) -> String {
    if value.is_nan() { "nan".to_owned() } else { format!("{value:.10e}") }
}

type Function = unsafe extern "C" fn();

fn long_doubles() {
    let mut random = Random::new(11);
    let near: [(&str, Function); 17] = [
        ("acosl", acosl),
        ("acoshl", acoshl),
        ("asinl", asinl),
        ("asinhl", asinhl),
        ("atanl", atanl),
        ("atanhl", atanhl),
        ("atan2l", atan2l),
        ("cosl", cosl),
        ("coshl", coshl),
        ("expl", expl),
        ("logl", logl),
        ("log10l", log10l),
        ("sinl", sinl),
        ("sinhl", sinhl),
        ("tanl", tanl),
        ("tanhl", tanhl),
        ("powl", powl),
    ];
    let exact: [(&str, Function); 6] = [
        ("sqrtl", sqrtl),
        ("fmal", fmal),
        ("fmodl", fmodl),
        ("floorl", floorl),
        ("nearbyintl", nearbyintl),
        ("roundl", roundl),
    ];
    let special = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e300, 3.0, 1e-300];
    for (name, function) in near.into_iter().chain(exact) {
        let is_exact = exact.iter().any(|other| other.0 == name);
        let mut group = Group::new(name);
        for index in 0..2000u64 {
            let mut number = || {
                let size = (random.below(2_000_001) as f64 / 1e6 - 1.0) * [1.0, 4.0, 100.0, 9000.0][index as usize % 4];
                if index < 144 { special[(index + random.below(12)) as usize % 12] } else { size }
            };
            let [a, b, c] = [number(), number(), number()];
            let (out, _) = call(function, [0; 2], [a, b, c].map(Long::of), 1);
            if is_exact && !out[0].double().is_nan() {
                group.add(format_args!("{a} {b} {c}: {:x} {:x}", out[0].significand, out[0].head));
            } else {
                group.add(format_args!("{a} {b} {c}: {}", coarse(out[0].double())));
            }
        }
        group.end();
    }
    for value in [0.0, -0.0, 1.0, -2.5, 0.49999999999999994, 1e18, -7.5, f64::INFINITY, f64::NAN, 1e-310] {
        let x = [Long::of(value); 3];
        let mut exponent: c_int = 77;
        let (mantissa, _) = call(frexpl, [(&raw mut exponent).expose_provenance(), 0], x, 1);
        let (scaled, _) = call(ldexpl, [(-3i32) as usize, 0], x, 1);
        let (_, rounded) = call(lroundl, [0; 2], x, 0);
        let (_, log) = call(ilogbl, [0; 2], x, 0);
        let finite = value.is_finite();
        println!(
            "{value}: {} {} {} {} {}",
            coarse(mantissa[0].double()),
            if finite { exponent } else { 0 },
            coarse(scaled[0].double()),
            if finite { rounded as c_long } else { 0 },
            log as c_int
        );
    }
    for order in [0, 1, 5] {
        let x = [Long::of(2.75); 3];
        let [j, y] = [call(jnl, [order, 0], x, 1).0[0].double(), call(ynl, [order, 0], x, 1).0[0].double()];
        println!("jnl {} ynl {}", coarse(j), coarse(y));
    }
    let quiet = Long { significand: 3 << 62, head: 0x7fff };
    let signalling = Long { significand: 5 << 61, head: 0x7fff };
    let is = |x: Long| {
        let mut numbers = [Long::default(); 3];
        numbers[0] = x;
        call_raw(__issignalingl, numbers)
    };
    println!("{} {} {}", is(quiet), is(signalling), is(Long::of(1.0)));
    // SAFETY: no pointers.
    unsafe {
        println!("{} {}", __issignaling(f64::NAN), __issignaling(f64::from_bits(0x7ff4_0000_0000_0000)));
        println!("{} {}", __issignalingf(f32::NAN), __issignalingf(f32::from_bits(0x7fa0_0000)));
        println!("{} {} {}", isinff(f32::INFINITY), isinff(f32::NEG_INFINITY), isinff(1.0));
        println!("{} {}", isnanf(f32::NAN), isnanf(1.0));
        println!("{} {signgam}", coarse(lgamma(-0.5)));
        println!("{} {signgam}", coarse(lgamma(4.5)));
    }
}

/// As [`call`], but the bytes of the number are copied and not loaded, which would quieten a NaN.
fn call_raw(function: Function, numbers: [Long; 3]) -> c_int {
    let word: c_int;
    // SAFETY: as in `call`.
    unsafe {
        asm!(
            "mov r12, rsp", "and rsp, -16", "sub rsp, 48",
            "mov rax, [r14]", "mov [rsp], rax", "mov rax, [r14 + 8]", "mov [rsp + 8], rax",
            "call {function}",
            "mov rsp, r12",
            function = in(reg) function, in("r14") &numbers, out("r12") _, lateout("eax") word, clobber_abi("C"),
        );
    }
    word
}

fn complex() {
    let values = [0.0, -0.0, 1.0, -1.5, 0.25, 3.0, -20.0, 1e10, 1e-10, f64::INFINITY, f64::NEG_INFINITY];
    for re in values {
        for im in values {
            let z = Complex { re, im };
            let single = Complex { re: re as f32, im: im as f32 };
            let long = [Long::of(re), Long::of(im), Long::of(0.0)];
            // SAFETY: no pointers.
            unsafe {
                println!("cabs {re} {im}: {} {}", coarse(cabs(z)), coarse(call(cabsl, [0; 2], long, 1).0[0].double()));
                println!(
                    "cabsf {}",
                    if cabsf(single).is_finite() { format!("{:.4e}", cabsf(single)) } else { "inf".to_owned() }
                );
            }
            if !(re.is_finite() && im.is_finite()) || re.abs() > 1e9 || im.abs() > 1e9 {
                continue;
            }
            type Double = unsafe extern "C" fn(Complex<f64>) -> Complex<f64>;
            type Single = unsafe extern "C" fn(Complex<f32>) -> Complex<f32>;
            let functions: [(&str, Double, Single, Function); 5] = [
                ("ccos", ccos, ccosf, ccosl),
                ("cexp", cexp, cexpf, cexpl),
                ("clog", clog, clogf, clogl),
                ("csin", csin, csinf, csinl),
                ("csqrt", csqrt, csqrtf, csqrtl),
            ];
            for (name, double, float, longer) in functions {
                // SAFETY: no pointers.
                let (d, s) = unsafe { (double(z), float(single)) };
                let l = call(longer, [0; 2], long, 2).0;
                println!("{name} {re} {im}: {} {}", coarse(d.re), coarse(d.im));
                println!("{name}f {:.4e} {:.4e}", s.re, s.im);
                println!("{name}l {} {}", coarse(l[0].double()), coarse(l[1].double()));
            }
        }
    }
}

fn environment() {
    // SAFETY: environments are as big as glibc's; modes are set back.
    unsafe {
        println!("{} {:x}", fegetround(), fetestexcept(0x3d));
        for which in [1, 4, 8, 16, 32, 5, 61] {
            println!("{} {} {:x}", feclearexcept(0x3d), feraiseexcept(which), fetestexcept(0x3d));
        }
        println!("{} {:x}", feclearexcept(4), fetestexcept(0x3d));
        for mode in [0, 0x400, 0x800, 0xc00, 7] {
            println!("{} {:x}", fesetround(mode), fegetround());
            let (one, three) = (std::hint::black_box(1.0f64), std::hint::black_box(3.0f64));
            let (plus, minus) = (
                call(nearbyintl, [0; 2], [Long::of(2.5); 3], 1).0[0],
                call(nearbyintl, [0; 2], [Long::of(-2.5); 3], 1).0[0],
            );
            println!("{:x} {} {}", (one / three).to_bits(), plus.double(), minus.double());
        }
        fesetround(0);
        feclearexcept(0x3d);
        let (mut first, mut second) = (Environment([0; 8]), Environment([0; 8]));
        feraiseexcept(16);
        println!("{} {:x}", fegetenv(&raw mut first), fetestexcept(0x3d));
        fesetround(0x400);
        println!("{} {:x}", feholdexcept(&raw mut second), fetestexcept(0x3d));
        feraiseexcept(4);
        println!("{} {:x} {:x}", feupdateenv(&raw const second), fetestexcept(0x3d), fegetround());
        println!("{} {:x} {:x}", fesetenv(&raw const first), fetestexcept(0x3d), fegetround());
        println!("{} {:x}", fesetenv(std::ptr::without_provenance(usize::MAX)), fetestexcept(0x3d));
    }
}

fn main() {
    environment();
    long_doubles();
    complex();
}
