//! `cargo xtask bench`: the same binary on Ochre and on Linux, in instructions.

pub mod row;
mod table;
pub mod worked;

use crate::boot::{self, Start};
use crate::build::kernel::Kernel;
use crate::cli::BenchArgs;
use crate::disk::FileSystem;
use crate::image::items::Item;
use crate::image::{archive, debian, programs};
use crate::linux::{self, Guest};
use crate::progress::{Step, note};
use crate::report;
use crate::scratch::Scratch;
use crate::symbolise::Symboliser;
use crate::vm::cmdline;
use crate::vm::machine::Machine;
use crate::vm::outcome::Outcome;
use crate::vm::run::{self, Run};
use crate::vm::sink::Sink;
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use row::Row;

/// The binary that measures. It must run on both systems.
const PROGRAM: &str = "/bin/bench";

const OCHRE: &str = "Ochre";
const LINUX: &str = "Linux";

/// The group that measures a file system on a disk, and the image for it.
const FILE_SYSTEM: &str = "fs";
const WITH_DISK: &str = "disk";

/// Measures and prints the table. Returns the status that xtask ends with.
pub fn bench(workspace: &Workspace, args: &BenchArgs) -> Result<i32> {
    let mut command = vec![PROGRAM.to_owned(), args.name.clone()];
    command.extend_from_slice(&args.rows);
    let on_disk = args.name == FILE_SYSTEM;
    // Busy time is told apart from waiting on one CPU only.
    let smp = if on_disk { 1 } else { args.smp };
    let config = if on_disk { WITH_DISK } else { &args.config };
    let image = archive::build(workspace, config, &Kernel::Ochre)?;
    let mut symboliser = Symboliser::new(Some(&image.kernel), &image.programs);

    let scratch = Scratch::new(workspace)?;
    let disks = |kind| if on_disk { worked::disks(kind, scratch.path()) } else { Ok(Vec::new()) };
    let cmdline = cmdline::line("warn", None, &command);
    let start = boot::prepare(&image, None, None, &cmdline, scratch.path())?;
    let start = Start { disks: disks(FileSystem::RedoxFs)?, ..start };
    let ours = measure(OCHRE, start, smp, args, &scratch, &mut symboliser)?;
    let theirs = if args.only_ochre {
        Vec::new()
    } else {
        let programs = image.programs.iter().filter(|(path, _)| *path == PROGRAM);
        let programs = programs.map(|(path, file)| (path.clone(), file.clone())).collect();
        let debian = debian::collect(workspace, &programs::config(workspace, config)?)?.members;
        let debian = debian.into_iter().map(|(path, member)| (path, Item::Debian(member))).collect();
        let guest =
            Guest { programs: &programs, libc: None, put: None, debian: &debian, disk: on_disk, command: &command };
        let boot = linux::boot(workspace, &guest, scratch.path())?;
        measure(LINUX, Start { boot, disks: disks(FileSystem::Ext4)? }, smp, args, &scratch, &mut symboliser)?
    };
    println!("{}, {smp} CPUs, instructions counted as nanoseconds (-icount shift=0)\n", args.name);
    print!("{}", table::table(&ours, &theirs));
    Ok(0)
}

fn measure(
    system: &str,
    start: Start,
    smp: u32,
    args: &BenchArgs,
    scratch: &Scratch,
    symboliser: &mut Symboliser,
) -> Result<Vec<Row>> {
    let _step = Step::start(format!("measuring {system}"));
    let machine = Machine {
        boot: start.boot,
        smp,
        mem: "512M".into(),
        cpu: None,
        icount: true,
        debugger: false,
        disks: start.disks,
    };
    let how = Run {
        dir: scratch.path(),
        timeout: args.timeout,
        show_console: false,
        nudge_until: if system == LINUX { linux::nudge(&machine) } else { None },
        cues: &[],
        kill: None,
    };
    let sink = Sink::default();
    let finished = run::run(&machine, &how, sink.clone())?;
    let output = sink.text();
    if finished.outcome != Outcome::Exited(0) {
        let log_file = workspace_log(&finished.log_file)?;
        let reason = report::failure(&finished, symboliser, &log_file, 40)
            .unwrap_or_else(|| format!("{PROGRAM} ended with status {}", finished.outcome.exit_code()));
        bail!("measuring {system}: {reason}\nits output:\n{output}");
    }
    let (rows, rest) = row::parse(&output);
    for line in rest {
        note(format!("{system}: {line}"));
    }
    Ok(rows)
}

/// Copies the log to where it outlives the machine's folder.
fn workspace_log(log: &std::path::Path) -> Result<std::path::PathBuf> {
    let kept = match log.parent().and_then(std::path::Path::parent) {
        Some(dir) => dir.join("serial.log"),
        None => bail!("a log without a folder"),
    };
    std::fs::copy(log, &kept)?;
    Ok(kept)
}
