//! Files, directories and the rest: what an inode number stands for.

use super::directory::Directory;
use super::xattr::Xattrs;
use alloc::boxed::Box;
use alloc::vec::Vec;
use ochre_abi::file::{DT_DIR, DT_LNK, DT_REG, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
pub use ochre_volume::Ino;

/// What stat(2) tells, apart from sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Permissions and, for special nodes, the type.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Names.
    pub nlink: u64,
    /// A device node's number.
    pub rdev: u64,
    pub atime: u64,
    pub mtime: u64,
    pub ctime: u64,
}

/// What a node is.
#[derive(Debug)]
pub enum Kind<D> {
    /// `None`: not opened yet. In memory it is empty then.
    File(Option<D>),
    Directory(Directory),
    Symlink(Vec<u8>),
    /// FIFO, socket, device: a name only. The type stands in the mode.
    Special,
}

#[derive(Debug)]
pub(super) struct Node<D> {
    pub attributes: Attributes,
    pub kind: Kind<D>,
    /// Handles that refer to it.
    pub opens: u32,
    /// Handles among them that can write.
    pub writers: u32,
    /// It could be written to since its times were last brought up to date: the store knows.
    pub written: bool,
    /// It may have holes.
    pub sparse: bool,
    /// Made without a name, and may get one (O_TMPFILE without O_EXCL).
    pub linkable: bool,
    /// Extended attributes, if it ever had some; on a volume, if they were asked for.
    pub xattrs: Option<Box<Xattrs>>,
    /// Bytes on the volume, for a file that is not opened.
    pub size: u64,
    /// Directories in memory of which this is the parent: it has to stay for as long as they do.
    pub children: u32,
    /// Attributes differ from the volume's.
    pub changed: bool,
    /// It was used since eviction last came by.
    pub used: bool,
    /// On a volume, what tells it from another node with its number.
    pub birth: Option<u16>,
    /// It is among the files that are kept for their cached bytes alone.
    pub idle: bool,
}

impl<D> Node<D> {
    /// A node without a name yet. Of `mode` the permissions count, and the type for special nodes.
    pub fn new(kind: Kind<D>, mode: u32, uid: u32, gid: u32, now: u64) -> Self {
        let format = match kind {
            Kind::File(_) => S_IFREG,
            Kind::Directory(_) => S_IFDIR,
            Kind::Symlink(_) => S_IFLNK,
            Kind::Special => mode & S_IFMT,
        };
        // A directory's own `.` counts as a name, and its parent's entry; the latter is added when it is linked.
        let nlink = u64::from(matches!(kind, Kind::Directory(_)));
        let mode = format | mode & 0o7777;
        let attributes = Attributes { mode, uid, gid, nlink, rdev: 0, atime: now, mtime: now, ctime: now };
        Self::with(attributes, kind)
    }

    /// As a volume has it.
    pub fn loaded(from: &ochre_volume::Attributes, kind: Kind<D>) -> Self {
        let &ochre_volume::Attributes { mode, uid, gid, nlink, rdev, size, .. } = from;
        // Times before 1970 are shown as 1970.
        let [atime, mtime, ctime] = [from.atime, from.mtime, from.ctime].map(|time| time.max(0) as u64);
        let attributes = Attributes { mode, uid, gid, nlink: nlink.into(), rdev, atime, mtime, ctime };
        Self { size, ..Self::with(attributes, kind) }
    }

    fn with(attributes: Attributes, kind: Kind<D>) -> Self {
        Self {
            attributes,
            kind,
            opens: 0,
            writers: 0,
            written: false,
            sparse: false,
            linkable: false,
            xattrs: None,
            size: 0,
            children: 0,
            changed: false,
            used: false,
            birth: None,
            idle: false,
        }
    }

    /// What it takes in memory, about, without a file's bytes.
    pub fn cost(&self) -> u64 {
        let target = if let Kind::Symlink(target) = &self.kind { target.len() } else { 0 };
        super::NODE_COST + target as u64 + self.xattrs.as_ref().map_or(0, |xattrs| xattrs.cost())
    }

    /// Its size in bytes; 0 for a directory and special nodes.
    pub fn size<S: super::Store<Data = D>>(&self, store: &S) -> u64 {
        match &self.kind {
            Kind::File(Some(data)) => store.size(data),
            Kind::File(None) => self.size,
            Kind::Symlink(target) => target.len() as u64,
            _ => 0,
        }
    }

    pub fn directory(&self) -> Option<&Directory> {
        match &self.kind {
            Kind::Directory(directory) => Some(directory),
            _ => None,
        }
    }

    pub fn is_directory(&self) -> bool {
        self.directory().is_some()
    }

    /// The type for a directory entry.
    pub fn entry_type(&self) -> u8 {
        match self.kind {
            Kind::File(_) => DT_REG,
            Kind::Directory(_) => DT_DIR,
            Kind::Symlink(_) => DT_LNK,
            // The numbers of DT_ are those of S_IF without the low bits.
            Kind::Special => ((self.attributes.mode & S_IFMT) >> 12) as u8,
        }
    }
}
