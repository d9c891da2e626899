//! Memory: mmap's constants (Linux's) and Ochre's objects.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub const PROT_READ: u64 = 1;
pub const PROT_WRITE: u64 = 2;
pub const PROT_EXEC: u64 = 4;
pub const MAP_SHARED: u64 = 1;
pub const MAP_PRIVATE: u64 = 2;
pub const MAP_SHARED_VALIDATE: u64 = 3;
pub const MAP_FIXED: u64 = 0x10;
pub const MAP_ANONYMOUS: u64 = 0x20;
pub const MAP_GROWSDOWN: u64 = 0x100;
pub const MAP_LOCKED: u64 = 0x2000;
pub const MAP_NORESERVE: u64 = 0x4000;
pub const MAP_POPULATE: u64 = 0x8000;
pub const MAP_STACK: u64 = 0x20000;
pub const MAP_FIXED_NOREPLACE: u64 = 0x10_0000;
pub const MREMAP_MAYMOVE: u64 = 1;
pub const MREMAP_FIXED: u64 = 2;
pub const MADV_NORMAL: u64 = 0;
pub const MADV_RANDOM: u64 = 1;
pub const MADV_SEQUENTIAL: u64 = 2;
pub const MADV_WILLNEED: u64 = 3;
pub const MADV_DONTNEED: u64 = 4;
pub const MADV_FREE: u64 = 8;

/// OBJECT_CREATE: close-on-exec (O_CLOEXEC's value).
pub const OBJECT_CLOEXEC: u64 = 0o2000000;
/// OBJECT_CREATE: physically adjacent pages, allocated at once; needs RIGHT_DEVICE.
pub const OBJECT_CONTIGUOUS: u64 = 1;
/// OBJECT_SLICE: the new descriptor cannot write or map writable.
pub const OBJECT_READ_ONLY: u64 = 2;
/// OBJECT_CREATE: seals can be added (memfd_create's MFD_ALLOW_SEALING).
pub const OBJECT_SEALABLE: u64 = 4;
/// With OBJECT_CONTIGUOUS: below 4 GiB.
pub const OBJECT_BELOW_4G: u64 = 8;

/// Argument of SPACE_MAP: mmap into another address space (`flags` must have MAP_FIXED or the address is chosen).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct MapArgs {
    pub addr: u64,
    pub len: u64,
    pub prot: u64,
    pub flags: u64,
    /// −1 with MAP_ANONYMOUS.
    pub fd: i64,
    pub offset: u64,
}
