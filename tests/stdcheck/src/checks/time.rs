//! Clocks and sleeping.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::check::{Check, Outcome, ensure, join};

pub const CHECKS: &[Check] = &[
    Check { name: "time.monotonic", run: monotonic },
    Check { name: "time.monotonic-threads", run: monotonic_threads },
    Check { name: "time.system", run: system },
    Check { name: "time.sleep", run: sleep },
];

fn monotonic() -> Outcome {
    let start = Instant::now();
    let mut last = start;
    for _ in 0..10_000 {
        let now = Instant::now();
        ensure!(now >= last, "the clock went back by {:?}", last - now);
        last = now;
    }
    ensure!(last > start, "the clock stands");
    Ok(())
}

fn monotonic_threads() -> Outcome {
    // A time read before a thread starts, in it and after it has ended: in order on every CPU.
    for _ in 0..100 {
        let before = Instant::now();
        let inside = join(thread::spawn(Instant::now))?;
        let after = Instant::now();
        ensure!(before <= inside && inside <= after);
    }
    Ok(())
}

fn system() -> Outcome {
    const YEAR_2020: u64 = 1_577_836_800;
    const YEAR_2100: u64 = 4_102_444_800;
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    ensure!((YEAR_2020..YEAR_2100).contains(&seconds), "{seconds} s since 1970");
    Ok(())
}

fn sleep() -> Outcome {
    for milliseconds in [0, 1, 20, 150] {
        let wanted = Duration::from_millis(milliseconds);
        let start = Instant::now();
        thread::sleep(wanted);
        let slept = start.elapsed();
        ensure!(slept >= wanted, "slept {slept:?} of {wanted:?}");
        ensure!(slept < wanted + Duration::from_secs(10), "slept {slept:?} instead of {wanted:?}");
    }
    Ok(())
}
