//! Repeats an operation often enough to time it.

use std::io;
use std::time::{Duration, Instant};

/// What a row found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The value, in the unit.
    pub value: f64,
    /// `ns` (per operation) or `MB/s` (10^6 bytes).
    pub unit: &'static str,
    /// Operations done in all, warm-up and every round, to divide the system's counters by.
    pub operations: u64,
}

/// How long one round should take.
const ROUND: Duration = Duration::from_millis(4);
/// Rounds, of which the fastest counts.
const ROUNDS: u32 = 5;
/// Operations in a round, however slow or fast.
const OPERATIONS: std::ops::RangeInclusive<u64> = 3..=20_000;

/// Nanoseconds that one operation takes, in the fastest round.
///
/// # Errors
/// The operation's first error ends the measurement.
pub fn each(mut operation: impl FnMut() -> io::Result<()>) -> io::Result<Figure> {
    rounds(|count| {
        let start = Instant::now();
        for _ in 0..count {
            operation()?;
        }
        Ok(start.elapsed())
    })
}

/// Like [`each`], for operations that time themselves: `batch` does about that many and returns the time they took.
///
/// # Errors
/// Those of `batch`.
pub fn rounds(mut batch: impl FnMut(u64) -> io::Result<Duration>) -> io::Result<Figure> {
    // The first one loads code and memory and does not count. Then twice as many each time, until there is an estimate.
    batch(1)?;
    let (mut operations, mut count) = (1, 1);
    let estimate = loop {
        let took = batch(count)?;
        operations += count;
        if took >= ROUND / 4 || count >= *OPERATIONS.end() {
            break took.as_nanos().max(1) / u128::from(count);
        }
        count *= 2;
    };
    let fitting = u64::try_from(ROUND.as_nanos() / estimate.max(1)).unwrap_or(u64::MAX);
    let count = fitting.clamp(*OPERATIONS.start(), *OPERATIONS.end());
    let mut fastest = Duration::MAX;
    for _ in 0..ROUNDS {
        fastest = fastest.min(batch(count)?);
        operations += count;
    }
    Ok(Figure { value: fastest.as_nanos() as f64 / count as f64, unit: "ns", operations })
}

/// Megabytes a second, in the fastest of three rounds of `bytes`; `transfer` moves at least that many and says how many.
///
/// # Errors
/// Those of `transfer`.
pub fn bandwidth(bytes: usize, mut transfer: impl FnMut(usize) -> io::Result<usize>) -> io::Result<Figure> {
    let mut operations = transfer(bytes / 8)? as u64;
    let mut best: f64 = 0.0;
    for _ in 0..3 {
        let start = Instant::now();
        let moved = transfer(bytes)?;
        let nanoseconds = start.elapsed().as_nanos().max(1);
        best = best.max(moved as f64 * 1000.0 / nanoseconds as f64);
        operations += moved as u64;
    }
    // Counters are shown for 4 KiB, not for a byte.
    Ok(Figure { value: best, unit: "MB/s", operations: operations / 4096 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_round_counts_per_operation() {
        let mut calls = 0;
        let figure = rounds(|count| {
            calls += 1;
            // 1 µs each, and a disturbed round now and then.
            Ok(Duration::from_micros(count) * if calls % 2 == 0 { 3 } else { 1 })
        });
        let figure = figure.expect("no batch fails");
        assert_eq!((figure.value, figure.unit), (1000.0, "ns"));
    }

    #[test]
    fn slow_operations_are_done_a_few_times() {
        let mut done = 0;
        let figure = rounds(|count| {
            done += count;
            Ok(Duration::from_secs(count))
        });
        assert_eq!(figure.expect("no batch fails").operations, done);
        assert_eq!(done, 1 + 1 + 5 * 3);
    }

    #[test]
    fn an_error_ends_it() {
        let mut left = 10;
        let result = each(|| {
            left -= 1;
            if left == 0 { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) }
        });
        assert!(result.is_err());
        assert_eq!(left, 0);
    }
}
