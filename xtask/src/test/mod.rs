//! `cargo xtask test`: all tests, on the host and in virtual machines.

mod built;
mod compare;
mod host;
mod ondisk;
mod powercut;
mod spec;
mod system;
mod tally;

use crate::cli::{TestArgs, TestKind};
use crate::progress::note;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs::File;
use tally::Tally;

/// Waits until no other test run of this workspace is going on: they would write each other's logs.
fn alone(workspace: &Workspace) -> Result<File> {
    let path = workspace.target_dir("test-logs")?.join("lock");
    let lock = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    if lock.try_lock().is_err() {
        note("waiting for another test run to end");
        lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(lock)
}

/// Runs the tests, and prints the closing line. Returns the status that xtask ends with.
pub fn test(workspace: &Workspace, args: &TestArgs) -> Result<i32> {
    let _alone = alone(workspace)?;
    let mut tally = Tally::default();
    if args.only != Some(TestKind::System) {
        host::run(workspace, args.filter.as_deref(), &mut tally)?;
    }
    if args.only != Some(TestKind::Host) {
        system::run(workspace, args, &mut tally)?;
        compare::run(workspace, args, &mut tally)?;
        ondisk::run(workspace, args, &mut tally);
        powercut::run(workspace, args, &mut tally);
        coverage(workspace, args, &mut tally);
    }
    print!("{tally}");
    Ok(if tally.failed.is_empty() { 0 } else { 1 })
}

/// The check of the C library's names, as a test.
fn coverage(workspace: &Workspace, args: &TestArgs, tally: &mut Tally) {
    const NAME: &str = "system::coverage";
    if args.filter.as_ref().is_some_and(|filter| !NAME.contains(filter.as_str())) {
        return;
    }
    match crate::coverage::check(workspace) {
        Ok(()) => {
            println!("{NAME} ... ok");
            tally.passed += 1;
        }
        Err(error) => {
            println!("{NAME} ... FAILED\n{error:#}");
            tally.failed.push(NAME.to_owned());
        }
    }
}

/// The words of all system tests' commands.
pub fn commands(workspace: &Workspace) -> Result<Vec<String>> {
    let specs = spec::load(&workspace.root().join("tests/system"))?;
    Ok(specs.into_iter().flat_map(|spec| spec.command).collect())
}
