//! How much of the C library is there and tried: for each name of relibc/symbols.tsv whether libc.so.6 exports it, implements it, and
//! which test calls it. relibc/README.md has the sums; target/coverage.tsv has every name.
//!
//! A name counts as *implemented* if both back ends define it otherwise than by the entry that aborts with the name
//! (relibc/missing), and as *tested* if a program of tests/ that tests run imports it, or if tests/conform/resolved.tsv lists it: that
//! file holds names for which a call means nothing, with the reason, and conform's program `resolved` looks each of them up.

mod library;
mod table;

use crate::build::libc::{self, Backend};
use crate::build::userland;
use crate::cli::CoverageArgs;
use crate::test::commands;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use table::Name;

/// The list of names.
const SYMBOLS: &str = "relibc/symbols.tsv";
/// Names that cannot be called to any purpose.
const RESOLVED: &str = "tests/conform/resolved.tsv";
/// Where the sums stand, between two markers.
const README: &str = "relibc/README.md";
/// The package of which every program runs in the tests.
const CONFORM: &str = "conform";
/// The milestones of which every name is to be tested.
const REQUIRED: fn(u32) -> bool = |milestone| matches!(milestone, 1..=10 | 19);

/// `cargo xtask coverage`. Fails if the README is not current, or if a required name is not tested.
pub fn coverage(workspace: &Workspace, args: &CoverageArgs) -> Result<i32> {
    let names = measure(workspace)?;
    let readme = workspace.root().join(README);
    let old = std::fs::read_to_string(&readme).with_context(|| format!("cannot read {README}"))?;
    let symbols = read(workspace, SYMBOLS)?;
    let sums = table::sums(&names, &table::milestones(&symbols));
    print!("{sums}");
    let new = table::replaced(&old, &sums).with_context(|| format!("in {README}"))?;
    if args.update {
        std::fs::write(&readme, new).with_context(|| format!("cannot write {README}"))?;
    }
    let open: Vec<_> =
        names.iter().filter(|name| REQUIRED(name.milestone) && !(name.implemented && name.tested())).collect();
    for name in &open {
        println!("{}: {}", name.name, if name.implemented { "not tested" } else { "not implemented" });
    }
    println!("{} names of the milestones 1 to 10 and 19 are not yet both implemented and tested", open.len());
    Ok(i32::from(!open.is_empty()))
}

/// The test: what [`coverage`] asks for, as an error.
pub fn check(workspace: &Workspace) -> Result<()> {
    let names = measure(workspace)?;
    let readme = read(workspace, README)?;
    let sums = table::sums(&names, &table::milestones(&read(workspace, SYMBOLS)?));
    let mut wrong = Vec::new();
    if table::replaced(&readme, &sums)? != readme {
        wrong.push(format!("the table in {README} is not current: run `cargo xtask coverage --update`"));
    }
    let open = names.iter().filter(|name| REQUIRED(name.milestone) && !(name.implemented && name.tested()));
    let open: Vec<&str> = open.map(|name| name.name.as_str()).collect();
    if !open.is_empty() {
        wrong.push(format!("{} names are not both implemented and tested: {}", open.len(), open.join(" ")));
    }
    if wrong.is_empty() { Ok(()) } else { bail!("{}", wrong.join("\n")) }
}

/// Builds library and test programs, and looks into them. Writes the list of all names.
fn measure(workspace: &Workspace) -> Result<Vec<Name>> {
    let programs = programs(workspace)?;
    let mut testers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for program in programs {
        for name in library::imports(&workspace.user_dir("release").join(&program))? {
            testers.entry(name).or_default().insert(program.clone());
        }
    }
    for row in read(workspace, RESOLVED)?.lines().filter(|row| !row.starts_with('#')) {
        let (name, _) = row.split_once('\t').with_context(|| format!("in {RESOLVED}: `{row}` gives no reason"))?;
        testers.entry(name.to_owned()).or_default().insert("resolved".to_owned());
    }
    let mut libraries = Vec::new();
    for backend in [Backend::Ochre, Backend::Linux] {
        libraries.push(library::exports(&libc::build(workspace, backend)?)?);
    }
    let mut names = table::parse(&read(workspace, SYMBOLS)?).with_context(|| format!("in {SYMBOLS}"))?;
    for name in &mut names {
        name.exported = libraries.iter().all(|library| library.contains_key(&name.name));
        name.implemented = libraries.iter().all(|library| library.get(&name.name) == Some(&true));
        name.testers = testers.remove(&name.name).unwrap_or_default();
    }
    let list = workspace.target().join("coverage.tsv");
    std::fs::write(&list, table::list(&names)).with_context(|| format!("cannot write {}", list.display()))?;
    Ok(names)
}

/// Builds the packages in tests/ and returns the names of those programs that tests run.
fn programs(workspace: &Workspace) -> Result<Vec<String>> {
    let tests = workspace.root().join("tests");
    let run: BTreeSet<String> = commands(workspace)?.into_iter().filter_map(|command| base_name(&command)).collect();
    let mut packages = Vec::new();
    let mut programs = Vec::new();
    for (name, package) in workspace.packages().filter(|(_, package)| package.dir.starts_with(&tests)) {
        let bins: Vec<&String> = package.bins.iter().filter(|bin| name == CONFORM || run.contains(*bin)).collect();
        if !bins.is_empty() {
            packages.push(name);
            programs.extend(bins.into_iter().cloned());
        }
    }
    userland::build(workspace, &packages)?;
    Ok(programs)
}

fn base_name(path: &str) -> Option<String> {
    Some(Path::new(path).file_name()?.to_str()?.to_owned())
}

fn read(workspace: &Workspace, path: &str) -> Result<String> {
    std::fs::read_to_string(workspace.root().join(path)).with_context(|| format!("cannot read {path}"))
}
