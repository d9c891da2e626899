//! Tables as tools write them, damaged ones, and whatever chance makes.

use super::*;
use ochre_scheme::Errno;
use proptest::prelude::*;

/// A medium in memory.
pub struct Bytes(pub Vec<u8>, pub u64);

impl Media for Bytes {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn logical(&self) -> u64 {
        self.1
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        assert!(offset.is_multiple_of(512) && buffer.len().is_multiple_of(512), "whole units only");
        let bytes = usize::try_from(offset).ok().and_then(|at| self.0.get(at..at.checked_add(buffer.len())?));
        buffer.copy_from_slice(bytes.ok_or(Errno::EIO)?);
        Ok(())
    }
}

const GUID: [u8; 16] = [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b];

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// An MBR's slot.
fn slot(sector: &mut [u8], n: usize, kind: u8, start: u32, sectors: u32) {
    let at = 446 + 16 * n;
    sector[at + 4] = kind;
    put(sector, at + 8, &start.to_le_bytes());
    put(sector, at + 12, &sectors.to_le_bytes());
    put(sector, 510, &[0x55, 0xaa]);
}

/// A GPT's entry.
fn entry(first: u64, last: u64, name: &str) -> Vec<u8> {
    let mut entry = vec![0; 128];
    put(&mut entry, 0, &GUID);
    put(&mut entry, 16, &[(first as u8).wrapping_add(1); 16]);
    put(&mut entry, 32, &first.to_le_bytes());
    put(&mut entry, 40, &last.to_le_bytes());
    name.encode_utf16().enumerate().for_each(|(n, c)| put(&mut entry, 56 + 2 * n, &c.to_le_bytes()));
    entry
}

/// A medium of 256 blocks with a GPT and its copy.
fn gpt(block: usize, entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0; 256 * block];
    slot(&mut bytes, 0, 0xee, 1, 255);
    let mut all = entries.concat();
    all.resize(128 * 128, 0);
    let blocks = (all.len() / block).max(1) as u64;
    let write = |bytes: &mut Vec<u8>, own: u64, other: u64, place: u64| {
        put(bytes, place as usize * block, &all);
        let mut header = vec![0; 92];
        put(&mut header, 0, b"EFI PART");
        put(&mut header, 8, &[0, 0, 1, 0, 92]);
        put(&mut header, 24, &own.to_le_bytes());
        put(&mut header, 32, &other.to_le_bytes());
        put(&mut header, 72, &place.to_le_bytes());
        put(&mut header, 80, &128u32.to_le_bytes());
        put(&mut header, 84, &128u32.to_le_bytes());
        put(&mut header, 88, &crc32fast::hash(&all).to_le_bytes());
        let sum = crc32fast::hash(&header);
        put(&mut header, 16, &sum.to_le_bytes());
        put(bytes, own as usize * block, &header);
    };
    write(&mut bytes, 1, 255, 2);
    write(&mut bytes, 255, 1, 255 - blocks);
    bytes
}

fn found(bytes: &[u8], logical: u64) -> Table {
    scan(&mut Bytes(bytes.to_vec(), logical), 0).unwrap()
}

fn places(table: &Table) -> Vec<(u32, u64, u64)> {
    table.partitions.iter().map(|p| (p.number, p.start, p.sectors)).collect()
}

#[test]
fn a_gpt() {
    let entries = [entry(64, 95, "boot"), vec![0; 128], entry(96, 199, "ochre-root")];
    let table = found(&gpt(512, &entries), 512);
    assert_eq!((places(&table), table.complaints), (vec![(1, 64, 32), (3, 96, 104)], vec![]));
    let root = &table.partitions[1];
    assert_eq!((&*root.kind, &*root.name), ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "ochre-root"));
    assert_eq!(root.uuid, "61616161-6161-6161-6161-616161616161");
    // Blocks of 4,096 bytes; and a CD with a table that counts in 512.
    assert_eq!(places(&found(&gpt(4096, &entries), 4096)), [(1, 512, 256), (3, 768, 832)]);
    assert_eq!(places(&found(&gpt(512, &entries), 2048)), [(1, 64, 32), (3, 96, 104)]);
    assert_eq!(places(&found(&gpt(2048, &entries), 2048)), [(1, 256, 128), (3, 384, 416)]);
}

#[test]
fn a_gpts_copy() {
    let good = gpt(512, &[entry(64, 95, "a")]);
    for at in [512 + 72, 2 * 512 + 3, 512, 512 + 16] {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        let table = found(&bytes, 512);
        assert_eq!(places(&table), [(1, 64, 32)], "byte {at}");
        assert!(table.complaints.iter().any(|text| text.contains("copy")), "byte {at}: {:?}", table.complaints);
        // The copy, too: then there is no table.
        bytes[255 * 512] ^= 1;
        assert_eq!(places(&found(&bytes, 512)), []);
    }
    // An image that was put onto a larger disk: the copy is where the first header says.
    let mut larger = good.clone();
    larger.resize(1 << 20, 0);
    larger[2 * 512] ^= 1;
    assert_eq!(places(&found(&larger, 512)), [(1, 64, 32)]);
    // The first sector is gone: the GPT is still there.
    let mut headless = good.clone();
    headless[..512].fill(0);
    assert_eq!(places(&found(&headless, 512)), [(1, 64, 32)]);
    // An MBR of its own counts more than an old GPT.
    let mut old = good;
    slot(&mut old, 0, 0x83, 10, 20);
    assert_eq!(places(&found(&old, 512)), [(1, 10, 20)]);
}

#[test]
fn entries_that_cannot_be() {
    let entries = [
        entry(64, 95, "a"),
        entry(90, 99, "over it"),
        entry(200, 256, "too long"),
        entry(120, 110, "backwards"),
        entry(130, u64::MAX, "endless"),
        entry(u64::MAX, u64::MAX, "nowhere"),
        entry(140, 140, "b"),
    ];
    let table = found(&gpt(512, &entries), 512);
    assert_eq!(places(&table), [(1, 64, 32), (7, 140, 1)]);
    assert_eq!(table.complaints.len(), 5, "{:?}", table.complaints);
    assert!(table.complaints[0].contains("overlaps partition 1"));
}

#[test]
fn an_mbr_with_logical_partitions() {
    let mut bytes = vec![0; 1000 * 512];
    put(&mut bytes, 440, &0x1234_abcdu32.to_le_bytes());
    slot(&mut bytes, 0, 0x83, 10, 20);
    slot(&mut bytes, 2, 0x05, 100, 500);
    slot(&mut bytes[100 * 512..], 0, 0x83, 2, 10);
    slot(&mut bytes[100 * 512..], 1, 0x05, 50, 50);
    slot(&mut bytes[150 * 512..], 0, 0x82, 1, 20);
    let table = found(&bytes, 512);
    assert_eq!((places(&table), &table.complaints), (vec![(1, 10, 20), (5, 102, 10), (6, 151, 20)], &vec![]));
    assert_eq!((&*table.partitions[2].kind, &*table.partitions[2].uuid), ("0x82", "1234abcd-06"));
    // On a CD it counts in the same way; on a disk of large sectors it does not.
    assert_eq!(places(&found(&bytes, 2048)), places(&table));
    assert_eq!(places(&found(&bytes, 4096))[0], (1, 80, 160));
    // A chain that comes back to itself ends; so does one that leaves the extended partition.
    for next in [0, 50, 500, u32::MAX] {
        let mut circle = bytes.clone();
        slot(&mut circle[150 * 512..], 1, 0x05, next, 50);
        let table = found(&circle, 512);
        assert_eq!(places(&table).len(), 3, "{next}");
        assert_eq!(table.complaints.len(), 1, "{next}");
    }
    // Overlaps are left out but on hybrid images.
    slot(&mut bytes, 1, 0x17, 0, 900);
    assert_eq!(places(&found(&bytes, 512)), [(1, 10, 20), (5, 102, 10), (6, 151, 20)]);
    put(&mut bytes, 32_768, b"\x01CD001");
    assert_eq!(places(&found(&bytes, 512))[1], (2, 0, 900));
}

#[test]
fn media_without_a_table() {
    assert_eq!(found(&[0; 4096], 512), Table::default());
    assert_eq!(found(&[], 512), Table::default());
    // A FAT's boot sector ends like an MBR.
    let mut fat = vec![0x65; 4096];
    put(&mut fat, 510, &[0x55, 0xaa]);
    assert_eq!(found(&fat, 512), Table::default());
}

proptest! {
    /// Whatever stands there: no panic, and nothing but partitions that are inside, not empty, and apart.
    #[test]
    fn nothing_hostile_gets_through(
        changes in prop::collection::vec((0usize..512 * 40, any::<u8>()), 0..40),
        repair in any::<bool>(),
        kind in 0..2,
        logical in prop::sample::select(vec![512u64, 2048, 4096]),
    ) {
        let mut bytes = gpt(512, &[entry(64, 95, "a"), entry(100, 101, "b"), entry(110, 250, "c")]);
        if kind == 1 {
            slot(&mut bytes, 0, 0x0f, 1, 200);
            slot(&mut bytes, 1, 0x83, 220, 20);
            slot(&mut bytes[512..], 1, 0x05, 9, 20);
        }
        for (at, byte) in changes {
            bytes[at] = byte;
        }
        if repair {
            // Checksums keep nobody out who means it.
            let sum = crc32fast::hash(&bytes[1024..1024 + 128 * 128]);
            put(&mut bytes, 512 + 88, &sum.to_le_bytes());
            put(&mut bytes, 512 + 16, &[0; 4]);
            let sum = crc32fast::hash(&bytes[512..512 + 92]);
            put(&mut bytes, 512 + 16, &sum.to_le_bytes());
        }
        let size = bytes.len() as u64 / 512;
        let table = found(&bytes, logical);
        for (n, one) in table.partitions.iter().enumerate() {
            prop_assert!(one.sectors > 0 && one.start + one.sectors <= size);
            for other in &table.partitions[..n] {
                prop_assert!(one.start >= other.start + other.sectors || other.start >= one.start + one.sectors);
            }
        }
    }

    #[test]
    fn noise(bytes in prop::collection::vec(any::<u8>(), 0..8192)) {
        let mut bytes = bytes;
        bytes.truncate(bytes.len() / 512 * 512);
        if bytes.len() >= 512 {
            put(&mut bytes, 510, &[0x55, 0xaa]);
            (0..4).for_each(|n| bytes[446 + 16 * n] = 0);
        }
        let table = found(&bytes, 512);
        prop_assert!(table.partitions.iter().all(|one| (one.start + one.sectors) * 512 <= bytes.len() as u64));
    }
}
