//! Unpredictable numbers for seeding.
//!
//! Source: Intel SDM volume 1, section 7.3.17 (RDRAND, RDSEED; each may fail, and is then tried again).

use core::arch::asm;
use core::arch::x86_64::{__cpuid, __cpuid_count, _rdtsc};
use core::sync::atomic::{AtomicU64, Ordering};

static STATE: AtomicU64 = AtomicU64::new(0x9e37_79b9_7f4a_7c15);

/// 64 bits to seed a generator with: the CPU's generator where it has one, mixed with timing jitter and what came
/// before. Without RDSEED and RDRAND only the jitter is unpredictable; gather many then.
pub fn entropy() -> u64 {
    let mut value = STATE.load(Ordering::Relaxed) ^ hardware().unwrap_or(0);
    for _ in 0..8 {
        // SAFETY: every x86-64 CPU has RDTSC.
        value = mix(value ^ unsafe { _rdtsc() });
    }
    STATE.store(mix(value), Ordering::Relaxed);
    value
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): every input bit changes every output bit with probability 1/2.
fn mix(mut value: u64) -> u64 {
    value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

fn hardware() -> Option<u64> {
    let max = __cpuid(0).eax;
    if max >= 7
        && __cpuid_count(7, 0).ebx & 1 << 18 != 0
        && let Some(value) = retry(rdseed)
    {
        return Some(value);
    }
    (__cpuid(1).ecx & 1 << 30 != 0).then(|| retry(rdrand)).flatten()
}

fn retry(f: fn() -> Option<u64>) -> Option<u64> {
    (0..10).find_map(|_| f())
}

fn rdseed() -> Option<u64> {
    let (value, ok): (u64, u8);
    // SAFETY: called only where CPUID shows RDSEED; touches registers alone.
    unsafe { asm!("rdseed {}", "setc {}", out(reg) value, out(reg_byte) ok, options(nomem, nostack)) };
    (ok != 0).then_some(value)
}

fn rdrand() -> Option<u64> {
    let (value, ok): (u64, u8);
    // SAFETY: called only where CPUID shows RDRAND; touches registers alone.
    unsafe { asm!("rdrand {}", "setc {}", out(reg) value, out(reg_byte) ok, options(nomem, nostack)) };
    (ok != 0).then_some(value)
}
