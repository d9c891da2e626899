//! Arithmetic on [`F80`], an instruction of the x87 each, in the rounding mode of the thread.

use super::F80;
use core::arch::asm;
use core::cmp::Ordering;
use core::ops::{Add, Div, Mul, Neg, Sub};

/// Functions of two numbers: the first is pushed first.
macro_rules! binary {
    ($( $(#[$meta:meta])* $name:ident: $($instruction:literal),+; )*) => {
        $(
            $(#[$meta])*
            pub fn $name(a: F80, b: F80) -> F80 {
                let mut out = F80::ZERO;
                // SAFETY: reads the two numbers, writes the third, and leaves the register stack as it was (empty, by the ABI).
                unsafe {
                    asm!(
                        "fld tbyte ptr [{a}]", "fld tbyte ptr [{b}]", $($instruction,)+ "fstp tbyte ptr [{out}]",
                        a = in(reg) &a, b = in(reg) &b, out = in(reg) &mut out, out("ax") _,
                        out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                        out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
                    );
                }
                out
            }
        )*
    };
}

/// Functions of one number.
macro_rules! unary {
    ($( $(#[$meta:meta])* $name:ident: $($instruction:literal),+; )*) => {
        $(
            $(#[$meta])*
            pub fn $name(a: F80) -> F80 {
                let mut out = F80::ZERO;
                // SAFETY: as in `binary`.
                unsafe {
                    asm!(
                        "fld tbyte ptr [{a}]", $($instruction,)+ "fstp tbyte ptr [{out}]",
                        a = in(reg) &a, out = in(reg) &mut out,
                        out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                        out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
                    );
                }
                out
            }
        )*
    };
}

binary! {
    /// a + b.
    sum: "faddp";
    /// a − b.
    difference: "fsubp";
    /// a × b.
    product: "fmulp";
    /// a ÷ b.
    quotient: "fdivp";
    /// The angle of the point (b, a).
    arctangent: "fpatan";
    /// a × log₂ b.
    times_log2: "fyl2x";
    /// a × log₂(b + 1), for b near 0.
    times_log2_plus_1: "fyl2xp1";
    /// b × 2^a, for a whole a.
    scale: "fscale", "fstp st(1)";
    /// The remainder of b ÷ a, quotient towards zero.
    remainder_truncated: "2:", "fprem", "fnstsw ax", "test ah, 4", "jnz 2b", "fstp st(1)";
    /// The remainder of b ÷ a, quotient to nearest.
    remainder_nearest: "2:", "fprem1", "fnstsw ax", "test ah, 4", "jnz 2b", "fstp st(1)";
}

unary! {
    /// √a.
    square_root: "fsqrt";
    /// a rounded to a whole number in the thread's mode.
    to_whole: "frndint";
    /// sin a, for |a| below π/4.
    sine: "fsin";
    /// cos a, for |a| below π/4.
    cosine: "fcos";
    /// tan a, for |a| below π/4.
    tangent: "fptan", "fstp st(0)";
    /// 2^a − 1, for |a| up to 1.
    power_of_2_minus_1: "f2xm1";
}

impl Add for F80 {
    type Output = F80;
    fn add(self, other: F80) -> F80 {
        sum(self, other)
    }
}

impl Sub for F80 {
    type Output = F80;
    fn sub(self, other: F80) -> F80 {
        difference(self, other)
    }
}

impl Mul for F80 {
    type Output = F80;
    fn mul(self, other: F80) -> F80 {
        product(self, other)
    }
}

impl Div for F80 {
    type Output = F80;
    fn div(self, other: F80) -> F80 {
        quotient(self, other)
    }
}

impl Neg for F80 {
    type Output = F80;
    fn neg(self) -> F80 {
        self.negated()
    }
}

impl From<f64> for F80 {
    fn from(value: f64) -> F80 {
        let mut out = F80::ZERO;
        // SAFETY: as in `binary`.
        unsafe {
            asm!("fld qword ptr [{a}]", "fstp tbyte ptr [{out}]", a = in(reg) &value, out = in(reg) &mut out,
                out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _);
        }
        out
    }
}

impl From<i64> for F80 {
    fn from(value: i64) -> F80 {
        let significand = value.unsigned_abs();
        if significand == 0 {
            return F80::ZERO;
        }
        let zeros = significand.leading_zeros();
        let head = (super::BIAS + 63) as u16 - zeros as u16;
        F80 { significand: significand << zeros, head: if value < 0 { head | 0x8000 } else { head } }
    }
}

impl F80 {
    /// The nearest `double`.
    pub fn double(self) -> f64 {
        let mut out = 0f64;
        // SAFETY: as in `binary`.
        unsafe {
            asm!("fld tbyte ptr [{a}]", "fstp qword ptr [{out}]", a = in(reg) &self, out = in(reg) &mut out,
                out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _);
        }
        out
    }

    /// The whole number it is; the least `long` if there is none.
    pub fn long(self) -> i64 {
        let mut out = 0i64;
        // SAFETY: as in `binary`.
        unsafe {
            asm!("fld tbyte ptr [{a}]", "fistp qword ptr [{out}]", a = in(reg) &self, out = in(reg) &mut out,
                out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _);
        }
        out
    }

    /// Without its sign.
    pub fn abs(self) -> F80 {
        F80 { head: self.head & 0x7fff, ..self }
    }

    /// With the sign of another.
    pub fn with_sign(self, of: F80) -> F80 {
        F80 { head: self.head & 0x7fff | of.head & 0x8000, ..self }
    }

    /// Whether the sign is minus.
    pub fn is_negative(self) -> bool {
        self.head >> 15 != 0
    }

    /// Not a number.
    pub fn is_nan(self) -> bool {
        self.head & 0x7fff == 0x7fff && self.significand << 1 != 0
    }

    /// Neither infinite nor NaN.
    pub fn is_finite(self) -> bool {
        self.head & 0x7fff != 0x7fff
    }

    /// An infinity.
    pub fn is_infinite(self) -> bool {
        !self.is_finite() && !self.is_nan()
    }

    /// Either zero.
    pub fn is_zero(self) -> bool {
        self.head & 0x7fff == 0 && self.significand == 0
    }

    /// The exponent of a number that is finite and not zero.
    pub fn exponent(self) -> i32 {
        i32::from(self.head & 0x7fff).max(1) - super::BIAS - self.significand.leading_zeros() as i32
    }

    /// The whole number next to it towards zero.
    pub fn truncated(self) -> F80 {
        if !self.is_finite() || self.is_zero() || self.exponent() >= 63 {
            return self;
        }
        if self.exponent() < 0 {
            return F80::ZERO.with_sign(self);
        }
        F80 { significand: self.significand & u64::MAX << (63 - self.exponent()), ..self }
    }
}

impl PartialEq for F80 {
    fn eq(&self, other: &F80) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for F80 {
    fn partial_cmp(&self, other: &F80) -> Option<Ordering> {
        if self.is_nan() || other.is_nan() {
            return None;
        }
        let key = |of: &F80| {
            let magnitude = i128::from(of.head & 0x7fff) << 64 | i128::from(of.significand);
            if of.is_negative() { -magnitude } else { magnitude }
        };
        Some(key(self).cmp(&key(other)))
    }
}
