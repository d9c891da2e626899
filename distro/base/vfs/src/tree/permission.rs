//! Who may do what: POSIX file access permissions (XBD 4.7), the sticky bit, set-group-id directories.

use super::node::Attributes;
use ochre_abi::file::{S_IFDIR, S_IFMT};
use ochre_abi::{Errno, Result};

/// May read; the bits are those of a mode and of access(2).
pub const READ: u32 = 4;
/// May write.
pub const WRITE: u32 = 2;
/// May run, or search a directory.
pub const EXECUTE: u32 = 1;
/// Set-user-id and set-group-id.
pub const SET_IDS: u32 = 0o6000;
/// The sticky bit: only owners delete.
pub const STICKY: u32 = 0o1000;
/// Set-group-id: on a directory, new files get its group.
pub const SET_GROUP: u32 = 0o2000;

/// Whose permissions count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller<'g> {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups, sorted.
    pub groups: &'g [u32],
}

impl Caller<'_> {
    /// The superuser.
    pub const ROOT: Caller<'static> = Caller { uid: 0, gid: 0, groups: &[] };

    /// Whether the group is one of the caller's.
    pub fn is_member(&self, group: u32) -> bool {
        self.gid == group || self.groups.binary_search(&group).is_ok()
    }

    /// EACCES unless all the bits of `wanted` are allowed. The superuser may all, but run only what somebody may run.
    pub fn check(&self, file: &Attributes, wanted: u32) -> Result<()> {
        let class = if self.uid == file.uid {
            file.mode >> 6
        } else if self.is_member(file.gid) {
            file.mode >> 3
        } else {
            file.mode
        };
        let allowed = if self.uid != 0 {
            class & 7
        } else if file.mode & S_IFMT == S_IFDIR || file.mode & 0o111 != 0 {
            7
        } else {
            READ | WRITE
        };
        if wanted & !allowed == 0 { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// EPERM unless the caller owns the file or is the superuser.
    pub fn check_owner(&self, file: &Attributes) -> Result<()> {
        if self.uid == 0 || self.uid == file.uid { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// Whether an entry for `file` may leave `directory`: EACCES without write permission, EPERM by the sticky bit.
    pub fn check_remove(&self, directory: &Attributes, file: &Attributes) -> Result<()> {
        self.check(directory, WRITE | EXECUTE)?;
        let owns = self.uid == 0 || self.uid == file.uid || self.uid == directory.uid;
        if directory.mode & STICKY == 0 || owns { Ok(()) } else { Err(Errno::EPERM) }
    }
}
