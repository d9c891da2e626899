//! Disk drivers are killed while Debian's `tar` and `dd` work on a disk's file system: nothing is lost, and neither of them notices.
//!
//! /mnt/disk is the file system on one disk, and the second disk is a tar archive.

use native_tests::{Result, check, report};
use ochre_rt::syscall;
use ochre_scheme::abi::signal::SIGKILL;
use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

const ARCHIVE: &str = "/scheme/disk.virtio-1/0";
const DRIVER: &str = "virtio-blkd";
const TREE: &str = "/mnt/disk/tree";
const COPY: &str = "/mnt/disk/copy";

/// Within which a driver must be back.
const BOUND: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    report("worklost", run())
}

fn run() -> Result<()> {
    std::fs::create_dir(TREE)?;
    let mut tar = Command::new("/bin/tar").args(["-xf", ARCHIVE, "-C", TREE]).spawn()?;
    let kills = kill_during(&mut tar, "tar")?;
    let (from, to) = (format!("if={ARCHIVE}"), format!("of={COPY}"));
    let mut dd = Command::new("/bin/dd").args([&*from, &*to, "bs=64k", "conv=fsync", "status=none"]).spawn()?;
    let kills = kills + kill_during(&mut dd, "dd")?;
    check(kills >= 4, format!("only {kills} kills came while the programs worked"))?;
    let status = Command::new("/bin/tar").args(["-df", ARCHIVE, "-C", TREE]).status()?;
    check(status.success(), format!("the tree differs from the archive: {status}"))?;
    let (mut one, mut two) = (File::open(ARCHIVE)?, File::open(COPY)?);
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let count = one.read(&mut left)?;
        if count == 0 {
            break;
        }
        two.read_exact(&mut right[..count])?;
        check(left[..count] == right[..count], "the copy differs from the archive")?;
    }
    check(two.read(&mut right)? == 0, "the copy is longer than the archive")
}

/// Kills the drivers in turn until the program ends, which it must do well. Returns how many times.
fn kill_during(program: &mut Child, name: &str) -> Result<u32> {
    let mut kills = 0;
    let status = loop {
        std::thread::sleep(Duration::from_millis(150));
        if let Some(status) = program.try_wait()? {
            break status;
        }
        let before = drivers()?;
        let Some(&pid) = before.get(kills as usize % before.len().max(1)) else { continue };
        let begin = Instant::now();
        syscall::kill(pid, SIGKILL)?;
        while drivers()?.iter().filter(|new| !before.contains(new)).count() == 0 {
            check(begin.elapsed() < 100 * BOUND, "a killed driver was not started again")?;
            std::thread::yield_now();
        }
        let took = begin.elapsed();
        println!("{name}: driver {pid} killed, another runs after {} ms", took.as_millis());
        check(took < BOUND, format!("{} ms are more than {}", took.as_millis(), BOUND.as_millis()))?;
        kills += 1;
    };
    check(status.success(), format!("{name}: {status}"))?;
    Ok(kills)
}

/// The drivers' process numbers.
fn drivers() -> Result<Vec<i32>> {
    let text = std::fs::read_to_string("/scheme/sys/process")?;
    let lines = text.lines().filter(|line| line.ends_with(&format!(" {DRIVER}")));
    Ok(lines.filter_map(|line| line.split(' ').next()?.parse().ok()).collect())
}
