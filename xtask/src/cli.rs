//! The command line.

use crate::vm::machine::{Boot, Firmware, Machine};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Builds, boots, tests and measures Ochre.
///
/// Each command finds or installs what it needs on the host (as root; otherwise it prints the apt-get command), builds
/// what has changed, and keeps everything it makes below target/.
///
/// Start with `cargo xtask exec -- /bin/stdcheck`.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Boot a virtual machine, run one command in it, and end with its exit status.
    Exec(ExecArgs),
}

/// The options that describe a virtual machine.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "The virtual machine")]
pub struct MachineArgs {
    /// The image: a file distro/config/NAME.toml.
    #[arg(long, value_name = "NAME", default_value = "base")]
    pub config: String,
    /// The number of CPUs.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub smp: u32,
    /// The memory, as QEMU reads it.
    #[arg(long, value_name = "SIZE", default_value = "512M")]
    pub mem: String,
    /// The CPU, one of QEMU's models; the most able one if not given.
    #[arg(long, value_name = "MODEL")]
    pub cpu: Option<String>,
    /// Count time in instructions, one a nanosecond: slower, but figures repeat exactly. Never uses KVM.
    #[arg(long)]
    pub icount: bool,
    /// Boot from an ISO with GRUB under this firmware, instead of letting QEMU load the kernel.
    #[arg(long, value_name = "FIRMWARE")]
    pub iso: Option<Firmware>,
    /// How much the kernel logs: debug, info or warn.
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = ["debug", "info", "warn"])]
    pub log: String,
}

impl MachineArgs {
    /// The machine with these options that boots so.
    pub fn machine(&self, boot: Boot) -> Machine {
        Machine {
            boot,
            smp: self.smp,
            mem: self.mem.clone(),
            cpu: self.cpu.clone(),
            icount: self.icount,
            debugger: false,
        }
    }
}

/// Boot a virtual machine, run one command in it, and end with its exit status.
///
/// Standard output is what the command writes, as it comes; everything else goes to standard error. The command's
/// standard input is empty. Exit statuses of our own: 124 when the time was up, 125 when the guest died; then the end of
/// its serial log is shown, and where the whole is.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// How the machine is made.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// Make this folder of the host visible in the guest, as a copy, at /mnt/put.
    #[arg(long, value_name = "DIR")]
    pub put: Option<PathBuf>,
    /// End the machine after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub timeout: Duration,
    /// Show the kernel's log on standard error while the machine runs.
    #[arg(long)]
    pub console: bool,
    /// The command and its arguments. Without one, the system is only booted.
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn command_keeps_its_own_options() {
        let cli = Cli::try_parse_from(["xtask", "exec", "--smp", "4", "--", "/bin/ls", "--smp", "-l"]).unwrap();
        let Command::Exec(args) = cli.command;
        assert_eq!(args.machine.smp, 4);
        assert_eq!(args.command, ["/bin/ls", "--smp", "-l"]);
    }
}
