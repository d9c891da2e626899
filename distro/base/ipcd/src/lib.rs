//! Abstract names of AF_UNIX sockets.
//!
//! Each type of socket has names of its own, as on Linux. A path is the type's digit and the name's hexadecimal digits, since a name may
//! hold any byte. OP_MKNOD with a socket binds it (`any` behind the type: to a free name of ipcd's choice, which is the answer's
//! payload), OP_REACH gives a reference to it. ipcd stands between nobody: once connected, ends
//! are the kernel's. It keeps no socket open, and nothing that it cannot have again: the kernel lists the living sockets with their names
//! to the next ipcd ([`Names::recover`]).

use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::call::OP_STAT;
use ochre_scheme::abi::file::{S_IFMT, S_IFSOCK, Stat};
use ochre_scheme::{Answer, Errno, Op, Request, Result, Scheme};
use std::collections::HashMap;

/// What the kernel notes our sockets' names with.
const PREFIX: &[u8] = b"ipc\0";
/// Bytes of a name (sun_path without its first NUL) with the type before it.
const NAME_MAX: usize = 108;
/// Names that are chosen here have five digits, as on Linux.
const CHOICES: u32 = 1 << 20;
/// Fewer names than this are not swept.
const SWEEP_MIN: usize = 64;

/// What ipcd asks of the kernel, as a trait, so that tests can play it.
pub trait Sockets {
    /// Leads to a socket and does not keep it open.
    type Reference;
    /// A reference to a socket that came with a request, noted under a name.
    fn reference(&self, socket: &OwnedFd, name: &[u8]) -> Result<Self::Reference>;
    /// Whether the socket is still open.
    fn lives(&self, reference: &Self::Reference) -> bool;
    /// The descriptor to answer with.
    fn descriptor(&self, reference: &Self::Reference) -> i32;
    /// The living socket after a number (0: the first): its number, its name, and a reference.
    fn next(&self, after: u64) -> Result<Option<(u64, Vec<u8>, Self::Reference)>>;
}

/// Ochre's.
#[derive(Debug)]
pub struct Kernel;

impl Sockets for Kernel {
    type Reference = OwnedFd;

    fn reference(&self, socket: &OwnedFd, name: &[u8]) -> Result<OwnedFd> {
        let key = [PREFIX, name].concat();
        syscall::socket_reference(socket.get(), &key).map(OwnedFd::new)
    }

    fn lives(&self, reference: &OwnedFd) -> bool {
        let mut stat = [0; size_of::<Stat>()];
        ochre_rt::call::Call::new(OP_STAT, [0; 3]).output(&mut stat).send(reference.get()).is_ok()
    }

    fn descriptor(&self, reference: &OwnedFd) -> i32 {
        reference.get()
    }

    fn next(&self, after: u64) -> Result<Option<(u64, Vec<u8>, OwnedFd)>> {
        let mut key = [0; PREFIX.len() + NAME_MAX];
        let found = syscall::socket_next(after, PREFIX, &mut key)?;
        Ok(found.map(|(number, fd, len)| (number, key[PREFIX.len().min(len)..len].to_vec(), OwnedFd::new(fd))))
    }
}

/// The scheme's state.
#[derive(Debug)]
pub struct Names<S: Sockets> {
    sockets: S,
    bound: HashMap<Vec<u8>, S::Reference>,
    /// The next name to try for who has no wish.
    choice: u32,
    /// Sweep when there are this many.
    sweep_at: usize,
}

impl<S: Sockets> Names<S> {
    /// The names that living sockets have already, from an ipcd before this one.
    pub fn recover(sockets: S) -> Result<Self> {
        let mut bound = HashMap::new();
        let mut after = 0;
        while let Some((number, name, reference)) = sockets.next(after)? {
            after = number;
            bound.insert(name, reference);
        }
        let sweep_at = (bound.len() * 2).max(SWEEP_MIN);
        Ok(Names { sockets, bound, choice: 0, sweep_at })
    }

    fn is_taken(&self, name: &[u8]) -> bool {
        self.bound.get(name).is_some_and(|reference| self.sockets.lives(reference))
    }

    /// Binds a socket. EADDRINUSE; ENOSPC if no name is left to choose.
    pub fn bind(&mut self, wish: Wish, socket: &OwnedFd) -> Result<Vec<u8>> {
        let name = match wish {
            Wish::Name(name) if self.is_taken(&name) => return Err(Errno::EADDRINUSE),
            Wish::Name(name) => name,
            Wish::Any(kind) => self.choose(kind)?,
        };
        let reference = self.sockets.reference(socket, &name)?;
        self.bound.insert(name.clone(), reference);
        if self.bound.len() > self.sweep_at {
            let Self { sockets, bound, .. } = self;
            bound.retain(|_, reference| sockets.lives(reference));
            self.sweep_at = (self.bound.len() * 2).max(SWEEP_MIN);
        }
        Ok(name)
    }

    fn choose(&mut self, kind: u8) -> Result<Vec<u8>> {
        for _ in 0..CHOICES {
            let mut name = vec![kind];
            name.extend(format!("{:05x}", self.choice).bytes());
            self.choice = (self.choice + 1) % CHOICES;
            if !self.is_taken(&name) {
                return Ok(name);
            }
        }
        Err(Errno::ENOSPC)
    }

    /// The descriptor of a name's reference. ECONNREFUSED if nobody has the name.
    pub fn reach(&self, name: &[u8]) -> Result<i32> {
        let reference = self.bound.get(name).filter(|reference| self.sockets.lives(reference));
        Ok(self.sockets.descriptor(reference.ok_or(Errno::ECONNREFUSED)?))
    }
}

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The type's digit and the name.
    Name(Vec<u8>),
    /// Any name for this type.
    Any(u8),
}

/// Reads a path: EINVAL.
fn decode(path: &[u8]) -> Result<Wish> {
    let digit = |byte: u8| (byte as char).to_digit(16).ok_or(Errno::EINVAL);
    let (&kind, rest) = path.split_first().ok_or(Errno::EINVAL)?;
    if rest == b"any" {
        return Ok(Wish::Any(kind));
    }
    if rest.len() % 2 != 0 || rest.len() > 2 * (NAME_MAX - 1) {
        return Err(Errno::EINVAL);
    }
    let mut name = vec![kind];
    for pair in rest.chunks_exact(2) {
        name.push((digit(pair[0])? * 16 + digit(pair[1])?) as u8);
    }
    Ok(Wish::Name(name))
}

impl<S: Sockets> Scheme for Names<S> {
    fn open(&mut self, _: &mut Request, _: u32, _: u32) -> Result<Answer> {
        Err(Errno::ENXIO)
    }

    fn other(&mut self, request: &mut Request, op: Op) -> Result<Answer> {
        let wish = decode(request.payload())?;
        match (op, wish) {
            (Op::Mknod { mode, .. }, wish) if mode & S_IFMT == S_IFSOCK => {
                let name = self.bind(wish, &request.take_fd(0)?)?;
                let name = &name[1..];
                if request.room() >= name.len() {
                    request.set_payload(name)?;
                }
                Ok(Answer::value(name.len()))
            }
            (Op::Reach, Wish::Name(name)) => self.reach(&name).map(Answer::share),
            _ => Err(Errno::ENOSYS),
        }
    }
}

#[cfg(test)]
mod tests;
