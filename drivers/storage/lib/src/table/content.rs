//! What a disk or partition holds, by its superblock: for the names of /dev/disk and for `lsblk -f`.

use super::Media;

/// A file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// As libblkid calls it.
    pub kind: &'static str,
    /// As libblkid writes it. May be empty.
    pub uuid: String,
    /// May be empty.
    pub label: String,
}

/// Looks for a file system that begins at an offset. None: there is none that is known here, or it cannot be read.
pub fn content(media: &mut dyn Media, start: u64, len: u64) -> Option<Content> {
    let mut block = |offset: u64| {
        let mut bytes = [0u8; 2048];
        let fits = offset + bytes.len() as u64 <= len && start + len <= media.size();
        (fits && media.read(start + offset, &mut bytes).is_ok()).then_some(bytes)
    };
    let first = block(0)?;
    redoxfs(&first).or_else(|| fat(&first)).or_else(|| iso9660(&block(32 << 10)?))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim_end().to_owned()
}

/// The crate redoxfs' header: signature, version, UUID.
fn redoxfs(block: &[u8; 2048]) -> Option<Content> {
    let uuid = hex(&block[16..32]);
    let uuid = [&uuid[..8], &uuid[8..12], &uuid[12..16], &uuid[16..20], &uuid[20..]].join("-");
    block.starts_with(b"RedoxFS\0").then(|| Content { kind: "redoxfs", uuid, label: String::new() })
}

/// FAT's boot sector (Microsoft's specification): serial number and label stand behind each other.
fn fat(block: &[u8; 2048]) -> Option<Content> {
    let at = match () {
        () if block[510..512] != [0x55, 0xaa] => return None,
        () if block[82..90] == *b"FAT32   " => 67,
        () if block[54..59] == *b"FAT12" || block[54..59] == *b"FAT16" => 39,
        () => return None,
    };
    let serial = hex(&[block[at + 3], block[at + 2], block[at + 1], block[at]]).to_uppercase();
    let label = text(&block[at + 4..at + 15]);
    let label = if label == "NO NAME" { String::new() } else { label };
    Some(Content { kind: "vfat", uuid: [&serial[..4], &serial[4..]].join("-"), label })
}

/// ECMA-119's primary volume descriptor: label at 40, times of creation and change, of 16 digits, at 813 and 830.
fn iso9660(block: &[u8; 2048]) -> Option<Content> {
    if block[..6] != *b"\x01CD001" {
        return None;
    }
    let is_time = |digits: &&[u8]| digits.iter().all(u8::is_ascii_digit) && digits.iter().any(|digit| *digit != b'0');
    let time = [&block[830..846], &block[813..829]].into_iter().find(is_time).map(text).unwrap_or_default();
    let parts = [0..4, 4..6, 6..8, 8..10, 10..12, 12..14, 14..16];
    let parts: Vec<&str> = parts.into_iter().filter_map(|range| time.get(range)).collect();
    Some(Content { kind: "iso9660", uuid: parts.join("-"), label: text(&block[40..72]) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ochre_scheme::{Errno, Result};

    struct Bytes(Vec<u8>);

    impl Media for Bytes {
        fn size(&self) -> u64 {
            self.0.len() as u64
        }

        fn logical(&self) -> u64 {
            512
        }

        fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
            let from = self.0.get(offset as usize..offset as usize + buffer.len()).ok_or(Errno::EIO)?;
            buffer.copy_from_slice(from);
            Ok(())
        }
    }

    fn with(parts: &[(usize, &[u8])]) -> Option<Content> {
        let mut bytes = vec![0; 40 << 10];
        for (at, part) in parts {
            bytes[4096 + at..4096 + at + part.len()].copy_from_slice(part);
        }
        content(&mut Bytes(bytes), 4096, 36 << 10)
    }

    #[test]
    fn signatures() {
        assert_eq!(with(&[]), None);
        let uuid: Vec<u8> = (0..16).collect();
        let found = with(&[(0, b"RedoxFS\0"), (16, &uuid)]).unwrap();
        assert_eq!((found.kind, &found.uuid[..]), ("redoxfs", "00010203-0405-0607-0809-0a0b0c0d0e0f"));
        let found = with(&[(67, b"\x78\x56\x34\x12ESP        FAT32   "), (510, &[0x55, 0xaa])]).unwrap();
        assert_eq!((found.kind, &found.uuid[..], &found.label[..]), ("vfat", "1234-5678", "ESP"));
        let found = with(&[(39, b"\x78\x56\x34\x12NO NAME    FAT16   "), (510, &[0x55, 0xaa])]).unwrap();
        assert_eq!((found.kind, &found.label[..]), ("vfat", ""));
        let iso = 32 << 10;
        let parts: [(usize, &[u8]); 3] =
            [(iso, b"\x01CD001"), (iso + 40, b"OCHRE                           "), (iso + 813, b"2024010203040506")];
        let found = with(&parts).unwrap();
        assert_eq!((found.kind, &found.uuid[..], &found.label[..]), ("iso9660", "2024-01-02-03-04-05-06", "OCHRE"));
        assert_eq!(content(&mut Bytes(vec![0; 1024]), 0, 1024), None);
        assert_eq!(content(&mut Bytes(vec![0; 4096]), 4096, 4096), None);
    }
}
