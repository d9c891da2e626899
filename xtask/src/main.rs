//! `cargo xtask`: the one tool a person has to know. It builds, boots, tests and measures Ochre.

mod build;
mod cli;
mod exec;
mod host;
mod image;
mod process;
mod progress;
mod symbolise;
mod vm;
mod workspace;

use anyhow::Result;
use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;
use workspace::Workspace;

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(status) => ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX)),
        Err(error) => {
            eprintln!("xtask: error: {error:#}");
            ExitCode::from(125)
        }
    }
}

fn run(command: &Command) -> Result<i32> {
    let workspace = Workspace::load()?;
    match command {
        Command::Exec(args) => exec::exec(&workspace, args),
    }
}
