//! The command line.

use crate::boot::{Medium, Start};
use crate::build::kernel::Kernel;
use crate::vm::cmdline;
use crate::vm::machine::{Disk, Firmware, Machine};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Builds, boots, tests and measures Ochre.
///
/// Each command finds or installs what it needs on the host (as root; otherwise it prints the apt-get command), builds
/// what has changed, and keeps everything it makes below target/.
///
/// A first try:  cargo xtask exec -- /bin/stdcheck
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100, verbatim_doc_comment)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build everything and boot it with the console on this terminal
    ///
    /// The guest's serial console is connected to the terminal; Ctrl-A X ends the machine, Ctrl-A H tells more keys.
    /// There is no desktop yet: it comes with a later version, in a window of its own.
    Run(RunArgs),
    /// Boot a virtual machine, run one command in it, and end with its exit status
    ///
    /// Standard output is what the command writes, as it comes; everything else goes to standard error. The command's
    /// standard input is empty. Exit statuses of our own: 124 when the time was up, 125 when the guest died; then the
    /// end of its serial log is shown, and where the whole is.
    ///
    /// Examples:
    ///
    ///     cargo xtask exec -- /bin/stdcheck
    ///     cargo xtask exec --smp 4 --iso uefi -- /bin/stdcheck
    ///     cargo xtask exec --put ./mine -- /mnt/put/program an-argument
    #[command(verbatim_doc_comment)]
    Exec(ExecArgs),
    /// Run all tests: of the crates on this host, and of the system in virtual machines
    ///
    /// A system test is a table in tests/system/*.toml. Its log is kept in target/test-logs.
    Test(TestArgs),
    /// Count which names of the C library are exported, implemented and tested
    ///
    /// Prints the sums and what is open, and writes every name to target/coverage.tsv.
    Coverage(CoverageArgs),
    /// Measure Ochre beside Debian's Linux kernel, in the same virtual machine
    ///
    /// Both run the same binary, /bin/bench, one after the other, while QEMU counts guest time in instructions: then a
    /// nanosecond is one instruction, and figures repeat exactly. Prints both figures of each row and their ratio; below
    /// 1.00 Ochre needs less. Behind them stands what else Ochre counted per operation.
    Bench(BenchArgs),
    /// Fetch the Debian packages of a system, so that it can be built without a network
    Fetch(FetchArgs),
    /// Make a disk's image that boots under BIOS and UEFI
    ///
    /// The root file system is a partition with the room that the config says; what is written there stays. Write the image to a disk as
    /// it is.
    Image(MediumArgs),
    /// Make an ISO for CD or USB stick that boots under BIOS and UEFI
    ///
    /// A live system: it reads its root file system from the medium, and keeps changes in memory. With a config that has no root file
    /// system, such as `base`, everything is loaded into memory.
    Iso(MediumArgs),
    /// Boot a machine that waits for gdb, and start gdb on the kernel
    ///
    /// The machine's log goes to target/vm/gdb/serial.log. Quitting gdb ends the machine.
    Gdb(GdbArgs),
    /// Put function, source file and line behind the addresses in a guest's log
    Symbolise(SymboliseArgs),
}

/// The options that describe a virtual machine.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "The virtual machine")]
pub struct MachineArgs {
    /// The image: a file distro/config/NAME.toml
    #[arg(long, value_name = "NAME", default_value = "base")]
    pub config: String,
    /// The number of CPUs
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub smp: u32,
    /// The memory, as QEMU reads it
    #[arg(long, value_name = "SIZE", default_value = "512M")]
    pub mem: String,
    /// The CPU, one of QEMU's models; the most able one if not given
    #[arg(long, value_name = "MODEL")]
    pub cpu: Option<String>,
    /// Count time in instructions, one a nanosecond: slower, but figures repeat exactly. Never uses KVM
    #[arg(long)]
    pub icount: bool,
    /// Boot from an ISO with GRUB under this firmware, instead of letting QEMU load the kernel
    #[arg(long, value_name = "FIRMWARE")]
    pub iso: Option<Firmware>,
    /// Boot with a root file system on this medium, instead of with all files in memory. What the machine writes there is forgotten
    #[arg(long, value_name = "MEDIUM", conflicts_with_all = ["iso", "kernel"])]
    pub root: Option<Medium>,
    /// With --root: BIOS and GRUB boot from the medium, instead of QEMU loading the kernel
    #[arg(long, requires = "root", conflicts_with = "uefi")]
    pub bios: bool,
    /// The same with UEFI
    #[arg(long, requires = "root")]
    pub uefi: bool,
    /// Boot a kernel that tries the hardware layer instead of Ochre's: an example in kernel/hal/examples
    #[arg(long, value_name = "EXAMPLE")]
    pub kernel: Option<String>,
    /// Attach a file as a disk, a virtio block device; with `,sata` a SATA disk, with `,cd` a CD, with `,ro` one that cannot be
    /// written to. May be given again
    #[arg(long, value_name = "FILE[,ro][,sata|,cd]")]
    pub disk: Vec<Disk>,
    /// Further words for the kernel's command line
    #[arg(long, value_name = "WORDS")]
    pub append: Option<String>,
    /// How much the kernel logs
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = ["debug", "info", "warn"])]
    pub log: String,
}

impl MachineArgs {
    /// The kernel to build.
    pub fn kernel(&self) -> Kernel {
        self.kernel.clone().map_or(Kernel::Ochre, Kernel::Example)
    }

    /// The firmware that boots from the root file system's medium.
    pub fn firmware(&self) -> Option<Firmware> {
        match (self.bios, self.uefi) {
            (true, _) => Some(Firmware::Bios),
            (_, true) => Some(Firmware::Uefi),
            _ => None,
        }
    }

    /// The kernel's command line.
    pub fn cmdline(&self, command: &[String]) -> String {
        cmdline::line(&self.log, self.append.as_deref(), command)
    }

    /// The machine with these options that starts so.
    pub fn machine(&self, start: Start) -> Machine {
        let mut disks = start.disks;
        disks.extend_from_slice(&self.disk);
        Machine {
            boot: start.boot,
            smp: self.smp,
            mem: self.mem.clone(),
            cpu: self.cpu.clone(),
            icount: self.icount,
            debugger: false,
            disks,
        }
    }
}

/// `run`.
#[derive(Debug, Args)]
#[command(mut_arg("config", |arg| arg.default_value("minimal")), mut_arg("mem", |arg| arg.default_value("1G")))]
pub struct RunArgs {
    /// How the machine is made.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// Make this folder of the host visible in the guest, as a copy, at /mnt/put
    #[arg(long, value_name = "DIR")]
    pub put: Option<PathBuf>,
}

/// `exec`.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// How the machine is made.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// Make this folder of the host visible in the guest, as a copy, at /mnt/put
    #[arg(long, value_name = "DIR")]
    pub put: Option<PathBuf>,
    /// End the machine after so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub timeout: Duration,
    /// Show the kernel's log on standard error while the machine runs
    #[arg(long)]
    pub console: bool,
    /// Run the same command on Debian's Linux kernel and C library, in the same virtual machine
    ///
    /// Our own programs only; with --root, whatever the medium, all of the image's files, on ext4 on a virtio disk, with Debian's udev.
    #[arg(long, conflicts_with_all = ["iso", "bios", "uefi"])]
    pub linux: bool,
    /// With --linux: use our C library, over Linux's system calls, instead of Debian's
    #[arg(long, requires = "linux")]
    pub relibc: bool,
    /// Run the command on this host's own kernel instead, among the image's files, with this C library: takes no machine,
    /// and starts at once
    #[arg(long, value_name = "LIBRARY", conflicts_with_all = ["iso", "linux", "icount", "kernel"], requires = "command")]
    pub native: Option<NativeLibrary>,
    /// The command and its arguments. Without one, the system is only booted
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// A C library that programs can use on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum NativeLibrary {
    /// Debian's.
    Glibc,
    /// Ours, over Linux's system calls.
    Relibc,
}

/// `test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Also run what takes long
    #[arg(long)]
    pub long: bool,
    /// Run only tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// The seed of tests that choose at random; another one each time if not given
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Run only the tests of this kind
    #[arg(long, value_name = "KIND")]
    pub only: Option<TestKind>,
}

/// Where tests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TestKind {
    /// The crates' unit tests, on this host.
    Host,
    /// The system tests, in virtual machines.
    System,
}

/// `coverage`.
#[derive(Debug, Args)]
pub struct CoverageArgs {
    /// Write the sums into relibc/README.md
    #[arg(long)]
    pub update: bool,
}

/// `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// The group of measurements: `ipc`, `os`, or `fs`, which measures a file system on a disk beside ext4, on one CPU
    pub name: String,
    /// Only these rows of it; `bench list` in the guest tells all
    #[arg(value_name = "ROW")]
    pub rows: Vec<String>,
    /// The image that holds /bin/bench
    #[arg(long, value_name = "NAME", default_value = "base")]
    pub config: String,
    /// The number of CPUs
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub smp: u32,
    /// Measure only Ochre
    #[arg(long)]
    pub only_ochre: bool,
    /// End each of the two machines after so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = seconds)]
    pub timeout: Duration,
}

/// `fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// The system: a file distro/config/NAME.toml
    #[arg(long, value_name = "NAME", default_value = "minimal")]
    pub config: String,
}

/// `image` and `iso`.
#[derive(Debug, Args)]
pub struct MediumArgs {
    /// The system: a file distro/config/NAME.toml
    #[arg(long, value_name = "NAME", default_value = "minimal")]
    pub config: String,
    /// Where to put it; target/ochre-NAME.img or target/ochre-NAME.iso if not given
    #[arg(value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `gdb`.
#[derive(Debug, Args)]
pub struct GdbArgs {
    /// How the machine is made.
    #[command(flatten)]
    pub machine: MachineArgs,
    /// Only start the machine, and print how to connect a debugger
    #[arg(long)]
    pub wait: bool,
    /// The command that the guest runs
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<String>,
}

/// `symbolise`.
#[derive(Debug, Args)]
pub struct SymboliseArgs {
    /// The log: a file, or `-` for standard input
    pub log: PathBuf,
    /// The image that the guest ran
    #[arg(long, value_name = "NAME", default_value = "base")]
    pub config: String,
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
        let Command::Exec(args) = cli.command else { panic!("not exec") };
        assert_eq!(args.machine.smp, 4);
        assert_eq!(args.command, ["/bin/ls", "--smp", "-l"]);
    }
}
