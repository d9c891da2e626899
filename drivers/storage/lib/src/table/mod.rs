//! Partition tables: what a medium's sectors say about its partitions.
//!
//! Nothing in them is believed: an entry that leaves the medium, is empty or lies over another is left out, with a complaint for the log.

pub mod content;
mod gpt;
mod mbr;
#[cfg(test)]
mod tests;

use crate::partition::Partition;
use ochre_scheme::Result;

/// What a table is read from.
pub trait Media {
    /// Bytes.
    fn size(&self) -> u64;
    /// Bytes of a logical sector.
    fn logical(&self) -> u64;
    /// Reads whole units of 512 bytes. EIO.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()>;
}

/// Partitions of one disk at the most.
pub const PARTITIONS_MAX: usize = 128;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// In the order of their numbers.
    pub partitions: Vec<Partition>,
    /// What is wrong with the table, for the log.
    pub complaints: Vec<String>,
}

/// An entry, in units of 512 bytes: where it begins, how much it is.
struct Entry {
    number: u32,
    start: u64,
    sectors: u64,
    kind: String,
    uuid: String,
    name: String,
}

/// Reads the table of disk number `disk` of a scheme. A medium without one has no partitions; EIO if the first sector cannot be read.
pub fn scan(media: &mut dyn Media, disk: u32) -> Result<Table> {
    let mut table = Table::default();
    let mut first = [0; 512];
    if media.size() < 1024 {
        return Ok(table);
    }
    media.read(0, &mut first)?;
    let record = mbr::Record::parse(&first);
    // As Linux has it: where there is a sound MBR that does not mention a GPT, what looks like one is a left-over.
    let found = match &record {
        Some(record) if !record.protective() => None,
        _ => gpt::read(media, &mut table.complaints),
    };
    let (entries, overlaps) = match (found, record) {
        (Some(entries), _) => (entries, false),
        (None, Some(record)) => (mbr::read(media, &record, &mut table.complaints), is_hybrid(media)),
        (None, None) => return Ok(table),
    };
    for entry in entries {
        table.take(disk, entry, media.size() / 512, overlaps);
    }
    table.partitions.sort_by_key(|partition| partition.number);
    Ok(table)
}

/// Hybrid images (an ISO 9660 volume with an MBR) describe the same bytes twice.
fn is_hybrid(media: &mut dyn Media) -> bool {
    let mut sector = [0; 512];
    media.size() >= 33_280 && media.read(32_768, &mut sector).is_ok() && &sector[1..6] == b"CD001"
}

impl Table {
    fn take(&mut self, disk: u32, entry: Entry, size: u64, overlaps: bool) {
        let Entry { number, start, sectors, kind, uuid, name } = entry;
        let end = start.checked_add(sectors).filter(|end| *end <= size);
        let wrong = match end {
            _ if sectors == 0 => Some("is empty".to_owned()),
            None => Some("ends behind the medium's end".to_owned()),
            Some(_) if self.partitions.len() >= PARTITIONS_MAX => Some("is one too many".to_owned()),
            Some(end) => {
                let over = |other: &&Partition| other.start < end && start < other.start + other.sectors;
                let other = self.partitions.iter().find(over).filter(|_| !overlaps);
                other.map(|other| format!("overlaps partition {}", other.number))
            }
        };
        match wrong {
            Some(wrong) => self.complaints.push(format!("partition {number} {wrong}: left out")),
            None => self.partitions.push(Partition { disk, number, start, sectors, kind, uuid, name }),
        }
    }
}

fn get16(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).map_or(0, u16::from_le_bytes)
}

fn get32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn get64(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}
