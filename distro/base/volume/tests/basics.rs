//! The first things a file system has to do, and RedoxFS' own code as a second reader of what this crate writes.

use ochre_volume::device::{Device, Memory};
use ochre_volume::redox::{Format, Options, Redox, format};
use ochre_volume::{Attributes, Errno, Ino, NewNode, Volume, kind};

const TIME: i128 = 1_700_000_000_123_456_789;

fn node(mode: u32) -> NewNode<'static> {
    NewNode { mode, uid: 7, gid: 8, rdev: 0, time: TIME, target: b"" }
}

fn volume(megabytes: usize) -> Redox<Memory> {
    format(Memory::new(megabytes << 20), &Format { uuid: [5; 16], ..Format::default() }).unwrap()
}

fn reopen(mut volume: Redox<Memory>) -> Redox<Memory> {
    volume.commit().unwrap();
    Redox::open(volume.into_device(), Options::default()).unwrap()
}

/// Makes a node with a name.
fn make(volume: &mut impl Volume, directory: Ino, name: &[u8], new: &NewNode<'_>) -> Ino {
    let ino = volume.create(new).unwrap();
    volume.link(directory, name, ino).unwrap();
    volume.release(ino).unwrap();
    ino
}

fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn files_come_back() {
    let mut volume = volume(64);
    let root = volume.root();
    let sizes = [0, 1, 3966, 3967, 3968, 4096, 4097, 131_071, 131_072, 131_073, 1 << 20, 20 << 20];
    for (nth, &size) in sizes.iter().enumerate() {
        let ino = make(&mut volume, root, format!("f{nth}").as_bytes(), &node(kind::FILE | 0o640));
        volume.write(ino, 0, &pattern(size, nth as u64)).unwrap();
    }
    let mut volume = reopen(volume);
    volume.check().unwrap();
    for (nth, &size) in sizes.iter().enumerate() {
        let ino = volume.lookup(root, format!("f{nth}").as_bytes()).unwrap();
        let mut bytes = vec![0; size + 10];
        assert_eq!(volume.read(ino, 0, &mut bytes), Ok(size));
        assert_eq!(bytes[..size], pattern(size, nth as u64)[..], "{size}");
        let attributes = volume.attributes(ino).unwrap();
        assert_eq!((attributes.mode, attributes.uid, attributes.gid, attributes.nlink), (kind::FILE | 0o640, 7, 8, 1));
        assert_eq!((attributes.size, attributes.mtime, attributes.btime), (size as u64, TIME, TIME));
        assert!(attributes.blocks * 512 >= size as u64 || size < 3968);
    }
}

#[test]
fn all_kinds_of_nodes() {
    let mut volume = volume(4);
    let root = volume.root();
    let long = pattern(4095, 1).iter().map(|byte| byte % 26 + b'a').collect::<Vec<u8>>();
    for (name, mode, rdev, target) in [
        (&b"fifo"[..], kind::FIFO | 0o600, 0, &b""[..]),
        (b"socket", kind::SOCKET | 0o777, 0, b""),
        (b"null", kind::CHARACTER | 0o666, 0x103, b""),
        (b"disk", kind::BLOCK | 0o660, 0xfff_ffff_0801, b""),
        (b"short", kind::SYMLINK | 0o777, 0, b"/etc/passwd"),
        (b"long", kind::SYMLINK | 0o777, 0, &long),
    ] {
        make(&mut volume, root, name, &NewNode { rdev, target, ..node(mode) });
    }
    let mut volume = reopen(volume);
    volume.check().unwrap();
    let mut attributes = |name: &[u8]| {
        let ino = volume.lookup(root, name).unwrap();
        (volume.attributes(ino).unwrap(), volume.target(ino))
    };
    assert_eq!(attributes(b"fifo").0.mode, kind::FIFO | 0o600);
    assert_eq!(attributes(b"socket").0.mode, kind::SOCKET | 0o777);
    assert_eq!((attributes(b"null").0.mode, attributes(b"null").0.rdev), (kind::CHARACTER | 0o666, 0x103));
    assert_eq!(attributes(b"disk").0.rdev, 0xfff_ffff_0801);
    assert_eq!(attributes(b"fifo").1, Err(Errno::EINVAL));
    assert_eq!((attributes(b"short").0.size, attributes(b"short").1), (11, Ok(b"/etc/passwd".to_vec())));
    assert_eq!((attributes(b"long").0.size, attributes(b"long").1), (4095, Ok(long)));
}

#[test]
fn set_attributes_sets_what_it_says() {
    let mut volume = volume(4);
    let ino = make(&mut volume, 1, b"f", &node(kind::FILE | 0o600));
    volume.write(ino, 0, b"hello").unwrap();
    let to = Attributes {
        mode: kind::DIRECTORY | 0o4755,
        uid: u32::MAX - 1,
        gid: 9,
        nlink: 50,
        rdev: 7,
        size: 1000,
        blocks: 99,
        atime: -5,
        mtime: 1 << 62,
        ctime: 3,
        btime: 4,
    };
    volume.set_attributes(ino, &to).unwrap();
    let mut volume = reopen(volume);
    let want = Attributes { mode: kind::FILE | 0o4755, nlink: 1, rdev: 0, size: 5, blocks: 8, btime: TIME, ..to };
    assert_eq!(volume.attributes(ino), Ok(want));
}

/// RedoxFS' own code opens a volume of ours, finds everything, and what it writes is read here.
#[test]
fn redoxfs_reads_and_writes_the_same_format() {
    let mut ours = volume(32);
    let directory = make(&mut ours, 1, b"directory", &node(kind::DIRECTORY | 0o755));
    for nth in 0..3000 {
        make(&mut ours, directory, format!("name-{nth}").as_bytes(), &node(kind::FILE | 0o644));
    }
    let file = ours.lookup(directory, b"name-7").unwrap();
    ours.write(file, 100_000, &pattern(700_000, 3)).unwrap();
    make(&mut ours, 1, b"link", &NewNode { target: b"somewhere", ..node(kind::SYMLINK | 0o777) });
    for nth in (0..3000).step_by(3) {
        ours.unlink(directory, format!("name-{nth}").as_bytes()).unwrap();
    }
    ours.commit().unwrap();
    let free = ours.usage().unwrap().free;
    let bytes = ours.into_device().bytes().clone();

    let disk = redoxfs::DiskIo(std::io::Cursor::new(bytes));
    let mut theirs = redoxfs::FileSystem::open(disk, None, None, false).unwrap();
    assert_eq!(theirs.allocator().free(), free);
    theirs
        .tx(|tx| {
            let directory = tx.find_node(redoxfs::TreePtr::root(), "directory")?.ptr();
            let mut children = Vec::new();
            tx.child_nodes(directory, &mut children)?;
            assert_eq!(children.len(), 2000);
            for nth in 0..3000 {
                assert_eq!(tx.find_node(directory, &format!("name-{nth}")).is_ok(), nth % 3 != 0);
            }
            let file = tx.find_node(directory, "name-7")?;
            let mut bytes = vec![1; 900_000];
            assert_eq!(tx.read_node_inner(&file, 0, &mut bytes)?, 800_000);
            assert!(bytes[..100_000].iter().all(|&byte| byte == 0));
            assert_eq!(bytes[100_000..800_000], pattern(700_000, 3)[..]);
            let link = tx.find_node(redoxfs::TreePtr::root(), "link")?;
            let count = tx.read_node_inner(&link, 0, &mut bytes)?;
            assert_eq!(&bytes[..count], b"somewhere");

            for nth in 0..500 {
                tx.create_node(directory, &format!("theirs-{nth}"), redoxfs::Node::MODE_FILE | 0o600, 5, 6)?;
            }
            let new = tx.find_node(directory, "theirs-3")?.ptr();
            tx.write_node(new, 0, &pattern(200_000, 9), 5, 6)?;
            tx.remove_node(directory, "name-1", redoxfs::Node::MODE_FILE)?;
            Ok(())
        })
        .unwrap();
    let mut bytes = theirs.disk.0.into_inner();
    let mut device = Memory::new(bytes.len());
    device.bytes().swap_with_slice(&mut bytes);

    let mut ours = Redox::open(device, Options::default()).unwrap();
    ours.check().unwrap();
    assert_eq!(ours.lookup(directory, b"name-1"), Err(Errno::ENOENT));
    let new = ours.lookup(directory, b"theirs-3").unwrap();
    let mut bytes = vec![0; 300_000];
    assert_eq!(ours.read(new, 0, &mut bytes), Ok(200_000));
    assert_eq!(bytes[..200_000], pattern(200_000, 9)[..]);
    let mut count = 0;
    ours.entries(directory, &mut |_, _| count += 1).unwrap();
    assert_eq!(count, 2499);
}

#[test]
fn compressed_images_are_smaller_and_read_the_same() {
    let text: Vec<u8> = (0..3 << 20).map(|i: u32| b"the quick brown fox "[i as usize % 20] ^ (i >> 14) as u8).collect();
    let mut used = Vec::new();
    for compress in [false, true] {
        let options = Options { compress, ..Options::default() };
        let mut volume = format(Memory::new(16 << 20), &Format { options, ..Format::default() }).unwrap();
        let ino = make(&mut volume, 1, b"text", &node(kind::FILE | 0o644));
        volume.write(ino, 0, &text).unwrap();
        let mut volume = reopen(volume);
        used.push(volume.check().unwrap().used);
        let mut bytes = vec![0; text.len()];
        assert_eq!(volume.read(ino, 0, &mut bytes), Ok(text.len()));
        assert!(bytes == text);
        // A change in the middle of what is compressed.
        volume.write(ino, 1_000_000, b"changed").unwrap();
        let mut volume = reopen(volume);
        volume.check().unwrap();
        let mut bytes = vec![0; 9];
        volume.read(ino, 999_999, &mut bytes).unwrap();
        assert_eq!(&bytes[1..8], b"changed");
        assert_eq!((bytes[0], bytes[8]), (text[999_999], text[1_000_007]));
    }
    assert!(used[1] < used[0] - 700, "{used:?}");
}

#[test]
fn the_same_input_makes_the_same_bytes() {
    let image = || {
        let mut volume = volume(8);
        let directory = make(&mut volume, 1, b"etc", &node(kind::DIRECTORY | 0o755));
        for nth in 0..200 {
            let ino = make(&mut volume, directory, format!("{nth}").as_bytes(), &node(kind::FILE | 0o644));
            volume.write(ino, 0, &pattern(nth * 100, nth as u64)).unwrap();
        }
        volume.commit().unwrap();
        volume.into_device().bytes().clone()
    };
    assert!(image() == image());
}

#[test]
fn wrong_devices() {
    let open = |device: Memory| Redox::open(device, Options::default()).err();
    assert_eq!(open(Memory::new(0)), Some(Errno::EINVAL));
    assert_eq!(open(Memory::new(8 << 20)), Some(Errno::EINVAL));
    assert_eq!(format(Memory::new(2 << 20), &Format::default()).err(), Some(Errno::ENOSPC));
    let mut short = volume(8).into_device();
    short.bytes().truncate(7 << 20);
    assert_eq!(short.len(), 7 << 20);
    assert_eq!(open(short), Some(Errno::EIO));
}
