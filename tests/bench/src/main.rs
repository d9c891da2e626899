//! `bench`: what the system below costs, measured by one binary on Linux and on Ochre alike.
//!
//! Time is CLOCK_MONOTONIC. In a virtual machine under `-icount shift=0,sleep=off` a nanosecond is an instruction, and
//! figures repeat; elsewhere they are nanoseconds of the host.
//!
//! Every measurement is a line `row NAME VALUE UNIT`, followed by `KEY=VALUE` words where the system counts events (see
//! [`bench::counters`]); what this system cannot do is `skip NAME reason`. Rows that only Ochre has come from `/bin/ipcbench`.
#![deny(unsafe_code)]

mod measure;
mod peer;
mod report;
mod rows;
mod sys;

use std::env;
use std::process::ExitCode;

use rows::{Group, Row};

const USAGE: &str = "\
usage: bench ipc|os|fs [NAME...]   measure a group, or only the named rows of it
       bench list               print the groups' names and rows";

/// The argument with which this program ends at once: what the rows that exec start.
pub const EXIT_AT_ONCE: &str = "--exit";

fn main() -> ExitCode {
    let args: Vec<String> = env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let (group, names) = match args.split_first() {
        Some((word, _)) if word == EXIT_AT_ONCE => return ExitCode::SUCCESS,
        Some((word, [])) if word == "list" => {
            for row in rows::all() {
                println!("{} {} - {}", row.group.name(), row.name, row.what);
            }
            return ExitCode::SUCCESS;
        }
        Some((word, names)) if word == "ipc" => (Group::Ipc, names),
        Some((word, names)) if word == "os" => (Group::Os, names),
        Some((word, names)) if word == "fs" => (Group::Fs, names),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let wanted = |name: &str| names.is_empty() || names.iter().any(|word| word == name);
    let rows: Vec<&Row> = rows::all().filter(|row| row.group == group && wanted(row.name)).collect();
    let foreign = group == Group::Ipc && report::has_ipcbench();
    if let Some(unknown) = names.iter().find(|name| !foreign && !rows.iter().any(|row| row.name == **name)) {
        eprintln!("bench: {unknown} is no row of {}; see `bench list`", group.name());
        return ExitCode::from(2);
    }

    // Counted before this thread is bound to one CPU. Bound, so that figures do not depend on where the scheduler puts
    // us; a system that cannot bind threads is measured as it is.
    let cpus = sys::cpus();
    if let Err(error) = sys::bind(0) {
        eprintln!("bench: cannot bind to CPU 0: {error}");
    }
    for row in rows {
        report::row(row, cpus);
    }
    if foreign {
        // It makes its own processes and says itself where they run.
        report::ipcbench(&wanted);
    }
    ExitCode::SUCCESS
}
