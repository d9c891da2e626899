//! inotify(7).

use super::checked;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What a read brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The watch's number.
    pub watch: i32,
    /// IN_ bits.
    pub mask: u32,
    /// Joins the halves of a move.
    pub cookie: u32,
    /// A name in the watched directory.
    pub name: String,
}

/// An inotify queue.
pub struct Inotify(pub OwnedFd);

impl Inotify {
    /// inotify_init1(2), nonblocking.
    pub fn new() -> io::Result<Inotify> {
        // SAFETY: the new descriptor is nobody else's.
        unsafe {
            let fd = checked(libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC))?;
            Ok(Inotify(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// inotify_add_watch(2).
    pub fn add(&self, path: &Path, mask: u32) -> io::Result<i32> {
        let path = CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: the path ends with a NUL.
        checked(unsafe { libc::inotify_add_watch(self.0.as_raw_fd(), path.as_ptr(), mask) })
    }

    /// inotify_rm_watch(2).
    pub fn remove(&self, watch: i32) -> io::Result<()> {
        // SAFETY: plain numbers.
        checked(unsafe { libc::inotify_rm_watch(self.0.as_raw_fd(), watch) }).map(drop)
    }

    /// FIONREAD.
    pub fn pending(&self) -> io::Result<i32> {
        let mut bytes = 0i32;
        // SAFETY: the number is the caller's own.
        checked(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::FIONREAD, &raw mut bytes) })?;
        Ok(bytes)
    }

    /// read(2) into a buffer of this size; how many bytes.
    pub fn read(&self, room: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0u8; room];
        // SAFETY: the buffer has this size.
        let got = unsafe { libc::read(self.0.as_raw_fd(), bytes.as_mut_ptr().cast(), room) };
        if got < 0 {
            return Err(io::Error::last_os_error());
        }
        bytes.truncate(got as usize);
        Ok(bytes)
    }

    /// All events that wait.
    pub fn events(&self) -> io::Result<Vec<Event>> {
        let mut events = Vec::new();
        loop {
            match self.read(4096) {
                Ok(bytes) => parse(&bytes, &mut events),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(events),
                Err(error) => return Err(error),
            }
        }
    }
}

fn parse(mut bytes: &[u8], events: &mut Vec<Event>) {
    while let Some((header, rest)) = bytes.split_first_chunk::<16>() {
        let word = |n: usize| u32::from_ne_bytes([header[n], header[n + 1], header[n + 2], header[n + 3]]);
        let (name, rest) = rest.split_at(word(12) as usize);
        let name = name.split(|byte| *byte == 0).next().unwrap_or(&[]);
        events.push(Event {
            watch: word(0) as i32,
            mask: word(4),
            cookie: word(8),
            name: String::from_utf8_lossy(name).into_owned(),
        });
        bytes = rest;
    }
}
