//! What a driver and pcid say to each other, on the handle of `/scheme/pci/BB:DD.F/driver`.

use ochre_scheme::abi::call::OP_PRIVATE;

/// args\[0\]: base address register, 0 to 5. The answer is a descriptor of its memory, to be mapped.
///
/// ENXIO: it is not there or is I/O ports; EPERM: the kernel keeps the range for itself.
pub const BAR: u16 = OP_PRIVATE;
/// args\[0\]: MSI-X vector (0 for MSI). The answer is a descriptor: a read waits and gives how many came since the last (u64).
///
/// ENXIO: the device has no such vector; EBUSY: it was given already; ENOSPC: all of the machine's are in use.
pub const INTERRUPT: u16 = OP_PRIVATE + 1;
/// args: bytes, 1 for memory below 4 GiB. The answer is a descriptor of physically adjacent memory, which pcid holds until the
/// device is quiet. From now on the device may master the bus. EINVAL, ENOMEM.
pub const DMA: u16 = OP_PRIVATE + 2;
/// A memory object goes along; args: offset in it (whole pages), a number of the driver's choice. The answer's payload: physical
/// addresses (u64) of as many pages as it has room for. pcid holds the object under that number until [`RELEASE`] or until the
/// device is quiet. EINVAL, ENFILE beyond [`HELD_MAX`] numbers.
pub const ADDRESSES: u16 = OP_PRIVATE + 3;
/// args\[0\]: the number. The device does not touch that object any more. EINVAL: nothing is held under it.
pub const RELEASE: u16 = OP_PRIVATE + 4;

/// Objects that pcid holds for one device at the most.
pub const HELD_MAX: usize = 1024;
