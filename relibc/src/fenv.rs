//! `fenv.h`: the floating-point environment, of both the x87 and SSE. fenv(3).

use core::arch::asm;
use core::ffi::c_int;

/// `fenv_t`: the x87's environment as fnstenv stores it, and MXCSR.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Environment {
    x87: [u32; 7],
    mxcsr: u32,
}

const INVALID: c_int = 1;
const DIVBYZERO: c_int = 4;
const OVERFLOW: c_int = 8;
const UNDERFLOW: c_int = 16;
const INEXACT: c_int = 32;
/// The exceptions that fenv.h knows.
const ALL: c_int = 0x3d;
/// Where rounding stands in the x87's control word; MXCSR has it 3 bits higher.
const ROUNDING: u32 = 0xc00;
/// The default control word and MXCSR: everything masked, nearest.
const CONTROL: u32 = 0x37f;
const MXCSR: u32 = 0x1f80;

unsafe fn mxcsr() -> u32 {
    let mut word = 0u32;
    asm!("stmxcsr [{}]", in(reg) &mut word);
    word
}

unsafe fn set_mxcsr(word: u32) {
    asm!("ldmxcsr [{}]", in(reg) &word);
}

unsafe fn status() -> u32 {
    let word: u16;
    asm!("fnstsw ax", out("ax") word);
    u32::from(word)
}

unsafe fn control() -> u32 {
    let mut word = 0u16;
    asm!("fnstcw [{}]", in(reg) &mut word);
    u32::from(word)
}

unsafe fn set_control(word: u32) {
    asm!("fldcw [{}]", in(reg) &(word as u16));
}

/// Stores the x87's environment; the instruction masks all exceptions, so it is loaded again.
unsafe fn x87() -> [u32; 7] {
    let mut words = [0; 7];
    asm!("fnstenv [{0}]", "fldenv [{0}]", in(reg) &mut words);
    words
}

unsafe fn set_x87(words: &[u32; 7]) {
    asm!("fldenv [{}]", in(reg) words);
}

/// The standard environment, `FE_DFL_ENV`, and glibc's `FE_NOMASK_ENV`.
unsafe fn load(from: *const Environment) -> Environment {
    match from.addr() {
        usize::MAX => Environment { x87: [CONTROL, 0, 0xffff, 0, 0, 0, 0], mxcsr: MXCSR },
        address if address == usize::MAX - 1 => Environment { x87: [0x342, 0, 0xffff, 0, 0, 0, 0], mxcsr: 0x100 },
        _ => *from,
    }
}

c_api! {
    /// feclearexcept(3).
    fn feclearexcept(which: c_int) -> c_int {
        let which = (which & ALL) as u32;
        let mut words = x87();
        words[1] &= !which;
        set_x87(&words);
        set_mxcsr(mxcsr() & !which);
        0
    }

    /// fetestexcept(3).
    fn fetestexcept(which: c_int) -> c_int { (status() | mxcsr()) as c_int & which & ALL }

    /// feraiseexcept(3): raised in SSE, where an unmasked one traps.
    fn feraiseexcept(which: c_int) -> c_int {
        if which & INVALID != 0 {
            asm!("divss {0}, {0}", inout(xmm_reg) 0f32 => _);
        }
        if which & DIVBYZERO != 0 {
            asm!("divss {0}, {1}", inout(xmm_reg) 1f32 => _, in(xmm_reg) 0f32);
        }
        let rest = (which & (OVERFLOW | UNDERFLOW | INEXACT)) as u32;
        if rest != 0 {
            // Set in the x87, whose next waiting instruction traps if they are not masked.
            let mut words = x87();
            words[1] |= rest;
            set_x87(&words);
            asm!("fwait");
        }
        0
    }

    /// fegetexceptflag(3).
    fn fegetexceptflag(to: *mut u16, which: c_int) -> c_int {
        *to = fetestexcept(which) as u16;
        0
    }

    /// fesetexceptflag(3).
    fn fesetexceptflag(from: *const u16, which: c_int) -> c_int {
        let which = (which & ALL) as u32;
        let wanted = u32::from(*from) & which;
        let mut words = x87();
        words[1] = words[1] & !which | wanted;
        set_x87(&words);
        set_mxcsr(mxcsr() & !which | wanted);
        0
    }

    /// fegetround(3).
    fn fegetround() -> c_int { (control() & ROUNDING) as c_int }

    /// fesetround(3).
    fn fesetround(mode: c_int) -> c_int {
        if mode & !(ROUNDING as c_int) != 0 {
            return 1;
        }
        set_control(control() & !ROUNDING | mode as u32);
        set_mxcsr(mxcsr() & !(ROUNDING << 3) | (mode as u32) << 3);
        0
    }

    /// fegetenv(3).
    fn fegetenv(to: *mut Environment) -> c_int {
        *to = Environment { x87: x87(), mxcsr: mxcsr() };
        0
    }

    /// fesetenv(3).
    fn fesetenv(from: *const Environment) -> c_int {
        let wanted = load(from);
        set_x87(&wanted.x87);
        set_mxcsr(wanted.mxcsr);
        0
    }

    /// feholdexcept(3).
    fn feholdexcept(to: *mut Environment) -> c_int {
        fegetenv(to);
        let mut words = (*to).x87;
        words[0] |= 0x3f;
        words[1] &= !0x3f;
        set_x87(&words);
        set_mxcsr((*to).mxcsr & !0x3f | 0x1f80);
        0
    }

    /// feupdateenv(3).
    fn feupdateenv(from: *const Environment) -> c_int {
        let raised = fetestexcept(ALL);
        fesetenv(from);
        feraiseexcept(raised)
    }

    /// fegetexcept(3).
    fn fegetexcept() -> c_int { !(control() as c_int) & ALL }

    /// feenableexcept(3): what was enabled before.
    fn feenableexcept(which: c_int) -> c_int {
        let before = fegetexcept();
        let which = (which & ALL) as u32;
        set_control(control() & !which);
        set_mxcsr(mxcsr() & !(which << 7));
        before
    }

    /// fedisableexcept(3): what was enabled before.
    fn fedisableexcept(which: c_int) -> c_int {
        let before = fegetexcept();
        let which = (which & ALL) as u32;
        set_control(control() | which);
        set_mxcsr(mxcsr() | which << 7);
        before
    }
}
