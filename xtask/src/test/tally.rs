//! What passed, failed and was left out.

use std::fmt;

/// The counts of a whole run.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many passed.
    pub passed: usize,
    /// The names of those that failed.
    pub failed: Vec<String>,
    /// The names of those that were not run, with the reason.
    pub skipped: Vec<(String, String)>,
}

impl fmt::Display for Tally {
    /// The names of what did not pass, and the closing line.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f)?;
        for (name, reason) in &self.skipped {
            writeln!(f, "skipped: {name}: {reason}")?;
        }
        for name in &self.failed {
            writeln!(f, "failed: {name}")?;
        }
        write!(f, "{} passed, {} failed", self.passed, self.failed.len())?;
        if !self.skipped.is_empty() {
            write!(f, ", {} skipped", self.skipped.len())?;
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_line_stands_alone() {
        let mut tally = Tally { passed: 3, ..Tally::default() };
        assert_eq!(tally.to_string(), "\n3 passed, 0 failed\n");
        tally.failed.push("a".into());
        tally.skipped.push(("b".into(), "long".into()));
        assert_eq!(tally.to_string(), "\nskipped: b: long\nfailed: a\n3 passed, 1 failed, 1 skipped\n");
    }
}
