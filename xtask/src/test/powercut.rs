//! The power cut tests: a machine writes to a disk and tells what is safe; its power is cut; the next machine looks.
//!
//! The disk is a [`VolatileDisk`], which loses what was not flushed. What the guest told stands in what came out of its serial port before
//! the cut. The program `powercut` of tests/files is the other half.

use super::ondisk::System;
use super::tally::Tally;
use crate::cli::TestArgs;
use crate::disk::{self, FileSystem};
use crate::linux::DISK;
use crate::vm::console;
use crate::vm::machine::{Bus, Disk, Machine};
use crate::vm::outcome::Outcome;
use crate::vm::run::{self, Run};
use crate::vm::sink::Sink;
use crate::vm::volatile::{Flushes, VolatileDisk};
use crate::workspace::Workspace;
use anyhow::{Result, bail, ensure};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const PROGRAM: &str = "/bin/powercut";

/// The room on the disk.
const ROOM: u64 = 192 << 20;

/// How long a machine may take from its start to the cut or its end: to boot, to check, and to work.
const PATIENCE: Duration = Duration::from_secs(240);

/// How long the guest works until the cut comes, at the most.
const WORK: Duration = Duration::from_millis(4_000);

struct Variant {
    name: &'static str,
    kind: FileSystem,
    flushes: Flushes,
}

const VARIANTS: &[Variant] = &[
    Variant { name: "power-cut", kind: FileSystem::RedoxFs, flushes: Flushes::Kept },
    // Two checks of the test itself: a file system that is known to survive cuts does, and one without barriers does not.
    Variant { name: "power-cut-linux", kind: FileSystem::Ext4, flushes: Flushes::Kept },
    Variant { name: "power-cut-without-barriers", kind: FileSystem::RedoxFs, flushes: Flushes::Ignored },
];

/// Runs those that the arguments choose.
pub fn run(workspace: &Workspace, args: &TestArgs, tally: &mut Tally) {
    for variant in VARIANTS {
        let name = format!("system::{}", variant.name);
        if args.filter.as_ref().is_some_and(|filter| !variant.name.contains(filter.as_str())) {
            continue;
        }
        let rounds = if args.long { 100 } else { 5 };
        let begin = Instant::now();
        match variant.run(workspace, rounds, args.seed.unwrap_or_else(seed)) {
            Ok(text) => {
                println!("{name} ... ok ({:.1} s): {text}", begin.elapsed().as_secs_f64());
                tally.passed += 1;
            }
            Err(error) => {
                println!("{name} ... FAILED ({:.1} s)\n{error:#}", begin.elapsed().as_secs_f64());
                tally.failed.push(name);
            }
        }
    }
}

/// Another one each time.
fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |now| now.as_micros() as u64 % 1_000_000_000)
}

/// What came of one machine.
struct Round {
    /// What the guest said.
    output: String,
    outcome: Outcome,
    /// What the file server said last to the log.
    server: Option<String>,
    /// Sectors that were written and not flushed when the power was cut.
    at_risk: usize,
}

impl Variant {
    fn run(&self, workspace: &Workspace, rounds: u64, seed: u64) -> Result<String> {
        let system = System::build(workspace, self.kind, PROGRAM)?;
        let dir = workspace.target_dir(&format!("test-logs/{}", self.name))?;
        let file = dir.join("disk.img");
        disk::make(&file, self.kind, &[], ROOM)?;
        let mut told = String::new();
        let (mut steps, mut at_risk) = (0, 0);
        for round in 0..=rounds {
            let own = seed.wrapping_add(round);
            let mut command = vec![PROGRAM.to_owned(), DISK.to_owned()];
            if round > 0 {
                command.extend(["check".into(), format!("r{}", round - 1), (own - 1).to_string(), told.clone()]);
            }
            if round < rounds {
                command.extend(["write".into(), format!("r{round}"), own.to_string()]);
            }
            let last = round == rounds;
            let result = one(workspace, &system, &command, &dir, &file, own, self.flushes, last)?;
            if let Err(why) = result.judge(round, last) {
                // A machine that is only slow is no proof.
                let seen = why.to_string().starts_with("FAILED") || result.server.is_some();
                if self.flushes == Flushes::Ignored && seen {
                    return Ok(format!("seen to fail at cut {round}, seed {seed}: {}", first_line(&why.to_string())));
                }
                return Err(why.context(format!("after cut {round} of {rounds}, with --seed {seed}")));
            }
            at_risk += result.at_risk;
            let places = told_steps(&result.output);
            steps += places.iter().sum::<u64>();
            told = places.map(|place| place.to_string()).join(",");
        }
        ensure!(
            self.flushes == Flushes::Kept,
            "{rounds} cuts of a disk without barriers did no harm, with --seed {seed}"
        );
        ensure!(steps > 0 && at_risk > 0, "the cuts came when nothing was under way");
        Ok(format!("{rounds} cuts, {steps} steps acknowledged, {at_risk} sectors at risk, seed {seed}"))
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// How far each place was acknowledged. A line counts when all of it came.
fn told_steps(output: &str) -> [u64; 3] {
    let mut steps = [0; 3];
    let whole = output.rfind('\n').map_or("", |end| &output[..end]);
    for line in whole.lines() {
        let Some((place, step)) = line.trim_end().strip_prefix("told ").and_then(|rest| rest.split_once(' ')) else {
            continue;
        };
        if let (Ok(place), Ok(step)) = (place.parse::<usize>(), step.parse())
            && let Some(most) = steps.get_mut(place)
        {
            *most = step;
        }
    }
    steps
}

impl Round {
    fn judge(&self, round: u64, last: bool) -> Result<()> {
        let said = |text: &str| self.output.contains(text);
        let ended = if last { self.outcome == Outcome::Exited(0) } else { self.outcome == Outcome::Killed };
        let checked = round == 0 || said(&format!("checked r{}", round - 1));
        if !ended || !checked || said("FAILED") {
            let failed = self.output.lines().find(|line| line.starts_with("FAILED"));
            let failed = failed.map(str::to_owned).or_else(|| self.server.clone());
            let why = failed.unwrap_or_else(|| format!("{:?}", self.outcome));
            bail!("{why}\nits output ends so:\n{}", console::tail(&self.output, 5));
        }
        Ok(())
    }
}

/// Runs one machine until its power is cut or its command ends.
#[expect(clippy::too_many_arguments, reason = "they have nothing in common but this machine")]
fn one(
    workspace: &Workspace,
    system: &System,
    command: &[String],
    dir: &Path,
    file: &Path,
    seed: u64,
    flushes: Flushes,
    last: bool,
) -> Result<Round> {
    let boot = system.boot(workspace, command, dir)?;
    let disk = VolatileDisk::new(file, seed, flushes)?;
    let machine = Machine {
        boot,
        smp: 2,
        mem: "512M".into(),
        cpu: None,
        icount: false,
        debugger: false,
        disks: vec![Disk::new(disk.file(), Bus::Virtio)],
    };
    let (sink, kill, over) = (Sink::default(), AtomicBool::new(false), AtomicBool::new(false));
    let how = Run { dir, timeout: PATIENCE, show_console: false, nudge_until: None, cues: &[], kill: Some(&kill) };
    let (finished, at_risk) = std::thread::scope(|scope| {
        let cutter = scope.spawn(|| -> Result<usize> {
            while !over.load(Ordering::Relaxed) {
                if !last && sink.text().contains("writing r") {
                    std::thread::sleep(delay(seed));
                    let at_risk = disk.cut();
                    kill.store(true, Ordering::Relaxed);
                    return at_risk;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(0)
        });
        let finished = run::run(&machine, &how, sink.clone());
        over.store(true, Ordering::Relaxed);
        let at_risk = cutter.join().unwrap_or_else(|_| bail!("the thread that cuts the power panicked"));
        (finished, at_risk)
    });
    let (finished, at_risk) = (finished?, at_risk?);
    let output = sink.text();
    std::fs::write(dir.join("output.txt"), &output)?;
    let server = finished.log.lines().rev().find(|line| line.starts_with("fsd: ")).map(str::to_owned);
    Ok(Round { output, outcome: finished.outcome, server, at_risk })
}

/// How long the guest of this seed works.
fn delay(seed: u64) -> Duration {
    // Often early, since the first steps are the ones with much new.
    let part = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64 / f64::from(1 << 24);
    WORK.mul_f64(part * part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_count() {
        assert_eq!(told_steps("writing r1\ntold 0 5\r\ntold 2 7\ntold 0 9\ntold 1 12"), [9, 0, 7]);
        assert_eq!(told_steps("told 9 9\ntold x\n"), [0; 3]);
        assert_eq!(told_steps(""), [0; 3]);
    }

    #[test]
    fn cuts_come_at_different_times() {
        let delays: Vec<Duration> = (0..50).map(delay).collect();
        assert!(delays.iter().all(|delay| *delay <= WORK));
        assert!(delays.iter().any(|delay| *delay < WORK / 10) && delays.iter().any(|delay| *delay > WORK / 2));
    }
}
