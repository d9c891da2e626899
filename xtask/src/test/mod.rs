//! `cargo xtask test`: all tests, on the host and in virtual machines.

mod built;
mod host;
mod spec;
mod system;
mod tally;

use crate::cli::{TestArgs, TestKind};
use crate::workspace::Workspace;
use anyhow::Result;
use tally::Tally;

/// Runs the tests, and prints the closing line. Returns the status that xtask ends with.
pub fn test(workspace: &Workspace, args: &TestArgs) -> Result<i32> {
    let mut tally = Tally::default();
    if args.only != Some(TestKind::System) {
        host::run(workspace, args.filter.as_deref(), &mut tally)?;
    }
    if args.only != Some(TestKind::Host) {
        system::run(workspace, args, &mut tally)?;
    }
    print!("{tally}");
    Ok(if tally.failed.is_empty() { 0 } else { 1 })
}
