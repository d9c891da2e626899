//! `long double`: 80-bit numbers of the x87, and functions that take and return them.
//! System V ABI, AMD64 supplement, 3.2.3: they are passed on the stack, 16 bytes each, and returned in st(0).
//!
//! Rust has no such type. [`F80`] holds one in memory; [`c_long_double!`] defines entry points that give
//! Rust functions the arguments' place and load the result.

/// Defines C functions that return a `long double`: `fn sqrtl = sqrt;` calls
/// `unsafe extern "C" fn sqrt(a: usize, b: usize, arguments: *const F80, out: *mut F80)`, where `a` and `b` are the first
/// two arguments that are integers or pointers, `arguments` are those of type `long double`, and `out` is where the result goes.
macro_rules! c_long_double {
    ($( $(#[$meta:meta])* fn $name:ident = $target:path; )*) => {
        $(
            $(#[$meta])*
            #[cfg_attr(panic = "abort", unsafe(no_mangle))]
            #[unsafe(naked)]
            pub unsafe extern "C" fn $name() {
                core::arch::naked_asm!(
                    "sub rsp, 24",
                    "mov rcx, rsp",
                    "lea rdx, [rsp + 32]",
                    "call {target}",
                    "fld tbyte ptr [rsp]",
                    "add rsp, 24",
                    "ret",
                    target = sym $target,
                )
            }
        )*
    };
}

pub mod api;
pub mod complex;
pub mod functions;
pub mod ops;
mod power;
mod reduce;
#[cfg(test)]
mod tests;

/// A `long double`: 64 bits of significand with the leading one, then sign and exponent (bias 16383).
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug)]
pub struct F80 {
    /// The significand; bit 63 is the integer bit.
    pub significand: u64,
    /// Sign in bit 15, exponent below it.
    pub head: u16,
}

/// Bias of the exponent.
pub const BIAS: i32 = 16383;

impl F80 {
    /// Zero.
    pub const ZERO: F80 = F80 { significand: 0, head: 0 };
    /// Positive infinity.
    pub const INFINITY: F80 = F80 { significand: 1 << 63, head: 0x7fff };
    /// Not a number, quiet.
    pub const NAN: F80 = F80 { significand: 3 << 62, head: 0x7fff };

    /// The ten bytes that make it up.
    pub fn bytes(self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.significand.to_ne_bytes());
        bytes[8..].copy_from_slice(&self.head.to_ne_bytes());
        bytes
    }

    /// With the sign changed.
    pub fn negated(self) -> F80 {
        F80 { head: self.head ^ 0x8000, ..self }
    }
}
