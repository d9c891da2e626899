//! The virtual machine's description, and the QEMU command line that makes it.

use crate::host::{self, Need};
use crate::process;
use anyhow::{Context, Result};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How the kernel gets into memory.
#[derive(Clone, Debug)]
pub enum Boot {
    /// QEMU loads it, by PVH: quick. Also how Linux is booted.
    Direct {
        /// The kernel's file.
        kernel: PathBuf,
        /// The boot module.
        module: PathBuf,
        /// The command line.
        cmdline: String,
    },
    /// GRUB loads it from an ISO.
    Iso {
        /// The ISO.
        iso: PathBuf,
        /// The machine's firmware.
        firmware: Firmware,
    },
}

/// The machine's firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Firmware {
    /// SeaBIOS.
    Bios,
    /// OVMF.
    Uefi,
}

/// A virtual machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// How it boots.
    pub boot: Boot,
    /// The number of CPUs.
    pub smp: u32,
    /// The memory's size as QEMU reads it, for example `512M`.
    pub mem: String,
    /// The CPU model; QEMU's `max` if none is given.
    pub cpu: Option<String>,
    /// Whether guest time is counted in instructions, one a nanosecond.
    pub icount: bool,
    /// Whether it waits for a debugger on port 1234.
    pub debugger: bool,
    /// Its disks, virtio block devices.
    pub disks: Vec<Disk>,
}

/// A disk of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The file that holds it, byte for byte.
    pub file: PathBuf,
    /// The machine cannot write to it.
    pub read_only: bool,
}

impl std::str::FromStr for Disk {
    type Err = std::convert::Infallible;

    /// `FILE` or `FILE,ro`.
    fn from_str(text: &str) -> Result<Disk, Self::Err> {
        let file = text.strip_suffix(",ro");
        Ok(Disk { file: file.unwrap_or(text).into(), read_only: file.is_some() })
    }
}

/// The port that ends the machine: what is written there becomes QEMU's exit status, `(value << 1) | 1`.
const EXIT_DEVICE: &str = "isa-debug-exit,iobase=0xf4,iosize=4";

impl Machine {
    /// The host packages that this machine needs.
    pub fn needs(&self) -> Vec<&'static [Need]> {
        let mut needs = vec![host::QEMU];
        if let Boot::Iso { firmware: Firmware::Uefi, .. } = self.boot {
            needs.push(host::UEFI);
        }
        needs
    }

    /// QEMU with everything but the serial ports. `dir` is a folder for what the machine writes.
    pub fn qemu(&self, dir: &Path) -> Result<Command> {
        // A machine must not outlive whoever waits for it, even one that is killed.
        let mut command = process::command("setpriv");
        command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        command.args(["-machine", "q35", "-nodefaults", "-display", "none", "-no-reboot"]);
        command.args(["-device", EXIT_DEVICE, "-smp", &self.smp.to_string(), "-m", &self.mem]);
        let kvm = !self.icount && kvm_works();
        command.args(["-cpu", self.cpu.as_deref().unwrap_or(if kvm { "host" } else { "max" })]);
        if self.icount {
            command.args(["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"]);
        } else if kvm {
            command.args(["-accel", "kvm"]);
        } else {
            command.args(["-accel", "tcg,thread=multi"]);
        }
        if self.debugger {
            command.args(["-s", "-S"]);
        }
        for (n, disk) in self.disks.iter().enumerate() {
            let read_only = if disk.read_only { "on" } else { "off" };
            let prefix = format!("if=none,id=disk{n},format=raw,discard=unmap,readonly={read_only},file=");
            command.arg("-drive").arg(option(&prefix, &disk.file)?);
            command.arg("-device").arg(format!("virtio-blk-pci,drive=disk{n},serial=ochre-{n},disable-legacy=on"));
        }
        match &self.boot {
            Boot::Direct { kernel, module, cmdline } => {
                command.arg("-kernel").arg(kernel).arg("-initrd").arg(module).args(["-append", cmdline]);
            }
            Boot::Iso { iso, firmware } => {
                // A display adapter, for the framebuffer that the firmware hands on.
                command.args(["-device", "VGA", "-device", "ide-cd,drive=cd,bootindex=0", "-drive"]);
                command.arg(option("if=none,id=cd,media=cdrom,format=raw,readonly=on,file=", iso)?);
                if *firmware == Firmware::Uefi {
                    // The firmware's variables, which it wants to write to, are the machine's own.
                    let variables = dir.join("ovmf-variables.fd");
                    std::fs::copy("/usr/share/OVMF/OVMF_VARS_4M.fd", &variables)
                        .with_context(|| format!("cannot write {}", variables.display()))?;
                    command.args(["-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd"]);
                    command.arg("-drive").arg(option("if=pflash,format=raw,file=", &variables)?);
                }
            }
        }
        Ok(command)
    }
}

/// An option of QEMU's that ends in a file name: commas in it are doubled.
pub fn option(prefix: &str, path: &Path) -> Result<String> {
    let path = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
    Ok(format!("{prefix}{}", path.replace(',', ",,")))
}

/// Whether KVM can run a guest. The device alone does not show that: a container may have it on a machine without
/// hardware virtualisation.
fn kvm_works() -> bool {
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let virtualised = flags.split_whitespace().any(|flag| flag == "vmx" || flag == "svm");
    virtualised && OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok()
}
