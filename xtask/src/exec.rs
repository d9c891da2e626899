//! `cargo xtask exec`: one command in a virtual machine.

use crate::boot::{self, FromMedium};
use crate::build::libc::{self, Backend};
use crate::cli::{ExecArgs, NativeLibrary};
use crate::image::items::CLibrary;
use crate::image::{archive, programs, system};
use crate::linux::{self, Guest};
use crate::native::Native;
use crate::progress::note;
use crate::report;
use crate::scratch::Scratch;
use crate::symbolise::Symboliser;
use crate::vm::outcome::Outcome;
use crate::vm::run::{self, Finished, Run};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::process::Stdio;

/// How much of the log is shown when a guest dies.
const LOG_LINES: usize = 40;

/// Runs the command and returns the status that xtask ends with.
pub fn exec(workspace: &Workspace, args: &ExecArgs) -> Result<i32> {
    if let Some(library) = args.native {
        return native(workspace, args, library);
    }
    let scratch = Scratch::new(workspace)?;
    let put = args.put.as_deref();
    let (boot, mut symboliser) = if args.linux && args.machine.root.is_some() {
        let start = linux::rooted::boot(workspace, &args.machine.config, put, &args.command, scratch.path())?;
        (start, Symboliser::new(None, &programs::files(workspace, &args.machine.config)?))
    } else if args.linux {
        let programs = programs::files(workspace, &args.machine.config)?;
        let libc = if args.relibc { Some(libc::build(workspace, Backend::Linux)?) } else { None };
        let guest = Guest {
            programs: &programs,
            libc: libc.as_deref(),
            put,
            debian: &BTreeMap::new(),
            disk: !args.machine.disk.is_empty(),
            command: &args.command,
        };
        let boot = linux::boot(workspace, &guest, scratch.path())?;
        (boot.into(), Symboliser::new(None, &programs))
    } else if let Some(medium) = args.machine.root {
        let system = system::build(workspace, &args.machine.config)?;
        let cmdline = args.machine.cmdline(&args.command);
        let name = &args.machine.config;
        let from =
            FromMedium { name, system: &system, medium, firmware: args.machine.firmware(), put, cmdline: &cmdline };
        let boot = from.prepare(workspace, scratch.path())?;
        (boot, Symboliser::new(Some(&system.image.kernel), &system.image.programs))
    } else {
        let image = archive::build(workspace, &args.machine.config, &args.machine.kernel())?;
        let cmdline = args.machine.cmdline(&args.command);
        let boot = boot::prepare(&image, args.machine.iso, put, &cmdline, scratch.path())?;
        (boot, Symboliser::new(Some(&image.kernel), &image.programs))
    };
    if let Some(put) = put {
        symboliser.add_put(put);
    }
    let machine = args.machine.machine(boot);
    // Without a command there is nothing else to see.
    let show_console = args.console || args.command.is_empty();
    let how = Run {
        dir: scratch.path(),
        timeout: args.timeout,
        show_console,
        nudge_until: if args.linux { linux::nudge(&machine) } else { None },
        cues: &[],
        kill: None,
    };
    let finished = run::run(&machine, &how, std::io::stdout())?;
    let log_file = workspace.target_dir("vm")?.join("serial.log");
    std::fs::copy(&finished.log_file, &log_file)?;
    if let Some(text) = report::failure(&finished, &mut symboliser, &log_file, LOG_LINES) {
        note(text.trim_end());
    } else if !show_console {
        eprint!("{}", crashes(&finished, &mut symboliser));
    }
    Ok(finished.outcome.exit_code())
}

/// Runs the command on this host's kernel.
fn native(workspace: &Workspace, args: &ExecArgs, library: NativeLibrary) -> Result<i32> {
    let library = match library {
        NativeLibrary::Glibc => CLibrary::Glibc,
        NativeLibrary::Relibc => CLibrary::Relibc(Backend::Linux),
    };
    let put = args.put.as_deref().map(std::fs::canonicalize).transpose().context("the folder for /mnt/put")?;
    let native = Native::new(workspace, &args.machine.config, library)?;
    let mut command = native.command(put.as_deref(), args.timeout, &args.command)?;
    let status = command.stdin(Stdio::inherit()).status().context("cannot start timeout")?;
    Ok(status.code().unwrap_or(125))
}

/// What the log says about processes that crashed: it helps whoever wonders about an exit status.
fn crashes(finished: &Finished, symboliser: &mut Symboliser) -> String {
    match finished.outcome {
        Outcome::Exited(0) => String::new(),
        _ => symboliser.annotate(&report::crashes(&finished.log)),
    }
}
