//! What a device says about itself: IDENTIFY (PACKET) DEVICE (ACS-3, 7.12.7).

use ochre_block::server::text;

/// Some of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Serial number and model.
    pub serial: String,
    /// See `serial`.
    pub model: String,
    /// Logical sectors.
    pub sectors: u64,
    /// Bytes of a logical and of a physical sector.
    pub logical: u32,
    /// See `logical`.
    pub physical: u32,
    /// Addresses have 48 bits.
    pub wide: bool,
    /// Commands that it queues; 0: it has no native queue.
    pub queue: usize,
    /// It has a cache to be flushed.
    pub cache: bool,
    /// FLUSH CACHE EXT is there.
    pub flush_ext: bool,
    /// 512-byte blocks of ranges that one TRIM takes; 0: it has no TRIM.
    pub trim: u64,
    /// It turns.
    pub rotational: bool,
}

impl Identity {
    /// From its 512 bytes.
    pub fn parse(bytes: &[u8; 512]) -> Identity {
        let word = |n: usize| u16::from_le_bytes([bytes[2 * n], bytes[2 * n + 1]]);
        let long = |n: usize| u32::from(word(n)) | u32::from(word(n + 1)) << 16;
        // Text has the first of two characters in a word's upper half.
        let string = |from: usize, to: usize| {
            let swapped: Vec<u8> = (from..to).flat_map(|n| word(n).to_be_bytes()).collect();
            text(&swapped)
        };
        // Words 82 to 84 and 106 count only with this pattern on top.
        let valid = |value: u16| value >> 14 == 1;
        let features = if valid(word(83)) { word(83) } else { 0 };
        let wide = features & 1 << 10 != 0;
        let most = u64::from(long(100)) | u64::from(long(102)) << 32;
        let sizes = if valid(word(106)) { word(106) } else { 0 };
        let logical = if sizes & 1 << 12 != 0 { long(117).saturating_mul(2) } else { 512 };
        let exponent = if sizes & 1 << 13 != 0 { u32::from(sizes & 15) } else { 0 };
        // All ones or zero: nothing is reported.
        let queues = word(76) != 0xffff && word(76) & 1 << 8 != 0;
        Identity {
            serial: string(10, 20),
            model: string(27, 47),
            sectors: if wide { most & 0xffff_ffff_ffff } else { long(60).into() },
            logical,
            physical: logical.checked_shl(exponent).unwrap_or(logical),
            wide,
            queue: if queues && wide { usize::from(word(75) & 31) + 1 } else { 0 },
            cache: features & (1 << 12 | 1 << 13) != 0,
            flush_ext: features & 1 << 13 != 0,
            trim: if word(169) & 1 != 0 && wide { u64::from(word(105)).max(1) } else { 0 },
            rotational: word(217) != 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: &[(usize, u16)]) -> [u8; 512] {
        let mut bytes = [0; 512];
        for (n, word) in words {
            bytes[2 * n..2 * n + 2].copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn a_modern_disk() {
        let identity = Identity::parse(&bytes(&[
            (10, u16::from_be_bytes(*b"OC")),
            (11, u16::from_be_bytes(*b"1 ")),
            (27, u16::from_be_bytes(*b"AB")),
            (60, 0xffff),
            (61, 0x0fff),
            (75, 31),
            (76, 1 << 8),
            (83, 1 << 14 | 1 << 10 | 1 << 12 | 1 << 13),
            (100, 0x5678),
            (101, 0x1234),
            (102, 1),
            (106, 1 << 14 | 1 << 13 | 3),
            (105, 8),
            (169, 1),
            (217, 1),
        ]));
        let expected = Identity {
            serial: "OC1".into(),
            model: "AB".into(),
            sectors: 0x1_1234_5678,
            logical: 512,
            physical: 4096,
            wide: true,
            queue: 32,
            cache: true,
            flush_ext: true,
            trim: 8,
            rotational: false,
        };
        assert_eq!(identity, expected);
    }

    #[test]
    fn an_old_one_and_nonsense() {
        let old = Identity::parse(&bytes(&[(60, 0x1000), (61, 2), (75, 31), (76, 1 << 8)]));
        assert_eq!((old.sectors, old.wide, old.queue, old.logical), (0x2_1000, false, 0, 512));
        let large = Identity::parse(&bytes(&[(106, 1 << 14 | 1 << 12), (117, 2048)]));
        assert_eq!((large.logical, large.physical), (4096, 4096));
        // No panic, whatever it says.
        Identity::parse(&[0xff; 512]);
        Identity::parse(&[0x55; 512]);
    }
}
