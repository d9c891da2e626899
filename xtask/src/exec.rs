//! `cargo xtask exec`: one command in a virtual machine.

use crate::cli::{ExecArgs, MachineArgs};
use crate::image::archive::{self, Image};
use crate::image::iso;
use crate::progress::note;
use crate::symbolise::Symboliser;
use crate::vm::machine::{Boot, Firmware};
use crate::vm::outcome::Outcome;
use crate::vm::run::{self, Finished, Run};
use crate::vm::{cmdline, console};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// How much of the log is shown when a guest dies.
const LOG_LINES: usize = 40;

/// Runs the command and returns the status that xtask ends with.
pub fn exec(workspace: &Workspace, args: &ExecArgs) -> Result<i32> {
    let image = archive::build(workspace, &args.machine.config)?;
    let dir = Scratch::new(workspace)?;
    let mut words = vec![format!("ochre.log={}", args.machine.log)];
    if !args.command.is_empty() {
        words.push(cmdline::run_word(&args.command));
    }
    let boot = boot(&image, &args.machine, args.put.as_deref(), &words.join(" "), &dir.0)?;
    let machine = args.machine.machine(boot);
    let how = Run { dir: &dir.0, timeout: args.timeout, show_console: args.console };
    let finished = run::run(&machine, &how, std::io::stdout())?;
    let log_file = workspace.target_dir("vm")?.join("serial.log");
    std::fs::copy(&finished.log_file, &log_file)?;
    let mut symboliser = Symboliser::new(&image.kernel, &image.programs);
    if let Some(put) = &args.put {
        symboliser.add_put(put);
    }
    report(&finished, &mut symboliser, &log_file, args.console);
    Ok(finished.outcome.exit_code())
}

/// Prepares the boot of an image: the module with the put folder, and the ISO if one is asked for.
pub fn boot(
    image: &Image,
    args: &MachineArgs,
    put: Option<&Path>,
    cmdline: &str,
    dir: &Path,
) -> Result<Boot> {
    let module = match put {
        Some(put) => {
            let module = dir.join("module.cpio");
            archive::with_put(&image.module, put, &module)?;
            module
        }
        None => image.module.clone(),
    };
    match args.iso {
        None => Ok(Boot::Direct { kernel: image.kernel.clone(), module, cmdline: cmdline.to_owned() }),
        Some(firmware) => make_iso(image, &module, cmdline, dir, firmware),
    }
}

fn make_iso(image: &Image, module: &Path, cmdline: &str, dir: &Path, firmware: Firmware) -> Result<Boot> {
    let path = dir.join("ochre.iso");
    iso::make(image, module, cmdline, &dir.join("iso"), &path)?;
    Ok(Boot::Iso { iso: path, firmware })
}

/// Says why there is no exit status of the command's, if there is none.
fn report(finished: &Finished, symboliser: &mut Symboliser, log_file: &Path, shown: bool) {
    let reason = match &finished.outcome {
        Outcome::Exited(status) => {
            // Lines of programs that crashed help whoever wonders about the status.
            if *status != 0 && !shown {
                eprint!("{}", crashes(&symboliser.annotate(&finished.log)));
            }
            return;
        }
        Outcome::TimedOut => format!("the guest was still running after {:.0} s", finished.elapsed.as_secs_f64()),
        Outcome::Died(reason) => format!("the guest died: {reason}"),
    };
    note(&reason);
    note(format!("the last lines of its serial log ({}):", log_file.display()));
    eprintln!("{}", symboliser.annotate(&console::tail(&finished.log, LOG_LINES)));
    for (cpu, addr) in finished.stuck_at.iter().enumerate() {
        let name = symboliser.kernel_name(*addr).map_or_else(String::new, |name| format!("  [{name}]"));
        eprintln!("CPU {cpu} was at {addr:#x}{name}");
    }
}

/// The lines about processes that died: each such line and the indented ones after it.
fn crashes(log: &str) -> String {
    let mut inside = false;
    let mut out = String::new();
    for line in log.lines() {
        inside = line.contains(" killed by SIG") || (inside && line.starts_with("  "));
        if inside {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// A folder for one machine's files, removed with it.
pub struct Scratch(pub PathBuf);

impl Scratch {
    /// Makes a new folder below target/vm.
    pub fn new(workspace: &Workspace) -> Result<Scratch> {
        let dir = workspace.target_dir("vm")?.join(std::process::id().to_string());
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Scratch(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is only disk space, and the next person's business.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_the_lines_about_crashes() {
        let log = "boot\nprocess 3 (/bin/x) killed by SIGSEGV at 0x0\n  at /bin/x+0x1\n  at /bin/x+0x2\nafter\n";
        assert_eq!(
            crashes(log),
            "process 3 (/bin/x) killed by SIGSEGV at 0x0\n  at /bin/x+0x1\n  at /bin/x+0x2\n"
        );
    }
}
