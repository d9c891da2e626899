//! What the native tests share: results, and starting themselves again as a server.

use ochre_rt::syscall;
use std::process::{Child, Command, ExitCode};

/// A test's result; the error says what went wrong.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Prints `ok NAME` or `FAILED NAME: why` and gives the exit status.
pub fn report(name: &str, result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => {
            println!("ok {name}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            println!("FAILED {name}: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Fails with a message unless the condition holds.
pub fn check(condition: bool, what: impl Into<String>) -> Result<()> {
    if condition { Ok(()) } else { Err(what.into().into()) }
}

/// Starts this program again with these arguments and waits until it calls `ochre_scheme::ready`.
pub fn start_self(arguments: &[&str]) -> Result<Child> {
    let [ready, notify] = syscall::pipe(0)?;
    let child = Command::new(std::env::current_exe()?).args(arguments).env("INIT_NOTIFY", notify.to_string()).spawn();
    syscall::close(notify)?;
    let mut byte = [0];
    let got = syscall::read(ready, &mut byte);
    syscall::close(ready)?;
    let mut child = child?;
    if !matches!(got, Ok(1)) {
        child.wait()?;
        return Err("the server ended before it was ready".into());
    }
    Ok(child)
}

/// The process id of a service, from /scheme/sys/process: pid first, name last.
pub fn pid_of(name: &str) -> Result<i32> {
    let text = std::fs::read_to_string("/scheme/sys/process")?;
    let line = text.lines().find(|line| line.ends_with(&format!(" {name}"))).ok_or(format!("{name} does not run"))?;
    Ok(line.split(' ').next().unwrap_or_default().parse()?)
}
