//! /proc/PID/fd and fdinfo.

use crate::kernel;
use crate::node::Place;
use ochre_scheme::abi::file::{O_ACCMODE, O_DIRECTORY, O_PATH, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY};
use ochre_scheme::{Errno, Result};

/// An open descriptor, as `/scheme/proc/PID/fds` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    pub fd: i32,
    /// The kernel's word for what it refers to.
    pub kind: String,
    /// Access mode, status flags, O_CLOEXEC.
    pub flags: u32,
    pub position: u64,
    pub inode: u64,
    /// The absolute path that it was opened under.
    pub path: Option<Vec<u8>>,
}

fn parse(line: &str) -> Option<Descriptor> {
    let mut words = line.splitn(6, ' ');
    let fd = words.next()?.parse().ok()?;
    let kind = words.next()?.to_owned();
    let flags = u32::from_str_radix(words.next()?, 8).ok()?;
    let position = words.next()?.parse().ok()?;
    let inode = words.next()?.parse().ok()?;
    let path = words.next().filter(|path| *path != "-").map(kernel::unescape);
    Some(Descriptor { fd, kind, flags, position, inode, path })
}

/// All open descriptors of a process, ascending.
pub fn all(place: Place) -> Result<Vec<Descriptor>> {
    let text = kernel::of_process(place.pid, "fds")?;
    Ok(String::from_utf8_lossy(&text).lines().filter_map(parse).collect())
}

/// One of them; ENOENT.
pub fn find(place: Place, fd: i32) -> Result<Descriptor> {
    all(place)?.into_iter().find(|one| one.fd == fd).ok_or(Errno::ENOENT)
}

impl Descriptor {
    /// What readlink shows.
    pub fn link(&self) -> Vec<u8> {
        if let Some(path) = &self.path {
            return path.clone();
        }
        let anonymous = |name: &str| format!("anon_inode:[{name}]");
        match self.kind.as_str() {
            "pipe" => format!("pipe:[{}]", self.inode),
            "socket" => format!("socket:[{}]", self.inode),
            "memory" => "/memfd: (deleted)".to_owned(),
            "event_queue" => anonymous("eventpoll"),
            other => anonymous(other),
        }
        .into_bytes()
    }

    /// The path that leads to it for an open with these flags: its own if the file has to be opened anew (a folder, so that names
    /// below it are found; other access than it has; truncation), else the kernel's name of it, which needs no server.
    pub fn path_for(&self, place: Place, flags: u32) -> Vec<u8> {
        let held = self.flags & O_ACCMODE;
        let covered = self.flags & O_PATH == 0
            && flags & O_TRUNC == 0
            && match flags & O_ACCMODE {
                _ if flags & O_PATH != 0 => true,
                O_RDONLY => held != O_WRONLY,
                O_WRONLY => held != O_RDONLY,
                _ => held == O_RDWR,
            };
        match &self.path {
            Some(path) if self.kind == "folder" || flags & O_DIRECTORY != 0 || !covered => path.clone(),
            _ => format!("/scheme/proc/{}/fd/{}", place.pid, self.fd).into_bytes(),
        }
    }

    /// The owner's bits of the link's mode: what the descriptor can do.
    pub fn mode(&self) -> u32 {
        match self.flags & O_ACCMODE {
            _ if self.flags & O_PATH != 0 => 0,
            O_RDONLY => 0o500,
            O_WRONLY => 0o300,
            _ => 0o700,
        }
    }

    /// /proc/PID/fdinfo/N.
    pub fn info(&self) -> Vec<u8> {
        format!("pos:\t{}\nflags:\t0{:o}\nmnt_id:\t20\nino:\t{}\n", self.position, self.flags, self.inode).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { pid: 9, tid: None };

    #[test]
    fn what_links_show() {
        assert_eq!(parse("3 pipe 1 0 17 -").unwrap().link(), b"pipe:[17]");
        assert_eq!(parse("3 event_queue 2000002 0 5 -").unwrap().link(), b"anon_inode:[eventpoll]");
        assert_eq!(parse("3 scheme 0 12 0 /tmp/a\\x20b").unwrap().link(), b"/tmp/a b");
        assert_eq!(parse("x"), None);
    }

    #[test]
    fn where_an_open_goes() {
        let file = parse("3 scheme 0 12 0 /tmp/a").unwrap();
        assert_eq!(file.path_for(PLACE, O_RDONLY), b"/scheme/proc/9/fd/3");
        assert_eq!(file.path_for(PLACE, O_RDWR), b"/tmp/a");
        assert_eq!(file.path_for(PLACE, O_TRUNC), b"/tmp/a");
        assert_eq!(parse("4 folder 0 0 0 /tmp").unwrap().path_for(PLACE, O_RDONLY), b"/tmp");
        assert_eq!(parse("4 pipe 0 0 5 -").unwrap().path_for(PLACE, O_RDWR), b"/scheme/proc/9/fd/4");
        assert_eq!((file.mode(), file.info()), (0o500, b"pos:\t12\nflags:\t00\nmnt_id:\t20\nino:\t0\n".to_vec()));
    }
}
