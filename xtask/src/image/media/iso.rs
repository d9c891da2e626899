//! The hybrid ISO: a live system that boots from CD and from USB stick, under BIOS and UEFI.
//!
//! On a CD, BIOS and UEFI find their boot images by El Torito. On a stick, BIOS runs the first sector, and UEFI finds the EFI system
//! partition. That and the root file system are appended to the ISO 9660 file system as partitions of a GUID partition table, which counts
//! in sectors of 512 bytes also on a CD (xorriso(1), xorrisofs(1)).

use super::disk::name_partition;
use super::grub::{self, Platform};
use super::{Contents, Kind, ROOT_NAME, ROOT_TYPE, fat, place};
use crate::host;
use crate::process;
use crate::progress::Step;
use crate::vm::machine::text;
use anyhow::{Context, Result};
use gpt::partition_types::EFI;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Makes the ISO `out`. `work` is a folder for its parts.
pub fn make(contents: &Contents<'_>, work: &Path, out: &Path) -> Result<()> {
    host::ensure(&[host::MEDIA, host::ISO])?;
    let _step = Step::start("making the ISO");
    let tree = work.join("tree");
    let grub = tree.join("boot/grub");
    std::fs::create_dir_all(&grub).with_context(|| format!("cannot make {}", grub.display()))?;
    let id = contents.id("iso");
    // GRUB looks for its medium by this file, for the drive that firmware names is not always the one that it booted from.
    let mark = format!("boot/{}", id.simple());
    std::fs::write(tree.join(&mark), "")?;
    let search = format!("search --no-floppy --file --set=root /{mark}");
    std::fs::write(tree.join(grub::MENU), grub::menu(&contents.line(Kind::Iso)))?;
    place(contents.kernel, &tree.join(grub::KERNEL))?;
    place(contents.module, &tree.join(grub::MODULE))?;
    place(&grub::core(Platform::Eltorito, &search, work)?, &grub.join("eltorito.img"))?;
    let efi = grub::core(Platform::Efi, &search, work)?;
    let esp = work.join("efi.img");
    fat::make(&esp, &[("EFI/BOOT/BOOTX64.EFI", &efi)], contents.id("esp"), contents.time)?;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(contents.time);
    set_times(&tree, time)?;

    let new = out.with_added_extension(format!("new.{}", std::process::id()));
    let mut xorriso = process::command("xorriso");
    // Dates, identifiers and GUIDs that nobody sets come from this (xorriso(1)).
    xorriso.env("SOURCE_DATE_EPOCH", contents.time.to_string()).env("TZ", "UTC");
    xorriso.args(["-as", "mkisofs", "-quiet", "-o", text(&new)?, "-V", "OCHRE", "-r", "-J"]);
    xorriso.args(["--gpt_disk_guid", &id.simple().to_string()]);
    xorriso.arg("--grub2-mbr").arg(Path::new(grub::PC).join("boot_hybrid.img"));
    xorriso.args(["-partition_offset", "16", "-appended_part_as_gpt", "-append_partition", "2", &guid(EFI)]).arg(&esp);
    if let Some(root) = contents.root {
        xorriso.args(["-append_partition", "3", &guid(ROOT_TYPE)]).arg(&root.file);
    }
    xorriso.args(["-c", "boot/boot.cat", "-b", "boot/grub/eltorito.img", "-no-emul-boot", "-boot-load-size", "4"]);
    xorriso.args(["-boot-info-table", "--grub2-boot-info", "-eltorito-alt-boot"]);
    xorriso.args(["-e", "--interval:appended_partition_2:all::", "-no-emul-boot"]).arg(&tree);
    process::output(&mut xorriso)?;
    if let Some(root) = contents.root {
        name_partition(&new, ROOT_TYPE, ROOT_NAME, root.guid(Kind::Iso))?;
    }
    std::fs::rename(&new, out).with_context(|| format!("cannot write {}", out.display()))
}

fn guid(kind: gpt::partition_types::Type) -> String {
    kind.guid.to_string().to_uppercase()
}

/// Gives all that is below a folder, and itself, this time.
fn set_times(path: &Path, time: SystemTime) -> Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            set_times(&entry?.path(), time)?;
        }
    }
    let set = File::open(path).and_then(|file| file.set_modified(time));
    set.with_context(|| format!("cannot set the time of {}", path.display()))
}
