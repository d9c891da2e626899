//! What files take, and when they changed: holes, fallocate(2), copies within the system, files that get their name later.

use crate::folder::Folder;
use runtime_tests::{Result, checks, ensure, errno, same, sys};
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::time::{Duration, SystemTime};

checks!("space": times_in_place, holes_take_nothing, allocate, keep_size, punch, zero_range, refused, named_later, exclusive_stays_nameless, copied_ranges, sent, no_offsets_but_null);

/// A page, or a block of the file system.
const BLOCK: u64 = 4096;

fn open(path: &std::path::Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn times_in_place() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", "0123456789")?;
    let file = open(&path)?;
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    file.set_times(FileTimes::new().set_modified(long_ago))?;
    same!(fs::metadata(&path)?.modified()?, long_ago);
    let before = SystemTime::now() - Duration::from_secs(2);
    // Neither longer nor shorter.
    file.write_all_at(b"x", 3)?;
    let changed = fs::metadata(&path)?;
    ensure!(changed.modified()? > before);
    same!((changed.mtime(), changed.mtime_nsec()), (changed.ctime(), changed.ctime_nsec()));
    // Reading changes nothing, and what utimes(2) says stays said after the close.
    file.set_times(FileTimes::new().set_modified(long_ago))?;
    file.read_exact_at(&mut [0; 4], 0)?;
    drop(file);
    same!(fs::metadata(&path)?.modified()?, long_ago);
    // Told after the close as well.
    let file = open(&path)?;
    file.write_all_at(b"y", 4)?;
    drop(file);
    ensure!(fs::metadata(&path)?.modified()? > before);
    Ok(())
}

fn holes_take_nothing() -> Result {
    let folder = Folder::new()?;
    let file = open(&folder.at("a"))?;
    file.set_len(1 << 20)?;
    same!(file.metadata()?.blocks(), 0);
    file.write_all_at(b"x", 512 << 10)?;
    same!(file.metadata()?.blocks(), BLOCK / 512);
    file.write_all_at(&vec![1; 3 * BLOCK as usize], (512 << 10) + BLOCK)?;
    same!(file.metadata()?.blocks(), 4 * BLOCK / 512);
    let full = open(&folder.at("full"))?;
    full.write_all_at(&vec![1; 5 * BLOCK as usize + 1], 0)?;
    same!(full.metadata()?.blocks(), 6 * BLOCK / 512);
    Ok(())
}

fn allocate() -> Result {
    let folder = Folder::new()?;
    let file = open(&folder.at("a"))?;
    let size = 3 * unit(&file)?;
    sys::fallocate(&file, 0, 0, size as i64)?;
    same!(file.metadata()?.len(), size);
    same!(file.metadata()?.blocks(), size / 512);
    file.write_all_at(b"data", 100)?;
    sys::fallocate(&file, 0, 50, 100)?;
    let mut text = [1; 8];
    file.read_exact_at(&mut text, 98)?;
    same!(&text, b"\0\0data\0\0");
    same!(file.metadata()?.len(), size);
    Ok(())
}

fn keep_size() -> Result {
    let folder = Folder::new()?;
    let file = open(&folder.file("a", "text")?)?;
    sys::fallocate(&file, libc::FALLOC_FL_KEEP_SIZE, 0, 10 * BLOCK as i64)?;
    same!(fs::read_to_string(folder.at("a"))?, "text");
    Ok(())
}

/// What a file system gives back when a hole is made: its blocks, or the records that Ochre's volumes keep files in.
fn unit(file: &File) -> std::io::Result<u64> {
    const OCHRE: i64 = 0x4f63_6872;
    Ok(if sys::fs_type(file)? == OCHRE { 128 << 10 } else { BLOCK })
}

fn punch() -> Result {
    const PUNCH: i32 = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    let folder = Folder::new()?;
    let file = open(&folder.at("a"))?;
    let unit = unit(&file)?;
    let mut want = vec![b'x'; 8 * unit as usize];
    file.write_all_at(&want, 0)?;
    let map = sys::Map::new(&file, want.len(), true, false)?;
    sys::fallocate(&file, PUNCH, unit as i64 + 10, 3 * unit as i64)?;
    want[unit as usize + 10..4 * unit as usize + 10].fill(0);
    ensure!(fs::read(folder.at("a"))? == want);
    same!(file.metadata()?.blocks(), 6 * unit / 512);
    // Maps see it, too.
    same!((map.get(unit as usize + 9), map.get(2 * unit as usize)), (b'x', 0));
    // Behind the end there is nothing to do.
    sys::fallocate(&file, PUNCH, 100 * unit as i64, 10)?;
    same!(file.metadata()?.len(), 8 * unit);
    Ok(())
}

fn zero_range() -> Result {
    let folder = Folder::new()?;
    let file = open(&folder.at("a"))?;
    file.write_all_at(&[b'x'; 100], 0)?;
    sys::fallocate(&file, libc::FALLOC_FL_ZERO_RANGE | libc::FALLOC_FL_KEEP_SIZE, 90, 50)?;
    same!(file.metadata()?.len(), 100);
    sys::fallocate(&file, libc::FALLOC_FL_ZERO_RANGE, 80, 50)?;
    let text = fs::read(folder.at("a"))?;
    same!(text.len(), 130);
    ensure!(text[..80].iter().all(|byte| *byte == b'x') && text[80..].iter().all(|byte| *byte == 0));
    Ok(())
}

fn refused() -> Result {
    let folder = Folder::new()?;
    let file = open(&folder.file("a", "text")?)?;
    same!(errno(sys::fallocate(&file, 0, 0, 0)), libc::EINVAL);
    same!(errno(sys::fallocate(&file, 0, -1, 10)), libc::EINVAL);
    same!(errno(sys::fallocate(&file, 0, i64::MAX - 10, 100)), libc::EFBIG);
    same!(errno(sys::fallocate(&file, libc::FALLOC_FL_PUNCH_HOLE, 0, 10)), libc::EOPNOTSUPP);
    same!(errno(sys::fallocate(&file, 0x1000, 0, 10)), libc::EOPNOTSUPP);
    same!(errno(sys::fallocate(&File::open(folder.at("a"))?, 0, 0, 10)), libc::EBADF);
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    same!(errno(sys::fallocate(&File::from(std::os::fd::OwnedFd::from(writer)), 0, 0, 10)), libc::ESPIPE);
    Ok(())
}

fn nameless(folder: &Folder, flags: i32) -> std::io::Result<File> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .mode(0o640)
        .custom_flags(libc::O_TMPFILE | flags)
        .open(folder.at(""))?;
    file.write_all(b"nameless")?;
    Ok(file)
}

fn named_later() -> Result {
    let folder = Folder::new()?;
    let file = nameless(&folder, 0)?;
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    sys::link_at(None, &own, &folder.at("name"), libc::AT_SYMLINK_FOLLOW)?;
    same!(fs::read_to_string(folder.at("name"))?, "nameless");
    same!((file.metadata()?.nlink(), file.metadata()?.mode() & 0o777), (1, 0o640));
    same!(errno(sys::link_at(None, &own, &folder.at("name"), libc::AT_SYMLINK_FOLLOW)), libc::EEXIST);
    sys::link_at(None, &own, &folder.at("other"), libc::AT_SYMLINK_FOLLOW)?;
    same!(file.metadata()?.nlink(), 2);
    // Once all its names are gone, it gets none again.
    fs::remove_file(folder.at("name"))?;
    fs::remove_file(folder.at("other"))?;
    same!(errno(sys::link_at(None, &own, &folder.at("name"), libc::AT_SYMLINK_FOLLOW)), libc::ENOENT);
    if sys::user() == 0 {
        let file = nameless(&folder, 0)?;
        sys::link_at(Some(&file), "", &folder.at("direct"), libc::AT_EMPTY_PATH)?;
        same!(fs::read_to_string(folder.at("direct"))?, "nameless");
        same!(errno(sys::link_at(Some(&file), "", &folder.at("direct"), 0)), libc::ENOENT);
        same!(errno(sys::link_at(Some(&file), "", &folder.at("x"), 0x4000)), libc::EINVAL);
    }
    Ok(())
}

fn exclusive_stays_nameless() -> Result {
    let folder = Folder::new()?;
    let file = nameless(&folder, libc::O_EXCL)?;
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    same!(errno(sys::link_at(None, &own, &folder.at("name"), libc::AT_SYMLINK_FOLLOW)), libc::ENOENT);
    Ok(())
}

fn copied_ranges() -> Result {
    let folder = Folder::new()?;
    let from = open(&folder.file("a", &"0123456789".repeat(5000))?)?;
    let mut to = open(&folder.at("b"))?;
    same!(sys::copy_range((&from, 5), (&to, 100), 30_000)?, 30_000);
    let text = fs::read(folder.at("b"))?;
    same!(text.len(), 30_100);
    ensure!(text[..100].iter().all(|byte| *byte == 0) && &text[100..105] == b"56789" && text[30_099] == b'4');
    // Short at the end, and nothing behind it.
    same!(sys::copy_range((&from, 49_990), (&to, 0), 100)?, 10);
    same!(sys::copy_range((&from, 60_000), (&to, 0), 100)?, 0);
    same!(to.stream_position()?, 0);
    same!(errno(sys::copy_range((&to, 0), (&File::open(folder.at("a"))?, 0), 10)), libc::EBADF);
    let mut start = [0; 10];
    to.read_exact(&mut start)?;
    same!(&start, b"0123456789");
    Ok(())
}

fn sent() -> Result {
    let folder = Folder::new()?;
    let mut from = open(&folder.file("a", "0123456789")?)?;
    let (mut reader, writer) = std::io::pipe()?;
    let mut offset = 4;
    same!(sys::sendfile(&writer, &from, Some(&mut offset), 3)?, 3);
    same!(offset, 7);
    same!(from.stream_position()?, 0);
    same!(sys::sendfile(&writer, &from, None, 2)?, 2);
    same!(from.stream_position()?, 2);
    from.seek(SeekFrom::End(0))?;
    same!(sys::sendfile(&writer, &from, None, 10)?, 0);
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text)?;
    same!(text, "45601");
    Ok(())
}

/// /dev/null takes every offset for the same; a pipe has none.
fn no_offsets_but_null() -> Result {
    let mut null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    same!(null.read_at(&mut [0; 4], 100)?, 0);
    same!(null.write_at(b"text", 100)?, 4);
    same!(null.seek(SeekFrom::Start(7))?, 0);
    same!(null.seek(SeekFrom::End(0))?, 0);
    let zero = File::open("/dev/zero")?;
    let mut bytes = [1; 4];
    same!(zero.read_at(&mut bytes, 1 << 40)?, 4);
    same!(bytes, [0; 4]);
    let (reader, _writer) = std::io::pipe()?;
    same!(errno(File::from(std::os::fd::OwnedFd::from(reader)).read_at(&mut bytes, 0)), libc::ESPIPE);
    Ok(())
}
