//! What the system counts beside time: address-space switches, TLB flushes, interprocessor interrupts, bytes copied.
//!
//! Ochre shows its kernel's counters, summed over all CPUs, as lines `NAME NUMBER` in `/scheme/sys/counters`. Linux has
//! no such file, and rows go without.

use std::fs;

const FILE: &str = "/scheme/sys/counters";

/// Counters at one moment, in the order of the file; empty where the system has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters(Vec<(String, u64)>);

impl Counters {
    /// The counters now.
    pub fn now() -> Self {
        fs::read_to_string(FILE).map(|text| Self::parse(&text)).unwrap_or_default()
    }

    /// Lines that are no name with a number do not count.
    fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let (name, number) = line.split_once(char::is_whitespace)?;
            Some((name.to_owned(), number.trim().parse().ok()?))
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// ` NAME=COUNT` for every counter that moved since `before`, per operation.
    pub fn per_operation(&self, before: &Self, operations: u64) -> String {
        let mut words = String::new();
        for (name, now) in &self.0 {
            let then = before.0.iter().find(|(other, _)| other == name).map_or(0, |(_, number)| *number);
            let count = now.saturating_sub(then) as f64 / operations.max(1) as f64;
            words.push_str(&format!(" {name}={count:.2}"));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_per_operation() {
        let before = Counters::parse("space_switches 10\nipis 5\nnot a counter\n");
        let after = Counters::parse("space_switches 210\nipis 5\nbytes_copied 1600\n");
        assert_eq!(after.per_operation(&before, 100), " space_switches=2.00 ipis=0.00 bytes_copied=16.00");
        assert_eq!(Counters::default().per_operation(&before, 100), "");
    }
}
