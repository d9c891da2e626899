//! Programs that judge a file system on a disk by what they print: on Linux with ext4 and on Ochre with its own they must print the same.

use super::tally::Tally;
use crate::boot;
use crate::build::kernel::Kernel;
use crate::cli::TestArgs;
use crate::disk::{self, FileSystem};
use crate::image::archive::{self, Image};
use crate::image::programs;
use crate::linux::{self, DISK, Guest};
use crate::vm::cmdline;
use crate::vm::console;
use crate::vm::machine::{Boot, Bus, Disk, Machine};
use crate::vm::outcome::Outcome;
use crate::vm::run::{self, Run};
use crate::vm::sink::Sink;
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The image with the programs and the disk's file server.
const CONFIG: &str = "disk";

/// The package of the programs.
const PACKAGE: &str = "file-tests";

/// What machines with a disk are booted from.
pub enum System {
    /// Ochre, with the image.
    Ochre(Image),
    /// Linux, with the program.
    Linux(BTreeMap<String, PathBuf>),
}

impl System {
    /// Builds what knows the file system, with `program`.
    pub fn build(workspace: &Workspace, kind: FileSystem, program: &str) -> Result<System> {
        Ok(match kind {
            FileSystem::RedoxFs => System::Ochre(archive::build(workspace, CONFIG, &Kernel::Ochre)?),
            FileSystem::Ext4 => {
                let programs = programs::files_of(workspace, CONFIG, PACKAGE)?;
                System::Linux(programs.into_iter().filter(|(path, _)| path == program).collect())
            }
        })
    }

    /// Prepares the boot that runs the command; files of this machine go into `dir`.
    pub fn boot(&self, workspace: &Workspace, command: &[String], dir: &Path) -> Result<Boot> {
        match self {
            System::Ochre(image) => {
                Ok(boot::prepare(image, None, None, &cmdline::line("info", None, command), dir)?.boot)
            }
            System::Linux(programs) => {
                let debian = BTreeMap::new();
                let guest = Guest { programs, libc: None, put: None, debian: &debian, disk: true, command };
                linux::boot(workspace, &guest, dir)
            }
        }
    }
}

/// A program that prints the same on both.
struct Comparison {
    name: &'static str,
    program: &'static str,
    /// Further arguments, with `--long` others.
    arguments: [&'static [&'static str]; 2],
    /// The room on the disk.
    room: u64,
    timeout: Duration,
}

const COMPARISONS: &[Comparison] = &[Comparison {
    name: "file-limits",
    program: "/bin/filelimits",
    arguments: [&[], &["--entries", "100000"]],
    room: 128 << 20,
    timeout: Duration::from_secs(900),
}];

/// Lines that need not be the same.
const TIME: &str = "time:";

/// Runs those that the arguments choose.
pub fn run(workspace: &Workspace, args: &TestArgs, tally: &mut Tally) {
    for comparison in COMPARISONS {
        if args.filter.as_ref().is_some_and(|filter| !comparison.name.contains(filter.as_str())) {
            continue;
        }
        let name = format!("system::{}", comparison.name);
        if !args.long {
            tally
                .skipped
                .push((name, "takes long, and fails: a folder is not empty after all its names were removed".into()));
            continue;
        }
        let begin = Instant::now();
        match comparison.run(workspace, args.long) {
            Ok(times) => {
                println!("{name} ... ok ({:.1} s)\n{times}", begin.elapsed().as_secs_f64());
                tally.passed += 1;
            }
            Err(error) => {
                println!("{name} ... FAILED ({:.1} s)\n{error:#}", begin.elapsed().as_secs_f64());
                tally.failed.push(name);
            }
        }
    }
}

impl Comparison {
    /// Runs it on both, and returns the lines about times.
    fn run(&self, workspace: &Workspace, long: bool) -> Result<String> {
        let theirs = self.output(workspace, FileSystem::Ext4, long)?;
        let ours = self.output(workspace, FileSystem::RedoxFs, long)?;
        if let Some(difference) = difference(&ours, &theirs) {
            bail!("{difference}");
        }
        let times = |text: &str, system: &str| -> String {
            let lines = text.lines().filter(|line| line.starts_with(TIME));
            lines.map(|line| format!("  {system}: {line}\n")).collect()
        };
        Ok(times(&theirs, "Linux") + &times(&ours, "Ochre"))
    }

    fn output(&self, workspace: &Workspace, kind: FileSystem, long: bool) -> Result<String> {
        let dir = workspace.target_dir(&format!("test-logs/{}-{kind:?}", self.name))?;
        let file = dir.join("disk.img");
        disk::make(&file, kind, &[], self.room)?;
        let words = [self.program, DISK].into_iter().chain(self.arguments[usize::from(long)].iter().copied());
        let command: Vec<String> = words.map(str::to_owned).collect();
        let boot = System::build(workspace, kind, self.program)?.boot(workspace, &command, &dir)?;
        let machine = Machine {
            boot,
            smp: 2,
            mem: "512M".into(),
            cpu: None,
            icount: false,
            debugger: false,
            disks: vec![Disk::new(file, Bus::Virtio)],
        };
        let how =
            Run { dir: &dir, timeout: self.timeout, show_console: false, nudge_until: None, cues: &[], kill: None };
        let sink = Sink::default();
        let finished = run::run(&machine, &how, sink.clone())?;
        let output = sink.text();
        std::fs::write(dir.join("output.txt"), &output)?;
        if finished.outcome != Outcome::Exited(0) {
            bail!(
                "on {kind:?} it ended otherwise: {:?}\nits output ends so:\n{}\nand the log:\n{}",
                finished.outcome,
                console::tail(&output, 5),
                console::tail(&finished.log, 10)
            );
        }
        Ok(output)
    }
}

/// The first line that is not the same.
fn difference(ours: &str, theirs: &str) -> Option<String> {
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.starts_with(TIME)).collect()
    };
    let (ours, theirs) = (lines(ours), lines(theirs));
    let longest = ours.len().max(theirs.len());
    let nothing = String::from("(nothing)");
    (0..longest)
        .map(|at| (ours.get(at).unwrap_or(&nothing), theirs.get(at).unwrap_or(&nothing)))
        .find_map(|(ours, theirs)| (ours != theirs).then(|| format!("Ochre prints  {ours}\nLinux prints  {theirs}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_may_differ() {
        assert_eq!(difference("a\ntime: 1\nb\n", "a\r\nb\ntime: 2\n"), None);
        assert!(difference("a\n", "a\nb\n").is_some());
        assert!(difference("b\n", "a\n").is_some());
    }
}
