//! Opening, reading and writing: open(2), write(2), ftruncate(2), unlink(2).

use crate::folder::Folder;
use runtime_tests::{Result, checks, ensure, errno, same};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::time::{Duration, SystemTime};

checks!("files": exclusive, append, truncate_on_open, temporary, unlinked_while_open, sparse, shrink_and_grow, modes_of_access, direction, times);

fn exclusive() -> Result {
    let folder = Folder::new()?;
    File::create_new(folder.at("a"))?;
    same!(errno(File::create_new(folder.at("a"))), libc::EEXIST);
    std::os::unix::fs::symlink("nothing", folder.at("link"))?;
    same!(errno(File::create_new(folder.at("link"))), libc::EEXIST);
    ensure!(!folder.at("nothing").exists());
    Ok(())
}

fn append() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", "one ")?;
    let mut first = OpenOptions::new().append(true).open(&path)?;
    let mut second = OpenOptions::new().append(true).open(&path)?;
    first.write_all(b"two ")?;
    second.write_all(b"three ")?;
    first.seek(SeekFrom::Start(0))?;
    first.write_all(b"four")?;
    same!(fs::read_to_string(&path)?, "one two three four");
    Ok(())
}

fn truncate_on_open() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", "0123456789")?;
    let mut reader = File::open(&path)?;
    let mut digits = [0; 4];
    reader.read_exact(&mut digits)?;
    File::create(&path)?;
    same!(reader.read(&mut digits)?, 0);
    fs::write(&path, "abcdefgh")?;
    same!(reader.read(&mut digits)?, 4);
    same!(&digits, b"efgh");
    Ok(())
}

fn temporary() -> Result {
    let folder = Folder::new()?;
    let mut file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_TMPFILE).open(folder.at(""))?;
    file.write_all(b"nameless")?;
    let mut text = [0; 8];
    file.read_exact_at(&mut text, 0)?;
    same!(&text, b"nameless");
    same!(file.metadata()?.nlink(), 0);
    same!(fs::read_dir(folder.at(""))?.count(), 0);
    Ok(())
}

fn unlinked_while_open() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", "first")?;
    let old = OpenOptions::new().read(true).write(true).open(&path)?;
    fs::remove_file(&path)?;
    same!(errno(File::open(&path)), libc::ENOENT);
    fs::write(&path, "second")?;
    old.write_all_at(b"F", 0)?;
    let mut text = [0; 5];
    old.read_exact_at(&mut text, 0)?;
    same!(&text, b"First");
    same!(old.metadata()?.nlink(), 0);
    same!(fs::read_to_string(&path)?, "second");
    Ok(())
}

fn sparse() -> Result {
    const FAR: u64 = 100 << 20;
    let folder = Folder::new()?;
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(folder.at("a"))?;
    file.write_all_at(b"end", FAR)?;
    same!(file.metadata()?.len(), FAR + 3);
    let mut hole = [1; 10_000];
    file.read_exact_at(&mut hole, FAR / 2 + 77)?;
    ensure!(hole.iter().all(|byte| *byte == 0));
    let mut text = [0; 3];
    file.read_exact_at(&mut text, FAR)?;
    same!(&text, b"end");
    Ok(())
}

fn shrink_and_grow() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", &"x".repeat(10_000))?;
    let file = OpenOptions::new().read(true).write(true).open(&path)?;
    file.set_len(4097)?;
    file.set_len(9000)?;
    let text = fs::read(&path)?;
    same!(text.len(), 9000);
    // What was cut off does not come back.
    ensure!(text[..4097].iter().all(|byte| *byte == b'x') && text[4097..].iter().all(|byte| *byte == 0));
    Ok(())
}

fn modes_of_access() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", "text")?;
    same!(errno(File::open(&path)?.write(b"x")), libc::EBADF);
    same!(errno(OpenOptions::new().write(true).open(&path)?.read(&mut [0])), libc::EBADF);
    same!(errno(File::open(&path)?.set_len(1)), libc::EINVAL);
    same!(errno(OpenOptions::new().write(true).open(folder.at(""))), libc::EISDIR);
    same!(errno(File::open(folder.at(""))?.read(&mut [0])), libc::EISDIR);
    same!(errno(OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(&path)), libc::ENOTDIR);
    Ok(())
}

fn direction() -> Result {
    let folder = Folder::new()?;
    let mut file = File::open(folder.file("a", "0123456789")?)?;
    same!(file.seek(SeekFrom::End(-3))?, 7);
    same!(errno(file.seek(SeekFrom::Current(-8))), libc::EINVAL);
    same!(file.stream_position()?, 7);
    same!(file.seek(SeekFrom::Start(1 << 40))?, 1 << 40);
    same!(file.read(&mut [0; 4])?, 0);
    // A copy of the descriptor shares the position (dup(2)).
    let mut copy = file.try_clone()?;
    copy.seek(SeekFrom::Start(4))?;
    same!(file.stream_position()?, 4);
    Ok(())
}

fn times() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("a", "x")?;
    let file = OpenOptions::new().write(true).open(&path)?;
    let long_ago = SystemTime::UNIX_EPOCH + Duration::new(1_000_000, 5);
    file.set_times(fs::FileTimes::new().set_modified(long_ago).set_accessed(long_ago))?;
    same!(fs::metadata(&path)?.modified()?, long_ago);
    same!(fs::metadata(&path)?.accessed()?, long_ago);
    file.set_len(5)?;
    ensure!(fs::metadata(&path)?.modified()? > long_ago);
    Ok(())
}
