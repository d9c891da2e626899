//! The system tests: each boots a machine, runs its command there, and looks.

use super::built::{self, Built};
use super::spec::{self, Boot, Spec, System};
use super::tally::Tally;
use crate::bench::{row, worked};
use crate::boot::Start;
use crate::cli::TestArgs;
use crate::disk::FileSystem;
use crate::process;
use crate::progress::note;
use crate::report;
use crate::symbolise::Symboliser;
use crate::vm::cue::Cue;
use crate::vm::machine::{Disk, Machine, text};
use crate::vm::outcome::Outcome;
use crate::vm::run::{self, Finished, Run};
use crate::vm::sink::Sink;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use regex_lite::Regex;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// How many machines run at a time.
const AT_A_TIME: usize = 2;
/// How much of a log is shown when a test fails.
const LOG_LINES: usize = 25;

/// Runs the system tests and counts them.
pub fn run(workspace: &Workspace, args: &TestArgs, tally: &mut Tally) -> Result<()> {
    let mut specs = spec::load(&workspace.root().join("tests/system"))?;
    specs.retain(|spec| args.filter.as_ref().is_none_or(|filter| spec.name.contains(filter)));
    let mut systems = BTreeMap::new();
    let mut queue = Vec::new();
    for spec in specs {
        if spec.long && !args.long {
            tally.skipped.push((spec.name, "takes long; runs with --long".into()));
            continue;
        }
        systems.entry(built::key(&spec)).or_insert_with_key(|key| built::build(workspace, key));
        queue.push(spec);
    }
    let total = queue.len();
    if total > 0 {
        note(format!("{total} system tests"));
    }
    queue.reverse();
    let queue = Mutex::new(queue);
    let tally = Mutex::new(tally);
    let host = RwLock::new(());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let Some(spec) = queue.lock().unwrap_or_else(PoisonError::into_inner).pop() else { return };
                    let (_shared, _alone);
                    if spec.alone {
                        _alone = host.write().unwrap_or_else(PoisonError::into_inner);
                    } else {
                        _shared = host.read().unwrap_or_else(PoisonError::into_inner);
                    }
                    let begin = Instant::now();
                    let result = one(workspace, &spec, &systems[&built::key(&spec)]);
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    verdict(&spec, begin.elapsed(), result, &mut tally);
                }
            });
        }
    });
    Ok(())
}

/// Prints the line of a test that has ended, and counts it.
fn verdict(spec: &Spec, elapsed: Duration, result: Result<String>, tally: &mut Tally) {
    let seconds = elapsed.as_secs_f64();
    match result {
        Ok(figures) => {
            println!("system::{} ... ok ({seconds:.1} s{figures})", spec.name);
            tally.passed += 1;
        }
        Err(error) => {
            println!("system::{} ... FAILED ({seconds:.1} s)\n{error:#}", spec.name);
            tally.failed.push(format!("system::{}", spec.name));
        }
    }
}

/// Runs one test. Returns the figures that have limits; an error tells what is wrong.
fn one(workspace: &Workspace, spec: &Spec, built: &Result<Built>) -> Result<String> {
    let built = match built {
        Ok(built) => built,
        Err(error) => bail!("it could not be built: {error:#}"),
    };
    let dir = workspace.target_dir(&format!("test-logs/{}", spec.name))?;
    if spec.on == System::Host {
        return on_host(spec, built, &dir);
    }
    if spec.on == System::Console {
        return on_console(spec, built, &dir);
    }
    let mut disks = disks(spec, &dir)?;
    if spec.bench_disks {
        disks.extend(worked::disks(FileSystem::RedoxFs, &dir)?);
    }
    for command in &spec.before {
        let earlier = Spec { command: command.clone(), status: 0, output: vec![], log: vec![], ..spec.clone() };
        boot(workspace, &earlier, built, &dir, &disks)
            .with_context(|| format!("the boot for `{}`", command.join(" ")))?;
    }
    boot(workspace, spec, built, &dir, &disks)
}

/// Boots the machine once, with these disks besides the image's, and looks.
fn boot(workspace: &Workspace, spec: &Spec, built: &Built, dir: &Path, disks: &[Disk]) -> Result<String> {
    let Start { boot, disks: mut all } = built.boot(workspace, spec, dir)?;
    all.extend_from_slice(disks);
    let machine = Machine {
        boot,
        smp: spec.smp,
        mem: spec.mem.clone(),
        cpu: None,
        icount: spec.icount,
        debugger: false,
        disks: all,
    };
    let how = Run {
        dir,
        timeout: Duration::from_secs(spec.timeout),
        show_console: false,
        nudge_until: None,
        cues: &cues(spec, &dir)?,
        kill: None,
    };
    let sink = Sink::default();
    let finished = run::run(&machine, &how, sink.clone())?;
    let output = sink.text();
    std::fs::write(dir.join("output.txt"), &output)?;
    let mut wrong = ending(spec, &finished.outcome);
    wrong.extend(contents(spec, &output, &finished.log));
    if wrong.is_empty() {
        return Ok(figures(spec, &output));
    }
    bail!(explain(&wrong, &output, &finished, &mut built.symboliser()))
}

/// What is done to the machine: `{dir}` in it is the test's folder, where its disks are.
fn cues(spec: &Spec, dir: &Path) -> Result<Vec<Cue>> {
    let dir = text(dir)?;
    let cue = |cue: &Cue| Cue { monitor: cue.monitor.replace("{dir}", dir), ..cue.clone() };
    Ok(spec.cues.iter().map(cue).collect())
}

/// The test's disks, empty.
fn disks(spec: &Spec, dir: &Path) -> Result<Vec<Disk>> {
    let make = |(n, mib): (usize, &u64)| {
        let file = dir.join(format!("disk{n}.img"));
        let made = std::fs::File::create(&file).and_then(|file| file.set_len(mib << 20));
        made.with_context(|| format!("cannot make {}", file.display()))?;
        let rules: String = spec.faults.iter().filter(|fault| fault.disk == n).map(|fault| fault.rule()).collect();
        let faults = if rules.is_empty() { None } else { Some(dir.join(format!("disk{n}.faults"))) };
        if let Some(faults) = &faults {
            std::fs::write(faults, rules).with_context(|| format!("cannot write {}", faults.display()))?;
        }
        Ok(Disk { read_only: spec.read_only_disks.contains(&n), faults, ..Disk::new(file, spec.bus) })
    };
    spec.disks.iter().enumerate().map(make).collect()
}

/// Runs the very binary on the host that the image holds.
fn on_host(spec: &Spec, built: &Built, dir: &Path) -> Result<String> {
    let file = built.program(&spec.command[0])?;
    let mut command = process::command("timeout");
    command.arg(spec.timeout.to_string()).arg(file).args(&spec.command[1..]).current_dir(dir);
    judge(spec, command, dir)
}

/// Boots the image as a person does, with this host's ptydrive at the keys.
fn on_console(spec: &Spec, built: &Built, dir: &Path) -> Result<String> {
    let keys = dir.join("keys");
    std::fs::write(&keys, &spec.keys)?;
    let mut command = process::command("timeout");
    command.arg(spec.timeout.to_string()).arg(built.program("/bin/ptydrive")?);
    // A step that takes too long is to be told before all is over.
    command.arg("--timeout").arg((spec.timeout / 2).to_string()).arg(keys);
    command.arg(std::env::current_exe().context("where is xtask?")?);
    command.args(["run", "--config", &spec.config, "--mem", &spec.mem, "--smp", &spec.smp.to_string()]);
    if let Some(medium) = spec.root.and_then(|medium| medium.to_possible_value()) {
        command.args(["--root", medium.get_name()]);
    }
    match spec.firmware {
        Some(Boot::Bios) => drop(command.arg("--bios")),
        Some(Boot::Uefi) => drop(command.arg("--uefi")),
        None => {}
    }
    judge(spec, command, dir)
}

/// Runs a command of this host, and says what is wrong about its output and status; else its figures.
fn judge(spec: &Spec, mut command: std::process::Command, dir: &Path) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", process::shown(&command)))?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    std::fs::write(dir.join("output.txt"), &text)?;
    let mut wrong = Vec::new();
    if output.status.code() != Some(spec.status) {
        wrong.push(format!("it ended with {}, not with status {}", output.status, spec.status));
    }
    wrong.extend(contents(spec, &text, ""));
    if wrong.is_empty() {
        Ok(figures(spec, &text))
    } else {
        bail!("{}\nits output ends so:\n{}", wrong.join("\n"), tail(&text))
    }
}

/// What is wrong about how the guest ended.
fn ending(spec: &Spec, outcome: &Outcome) -> Vec<String> {
    match (outcome, spec.kernel_fault) {
        (Outcome::Off, false) if spec.off => vec![],
        (Outcome::Exited(status), false) if *status == spec.status && !spec.off => vec![],
        (Outcome::KernelFault, true) => vec![],
        (Outcome::Exited(status), true) => vec![format!("it ended with status {status}, not by a fault of the kernel")],
        (Outcome::Exited(status), false) if spec.off => {
            vec![format!("the command ended with status {status}, and the machine was not turned off")]
        }
        (Outcome::Exited(status), false) => vec![format!("it ended with status {status}, not {}", spec.status)],
        // These are described by the report of the guest's death.
        (Outcome::TimedOut | Outcome::Killed | Outcome::Off | Outcome::Died(_) | Outcome::KernelFault, _) => {
            vec!["the command did not end".into()]
        }
    }
}

/// What is wrong about output and log.
fn contents(spec: &Spec, output: &str, log: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let checks = [
        ("output", output, &spec.output, true),
        ("output", output, &spec.forbidden_output, false),
        ("log", log, &spec.log, true),
        ("log", log, &spec.forbidden_log, false),
    ];
    for (name, text, patterns, wanted) in checks {
        for pattern in patterns {
            // The patterns were compiled when the test was read.
            if Regex::new(pattern).is_ok_and(|regex| regex.is_match(text)) != wanted {
                wrong.push(format!("the {name} {} `{pattern}`", if wanted { "does not match" } else { "matches" }));
            }
        }
    }
    let (rows, _) = row::parse(output);
    for (name, limit) in &spec.limits {
        let mut measured = rows.iter().filter(|row| &row.name == name).map(|row| row.value).peekable();
        if measured.peek().is_none() {
            wrong.push(format!("there is no row `{name}`"));
        }
        wrong.extend(measured.filter(|value| value > limit).map(|value| format!("{name} is {value}, above {limit}")));
    }
    wrong
}

/// The figures that have limits, for the line of a test that passed.
fn figures(spec: &Spec, output: &str) -> String {
    let (rows, _) = row::parse(output);
    let limited = rows.iter().filter(|row| spec.limits.contains_key(&row.name));
    limited.map(|row| format!(", {} {} {}", row.name, row.value, row.unit)).collect()
}

fn explain(wrong: &[String], output: &str, finished: &Finished, symboliser: &mut Symboliser) -> String {
    let mut text = wrong.join("\n");
    if !output.is_empty() {
        text += &format!("\nits output ends so:\n{}", tail(output));
    }
    text += "\n";
    match report::failure(finished, symboliser, &finished.log_file, LOG_LINES) {
        Some(death) => text += &death,
        None => {
            text += &symboliser.annotate(&report::crashes(&finished.log));
            text += &format!("its log is {}", finished.log_file.display());
        }
    }
    text
}

fn tail(text: &str) -> String {
    crate::vm::console::tail(text, LOG_LINES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> Spec {
        toml::from_str(&format!("name = 'a'\ncommand = ['a']\n{text}")).unwrap()
    }

    #[test]
    fn judges_the_ending() {
        assert!(ending(&spec(""), &Outcome::Exited(0)).is_empty());
        assert!(ending(&spec("status = 3"), &Outcome::Exited(3)).is_empty());
        assert!(ending(&spec("kernel-fault = true"), &Outcome::KernelFault).is_empty());
        assert!(!ending(&spec("kernel-fault = true"), &Outcome::Exited(0)).is_empty());
        assert!(!ending(&spec(""), &Outcome::TimedOut).is_empty());
        assert!(!ending(&spec(""), &Outcome::Exited(1)).is_empty());
    }

    #[test]
    fn judges_output_log_and_limits() {
        let spec = spec("output = ['^ok$', 'x+']\nforbidden-log = ['panic']\nlimits = { call = 10 }");
        assert_eq!(contents(&spec, "ok xx\nrow call 10 ns", "").len(), 1, "a line is no text");
        assert_eq!(contents(&spec, "xx", "panic").len(), 3);
        assert_eq!(contents(&spec, "row call 11 ns", "").len(), 3);
    }
}
