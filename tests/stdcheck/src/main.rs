//! `stdcheck`: what a program of stock Rust `std` may expect of the system below it, as named checks.
//!
//! The program uses nothing but `std`, so that one binary judges Linux and Ochre alike: threads and thread-local
//! storage, locks, files and directories, processes and pipes, panics and backtraces, memory, time, sockets.
//! Each check prints `ok NAME` or `FAILED NAME: why`; the exit status is 0 if all passed, 1 if one failed, 2 if the
//! command line is wrong.
#![forbid(unsafe_code)]

mod check;
mod checks;
mod child;
mod runner;
mod tempdir;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

const USAGE: &str = "\
usage: stdcheck [--verbose] [--no-thread] [--timeout SECONDS] [NAME...]
       stdcheck --list
       stdcheck --cat          copy standard input to standard output

Runs the named checks (a name that ends in `.` means all that begin with it), or all of them.
  --verbose    print `run NAME` before each check, to see which one takes the process down
  --no-thread  run checks on the main thread, without a time limit
  --timeout    seconds until a check counts as failed (default 120)";

fn main() -> ExitCode {
    let args: Vec<OsString> = env::args_os().skip(1).collect();
    match args.first().and_then(|first| first.to_str()) {
        Some("--child") => return child::run(&args[1..]),
        Some("--cat") => return child::run(&["cat".into()]),
        _ => {}
    }
    match runner::Options::parse(&args) {
        Ok(runner::Request::Run(options)) => runner::run(&options),
        Ok(runner::Request::List) => {
            for check in checks::all() {
                println!("{}", check.name);
            }
            ExitCode::SUCCESS
        }
        Ok(runner::Request::Help) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("stdcheck: {why}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}
