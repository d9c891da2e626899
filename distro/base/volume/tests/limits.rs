//! Full devices, large directories and files, devices that fail, live media.

mod common;

use std::cell::Cell;
use std::rc::Rc;

use common::{compare_content, directory, file, make, pattern};
use ochre_volume::device::{Device, Memory, Overlay, Window};
use ochre_volume::redox::{Format, Options, RECORD, Redox, format};
use ochre_volume::{Errno, Result, Volume};

fn volume(bytes: usize) -> Redox<Memory> {
    format(Memory::new(bytes), &Format::default()).unwrap()
}

fn reopen<D: Device>(mut volume: Redox<D>) -> Redox<D> {
    volume.commit().unwrap();
    Redox::open(volume.into_device(), Options::default()).unwrap()
}

#[test]
fn a_directory_of_100_000_names() {
    let mut volume = volume(600 << 20);
    let many = make(&mut volume, 1, b"many", &directory()).unwrap();
    let name = |nth: u32| format!("{nth:07}").into_bytes();
    let ino = make(&mut volume, many, &name(0), &file(0o600)).unwrap();
    for nth in 1..100_000 {
        // Most are names of one file: it is the directory that is tested.
        if nth % 100 == 0 {
            make(&mut volume, many, &name(nth), &file(0o600)).unwrap();
        } else {
            volume.link(many, &name(nth), ino).unwrap();
        }
    }
    let mut volume = reopen(volume);
    volume.check().unwrap();
    assert_eq!(volume.attributes(ino).unwrap().nlink, 99_001);
    let mut seen = vec![false; 100_000];
    let mut each = |name: &[u8], _| {
        let nth: usize = std::str::from_utf8(name).unwrap().parse().unwrap();
        assert!(!std::mem::replace(&mut seen[nth], true));
    };
    volume.entries(many, &mut each).unwrap();
    assert!(seen.into_iter().all(|seen| seen));
    assert_eq!(volume.unlink(1, b"many"), Err(Errno::ENOTEMPTY));
    for nth in (0..100_000).filter(|nth| nth % 3 != 0) {
        volume.unlink(many, &name(nth)).unwrap();
    }
    let mut volume = reopen(volume);
    volume.check().unwrap();
    for nth in 0..100_000 {
        assert_eq!(volume.lookup(many, &name(nth)).is_ok(), nth % 3 == 0);
    }
    for nth in (0..100_000).filter(|nth| nth % 3 == 0) {
        volume.unlink(many, &name(nth)).unwrap();
    }
    assert_eq!(volume.is_empty(many), Ok(true));
    volume.unlink(1, b"many").unwrap();
    assert_eq!(volume.check().unwrap().nodes, 1);
}

#[test]
fn a_full_volume_stays_whole_and_gets_its_room_back() {
    for size in [3usize << 20, 8 << 20, 33 << 20] {
        let mut volume = volume(size);
        let before = volume.usage().unwrap();
        for round in 0..4u64 {
            let mut made = 0u64;
            // Small files until nothing fits, then a large one as far as it goes.
            let full = loop {
                let result = make(&mut volume, 1, format!("s{made}").as_bytes(), &file(0o600))
                    .and_then(|ino| volume.write(ino, 0, &pattern((made * 997 % 30_000) as usize, made)));
                if let Err(errno) = result {
                    break errno;
                }
                made += 1;
            };
            assert_eq!(full, Errno::ENOSPC);
            let ino = volume.lookup(1, b"s0").unwrap();
            let mut at = 0;
            let full = loop {
                if let Err(errno) = volume.write(ino, at, &pattern(10_000, round)) {
                    break errno;
                }
                at += 10_000;
            };
            assert_eq!(full, Errno::ENOSPC);
            let usage = volume.usage().unwrap();
            assert!(usage.available <= 64 + 32, "{usage:?}");
            volume = reopen(volume);
            volume.check().unwrap();
            for nth in 1..made {
                let ino = volume.lookup(1, format!("s{nth}").as_bytes()).unwrap();
                compare_content(&mut volume, ino, &pattern((nth * 997 % 30_000) as usize, nth));
            }
            // Deleting works, in an order that leaves pieces.
            for nth in (0..=made).filter(|nth| nth % 2 == 1).chain((0..=made).filter(|nth| nth % 2 == 0)) {
                let result = volume.unlink(1, format!("s{nth}").as_bytes());
                assert!(result.is_ok() || nth == made);
            }
            volume.commit().unwrap();
            let usage = volume.usage().unwrap();
            assert!(usage.free + 20 >= before.free, "{usage:?} of {before:?}");
        }
        volume.check().unwrap();
    }
}

/// Large files can be written when the free room is in small pieces only.
#[test]
fn a_file_in_small_pieces() {
    let mut volume = volume(16 << 20);
    let mut made = 0;
    while make(&mut volume, 1, format!("{made}").as_bytes(), &file(0)).is_ok() {
        made += 1;
    }
    for nth in (0..made).step_by(2) {
        volume.unlink(1, format!("{nth}").as_bytes()).unwrap();
    }
    volume.commit().unwrap();
    let available = volume.usage().unwrap().available as usize * 4096;
    let ino = make(&mut volume, 1, b"large", &file(0)).unwrap();
    let content = pattern(available / 2, 1);
    volume.write(ino, 0, &content).unwrap();
    let mut volume = reopen(volume);
    volume.check().unwrap();
    compare_content(&mut volume, ino, &content);
}

#[test]
fn sparse_files() {
    let mut volume = volume(16 << 20);
    let ino = make(&mut volume, 1, b"sparse", &file(0)).unwrap();
    let far = (1u64 << 50) - 5;
    for at in [0, 40 << 20, 3 << 30, 1 << 40, far] {
        volume.write(ino, at, b"0123456789").unwrap();
    }
    let mut volume = reopen(volume);
    volume.check().unwrap();
    assert_eq!(volume.attributes(ino).unwrap().size, far + 10);
    assert!(volume.attributes(ino).unwrap().blocks < 8 * 64);
    let mut bytes = [0; 20];
    assert_eq!(volume.read(ino, far, &mut bytes), Ok(10));
    assert_eq!(&bytes[..10], b"0123456789");
    let record = RECORD as u64;
    assert_eq!(volume.next_data(ino, record), Ok(Some((40 << 20) / record * record)));
    assert_eq!(volume.next_data(ino, (1 << 40) + record), Ok(Some(far / record * record)));
    assert_eq!(volume.next_hole(ino, 0), Ok(Some(record)));
    assert_eq!(volume.next_hole(ino, far), Ok(Some(far + 10)));
    volume.punch(ino, 1 << 30, 1 << 45).unwrap();
    assert_eq!(volume.next_data(ino, 1 << 30), Ok(Some(far / record * record)));
    volume.resize(ino, (40 << 20) + 3).unwrap();
    assert_eq!(volume.resize(ino, 1 << 62), Err(Errno::EFBIG));
    volume.resize(ino, 1 << 51).unwrap();
    assert_eq!(volume.read(ino, 40 << 20, &mut bytes), Ok(20));
    assert_eq!(&bytes, b"012\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(volume.next_data(ino, 41 << 20), Ok(None));
    volume.check().unwrap();
    volume.unlink(1, b"sparse").unwrap();
    assert_eq!(volume.check().unwrap().nodes, 1);
}

/// Deleting a large file keeps little in memory, and a crash in the middle of it loses nothing but that file.
#[test]
fn a_large_file_goes_in_steps() {
    let options = Options { dirty_limit: 1 << 20, ..Options::default() };
    let mut volume = volume(200 << 20);
    let ino = make(&mut volume, 1, b"large", &file(0)).unwrap();
    // Many small records: as if the disk had been in pieces.
    let content = pattern(1 << 20, 5);
    for nth in 0..150 {
        volume.write(ino, nth << 20, &content).unwrap();
    }
    let mut volume = reopen(volume);
    volume.hold(ino).unwrap();
    volume.unlink(1, b"large").unwrap();
    volume.commit().unwrap();
    // The power goes while it is held: it is freed at the next mount.
    let mut volume = Redox::open(volume.into_device(), options).unwrap();
    assert_eq!(volume.attributes(ino), Err(Errno::ENOENT));
    let census = volume.check().unwrap();
    assert_eq!(census.nodes, 1);
    assert!(census.used < 300, "{census:?}");
}

/// A file server that takes over holds what is still open before the rest is freed.
#[test]
fn nodes_without_names_can_be_taken_over() {
    let mut volume = volume(16 << 20);
    let [open, closed] = [5, 6].map(|seed| {
        let ino = volume.create(&file(0)).unwrap();
        volume.write(ino, 0, &pattern(300_000, seed)).unwrap();
        ino
    });
    volume.commit().unwrap();
    let options = Options { keep_unnamed: true, ..Options::default() };
    let mut volume = Redox::open(volume.into_device(), options).unwrap();
    volume.hold(open).unwrap();
    volume.free_unheld();
    assert_eq!(volume.attributes(closed), Err(Errno::ENOENT));
    compare_content(&mut volume, open, &pattern(300_000, 5));
    volume.link(1, b"named again", open).unwrap();
    volume.release(open).unwrap();
    let mut volume = reopen(volume);
    compare_content(&mut volume, open, &pattern(300_000, 5));
    assert_eq!(volume.check().unwrap().nodes, 2);
}

/// A device that fails from some request on.
struct Failing {
    memory: Memory,
    writes_left: usize,
    reads_left: Rc<Cell<usize>>,
}

impl Device for Failing {
    fn len(&self) -> u64 {
        self.memory.len()
    }

    fn read_only(&self) -> bool {
        false
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.reads_left.set(self.reads_left.get().checked_sub(1).ok_or(Errno::EIO)?);
        self.memory.read(offset, buffer)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.writes_left = self.writes_left.checked_sub(1).ok_or(Errno::EIO)?;
        self.memory.write(offset, bytes)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_device_that_fails_to_write_leaves_the_last_commit() {
    for writes_left in 0..25 {
        let mut whole = volume(8 << 20);
        make(&mut whole, 1, b"safe", &file(0o600)).unwrap();
        whole.commit().unwrap();
        let device = Failing { memory: whole.into_device(), writes_left, reads_left: Rc::new(Cell::new(usize::MAX)) };
        let mut volume = Redox::open(device, Options::default()).unwrap();
        let mut safe = vec![b"safe".to_vec()];
        let failed = (0..50).find_map(|nth| {
            let name = format!("n{nth}").into_bytes();
            let ino = make(&mut volume, 1, &name, &file(0o600)).unwrap();
            volume.write(ino, 0, &pattern(9000, nth)).unwrap();
            let result = volume.commit();
            if result.is_ok() {
                safe.push(name);
            }
            result.err()
        });
        assert_eq!(failed, Some(Errno::EIO));
        // Nothing more is written, everything can still be read.
        assert!(volume.read_only());
        assert_eq!(volume.commit(), Err(Errno::EIO));
        assert_eq!(volume.create(&file(0)), Err(Errno::EROFS));
        assert_eq!(volume.unlink(1, b"safe"), Err(Errno::EROFS));
        assert!(volume.lookup(1, b"safe").is_ok());
        let mut volume = Redox::open(volume.into_device().memory, Options::default()).unwrap();
        volume.check().unwrap();
        for name in safe {
            volume.lookup(1, &name).unwrap();
        }
    }
}

#[test]
fn errors_of_reads_do_no_harm() {
    let mut whole = volume(16 << 20);
    let many = make(&mut whole, 1, b"many", &directory()).unwrap();
    for nth in 0..2000 {
        let ino = make(&mut whole, many, format!("{nth}").as_bytes(), &file(0)).unwrap();
        if nth % 100 == 0 {
            whole.write(ino, 0, &pattern(50_000, nth)).unwrap();
        }
    }
    whole.commit().unwrap();
    let whole = whole.into_device();
    let mut errors = 0;
    for fails_after in 0..60 {
        let reads_left = Rc::new(Cell::new(usize::MAX));
        let device = Failing { memory: whole.clone(), writes_left: usize::MAX, reads_left: reads_left.clone() };
        // Without caches every block is read each time.
        let options = Options { metadata_cache: 0, record_cache: 0, ..Options::default() };
        let mut volume = Redox::open(device, options).unwrap();
        for nth in 0..12u64 {
            let name = format!("{}", nth * 100).into_bytes();
            let other = format!("{}", nth * 100 + 1).into_bytes();
            let mut with_errors = |change: &mut dyn FnMut(&mut Redox<Failing>) -> Result<()>| {
                reads_left.set(fails_after);
                errors += usize::from(change(&mut volume) == Err(Errno::EIO));
                reads_left.set(usize::MAX);
            };
            with_errors(&mut |volume| volume.rename((many, &name), (many, b"new"), false));
            with_errors(&mut |volume| volume.rename((many, &other), (1, &name), false));
            with_errors(&mut |volume| volume.unlink(many, b"new").map(drop));
            with_errors(&mut |volume| make(volume, many, b"made", &file(0)).map(drop));
            with_errors(&mut |volume| volume.unlink(many, b"made").map(drop));
            volume.commit().unwrap();
        }
        assert!(!volume.read_only());
        volume.check().unwrap();
    }
    assert!(errors > 100, "{errors}");
}

#[test]
fn live_media_keep_changes_in_bounded_memory() {
    let mut medium = volume(32 << 20);
    for nth in 0..50 {
        let ino = make(&mut medium, 1, format!("{nth}").as_bytes(), &file(0o644)).unwrap();
        medium.write(ino, 0, &pattern(100_000, nth)).unwrap();
    }
    medium.commit().unwrap();
    let medium = medium.into_device();
    let limit = 6 << 20;
    let mut volume = Redox::open(Overlay::new(medium.clone(), limit), Options::default()).unwrap();
    // Far more is written than there is memory, but never more at once.
    for round in 0..60 {
        let ino = make(&mut volume, 1, b"new", &file(0o600)).unwrap();
        volume.write(ino, 0, &pattern(2 << 20, round)).unwrap();
        volume.commit().unwrap();
        compare_content(&mut volume, ino, &pattern(2 << 20, round));
        volume.unlink(1, b"new").unwrap();
    }
    // When it is full, it says so in time.
    let ino = make(&mut volume, 1, b"large", &file(0o600)).unwrap();
    let mut at = 0;
    let full = loop {
        if let Err(errno) = volume.write(ino, at, &pattern(60_000, at)) {
            break errno;
        }
        at += 60_000;
    };
    assert_eq!(full, Errno::ENOSPC);
    assert!(at > 3 << 20, "{at} bytes");
    volume.commit().unwrap();
    volume.unlink(1, b"large").unwrap();
    for nth in 0..50 {
        let ino = volume.lookup(1, format!("{nth}").as_bytes()).unwrap();
        compare_content(&mut volume, ino, &pattern(100_000, nth));
    }
    volume.check().unwrap();
    assert!(volume.into_device().used() <= limit);
}

#[test]
fn windows_and_read_only() {
    let mut window = Window::new(Memory::new(16 << 20), 1 << 20, 8 << 20).unwrap();
    assert!(Window::new(Memory::new(1 << 20), 4096, 1 << 20).is_err());
    assert!(Window::new(Memory::new(1 << 20), 512, 4096).is_err());
    let mut block = vec![0; 4096];
    assert_eq!(window.read(8 << 20, &mut block), Err(Errno::EINVAL));
    assert_eq!(window.write(u64::MAX - 4095, &block), Err(Errno::EINVAL));
    assert_eq!(window.read(100, &mut block), Err(Errno::EINVAL));
    let mut volume = format(window, &Format::default()).unwrap();
    let ino = make(&mut volume, 1, b"f", &file(0)).unwrap();
    volume.commit().unwrap();
    let window = volume.into_device();
    let mut volume = Redox::open(window, Options { read_only: true, ..Options::default() }).unwrap();
    assert!(volume.read_only());
    volume.hold(ino).unwrap();
    assert_eq!(volume.unlink(1, b"f"), Err(Errno::EROFS));
    assert_eq!(volume.write(ino, 0, b"x"), Err(Errno::EROFS));
    assert_eq!(volume.resize(ino, 0), Err(Errno::EROFS));
    assert_eq!(volume.set_xattr(ino, b"user.a", b"x"), Err(Errno::EROFS));
    assert_eq!(volume.release(ino), Ok(()));
    assert_eq!(volume.commit(), Ok(()));
}

/// A file server may move its volume to another thread.
#[test]
fn volumes_are_send() {
    fn send<T: Send>(_: &T) {}
    send(&volume(4 << 20));
}
