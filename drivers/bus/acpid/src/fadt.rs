//! The Fixed ACPI Description Table: where the fixed hardware is.
//!
//! Source: ACPI Specification 6.5, section 5.2.9 (table 5.9).

/// What the event hardware needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fadt {
    /// The ISA interrupt of ACPI's events (SCI_INT).
    pub interrupt: u8,
    /// Port and value that hand the hardware over from the firmware, unless it is handed over from the start.
    pub enable: Option<(u16, u8)>,
    /// The PM1 event blocks: status registers in the first half, enable registers in the second.
    pub blocks: [Option<Block>; 2],
    /// The power button is fixed hardware.
    pub power_button: bool,
}

/// A PM1 event register block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// First port.
    pub base: u16,
    /// Bytes: at least 4, and even.
    pub len: u8,
}

/// Flags: a button that is not fixed hardware; a machine without fixed hardware.
const POWER_BUTTON_BY_METHOD: u32 = 1 << 4;
const HARDWARE_REDUCED: u32 = 1 << 20;
/// The space of a Generic Address Structure: I/O ports.
const SPACE_IO: u8 = 1;

impl Fadt {
    /// Reads a table; `None` if it is too short, or tells of a machine without fixed hardware.
    pub fn parse(table: &[u8]) -> Option<Fadt> {
        let flags = u32_at(table, 112)?;
        if flags & HARDWARE_REDUCED != 0 {
            return None;
        }
        let len = *table.get(88)?;
        let block = |narrow: usize, wide: usize| {
            let extended = (table.get(wide) == Some(&SPACE_IO)).then(|| u64_at(table, wide + 4)).flatten();
            let address = extended.filter(|&address| address != 0).or(u32_at(table, narrow).map(u64::from));
            let base = address.and_then(|address| u16::try_from(address).ok()).filter(|&base| base != 0)?;
            (len >= 4 && len.is_multiple_of(2)).then_some(Block { base, len })
        };
        let command = u16::try_from(u32_at(table, 48)?).ok().filter(|&port| port != 0);
        let value = *table.get(52)?;
        Some(Fadt {
            interrupt: u8::try_from(u16::from_le_bytes([*table.get(46)?, *table.get(47)?])).ok()?,
            enable: command.filter(|_| value != 0).map(|port| (port, value)),
            blocks: [block(56, 148), block(60, 160)],
            power_button: flags & POWER_BUTTON_BY_METHOD == 0,
        })
    }
}

fn u32_at(table: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(table.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(table: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(table.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<u8> {
        let mut table = vec![0; 244];
        table[46] = 9;
        table[48] = 0xb2;
        table[52] = 2;
        table[56..58].copy_from_slice(&0x600u16.to_le_bytes());
        table[88] = 4;
        table
    }

    #[test]
    fn reads_what_qemu_tells() {
        let fadt = Fadt::parse(&table()).unwrap();
        let block = Some(Block { base: 0x600, len: 4 });
        assert_eq!(fadt, Fadt { interrupt: 9, enable: Some((0xb2, 2)), blocks: [block, None], power_button: true });
    }

    #[test]
    fn the_extended_address_counts_if_it_is_there() {
        let mut table = table();
        table[148] = SPACE_IO;
        table[152..154].copy_from_slice(&0x1800u16.to_le_bytes());
        assert_eq!(Fadt::parse(&table).unwrap().blocks[0], Some(Block { base: 0x1800, len: 4 }));
    }

    #[test]
    fn a_damaged_table_is_refused() {
        let table = table();
        for len in 0..116 {
            assert_eq!(Fadt::parse(&table[..len]), None, "{len} bytes");
        }
        let mut odd = table.clone();
        odd[88] = 3;
        assert_eq!(Fadt::parse(&odd).unwrap().blocks, [None, None]);
        let mut reduced = table;
        reduced[114] = 0x10;
        assert_eq!(Fadt::parse(&reduced), None);
    }
}
