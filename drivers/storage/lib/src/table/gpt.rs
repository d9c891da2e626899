//! GUID partition tables. Source: UEFI Specification 2.10, section 5.3.

use super::{Entry, Media, get16, get32, get64};

/// Bytes of a table's entries at the most: 64 times what is usual.
const ENTRIES_MAX: u64 = 1 << 20;

struct Header {
    alternate: u64,
    entries: u64,
    count: u64,
    size: u64,
    checksum: u32,
}

/// The entries of the first sound table: the medium's second block, else what that names as its copy, else the last block. Media of
/// 2,048-byte sectors may hold a table that counts in 512 bytes, as hybrid images do.
pub fn read(media: &mut dyn Media, complaints: &mut Vec<String>) -> Option<Vec<Entry>> {
    let blocks = if media.logical() == 512 { vec![512] } else { vec![media.logical(), 512] };
    for block in blocks {
        if media.size() < 3 * block {
            continue;
        }
        let mut places = vec![1, media.size() / block - 1];
        let mut n = 0;
        while let Some(place) = places.get(n).copied() {
            n += 1;
            let Some(header) = header(media, block, place) else { continue };
            if n == 1 {
                places.insert(1, header.alternate);
            }
            let Some(entries) = entries(media, block, &header) else {
                complaints.push(format!("GPT at block {place}: its entries are damaged"));
                continue;
            };
            if place != 1 {
                complaints.push(format!("GPT at block 1 is damaged: the copy at block {place} is used"));
            }
            return Some(entries);
        }
    }
    None
}

fn header(media: &mut dyn Media, block: u64, place: u64) -> Option<Header> {
    let at = place.checked_mul(block).filter(|at| at.checked_add(block).is_some_and(|end| end <= media.size()))?;
    let mut bytes = vec![0; block as usize];
    media.read(at, &mut bytes).ok()?;
    let size = get32(&bytes, 12) as usize;
    if &bytes[..8] != b"EFI PART" || size < 92 || size > bytes.len() || get64(&bytes, 24) != place {
        return None;
    }
    let checksum = get32(&bytes, 16);
    bytes[16..20].fill(0);
    let header = Header {
        alternate: get64(&bytes, 32),
        entries: get64(&bytes, 72),
        count: get32(&bytes, 80).into(),
        size: get32(&bytes, 84).into(),
        checksum: get32(&bytes, 88),
    };
    let sound = crc32fast::hash(&bytes[..size]) == checksum && header.size >= 128 && header.size.is_multiple_of(8);
    (sound && header.count.checked_mul(header.size)? <= ENTRIES_MAX).then_some(header)
}

fn entries(media: &mut dyn Media, block: u64, header: &Header) -> Option<Vec<Entry>> {
    let len = header.count * header.size;
    let at = header.entries.checked_mul(block)?;
    let padded = len.next_multiple_of(512);
    if at < 2 * 512 || at.checked_add(padded)? > media.size() {
        return None;
    }
    let mut bytes = vec![0; padded as usize];
    media.read(at, &mut bytes).ok()?;
    let bytes = &bytes[..len as usize];
    if crc32fast::hash(bytes) != header.checksum {
        return None;
    }
    let scale = block / 512;
    let entry = |(n, bytes): (usize, &[u8])| {
        if bytes[..16] == [0; 16] {
            return None;
        }
        let (first, last) = (get64(bytes, 32), get64(bytes, 40));
        let blocks = last.checked_sub(first).and_then(|n| n.checked_add(1)).unwrap_or(0);
        let name: Vec<u16> = (0..36).map(|n| get16(bytes, 56 + 2 * n)).take_while(|c| *c != 0).collect();
        Some(Entry {
            number: n as u32 + 1,
            // What does not fit is behind any medium's end.
            start: first.checked_mul(scale).unwrap_or(u64::MAX),
            sectors: blocks.checked_mul(scale).unwrap_or(u64::MAX),
            kind: guid(&bytes[..16]),
            uuid: guid(&bytes[16..32]),
            name: String::from_utf16_lossy(&name),
        })
    };
    Some(bytes.chunks_exact(header.size as usize).enumerate().filter_map(entry).collect())
}

/// A GUID's text: the first three parts are little-endian (appendix A).
fn guid(bytes: &[u8]) -> String {
    let [a, b, c] = [get32(bytes, 0), get16(bytes, 4).into(), get16(bytes, 6).into()];
    let hex = |part: &[u8]| part.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{a:08x}-{b:04x}-{c:04x}-{}-{}", hex(&bytes[8..10]), hex(&bytes[10..16]))
}
