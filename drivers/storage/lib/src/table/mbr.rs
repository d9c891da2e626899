//! Master boot records, with logical partitions in extended ones.
//!
//! Source: UEFI Specification 2.10, section 5.2; extended boot records as Linux's block/partitions/msdos.c reads them.

use super::{Entry, Media, get16, get32};

/// Types of extended partitions.
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
/// The type that announces a GPT.
const PROTECTIVE: u8 = 0xee;
/// Links of a chain that are followed at the most.
const CHAIN_MAX: u32 = 124;

/// One of four.
#[derive(Clone, Copy)]
struct Slot {
    kind: u8,
    start: u64,
    sectors: u64,
}

/// A sector with a table.
pub struct Record {
    slots: [Slot; 4],
    signature: u32,
}

impl Record {
    /// `None`: it is none; a FAT's boot sector ends in the same way, but has other things where slots begin with 0x80 or 0.
    pub fn parse(sector: &[u8; 512]) -> Option<Record> {
        let at = |n: usize| 446 + 16 * n;
        if get16(sector, 510) != 0xaa55 || (0..4).any(|n| sector[at(n)] & 0x7f != 0) {
            return None;
        }
        let slot = |n| Slot {
            kind: sector[at(n) + 4],
            start: get32(sector, at(n) + 8).into(),
            sectors: get32(sector, at(n) + 12).into(),
        };
        Some(Record { slots: [slot(0), slot(1), slot(2), slot(3)], signature: get32(sector, 440) })
    }

    /// Whether a GPT counts instead.
    pub fn protective(&self) -> bool {
        self.slots.iter().any(|slot| slot.kind == PROTECTIVE)
    }
}

/// All entries. Places count in 512 bytes, but on disks whose sectors are larger still: CDs hold what was made for disks.
pub fn read(media: &mut dyn Media, record: &Record, complaints: &mut Vec<String>) -> Vec<Entry> {
    let scale = if media.logical() > 2048 { media.logical() / 512 } else { 1 };
    let entry = |number: u32, slot: &Slot, base: u64| Entry {
        number,
        start: (base + slot.start) * scale,
        sectors: slot.sectors * scale,
        kind: format!("{:#04x}", slot.kind),
        uuid: if record.signature == 0 { String::new() } else { format!("{:08x}-{number:02x}", record.signature) },
        name: String::new(),
    };
    let used = |slot: &&Slot| slot.kind != 0 && slot.sectors != 0;
    let mut found = Vec::new();
    let mut logical = 5;
    for (n, slot) in record.slots.iter().enumerate().filter(|(_, slot)| used(slot)) {
        if slot.kind == PROTECTIVE {
            continue;
        }
        if !EXTENDED.contains(&slot.kind) {
            found.push(entry(n as u32 + 1, slot, 0));
            continue;
        }
        // What the extended partition itself covers is its logical partitions' alone.
        let (first, end) = (slot.start, slot.start + slot.sectors);
        let mut here = first;
        loop {
            if logical >= 5 + CHAIN_MAX {
                complaints.push("the chain of logical partitions does not end".to_owned());
                break;
            }
            let mut sector = [0; 512];
            let place = (here * scale).checked_mul(512).filter(|at| at.saturating_add(512) <= media.size());
            if !place.is_some_and(|at| media.read(at, &mut sector).is_ok()) {
                complaints.push(format!("no sector {here} with logical partition {logical}"));
                break;
            }
            let Some(link) = Record::parse(&sector) else {
                complaints.push(format!("sector {here} describes no logical partition"));
                break;
            };
            let next = link.slots.iter().filter(used).find(|slot| EXTENDED.contains(&slot.kind));
            let own = link.slots.iter().filter(used).find(|slot| !EXTENDED.contains(&slot.kind));
            if let Some(own) = own {
                if here + own.start + own.sectors <= end {
                    found.push(entry(logical, own, here));
                } else {
                    complaints.push(format!("partition {logical} leaves its extended partition: left out"));
                }
                logical += 1;
            }
            match next.map(|next| first + next.start) {
                // Whoever writes such tables goes forwards, which no circle does.
                Some(place) if place > here && place < end => here = place,
                Some(_) => {
                    complaints.push(format!("the chain of logical partitions goes astray at sector {here}"));
                    break;
                }
                None => break,
            }
        }
    }
    found
}
