//! From a built image to something that a machine can boot.

use crate::build::kernel::Kernel;
use crate::build::stamp::Stamp;
use crate::image::archive::{self, Image};
use crate::image::media::{Contents, Kind};
use crate::image::programs;
use crate::image::system::{self, System};
use crate::scratch::Scratch;
use crate::vm::cmdline;
use crate::vm::machine::{Boot, Bus, Disk, Firmware};
use crate::workspace::Workspace;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// How a machine starts: the way the kernel gets into its memory, and the disks and CDs that belong to that.
pub struct Start {
    /// The way.
    pub boot: Boot,
    /// The disks and CDs.
    pub disks: Vec<Disk>,
}

impl From<Boot> for Start {
    fn from(boot: Boot) -> Start {
        Start { boot, disks: vec![] }
    }
}

/// Where a machine has its root file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Medium {
    /// The disk's image, as a virtio block device.
    Virtio,
    /// The disk's image, as a SATA disk.
    Sata,
    /// The ISO, in a CD-ROM drive.
    Cd,
    /// The ISO as on a USB stick: as a disk (of the SATA controller).
    Usb,
}

impl Medium {
    fn kind(self) -> Kind {
        match self {
            Medium::Virtio | Medium::Sata => Kind::Disk,
            Medium::Cd | Medium::Usb => Kind::Iso,
        }
    }

    fn bus(self) -> Bus {
        match self {
            Medium::Virtio => Bus::Virtio,
            Medium::Sata | Medium::Usb => Bus::Sata,
            Medium::Cd => Bus::Cd,
        }
    }
}

/// Prepares the boot of an image: the module with the folder for /mnt/put, and the ISO if there is to be one. What that
/// makes goes into `dir`.
pub fn prepare(image: &Image, iso: Option<Firmware>, put: Option<&Path>, cmdline: &str, dir: &Path) -> Result<Start> {
    let module = module(image, put, dir)?;
    let Some(firmware) = iso else {
        return Ok(Boot::Direct { kernel: image.kernel.clone(), module, cmdline: cmdline.to_owned() }.into());
    };
    let path = dir.join("ochre.iso");
    let contents = Contents { kernel: &image.kernel, module: &module, root: None, cmdline, time: 0 };
    Kind::Iso.make(&contents, &dir.join("iso"), &path)?;
    let cd = Disk { boot: true, ..Disk::new(path, Bus::Cd) };
    Ok(Start { boot: Boot::Grub(firmware), disks: vec![cd] })
}

/// The image's boot module, with the folder for /mnt/put if there is one.
fn module(image: &Image, put: Option<&Path>, dir: &Path) -> Result<PathBuf> {
    let Some(put) = put else { return Ok(image.module.clone()) };
    let module = dir.join("module.cpio");
    archive::with_put(&image.module, put, &module)?;
    Ok(module)
}

/// A system to be booted, and how.
pub struct FromMedium<'a> {
    /// The system's config.
    pub name: &'a str,
    /// What was built of it.
    pub system: &'a System,
    /// Where its root file system is.
    pub medium: Medium,
    /// What boots from there; without it, QEMU loads the kernel.
    pub firmware: Option<Firmware>,
    /// The folder for /mnt/put.
    pub put: Option<&'a Path>,
    /// The kernel's command line, without the word `root=`.
    pub cmdline: &'a str,
}

impl FromMedium<'_> {
    /// Prepares the boot. What belongs to this machine alone goes into `dir`. What the machine writes to its root is forgotten.
    pub fn prepare(&self, workspace: &Workspace, dir: &Path) -> Result<Start> {
        let FromMedium { system, medium, firmware, cmdline, .. } = *self;
        let kind = medium.kind();
        let module = module(&system.image, self.put, dir)?;
        let own = (firmware.is_some() && cmdline != usual_cmdline()) || (firmware.is_some() && self.put.is_some());
        let file = if own {
            let file = dir.join(format!("ochre.{}", kind.extension()));
            kind.make(&contents(system, &module, cmdline), &dir.join("medium"), &file)?;
            file
        } else {
            let file = workspace.target_dir("image")?.join(format!("{}.{}", self.name, kind.extension()));
            fresh(kind, system, &file, &dir.join("medium"))?;
            file
        };
        let disk =
            Disk { boot: firmware.is_some(), snapshot: medium.bus() != Bus::Cd, ..Disk::new(file, medium.bus()) };
        let boot = match firmware {
            Some(firmware) => Boot::Grub(firmware),
            None => Boot::Direct {
                kernel: system.image.kernel.clone(),
                module,
                cmdline: format!("{cmdline} {}", kind.root_words(&system.root)),
            },
        };
        Ok(Start { boot, disks: vec![disk] })
    }
}

/// What the kernel is told on a medium that a person gets.
fn usual_cmdline() -> String {
    cmdline::line("info", None, &[])
}

fn contents<'a>(system: &'a System, module: &'a Path, cmdline: &'a str) -> Contents<'a> {
    Contents { kernel: &system.image.kernel, module, root: Some(&system.root), cmdline, time: system.time }
}

/// Makes a medium as a person gets it, unless it was made from the same.
fn fresh(kind: Kind, system: &System, file: &Path, work: &Path) -> Result<()> {
    // Two machines may want the same.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut stamp = Stamp::new(file);
    for input in [&system.image.kernel, &system.image.module, &system.root.file] {
        stamp.file(input)?;
    }
    if !stamp.is_fresh() {
        kind.make(&contents(system, &system.image.module, &usual_cmdline()), work, file)?;
        stamp.save()?;
    }
    Ok(())
}

/// Makes the medium `output` with the config `name`.
pub fn medium(workspace: &Workspace, kind: Kind, name: &str, output: &Path) -> Result<()> {
    let cmdline = usual_cmdline();
    let scratch = Scratch::new(workspace)?;
    if programs::config(workspace, name)?.root_free.is_some() {
        let system = system::build(workspace, name)?;
        return kind.make(&contents(&system, &system.image.module, &cmdline), scratch.path(), output);
    }
    let Image { kernel, module, .. } = archive::build(workspace, name, &Kernel::Ochre)?;
    kind.make(
        &Contents { kernel: &kernel, module: &module, root: None, cmdline: &cmdline, time: 0 },
        scratch.path(),
        output,
    )
}
