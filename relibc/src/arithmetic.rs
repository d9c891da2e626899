//! `stdlib.h`: integer arithmetic.

use core::ffi::{c_int, c_long};

/// `ldiv_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Division {
    quotient: c_long,
    remainder: c_long,
}

/// A `div_t` in a register: quotient below, remainder above.
fn both(quotient: c_int, remainder: c_int) -> u64 {
    u64::from(quotient as u32) | u64::from(remainder as u32) << 32
}

c_api! {
    /// abs(3).
    fn abs(value: c_int) -> c_int { value.wrapping_abs() }

    /// div(3).
    fn div(value: c_int, by: c_int) -> u64 { both(value.wrapping_div(by), value.wrapping_rem(by)) }

    /// ldiv(3).
    fn ldiv(value: c_long, by: c_long) -> Division { Division { quotient: value.wrapping_div(by), remainder: value.wrapping_rem(by) } }
}

c_alias! {
    fn lldiv = ldiv[value: c_long, by: c_long] -> Division;
    fn imaxdiv = ldiv[value: c_long, by: c_long] -> Division;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients() {
        // SAFETY: no pointers.
        unsafe {
            assert_eq!(div(-7, 2), both(-3, -1));
            assert_eq!(abs(-5), 5);
        }
    }
}
