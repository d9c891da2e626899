//! Advisory locks: flock(2), and fcntl(2)'s of processes and of open files.

use crate::folder::Folder;
use runtime_tests::sys::{self, Record, child, flock, record_lock};
use runtime_tests::{Result, checks, ensure, errno, same};
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

checks!("locks": whole_files, whole_files_wait, records, records_of_any_descriptor, records_wait, deadlock, open_files, ranges, wrong, many_wait, killed_holder, interrupted_waiter);

const READ: i32 = libc::F_RDLCK;
const WRITE: i32 = libc::F_WRLCK;
const FREE: i32 = libc::F_UNLCK;

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// What another process gets for asking for a record.
fn other(path: &Path, record: Record) -> Result<i32> {
    match child(|| open(path).map_or(255, |file| errno(record_lock(&file, libc::F_SETLK, record))))? {
        sys::Ended::Status(error) => Ok(error),
        ended => Err(format!("{ended:?}"))?,
    }
}

fn whole_files() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("f", "")?;
    let (a, b) = (open(&path)?, open(&path)?);
    flock(&a, libc::LOCK_SH)?;
    flock(&b, libc::LOCK_SH)?;
    same!(errno(flock(&a, libc::LOCK_EX | libc::LOCK_NB)), libc::EWOULDBLOCK);
    // As flock(2) says, the conversion gave the old lock up.
    flock(&b, libc::LOCK_EX | libc::LOCK_NB)?;
    same!(errno(flock(&a, libc::LOCK_SH | libc::LOCK_NB)), libc::EWOULDBLOCK);
    // Copies of a descriptor share it; the last to close gives it up.
    let copy = b.try_clone()?;
    drop(b);
    same!(errno(flock(&a, libc::LOCK_SH | libc::LOCK_NB)), libc::EWOULDBLOCK);
    drop(copy);
    flock(&a, libc::LOCK_EX | libc::LOCK_NB)?;
    flock(&a, libc::LOCK_UN)?;
    same!(errno(flock(&a, 3)), libc::EINVAL);
    // A folder has one, too.
    flock(&File::open(folder.at(""))?, libc::LOCK_EX)?;
    Ok(())
}

fn whole_files_wait() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("f", "")?;
    let holder = open(&path)?;
    flock(&holder, libc::LOCK_EX)?;
    std::thread::scope(|scope| -> Result {
        let waiting = scope.spawn(|| open(&path).and_then(|file| flock(&file, libc::LOCK_EX)));
        std::thread::sleep(Duration::from_millis(30));
        ensure!(!waiting.is_finished());
        flock(&holder, libc::LOCK_UN)?;
        waiting.join().map_err(|_| "a thread panicked")??;
        Ok(())
    })
}

fn records() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("f", "0123456789")?;
    let file = open(&path)?;
    record_lock(&file, libc::F_SETLK, Record::new(WRITE, 2, 4))?;
    // One's own are no obstacle.
    same!(record_lock(&file, libc::F_GETLK, Record::new(WRITE, 0, 0))?.kind, FREE);
    let me = std::process::id() as i32;
    let seen = child(|| {
        let found = open(&path).and_then(|file| record_lock(&file, libc::F_GETLK, Record::new(READ, 0, 0)));
        i32::from(found.ok() != Some(Record { kind: WRITE, whence: libc::SEEK_SET, start: 2, len: 4, pid: me }))
    })?;
    same!(seen, sys::Ended::Status(0));
    same!(other(&path, Record::new(READ, 5, 1))?, libc::EAGAIN);
    same!(other(&path, Record::new(WRITE, 0, 2))?, 0);
    same!(other(&path, Record::new(WRITE, 6, 0))?, 0);
    // Part of it is turned into a read lock, part is given up.
    record_lock(&file, libc::F_SETLK, Record::new(READ, 2, 2))?;
    record_lock(&file, libc::F_SETLK, Record::new(FREE, 5, 1))?;
    same!(other(&path, Record::new(READ, 2, 2))?, 0);
    same!(other(&path, Record::new(WRITE, 3, 1))?, libc::EAGAIN);
    same!(other(&path, Record::new(READ, 4, 1))?, libc::EAGAIN);
    same!(other(&path, Record::new(WRITE, 5, 1))?, 0);
    Ok(())
}

fn records_of_any_descriptor() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("f", "x")?;
    let early = open(&path)?;
    let file = open(&path)?;
    record_lock(&file, libc::F_SETLK, Record::new(WRITE, 0, 0))?;
    same!(other(&path, Record::new(WRITE, 0, 1))?, libc::EAGAIN);
    // POSIX: closing any descriptor of the file gives the process's locks up.
    drop(early);
    same!(other(&path, Record::new(WRITE, 0, 1))?, 0);
    record_lock(&file, libc::F_SETLK, Record::new(WRITE, 0, 0))?;
    drop(open(&path)?);
    same!(other(&path, Record::new(WRITE, 0, 1))?, 0);
    // A child has none of them, and its end takes none away.
    record_lock(&file, libc::F_SETLK, Record::new(WRITE, 0, 0))?;
    let asked = child(|| errno(record_lock(&file, libc::F_SETLK, Record::new(WRITE, 0, 0))))?;
    same!(asked, sys::Ended::Status(libc::EAGAIN));
    same!(other(&path, Record::new(WRITE, 0, 1))?, libc::EAGAIN);
    Ok(())
}

fn records_wait() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("f", "x")?;
    let file = open(&path)?;
    record_lock(&file, libc::F_SETLK, Record::new(WRITE, 0, 1))?;
    let waiting = sys::fork(|| {
        let locked = open(&path).and_then(|file| record_lock(&file, libc::F_SETLKW, Record::new(WRITE, 0, 0)));
        i32::from(locked.is_err())
    })?;
    std::thread::sleep(Duration::from_millis(30));
    record_lock(&file, libc::F_SETLK, Record::new(FREE, 0, 1))?;
    same!(sys::wait(waiting, 0)?, sys::Ended::Status(0));
    record_lock(&file, libc::F_SETLK, Record::new(WRITE, 0, 1))?;
    Ok(())
}

fn deadlock() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("f", "xx")?;
    let file = open(&path)?;
    record_lock(&file, libc::F_SETLK, Record::new(WRITE, 0, 1))?;
    let other = sys::fork(|| {
        let waited = open(&path).and_then(|file| {
            record_lock(&file, libc::F_SETLK, Record::new(WRITE, 1, 1))?;
            record_lock(&file, libc::F_SETLKW, Record::new(WRITE, 0, 1))
        });
        i32::from(waited.is_err())
    })?;
    // Until the other holds its byte and waits for ours.
    while record_lock(&file, libc::F_GETLK, Record::new(READ, 1, 1))?.kind == FREE {
        std::thread::yield_now();
    }
    std::thread::sleep(Duration::from_millis(50));
    same!(errno(record_lock(&file, libc::F_SETLKW, Record::new(WRITE, 1, 1))), libc::EDEADLK);
    record_lock(&file, libc::F_SETLK, Record::new(FREE, 0, 1))?;
    same!(sys::wait(other, 0)?, sys::Ended::Status(0));
    Ok(())
}

fn open_files() -> Result {
    const SET: i32 = libc::F_OFD_SETLK;
    let folder = Folder::new()?;
    let path = folder.file("f", "x")?;
    let (a, b) = (open(&path)?, open(&path)?);
    record_lock(&a, SET, Record::new(WRITE, 0, 1))?;
    // Also within a process.
    same!(errno(record_lock(&b, SET, Record::new(READ, 0, 1))), libc::EAGAIN);
    same!(record_lock(&b, libc::F_OFD_GETLK, Record::new(READ, 0, 1))?.pid, -1);
    same!(errno(record_lock(&b, libc::F_SETLK, Record::new(READ, 0, 1))), libc::EAGAIN);
    let mut wrong = Record::new(WRITE, 5, 1);
    wrong.pid = 1;
    same!(errno(record_lock(&b, SET, wrong)), libc::EINVAL);
    // Another descriptor of the file does not matter, nor does a copy.
    drop(open(&path)?);
    drop(a.try_clone()?);
    same!(errno(record_lock(&b, SET, Record::new(READ, 0, 1))), libc::EAGAIN);
    drop(a);
    record_lock(&b, SET, Record::new(WRITE, 0, 1))?;
    Ok(())
}

fn ranges() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("f", "0123456789")?;
    let mut file = open(&path)?;
    file.seek(SeekFrom::Start(4))?;
    record_lock(&file, libc::F_SETLK, Record { whence: libc::SEEK_CUR, ..Record::new(WRITE, 1, 1) })?;
    record_lock(&file, libc::F_SETLK, Record { whence: libc::SEEK_END, ..Record::new(WRITE, -2, 1) })?;
    record_lock(&file, libc::F_SETLK, Record::new(WRITE, 3, -2))?;
    let taken: Vec<i64> = (0..10)
        .filter_map(|at| match other(&path, Record::new(READ, at, 1)) {
            Ok(0) => None,
            _ => Some(at),
        })
        .collect();
    same!(taken, [1, 2, 5, 8]);
    Ok(())
}

fn wrong() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("f", "x")?;
    let (file, reader) = (open(&path)?, File::open(&path)?);
    same!(errno(record_lock(&file, libc::F_SETLK, Record::new(7, 0, 1))), libc::EINVAL);
    same!(errno(record_lock(&file, libc::F_SETLK, Record::new(WRITE, -1, 1))), libc::EINVAL);
    same!(errno(record_lock(&file, libc::F_SETLK, Record { whence: 9, ..Record::new(WRITE, 0, 1) })), libc::EINVAL);
    same!(errno(record_lock(&reader, libc::F_SETLK, Record::new(WRITE, 0, 1))), libc::EBADF);
    record_lock(&reader, libc::F_SETLK, Record::new(READ, 0, 1))?;
    let writer = OpenOptions::new().write(true).open(&path)?;
    same!(errno(record_lock(&writer, libc::F_SETLK, Record::new(READ, 0, 1))), libc::EBADF);
    Ok(())
}

fn many_wait() -> Result {
    // More than a server's port has places for: the file system must go on meanwhile.
    const WAITERS: usize = 100;
    let folder = Folder::new()?;
    let path = folder.file("f", "")?;
    let holder = open(&path)?;
    flock(&holder, libc::LOCK_EX)?;
    std::thread::scope(|scope| -> Result {
        let waiting: Vec<_> = (0..WAITERS)
            .map(|_| {
                std::thread::Builder::new()
                    .stack_size(64 * 1024)
                    .spawn_scoped(scope, || open(&path).and_then(|file| flock(&file, libc::LOCK_EX)))
            })
            .collect::<std::io::Result<_>>()?;
        std::thread::sleep(Duration::from_millis(300));
        std::fs::write(folder.at("other"), "works")?;
        same!(std::fs::read_to_string(folder.at("other"))?, "works");
        flock(&holder, libc::LOCK_UN)?;
        for thread in waiting {
            thread.join().map_err(|_| "a thread panicked")??;
        }
        Ok(())
    })
}

fn killed_holder() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("f", "x")?;
    let file = open(&path)?;
    let (mut ready, told) = std::io::pipe()?;
    let holder = sys::fork(|| {
        let held = open(&path).and_then(|file| {
            record_lock(&file, libc::F_SETLK, Record::new(WRITE, 0, 1))?;
            std::io::Write::write(&mut &told, b"1")?;
            loop {
                std::thread::park();
            }
        });
        let _: std::io::Result<()> = held;
        1
    })?;
    std::io::Read::read_exact(&mut ready, &mut [0])?;
    same!(errno(record_lock(&file, libc::F_SETLK, Record::new(WRITE, 0, 1))), libc::EAGAIN);
    sys::kill(holder, libc::SIGKILL)?;
    record_lock(&file, libc::F_SETLKW, Record::new(WRITE, 0, 1))?;
    same!(sys::wait(holder, 0)?, sys::Ended::Signal(libc::SIGKILL));
    Ok(())
}

fn interrupted_waiter() -> Result {
    let folder = Folder::new()?;
    let path = folder.file("f", "xx")?;
    let file = open(&path)?;
    record_lock(&file, libc::F_SETLK, Record::new(WRITE, 0, 1))?;
    let waiter = sys::fork(|| {
        let _ = open(&path).and_then(|file| record_lock(&file, libc::F_SETLKW, Record::new(WRITE, 0, 1)));
        0
    })?;
    std::thread::sleep(Duration::from_millis(50));
    sys::kill(waiter, libc::SIGKILL)?;
    same!(sys::wait(waiter, 0)?, sys::Ended::Signal(libc::SIGKILL));
    // Its wish went with it.
    record_lock(&file, libc::F_SETLK, Record::new(FREE, 0, 1))?;
    same!(other(&path, Record::new(WRITE, 0, 1))?, 0);
    Ok(())
}
