//! The hybrid ISO: GRUB from CD or USB stick, under BIOS and UEFI, which loads the kernel by multiboot2.

use super::archive::Image;
use crate::host;
use crate::process;
use crate::progress::Step;
use anyhow::{Context, Result};
use std::path::Path;

/// What GRUB prints last. Before it, OVMF's console, which is GRUB's as well, writes to every serial port.
pub const FIRMWARE_ENDS: &str = "=== the output of the firmware ends here ===";

/// Makes the ISO `out` that boots the image with the given kernel command line. `work` is a folder for the tree that
/// goes onto it.
pub fn make(image: &Image, module: &Path, cmdline: &str, work: &Path, out: &Path) -> Result<()> {
    host::ensure(&[host::ISO])?;
    let _step = Step::start("making the ISO");
    let grub = work.join("boot/grub");
    std::fs::create_dir_all(&grub).with_context(|| format!("cannot make {}", grub.display()))?;
    link(&image.kernel, &work.join("boot/ochre"))?;
    link(module, &work.join("boot/initial.cpio"))?;
    std::fs::write(grub.join("grub.cfg"), menu(cmdline))?;
    let mut command = process::command("grub-mkrescue");
    process::output(command.arg("-o").arg(out).arg(work).args(["--", "-volid", "OCHRE"]))?;
    Ok(())
}

/// GRUB's configuration. UEFI's console is on the serial ports already; BIOS's is not. The framebuffer that GRUB sets up is handed to the kernel.
fn menu(cmdline: &str) -> String {
    format!(
        "if [ $grub_platform = pc ]; then\n\
         \tserial --unit=0 --speed=115200\n\
         \tterminal_input console serial\n\
         \tterminal_output console serial\n\
         fi\n\
         insmod all_video\n\
         set timeout=0\n\
         menuentry Ochre {{\n\
         \tset gfxpayload=keep\n\
         \tmultiboot2 /boot/ochre {cmdline}\n\
         \tmodule2 /boot/initial.cpio initial\n\
         \techo {FIRMWARE_ENDS}\n\
         }}\n"
    )
}

/// Puts a file into the tree without copying it, where the file system can.
fn link(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_file(to)?;
    }
    if std::fs::hard_link(from, to).is_err() {
        std::fs::copy(from, to).with_context(|| format!("cannot write {}", to.display()))?;
    }
    Ok(())
}
