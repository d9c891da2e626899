//! `stdlib.h`: integer arithmetic and the simple random numbers.

use core::ffi::{c_int, c_uint};
use core::sync::atomic::{AtomicU64, Ordering};

/// A `div_t` in a register: quotient below, remainder above.
fn both(quotient: c_int, remainder: c_int) -> u64 {
    u64::from(quotient as u32) | u64::from(remainder as u32) << 32
}

static SEED: AtomicU64 = AtomicU64::new(1);

/// Knuth's 64-bit linear congruential generator (MMIX); its high bits are the number.
fn step(state: u64) -> u64 {
    state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

c_api! {
    /// abs(3).
    fn abs(value: c_int) -> c_int { value.wrapping_abs() }

    /// div(3).
    fn div(value: c_int, by: c_int) -> u64 { both(value.wrapping_div(by), value.wrapping_rem(by)) }

    /// srand(3).
    fn srand(seed: c_uint) { SEED.store(u64::from(seed), Ordering::Relaxed); }

    /// rand(3). The numbers are not glibc's; no standard fixes them.
    fn rand() -> c_int {
        let next = |state| Some(step(state));
        let before = SEED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).unwrap_or_else(|state| state);
        (step(before) >> 33) as c_int
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_numbers() {
        // SAFETY: no pointers.
        unsafe {
            srand(7);
            let first = [rand(), rand(), rand()];
            srand(7);
            assert_eq!([rand(), rand(), rand()], first);
            assert!(first.iter().all(|&value| value >= 0) && first[0] != first[1]);
            assert_eq!(div(-7, 2), both(-3, -1));
            assert_eq!(abs(-5), 5);
        }
    }
}
