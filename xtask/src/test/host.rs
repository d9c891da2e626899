//! The unit tests that cargo runs on the host.

use super::tally::Tally;
use crate::process;
use crate::progress::{Step, note};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// How much of a build's output is shown when it fails.
const ERROR_LINES: usize = 60;

/// Runs the unit tests of every package that has some, and counts each of them.
pub fn run(workspace: &Workspace, filter: Option<&str>, tally: &mut Tally) -> Result<()> {
    crate::host::ensure(&[crate::host::LINK])?;
    for (name, _) in workspace.packages().filter(|(_, package)| package.host_tests) {
        let _step = Step::start(format!("testing {name} on the host"));
        package(workspace, name, filter, tally)?;
    }
    Ok(())
}

fn package(workspace: &Workspace, name: &str, filter: Option<&str>, tally: &mut Tally) -> Result<()> {
    let mut cargo = process::command("cargo");
    cargo
        .current_dir(workspace.root())
        .args(["test", "--quiet", "--no-fail-fast", "--package", name, "--tests", "--"])
        .args(["--format", "pretty"])
        .args(filter)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = cargo.spawn().context("cannot start cargo")?;
    let errors = child.stderr.take().context("cargo without error output")?;
    let errors = std::thread::spawn(move || {
        let mut last = VecDeque::new();
        for line in BufReader::new(errors).lines().map_while(Result::ok) {
            if last.len() == ERROR_LINES {
                last.pop_front();
            }
            last.push_back(line);
        }
        last
    });
    let before = tally.failed.len();
    let output = child.stdout.take().context("cargo without output")?;
    let mut counts = Counts::default();
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let shown = match line.strip_prefix("test ") {
            Some(result) => counts.test(name, result, tally),
            None => counts.other(&line),
        };
        if shown {
            println!("{}", line.strip_prefix("test ").map_or(line.clone(), |result| format!("{name}::{result}")));
        }
    }
    let status = child.wait().context("waiting for cargo")?;
    let errors = errors.join().unwrap_or_default();
    if !status.success() {
        for line in errors {
            eprintln!("{line}");
        }
        if tally.failed.len() == before {
            note(format!("the tests of {name} could not be built, or crashed"));
            tally.failed.push(format!("{name} (its tests did not run to their end)"));
        }
    }
    Ok(())
}

/// What has been seen in the output of one package's tests.
#[derive(Default)]
struct Counts {
    /// After a list of failures begins, everything is shown until the run's result.
    failures: bool,
}

impl Counts {
    /// Counts the rest of a line that begins with `test `. Says whether to show it.
    fn test(&mut self, package: &str, result: &str, tally: &mut Tally) -> bool {
        let Some((name, verdict)) = result.rsplit_once(" ... ") else {
            return self.other(result);
        };
        let name = format!("{package}::{name}");
        match verdict.split([' ', ',']).next() {
            Some("ok") => tally.passed += 1,
            Some("FAILED") => tally.failed.push(name),
            Some("ignored") => {
                let reason = verdict.strip_prefix("ignored, ").unwrap_or("ignored in its source");
                tally.skipped.push((name, reason.to_owned()));
            }
            _ => {}
        }
        true
    }

    fn other(&mut self, line: &str) -> bool {
        if line == "failures:" {
            self.failures = true;
        } else if line.starts_with("test result:") || line.starts_with("result:") {
            self.failures = false;
        }
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_each_test() {
        let mut tally = Tally::default();
        let mut counts = Counts::default();
        assert!(counts.test("p", "a::b ... ok", &mut tally));
        counts.test("p", "c ... FAILED", &mut tally);
        counts.test("p", "d ... ignored, takes long", &mut tally);
        counts.test("p", "e - should panic ... ok", &mut tally);
        assert!(counts.other("failures:") && counts.other("what it said"));
        assert!(!counts.test("p", "result: FAILED. 2 passed; 1 failed", &mut tally));
        assert_eq!(tally.passed, 2);
        assert_eq!(tally.failed, ["p::c"]);
        assert_eq!(tally.skipped, [("p::d".into(), "takes long".into())]);
    }
}
