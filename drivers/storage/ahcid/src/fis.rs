//! Commands as bytes: register FISes from host to device (Serial ATA 3.1, section 10.5.5), and packets.

/// ATA commands (ACS-3, chapter 7).
pub mod command {
    pub const DATA_SET_MANAGEMENT: u8 = 0x06;
    pub const READ_DMA_EXT: u8 = 0x25;
    pub const READ_LOG_EXT: u8 = 0x2f;
    pub const WRITE_DMA_EXT: u8 = 0x35;
    pub const READ_QUEUED: u8 = 0x60;
    pub const WRITE_QUEUED: u8 = 0x61;
    pub const PACKET: u8 = 0xa0;
    pub const IDENTIFY_PACKET: u8 = 0xa1;
    pub const READ_DMA: u8 = 0xc8;
    pub const WRITE_DMA: u8 = 0xca;
    pub const FLUSH: u8 = 0xe7;
    pub const FLUSH_EXT: u8 = 0xea;
    pub const IDENTIFY: u8 = 0xec;
}

/// A command's registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fis {
    /// The command.
    pub command: u8,
    /// 16 bits of features.
    pub features: u16,
    /// 48 bits of address.
    pub lba: u64,
    /// 16 bits of count.
    pub count: u16,
    /// The device register.
    pub device: u8,
}

/// The device register: the address counts sectors.
const LBA: u8 = 0x40;

impl Fis {
    /// One without data or place.
    pub fn plain(command: u8) -> Fis {
        Fis { command, ..Fis::default() }
    }

    /// A read or write of up to 65,536 sectors under a queue's tag (ACS-3, 7.25).
    pub fn queued(write: bool, tag: usize, lba: u64, sectors: u64) -> Fis {
        let command = if write { command::WRITE_QUEUED } else { command::READ_QUEUED };
        // A count of 65,536 is told as 0.
        Fis { command, features: sectors as u16, lba, count: (tag as u16) << 3, device: LBA }
    }

    /// The same outside of a queue.
    pub fn direct(write: bool, lba: u64, sectors: u64) -> Fis {
        let command = if write { command::WRITE_DMA_EXT } else { command::READ_DMA_EXT };
        Fis { command, lba, count: sectors as u16, device: LBA, features: 0 }
    }

    /// The same for disks with addresses of 28 bits: up to 256 sectors.
    pub fn small(write: bool, lba: u64, sectors: u64) -> Fis {
        let command = if write { command::WRITE_DMA } else { command::READ_DMA };
        let device = LBA | (lba >> 24 & 0xf) as u8;
        Fis { command, lba: lba & 0xff_ffff, count: sectors as u16 & 0xff, device, features: 0 }
    }

    /// A packet command: by DMA, or with a limit of bytes for each of the pieces in which the drive hands over what it has.
    pub fn packet(dma: bool, limit: u16) -> Fis {
        Fis { command: command::PACKET, features: dma.into(), lba: u64::from(limit) << 8, count: 0, device: 0 }
    }

    /// As it stands in a command table.
    pub fn bytes(&self) -> [u8; 20] {
        let [l0, l1, l2, l3, l4, l5, ..] = self.lba.to_le_bytes();
        let [f0, f1] = self.features.to_le_bytes();
        let [c0, c1] = self.count.to_le_bytes();
        // 0x80: this is a command, not the control register.
        [0x27, 0x80, self.command, f0, l0, l1, l2, self.device, l3, l4, l5, f1, c0, c1, 0, 0, 0, 0, 0, 0]
    }
}

/// Ranges of a DATA SET MANAGEMENT command (ACS-3, 7.6.3.2), as 8 bytes each: up to 65,535 sectors.
pub fn ranges(mut lba: u64, mut sectors: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while sectors > 0 {
        let some = sectors.min(0xffff);
        bytes.extend((lba | some << 48).to_le_bytes());
        (lba, sectors) = (lba + some, sectors - some);
    }
    bytes
}

/// Packets (MMC-6, chapter 6).
pub mod packet {
    /// A packet's bytes.
    pub type Packet = [u8; 12];

    /// TEST UNIT READY.
    pub const TEST_UNIT_READY: Packet = [0; 12];
    /// REQUEST SENSE of [`super::SENSE`] bytes.
    pub const REQUEST_SENSE: Packet = [0x03, 0, 0, 0, super::SENSE as u8, 0, 0, 0, 0, 0, 0, 0];
    /// READ CAPACITY.
    pub const READ_CAPACITY: Packet = [0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    /// START STOP UNIT: the medium comes out.
    pub const EJECT: Packet = [0x1b, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];

    /// READ (12) of blocks.
    pub fn read(lba: u32, blocks: u32) -> Packet {
        let ([a, b, c, d], [e, f, g, h]) = (lba.to_be_bytes(), blocks.to_be_bytes());
        [0xa8, 0, a, b, c, d, e, f, g, h, 0, 0]
    }
}

/// Bytes of sense data that are asked for, and of a capacity.
pub const SENSE: usize = 18;
/// See [`SENSE`].
pub const CAPACITY: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_where_they_belong() {
        let fis = Fis::queued(true, 5, 0x0605_0403_0201, 0x1234).bytes();
        assert_eq!(fis[..14], [0x27, 0x80, 0x61, 0x34, 1, 2, 3, 0x40, 4, 5, 6, 0x12, 5 << 3, 0]);
        let fis = Fis::direct(false, 0x0605_0403_0201, 65_536).bytes();
        assert_eq!(fis[..14], [0x27, 0x80, 0x25, 0, 1, 2, 3, 0x40, 4, 5, 6, 0, 0, 0]);
        let fis = Fis::small(false, 0xabc_def1, 256).bytes();
        assert_eq!(fis[..14], [0x27, 0x80, 0xc8, 0, 0xf1, 0xde, 0xbc, 0x4a, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Fis::packet(false, 18).bytes()[2..7], [0xa0, 0, 0, 18, 0]);
        assert_eq!(packet::read(0x0102_0304, 32), [0xa8, 0, 1, 2, 3, 4, 0, 0, 0, 32, 0, 0]);
    }

    #[test]
    fn ranges_of_a_trim() {
        assert_eq!(ranges(0x1_0000_0000, 5), [0, 0, 0, 0, 1, 0, 5, 0]);
        let two = ranges(7, 0x1_0000);
        assert_eq!(two, [7, 0, 0, 0, 0, 0, 0xff, 0xff, 0x06, 0, 1, 0, 0, 0, 1, 0]);
    }
}
