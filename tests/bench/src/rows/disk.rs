//! A file system on a disk, mounted at [`FOLDER`].
//!
//! Rows that wait for the disk count how long the CPU was busy, from /proc/stat, in steps of 10 ms: waiting is not work, and under -icount its
//! length means nothing. They hold on one CPU.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Group, Row};
use crate::measure::{Figure, each, rounds};
use crate::sys::{self, Mapping};

pub const ROWS: &[Row] = &[
    // First, so that nothing of the disk is in memory.
    row("disk_cold_read_4k", "4 KiB of reading a file of 32 MiB in pieces of 64 KiB, from the disk", cold),
    row("disk_stat", "stat() of a file", stat),
    row("disk_open_close", "open() and close() of a file", open_close),
    row("disk_read_4k", "pread() of 4 KiB, cached", |_| read(4 << 10)),
    row("disk_read_64k", "pread() of 64 KiB, cached", |_| read(64 << 10)),
    row("disk_mmap_page", "mapping 1 MiB of a cached file, reading a byte of each page, unmapping: a page", map),
    row("disk_create", "creating an empty file, of 1,000 in a folder", |_| thousand(true)),
    row("disk_delete", "deleting it", |_| thousand(false)),
    row("disk_write_sync_4k", "4 KiB of writing 32 MiB in pieces of 64 KiB, and fsync()", write_sync),
    row("disk_untar", "tar -x of 100 MB in 2,000 files from another disk, and sync()", untar),
];

const fn row(name: &'static str, what: &'static str, measure: fn(usize) -> io::Result<Figure>) -> Row {
    Row { group: Group::Fs, name, what, measure }
}

/// Where the file system is.
const FOLDER: &str = "/mnt/disk";

/// A file of 32 MiB that was there before the system started.
const COLD: &str = "/mnt/disk/cold";

/// The disk that is a tar archive: on Linux, and on Ochre.
const ARCHIVES: [&str; 2] = ["/dev/vdb", "/scheme/disk.virtio-1/0"];

const PAGE: usize = 4096;

/// A file of the measurement's own, gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(len: usize) -> io::Result<Scratch> {
        let scratch = Scratch(Path::new(FOLDER).join("bench"));
        File::create(&scratch.0)?.write_all(&vec![0x5a; len])?;
        Ok(scratch)
    }

    fn name(&self) -> io::Result<std::ffi::CString> {
        Ok(std::ffi::CString::new(self.0.to_string_lossy().as_bytes())?)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A file that stays is seen in the folder.
        drop(fs::remove_file(&self.0));
    }
}

fn stat(_: usize) -> io::Result<Figure> {
    let scratch = Scratch::new(1)?;
    let name = scratch.name()?;
    each(|| sys::stat(&name).map(drop))
}

fn open_close(_: usize) -> io::Result<Figure> {
    let scratch = Scratch::new(1)?;
    let name = scratch.name()?;
    each(|| sys::open(&name).map(drop))
}

fn read(len: usize) -> io::Result<Figure> {
    let scratch = Scratch::new(1 << 20)?;
    let file = File::open(&scratch.0)?;
    let (mut buffer, mut offset) = (vec![0; len], 0);
    each(|| {
        offset = (offset + len as u64) % (1 << 20);
        file.read_exact_at(&mut buffer, offset)
    })
}

fn map(_: usize) -> io::Result<Figure> {
    const LEN: usize = 1 << 20;
    let scratch = Scratch::new(LEN)?;
    let file = File::open(&scratch.0)?;
    let mut figure = each(|| {
        let mapping = Mapping::file(&file, LEN)?;
        (0..LEN).step_by(PAGE).for_each(|offset| mapping.read(offset));
        Ok(())
    })?;
    figure.value /= (LEN / PAGE) as f64;
    figure.operations *= (LEN / PAGE) as u64;
    Ok(figure)
}

/// Creates and deletes 1,000 files at a time, and tells what one of the two took.
fn thousand(creating: bool) -> io::Result<Figure> {
    let folder = Path::new(FOLDER).join("thousand");
    fs::create_dir(&folder)?;
    let paths: Vec<PathBuf> = (0..1_000).map(|number| folder.join(format!("file-{number}"))).collect();
    let figure = rounds(|count| {
        let (mut took, mut done) = (Duration::ZERO, 0);
        while done < count {
            let begin = Instant::now();
            for path in &paths {
                File::create(path)?;
            }
            let middle = Instant::now();
            for path in &paths {
                fs::remove_file(path)?;
            }
            took += if creating { middle - begin } else { middle.elapsed() };
            done += 1;
        }
        Ok(took)
    });
    fs::remove_dir(&folder)?;
    let mut figure = figure?;
    figure.value /= 1_000.0;
    figure.operations *= 1_000;
    Ok(figure)
}

/// How long the CPUs have been idle, from /proc/stat: its fourth and fifth figure, in hundredths of a second.
fn idle() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    let fields: Vec<u64> = text.split_whitespace().skip(1).take(5).filter_map(|word| word.parse().ok()).collect();
    match fields[..] {
        [_, _, _, idle, waiting] => Ok(Duration::from_millis((idle + waiting) * 10)),
        _ => Err(io::Error::other("/proc/stat begins otherwise")),
    }
}

/// How long the CPU is busy while `work` is done, divided by `parts`.
fn busy(parts: u64, work: impl FnOnce() -> io::Result<()>) -> io::Result<Figure> {
    let (begin, before) = (Instant::now(), idle()?);
    work()?;
    let took = begin.elapsed().saturating_sub(idle()?.saturating_sub(before));
    Ok(Figure { value: took.as_nanos() as f64 / parts as f64, unit: "ns", operations: parts })
}

fn cold(_: usize) -> io::Result<Figure> {
    let mut file = File::open(COLD)?;
    let len = file.metadata()?.len();
    busy(len / PAGE as u64, || {
        let (mut buffer, mut left) = (vec![0; 64 << 10], len);
        while left > 0 {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= count as u64;
        }
        Ok(())
    })
}

fn write_sync(_: usize) -> io::Result<Figure> {
    const LEN: usize = 32 << 20;
    let path = Path::new(FOLDER).join("written");
    let bytes: Vec<u8> = (0..64 << 10).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    let figure = busy((LEN / PAGE) as u64, || {
        for _ in 0..LEN / bytes.len() {
            sys::write(file.as_fd(), &bytes)?;
        }
        file.sync_all()
    });
    fs::remove_file(path)?;
    figure
}

fn untar(_: usize) -> io::Result<Figure> {
    let archive = ARCHIVES.iter().find(|archive| Path::new(archive).exists());
    let archive = archive.ok_or_else(|| io::Error::other("there is no second disk"))?;
    let folder = Path::new(FOLDER).join("tree");
    fs::create_dir(&folder)?;
    let figure = busy(1, || {
        let mut tar = Command::new("/bin/tar");
        let status = tar.args(["-xf", archive, "-C"]).arg(&folder).stdin(Stdio::null()).status()?;
        if !status.success() {
            return Err(io::Error::other(format!("tar: {status}")));
        }
        sys::sync();
        Ok(())
    })?;
    let mut files = 0;
    for entry in fs::read_dir(&folder)? {
        files += fs::read_dir(entry?.path())?.count();
    }
    if files == 2_000 { Ok(figure) } else { Err(io::Error::other(format!("{files} files came out of the archive"))) }
}
