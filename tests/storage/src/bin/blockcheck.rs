//! A disk as Linux's block devices are: `blockcheck disk|error|cd SCHEME`.

use native_tests::{Result, check, report};
use ochre_block::protocol::Transfer;
use ochre_block::{Disk, partitions};
use ochre_rt::mapping::Mapping;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Error;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::process::ExitCode;
use storage_tests::sys::{command, ioctl};
use storage_tests::{path, scheme};

const BLKROGET: u64 = 0x125e;
const BLKRRPART: u64 = 0x125f;
const BLKGETSIZE: u64 = 0x1260;
const BLKFLSBUF: u64 = 0x1261;
const BLKSSZGET: u64 = 0x1268;
const BLKGETSIZE64: u64 = 0x8008_1272;
const BLKDISCARD: u64 = 0x1277;
const BLKPBSZGET: u64 = 0x127b;
const BLKSECDISCARD: u64 = 0x127d;
const BLKZEROOUT: u64 = 0x127f;
const HDIO_GETGEO: u64 = 0x0301;
const CDROM_DRIVE_STATUS: u64 = 0x5326;
const CDROMEJECT: u64 = 0x5309;
const ENOMEDIUM: i32 = 123;

/// The sectors that tests/system/storage.toml has made bad.
const BAD_READ: u64 = 2003;
const BAD_WRITE: u64 = 4007;

fn main() -> ExitCode {
    let what = std::env::args().nth(1).unwrap_or_default();
    let result = match &*what {
        "disk" => properties()
            .and_then(|()| clearing())
            .and_then(|()| opening())
            .and_then(|()| parts())
            .and_then(|()| table()),
        "error" => errors(),
        "flush" => flush(),
        "cd" => cd(),
        _ => Err("usage: blockcheck disk|error|flush|cd SCHEME".into()),
    };
    report("blockcheck", result)
}

/// The errno of a call that must fail.
fn errno<T>(result: std::io::Result<T>) -> i32 {
    result.err().and_then(|error: Error| error.raw_os_error()).unwrap_or(0)
}

fn both() -> Result<File> {
    Ok(File::options().read(true).write(true).open(path())?)
}

/// Numbers that ioctls and stat give.
fn properties() -> Result<()> {
    let file = both()?;
    let mut long = [0; 8];
    ioctl(&file, BLKGETSIZE64, &mut long)?;
    check(u64::from_ne_bytes(long) == 32 << 20, format!("BLKGETSIZE64 {long:?}"))?;
    ioctl(&file, BLKGETSIZE, &mut long)?;
    check(u64::from_ne_bytes(long) == 32 << 11, format!("BLKGETSIZE {long:?}"))?;
    let mut int = [0; 4];
    ioctl(&file, BLKSSZGET, &mut int)?;
    check(u32::from_ne_bytes(int) == 512, format!("BLKSSZGET {int:?}"))?;
    ioctl(&file, BLKPBSZGET, &mut int)?;
    check(u32::from_ne_bytes(int) == 512, format!("BLKPBSZGET {int:?}"))?;
    ioctl(&file, BLKROGET, &mut int)?;
    check(int == [0; 4], format!("BLKROGET {int:?}"))?;
    command(&file, BLKFLSBUF, 0)?;
    let mut geometry = [0xff; 16];
    ioctl(&file, HDIO_GETGEO, &mut geometry)?;
    check(geometry == [255, 63, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], format!("HDIO_GETGEO {geometry:?}"))?;
    check(errno(command(&file, CDROM_DRIVE_STATUS, 0)) == libc::ENOTTY, "a disk is no CD drive")?;
    check(errno(command(&file, 0x127e_0000, 0)) == libc::ENOTTY, "an unknown ioctl")?;
    let stat = file.metadata()?;
    let number = if scheme().contains("virtio") { 254 << 8 } else { 8 << 8 };
    check(stat.mode() == libc::S_IFBLK | 0o660 && stat.rdev() == number, format!("{stat:?}"))?;
    check(stat.gid() == 6 && stat.size() == 0, format!("{stat:?}"))
}

/// Discarding and zeroing.
fn clearing() -> Result<()> {
    let file = both()?;
    let range = |at: u64, len: u64| {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&at.to_ne_bytes());
        bytes[8..].copy_from_slice(&len.to_ne_bytes());
        bytes
    };
    file.write_all_at(&[7; 300 << 10], 1 << 20)?;
    ioctl(&file, BLKZEROOUT, &mut range((1 << 20) + 512, 200 << 10))?;
    let mut back = vec![1; 300 << 10];
    file.read_exact_at(&mut back, 1 << 20)?;
    let zero = 512..512 + (200 << 10);
    let wrong = back.iter().enumerate().find(|(n, byte)| **byte != if zero.contains(n) { 0 } else { 7 });
    check(wrong.is_none(), format!("after BLKZEROOUT: {wrong:?}"))?;
    ioctl(&file, BLKDISCARD, &mut range(1 << 20, 64 << 10))?;
    file.read_exact_at(&mut back, 1 << 20)?;
    check(back[290 << 10] == 7, "more was discarded than was asked for")?;
    for (at, len) in [(1, 512), (0, 100), (0, 0), (32 << 20, 512), (u64::MAX - 511, 512), (512, u64::MAX - 511)] {
        for request in [BLKDISCARD, BLKZEROOUT] {
            check(errno(ioctl(&file, request, &mut range(at, len))) == libc::EINVAL, format!("{len} bytes at {at}"))?;
        }
    }
    check(errno(ioctl(&file, BLKSECDISCARD, &mut range(0, 512))) == libc::EOPNOTSUPP, "BLKSECDISCARD")?;
    let read_only = File::open(path())?;
    check(errno(ioctl(&read_only, BLKDISCARD, &mut range(0, 512))) == libc::EBADF, "discarding without writing")
}

/// O_DIRECT, O_EXCL, O_DSYNC.
fn opening() -> Result<()> {
    let open = |flags| OpenOptions::new().read(true).write(true).custom_flags(flags).open(path());
    let direct = open(libc::O_DIRECT)?;
    let mut sector = [0; 512];
    check(errno(direct.read_at(&mut sector[..100], 0)) == libc::EINVAL, "O_DIRECT: 100 bytes")?;
    check(errno(direct.read_at(&mut sector, 100)) == libc::EINVAL, "O_DIRECT: at 100")?;
    check(direct.read_at(&mut sector, 512)? == 512, "O_DIRECT: a sector")?;
    let alone = open(libc::O_EXCL)?;
    check(errno(open(libc::O_EXCL)) == libc::EBUSY, "O_EXCL twice")?;
    open(0)?;
    drop(alone);
    open(libc::O_EXCL)?;
    check(open(libc::O_DSYNC)?.write_at(b"synchronous", 3)? == 11, "O_DSYNC")?;
    check(errno(open(libc::O_DIRECTORY)) == libc::ENOTDIR, "it is no directory")
}

/// Many writers of parts of the same sectors undo nothing of each other.
fn parts() -> Result<()> {
    const WRITERS: usize = 8;
    const PART: usize = 100;
    let done: Vec<std::io::Result<()>> = std::thread::scope(|scope| {
        let write = |n: usize| {
            move || {
                let file = File::options().write(true).open(path())?;
                (0..40).try_for_each(|k| file.write_all_at(&[n as u8 + 1; PART], ((k * WRITERS + n) * PART) as u64))
            }
        };
        let threads: Vec<_> = (0..WRITERS).map(|n| scope.spawn(write(n))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    check(done.len() == WRITERS && done.iter().all(|result| result.is_ok()), format!("{done:?}"))?;
    let mut back = vec![0; 40 * WRITERS * PART];
    File::open(path())?.read_exact_at(&mut back, 0)?;
    let wrong = back.iter().enumerate().find(|(n, byte)| usize::from(**byte) != n / PART % WRITERS + 1);
    check(wrong.is_none(), format!("of the writers' parts: {wrong:?}"))
}

/// A table with logical partitions is written, read and used.
fn table() -> Result<()> {
    let file = both()?;
    let slot = |at: u64, n: u64, kind: u8, start: u32, sectors: u32| -> Result<()> {
        let mut slot = [0; 16];
        slot[4] = kind;
        slot[8..12].copy_from_slice(&start.to_le_bytes());
        slot[12..].copy_from_slice(&sectors.to_le_bytes());
        file.write_all_at(&slot, at * 512 + 446 + 16 * n)?;
        Ok(file.write_all_at(&[0x55, 0xaa], at * 512 + 510)?)
    };
    file.write_all_at(&[0; 512], 0)?;
    file.write_all_at(&[0; 512], 20_000 * 512)?;
    file.write_all_at(&0x1234_abcdu32.to_le_bytes(), 440)?;
    slot(0, 0, 0x83, 2048, 4096)?;
    slot(0, 1, 0x83, 60_000, 60_000)?;
    slot(0, 2, 0x05, 20_000, 10_000)?;
    slot(20_000, 0, 0x82, 48, 1000)?;
    command(&file, BLKRRPART, 0)?;
    let found: Vec<String> = partitions(&scheme())?.iter().map(|partition| partition.to_string()).collect();
    let expected = ["0p1\t2048\t4096\t0x83\t1234abcd-01\t", "0p5\t20048\t1000\t0x82\t1234abcd-05\t"];
    check(found == expected, format!("{found:?}"))?;
    let names: std::io::Result<BTreeSet<_>> =
        std::fs::read_dir(format!("/scheme/{}", scheme()))?.map(|entry| Ok(entry?.file_name())).collect();
    let names: Vec<_> = names?.into_iter().collect();
    check(names == ["0", "0p1", "0p5", "partitions"], format!("{names:?}"))?;
    let name = format!("{}p5", path());
    let part = File::options().read(true).write(true).open(&name)?;
    check(errno(command(&file, BLKRRPART, 0)) == libc::EBUSY, "a partition is open")?;
    check(errno(command(&part, BLKRRPART, 0)) == libc::EINVAL, "the table of a partition")?;
    let mut geometry = [0; 16];
    ioctl(&part, HDIO_GETGEO, &mut geometry)?;
    check(geometry[8..] == 20_048u64.to_ne_bytes(), format!("a partition's beginning: {geometry:?}"))?;
    part.write_all_at(b"in the partition", 999 * 512 + 490)?;
    let mut back = [0; 16];
    file.read_exact_at(&mut back, 21_047 * 512 + 490)?;
    check(back == *b"in the partition", "a partition is a part of the disk")?;
    check(part.write_at(&[1; 100], 1000 * 512 - 10)? == 10, "writing over a partition's end")?;
    check(errno(part.write_at(&[1; 10], 1000 * 512)) == libc::ENOSPC, "writing behind a partition's end")?;
    check(part.read_at(&mut back, 1000 * 512)? == 0, "reading behind a partition's end")?;
    let number = part.metadata()?.rdev() & 0xff;
    check(number == 5, format!("its minor number is {number}"))?;
    let alone = OpenOptions::new().read(true).custom_flags(libc::O_EXCL).open(&name)?;
    check(Disk::open_exclusive(&path(), 4096).is_err(), "the disk of a partition that somebody has alone")?;
    drop(alone);
    let disk = Disk::open_exclusive(&name, 4096)?;
    check(disk.info()?.start == 20_048 && disk.info()?.sectors == 1000, format!("{:?}", disk.info()?))?;
    let memory = Mapping::new(disk.memory(), 0, 4096)?;
    disk.transfer(Transfer { object: 0, memory: 0, disk: 999 * 512, len: 512, write: 0 })?;
    memory.copy_out(490, &mut back[..12])?;
    check(&back[..12] == b"in the parti", "a transfer of a partition")?;
    let behind = disk.transfer(Transfer { object: 0, memory: 0, disk: 1000 * 512, len: 512, write: 0 });
    check(behind.is_err(), "a transfer behind a partition's end")
}

/// Bad sectors are EIO, all others work, before and after.
fn errors() -> Result<()> {
    let file = both()?;
    let mut sector = [0; 512];
    let large = vec![5; 256 << 10];
    file.write_all_at(&large, 0)?;
    for round in 0..3 {
        check(errno(file.read_at(&mut sector, BAD_READ * 512)) == libc::EIO, format!("round {round}: the bad sector"))?;
        file.read_exact_at(&mut sector, (BAD_READ + 1) * 512)?;
        file.read_exact_at(&mut sector, (BAD_READ - 1) * 512)?;
        // As much as is good comes back.
        let mut back = vec![0; 256 << 10];
        let got = file.read_at(&mut back, (BAD_READ - 100) * 512)?;
        check(got == 100 * 512, format!("round {round}: {got} bytes before the bad sector"))?;
        let got = file.write_at(&large, (BAD_WRITE - 77) * 512)?;
        check(got == 77 * 512, format!("round {round}: {got} bytes written before the bad sector"))?;
        check(errno(file.write_at(&sector, BAD_WRITE * 512)) == libc::EIO, format!("round {round}: writing"))?;
        file.write_all_at(&sector, (BAD_WRITE + 1) * 512)?;
    }
    // Transfers of several threads at once: those that touch the sector fail, the others do not.
    let disk = Disk::open(&path(), 16 * 4096)?;
    let outcomes: Vec<bool> = std::thread::scope(|scope| {
        let one = |n: u64| {
            let disk = &disk;
            move || {
                (0..20).all(|round| {
                    let at = (BAD_READ / 8 * 8 - 64 + n * 8) * 512;
                    let what = Transfer { object: 0, memory: n * 4096, disk: at, len: 4096, write: 0 };
                    let _ = round;
                    disk.transfer(what).is_err() == (n == 8)
                })
            }
        };
        let threads: Vec<_> = (0..16).map(|n| scope.spawn(one(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(false)).collect()
    });
    check(outcomes.iter().all(|fine| *fine), format!("threads: {outcomes:?}"))?;
    file.sync_all()?;
    Ok(file.read_exact_at(&mut sector, 0)?)
}

/// A flush that fails is EIO.
fn flush() -> Result<()> {
    let file = both()?;
    file.write_all_at(&[1; 512], 0)?;
    check(errno(file.sync_all()) == libc::EIO, "fsync")?;
    Ok(file.write_all_at(&[1; 512], 0)?)
}

/// Drive 0 holds the ISO that this system came from, drive 1 an empty medium, which is taken out and put back.
fn cd() -> Result<()> {
    let file = File::open(path())?;
    let mut back = [0; 6];
    file.read_exact_at(&mut back, 32_768)?;
    check(back == *b"\x01CD001", format!("no ISO 9660: {back:?}"))?;
    check(errno(File::options().write(true).open(path())) == libc::EROFS, "a CD cannot be written to")?;
    let mut int = [0; 4];
    ioctl(&file, BLKSSZGET, &mut int)?;
    check(u32::from_ne_bytes(int) == 2048, format!("BLKSSZGET {int:?}"))?;
    check(file.metadata()?.rdev() == 11 << 8, "its number")?;
    // What transfers bring is what read(2) does, at any byte.
    let disk = Disk::open(&path(), 1 << 20)?;
    let info = disk.info()?;
    check(info.read_only == 1 && info.removable == 1 && info.logical == 2048, format!("{info:?}"))?;
    let memory = Mapping::new(disk.memory(), 0, 1 << 20)?;
    let len = (info.sectors * 512).min(1 << 20) as usize / 2048 * 2048;
    disk.transfer(Transfer { object: 0, memory: 0, disk: 0, len: len as u32, write: 0 })?;
    let mut whole = vec![0; len];
    memory.copy_out(0, &mut whole)?;
    for (at, len) in [(0, 100_000), (32_769, 5), (65_535, 2), (40_000, 70_001)] {
        let mut some = vec![0; len];
        file.read_exact_at(&mut some, at as u64)?;
        check(some == whole[at..at + len], format!("{len} bytes at {at}"))?;
    }
    let odd = disk.transfer(Transfer { object: 0, memory: 0, disk: 512, len: 512, write: 0 });
    check(odd.is_err(), "a quarter of a block")?;
    let name = format!("/scheme/{}/1", scheme());
    let other = File::open(&name)?;
    check(command(&other, CDROM_DRIVE_STATUS, i32::MAX as u64)? == 4, "its medium is there")?;
    println!("reading");
    let mut block = [0; 2048];
    let gone = loop {
        match other.read_at(&mut block, 4096) {
            Ok(2048) => {}
            Ok(some) => break format!("{some} bytes"),
            Err(error) if error.raw_os_error() == Some(ENOMEDIUM) => break String::new(),
            Err(error) => break error.to_string(),
        }
    };
    check(gone.is_empty(), format!("the medium was taken out: {gone}"))?;
    check(errno(other.read_at(&mut block, 0)) == ENOMEDIUM, "reading without a medium")?;
    check(errno(File::open(&name)) == ENOMEDIUM, "opening without a medium")?;
    let waiting = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&name)?;
    check(command(&waiting, CDROM_DRIVE_STATUS, i32::MAX as u64)? == 1, "there is no medium")?;
    println!("empty");
    let back = loop {
        match File::open(&name) {
            Ok(file) => break file,
            Err(error) if error.raw_os_error() == Some(ENOMEDIUM) => std::thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
    };
    check(back.read_at(&mut block, 2048)? == 2048, "the medium is back")?;
    check(errno(command(&back, CDROMEJECT, 0)) == libc::EBUSY, "others have it open")?;
    drop((other, waiting));
    command(&back, CDROMEJECT, 0)?;
    check(errno(back.read_at(&mut block, 0)) == ENOMEDIUM, "the drive took it out")
}
