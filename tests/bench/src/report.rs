//! Prints rows, our own and those of `/bin/ipcbench`.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::rows::Row;
use bench::counters::Counters;

/// Measures what only Ochre has: calls to schemes.
const IPCBENCH: &str = "/bin/ipcbench";

/// Whether this system has the program.
pub fn has_ipcbench() -> bool {
    Path::new(IPCBENCH).exists()
}

/// Measures the row and prints it.
pub fn row(row: &Row, cpus: usize) {
    let before = Counters::now();
    match (row.measure)(cpus) {
        Ok(figure) => {
            let counters = Counters::now().per_operation(&before, figure.operations);
            println!("row {} {} {}{counters}", row.name, number(figure.value), figure.unit);
        }
        Err(error) => println!("skip {} {error}", row.name),
    }
}

/// Three digits at the least.
fn number(value: f64) -> String {
    match value {
        small if small < 10.0 => format!("{small:.2}"),
        middle if middle < 100.0 => format!("{middle:.1}"),
        large => format!("{large:.0}"),
    }
}

/// Runs `/bin/ipcbench` and passes on its lines, of rows those that are wanted.
pub fn ipcbench(wanted: &dyn Fn(&str) -> bool) {
    if let Err(error) = pass_through(wanted) {
        println!("skip ipcbench {error}");
    }
}

fn pass_through(wanted: &dyn Fn(&str) -> bool) -> io::Result<()> {
    let mut child = Command::new(IPCBENCH).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            if row_name(&line).is_none_or(wanted) {
                println!("{line}");
            }
        }
    }
    match child.wait()? {
        status if status.success() => Ok(()),
        status => Err(io::Error::other(format!("{IPCBENCH}: {status}"))),
    }
}

/// The name in a line `row NAME …` or `skip NAME …`.
fn row_name(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    matches!(words.next(), Some("row" | "skip")).then(|| words.next()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!([1.2345, 12.345, 123.45, 538_732.4].map(number), ["1.23", "12.3", "123", "538732"]);
    }

    #[test]
    fn names_are_found_in_rows() {
        assert_eq!(row_name("row call_8 2900 ns"), Some("call_8"));
        assert_eq!(row_name("skip call_8 no server"), Some("call_8"));
        assert_eq!(row_name("warming up"), None);
    }
}
