//! The commands whose machine a person works with: `run` and `gdb`.

use crate::boot::{self, FromMedium};
use crate::cli::{GdbArgs, RunArgs};
use crate::host;
use crate::image::{archive, system};
use crate::process;
use crate::progress::note;
use crate::scratch::Scratch;
use crate::vm::machine::option;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Boots the image with the serial console on the terminal. Returns QEMU's exit status.
pub fn run(workspace: &Workspace, args: &RunArgs) -> Result<i32> {
    let scratch = Scratch::new(workspace)?;
    let cmdline = args.machine.cmdline(&[]);
    let put = args.put.as_deref();
    let boot = match args.machine.root {
        Some(medium) => {
            let name = &args.machine.config;
            let system = system::build(workspace, name)?;
            let firmware = args.machine.firmware();
            FromMedium { name, system: &system, medium, firmware, put, cmdline: &cmdline }
                .prepare(workspace, scratch.path())?
        }
        None => {
            let image = archive::build(workspace, &args.machine.config, &args.machine.kernel())?;
            boot::prepare(&image, args.machine.iso, put, &cmdline, scratch.path())?
        }
    };
    let machine = args.machine.machine(boot);
    host::ensure(&machine.needs())?;
    let mut qemu = machine.qemu(scratch.path())?;
    qemu.args(["-serial", "mon:stdio", "-serial", "null"]).stdin(Stdio::inherit());
    note("Ctrl-A X ends the machine");
    let status = qemu.status().with_context(|| format!("cannot start `{}`", process::shown(&qemu)))?;
    Ok(status.code().unwrap_or(125))
}

/// Boots a machine that waits for a debugger, and becomes that debugger.
pub fn gdb(workspace: &Workspace, args: &GdbArgs) -> Result<i32> {
    let image = archive::build(workspace, &args.machine.config, &args.machine.kernel())?;
    let dir = workspace.target_dir("vm/gdb")?;
    let cmdline = args.machine.cmdline(&args.command);
    let mut machine = args.machine.machine(boot::prepare(&image, args.machine.iso, None, &cmdline, &dir)?);
    machine.debugger = true;
    host::ensure(&machine.needs())?;
    let mut qemu = machine.qemu(&dir)?;
    qemu.arg("-serial").arg(option("file:", &dir.join("serial.log"))?);
    qemu.arg("-serial").arg(option("file:", &dir.join("output.txt"))?);
    let kernel = image.kernel.display();
    if args.wait {
        note(format!("waiting for a debugger: gdb -ex 'target remote :1234' {kernel}"));
        return Ok(qemu.status()?.code().unwrap_or(125));
    }
    host::ensure(&[host::GDB])?;
    // A Ctrl-C is for gdb. QEMU ends with us, and we become gdb.
    let mut child =
        qemu.process_group(0).spawn().with_context(|| format!("cannot start `{}`", process::shown(&qemu)))?;
    let error = Command::new("gdb")
        .args(["-q", "-ex", "set confirm off", "-ex", "target remote :1234"])
        .arg(&image.kernel)
        .exec();
    child.kill()?;
    Err(error).context("cannot start gdb")
}
