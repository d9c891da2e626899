//! Runs each check in a process of its own, so that signal dispositions, masks and a crash stay its own.

use crate::Check;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Until a check counts as hanging.
const LIMIT: Duration = Duration::from_secs(60);

/// The main function: runs the checks that the command line names (all, without one; a name that ends in `.` is a subject), prints a
/// line for each and the sum. Status 0 if all passed, 1 if one failed.
pub fn run(subjects: &[&[Check]]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let checks = || subjects.iter().flat_map(|checks| checks.iter());
    if let [option, name] = arguments.as_slice() {
        if option == "--one" {
            return checks().find(|check| check.name == name).map_or(ExitCode::from(2), one);
        }
    }
    let wanted = |check: &&Check| {
        arguments.is_empty()
            || arguments.iter().any(|a| a == check.name || a.ends_with('.') && check.name.starts_with(a))
    };
    let (mut passed, mut failed) = (0, 0);
    for check in checks().filter(wanted) {
        match apart(check.name) {
            Ok(status) if status.success() => {
                println!("ok {}", check.name);
                passed += 1;
                continue;
            }
            // It has said why.
            Ok(status) if status.code() == Some(1) => {}
            Ok(status) => {
                println!("FAILED {}: ended by signal {:?}, status {:?}", check.name, status.signal(), status.code())
            }
            Err(error) => println!("FAILED {}: {error}", check.name),
        }
        failed += 1;
    }
    println!("{passed} passed, {failed} failed");
    ExitCode::from(u8::from(failed != 0 || passed == 0))
}

fn one(check: &Check) -> ExitCode {
    match (check.run)() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("FAILED {}: {}", check.name, why.0);
            ExitCode::FAILURE
        }
    }
}

fn apart(name: &str) -> io::Result<ExitStatus> {
    let mut child = Command::new(std::env::current_exe()?).args(["--one", name]).stdin(Stdio::null()).spawn()?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(io::ErrorKind::TimedOut, "does not end"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
