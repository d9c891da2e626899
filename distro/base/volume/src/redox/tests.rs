//! Tests that need a hand inside: content that somebody made up with correct hashes, names with the same hash.

use std::cell::Cell;

use super::{Format, Options, Redox, format};
use crate::device::Memory;
use crate::{Errno, NewNode, Result, Volume, kind};

thread_local! {
    /// Blocks are taken whatever their hash is.
    pub static UNCHECKED: Cell<bool> = const { Cell::new(false) };
    /// The hash of every name.
    pub static HASH: Cell<Option<u32>> = const { Cell::new(None) };
}

fn file() -> NewNode<'static> {
    NewNode { mode: kind::FILE | 0o600, uid: 0, gid: 0, rdev: 0, time: 0, target: b"" }
}

fn make(volume: &mut impl Volume, directory: u64, name: &[u8], new: &NewNode<'_>) -> Result<u64> {
    let ino = volume.create(new)?;
    let linked = volume.link(directory, name, ino);
    volume.release(ino)?;
    linked.map(|()| ino)
}

#[test]
fn names_with_one_hash() {
    for hash in [0, 7, u32::MAX - 1] {
        HASH.set(Some(hash));
        let mut volume = format(Memory::new(8 << 20), &Format::default()).unwrap();
        let ino = make(&mut volume, 1, b"x", &file()).unwrap();
        let name = |nth: usize| format!("{nth:0>200}").into_bytes();
        // Enough for leaves below two levels of branches.
        for nth in 0..5000 {
            volume.link(1, &name(nth), ino).unwrap();
        }
        volume.check().unwrap();
        assert_eq!(volume.link(1, &name(2500), ino), Err(Errno::EEXIST));
        for nth in (0..5000).rev() {
            assert_eq!(volume.unlink(1, &name(nth)), Ok(ino));
            assert_eq!(volume.lookup(1, &name(nth)), Err(Errno::ENOENT));
        }
        volume.unlink(1, b"x").unwrap();
        assert_eq!(volume.check().unwrap().nodes, 1);
        HASH.set(None);
    }
}

/// Uses a volume; nothing is asked of the results.
fn use_all(volume: &mut Redox<Memory>) {
    let mut directories = vec![1];
    for _ in 0..8 {
        let Some(directory) = directories.pop() else { break };
        let mut entries = Vec::new();
        volume.entries(directory, &mut |name, ino| entries.push((name.to_vec(), ino))).ok();
        for (name, ino) in entries.into_iter().take(50) {
            volume.lookup(directory, &name).ok();
            volume.list_xattrs(ino).ok();
            let mut bytes = vec![0; 20_000];
            volume.read(ino, 0, &mut bytes).ok();
            volume.read(ino, 100_000, &mut bytes).ok();
            volume.next_data(ino, 1).ok();
            volume.next_hole(ino, 1).ok();
            volume.target(ino).ok();
            directories.push(ino);
        }
    }
    volume.check().ok();
    if let Ok(new) = make(volume, 1, b"new", &file()) {
        volume.write(new, 5000, &[1; 9000]).ok();
        volume.rename((1, b"new"), (1, b"big"), true).ok();
        volume.rename((1, b"new"), (1, b"link"), false).ok();
    }
    for ino in 2..12 {
        volume.write(ino, 1000, &[7; 5000]).ok();
        volume.set_xattr(ino, b"user.b", b"value").ok();
        volume.punch(ino, 100, 200_000).ok();
        volume.resize(ino, 7).ok();
    }
    for nth in 0..60 {
        volume.unlink(2, format!("a name that takes some room {nth}").as_bytes()).ok();
    }
    volume.unlink(1, b"big").ok();
    volume.commit().ok();
}

/// Whatever is on a disk, even under correct hashes: errors, and an end.
#[test]
fn hostile_content() {
    let mut volume = format(Memory::new(4 << 20), &Format::default()).unwrap();
    let directory = make(&mut volume, 1, b"d", &NewNode { mode: kind::DIRECTORY | 0o755, ..file() }).unwrap();
    for nth in 0..150 {
        make(&mut volume, directory, format!("a name that takes some room {nth}").as_bytes(), &file()).unwrap();
    }
    let big = make(&mut volume, 1, b"big", &file()).unwrap();
    volume.write(big, 0, &[3; 140_000]).unwrap();
    volume.write(big, 20 << 20, &[3; 5000]).unwrap();
    volume.set_xattr(big, b"user.x", &[5; 900]).unwrap();
    make(&mut volume, 1, b"link", &NewNode { mode: kind::SYMLINK | 0o777, target: b"big", ..file() }).unwrap();
    let held = volume.create(&file()).unwrap();
    volume.commit().unwrap();
    assert!(held > 0);
    let whole = volume.into_device();
    let used: Vec<usize> =
        (256..1024).filter(|block| whole.clone().bytes()[block * 4096..][..4096] != [0; 4096]).collect();

    UNCHECKED.set(true);
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    for round in 0..4000 {
        let mut device = whole.clone();
        for _ in 0..1 + round % 3 {
            // Mostly where pointers, counts and lengths are.
            let block = used[random(used.len())];
            let at = match random(4) {
                0 => random(4096),
                1 => random(160),
                2 => 4096 - 1 - random(40),
                _ => 128 + random(64),
            };
            device.bytes()[block * 4096 + at] = [0, 1, 0x7f, 0x80, 0xff, random(256) as u8][random(6)];
        }
        if let Ok(mut volume) = Redox::open(device, Options::default()) {
            use_all(&mut volume);
        }
    }
    UNCHECKED.set(false);
}
