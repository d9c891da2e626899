//! Locks of files and FIFOs: flock(2), fcntl(2), mkfifo(3).

use super::checked;
use std::ffi::CString;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// flock(2).
pub fn flock(file: &impl AsRawFd, operation: i32) -> io::Result<()> {
    // SAFETY: plain numbers.
    checked(unsafe { libc::flock(file.as_raw_fd(), operation) }).map(drop)
}

/// A record lock as fcntl(2) takes and gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// F_RDLCK, F_WRLCK or F_UNLCK.
    pub kind: i32,
    /// SEEK_SET, SEEK_CUR or SEEK_END.
    pub whence: i32,
    /// The first byte.
    pub start: i64,
    /// How many; 0: to the end.
    pub len: i64,
    /// Whose it is (F_GETLK).
    pub pid: i32,
}

impl Record {
    /// From the start of the file.
    pub fn new(kind: i32, start: i64, len: i64) -> Record {
        Record { kind, whence: libc::SEEK_SET, start, len, pid: 0 }
    }
}

/// fcntl(2) with a lock's command; what it gave back.
pub fn record_lock(file: &impl AsRawFd, command: i32, record: Record) -> io::Result<Record> {
    let mut lock = libc::flock {
        l_type: record.kind as i16,
        l_whence: record.whence as i16,
        l_start: record.start,
        l_len: record.len,
        l_pid: record.pid,
    };
    // SAFETY: the structure is the caller's own.
    checked(unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut lock) })?;
    let (kind, whence) = (i32::from(lock.l_type), i32::from(lock.l_whence));
    Ok(Record { kind, whence, start: lock.l_start, len: lock.l_len, pid: lock.l_pid })
}

/// mkfifo(3).
pub fn make_fifo(path: &Path, mode: u32) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path ends with a NUL.
    checked(unsafe { libc::mkfifo(path.as_ptr(), mode) }).map(drop)
}
