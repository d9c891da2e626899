//! The file server on a disk: `filecheck posix`, `write`, `read`, `kill` or `many [COUNT]`.

use native_tests::{Result, check, report};
use ochre_rt::call::Call;
use ochre_rt::mapping::Mapping;
use ochre_scheme::abi::call::OP_SYNC;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};
use storage_tests::DISK;

/// Where the file server's files are bound to, as `/scheme/file` leads to no parent folders of its own.
const FILES: &str = "/mnt/file";
const PAGE: usize = 4096;
/// Files of each folder that is written, and folders.
const COUNT: usize = 40;
const FOLDERS: usize = 5;

fn main() -> ExitCode {
    let what = std::env::args().nth(1).unwrap_or_default();
    let result = match &*what {
        "posix" => format().and_then(|()| serve()).and_then(posix),
        "write" => format().and_then(|()| serve()).and_then(write),
        "read" => serve().and_then(read),
        "kill" => format().and_then(|()| kill()),
        "many" => format().and_then(|()| serve()).and_then(many),
        _ => Err("usage: filecheck posix|write|read|kill|many".into()),
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
    if fs::metadata(FILES).is_err() {
        ochre_rt::syscall::ns_bind(FILES.as_bytes(), b"file")?;
    }
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

/// A folder with many names: made, listed while it changes, found, removed. Says how long each takes.
fn many(mut server: Child) -> Result<()> {
    let count: usize = std::env::args().nth(2).map_or(Ok(100_000), |count| count.parse())?;
    let folder = format!("{FILES}/many");
    // Long names and short ones, also such as are no text.
    let name = |n: usize| {
        let mut name = format!("{n}").into_bytes();
        name.extend(std::iter::repeat_n(if n % 3 == 0 { 0xff } else { b'x' }, n % 7 * 30));
        std::path::Path::new(&folder).join(std::ffi::OsStr::from_bytes(&name))
    };
    fs::create_dir(&folder)?;
    let mut begin = Instant::now();
    let mut told = |what: &str| {
        println!("filecheck: {what} {count} files: {} ms", begin.elapsed().as_millis());
        begin = Instant::now();
    };
    for n in 0..count {
        fs::File::create_new(name(n))?;
    }
    told("made");
    fs::File::open(&folder)?.sync_all()?;
    told("committed");
    // Names that go and come during a listing do not change what it has of the others.
    let mut listing = fs::read_dir(&folder)?;
    let mut seen = BTreeSet::new();
    seen.extend(listing.next().transpose()?.map(|entry| entry.path()));
    fs::write(name(count), "new")?;
    for entry in listing {
        check(seen.insert(entry?.path()), "a name twice")?;
    }
    check((0..count).all(|n| seen.contains(&name(n))), "a name that is not listed")?;
    told("listed");
    for n in (0..count).step_by(2) {
        fs::remove_file(name(n))?;
    }
    told("removed half of");
    check(fs::create_dir(name(1)).is_err() && fs::remove_dir(&folder).is_err(), "a folder that is not empty")?;
    server.kill()?;
    server.wait()?;
    Ok(())
}

/// The server dies: what is open goes on with what was written, also where no fsync was; what no commit has seen is an error.
fn kill() -> Result<()> {
    // As init does for its services.
    for name in ["file", "file.pages"] {
        ochre_rt::syscall::scheme_reserve(name.as_bytes(), 1)?;
    }
    let mut server = serve()?;
    let path = format!("{FILES}/f");
    fs::write(&path, vec![1; 3 * PAGE])?;
    fs::create_dir(format!("{FILES}/d"))?;
    let file = fs::OpenOptions::new().read(true).write(true).open(&path)?;
    let folder = fs::File::open(format!("{FILES}/d"))?;
    file.sync_all()?;
    let map = Mapping::new(file.as_raw_fd(), 0, 3 * PAGE)?;
    for round in 0..5 {
        let fresh = fs::File::create(format!("{FILES}/d/fresh{round}"))?;
        file.write_all_at(&[b'a' + round], 5)?;
        map.write8(PAGE + 7, b'A' + round)?;
        server.kill()?;
        server.wait()?;
        // Served by the kernel, from what is in memory.
        check(byte(&file, 5)? == b'a' + round, "a byte while there is no server")?;
        server = serve()?;
        check(byte(&file, 5)? == b'a' + round && map.read8(5)? == b'a' + round, "a byte that was written")?;
        check(byte(&file, PAGE as u64 + 7)? == b'A' + round, "a byte that was written by way of a mapping")?;
        file.write_all_at(&[round; 10], 3 * PAGE as u64 + 10 * u64::from(round))?;
        file.sync_all()?;
        check(fs::metadata(&path)?.len() == file.metadata()?.len(), "one size")?;
        folder.sync_all()?;
        // Nobody asked for the new file to be on the disk. The server may have put it there by itself.
        let there = fs::metadata(format!("{FILES}/d/fresh{round}")).is_ok();
        check(fresh.write_all_at(b"x", 0).is_ok() == there, format!("round {round}: a file that is there: {there}"))?;
    }
    drop((file, map));
    // With nothing in memory but what the disk has.
    server.kill()?;
    server.wait()?;
    server = serve()?;
    let mut want = vec![1; 3 * PAGE];
    (want[5], want[PAGE + 7]) = (b'e', b'E');
    (0..5).for_each(|round| want.extend([round; 10]));
    check(fs::read(&path)? == want, "what was synced is on the disk")?;
    server.kill()?;
    server.wait()?;
    Ok(())
}

fn byte(file: &fs::File, at: u64) -> Result<u8> {
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    Ok(byte[0])
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
    last.write_all_at(b"in place", 5000)?;
    // syncfs(2): what else was written, too.
    Call::new(OP_SYNC, [2, 0, 0]).send(last.as_raw_fd())?;
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
