//! What drivers and clients say to each other.
//!
//! The scheme `disk.NAME` is a directory: `0`, `1` … are whole disks or CD drives, `0p1` … their partitions, `partitions` a list of
//! these as text ([`crate::Partition`]). Operations below are those of a disk's or partition's handle, beside read, write, seek, sync
//! and Linux's ioctls; places are bytes from the beginning of what was opened.

use ochre_scheme::abi::call::OP_PRIVATE;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes of the unit that sizes are told in, whatever a device's own sectors are.
pub const SECTOR: u64 = 512;

/// The answer's payload: [`Info`].
pub const INFO: u16 = OP_PRIVATE;
/// A memory object goes along; args\[0\]: its bytes, whole pages up to [`ATTACH_MAX`]. The answer's value names it in transfers on this handle.
pub const ATTACH: u16 = OP_PRIVATE + 1;
/// args\[0\]: the object's number. The driver lets go of it once no transfer is under way.
pub const DETACH: u16 = OP_PRIVATE + 2;
/// The payload: [`Transfer`]. Answered when the device has done it. EIO: the device failed, or beyond the end; EROFS; EINVAL; ENOMEDIUM.
pub const TRANSFER: u16 = OP_PRIVATE + 3;
/// args: first byte, bytes, 0. What was there need not be kept. EOPNOTSUPP: the device has no such command; EIO, EROFS, EINVAL as for transfers.
pub const DISCARD: u16 = OP_PRIVATE + 4;

/// Bytes of an attached object at the most.
pub const ATTACH_MAX: u64 = 64 << 20;
/// Bytes of one transfer at the most.
pub const TRANSFER_MAX: u32 = 1 << 20;

/// What a disk or partition is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Info {
    /// Its size in units of [`SECTOR`].
    pub sectors: u64,
    /// Where it begins on its disk, in units of [`SECTOR`]; 0 for a whole disk.
    pub start: u64,
    /// 1: it cannot be written to.
    pub read_only: u32,
    /// Requests that the device works on at once at the most.
    pub depth: u32,
    /// Bytes of a logical sector: transfers are multiples of it.
    pub logical: u32,
    /// Bytes of a physical sector.
    pub physical: u32,
    /// 1: a CD drive, whose medium may be changed.
    pub removable: u32,
    /// 1: [`DISCARD`] works.
    pub discard: u32,
    /// The device's serial number, padded with zeroes.
    pub id: [u8; 24],
    /// The device's model, padded with zeroes.
    pub model: [u8; 40],
}

/// Between an attached object and the disk.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct Transfer {
    /// The object's number.
    pub object: u64,
    /// Bytes from its beginning; whole units of [`SECTOR`].
    pub memory: u64,
    /// Bytes from the disk's or partition's beginning; whole logical sectors.
    pub disk: u64,
    /// Bytes, whole logical sectors, above 0 and up to [`TRANSFER_MAX`].
    pub len: u32,
    /// 1: to the disk, 0: from it.
    pub write: u32,
}
