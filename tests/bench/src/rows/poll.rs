//! Readiness of 100 descriptors: nothing is ready for select and poll, one descriptor is for epoll.

use std::io;
use std::os::fd::OwnedFd;

use super::{Group, Row};
use crate::measure::{Figure, each};
use crate::sys;

pub const ROWS: &[Row] = &[
    Row { group: Group::Os, name: "select_100_fds", what: "select() of 100 pipes, none ready", measure: select },
    Row { group: Group::Os, name: "poll_100_fds", what: "poll() of 100 pipes, none ready", measure: poll },
    Row { group: Group::Os, name: "epoll_100_fds", what: "epoll_wait() on 100 pipes, one ready", measure: epoll },
];

/// Reading ends and their writing ends.
fn pipes() -> io::Result<(Vec<OwnedFd>, Vec<OwnedFd>)> {
    (0..100).map(|_| io::pipe().map(|(reader, writer)| (OwnedFd::from(reader), OwnedFd::from(writer)))).collect()
}

fn select(_: usize) -> io::Result<Figure> {
    let (readers, _writers) = pipes()?;
    let set = sys::FdSet::new(&readers)?;
    each(|| match set.select_now()? {
        0 => Ok(()),
        ready => Err(io::Error::other(format!("{ready} empty pipes are readable"))),
    })
}

fn poll(_: usize) -> io::Result<Figure> {
    let (readers, _writers) = pipes()?;
    let mut list = sys::PollList::new(&readers);
    each(|| match list.poll_now()? {
        0 => Ok(()),
        ready => Err(io::Error::other(format!("{ready} empty pipes are readable"))),
    })
}

fn epoll(_: usize) -> io::Result<Figure> {
    use std::os::fd::AsFd;
    let (readers, writers) = pipes()?;
    let set = sys::epoll(&readers)?;
    if let Some(last) = writers.last() {
        sys::write(last.as_fd(), b"x")?;
    }
    each(|| match sys::epoll_now(set.as_fd())? {
        1 => Ok(()),
        ready => Err(io::Error::other(format!("{ready} pipes are readable, not one"))),
    })
}
