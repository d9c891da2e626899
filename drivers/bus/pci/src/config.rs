//! Configuration space: what a function tells about itself.
//!
//! Source: PCI Local Bus Specification 3.0, chapter 6; PCI Express Base Specification 6.0, section 7.5.

/// Offsets of registers.
pub mod register {
    /// Vendor, 16 bits; 0xffff: no function.
    pub const VENDOR: u16 = 0x00;
    /// Device, 16 bits.
    pub const DEVICE: u16 = 0x02;
    /// Command, 16 bits.
    pub const COMMAND: u16 = 0x04;
    /// Status, 16 bits.
    pub const STATUS: u16 = 0x06;
    /// Revision, 8 bits; the class is in the 24 above.
    pub const REVISION: u16 = 0x08;
    /// Header type, 8 bits; the highest bit: the device has several functions.
    pub const HEADER: u16 = 0x0e;
    /// The first base address register.
    pub const BAR0: u16 = 0x10;
    /// A bridge's secondary bus, 8 bits.
    pub const SECONDARY_BUS: u16 = 0x19;
    /// Subsystem vendor and subsystem, 16 bits each (not in bridges).
    pub const SUBSYSTEM: u16 = 0x2c;
    /// Offset of the first capability, 8 bits.
    pub const CAPABILITIES: u16 = 0x34;
}

/// Command: answers at its I/O ports.
pub const COMMAND_IO: u16 = 1;
/// Command: answers at its memory addresses.
pub const COMMAND_MEMORY: u16 = 2;
/// Command: may master the bus: DMA and message-signalled interrupts.
pub const COMMAND_MASTER: u16 = 4;
/// Command: its interrupt line is off.
pub const COMMAND_NO_LINE: u16 = 1 << 10;

/// Capability numbers.
pub mod capability {
    /// Message-signalled interrupts.
    pub const MSI: u8 = 0x05;
    /// What its vendor defines.
    pub const VENDOR: u8 = 0x09;
    /// PCI Express.
    pub const EXPRESS: u8 = 0x10;
    /// MSI with a table in memory.
    pub const MSIX: u8 = 0x11;
}

/// Reads up to 32 bits of a configuration space.
pub trait Read {
    /// A byte; all ones where there is nothing.
    fn read8(&self, offset: u16) -> u8;
    /// Two bytes, aligned.
    fn read16(&self, offset: u16) -> u16;
    /// Four bytes, aligned.
    fn read32(&self, offset: u16) -> u32;
}

/// A copy of a configuration space.
impl Read for [u8] {
    fn read8(&self, offset: u16) -> u8 {
        self.get(usize::from(offset)).copied().unwrap_or(0xff)
    }

    fn read16(&self, offset: u16) -> u16 {
        u16::from_le_bytes([self.read8(offset), self.read8(offset.saturating_add(1))])
    }

    fn read32(&self, offset: u16) -> u32 {
        u32::from(self.read16(offset)) | u32::from(self.read16(offset.saturating_add(2))) << 16
    }
}

/// A function's capabilities, in their order: number and offset. A list that runs in a circle ends.
pub fn capabilities<R: Read + ?Sized>(config: &R) -> Vec<(u8, u16)> {
    let mut list = Vec::new();
    if config.read16(register::STATUS) & 1 << 4 == 0 {
        return list;
    }
    let mut at = u16::from(config.read8(register::CAPABILITIES) & !3);
    // There is room for 48 behind the header.
    while at >= 0x40 && list.len() < 48 {
        list.push((config.read8(at), at));
        at = u16::from(config.read8(at + 1) & !3);
    }
    list
}

/// What a base address register describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Physical address, or first port.
    pub address: u64,
    /// Bytes, a power of two.
    pub len: u64,
    /// I/O ports instead of memory.
    pub ports: bool,
    /// Takes the next register too.
    pub wide: bool,
    /// Reading has no side effects.
    pub prefetchable: bool,
}

impl Bar {
    /// From what the register holds (`value`; `high` is the next one's), and what it holds after all ones were written to it.
    /// `None`: there is none.
    pub fn decode(value: u32, high: u32, ones: u32, ones_high: u32) -> Option<Bar> {
        if value & 1 == 1 {
            // The upper half of a port range's mask may be hard-wired to zero.
            let mask = ones & !3 | 0xffff_0000;
            let len = u64::from((!mask).wrapping_add(1));
            let bar = Bar { address: (value & !3).into(), len, ports: true, wide: false, prefetchable: false };
            return (ones & !3 != 0).then_some(bar);
        }
        let wide = value >> 1 & 3 == 2;
        let join = |low: u32, high: u32| u64::from(low & !15) | u64::from(high) << 32;
        let (address, mask) = match wide {
            true => (join(value, high), join(ones, ones_high)),
            false => (join(value, 0), join(ones, u32::MAX)),
        };
        let empty = if wide { mask == 0 } else { ones & !15 == 0 };
        let len = (!mask).wrapping_add(1);
        let bar = Bar { address, len, ports: false, wide, prefetchable: value & 8 != 0 };
        (!empty && len.is_power_of_two()).then_some(bar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_address_registers() {
        let narrow = Bar::decode(0xfebd_1000, 0, 0xffff_f000, 0).unwrap();
        assert_eq!((narrow.address, narrow.len, narrow.ports, narrow.wide), (0xfebd_1000, 0x1000, false, false));
        let wide = Bar::decode(0xc, 0x8, 0xffff_c00c, 0xffff_ffff).unwrap();
        assert_eq!((wide.address, wide.len, wide.wide, wide.prefetchable), (0x8_0000_0000, 0x4000, true, true));
        let ports = Bar::decode(0xc041, 0, 0xffe1, 0).unwrap();
        assert_eq!((ports.address, ports.len, ports.ports), (0xc040, 0x20, true));
        assert_eq!(Bar::decode(0, 0, 0, 0), None);
        assert_eq!(Bar::decode(4, 0, 4, 0), None);
        assert_eq!(Bar::decode(0x1000, 0, 0xf0ff_f000, 0), None, "a mask with a hole");
    }

    #[test]
    fn capability_lists_end() {
        let mut config = [0u8; 256];
        assert_eq!(capabilities(&config[..]), []);
        config[6] = 1 << 4;
        config[0x34] = 0x43;
        config[0x40..0x42].copy_from_slice(&[capability::MSIX, 0x50]);
        config[0x50..0x52].copy_from_slice(&[capability::VENDOR, 0]);
        assert_eq!(capabilities(&config[..]), [(capability::MSIX, 0x40), (capability::VENDOR, 0x50)]);
        config[0x51] = 0x40;
        assert_eq!(capabilities(&config[..]).len(), 48, "a circle");
        config[0x34] = 0x10;
        assert_eq!(capabilities(&config[..]), [], "a pointer into the header");
    }
}
