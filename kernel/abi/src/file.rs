//! Files: open flags, struct stat and directory entries, as on Linux x86-64.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub const O_RDONLY: u32 = 0;
pub const O_WRONLY: u32 = 1;
pub const O_RDWR: u32 = 2;
pub const O_ACCMODE: u32 = 3;
pub const O_CREAT: u32 = 0o100;
pub const O_EXCL: u32 = 0o200;
pub const O_NOCTTY: u32 = 0o400;
pub const O_TRUNC: u32 = 0o1000;
pub const O_APPEND: u32 = 0o2000;
/// Bytes are on stable storage when write returns. O_SYNC contains this bit.
pub const O_DSYNC: u32 = 0o10000;
pub const O_NONBLOCK: u32 = 0o4000;
pub const O_DIRECTORY: u32 = 0o200000;
pub const O_NOFOLLOW: u32 = 0o400000;
pub const O_CLOEXEC: u32 = 0o2000000;
/// Ochre's own (Linux's internal __FMODE_EXEC): opened to be run; the server checks for execution instead of reading.
pub const O_EXEC: u32 = 0o40;
pub const O_PATH: u32 = 0o10000000;
pub const O_TMPFILE: u32 = 0o20200000;

/// The calling process's working directory, as a dirfd.
pub const AT_FDCWD: i32 = -100;
pub const AT_SYMLINK_NOFOLLOW: u64 = 0x100;
pub const AT_REMOVEDIR: u64 = 0x200;
pub const AT_SYMLINK_FOLLOW: u64 = 0x400;
pub const AT_EMPTY_PATH: u64 = 0x1000;

/// faccessat2(2): by the effective ids instead of the real ones.
pub const AT_EACCESS: u64 = 0x200;

/// setxattr(2): only if there is none of this name.
pub const XATTR_CREATE: u64 = 1;
/// setxattr(2): only if there is one of this name.
pub const XATTR_REPLACE: u64 = 2;
/// Bytes of an extended attribute's name, of its value, and of a file's list of names at the most (`linux/limits.h`).
pub const XATTR_NAME_MAX: usize = 255;
pub const XATTR_SIZE_MAX: usize = 65536;
pub const XATTR_LIST_MAX: usize = 65536;

pub const SEEK_SET: u64 = 0;
pub const SEEK_CUR: u64 = 1;
pub const SEEK_END: u64 = 2;
pub const SEEK_DATA: u64 = 3;
pub const SEEK_HOLE: u64 = 4;

pub const F_DUPFD: u64 = 0;
pub const F_GETFD: u64 = 1;
pub const F_SETFD: u64 = 2;
pub const F_GETFL: u64 = 3;
pub const F_SETFL: u64 = 4;
/// Whether the argument is a descriptor for the same open file (Linux 6.10).
pub const F_DUPFD_QUERY: u64 = 1027;
pub const F_DUPFD_CLOEXEC: u64 = 1030;
/// Record locks of a process: OP_LOCK.
pub const F_GETLK: u64 = 5;
pub const F_SETLK: u64 = 6;
pub const F_SETLKW: u64 = 7;
/// Record locks of an open file: OP_LOCK.
pub const F_OFD_GETLK: u64 = 36;
pub const F_OFD_SETLK: u64 = 37;
pub const F_OFD_SETLKW: u64 = 38;
pub const FD_CLOEXEC: u64 = 1;

pub const S_IFMT: u32 = 0o170000;
pub const S_IFSOCK: u32 = 0o140000;
pub const S_IFLNK: u32 = 0o120000;
pub const S_IFREG: u32 = 0o100000;
pub const S_IFBLK: u32 = 0o060000;
pub const S_IFDIR: u32 = 0o040000;
pub const S_IFCHR: u32 = 0o020000;
pub const S_IFIFO: u32 = 0o010000;

pub const DT_UNKNOWN: u8 = 0;
pub const DT_FIFO: u8 = 1;
pub const DT_CHR: u8 = 2;
pub const DT_DIR: u8 = 4;
pub const DT_BLK: u8 = 6;
pub const DT_REG: u8 = 8;
pub const DT_LNK: u8 = 10;
pub const DT_SOCK: u8 = 12;

/// struct stat, 144 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Stat {
    pub dev: u64,
    pub ino: u64,
    pub nlink: u64,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub pad: u32,
    pub rdev: u64,
    pub size: i64,
    pub blksize: i64,
    pub blocks: i64,
    pub atime: i64,
    pub atime_nsec: i64,
    pub mtime: i64,
    pub mtime_nsec: i64,
    pub ctime: i64,
    pub ctime_nsec: i64,
    pub unused: [i64; 3],
}

const _: () = assert!(size_of::<Stat>() == 144);

/// struct iovec.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct IoVec {
    pub base: u64,
    pub len: u64,
}

/// Appends a struct linux_dirent64 to `out` at `*len` if it fits; false if not. `next` is the position after this entry.
pub fn put_dirent(out: &mut [u8], len: &mut usize, ino: u64, next: u64, kind: u8, name: &[u8]) -> bool {
    let record = (19 + name.len() + 1).next_multiple_of(8);
    let Some(entry) = out.get_mut(*len..*len + record) else { return false };
    entry.fill(0);
    entry[0..8].copy_from_slice(&ino.to_le_bytes());
    entry[8..16].copy_from_slice(&next.to_le_bytes());
    entry[16..18].copy_from_slice(&(record as u16).to_le_bytes());
    entry[18] = kind;
    entry[19..19 + name.len()].copy_from_slice(name);
    *len += record;
    true
}
