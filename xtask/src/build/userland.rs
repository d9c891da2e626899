//! The build of the programs that run on Ochre: ordinary x86_64-unknown-linux-gnu programs.

use crate::host;
use crate::process;
use crate::progress::Step;
use crate::workspace::{USER_TARGET, Workspace};
use anyhow::Result;
use std::path::PathBuf;

/// rustix is told to go through libc, because Linux's system call numbers in a program cost a detour on Ochre. Frame
/// pointers make the kernel's backtraces of dying programs possible.
pub const RUSTFLAGS: &str = "--cfg rustix_use_libc -Cforce-frame-pointers=yes";

/// The profile of what has no unwinder: libc.so.6 and the bootstrap program.
pub const FREESTANDING: &str = "freestanding";

/// Builds the programs of `packages` in release mode. They are then in the returned folder, under their names.
pub fn build(workspace: &Workspace, packages: &[&str]) -> Result<PathBuf> {
    let _step = Step::start("building the programs");
    cargo_build(workspace, packages, "release", RUSTFLAGS, &[])
}

/// Builds one package with the freestanding profile, further compiler flags and cargo arguments.
pub fn build_freestanding(workspace: &Workspace, package: &str, flags: &str, args: &[&str]) -> Result<PathBuf> {
    cargo_build(workspace, &[package], FREESTANDING, &format!("{RUSTFLAGS} {flags}"), args)
}

fn cargo_build(
    workspace: &Workspace,
    packages: &[&str],
    profile: &str,
    flags: &str,
    args: &[&str],
) -> Result<PathBuf> {
    host::ensure(&[host::LINK])?;
    let mut cargo = process::command("cargo");
    cargo
        .current_dir(workspace.root())
        .env("RUSTFLAGS", flags.trim())
        .args(["build", "--quiet", "--profile", profile, "--target", USER_TARGET])
        .args(args);
    for package in packages {
        cargo.args(["--package", package]);
    }
    process::run(&mut cargo)?;
    Ok(workspace.user_dir(profile))
}
