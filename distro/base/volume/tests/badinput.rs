//! Damage: every flipped byte, cut and scrambled block is an error or is not noticed because nothing needs it; never a panic, a hang, or wrong bytes.

mod common;

use common::{file, make, pattern};
use ochre_volume::device::Memory;
use ochre_volume::redox::{Format, Options, RECORD, Redox, format};
use ochre_volume::{Errno, NewNode, Volume, kind};

/// A volume with something of everything.
fn sample() -> Memory {
    let mut volume = format(Memory::new(8 << 20), &Format::default()).unwrap();
    let directory = make(&mut volume, 1, b"d", &common::directory()).unwrap();
    for nth in 0..400 {
        let ino = make(&mut volume, directory, format!("a name that takes some room {nth}").as_bytes(), &file(0o644))
            .unwrap();
        volume.write(ino, 0, &pattern(nth * 7, 1)).unwrap();
    }
    let big = make(&mut volume, 1, b"big", &file(0o644)).unwrap();
    volume.write(big, 0, &pattern(2 * RECORD + 5, 2)).unwrap();
    volume.write(big, 20 << 20, &pattern(5000, 3)).unwrap();
    volume.set_xattr(big, b"user.x", &pattern(9000, 4)).unwrap();
    make(&mut volume, 1, b"link", &NewNode { mode: kind::SYMLINK | 0o777, target: b"big", ..file(0) }).unwrap();
    volume.commit().unwrap();
    let held = volume.create(&file(0)).unwrap();
    volume.write(held, 0, &pattern(100_000, 5)).unwrap();
    volume.commit().unwrap();
    volume.into_device()
}

/// Uses everything on a volume; wrong content is the only failure, errors are not.
fn use_all(device: Memory, options: Options) -> Result<(), Errno> {
    let mut volume = Redox::open(device, options)?;
    let mut first = Ok(());
    let mut note = |result: Result<(), Errno>| first = first.and(result);
    let mut directories = vec![1];
    let mut seen = 0;
    while let Some(directory) = directories.pop() {
        let mut entries = Vec::new();
        note(volume.entries(directory, &mut |name, ino| entries.push((name.to_vec(), ino))));
        for (name, ino) in entries.into_iter().take(2000) {
            seen += 1;
            note(volume.lookup(directory, &name).map(drop));
            note(volume.list_xattrs(ino).map(drop));
            let Ok(attributes) = volume.attributes(ino) else {
                note(Err(Errno::EIO));
                continue;
            };
            match attributes.mode & kind::MASK {
                kind::DIRECTORY if seen < 5000 => directories.push(ino),
                kind::FILE => {
                    let mut bytes = vec![0; 300_000];
                    note(volume.read(ino, 0, &mut bytes).map(drop));
                    note(volume.read(ino, 20 << 20, &mut bytes).map(drop));
                    note(volume.next_data(ino, 0).map(drop));
                    note(volume.next_hole(ino, 0).map(drop));
                }
                kind::SYMLINK => note(volume.target(ino).map(drop)),
                _ => {}
            }
        }
    }
    note(volume.check().map(drop));
    // Changes, everywhere.
    let new = make(&mut volume, 1, b"new", &file(0o600));
    note(new.map(drop));
    if let Ok(new) = new {
        note(volume.write(new, 0, &pattern(200_000, 6)));
        note(volume.rename((1, b"new"), (1, b"link"), false));
    }
    if let Ok(big) = volume.lookup(1, b"big") {
        note(volume.write(big, RECORD as u64 - 5, b"0123456789"));
        note(volume.punch(big, 5, RECORD as u64));
        note(volume.resize(big, 100));
        note(volume.set_xattr(big, b"user.y", b"z"));
    }
    if let Ok(directory) = volume.lookup(1, b"d") {
        for nth in 0..400 {
            let name = format!("a name that takes some room {nth}");
            note(volume.unlink(directory, name.as_bytes()).map(drop));
        }
        note(volume.unlink(1, b"d").map(drop));
    }
    note(volume.unlink(1, b"big").map(drop));
    note(volume.commit());
    first
}

#[test]
fn the_sample_is_whole() {
    assert_eq!(use_all(sample(), Options::default()), Ok(()));
    assert_eq!(use_all(sample(), Options { read_only: true, ..Options::default() }), Err(Errno::EROFS));
}

#[test]
fn flipped_bytes_are_found() {
    let whole = sample();
    let blocks = whole.clone().bytes().len() / 4096;
    let used: Vec<usize> =
        (0..blocks).filter(|block| whole.clone().bytes()[block * 4096..][..4096] != [0; 4096]).collect();
    let mut found = 0;
    for (nth, block) in used.iter().enumerate().skip(1).step_by(2) {
        let mut device = whole.clone();
        let at = block * 4096 + (nth * 1237) % 4096;
        device.bytes()[at] ^= 1 << (nth % 8);
        found +=
            u32::from(use_all(device, Options { metadata_cache: 0, record_cache: 0, ..Options::default() }).is_err());
    }
    // What nothing leads to any more, and old headers, need not be noticed; the rest is.
    assert!(found as usize > used.len() / 4, "{found} of {}", used.len());
}

#[test]
fn blocks_of_other_content_are_found() {
    let whole = sample();
    for (nth, fill) in [0u8, 0xff, 0x55].into_iter().enumerate() {
        for block in (256..700).skip(nth).step_by(7) {
            let mut device = whole.clone();
            device.bytes()[block * 4096..][..4096].fill(fill);
            use_all(device, Options::default()).ok();
        }
    }
}

#[test]
fn no_valid_header() {
    let mut device = sample();
    for header in 0..256 {
        device.bytes()[header * 4096 + 100] ^= 1;
    }
    assert_eq!(use_all(device, Options::default()), Err(Errno::EINVAL));
}

#[test]
fn a_torn_newest_header_leaves_the_one_before() {
    let mut volume = Redox::open(sample(), Options::default()).unwrap();
    make(&mut volume, 1, b"safe", &file(0o600)).unwrap();
    volume.commit().unwrap();
    let generation = volume.generation();
    make(&mut volume, 1, b"unsafe", &file(0o600)).unwrap();
    volume.commit().unwrap();
    let at = (volume.generation() % 256) as usize * 4096;
    let mut device = volume.into_device();
    device.bytes()[at + 512..at + 4096].fill(0);
    let mut volume = Redox::open(device, Options::default()).unwrap();
    assert_eq!(volume.generation(), generation);
    volume.check().unwrap();
    assert!(volume.lookup(1, b"safe").is_ok());
    assert_eq!(volume.lookup(1, b"unsafe"), Err(Errno::ENOENT));
}

#[test]
fn names() {
    let mut volume = format(Memory::new(4 << 20), &Format::default()).unwrap();
    let ino = volume.create(&file(0)).unwrap();
    for (name, errno) in [
        (&b""[..], Errno::EINVAL),
        (b".", Errno::EINVAL),
        (b"..", Errno::EINVAL),
        (b"a/b", Errno::EINVAL),
        (b"a\0", Errno::EINVAL),
        (&[b'x'; 256], Errno::ENAMETOOLONG),
    ] {
        assert_eq!(volume.link(1, name, ino), Err(errno));
        assert_eq!(volume.lookup(1, name), Err(errno));
        assert_eq!(volume.unlink(1, name), Err(errno));
        assert_eq!(volume.rename((1, name), (1, b"x"), false), Err(errno));
    }
    assert_eq!(volume.attributes(0), Err(Errno::ENOENT));
    assert_eq!(volume.attributes(254), Err(Errno::ENOENT));
    assert_eq!(volume.attributes(u64::MAX), Err(Errno::ENOENT));
    assert_eq!(volume.write(ino, u64::MAX, b"x"), Err(Errno::EFBIG));
    assert_eq!(volume.resize(ino, u64::MAX), Err(Errno::EFBIG));
    assert_eq!(volume.release(77), Err(Errno::EINVAL));
    assert_eq!(volume.set_xattr(ino, b"", b""), Err(Errno::ERANGE));
}
