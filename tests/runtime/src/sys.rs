//! The C functions that std does not offer, behind safe functions. All unsafe code of these tests is here.

use crate::Result;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

mod attributes;
mod locks;
mod notify;
mod signals;
mod sockets;
mod terminals;
pub use attributes::*;
pub use locks::*;
pub use notify::*;
mod processes;
pub use processes::*;
pub use signals::*;
pub use sockets::*;
pub use terminals::*;

/// The result of a C function that says −1 for an error.
fn checked(result: i32) -> io::Result<i32> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The caller's user id.
pub fn user() -> u32 {
    // SAFETY: has no preconditions.
    unsafe { libc::getuid() }
}

/// Sets the file mode creation mask.
pub fn umask(bits: u32) {
    // SAFETY: has no preconditions.
    unsafe { libc::umask(bits) };
}

/// How a child process ended, or what else wait(2) saw of it.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Ended {
    /// By exit.
    Status(i32),
    /// By a signal.
    Signal(i32),
    /// Not at all: stopped by this signal.
    Stopped(i32),
    /// Not at all: continued.
    Continued,
}

/// Forks; the child runs `work` and ends with its result. The caller has one thread only.
pub fn fork(work: impl FnOnce() -> i32) -> io::Result<i32> {
    // SAFETY: each check has a process of its own, and those that fork have no other threads at that time.
    let pid = checked(unsafe { libc::fork() })?;
    if pid == 0 {
        let status = work();
        // SAFETY: ends the child without the parent's exit handlers.
        unsafe { libc::_exit(status) }
    }
    Ok(pid)
}

/// waitpid(2).
pub fn wait(pid: i32, options: i32) -> io::Result<Ended> {
    let mut status = 0;
    // SAFETY: the status is the caller's own.
    checked(unsafe { libc::waitpid(pid, &mut status, options) })?;
    Ok(if libc::WIFEXITED(status) {
        Ended::Status(libc::WEXITSTATUS(status))
    } else if libc::WIFSIGNALED(status) {
        Ended::Signal(libc::WTERMSIG(status))
    } else if libc::WIFSTOPPED(status) {
        Ended::Stopped(libc::WSTOPSIG(status))
    } else {
        Ended::Continued
    })
}

/// Runs `work` in a child and says how that ended.
pub fn child(work: impl FnOnce() -> i32) -> io::Result<Ended> {
    wait(fork(work)?, 0)
}

/// Runs part of a check in a child that belongs to another user and to the group of the same number.
pub fn as_user(id: u32, work: impl FnOnce() -> Result) -> Result {
    let ended = child(|| {
        // SAFETY: an empty list of groups, and plain numbers.
        let set = unsafe { libc::setgroups(0, ptr::null()) == 0 && libc::setgid(id) == 0 && libc::setuid(id) == 0 };
        match set.then(work) {
            Some(Ok(())) => 0,
            Some(Err(why)) => {
                println!("as user {id}: {}", why.0);
                1
            }
            None => {
                println!("cannot become user {id}: {}", io::Error::last_os_error());
                1
            }
        }
    })?;
    if ended == Ended::Status(0) { Ok(()) } else { Err(format!("as user {id}: {ended:?}"))? }
}

/// A file in memory; gone when dropped.
pub struct Map {
    start: *mut u8,
    len: usize,
}

impl Map {
    /// Maps the first `len` bytes, shared or private, readable, and writable if asked.
    pub fn new(file: &File, len: usize, shared: bool, writable: bool) -> io::Result<Self> {
        let prot = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        let flags = if shared { libc::MAP_SHARED } else { libc::MAP_PRIVATE };
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, prot, flags, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(Map { start: start.cast(), len }) }
    }

    /// The byte at an offset within the map.
    pub fn get(&self, offset: usize) -> u8 {
        assert!(offset < self.len);
        // SAFETY: within the mapping, as just asserted.
        unsafe { self.start.add(offset).read_volatile() }
    }

    /// Writes the byte at an offset within the map, which was asked to be writable.
    pub fn set(&mut self, offset: usize, value: u8) {
        assert!(offset < self.len);
        // SAFETY: within the mapping, as just asserted.
        unsafe { self.start.add(offset).write_volatile(value) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own.
        unsafe { libc::munmap(self.start.cast(), self.len) };
    }
}

/// getpgid(2).
pub fn pgid(pid: i32) -> io::Result<i32> {
    // SAFETY: has no preconditions.
    checked(unsafe { libc::getpgid(pid) })
}

/// getsid(2).
pub fn sid(pid: i32) -> io::Result<i32> {
    // SAFETY: has no preconditions.
    checked(unsafe { libc::getsid(pid) })
}

/// epoll_create1(2).
pub fn event_queue() -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is new and nobody else's.
    checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}
