//! Configuration space in memory (ECAM).
//!
//! Source: PCI Firmware Specification 3.3, section 4.1.2 (MCFG); PCI Express Base Specification 6.0, section 7.2.2.

use ochre_pci::config::Read;
use ochre_rt::mapping::Mapping;
use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::abi::file::{AT_FDCWD, O_CLOEXEC, O_RDWR};
use ochre_scheme::{Errno, Result};
use std::fmt;

/// Bytes of one function's space, of one bus's.
const FUNCTION: usize = 4096;
const BUS: usize = FUNCTION << 8;

/// Where a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// Bus.
    pub bus: u8,
    /// Device, 0 to 31.
    pub device: u8,
    /// Function, 0 to 7.
    pub function: u8,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}:{:02x}.{}", self.bus, self.device, self.function)
    }
}

/// A range of buses of segment 0, as the MCFG tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Physical address of bus 0's space, whether or not the range begins there.
    pub base: u64,
    /// First bus.
    pub first: u8,
    /// Last bus.
    pub last: u8,
}

/// The ranges of segment 0 in an MCFG.
pub fn ranges(table: &[u8]) -> Vec<Range> {
    let entries = table.get(44..).unwrap_or_default().chunks_exact(16);
    let read = |entry: &[u8]| {
        let base = u64::from_le_bytes(entry.get(..8)?.try_into().ok()?);
        let segment = u16::from_le_bytes([*entry.get(8)?, *entry.get(9)?]);
        let (first, last) = (*entry.get(10)?, *entry.get(11)?);
        (segment == 0 && first <= last).then_some(Range { base, first, last })
    };
    entries.filter_map(read).collect()
}

/// The configuration spaces that are mapped.
#[derive(Debug, Default)]
pub struct Ecam {
    maps: Vec<(Range, Mapping)>,
}

impl Ecam {
    /// By the firmware's tables; what cannot be had is told in the log, and missing.
    pub fn of_firmware() -> Ecam {
        let table = match std::fs::read("/scheme/sys/acpi/MCFG0") {
            Ok(table) => table,
            Err(error) => {
                eprintln!("pcid: no MCFG: {error}");
                return Ecam::default();
            }
        };
        let mut maps = Vec::new();
        for range in ranges(&table) {
            match map(range) {
                Ok(mapping) => maps.push((range, mapping)),
                Err(error) => eprintln!("pcid: configuration space at {:#x}: {error}", range.base),
            }
        }
        Ecam { maps }
    }

    fn find(&self, at: Address, offset: u16) -> Option<(&Mapping, usize)> {
        let (range, mapping) = self.maps.iter().find(|(range, _)| (range.first..=range.last).contains(&at.bus))?;
        let function = usize::from(at.device & 31) << 3 | usize::from(at.function & 7);
        let inside = usize::from(offset) % FUNCTION;
        Some((mapping, usize::from(at.bus - range.first) * BUS + function * FUNCTION + inside))
    }

    /// The space of one function.
    pub fn function(&self, at: Address) -> Space<'_> {
        Space { ecam: self, at }
    }
}

fn map(range: Range) -> Result<Mapping> {
    let len = (usize::from(range.last - range.first) + 1) * BUS;
    let start = range.base + u64::from(range.first) * BUS as u64;
    device_memory(start, len as u64).and_then(|fd| Mapping::new(fd.get(), 0, len))
}

/// A descriptor of device memory. EPERM: the kernel keeps it.
pub fn device_memory(start: u64, len: u64) -> Result<OwnedFd> {
    let path = format!("/scheme/memory/device/{start:x}/{len:x}/uncached");
    syscall::openat(AT_FDCWD, path.as_bytes(), O_RDWR | O_CLOEXEC, 0).map(OwnedFd::new)
}

/// One function's configuration space.
#[derive(Clone, Copy)]
pub struct Space<'e> {
    ecam: &'e Ecam,
    at: Address,
}

impl Space<'_> {
    /// Where it is.
    pub fn address(&self) -> Address {
        self.at
    }

    /// Writes 16 bits, aligned. EIO if there is no such space.
    pub fn write16(&self, offset: u16, value: u16) -> Result<()> {
        let (mapping, at) = self.ecam.find(self.at, offset).ok_or(Errno::EIO)?;
        mapping.write16(at, value)
    }

    /// Writes 32 bits, aligned. EIO if there is no such space.
    pub fn write32(&self, offset: u16, value: u32) -> Result<()> {
        let (mapping, at) = self.ecam.find(self.at, offset).ok_or(Errno::EIO)?;
        mapping.write32(at, value)
    }
}

impl Read for Space<'_> {
    fn read8(&self, offset: u16) -> u8 {
        self.ecam.find(self.at, offset).and_then(|(map, at)| map.read8(at).ok()).unwrap_or(0xff)
    }

    fn read16(&self, offset: u16) -> u16 {
        self.ecam.find(self.at, offset).and_then(|(map, at)| map.read16(at).ok()).unwrap_or(0xffff)
    }

    fn read32(&self, offset: u16) -> u32 {
        self.ecam.find(self.at, offset).and_then(|(map, at)| map.read32(at).ok()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_firmwares_table() {
        let mut table = vec![0; 44];
        let mut entry = |base: u64, segment: u16, first, last| {
            table.extend(base.to_le_bytes());
            table.extend(segment.to_le_bytes());
            table.extend([first, last, 0, 0, 0, 0]);
        };
        entry(0xb000_0000, 0, 0, 255);
        entry(0xc000_0000, 1, 0, 255);
        entry(0xd000_0000, 0, 9, 3);
        assert_eq!(ranges(&table), [Range { base: 0xb000_0000, first: 0, last: 255 }]);
        assert_eq!(ranges(&table[..50]), [], "cut off");
        assert_eq!(ranges(&[]), []);
    }

    #[test]
    fn addresses_are_written_as_linux_does() {
        assert_eq!(Address { bus: 0, device: 31, function: 2 }.to_string(), "00:1f.2");
    }

    #[test]
    fn nothing_there_reads_as_ones() {
        let ecam = Ecam::default();
        let space = ecam.function(Address { bus: 0, device: 0, function: 0 });
        assert_eq!((space.read8(0), space.read16(0), space.read32(0)), (0xff, 0xffff, u32::MAX));
        assert_eq!(space.write16(4, 0), Err(Errno::EIO));
    }
}
