//! What a server takes over from its predecessor ([`crate::Server::register_keeping`]).

use crate::server::Port;
use alloc::vec::Vec;
use ochre_abi::call::{NEXT_HANDLE, NEXT_OBJECT, NEXT_PARKED, PortNext};
use ochre_abi::{Errno, Result};
use ochre_rt::OwnedFd;

/// What stands at a port when a server comes to it: nothing, if it is the first one. Calls wait until the server runs.
#[derive(Debug)]
pub struct Inheritance {
    port: Port,
}

/// An open handle. The server goes on with it, unless it drops it ([`Port::drop_handle`]); it may close any time from now on.
#[derive(Debug)]
pub struct InheritedHandle {
    /// Its id; the server's new handles need others.
    pub id: u64,
    /// `OPENED_` flags.
    pub flags: u64,
    /// EPOLL bits.
    pub ready: u32,
    /// What serves its reads and maps.
    pub object: Option<OwnedFd>,
}

impl Inheritance {
    pub(crate) fn new(port: Port) -> Self {
        Inheritance { port }
    }

    /// The open handles, in the order of their ids.
    pub fn handles(&self) -> Result<Vec<InheritedHandle>> {
        let handle =
            |next: PortNext, object| InheritedHandle { id: next.key, flags: next.flags, ready: next.ready, object };
        self.all(NEXT_HANDLE, true, handle)
    }

    /// The same without their objects, of which each is a descriptor.
    pub fn handle_ids(&self) -> Result<Vec<u64>> {
        self.all(NEXT_HANDLE, false, |next, _| next.key)
    }

    /// An id above those of all open handles.
    pub fn free_id(&self) -> Result<u64> {
        Ok(self.handle_ids()?.last().map_or(1, |last| last.saturating_add(1)))
    }

    /// The memory objects whose pages the predecessor supplied, by its cookies. The server goes on with that: by OBJECT_PAGER it gives them
    /// cookies of its own, or, with port −1, gives them up (EIO for who needs an absent page).
    pub fn objects(&self) -> Result<Vec<(u64, OwnedFd)>> {
        let all = self.all(NEXT_OBJECT, true, |next, object| object.map(|object| (next.key, object)))?;
        Ok(all.into_iter().flatten().collect())
    }

    /// What was parked ([`Port::park`]), in the order of the keys.
    pub fn parked(&self) -> Result<Vec<(u64, OwnedFd)>> {
        let all = self.all(NEXT_PARKED, true, |next, object| object.map(|object| (next.key, object)))?;
        Ok(all.into_iter().flatten().collect())
    }

    fn all<T>(&self, kind: u32, files: bool, made: impl Fn(PortNext, Option<OwnedFd>) -> T) -> Result<Vec<T>> {
        let mut found = Vec::new();
        let mut from = 0;
        loop {
            let mut next = PortNext { kind, fd: if files { 0 } else { -1 }, from, ..PortNext::default() };
            match self.port.gate().next(&mut next) {
                Ok(()) => found.push(made(next, (next.fd >= 0).then(|| OwnedFd::new(next.fd)))),
                Err(Errno::ENOENT) => return Ok(found),
                Err(error) => return Err(error),
            }
            match next.from.checked_add(1) {
                Some(after) => from = after,
                None => return Ok(found),
            }
        }
    }
}
