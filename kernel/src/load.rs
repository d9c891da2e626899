//! The load average: how many threads ran or wanted to, averaged over 1, 5 and 15 minutes (proc(5), /proc/loadavg).
//!
//! A timer looks every five seconds; between two looks nothing is counted.

use crate::{sched, timer};
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use hal::Once;
use ochre_hal as hal;

/// Between two looks, ns.
const PERIOD: u64 = 5_000_000_000;
/// One, as a fixed-point number.
const ONE: u64 = 1 << 11;
/// e^(−5 s / 1, 5, 15 min), times [`ONE`].
const DECAY: [u64; 3] = [1884, 2014, 2037];

static AVERAGES: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

struct Look;

impl timer::TimerTarget for Look {
    fn expired(&self, now: u64) {
        let active = sched::runnable() as u64 * ONE;
        for (average, decay) in AVERAGES.iter().zip(DECAY) {
            // Rounded up while the load grows, so that it reaches its value.
            let sum = average.load(Relaxed) * decay + active * (ONE - decay);
            let up = if active >= average.load(Relaxed) { ONE - 1 } else { 0 };
            average.store((sum + up) / ONE, Relaxed);
        }
        arm(now + PERIOD);
    }
}

static LOOK: Once<Arc<Look>> = Once::new();

fn arm(deadline: u64) {
    if let Some(look) = LOOK.get() {
        let target: Weak<dyn timer::TimerTarget> = Arc::<Look>::downgrade(look);
        timer::arm(deadline, target);
    }
}

/// Begins to look.
pub fn init() {
    // Called once.
    let _ = LOOK.set(Arc::new(Look));
    arm(hal::time::now() + PERIOD);
}

/// The averages in hundredths.
pub fn averages() -> [u64; 3] {
    [0, 1, 2].map(|n| (AVERAGES[n].load(Relaxed) * 100 + ONE / 2) / ONE)
}
