//! The disks of `bench fs`: made anew for each machine, from the same files.

use crate::disk::{self, FileSystem};
use crate::vm::machine::{Bus, Disk};
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// The file that is read from the disk, in bytes.
const COLD: usize = 32 << 20;

/// The archive: so many folders with so many files each, of 51 KiB on average.
const FOLDERS: u64 = 100;
const FILES: u64 = 20;

/// The room on the file system.
const ROOM: u64 = 400 << 20;

/// Makes both disks in `dir`: the file system, and the archive as a disk's bytes.
pub fn disks(kind: FileSystem, dir: &Path) -> Result<Vec<Disk>> {
    let (cold, archive) = (dir.join("cold"), dir.join("tree.tar"));
    write(&cold, |out| out.write_all(&bytes(0, COLD)))?;
    write(&archive, |out| tree(out))?;
    let volume = dir.join(format!("{kind:?}.img"));
    disk::make(&volume, kind, &[("cold", cold)], ROOM)?;
    Ok(vec![Disk::new(volume, Bus::Virtio), Disk { read_only: true, ..Disk::new(archive, Bus::Virtio) }])
}

fn write(path: &PathBuf, fill: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<()> {
    let problem = || format!("cannot write {}", path.display());
    let mut out = BufWriter::new(File::create(path).with_context(problem)?);
    fill(&mut out).and_then(|()| out.flush()).with_context(problem)
}

/// The archive of the tree.
fn tree(out: &mut impl Write) -> std::io::Result<()> {
    let mut archive = tar::Builder::new(out);
    let mut entry = |path: String, kind, mode, data: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_700_000_000);
        header.set_size(data.len() as u64);
        archive.append_data(&mut header, path, data)
    };
    for folder in 0..FOLDERS {
        entry(format!("folder-{folder}"), tar::EntryType::Directory, 0o755, &[])?;
        for file in 0..FILES {
            let number = folder * FILES + file;
            // 1 to 102 KiB, evenly.
            let len = 1024 + (number * 7_919 % (101 << 10)) as usize;
            entry(format!("folder-{folder}/file-{file}"), tar::EntryType::Regular, 0o644, &bytes(number + 1, len))?;
        }
    }
    archive.finish()
}

/// Bytes that do not repeat; those of an odd seed are like text, and can be packed to about half.
fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = state >> 16;
        if seed % 2 == 1 {
            bytes.extend_from_slice(["the ", "disk ", "and ", "file ", "of ", "tree "][(word % 6) as usize].as_bytes());
            bytes.push(b'a' + (word >> 8) as u8 % 26);
        } else {
            bytes.extend_from_slice(&word.to_le_bytes()[..6]);
        }
    }
    bytes.truncate(len);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_has_100_mb_and_repeats() {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        tree(&mut one).unwrap();
        tree(&mut two).unwrap();
        assert!(one == two);
        assert!((95 << 20..115 << 20).contains(&one.len()), "{}", one.len());
        assert!(one.len().is_multiple_of(512));
    }
}
