//! The build of the programs that run on Ochre: ordinary x86_64-unknown-linux-gnu programs.

use crate::host;
use crate::process;
use crate::progress::Step;
use crate::workspace::{USER_TARGET, Workspace};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// rustix is told to go through libc, because Linux's system call numbers in a program cost a detour on Ochre. Frame
/// pointers make the kernel's backtraces of dying programs possible.
pub const RUSTFLAGS: &str = "--cfg rustix_use_libc -Cforce-frame-pointers=yes";

/// The profile of what has no unwinder: libc.so.6 and the bootstrap program.
pub const FREESTANDING: &str = "freestanding";

/// Builds the programs of `packages` in release mode. They are then in the returned folder, under their names.
pub fn build(workspace: &Workspace, packages: &[&str]) -> Result<PathBuf> {
    let _step = Step::start("building the programs");
    let mut cargo = cargo(workspace, "build", "release", RUSTFLAGS)?;
    for package in packages {
        cargo.args(["--package", package]);
    }
    process::run(&mut cargo)?;
    Ok(workspace.user_dir("release"))
}

/// Builds a package's program with the freestanding profile and further compiler flags.
pub fn build_freestanding(workspace: &Workspace, package: &str, flags: &str) -> Result<PathBuf> {
    let mut cargo = cargo(workspace, "build", FREESTANDING, &format!("{RUSTFLAGS} {flags}"))?;
    process::run(cargo.args(["--package", package]))?;
    Ok(workspace.user_dir(FREESTANDING))
}

/// Builds a package's library as a static one with all that it needs, with the freestanding profile and further
/// compiler flags.
pub fn build_static_library(workspace: &Workspace, package: &str, flags: &str) -> Result<PathBuf> {
    let mut cargo = cargo(workspace, "rustc", FREESTANDING, &format!("{RUSTFLAGS} {flags}"))?;
    process::run(cargo.args(["--lib", "--crate-type", "staticlib", "--package", package]))?;
    Ok(workspace.user_dir(FREESTANDING))
}

fn cargo(workspace: &Workspace, command: &str, profile: &str, flags: &str) -> Result<Command> {
    host::ensure(&[host::LINK])?;
    let mut cargo = process::command("cargo");
    cargo.current_dir(workspace.root()).env("RUSTFLAGS", flags.trim()).args([
        command,
        "--quiet",
        "--profile",
        profile,
        "--target",
        USER_TARGET,
    ]);
    Ok(cargo)
}
