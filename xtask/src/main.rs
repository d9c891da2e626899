//! `cargo xtask`: the one tool a person has to know. It builds, boots, tests and measures Ochre.

mod bench;
mod boot;
mod build;
mod cli;
mod coverage;
mod disk;
mod exec;
mod host;
mod image;
mod interactive;
mod linux;
mod native;
mod process;
mod progress;
mod report;
mod scratch;
mod symbolise;
mod test;
mod vm;
mod workspace;

use anyhow::{Context, Result};
use build::kernel::Kernel;
use clap::Parser;
use cli::{Cli, Command, MediumArgs, SymboliseArgs};
use image::archive;
use image::config::{Content, Node};
use image::media::Kind;
use std::io::Read;
use std::process::ExitCode;
use symbolise::Symboliser;
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
        Command::Run(args) => interactive::run(&workspace, args),
        Command::Exec(args) => exec::exec(&workspace, args),
        Command::Test(args) => test::test(&workspace, args),
        Command::Coverage(args) => coverage::coverage(&workspace, args),
        Command::Bench(args) => bench::bench(&workspace, args),
        Command::Fetch(args) => fetch(&workspace, &args.config),
        Command::Image(args) => make_medium(&workspace, Kind::Disk, args),
        Command::Iso(args) => make_medium(&workspace, Kind::Iso, args),
        Command::Gdb(args) => interactive::gdb(&workspace, args),
        Command::Symbolise(args) => symbolise_log(&workspace, args),
    }
}

/// Fetches what a config needs of Debian, and lists the packages.
fn fetch(workspace: &Workspace, name: &str) -> Result<i32> {
    let config = image::programs::config(workspace, name)?;
    if !config.debian.is_empty() {
        print!("{}", build::packages::record(&build::packages::fetch(workspace, &config.debian)?));
    }
    for node in config.nodes.values() {
        if let Node::File(_, Content::Debian(package, _)) = node {
            build::debian::unpacked(workspace, package, &[])?;
        }
    }
    Ok(0)
}

fn make_medium(workspace: &Workspace, kind: Kind, args: &MediumArgs) -> Result<i32> {
    let default = || workspace.target().join(format!("ochre-{}.{}", args.config, kind.extension()));
    let output = args.output.clone().unwrap_or_else(default);
    boot::medium(workspace, kind, &args.config, &output)?;
    println!("{}", output.display());
    Ok(0)
}

fn symbolise_log(workspace: &Workspace, args: &SymboliseArgs) -> Result<i32> {
    let image = archive::build(workspace, &args.config, &Kernel::Ochre)?;
    let mut log = Vec::new();
    if args.log.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut log)?;
    } else {
        log = std::fs::read(&args.log).with_context(|| format!("cannot read {}", args.log.display()))?;
    }
    print!("{}", Symboliser::new(Some(&image.kernel), &image.programs).annotate(&vm::console::clean(&log)));
    Ok(0)
}
