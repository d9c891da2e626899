//! Tests by comparison: a command runs on glibc natively, on our C library natively, and on Ochre; output and exit status must be the
//! same three times. glibc's run is the expectation, and nothing is written down.
//!
//! The commands are the programs of package `conform` (`conform-NAME`) and the scripts in tests/system/scripts (`script-NAME`), each
//! a test on Linux (`…-linux`) and one on Ochre (`…-ochre`). All run among the files of the image `conform`.

mod frames;
mod judge;

use super::tally::Tally;
use crate::boot;
use crate::build::kernel::Kernel;
use crate::build::libc::Backend;
use crate::cli::TestArgs;
use crate::image::archive::{self, Image};
use crate::image::items::CLibrary;
use crate::native::Native;
use crate::progress::note;
use crate::report;
use crate::symbolise::Symboliser;
use crate::vm::cmdline;
use crate::vm::machine::Machine;
use crate::vm::run::{self, Run};
use crate::vm::sink::Sink;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use frames::Ran;
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The image.
const CONFIG: &str = "conform";
/// The package of programs.
const PACKAGE: &str = "conform";
/// The folder of scripts.
const SCRIPTS: &str = "tests/system/scripts";
/// How many run at a time, natively or in a machine of its own.
const AT_A_TIME: usize = 2;
/// How long a command may take on this host, and in a machine.
const NATIVE_LIMIT: Duration = Duration::from_secs(120);
const OCHRE_LIMIT: Duration = Duration::from_secs(240);
/// The memory of a machine.
const MEMORY: &str = "1G";
/// How much of a log is shown when a machine dies.
const LOG_LINES: usize = 25;

/// A command to be compared.
struct Subject {
    name: String,
    words: Vec<String>,
    linux: bool,
    ochre: bool,
}

/// Runs the comparisons that the filter chooses, and counts each.
pub fn run(workspace: &Workspace, args: &TestArgs, tally: &mut Tally) -> Result<()> {
    let subjects = subjects(workspace, args.filter.as_deref())?;
    if subjects.is_empty() {
        return Ok(());
    }
    note(format!(
        "{} comparisons with glibc",
        subjects.iter().map(|it| usize::from(it.linux) + usize::from(it.ochre)).sum::<usize>()
    ));
    let dir = workspace.target_dir("test-logs/compare")?;
    let put = workspace.root().join(SCRIPTS);
    let glibc = Native::new(workspace, CONFIG, CLibrary::Glibc)?;
    let relibc = match subjects.iter().any(|subject| subject.linux) {
        true => Some(Native::new(workspace, CONFIG, CLibrary::Relibc(Backend::Linux))?),
        false => None,
    };
    let expected = Mutex::new(BTreeMap::new());
    let tally = Mutex::new(tally);
    let count = |test: String, verdict: Result<()>| {
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        match verdict {
            Ok(()) => {
                println!("system::{test} ... ok");
                tally.passed += 1;
            }
            Err(error) => {
                println!("system::{test} ... FAILED\n{error:#}");
                tally.failed.push(format!("system::{test}"));
            }
        }
    };
    each(&subjects, |subject| {
        let wanted = natively(&glibc, &put, subject, &dir.join(format!("{}-glibc.txt", subject.name)));
        if let (true, Some(relibc)) = (subject.linux, &relibc) {
            let file = dir.join(format!("{}-linux.txt", subject.name));
            let got = natively(relibc, &put, subject, &file);
            count(format!("{}-linux", subject.name), judge::compare(&wanted, &got));
        }
        expected.lock().unwrap_or_else(PoisonError::into_inner).insert(subject.name.clone(), wanted);
    });
    let expected = expected.into_inner().unwrap_or_else(PoisonError::into_inner);
    let for_ochre: Vec<&Subject> = subjects.iter().filter(|subject| subject.ochre).collect();
    if for_ochre.is_empty() {
        return Ok(());
    }
    let image = archive::build(workspace, CONFIG, &Kernel::Ochre)?;
    let groups: Vec<&[&Subject]> = for_ochre.chunks(for_ochre.len().div_ceil(AT_A_TIME)).collect();
    let numbered: Vec<(usize, &[&Subject])> = groups.into_iter().enumerate().collect();
    each(&numbered, |(number, group)| {
        let dir = dir.join(format!("machine-{number}"));
        let (mut ran, death) = match on_ochre(&image, group, &put, &dir) {
            Ok(finished) => finished,
            Err(error) => (BTreeMap::new(), format!("{error:#}")),
        };
        for (index, subject) in group.iter().enumerate() {
            let got = match ran.remove(&index) {
                Some(got) => Ok(got),
                None => Err(anyhow::anyhow!("the machine ended before the command did\n{death}")),
            };
            if let Ok(got) = &got {
                // For a person to read; the verdict does not depend on it.
                let _ = std::fs::write(dir.with_file_name(format!("{}-ochre.txt", subject.name)), &got.out);
            }
            count(format!("{}-ochre", subject.name), judge::compare(&expected[&subject.name], &got));
        }
    });
    Ok(())
}

/// Does a job for each of these, some at a time.
fn each<T: Sync>(all: &[T], job: impl Fn(&T) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    job(one);
                }
            });
        }
    });
}

/// All commands of which the filter wants a test.
fn subjects(workspace: &Workspace, filter: Option<&str>) -> Result<Vec<Subject>> {
    let mut subjects = Vec::new();
    let mut add = |name: String, words: Vec<String>| {
        let wanted = |system: &str| filter.is_none_or(|filter| format!("{name}-{system}").contains(filter));
        let (linux, ochre) = (wanted("linux"), wanted("ochre"));
        if linux || ochre {
            subjects.push(Subject { name, words, linux, ochre });
        }
    };
    for bin in &workspace.require(PACKAGE)?.bins {
        add(format!("conform-{bin}"), vec![format!("/conform/{bin}")]);
    }
    let dir = workspace.root().join(SCRIPTS);
    let mut names = std::fs::read_dir(&dir)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<_>>>())
        .with_context(|| format!("cannot read {}", dir.display()))?;
    names.sort();
    for file in names {
        let file = file.into_string().ok().context("the name of a script is not UTF-8")?;
        let (name, interpreter) = match file.rsplit_once('.') {
            Some((name, "sh")) => (name, "/bin/sh"),
            Some((name, "bash")) => (name, "/bin/bash"),
            Some((name, "py")) => (name, "/usr/bin/python3"),
            _ => bail!("{} is neither a shell's script nor Python's", dir.join(file).display()),
        };
        add(format!("script-{name}"), vec![interpreter.to_owned(), format!("/mnt/put/{file}")]);
    }
    Ok(subjects)
}

/// Runs a command on this host.
fn natively(native: &Native, put: &Path, subject: &Subject, file: &Path) -> Result<Ran> {
    let mut command = native.command(Some(put), NATIVE_LIMIT, &subject.words)?;
    let output = command.output().context("cannot start timeout")?;
    std::fs::write(file, &output.stdout).with_context(|| format!("cannot write {}", file.display()))?;
    let status = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0));
    Ok(Ran { out: output.stdout, err: output.stderr, status })
}

/// Runs commands in a machine. Returns those that ended, by their place in the group, and what is to be said about the others.
fn on_ochre(image: &Image, group: &[&Subject], scripts: &Path, dir: &Path) -> Result<(BTreeMap<usize, Ran>, String)> {
    let put = dir.join("put");
    std::fs::create_dir_all(&put).with_context(|| format!("cannot make {}", put.display()))?;
    for entry in std::fs::read_dir(scripts)? {
        let entry = entry?;
        std::fs::copy(entry.path(), put.join(entry.file_name()))?;
    }
    let list: String = group.iter().map(|subject| subject.words.join(" ") + "\n").collect();
    std::fs::write(put.join("list"), list)?;
    let command = ["/bin/runeach".to_owned(), OCHRE_LIMIT.as_secs().to_string(), "/mnt/put/list".to_owned()];
    let line = cmdline::line("info", None, &command);
    let start = boot::prepare(image, None, Some(&put), &line, dir)?;
    let machine = Machine {
        boot: start.boot,
        smp: 2,
        mem: MEMORY.to_owned(),
        cpu: None,
        icount: false,
        debugger: false,
        disks: start.disks,
    };
    let timeout = OCHRE_LIMIT * u32::try_from(group.len())? + Duration::from_secs(60);
    let how = Run { dir, timeout, show_console: false, nudge_until: None, cues: &[], kill: None };
    let sink = Sink::default();
    let finished = run::run(&machine, &how, sink.clone())?;
    let mut symboliser = Symboliser::new(Some(&image.kernel), &image.programs);
    let death = report::failure(&finished, &mut symboliser, &finished.log_file, LOG_LINES)
        .unwrap_or_else(|| symboliser.annotate(&report::crashes(&finished.log)));
    Ok((frames::parse(&sink.bytes()), death))
}
