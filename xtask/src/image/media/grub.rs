//! GRUB's own files: core images and the menu.

use crate::process;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// What GRUB prints last. Before it, OVMF's console, which is GRUB's as well, writes to every serial port.
pub const FIRMWARE_ENDS: &str = "=== the output of the firmware ends here ===";

/// Where Debian's packages keep GRUB's parts for BIOS.
pub const PC: &str = "/usr/lib/grub/i386-pc";

/// The paths of kernel and boot module on a medium.
pub const KERNEL: &str = "boot/ochre";
pub const MODULE: &str = "boot/initfs.cpio";
/// The path of the menu.
pub const MENU: &str = "boot/grub/grub.cfg";

/// What every core image needs; the rest is a platform's.
const MODULES: &[&str] = &[
    "all_video",
    "configfile",
    "echo",
    "fat",
    "iso9660",
    "multiboot2",
    "normal",
    "part_gpt",
    "part_msdos",
    "search",
    "search_fs_uuid",
    "search_fs_file",
    "serial",
    "terminal",
    "test",
    "video",
];

/// A platform of GRUB's.
#[derive(Clone, Copy)]
pub enum Platform {
    /// BIOS, from a disk.
    Pc,
    /// BIOS, from a CD.
    Eltorito,
    /// UEFI.
    Efi,
}

impl Platform {
    fn format(self) -> &'static str {
        match self {
            Platform::Pc => "i386-pc",
            Platform::Eltorito => "i386-pc-eltorito",
            Platform::Efi => "x86_64-efi",
        }
    }
}

/// Makes a core image in the folder `work`, which finds its medium by a command of GRUB's, such as `search --file /x --set=root`.
pub fn core(platform: Platform, search: &str, work: &Path) -> Result<PathBuf> {
    let format = platform.format();
    let config = work.join(format!("{format}.cfg"));
    let text = format!("{search}\nset prefix=($root)/boot/grub\nconfigfile ($root)/{MENU}\n");
    std::fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
    let core = work.join(format!("{format}.img"));
    let mut command = process::command("grub-mkimage");
    command.args(["-O", format, "-p", "/boot/grub", "-c"]).arg(&config).arg("-o").arg(&core).args(MODULES);
    command.args(match platform {
        Platform::Pc | Platform::Eltorito => ["biosdisk", "vbe", "vga"].as_slice(),
        Platform::Efi => &["efi_gop", "efi_uga"],
    });
    process::output(&mut command)?;
    Ok(core)
}

/// The menu. UEFI's console is on the serial ports already; BIOS's is not. The framebuffer that GRUB sets up is handed to the kernel.
pub fn menu(cmdline: &str) -> String {
    format!(
        "if [ $grub_platform = pc ]; then\n\
         \tserial --unit=0 --speed=115200\n\
         \tterminal_input console serial\n\
         \tterminal_output console serial\n\
         fi\n\
         set timeout=0\n\
         menuentry Ochre {{\n\
         \tset gfxpayload=keep\n\
         \tmultiboot2 /{KERNEL} {cmdline}\n\
         \tmodule2 /{MODULE} initial\n\
         \techo {FIRMWARE_ENDS}\n\
         }}\n"
    )
}
