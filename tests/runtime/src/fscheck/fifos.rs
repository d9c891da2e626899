//! FIFOs: fifo(7).

use crate::folder::Folder;
use runtime_tests::sys::{self, poll};
use runtime_tests::{Result, checks, ensure, errno, same};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

checks!("fifos": inode, opens_wait, nonblocking, both_ways, ends, readiness, writes_are_whole, starts_afresh, interrupted);

fn nonblocking_open(path: &Path, write: bool) -> std::io::Result<File> {
    OpenOptions::new().read(!write).write(write).custom_flags(libc::O_NONBLOCK).open(path)
}

fn fifo(folder: &Folder) -> Result<std::path::PathBuf> {
    let path = folder.at("fifo");
    sys::make_fifo(&path, 0o640)?;
    Ok(path)
}

fn inode() -> Result {
    sys::umask(0o022);
    let folder = Folder::new()?;
    let path = fifo(&folder)?;
    let named = fs::metadata(&path)?;
    ensure!(named.file_type().is_fifo());
    same!(named.mode() & 0o777, 0o640);
    same!(errno(sys::make_fifo(&path, 0o600)), libc::EEXIST);
    let open = nonblocking_open(&path, false)?;
    same!((open.metadata()?.ino(), open.metadata()?.dev()), (named.ino(), named.dev()));
    same!(open.metadata()?.mode(), named.mode());
    // It works under any name, and without one.
    fs::rename(&path, folder.at("other"))?;
    let mut writer = nonblocking_open(&folder.at("other"), true)?;
    fs::remove_file(folder.at("other"))?;
    writer.write_all(b"x")?;
    let mut buffer = [0; 4];
    same!((&open).read(&mut buffer)?, 1);
    Ok(())
}

fn opens_wait() -> Result {
    let folder = Folder::new()?;
    let path = fifo(&folder)?;
    for reader_first in [true, false] {
        std::thread::scope(|scope| -> Result {
            let waiting = scope.spawn(|| OpenOptions::new().read(reader_first).write(!reader_first).open(&path));
            std::thread::sleep(Duration::from_millis(30));
            ensure!(!waiting.is_finished());
            let other = OpenOptions::new().read(!reader_first).write(reader_first).open(&path)?;
            let first = waiting.join().map_err(|_| "a thread panicked")??;
            let (mut reader, mut writer) = if reader_first { (first, other) } else { (other, first) };
            writer.write_all(b"through")?;
            drop(writer);
            let mut text = String::new();
            reader.read_to_string(&mut text)?;
            same!(text, "through");
            Ok(())
        })?;
    }
    Ok(())
}

fn nonblocking() -> Result {
    let folder = Folder::new()?;
    let path = fifo(&folder)?;
    same!(errno(nonblocking_open(&path, true)), libc::ENXIO);
    let mut reader = nonblocking_open(&path, false)?;
    let mut buffer = [0; 4];
    // Nobody writes: the end. Somebody does, and has not yet: EAGAIN.
    same!(reader.read(&mut buffer)?, 0);
    let mut writer = nonblocking_open(&path, true)?;
    same!(errno(reader.read(&mut buffer)), libc::EAGAIN);
    writer.write_all(b"ab")?;
    same!(reader.read(&mut buffer)?, 2);
    drop(reader);
    same!(errno(writer.write(b"x")), libc::EPIPE);
    Ok(())
}

fn both_ways() -> Result {
    let folder = Folder::new()?;
    let path = fifo(&folder)?;
    let mut both = OpenOptions::new().read(true).write(true).open(&path)?;
    let asked = libc::POLLIN | libc::POLLOUT;
    same!(poll(&both, asked, 0)?, libc::POLLOUT);
    both.write_all(b"self")?;
    same!(poll(&both, asked, 0)?, asked);
    let mut buffer = [0; 8];
    same!(both.read(&mut buffer)?, 4);
    same!(poll(&both, asked, 0)?, libc::POLLOUT);
    // It is a reader, too: a writer need not wait.
    let _writer = nonblocking_open(&path, true)?;
    Ok(())
}

fn ends() -> Result {
    let folder = Folder::new()?;
    let path = fifo(&folder)?;
    let mut reader = nonblocking_open(&path, false)?;
    let mut writer = nonblocking_open(&path, true)?;
    same!(errno(writer.read(&mut [0; 1])), libc::EBADF);
    same!(errno(reader.write(b"x")), libc::EBADF);
    let pair: &mut [u8; 2] = &mut [0; 2];
    writer.write_all(b"12")?;
    let second = nonblocking_open(&path, true)?;
    drop(writer);
    same!(reader.read(pair)?, 2);
    same!(errno(reader.read(pair)), libc::EAGAIN);
    drop(second);
    same!(reader.read(pair)?, 0);
    Ok(())
}

fn readiness() -> Result {
    let folder = Folder::new()?;
    let path = fifo(&folder)?;
    let mut reader = nonblocking_open(&path, false)?;
    // Nobody ever wrote: no end to tell of.
    same!(poll(&reader, libc::POLLIN, 0)?, 0);
    let mut writer = nonblocking_open(&path, true)?;
    same!(poll(&writer, libc::POLLOUT, 0)?, libc::POLLOUT);
    writer.write_all(b"x")?;
    same!(poll(&reader, libc::POLLIN, 0)?, libc::POLLIN);
    drop(writer);
    same!(poll(&reader, libc::POLLIN, 0)?, libc::POLLIN | libc::POLLHUP);
    same!(reader.read(&mut [0; 4])?, 1);
    same!(poll(&reader, libc::POLLIN, 0)?, libc::POLLHUP);
    let _again = nonblocking_open(&path, true)?;
    same!(poll(&reader, libc::POLLIN, 0)?, 0);
    Ok(())
}

fn writes_are_whole() -> Result {
    const SIZE: usize = 4096;
    let folder = Folder::new()?;
    let path = fifo(&folder)?;
    std::thread::scope(|scope| -> Result {
        let writers: Vec<_> = (1..=4u8)
            .map(|byte| {
                let path = &path;
                scope.spawn(move || -> std::io::Result<()> {
                    let mut writer = OpenOptions::new().write(true).open(path)?;
                    (0..50).try_for_each(|_| writer.write_all(&[byte; SIZE]))
                })
            })
            .collect();
        let mut reader = File::open(&path)?;
        let mut bytes: Vec<u8> = Vec::new();
        while bytes.len() < 4 * 50 * SIZE {
            let mut buffer = vec![0; 10_000];
            let got = reader.read(&mut buffer)?;
            bytes.extend(&buffer[..got]);
            if got == 0 {
                // Between writers.
                std::thread::yield_now();
            }
        }
        for writer in writers {
            writer.join().map_err(|_| "a thread panicked")??;
        }
        ensure!(bytes.chunks(SIZE).all(|chunk| chunk.iter().all(|byte| *byte == chunk[0])));
        Ok(())
    })
}

fn starts_afresh() -> Result {
    let folder = Folder::new()?;
    let path = fifo(&folder)?;
    let mut both = OpenOptions::new().read(true).write(true).open(&path)?;
    both.write_all(b"lost")?;
    drop(both);
    let mut reader = nonblocking_open(&path, false)?;
    same!(poll(&reader, libc::POLLIN, 0)?, 0);
    same!(reader.read(&mut [0; 8])?, 0);
    Ok(())
}

fn interrupted() -> Result {
    let folder = Folder::new()?;
    let path = fifo(&folder)?;
    let pid = sys::fork(|| i32::from(File::open(&path).is_ok()))?;
    std::thread::sleep(Duration::from_millis(30));
    sys::kill(pid, libc::SIGKILL)?;
    same!(sys::wait(pid, 0)?, sys::Ended::Signal(libc::SIGKILL));
    // The reader that was waiting is no more.
    same!(errno(nonblocking_open(&path, true)), libc::ENXIO);
    Ok(())
}
