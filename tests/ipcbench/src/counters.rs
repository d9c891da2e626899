//! The kernel's own counters, summed over all CPUs.

use std::fmt;

/// The counters that stand beside a row: their names in /scheme/sys/counters, and in a row.
const SHOWN: [(&str, &str); 4] =
    [("space_switches", "spaces"), ("tlb_flushes", "flushes"), ("ipis", "ipis"), ("bytes_copied", "copied")];

/// A reading.
pub struct Counters([u64; SHOWN.len()]);

impl Counters {
    /// Reads /scheme/sys/counters; what is not there counts as 0.
    pub fn read() -> Counters {
        let text = std::fs::read_to_string("/scheme/sys/counters").unwrap_or_default();
        Counters(SHOWN.map(|(name, _)| {
            text.lines()
                .filter_map(|line| line.split_once(' '))
                .find(|(key, _)| *key == name)
                .and_then(|(_, value)| value.trim().parse().ok())
                .unwrap_or_default()
        }))
    }

    /// What was counted since `before`, for each of `operations`.
    pub fn since(&self, before: &Counters, operations: u64) -> PerOperation {
        let mut each = [0.0; SHOWN.len()];
        for (n, value) in each.iter_mut().enumerate() {
            *value = self.0[n].saturating_sub(before.0[n]) as f64 / operations as f64;
        }
        PerOperation(each)
    }
}

/// Counts for one operation, shown as `key=value` words.
pub struct PerOperation([f64; SHOWN.len()]);

impl fmt::Display for PerOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SHOWN.iter().zip(self.0).try_for_each(|((_, key), value)| write!(f, " {key}={value:.2}"))
    }
}
