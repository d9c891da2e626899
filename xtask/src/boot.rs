//! From a built image to something that a machine can boot.

use crate::image::archive::{self, Image};
use crate::image::iso;
use crate::vm::machine::{Boot, Firmware};
use anyhow::Result;
use std::path::Path;

/// Prepares the boot of an image: the module with the folder for /mnt/put, and the ISO if there is to be one. What that
/// makes goes into `dir`.
pub fn prepare(image: &Image, iso: Option<Firmware>, put: Option<&Path>, cmdline: &str, dir: &Path) -> Result<Boot> {
    let module = match put {
        Some(put) => {
            let module = dir.join("module.cpio");
            archive::with_put(&image.module, put, &module)?;
            module
        }
        None => image.module.clone(),
    };
    let Some(firmware) = iso else {
        return Ok(Boot::Direct { kernel: image.kernel.clone(), module, cmdline: cmdline.to_owned() });
    };
    let path = dir.join("ochre.iso");
    iso::make(image, &module, cmdline, &dir.join("iso"), &path)?;
    Ok(Boot::Iso { iso: path, firmware })
}
