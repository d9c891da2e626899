//! A POSIX file system: names, links, permissions, times. Pure; the bytes of files are a [`Store`]'s.
//!
//! All of it is in memory, or it is what is in use of a [`Volume`] that the store has: then changes of names go to the volume at once and
//! first, so that an error of the volume leaves the memory as it was, and attributes with [`Fs::flush_attributes`].
//!
//! Paths are walked here, `..` physically (XBD 4.13). What leads out of the tree stops with [`Stop::Redirect`]: an absolute
//! symbolic link, whose target the caller's namespace decides on. A relative link may lead below a directory where
//! another scheme is mounted (`/etc/mtab` → `../proc/mounts`); the file system does not know the mounts, so it redirects to the path without
//! links when a walk through a link ends at a missing name or an empty directory. If that path comes back, no link is in it.
//!
//! Times are nanoseconds since 1970. Reading does not change the access time (Linux: noatime).

mod cache;
mod directory;
mod handles;
mod names;
mod node;
mod permission;
mod table;
mod volume_handles;
mod walk;
mod xattr;

pub use handles::{FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE, Opened, WriteAt};
pub use names::{EXCHANGE, NO_REPLACE, PairStop};
pub use node::{Attributes, Ino, Kind};
pub use permission::Caller;

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use node::Node;
use ochre_abi::event::{IN_DELETE_SELF, IN_ISDIR};
use ochre_abi::{Errno, Result};
use ochre_volume::Volume;
use table::Table;

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

    /// What is behind the tree, if it is not all in memory.
    fn volume(&mut self) -> Option<&mut dyn Volume> {
        None
    }
    /// A file's data when it is first opened: `size` bytes of the volume; in memory, none.
    fn create(&mut self, ino: Ino, size: u64) -> Result<Self::Data>;
    /// A copy that can be changed.
    fn copy(&mut self, data: &Self::Data) -> Result<Self::Data>;
    /// Data that are replaced by others; they are dropped.
    fn retire(&mut self, _data: Self::Data) {}
    /// Data of a file that is no more.
    fn discard(&mut self, _data: Self::Data) {}
    /// Gives the volume what it does not have yet of a file's bytes.
    fn write_back(&mut self, _data: &mut Self::Data) -> Result<()> {
        Ok(())
    }
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
    /// Makes a part zero, and frees what it took. The size stays.
    fn punch(&mut self, data: &mut Self::Data, offset: u64, len: u64) -> Result<()>;
    /// What was written back before survives a power cut now.
    fn committed(&mut self) {}
    /// Has room for a part of a file, within its size, so that writing there is not refused for want of room. ENOSPC.
    fn allocate(&mut self, _data: &mut Self::Data, _offset: u64, _len: u64) -> Result<()> {
        Ok(())
    }
    /// What the store alone knows of data that are written to without asking.
    ///
    /// `settled`: nobody can have written without asking since it was written back.
    fn status(&mut self, data: &mut Self::Data, settled: bool) -> Result<Status>;
    /// The first byte from `offset` on (below the size) that is data, if there is one.
    fn next_data(&mut self, _data: &mut Self::Data, offset: u64) -> Result<Option<u64>> {
        Ok(Some(offset))
    }
    /// The first byte from `offset` on (below the size) that is in a hole; the end counts as one.
    fn next_hole(&mut self, data: &mut Self::Data, _offset: u64) -> Result<u64> {
        Ok(self.size(data))
    }
    /// The time, ns since 1970.
    fn now(&self) -> u64;
}

/// See [`Store::status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// When they were last written to, ns since 1970; 0: never.
    pub modified: u64,
    /// Bytes of memory that they take.
    pub allocated: u64,
}

/// Why an operation on a path did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It failed.
    Error(Errno),
    /// It goes on at this path: an absolute one, or one from the root of the tree (without a slash at the beginning).
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
    nodes: Table<Node<S::Data>>,
    handles: Table<handles::Handle>,
    /// Numbers of handles that were closed, for the next ones.
    free_handles: Vec<u64>,
    root: Ino,
    next_ino: Ino,
    next_handle: u64,
    /// There is a volume behind.
    backed: bool,
    /// Nodes whose attributes the volume does not have yet.
    changed: Vec<Ino>,
    /// Closed files whose bytes are in memory, the longest closed first.
    idle: VecDeque<Ino>,
    /// Names of the volume that directories know.
    known: usize,
    /// Files whose bytes may differ from the volume's.
    unsaved: BTreeSet<Ino>,
    /// Bytes of all files that can be written.
    used: u64,
    limit: u64,
    /// Bytes that nodes and names take, about.
    overhead: u64,
    overhead_limit: u64,
    /// FIFOs and sockets that are no more.
    gone: Vec<Ino>,
    /// Somebody watches: what changes is noted.
    noting: bool,
    changes: Vec<Change>,
    cookie: u32,
}

/// Something that inotify(7) tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The file, or the directory in which it happened to `name`.
    pub ino: Ino,
    /// IN_ bits, with IN_ISDIR.
    pub mask: u32,
    /// Joins the two halves of a move.
    pub cookie: u32,
    /// `None`: it happened to the file, in whatever directory that is.
    pub name: Option<Vec<u8>>,
    /// Only who watches the file itself is told, not its directory.
    pub alone: bool,
}

/// The root's number in memory.
const MEMORY_ROOT: Ino = 1;
/// What a node and a name take in memory besides their bytes, about.
const NODE_COST: u64 = 256;
const NAME_COST: u64 = 192;
/// Nodes and names may take half of what files may, but not less than this.
const OVERHEAD_MIN: u64 = 1 << 20;

impl<S: Store> Fs<S> {
    /// An empty tree whose files may take `limit` bytes.
    pub fn new(store: S, limit: u64) -> Self {
        let now = store.now();
        let mut root = Node::new(Kind::Directory(directory::Directory::new(MEMORY_ROOT, b"")), 0o755, 0, 0, now);
        // Its `..` is itself.
        root.attributes.nlink += 1;
        let mut fs = Self::empty(store, MEMORY_ROOT, limit);
        fs.nodes.insert(MEMORY_ROOT, root);
        fs
    }

    /// What the store's volume holds. The volume itself says what it has room for. EINVAL without one.
    pub fn mount(mut store: S) -> Result<Self> {
        let volume = store.volume().ok_or(Errno::EINVAL)?;
        let root = volume.root();
        let attributes = volume.attributes(root)?;
        let directory = directory::Directory::cached(root, b"");
        let mut fs = Self::empty(store, root, u64::MAX);
        fs.backed = true;
        fs.nodes.insert(root, Node::loaded(&attributes, Kind::Directory(directory)));
        Ok(fs)
    }

    fn empty(store: S, root: Ino, limit: u64) -> Self {
        Self {
            store,
            nodes: Table::new(),
            handles: Table::new(),
            free_handles: Vec::new(),
            root,
            next_ino: root + 1,
            next_handle: 1,
            backed: false,
            changed: Vec::new(),
            idle: VecDeque::new(),
            known: 0,
            unsaved: BTreeSet::new(),
            used: 0,
            limit,
            overhead: 0,
            overhead_limit: (limit / 2).max(OVERHEAD_MIN),
            gone: Vec::new(),
            noting: false,
            changes: Vec::new(),
            cookie: 0,
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
        self.nodes.get(ino).ok_or(Errno::ENOENT)
    }

    fn node_mut(&mut self, ino: Ino) -> Result<&mut Node<S::Data>> {
        self.nodes.get_mut(ino).ok_or(Errno::ENOENT)
    }

    /// FIFOs, sockets and devices of which name and handles are gone since this was last asked.
    pub fn take_gone(&mut self) -> Vec<Ino> {
        core::mem::take(&mut self.gone)
    }

    /// Has changes noted from now on, or not.
    pub fn set_noting(&mut self, noting: bool) {
        self.noting = noting;
    }

    /// What changed since this was last asked.
    pub fn take_changes(&mut self) -> Vec<Change> {
        core::mem::take(&mut self.changes)
    }

    /// Notes what happened to a file.
    pub fn note(&mut self, ino: Ino, mask: u32) {
        if self.noting {
            let mask = mask | self.directory_bit(ino);
            self.changes.push(Change { ino, mask, cookie: 0, name: None, alone: false });
        }
    }

    /// As [`Self::note`], without telling the directory.
    fn note_alone(&mut self, ino: Ino, mask: u32) {
        if self.noting {
            let mask = mask | self.directory_bit(ino);
            self.changes.push(Change { ino, mask, cookie: 0, name: None, alone: true });
        }
    }

    /// Notes what happened to a name: that of `ino`.
    fn note_name(&mut self, directory: Ino, name: &[u8], ino: Ino, mask: u32, cookie: u32) {
        if self.noting {
            let mask = mask | self.directory_bit(ino);
            self.changes.push(Change { ino: directory, mask, cookie, name: Some(name.to_vec()), alone: true });
        }
    }

    fn directory_bit(&self, ino: Ino) -> u32 {
        if self.nodes.get(ino).is_some_and(Node::is_directory) { IN_ISDIR } else { 0 }
    }

    /// A file's name in a directory, if it has one there.
    pub fn name_in(&self, directory: Ino, ino: Ino) -> Option<Vec<u8>> {
        self.nodes.get(directory)?.directory()?.name_of(ino).map(<[u8]>::to_vec)
    }

    /// Whether a node stands for a file or a directory with handles.
    pub fn open_inos(&self) -> impl Iterator<Item = (u64, Ino)> {
        self.handles.iter().map(|(id, handle)| (id, handle.ino))
    }

    /// What inotify_add_watch(2) is about: EACCES without read permission, ENOTDIR with `only_directory`.
    pub fn watched(&mut self, at: At<'_>, follow: bool, only_directory: bool, caller: &Caller) -> Outcome<Ino> {
        let last = if follow { walk::Last::Follow } else { walk::Last::Keep };
        let ino = self.find(&at, last, caller)?;
        let node = self.node(ino)?;
        if only_directory && !node.is_directory() {
            return Err(Errno::ENOTDIR.into());
        }
        caller.check(&node.attributes, permission::READ)?;
        Ok(ino)
    }

    /// The file is changed now.
    fn touch(&mut self, ino: Ino, modified: bool) {
        let now = self.store.now();
        if let Ok(attributes) = self.attributes_mut(ino) {
            attributes.ctime = now;
            if modified {
                attributes.mtime = now;
            }
        }
    }

    /// Frees a node that has neither a name nor a handle.
    fn release(&mut self, ino: Ino) {
        if self.nodes.get(ino).is_none_or(|node| node.attributes.nlink > 0 || node.opens > 0) {
            return;
        }
        let Some(node) = self.nodes.remove(ino) else { return };
        self.unsaved.remove(&ino);
        if let Some(directory) = node.directory() {
            self.known = self.known.saturating_sub(directory.known());
            self.count_child(directory.parent, false);
        }
        self.overhead = self.overhead.saturating_sub(node.cost());
        if matches!(node.kind, Kind::Special) {
            self.gone.push(ino);
        }
        if self.noting {
            self.changes.push(Change { ino, mask: IN_DELETE_SELF, cookie: 0, name: None, alone: true });
        }
        if let Kind::File(Some(data)) = node.kind {
            if !self.store.is_read_only(&data) {
                self.used = self.used.saturating_sub(self.store.size(&data));
            }
            self.store.discard(data);
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
#[cfg(test)]
mod volume_tests;
