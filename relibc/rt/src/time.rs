//! Clocks without a system call: the kernel's time page and the TSC.

use core::arch::x86_64::_rdtsc;
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use core::sync::atomic::fence;
use ochre_abi::event::*;
use ochre_abi::layout::{TIME_PAGE, TimePage};
use ochre_abi::{Errno, Result};

/// A consistent reading of the page.
#[derive(Clone, Copy, Debug)]
struct Scale {
    tsc_base: u64,
    mult: u64,
    shift: u64,
    realtime_offset: u64,
}

impl Scale {
    fn read(page: &TimePage) -> Self {
        loop {
            let sequence = page.sequence.load(Acquire);
            let scale = Self {
                tsc_base: page.tsc_base.load(Relaxed),
                mult: page.mult.load(Relaxed),
                shift: page.shift.load(Relaxed),
                realtime_offset: page.realtime_offset.load(Relaxed),
            };
            // The loads above are done before the sequence is looked at again.
            fence(Acquire);
            if sequence & 1 == 0 && page.sequence.load(Relaxed) == sequence {
                return scale;
            }
            core::hint::spin_loop();
        }
    }

    /// Monotonic nanoseconds at a TSC value. One a little before the base (another CPU's) counts as the base.
    fn monotonic(&self, tsc: u64) -> u64 {
        let ticks = u128::from(tsc.saturating_sub(self.tsc_base));
        ((ticks * u128::from(self.mult)) >> (self.shift & 127)) as u64
    }
}

fn scale() -> Scale {
    // SAFETY: the kernel maps the page at this address in every address space, for ever, and writes it atomically.
    Scale::read(unsafe { &*core::ptr::with_exposed_provenance::<TimePage>(TIME_PAGE) })
}

/// The boot's random number, from which the places of program images are taken.
pub(crate) fn layout_seed() -> u64 {
    // SAFETY: as in `scale`.
    unsafe { &*core::ptr::with_exposed_provenance::<TimePage>(TIME_PAGE) }.layout_seed.load(Relaxed)
}

/// A random number that is the same in all processes until the next boot, and no part of an address: what names the boot.
pub fn boot_seed() -> u64 {
    // Multiplied by an odd constant and folded, so that it does not show where programs lie.
    let mixed = layout_seed().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 24
}

/// Rate of the time-stamp counter in kHz; 0 if it is not known.
pub fn tsc_khz() -> u64 {
    let scale = scale();
    (1_000_000u128 << (scale.shift & 63)).checked_div(u128::from(scale.mult)).unwrap_or(0) as u64
}

/// Nanoseconds since boot (CLOCK_MONOTONIC).
pub fn monotonic() -> u64 {
    // SAFETY: reads a counter; the kernel leaves RDTSC to user code.
    scale().monotonic(unsafe { _rdtsc() })
}

/// Nanoseconds since 1970 (CLOCK_REALTIME).
pub fn realtime() -> u64 {
    let scale = scale();
    // SAFETY: as above.
    scale.monotonic(unsafe { _rdtsc() }).wrapping_add(scale.realtime_offset)
}

/// clock_gettime(2) in nanoseconds; a system call only for CPU time clocks. EINVAL for an unknown clock.
pub fn now(clock: u64) -> Result<u64> {
    match clock {
        CLOCK_REALTIME | CLOCK_REALTIME_COARSE => Ok(realtime()),
        CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME => Ok(monotonic()),
        CLOCK_PROCESS_CPUTIME_ID | CLOCK_THREAD_CPUTIME_ID => crate::syscall::clock_get(clock),
        _ => Err(Errno::EINVAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicU64;

    #[test]
    fn scales_ticks_to_nanoseconds() {
        let page = TimePage {
            tsc_base: AtomicU64::new(1000),
            mult: AtomicU64::new(1 << 31), // 2 GHz: half a ns a tick.
            shift: AtomicU64::new(32),
            realtime_offset: AtomicU64::new(7),
            ..TimePage::default()
        };
        let scale = Scale::read(&page);
        assert_eq!(scale.monotonic(3000), 1000);
        assert_eq!(scale.monotonic(10), 0);
        assert_eq!(scale.monotonic(u64::MAX), (u64::MAX - 1000) / 2);
        assert_eq!(scale.realtime_offset, 7);
    }
}
