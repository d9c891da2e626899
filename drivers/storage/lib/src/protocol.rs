//! Operations of a disk's handle beside read, write, seek and sync.

use ochre_scheme::abi::call::OP_PRIVATE;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes of a sector.
pub const SECTOR: u64 = 512;

/// The answer's payload: [`Info`].
pub const INFO: u16 = OP_PRIVATE;
/// A memory object goes along; args\[0\]: its bytes, whole pages up to [`ATTACH_MAX`]. The answer's value names it in transfers on this handle.
pub const ATTACH: u16 = OP_PRIVATE + 1;
/// args\[0\]: the object's number. EBUSY while a transfer is under way.
pub const DETACH: u16 = OP_PRIVATE + 2;
/// The payload: [`Transfer`]. Answered when the device has done it. EIO: the device failed, or beyond the end; EROFS; EINVAL.
pub const TRANSFER: u16 = OP_PRIVATE + 3;

/// Bytes of an attached object at the most.
pub const ATTACH_MAX: u64 = 64 << 20;
/// Bytes of one transfer at the most.
pub const TRANSFER_MAX: u32 = 128 << 10;

/// What a disk is.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Info {
    /// Of [`SECTOR`] bytes.
    pub sectors: u64,
    /// 1: it cannot be written to.
    pub read_only: u32,
    /// Requests that the device works on at once at the most.
    pub depth: u32,
    /// The device's own name for itself, padded with zeroes.
    pub id: [u8; 24],
}

/// Between an attached object and the disk.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Transfer {
    /// The object's number.
    pub object: u64,
    /// Bytes from its beginning; whole sectors.
    pub memory: u64,
    /// Bytes from the disk's beginning; whole sectors.
    pub disk: u64,
    /// Bytes, whole sectors, above 0 and up to [`TRANSFER_MAX`].
    pub len: u32,
    /// 1: to the disk, 0: from it.
    pub write: u32,
}
