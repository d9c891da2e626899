//! Angles reduced to the eighth of a turn next to zero.

use super::F80;
use super::ops::to_whole;
use crate::numbers::long::{Natural, ratio};
use alloc::vec::Vec;

/// 2/π.
const TWO_OVER_PI: F80 = F80 { significand: 0xa2f9_836e_4e44_152a, head: 0x3ffe };
/// π/2 in parts: two of 32 bits, whose products with a quadrant below 2^31 are exact, and the rest.
const PARTS: [F80; 3] = [
    F80 { significand: 0xc90f_daa2_0000_0000, head: 0x3fff },
    F80 { significand: 0x85a3_08d3_0000_0000, head: 0x3fdd },
    F80 { significand: 0x98cc_5170_1b83_9a25, head: 0x3fba },
];

/// x less a whole number of quarter turns, and that number's lowest bits.
pub fn quadrant(x: F80) -> (F80, u64) {
    if x.is_zero() || x.exponent() < -2 {
        return (x, 0);
    }
    if x.exponent() > 30 {
        return exact(x);
    }
    let turns = to_whole(x * TWO_OVER_PI);
    let first = x - turns * PARTS[0];
    let step = turns * PARTS[1];
    let second = first - step;
    let lost = (first - second) - step;
    (second + (lost - turns * PARTS[2]), turns.long() as u64)
}

/// arctan(1/n) in units of 2^−`bits`.
fn arctangent(n: u32, bits: i64) -> Natural {
    let mut term = Natural(Vec::from([1]));
    term.shift(bits);
    term.divide(n);
    let (mut sum, mut divisor) = (term.clone(), 1);
    while !term.0.is_empty() {
        term.divide(n * n);
        divisor += 2;
        let mut part = term.clone();
        part.divide(divisor);
        if divisor % 4 == 3 { sum.subtract(&part) } else { sum.add(&part) }
    }
    sum
}

/// By integers, for great angles: π is computed with as many bits as the angle has, by Machin's formula.
fn exact(x: F80) -> (F80, u64) {
    let bits = i64::from(x.exponent()) + 192;
    // π/2 = 8 arctan(1/5) − 2 arctan(1/239).
    let mut half_pi = arctangent(5, bits);
    half_pi.shift(3);
    let mut less = arctangent(239, bits);
    less.shift(1);
    half_pi.subtract(&less);
    let mut angle = Natural(Vec::from([x.significand as u32, (x.significand >> 32) as u32]));
    angle.shift(i64::from(x.exponent()) - 63 + bits);
    let mut turns = 0u64;
    let mut by = angle.bits() - half_pi.bits();
    while by >= 0 {
        let mut step = half_pi.clone();
        step.shift(by);
        if !angle.less(&step) {
            angle.subtract(&step);
            if by < 2 {
                turns += 1 << by;
            }
        }
        by -= 1;
    }
    // To the nearest.
    let mut twice = angle.clone();
    twice.shift(1);
    let beyond = !twice.less(&half_pi);
    if beyond {
        let mut rest = half_pi;
        rest.subtract(&angle);
        angle = rest;
        turns += 1;
    }
    let rest = if angle.0.is_empty() { F80::ZERO } else { ratio(angle, Natural(Vec::from([1])), -bits, false).0 };
    let rest = if beyond { -rest } else { rest };
    if x.is_negative() { (-rest, turns.wrapping_neg()) } else { (rest, turns) }
}
