//! FAT images, by mtools, for EFI system partitions.

use crate::process;
use crate::vm::machine::text;
use anyhow::{Context, Result};
use std::fs::File;
use std::path::Path;
use std::process::Command;

/// Below this, FAT32 has too few clusters to be one, and firmware expects FAT32 or FAT16.
const LEAST: u64 = 4 << 20;

/// Makes an image of the files `(path in it, file on the host)`, with room to spare. The serial number is the first four bytes of `id`.
pub fn make(out: &Path, files: &[(&str, &Path)], id: uuid::Uuid, time: u64) -> Result<()> {
    let mut need = 0;
    for (_, file) in files {
        let len = std::fs::metadata(file).with_context(|| format!("cannot look at {}", file.display()))?.len();
        need += len.next_multiple_of(1 << 14);
    }
    let size = (need + need / 16 + (1 << 20)).next_multiple_of(1 << 20).max(LEAST);
    let image = File::create(out).and_then(|file| file.set_len(size));
    image.with_context(|| format!("cannot write {}", out.display()))?;
    let mtools = |program: &str| -> Result<Command> {
        let mut command = process::command(program);
        command.env("SOURCE_DATE_EPOCH", time.to_string()).env("MTOOLS_SKIP_CHECK", "1").env("TZ", "UTC");
        command.arg("-i").arg(out);
        Ok(command)
    };
    // 32 sectors a track and 64 heads: a cylinder is 1 MiB.
    let cylinders = (size >> 20).to_string();
    let serial = serial(id);
    process::output(
        mtools("mformat")?.args(["-t", &cylinders, "-h", "64", "-s", "32", "-v", "OCHRE", "-N", &serial, "::"]),
    )?;
    let mut made = Vec::new();
    for (path, file) in files {
        for (end, _) in path.match_indices('/') {
            let folder = &path[..end];
            if !made.contains(&folder) {
                process::output(mtools("mmd")?.arg(format!("::{folder}")))?;
                made.push(folder);
            }
        }
        process::output(mtools("mcopy")?.arg(text(file)?).arg(format!("::{path}")))?;
    }
    Ok(())
}

/// The serial number of a file system with this id, as mformat takes it.
fn serial(id: uuid::Uuid) -> String {
    id.simple().to_string()[..8].to_owned()
}

/// The same as GRUB's `search --fs-uuid` takes it.
pub fn grub_name(id: uuid::Uuid) -> String {
    let serial = serial(id).to_uppercase();
    format!("{}-{}", &serial[..4], &serial[4..])
}
