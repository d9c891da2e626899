//! From a built image to something that a machine can boot.

use crate::image::archive::{self, Image};
use crate::image::iso;
use crate::vm::cmdline;
use crate::vm::machine::{Boot, Firmware};
use anyhow::Result;
use std::path::Path;

/// The kernel's command line for a log level and a command, which may be empty.
pub fn cmdline(log: &str, command: &[String]) -> String {
    let mut line = format!("ochre.log={log}");
    if !command.is_empty() {
        line.push(' ');
        line.push_str(&cmdline::run_word(command));
    }
    line
}

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
