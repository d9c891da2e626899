//! Chooses the checks, runs them one after the other, and reports.

use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::check::{Check, Failure, Outcome, panic_text};
use crate::checks;

/// Panics whose text begins like this belong to a check, and are not printed.
pub const EXPECTED: &str = "expected:";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub enum Request {
    /// Run checks.
    Run(Options),
    /// Print the names.
    List,
    /// Print the usage.
    Help,
}

/// How to run which checks.
#[derive(Debug, PartialEq)]
pub struct Options {
    names: Vec<String>,
    verbose: bool,
    threaded: bool,
    limit: Duration,
}

impl Options {
    /// Reads the command line without the program's name.
    ///
    /// # Errors
    /// A sentence for the user, if a word is unknown or a number is missing.
    pub fn parse(args: &[OsString]) -> Result<Request, String> {
        let mut options = Self { names: Vec::new(), verbose: false, threaded: true, limit: Duration::from_secs(120) };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let word = word.to_str().ok_or_else(|| format!("{word:?} is no check"))?;
            match word {
                "--list" => return Ok(Request::List),
                "--help" | "-h" => return Ok(Request::Help),
                "--verbose" => options.verbose = true,
                "--no-thread" => options.threaded = false,
                "--timeout" => {
                    let seconds = words.next().and_then(|w| w.to_str()).and_then(|w| w.parse().ok());
                    options.limit = Duration::from_secs(seconds.ok_or("--timeout wants a number of seconds")?);
                }
                flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
                name if checks::all().any(|check| selects(name, check.name)) => options.names.push(name.to_owned()),
                name => return Err(format!("no check is called {name}")),
            }
        }
        Ok(Request::Run(options))
    }
}

/// Whether a word of the command line means this check.
fn selects(word: &str, name: &str) -> bool {
    word == name || word.ends_with('.') && name.starts_with(word)
}

/// Runs the checks and prints a line for each and the sum.
pub fn run(options: &Options) -> ExitCode {
    hide_expected_panics();
    let (mut passed, mut failed) = (0, 0);
    for check in checks::all() {
        if !options.names.is_empty() && !options.names.iter().any(|word| selects(word, check.name)) {
            continue;
        }
        if options.verbose {
            println!("run {}", check.name);
        }
        let outcome = if options.threaded { run_in_thread(check, options.limit) } else { run_here(check) };
        match outcome {
            Ok(()) => {
                println!("ok {}", check.name);
                passed += 1;
            }
            Err(why) => {
                println!("FAILED {}: {why}", check.name);
                failed += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

fn run_here(check: Check) -> Outcome {
    panic::catch_unwind(AssertUnwindSafe(check.run))
        .unwrap_or_else(|payload| Err(Failure::new(format_args!("panicked: {}", panic_text(&*payload)))))
}

/// A check that hangs keeps its thread; the others still run.
fn run_in_thread(check: Check, limit: Duration) -> Outcome {
    let (sender, receiver) = mpsc::channel();
    // The receiver is gone if the check ends after its time limit.
    let thread =
        thread::Builder::new().name(check.name.to_owned()).spawn(move || drop(sender.send(run_here(check))))?;
    match receiver.recv_timeout(limit) {
        Ok(outcome) => {
            drop(thread.join());
            outcome
        }
        Err(_) => Err(Failure::new(format_args!("did not end within {} s", limit.as_secs()))),
    }
}

fn hide_expected_panics() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !panic_text(info.payload()).starts_with(EXPECTED) {
            print(info);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Request, String> {
        Options::parse(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line_is_understood() {
        let Ok(Request::Run(options)) = parse(&["--timeout", "5", "--no-thread", "threads."]) else {
            panic!("not a run")
        };
        assert_eq!(options.limit, Duration::from_secs(5));
        assert_eq!(options.names, ["threads."]);
        assert!(!options.threaded && !options.verbose);
        assert_eq!(parse(&["--list"]), Ok(Request::List));
    }

    #[test]
    fn a_wrong_command_line_is_refused() {
        assert!(parse(&["--timeout"]).is_err());
        assert!(parse(&["--unknown"]).is_err());
        assert!(parse(&["no.such.check"]).is_err());
    }

    #[test]
    fn a_prefix_selects_its_subject() {
        assert!(selects("files.", "files.create"));
        assert!(!selects("files", "files.create"));
        assert!(selects("files.create", "files.create"));
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = checks::all().map(|check| check.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
