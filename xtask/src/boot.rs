//! From a built image to something that a machine can boot.

use crate::image::archive::{self, Image};
use crate::image::iso;
use crate::vm::machine::{Boot, Bus, Disk, Firmware};
use anyhow::Result;
use std::path::Path;

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

/// Prepares the boot of an image: the module with the folder for /mnt/put, and the ISO if there is to be one. What that
/// makes goes into `dir`.
pub fn prepare(image: &Image, iso: Option<Firmware>, put: Option<&Path>, cmdline: &str, dir: &Path) -> Result<Start> {
    let module = match put {
        Some(put) => {
            let module = dir.join("module.cpio");
            archive::with_put(&image.module, put, &module)?;
            module
        }
        None => image.module.clone(),
    };
    let Some(firmware) = iso else {
        return Ok(Boot::Direct { kernel: image.kernel.clone(), module, cmdline: cmdline.to_owned() }.into());
    };
    let path = dir.join("ochre.iso");
    iso::make(image, &module, cmdline, &dir.join("iso"), &path)?;
    let cd = Disk { boot: true, ..Disk::new(path, Bus::Cd) };
    Ok(Start { boot: Boot::Grub(firmware), disks: vec![cd] })
}
