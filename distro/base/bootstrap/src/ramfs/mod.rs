//! A POSIX file system in memory: names, links, permissions, times. Pure; the bytes of files are a [`Store`]'s.
//!
//! Paths are walked here, `..` physically (XBD 4.13). What leads out of the tree stops with [`Stop::Redirect`]: an absolute
//! symbolic link, whose target the caller's namespace decides on. A relative link may lead below a directory where
//! another scheme is mounted (`/etc/mtab` → `../proc/mounts`); the file system does not know the mounts, so it redirects to the path without
//! links when a walk through a link ends at a missing name or an empty directory. If that path comes back, no link is in it.
//!
//! Times are nanoseconds since 1970. Reading does not change the access time (Linux: noatime).

mod directory;
mod handles;
mod names;
mod node;
mod permission;
mod walk;

pub use handles::{Opened, WriteAt};
pub use names::{EXCHANGE, NO_REPLACE, PairStop};
pub use node::{Attributes, Ino, Kind};
pub use permission::Caller;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use node::Node;
use ochre_abi::{Errno, Result};

/// The longest name (Linux: NAME_MAX).
pub const NAME_MAX: usize = 255;
/// Symbolic links followed in one path (Linux: MAXSYMLINKS).
pub const LINKS_MAX: usize = 40;
/// The longest path, without a NUL.
pub const PATH_MAX: usize = 4095;
/// Names that one file can have (ext4's limit).
pub const NAMES_MAX: u64 = 65_000;

/// Where files' bytes are.
pub trait Store {
    /// The bytes of one file.
    type Data;

    /// An empty file's data.
    fn create(&mut self) -> Result<Self::Data>;
    /// A copy that can be changed.
    fn copy(&mut self, data: &Self::Data) -> Result<Self::Data>;
    /// Data that are replaced by others; they are dropped.
    fn retire(&mut self, _data: Self::Data) {}
    /// Whether writing needs a [`Self::copy`] first.
    fn is_read_only(&self, data: &Self::Data) -> bool;
    /// Bytes.
    fn size(&self, data: &Self::Data) -> u64;
    /// Reads at an offset; 0 at the end.
    fn read(&mut self, data: &Self::Data, offset: u64, buffer: &mut [u8]) -> Result<usize>;
    /// Writes at an offset, growing the file; how much.
    fn write(&mut self, data: &mut Self::Data, offset: u64, bytes: &[u8]) -> Result<usize>;
    /// Cuts or grows (with zeroes).
    fn truncate(&mut self, data: &mut Self::Data, size: u64) -> Result<()>;
    /// The time, ns since 1970.
    fn now(&self) -> u64;
}

/// Why an operation on a path did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It failed.
    Error(Errno),
    /// It goes on at this absolute path.
    Redirect(Vec<u8>),
}

impl From<Errno> for Stop {
    fn from(error: Errno) -> Self {
        Stop::Error(error)
    }
}

/// The result of an operation on a path.
pub type Outcome<T> = core::result::Result<T, Stop>;

/// Where a path starts: the root, or an open directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    Root,
    Handle(u64),
}

/// A path with its start.
#[derive(Clone, Copy, Debug)]
pub struct At<'p> {
    pub base: Base,
    pub path: &'p [u8],
}

/// Numbers for statfs(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that files may take, and that they take.
    pub limit: u64,
    pub used: u64,
    pub nodes: u64,
}

/// The file system.
#[derive(Debug)]
pub struct Fs<S: Store> {
    store: S,
    nodes: BTreeMap<Ino, Node<S::Data>>,
    handles: BTreeMap<u64, handles::Handle>,
    next_ino: Ino,
    next_handle: u64,
    /// Bytes of all files that can be written.
    used: u64,
    limit: u64,
    /// Bytes that nodes and names take, about.
    overhead: u64,
    overhead_limit: u64,
    /// FIFOs and sockets that are no more.
    gone: Vec<Ino>,
}

const ROOT: Ino = 1;
/// What a node and a name take in memory besides their bytes, about.
const NODE_COST: u64 = 256;
const NAME_COST: u64 = 192;
/// Nodes and names may take half of what files may, but not less than this.
const OVERHEAD_MIN: u64 = 1 << 20;

impl<S: Store> Fs<S> {
    /// An empty tree whose files may take `limit` bytes.
    pub fn new(store: S, limit: u64) -> Self {
        let now = store.now();
        let mut root = Node::new(Kind::Directory(directory::Directory::new(ROOT, b"")), 0o755, 0, 0, now);
        // Its `..` is itself.
        root.attributes.nlink += 1;
        let nodes = BTreeMap::from([(ROOT, root)]);
        Self {
            store,
            nodes,
            handles: BTreeMap::new(),
            next_ino: ROOT + 1,
            next_handle: 1,
            used: 0,
            limit,
            overhead: 0,
            overhead_limit: (limit / 2).max(OVERHEAD_MIN),
            gone: Vec::new(),
        }
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The store, to make data for [`Self::add_file`].
    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// Sizes, for statfs(2).
    pub fn usage(&self) -> Usage {
        Usage { limit: self.limit, used: self.used, nodes: self.nodes.len() as u64 }
    }

    /// Adds a file whose bytes are there already, for filling the tree at the start.
    pub fn add_file(&mut self, at: At<'_>, mode: u32, mtime: u64, data: S::Data) -> Outcome<Ino> {
        let place = self.place(&at, &Caller::ROOT, false)?;
        if !self.store.is_read_only(&data) {
            self.used += self.store.size(&data);
        }
        let mut node = Node::new(Kind::File(Some(data)), mode, 0, 0, self.store.now());
        node.attributes.mtime = mtime;
        Ok(self.link_new(place, node)?)
    }

    fn node(&self, ino: Ino) -> Result<&Node<S::Data>> {
        self.nodes.get(&ino).ok_or(Errno::ENOENT)
    }

    fn node_mut(&mut self, ino: Ino) -> Result<&mut Node<S::Data>> {
        self.nodes.get_mut(&ino).ok_or(Errno::ENOENT)
    }

    /// FIFOs, sockets and devices of which name and handles are gone since this was last asked.
    pub fn take_gone(&mut self) -> Vec<Ino> {
        core::mem::take(&mut self.gone)
    }

    /// The file is changed now.
    fn touch(&mut self, ino: Ino, modified: bool) {
        let now = self.store.now();
        if let Some(node) = self.nodes.get_mut(&ino) {
            node.attributes.ctime = now;
            if modified {
                node.attributes.mtime = now;
            }
        }
    }

    /// Frees a node that has neither a name nor a handle.
    fn release(&mut self, ino: Ino) {
        if self.nodes.get(&ino).is_none_or(|node| node.attributes.nlink > 0 || node.opens > 0) {
            return;
        }
        let Some(node) = self.nodes.remove(&ino) else { return };
        self.overhead = self.overhead.saturating_sub(node.cost());
        if matches!(node.kind, Kind::Special) {
            self.gone.push(ino);
        }
        if let Kind::File(Some(data)) = node.kind
            && !self.store.is_read_only(&data)
        {
            self.used = self.used.saturating_sub(self.store.size(&data));
        }
    }

    /// ENOSPC if nodes and names would take too much memory with `cost` more.
    fn charge(&mut self, cost: u64) -> Result<()> {
        let overhead = self.overhead.saturating_add(cost);
        if overhead > self.overhead_limit {
            return Err(Errno::ENOSPC);
        }
        self.overhead = overhead;
        Ok(())
    }
}

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
