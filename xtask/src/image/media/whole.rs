//! Tests of whole media.

use super::*;
use gpt::GptConfig;
use gpt::disk::LogicalBlockSize;
use std::os::unix::fs::FileExt;

struct Dir(PathBuf);

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A medium made twice of the same things, at other times and in other folders: the same bytes. Then what the table says of it.
fn made(kind: Kind) -> Result<()> {
    let dir = Dir(std::env::temp_dir().join(format!("xtask-media-{}-{}", kind.extension(), std::process::id())));
    std::fs::create_dir_all(&dir.0)?;
    let parts = ["kernel", "module", "root"].map(|name| dir.0.join(name));
    for (n, part) in (1u8..).zip(&parts) {
        let bytes: Vec<u8> = (0..300_000u32).map(|at| (at / 7) as u8 ^ n).collect();
        std::fs::write(part, bytes)?;
    }
    std::fs::File::options().append(true).open(&parts[2])?.set_len(8 << 20)?;
    let root = Root { file: parts[2].clone(), id: "id".into() };
    let contents =
        Contents { kernel: &parts[0], module: &parts[1], root: Some(&root), cmdline: "a b", time: 1_700_000_000 };
    let outs = ["one", "two"].map(|name| dir.0.join(name).join("medium"));
    for out in &outs {
        kind.make(&contents, &out.with_file_name("work"), out)?;
        // The unit of FAT's times.
        std::thread::sleep(std::time::Duration::from_secs(2));
    }
    let bytes = std::fs::read(&outs[0])?;
    let other = std::fs::read(&outs[1])?;
    let differs = bytes.iter().zip(&other).position(|(a, b)| a != b);
    assert_eq!((bytes.len(), differs), (other.len(), None), "{kind:?}");

    let file = std::fs::File::open(&outs[0])?;
    let config = GptConfig::new().logical_block_size(LogicalBlockSize::Lb512).only_valid_headers(true);
    let table = config.open_from_device(&file)?;
    let partition = table.partitions().values().find(|partition| partition.name == ROOT_NAME).expect("no root");
    assert_eq!((partition.part_guid, partition.part_type_guid.guid), (root.guid(kind), ROOT_TYPE.guid));
    let mut there = vec![0; 8 << 20];
    file.read_exact_at(&mut there, partition.first_lba * 512)?;
    assert!(there == std::fs::read(&parts[2])?, "{kind:?}: the root file system is another one");
    assert_eq!(bytes[510..512], [0x55, 0xaa]);
    Ok(())
}

#[test]
fn the_same_things_make_the_same_disk() {
    made(Kind::Disk).unwrap();
}

#[test]
fn the_same_things_make_the_same_iso() {
    made(Kind::Iso).unwrap();
}
