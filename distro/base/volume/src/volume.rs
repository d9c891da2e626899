//! The trait between file servers and file systems.

use alloc::vec::Vec;

use crate::{Errno, Result};

/// The number of a node: stable as long as the node lives, below 2³², never 0; free to be used again afterwards.
pub type Ino = u64;

/// Nanoseconds since 1970, negative before.
pub type Time = i128;

/// The type bits of a mode (`st_mode & S_IFMT`, inode(7)).
pub mod kind {
    /// The mask of the type bits.
    pub const MASK: u32 = 0o170000;
    /// A socket's name.
    pub const SOCKET: u32 = 0o140000;
    /// A symbolic link.
    pub const SYMLINK: u32 = 0o120000;
    /// A regular file.
    pub const FILE: u32 = 0o100000;
    /// A block device node.
    pub const BLOCK: u32 = 0o060000;
    /// A directory.
    pub const DIRECTORY: u32 = 0o040000;
    /// A character device node.
    pub const CHARACTER: u32 = 0o020000;
    /// A FIFO.
    pub const FIFO: u32 = 0o010000;
}

/// What stat(2) tells of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Attributes {
    /// Type ([`kind`]) and permission bits.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The number of names; 1 for every directory, as on btrfs (programs take 1 for "not counted").
    pub nlink: u32,
    /// The device number of a device node, as in `st_rdev`; 0 for other nodes.
    pub rdev: u64,
    /// Bytes in a file, or in a symbolic link's target; for a directory what it takes.
    pub size: u64,
    /// What is allocated, in units of 512 bytes.
    pub blocks: u64,
    /// Time of last access.
    pub atime: Time,
    /// Time of the last change of the content.
    pub mtime: Time,
    /// Time of the last change of content or attributes.
    pub ctime: Time,
    /// Time of creation; [`Volume::set_attributes`] leaves it.
    pub btime: Time,
}

/// A node to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewNode<'a> {
    /// Type ([`kind`]) and permission bits.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The device number, of a device node.
    pub rdev: u64,
    /// All four times.
    pub time: Time,
    /// A symbolic link's target, 1 to 4,095 bytes; empty for other nodes.
    pub target: &'a [u8],
}

/// statfs(2)'s numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Usage {
    /// Bytes in a block.
    pub block_size: u32,
    /// Blocks of the whole file system.
    pub blocks: u64,
    /// Blocks that are free.
    pub free: u64,
    /// Blocks that can be written: `free` without what is kept so that deleting always works.
    pub available: u64,
    /// Nodes that there can be.
    pub files: u64,
    /// Nodes that can still be made.
    pub free_files: u64,
}

/// A file system.
///
/// Changes are in memory until [`commit`](Self::commit); the volume may commit earlier by itself, between two operations or between two pieces
/// of a long write or truncation, never inside what is called atomic here. An error leaves the volume as it was, but for a `write` that
/// may have stored a front part. Errors: `EIO` for a device that fails or content that is damaged; `EROFS` on a read-only volume and on one that
/// could not be written; `ENOSPC`; `ENOENT` for a node that does not exist.
///
/// Names are any bytes but `/` and NUL, 1 to 255 of them (otherwise `EINVAL`, `ENAMETOOLONG`); `.` and `..` are the caller's. Permissions, cycles of
/// directories and times are the caller's too: no call changes a time by itself, but `create`.
pub trait Volume {
    /// The root directory.
    fn root(&self) -> Ino;

    /// True if nothing can be changed.
    fn read_only(&self) -> bool;

    /// What stat(2) tells.
    fn attributes(&mut self, ino: Ino) -> Result<Attributes>;

    /// Sets mode (but its type), owner, group, rdev (of device nodes) and the times but `btime`.
    fn set_attributes(&mut self, ino: Ino, to: &Attributes) -> Result<()>;

    /// The node that `name` in `directory` leads to. Errors: `ENOENT`, `ENOTDIR`.
    fn lookup(&mut self, directory: Ino, name: &[u8]) -> Result<Ino>;

    /// The directory that a directory stands in (`..`); the root stands in itself. Errors: `ENOTDIR`; `ENOENT` if it has no name.
    fn parent(&mut self, directory: Ino) -> Result<Ino>;

    /// Calls `each` for every name, in no order that means anything. Errors: `ENOTDIR`.
    fn entries(&mut self, directory: Ino, each: &mut dyn FnMut(&[u8], Ino)) -> Result<()>;

    /// True if a directory has no name. Errors: `ENOTDIR`.
    fn is_empty(&mut self, directory: Ino) -> Result<bool>;

    /// Makes a node without a name, held once (see [`hold`](Self::hold)). It is gone after a crash, and at its last release, unless it was linked.
    fn create(&mut self, new: &NewNode<'_>) -> Result<Ino>;

    /// Gives a node a name. Errors: `EEXIST`, `ENOTDIR`, `EMLINK`, `EPERM` for a directory that has a name.
    fn link(&mut self, directory: Ino, name: &[u8], ino: Ino) -> Result<()>;

    /// Takes a name away and returns its node, which is freed if that was its last name and nobody holds it.
    /// A directory must be empty. Errors: `ENOENT`, `ENOTEMPTY`.
    fn unlink(&mut self, directory: Ino, name: &[u8]) -> Result<Ino>;

    /// Renames atomically. What `to` names loses that name, as with `unlink`; with `exchange` both must exist and change places.
    /// Nothing happens if both name the same node. Errors: `ENOENT`, `ENOTEMPTY`, `EISDIR`, `ENOTDIR`.
    fn rename(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), exchange: bool) -> Result<()>;

    /// Keeps a node alive, with or without names, until as many calls of `release`.
    fn hold(&mut self, ino: Ino) -> Result<()>;

    /// Takes one hold back; a node without names and holds is freed.
    fn release(&mut self, ino: Ino) -> Result<()>;

    /// Reads a file's bytes; less than asked for at its end only. Errors: `EINVAL` if it is no regular file.
    fn read(&mut self, ino: Ino, offset: u64, buffer: &mut [u8]) -> Result<usize>;

    /// Writes all `bytes`; a file that is shorter grows. Errors: `EFBIG`, `ENOSPC`, `EINVAL` if it is no regular file.
    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Sets a file's size; new bytes are zero and take no room. Errors: `EFBIG`, `EINVAL`.
    fn resize(&mut self, ino: Ino, size: u64) -> Result<()>;

    /// Makes bytes zero and gives back the room of whole records among them; the size stays.
    fn punch(&mut self, ino: Ino, offset: u64, len: u64) -> Result<()>;

    /// The first offset at or behind `offset` that may hold other bytes than zero, or `None` (`SEEK_DATA`'s `ENXIO`).
    fn next_data(&mut self, ino: Ino, offset: u64) -> Result<Option<u64>>;

    /// The first offset at or behind `offset` in a hole; the end of the file counts as one; `None` behind the end.
    fn next_hole(&mut self, ino: Ino, offset: u64) -> Result<Option<u64>>;

    /// A symbolic link's target. Errors: `EINVAL` for other nodes.
    fn target(&mut self, ino: Ino) -> Result<Vec<u8>>;

    /// An extended attribute. Errors: `ENODATA`.
    fn xattr(&mut self, ino: Ino, name: &[u8]) -> Result<Vec<u8>>;

    /// Sets an extended attribute, whether it is there or not. Errors: `ENOSPC` (more than 64 KiB of them), `ERANGE` for a name's length.
    fn set_xattr(&mut self, ino: Ino, name: &[u8], value: &[u8]) -> Result<()>;

    /// Removes an extended attribute. Errors: `ENODATA`.
    fn remove_xattr(&mut self, ino: Ino, name: &[u8]) -> Result<()>;

    /// The names of a node's extended attributes.
    fn list_xattrs(&mut self, ino: Ino) -> Result<Vec<Vec<u8>>>;

    /// statfs(2)'s numbers.
    fn usage(&mut self) -> Result<Usage>;

    /// All changes so far survive a power cut when it returns `Ok`. After an error, changes since the last commit are lost at the next
    /// mount, and nothing can be changed until then.
    fn commit(&mut self) -> Result<()>;
}

/// Tells whether a name can stand in a directory: `ENAMETOOLONG`, `EINVAL`.
pub fn check_name(name: &[u8]) -> Result<()> {
    if name.len() > 255 {
        return Err(Errno::ENAMETOOLONG);
    }
    if name.is_empty() || name.iter().any(|&byte| byte == b'/' || byte == 0) || name == b"." || name == b".." {
        return Err(Errno::EINVAL);
    }
    Ok(())
}
