//! A disk's image: a GUID partition table (UEFI 2.10, chapter 5) with GRUB's core for BIOS, an EFI system partition that holds GRUB for UEFI,
//! menu, kernel and boot module, and the root file system.

use super::grub::{self, Platform};
use super::{Contents, Kind, ROOT_NAME, ROOT_TYPE, fat};
use crate::host;
use crate::progress::Step;
use anyhow::{Context, Result, ensure};
use gpt::GptConfig;
use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types::{BIOS, EFI, Type};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

const SECTOR: u64 = 512;
/// Partitions start on whole MiB.
const ALIGN: u64 = 1 << 20;
/// The room for GRUB's core.
const CORE: u64 = 1 << 20;

/// Makes the image `out`. `work` is a folder for its parts.
pub fn make(contents: &Contents<'_>, work: &Path, out: &Path) -> Result<()> {
    host::ensure(&[host::MEDIA])?;
    let _step = Step::start("making the disk's image");
    std::fs::create_dir_all(work).with_context(|| format!("cannot make {}", work.display()))?;
    let id = contents.id("esp");
    let search = format!("search --no-floppy --fs-uuid --set=root {}", fat::grub_name(id));
    let menu = work.join("grub.cfg");
    std::fs::write(&menu, grub::menu(&contents.line(Kind::Disk)))?;
    let efi = grub::core(Platform::Efi, &search, work)?;
    let esp = work.join("esp.img");
    let files = [
        (grub::MENU, menu.as_path()),
        (grub::KERNEL, contents.kernel),
        (grub::MODULE, contents.module),
        ("EFI/BOOT/BOOTX64.EFI", &efi),
    ];
    fat::make(&esp, &files, id, contents.time)?;
    let core = grub::core(Platform::Pc, &search, work)?;

    let new = out.with_added_extension(format!("new.{}", std::process::id()));
    let problem = || format!("cannot write {}", new.display());
    let mut disk =
        File::options().read(true).write(true).create(true).truncate(true).open(&new).with_context(problem)?;
    let mut partitions = BTreeMap::new();
    let mut at = ALIGN;
    let mut add = |name: &str, kind: Type, guid, len: u64| {
        let first = at;
        at = (at + len).next_multiple_of(ALIGN);
        let (first_lba, last_lba) = (first / SECTOR, at / SECTOR - 1);
        let partition =
            Partition { part_type_guid: kind, part_guid: guid, first_lba, last_lba, flags: 0, name: name.into() };
        partitions.insert(u32::try_from(partitions.len()).unwrap_or(u32::MAX) + 1, partition);
        first
    };
    let core_at = add("ochre-bios", BIOS, contents.id("bios"), CORE);
    let esp_at = add("ochre-esp", EFI, id, std::fs::metadata(&esp)?.len());
    let root_at = match contents.root {
        Some(root) => Some(add(ROOT_NAME, ROOT_TYPE, root.guid(Kind::Disk), std::fs::metadata(&root.file)?.len())),
        None => None,
    };
    // The table's copy is at the end.
    let size = at + ALIGN;
    disk.set_len(size).with_context(problem)?;
    copy(&esp, &disk, esp_at)?;
    if let (Some(root), Some(at)) = (contents.root, root_at) {
        copy(&root.file, &disk, at)?;
    }
    write_table(&mut disk, size, contents.id("disk"), partitions).with_context(problem)?;
    write_bios(&mut disk, &core, core_at)?;
    std::fs::rename(&new, out).with_context(|| format!("cannot write {}", out.display()))
}

fn write_table(disk: &mut File, size: u64, id: uuid::Uuid, partitions: BTreeMap<u32, Partition>) -> Result<()> {
    let sectors = u32::try_from(size / SECTOR - 1).unwrap_or(u32::MAX);
    ProtectiveMBR::with_lb_size(sectors).overwrite_lba0(disk)?;
    let config = GptConfig::new().writable(true).logical_block_size(LogicalBlockSize::Lb512);
    let mut table = config.create_from_device(&mut *disk, Some(id))?;
    table.update_partitions(partitions)?;
    table.write()?;
    Ok(())
}

/// Puts GRUB's boot sector into the first sector, beside the protective table, and its core into a partition; and tells each where the next
/// part is, as grub-bios-setup does (GRUB's include/grub/i386/pc/boot.h).
fn write_bios(disk: &mut File, core: &Path, at: u64) -> Result<()> {
    const CODE: usize = 440;
    const CORE_SECTOR: usize = 0x5c;
    const DRIVE_CHECK: usize = 0x66;
    const LIST: usize = 512 - 12;
    let mut boot = std::fs::read(Path::new(grub::PC).join("boot.img"))?;
    let mut core = std::fs::read(core)?;
    ensure!(
        boot.len() == 512 && core.len() > 1024 && core.len() as u64 <= CORE,
        "GRUB's boot sector or core is of an odd size"
    );
    let sector = at / SECTOR;
    boot[CORE_SECTOR..CORE_SECTOR + 8].copy_from_slice(&sector.to_le_bytes());
    // Two instructions that do nothing: the BIOS's drive number is right, which old ones' was not.
    boot[DRIVE_CHECK..DRIVE_CHECK + 2].copy_from_slice(&[0x90, 0x90]);
    core.resize(core.len().next_multiple_of(512), 0);
    let rest = u16::try_from(core.len() / 512 - 1)?;
    // Its first sector loads the others: where they start, how many, and to which segment.
    core[LIST..LIST + 8].copy_from_slice(&(sector + 1).to_le_bytes());
    core[LIST + 8..LIST + 10].copy_from_slice(&rest.to_le_bytes());
    core[LIST + 10..LIST + 12].copy_from_slice(&0x820u16.to_le_bytes());
    disk.write_all_at(&boot[..CODE], 0)?;
    disk.write_all_at(&core, at)?;
    Ok(())
}

/// Copies a file to a place in another, leaving out what is zero.
pub fn copy(from: &Path, to: &File, mut at: u64) -> Result<()> {
    let problem = || format!("cannot read {}", from.display());
    let mut from = File::open(from).with_context(problem)?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = from.read(&mut buffer).with_context(problem)?;
        if count == 0 {
            return Ok(());
        }
        // Comparing with its own neighbour is the fastest way to see only zeros, also in an unoptimised program.
        if buffer[0] != 0 || buffer[..count - 1] != buffer[1..count] {
            to.write_all_at(&buffer[..count], at)?;
        }
        at += count as u64;
    }
}

/// Gives the partition of this type of an image's table a name and a GUID.
pub fn name_partition(image: &Path, kind: Type, name: &str, guid: uuid::Uuid) -> Result<()> {
    let mut file = File::options().read(true).write(true).open(image)?;
    let config = GptConfig::new().writable(true).logical_block_size(LogicalBlockSize::Lb512);
    let mut table = config.open_from_device(&mut file).context("the table of partitions")?;
    let mut partitions = table.take_partitions();
    let partition = partitions.values_mut().find(|partition| partition.part_type_guid.guid == kind.guid);
    let partition = partition.context("the table has no such partition")?;
    (partition.name, partition.part_guid) = (name.to_owned(), guid);
    table.update_partitions(partitions)?;
    table.write()?;
    Ok(())
}
