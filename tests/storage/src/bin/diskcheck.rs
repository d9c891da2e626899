//! A disk and its driver: `diskcheck rw|ro|kill|time [SCHEME]`.

use native_tests::{Result, check, pid_of, report};
use ochre_block::Disk;
use ochre_block::protocol::{ATTACH, SECTOR, Transfer};
use ochre_pci::Device;
use ochre_rt::mapping::Mapping;
use ochre_rt::syscall;
use ochre_scheme::abi::file::O_RDWR;
use ochre_scheme::abi::process::RIGHT_DEVICE;
use ochre_scheme::abi::signal::SIGKILL;
use ochre_scheme::{Client, Errno};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use storage_tests::{Numbers, SHARE, path, round, scheme};

const WORKERS: u64 = 8;

fn main() -> ExitCode {
    let what = std::env::args().nth(1).unwrap_or_default();
    let result = match &*what {
        "rw" => buses().and_then(|()| transfers()).and_then(|()| bytes()),
        "ro" => read_only(),
        "kill" => kill(),
        "time" => time(),
        _ => Err("usage: diskcheck rw|ro|kill|time [SCHEME]".into()),
    };
    report("diskcheck", result)
}

/// The scheme pci lists the disk, and its driver has it alone.
fn buses() -> Result<()> {
    if !scheme().contains("virtio") {
        return Ok(());
    }
    // The driver may only be starting: this waits for it.
    File::open(path())?;
    let mut disks = Vec::new();
    for entry in std::fs::read_dir("/scheme/pci")? {
        let entry = entry?;
        let read = |file: &str| std::fs::read_to_string(entry.path().join(file));
        let config = std::fs::read(entry.path().join("config"))?;
        let vendor = format!("{:#06x}\n", u16::from_le_bytes([config[0], config[1]]));
        check(read("vendor")? == vendor, format!("{:?}: vendor and config differ", entry.file_name()))?;
        check(read("resource")?.lines().count() == 6, "six base address registers")?;
        if (read("vendor")?.trim(), read("device")?.trim(), read("class")?.trim()) == ("0x1af4", "0x1042", "0x010000") {
            disks.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    check(disks.len() == 1, format!("virtio disks: {disks:?}"))?;
    check(Device::take(&disks[0]).err() == Some(Errno::EBUSY), "a device with two drivers")?;
    check(Device::take("00:00.7").err() == Some(Errno::ENOENT), "a device that is not there")
}

/// The driver, though it was started again, can open nothing, and has the right to physical addresses alone.
fn confined() -> Result<()> {
    let status = std::fs::read_to_string(format!("/scheme/proc/{}/status", pid_of(driver())?))?;
    let has = |wanted: &str| status.lines().any(|line| line == wanted);
    check(has(&format!("rights {RIGHT_DEVICE}")), format!("a driver's rights:\n{status}"))?;
    check(has("prefixes 0"), format!("a driver's namespace:\n{status}"))
}

/// Several requests under way, into and out of the client's own memory.
fn transfers() -> Result<()> {
    let disk = Disk::open(&path(), WORKERS * SHARE as u64)?;
    let info = disk.info()?;
    check(info.sectors == 32 << 11 && info.read_only == 0, format!("{info:?}"))?;
    check(info.id.starts_with(b"ochre-0\0"), "its name")?;
    let memory = Mapping::new(disk.memory(), 0, WORKERS as usize * SHARE)?;
    work(&disk, &memory, info.sectors, |rounds| rounds < 40)?;
    disk.flush()?;
    let what = Transfer { object: 0, memory: 0, disk: info.sectors * SECTOR - SECTOR, len: 512, write: 0 };
    disk.transfer(what)?;
    let fails = |what: Transfer, error: Errno| {
        let got = disk.transfer(what).err();
        check(got == Some(error), format!("{what:?}: {got:?}, not {error:?}"))
    };
    fails(Transfer { len: 1024, ..what }, Errno::EIO)?;
    fails(Transfer { disk: info.sectors * SECTOR, ..what }, Errno::EIO)?;
    fails(Transfer { disk: u64::MAX - 511, ..what }, Errno::EIO)?;
    fails(Transfer { len: 0, ..what }, Errno::EINVAL)?;
    fails(Transfer { len: 100, ..what }, Errno::EINVAL)?;
    fails(Transfer { disk: 0, memory: 100, ..what }, Errno::EINVAL)?;
    fails(Transfer { disk: 0, memory: WORKERS * SHARE as u64, ..what }, Errno::EINVAL)?;
    fails(Transfer { disk: 0, memory: u64::MAX - 511, ..what }, Errno::EINVAL)?;
    let other = Client::open(&path(), O_RDWR)?;
    check(other.value(ATTACH, [100, 0, 0]) == Err(Errno::EINVAL), "an object of less than a page")?;
    check(other.value(ATTACH, [4096, 0, 0]) == Err(Errno::EINVAL), "no object")
}

/// As dd and mkfs see it.
fn bytes() -> Result<()> {
    let mut disk = File::options().read(true).write(true).open(path())?;
    let size = disk.seek(SeekFrom::End(0))?;
    check(size == 32 << 20, format!("{size} bytes"))?;
    check(disk.read(&mut [0; 512])? == 0, "data behind the end")?;
    let mut numbers = Numbers(7);
    let pattern: Vec<u8> = (0..40_000).flat_map(|_| numbers.next().to_le_bytes()).collect();
    let pattern = &pattern[..300 * 1024];
    disk.seek(SeekFrom::Start(4096))?;
    disk.write_all(pattern)?;
    disk.sync_all()?;
    let mut back = vec![0; pattern.len()];
    disk.read_exact_at(&mut back, 4096)?;
    check(back == pattern, "other bytes came back")?;
    for (at, len) in [(4097, 10), (5000, 3000), (4096 + 65_535, 2), (4500, 200_001)] {
        disk.read_exact_at(&mut back[..len], at as u64)?;
        check(back[..len] == pattern[at - 4096..at - 4096 + len], format!("{len} bytes at {at}"))?;
    }
    check(disk.write_at(b"xyz", 4096 + 511)? == 3, "a part of two sectors")?;
    disk.read_exact_at(&mut back[..1024], 4096)?;
    let mut mixed = pattern[..1024].to_vec();
    mixed[511..514].copy_from_slice(b"xyz");
    check(back[..1024] == mixed, "what is beside a part of a sector")?;
    let full = disk.write_at(&[0; 512], size).map_err(|error| error.raw_os_error());
    check(full == Err(Some(Errno::ENOSPC.0)), format!("behind the end: {full:?}"))
}

fn read_only() -> Result<()> {
    let disk = Disk::open(&path(), SHARE as u64)?;
    check(disk.info()?.read_only == 1, "it is not")?;
    let what = Transfer { object: 0, memory: 0, disk: 0, len: 4096, write: 0 };
    disk.transfer(what)?;
    let got = disk.transfer(Transfer { write: 1, ..what });
    check(got == Err(Errno::EROFS), format!("{got:?}"))?;
    let file = File::options().write(true).open(path())?;
    let got = file.write_at(&[0; 512], 0).map_err(|error| error.raw_os_error());
    check(got == Err(Some(Errno::EROFS.0)), format!("{got:?}"))
}

/// The program that drives the disk.
fn driver() -> &'static str {
    if scheme().contains("virtio") { "virtio-blkd" } else { "ahcid" }
}

/// The driver is killed while eight threads write and read: they do not notice.
fn kill() -> Result<()> {
    let disk = Disk::open(&path(), WORKERS * SHARE as u64)?;
    let sectors = disk.info()?.sectors;
    let memory = Mapping::new(disk.memory(), 0, WORKERS as usize * SHARE)?;
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            work(&disk, &memory, sectors, |_| {
                done.fetch_add(1, Ordering::Relaxed);
                !stop.load(Ordering::Relaxed)
            })
            .map_err(|error| error.to_string())
        });
        let killed = || -> Result<Duration> {
            let mut worst = Duration::ZERO;
            for _ in 0..4 {
                let before = done.load(Ordering::Relaxed);
                while done.load(Ordering::Relaxed) < before + 20 && !worker.is_finished() {
                    std::thread::yield_now();
                }
                let (pid, old) = (pid_of(driver())?, File::open(path())?);
                let begin = Instant::now();
                syscall::kill(pid, SIGKILL)?;
                // Its handle goes on: it answers as long as it lives, and then its successor does.
                while syscall::kill(pid, 0).is_ok() {
                    old.read_exact_at(&mut [0; 512], 0)?;
                }
                old.read_exact_at(&mut [0; 512], 0)?;
                File::open(path())?.read_exact(&mut [0; 512])?;
                let took = begin.elapsed();
                println!("back after {} ms", took.as_millis());
                worst = worst.max(took);
            }
            Ok(worst)
        };
        let worst = killed();
        stop.store(true, Ordering::Relaxed);
        worker.join().map_err(|_| "a worker panicked")??;
        let worst = worst?;
        confined()?;
        check(worst < Duration::from_millis(100), format!("{} ms are more than 100", worst.as_millis()))
    })
}

/// Rounds of all workers, each as long as `more` (told how many it did) says so.
fn work(disk: &Disk, memory: &Mapping, sectors: u64, more: impl Fn(u64) -> bool + Sync) -> Result<()> {
    std::thread::scope(|scope| {
        let more = &more;
        let worker = |n| {
            move || -> std::result::Result<(), String> {
                let mut numbers = Numbers(n + 1);
                for rounds in 0.. {
                    if !more(rounds) {
                        break;
                    }
                    round(disk, memory, &mut numbers, n, WORKERS, sectors).map_err(|error| error.to_string())?;
                }
                Ok(())
            }
        };
        let threads: Vec<_> = (0..WORKERS).map(|n| scope.spawn(worker(n))).collect();
        for thread in threads {
            thread.join().map_err(|_| "a worker panicked")??;
        }
        Ok(())
    })
}

/// Times of requests, with what is spent waiting for the device: under `--icount` instructions of the whole machine, idle ones included.
fn time() -> Result<()> {
    const COUNT: u32 = 200;
    const LARGE: usize = 64 << 10;
    let disk = Disk::open(&path(), LARGE as u64)?;
    let file = File::open(path())?;
    let mut buffer = vec![0; LARGE];
    for (name, len) in [("4k", 4096u32), ("64k", LARGE as u32)] {
        let mut one = |n: u32, direct: bool| -> Result<()> {
            let at = u64::from(n) * u64::from(len);
            if direct {
                disk.transfer(Transfer { object: 0, memory: 0, disk: at, len, write: 0 })?;
            } else {
                file.read_exact_at(&mut buffer[..len as usize], at)?;
            }
            Ok(())
        };
        for (kind, direct) in [("", true), ("-copied", false)] {
            (0..COUNT).try_for_each(|n| one(n, direct))?;
            let begin = Instant::now();
            (0..COUNT).try_for_each(|n| one(n, direct))?;
            println!("row disk-read-{name}{kind} {} ns", begin.elapsed().as_nanos() / u128::from(COUNT));
        }
    }
    Ok(())
}
