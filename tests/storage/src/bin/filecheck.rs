//! The file server on a disk: `filecheck posix`, `write` or `read`.

use native_tests::{Result, check, report};
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};
use storage_tests::DISK;

/// Where the file server's files are bound to, as `/scheme/file` leads to no parent folders of its own.
const FILES: &str = "/mnt/file";
/// Files of each folder that is written, and folders.
const COUNT: usize = 40;
const FOLDERS: usize = 5;

fn main() -> ExitCode {
    let what = std::env::args().nth(1).unwrap_or_default();
    let result = match &*what {
        "posix" => format().and_then(|()| serve()).and_then(posix),
        "write" => format().and_then(|()| serve()).and_then(write),
        "read" => serve().and_then(read),
        _ => Err("usage: filecheck posix|write|read".into()),
    };
    report("filecheck", result)
}

fn format() -> Result<()> {
    wait_for(DISK)?;
    check(Command::new("/sbin/mkfs-redoxfs").arg(DISK).status()?.success(), "mkfs-redoxfs")
}

/// Starts the file server on the disk.
fn serve() -> Result<Child> {
    let root = DISK.strip_prefix("/scheme/").ok_or("a path of a scheme")?;
    let child = Command::new("/sbin/fsd").args(["file", root]).spawn()?;
    wait_for("/scheme/file")?;
    ochre_rt::syscall::ns_bind(FILES.as_bytes(), b"file")?;
    Ok(child)
}

/// Waits until a path leads to something.
fn wait_for(path: &str) -> Result<()> {
    let start = Instant::now();
    while fs::metadata(path).is_err() {
        check(start.elapsed() < Duration::from_secs(30), format!("{path} does not appear"))?;
        std::thread::yield_now();
    }
    Ok(())
}

/// What POSIX and Linux say of files.
fn posix(mut server: Child) -> Result<()> {
    let status = Command::new("/bin/fscheck").env("TMPDIR", FILES).status()?;
    check(status.success(), format!("fscheck: {status}"))?;
    server.kill()?;
    server.wait()?;
    Ok(())
}

fn content(folder: usize, file: usize) -> Vec<u8> {
    // Some are empty, some within a page, some longer than the volume's records.
    let len = file * file * 150;
    (0..len).map(|n| (n * 7 + file * 31 + folder) as u8).collect()
}

fn name(folder: usize, file: usize) -> String {
    format!("{FILES}/folder{folder}/file{file}")
}

/// Files in folders, and a change in place by way of a mapping of the kernel's (pwrite within the size needs no server).
fn write(_server: Child) -> Result<()> {
    for folder in 0..FOLDERS {
        fs::create_dir(format!("{FILES}/folder{folder}"))?;
        for file in 0..COUNT {
            fs::File::create(name(folder, file))?.write_all(&content(folder, file))?;
        }
    }
    fs::rename(name(0, 1), name(0, COUNT))?;
    fs::hard_link(name(1, 1), name(0, COUNT + 1))?;
    std::os::unix::fs::symlink("folder2/file3", format!("{FILES}/link"))?;
    fs::remove_file(name(2, 1))?;
    let last = fs::OpenOptions::new().write(true).open(name(3, COUNT - 1))?;
    std::os::unix::fs::FileExt::write_all_at(&last, b"in place", 5000)?;
    last.sync_all()?;
    println!("filecheck: written");
    Ok(())
}

/// What [`write`] wrote, after another boot.
fn read(mut server: Child) -> Result<()> {
    for folder in 0..FOLDERS {
        for file in 0..COUNT {
            let path = name(folder, file);
            let mut expected = content(folder, file);
            match (folder, file) {
                (0, 1) | (2, 1) => {
                    check(fs::metadata(&path).is_err(), format!("{path} is still there"))?;
                    continue;
                }
                (3, n) if n == COUNT - 1 => expected[5000..5008].copy_from_slice(b"in place"),
                _ => {}
            }
            check(fs::read(&path)? == expected, format!("{path}: other bytes"))?;
        }
    }
    check(fs::read(name(0, COUNT))? == content(0, 1), "the renamed file")?;
    let (a, b) = (fs::metadata(name(1, 1))?, fs::metadata(name(0, COUNT + 1))?);
    check(a.ino() == b.ino() && a.nlink() == 2, "the hard link")?;
    check(fs::read(format!("{FILES}/link"))? == content(2, 3), "the symbolic link")?;
    check(fs::read_dir(format!("{FILES}/folder2"))?.count() == COUNT - 1, "the listing")?;
    server.kill()?;
    server.wait()?;
    Ok(())
}
