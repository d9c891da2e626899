//! What a driver implements.

use ochre_pci::{Device, Dma};
use ochre_scheme::{Errno, Result};

/// Bounce buffers of a drive, for read(2), write(2) and the driver itself, and bytes of each. Behind them is one more, of zeroes.
pub const BUFFERS: usize = 16;
/// See [`BUFFERS`].
pub const BUFFER: usize = 64 << 10;

/// A disk or CD drive.
///
/// Work has a tag below [`Limits::depth`], under which nothing else is under way. A drive need not keep any order.
pub trait Drive: Send {
    /// What it is and can do now. Asked again after [`Kind::Check`] and [`Self::changed`].
    fn limits(&self) -> Limits;

    /// Gives the device work. `Ok(false)`: not now; it is asked again once something else is done. An error is the work's.
    fn submit(&mut self, tag: usize, work: &Work<'_>) -> Result<bool>;

    /// Adds what is done by now, with its result. EAGAIN: the device did not do it, or nobody knows; it will be given again. Any other error
    /// stands: EIO, ENOMEDIUM, EROFS, EOPNOTSUPP, EBUSY (of a check: not yet).
    fn completed(&mut self, done: &mut Vec<(usize, Result<()>)>);

    /// The device has not answered for long: it is reset. All that is under way is done, EAGAIN at the worst. An error: it does not work again.
    fn recover(&mut self, done: &mut Vec<(usize, Result<()>)>) -> Result<()>;

    /// The device said that its properties are other ones. Whether they are.
    fn changed(&mut self) -> bool {
        false
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// From the device to memory.
    Read,
    /// From memory to the device.
    Write,
    /// All writes that were done reach the medium.
    Flush,
    /// The bytes need not be kept.
    Discard,
    /// The bytes become zero, without data.
    Zero,
    /// Whether there is a medium, and which ([`Limits::bytes`]).
    Check,
    /// The medium comes out.
    Eject,
}

/// One command's worth of work.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// What.
    pub kind: Kind,
    /// The first byte on the device, a multiple of [`Limits::logical`].
    pub at: u64,
    /// Bytes, a multiple of [`Limits::logical`].
    pub len: u64,
    /// Where the data are or go, of the same length: physical addresses, multiples of 512 bytes.
    pub segments: &'a [Segment],
}

/// Physically adjacent bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Physical address.
    pub address: u64,
    /// Bytes.
    pub len: u32,
}

/// How Linux numbers such devices (Documentation/admin-guide/devices.txt), with the first of this driver's numbers in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// vda: 254 (a number that Linux gives out as it boots), 16 a disk.
    Virtio(u32),
    /// sda: 8, 16 a disk.
    Scsi(u32),
    /// sr0: 11, one a drive.
    Cd(u32),
}

/// What a drive is and can do.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of the medium, a multiple of `logical`; 0 without one.
    pub bytes: u64,
    /// Counts the media that were put in.
    pub medium: u64,
    /// Bytes of a logical and of a physical sector: powers of two from 512 on.
    pub logical: u32,
    /// See `logical`.
    pub physical: u32,
    /// It cannot be written to.
    pub read_only: bool,
    /// Tags.
    pub depth: usize,
    /// Segments of one work at the most.
    pub segments: usize,
    /// Bytes of one read or write at the most: at least [`BUFFER`].
    pub transfer: u64,
    /// Whether writes may stay in a cache until a flush.
    pub cache: bool,
    /// Bytes of one discard at the most; 0: none.
    pub discard: u64,
    /// Bytes of one zeroing at the most; 0: none.
    pub zero: u64,
    /// It turns; a device that cannot say so is taken to.
    pub rotational: bool,
    /// Its device number.
    pub family: Family,
    /// The serial number, in text.
    pub id: String,
    /// The model, in text.
    pub model: String,
}

impl Limits {
    /// A drive whose medium may go.
    pub fn removable(&self) -> bool {
        matches!(self.family, Family::Cd(_))
    }

    /// st_rdev of the drive (0) or of a partition, as makedev(3) packs it. Partitions beyond what their family has room for are under 259, as on Linux.
    pub fn device_number(&self, partition: u32) -> u64 {
        let (major, base, room) = match self.family {
            Family::Virtio(n) => (254u32, n * 16, 16),
            Family::Scsi(n) => (8, n * 16, 16),
            Family::Cd(n) => (11, n, 1),
        };
        let (major, minor) =
            if partition < room { (major, base + partition) } else { (259, (base * 16 + partition) & 0xf_ffff) };
        u64::from(major) << 8 | u64::from(minor & 0xff) | u64::from(minor & !0xff) << 12
    }
}

/// Physically adjacent memory of [`BUFFERS`] + 1 buffers.
pub trait Memory: Send {
    /// Where the device sees it.
    fn address(&self) -> u64;
    /// Copies out of it. EINVAL out of bounds.
    fn copy_out(&self, offset: usize, to: &mut [u8]) -> Result<()>;
    /// Copies into it. EINVAL out of bounds.
    fn copy_in(&self, offset: usize, from: &[u8]) -> Result<()>;
}

impl Memory for Dma {
    fn address(&self) -> u64 {
        self.address
    }

    fn copy_out(&self, offset: usize, to: &mut [u8]) -> Result<()> {
        self.memory.copy_out(offset, to)
    }

    fn copy_in(&self, offset: usize, from: &[u8]) -> Result<()> {
        self.memory.copy_in(offset, from)
    }
}

/// Who tells where clients' memory is.
pub trait Pages: Send + Sync {
    /// Physical addresses of an object's pages, held under a number until [`Self::release`].
    fn addresses(&self, object: i32, number: u64, len: u64) -> Result<Vec<u64>>;
    /// The device does not touch it any more.
    fn release(&self, number: u64) -> Result<()>;
    /// The PCI function that devd knows as the drives' parent, `00:05.0`.
    fn function(&self) -> &str;
}

impl Pages for Device {
    fn addresses(&self, object: i32, number: u64, len: u64) -> Result<Vec<u64>> {
        Device::addresses(self, object, number, len)
    }

    fn release(&self, number: u64) -> Result<()> {
        Device::release(self, number)
    }

    fn function(&self) -> &str {
        self.name()
    }
}

/// For drives: text of a device's identity, without the padding.
pub fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    bytes[..end].iter().filter(|b| (0x20..0x7f).contains(*b)).map(|b| *b as char).collect::<String>().trim().to_owned()
}

/// Makes sure that a drive's words about itself can be worked with. EIO: they cannot.
pub fn sound(limits: Limits) -> Result<Limits> {
    let sector = |n: u32| n.is_power_of_two() && (512..=BUFFER as u32).contains(&n);
    let fine = sector(limits.logical) && limits.depth > 0 && limits.segments > 0 && limits.transfer >= BUFFER as u64;
    // The kernel's positions are signed, and whole sectors are counted.
    let most = i64::MAX as u64 / u64::from(limits.logical.max(1)) * u64::from(limits.logical);
    let physical = if sector(limits.physical) { limits.physical.max(limits.logical) } else { limits.logical };
    let bytes = (limits.bytes / u64::from(limits.logical.max(1)) * u64::from(limits.logical)).min(most);
    if fine { Ok(Limits { bytes, physical, ..limits }) } else { Err(Errno::EIO) }
}
