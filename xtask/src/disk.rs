//! Disks of tests and measurements: a file system on the whole disk, with a few files of the host's.

use crate::host::{self, Need};
use crate::image::items::Item;
use crate::image::root;
use crate::process;
use anyhow::{Context, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// For making a disk for Linux.
const EXT4: &[Need] = &[host::need("/usr/sbin/mkfs.ext4", "e2fsprogs")];

/// The kind of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// Ochre's.
    RedoxFs,
    /// Linux's.
    Ext4,
}

/// Makes the disk `out` with `free` bytes of room. `files` come with their names in the root folder.
pub fn make(out: &Path, kind: FileSystem, files: &[(&str, PathBuf)], free: u64) -> Result<()> {
    match kind {
        FileSystem::RedoxFs => {
            let item = |(name, file): &(&str, PathBuf)| ((*name).to_owned(), Item::Built(0o644.into(), file.clone()));
            root::make(out, &files.iter().map(item).collect(), free, 0, Uuid::from_u128(1))
        }
        FileSystem::Ext4 => {
            let tree = out.with_extension("tree");
            let problem = || format!("cannot make {}", out.display());
            std::fs::create_dir_all(&tree).with_context(problem)?;
            let mut bytes = 0;
            for (name, file) in files {
                bytes += std::fs::copy(file, tree.join(name)).with_context(problem)?;
            }
            ext4(out, &tree, bytes + free)?;
            std::fs::remove_dir_all(&tree).with_context(problem)
        }
    }
}

/// Makes the disk `out` for Linux with the files of the folder `tree`, and `room` bytes for them and others.
pub fn ext4(out: &Path, tree: &Path, room: u64) -> Result<()> {
    host::ensure(&[EXT4])?;
    // A tenth for its tables, and a journal.
    let size = (room / 10 * 11 + (64 << 20)).next_multiple_of(1 << 20);
    let made = File::create(out).and_then(|file| file.set_len(size));
    made.with_context(|| format!("cannot make {}", out.display()))?;
    let mut mkfs = process::command("/usr/sbin/mkfs.ext4");
    mkfs.args(["-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-d"]).arg(tree).arg(out);
    process::output(&mut mkfs)?;
    Ok(())
}
