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
    /// GRUB loads it, from the disk or CD that says `boot`.
    Grub(Firmware),
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
    /// Its disks and CDs.
    pub disks: Vec<Disk>,
}

/// A disk or CD of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The file that holds it, byte for byte.
    pub file: PathBuf,
    /// What it hangs on.
    pub bus: Bus,
    /// The machine cannot write to it.
    pub read_only: bool,
    /// What the machine writes is forgotten at its end.
    pub snapshot: bool,
    /// A file that tells QEMU's blkdebug which sectors are bad.
    pub faults: Option<PathBuf>,
    /// The firmware boots from it.
    pub boot: bool,
}

/// What a disk hangs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bus {
    /// A PCI function of its own, by virtio.
    #[default]
    Virtio,
    /// The machine's AHCI controller.
    Sata,
    /// The same, as a CD-ROM drive, which nobody can write to.
    Cd,
}

impl Disk {
    /// A disk that nobody boots from.
    pub fn new(file: impl Into<PathBuf>, bus: Bus) -> Disk {
        Disk { file: file.into(), bus, read_only: bus == Bus::Cd, snapshot: false, faults: None, boot: false }
    }
}

impl std::str::FromStr for Disk {
    type Err = std::convert::Infallible;

    /// `FILE`, with any of `,ro`, `,sata` and `,cd` behind it.
    fn from_str(text: &str) -> Result<Disk, Self::Err> {
        let (mut file, mut bus, mut read_only) = (text, Bus::Virtio, false);
        while let Some((rest, word)) = file.rsplit_once(',') {
            match word {
                "ro" => read_only = true,
                "sata" => bus = Bus::Sata,
                "cd" => bus = Bus::Cd,
                _ => break,
            }
            file = rest;
        }
        let disk = Disk::new(file, bus);
        Ok(Disk { read_only: read_only || disk.read_only, ..disk })
    }
}

/// The port that ends the machine: what is written there becomes QEMU's exit status, `(value << 1) | 1`.
const EXIT_DEVICE: &str = "isa-debug-exit,iobase=0xf4,iosize=4";

impl Machine {
    /// The host packages that this machine needs.
    pub fn needs(&self) -> Vec<&'static [Need]> {
        let mut needs = vec![host::QEMU];
        if let Boot::Grub(Firmware::Uefi) = self.boot {
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
            let port = self.disks.iter().take(n).filter(|disk| disk.bus != Bus::Virtio).count();
            attach(&mut command, n, disk, port)?;
        }
        match &self.boot {
            Boot::Direct { kernel, module, cmdline } => {
                command.arg("-kernel").arg(kernel).arg("-initrd").arg(module).args(["-append", cmdline]);
            }
            Boot::Grub(firmware) => {
                // A display adapter, for the framebuffer that the firmware hands on.
                command.args(["-device", "VGA"]);
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

/// Adds the options of disk number `n`, which has this port of the AHCI controller if it is not a virtio disk.
fn attach(command: &mut Command, n: usize, disk: &Disk, port: usize) -> Result<()> {
    let on = |yes: bool| if yes { "on" } else { "off" };
    let media = if disk.bus == Bus::Cd { "media=cdrom," } else { "discard=unmap," };
    let (read_only, snapshot) = (on(disk.read_only), on(disk.snapshot));
    let prefix = format!("if=none,id=disk{n},format=raw,{media}readonly={read_only},snapshot={snapshot},file=");
    let prefix = match &disk.faults {
        Some(faults) => option(&format!("{prefix}blkdebug:"), faults)? + ":",
        None => prefix,
    };
    command.arg("-drive").arg(option(&prefix, &disk.file)?);
    let mut device = match disk.bus {
        Bus::Virtio => format!("virtio-blk-pci,drive=disk{n},serial=ochre-{n},disable-legacy=on"),
        // q35 has an AHCI controller with six ports, which are buses of QEMU's.
        Bus::Sata => format!("ide-hd,bus=ide.{port},drive=disk{n},serial=ochre-{n}"),
        Bus::Cd => format!("ide-cd,bus=ide.{port},drive=disk{n},serial=ochre-{n}"),
    };
    if disk.boot {
        device.push_str(",bootindex=0");
    }
    command.arg("-device").arg(device);
    Ok(())
}

/// An option of QEMU's that ends in a file name: commas in it are doubled.
pub fn option(prefix: &str, path: &Path) -> Result<String> {
    Ok(format!("{prefix}{}", text(path)?.replace(',', ",,")))
}

/// A path for a command line that is put together from text.
pub fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

/// Whether KVM can run a guest. The device alone does not show that: a container may have it on a machine without
/// hardware virtualisation.
fn kvm_works() -> bool {
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let virtualised = flags.split_whitespace().any(|flag| flag == "vmx" || flag == "svm");
    virtualised && OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_disks() {
        let disk = |text: &str| text.parse::<Disk>().unwrap();
        assert_eq!(disk("a,b"), Disk::new("a,b", Bus::Virtio));
        assert_eq!(disk("a.img,sata"), Disk::new("a.img", Bus::Sata));
        assert_eq!(disk("a.iso,cd"), Disk { read_only: true, ..Disk::new("a.iso", Bus::Cd) });
        for text in ["a,ro,sata", "a,sata,ro"] {
            assert_eq!(disk(text), Disk { read_only: true, ..Disk::new("a", Bus::Sata) });
        }
    }
}
