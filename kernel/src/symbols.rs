//! Names of kernel functions for backtraces, from `boot/kernel.sym` of the initial tree.
//!
//! Layout (little endian): `OCHRESYM`, count u64, count × {address u64, name offset u32, name length u32} sorted by address, names.

use alloc::vec::Vec;
use hal::Once;
use ochre_hal as hal;

const MAGIC: &[u8] = b"OCHRESYM";
const HEADER: usize = 16;
const RECORD: usize = 16;

static TABLE: Once<Vec<u8>> = Once::new();

/// Takes over a symbol file.
pub fn init(file: Vec<u8>) {
    // Only the first call counts, and there is only one.
    let _ = TABLE.set(file);
}

/// The function that holds `addr`, and the offset in it.
pub fn lookup(addr: usize) -> Option<(&'static str, usize)> {
    let table = TABLE.get()?;
    let rest = table.strip_prefix(MAGIC)?;
    let count = u64::from_le_bytes(*rest.first_chunk()?) as usize;
    let names = count.checked_mul(RECORD)?.checked_add(HEADER)?;
    let record = |n: usize| -> Option<(u64, u32, u32)> {
        let bytes = table.get(HEADER + n * RECORD..HEADER + (n + 1) * RECORD)?;
        let addr = u64::from_le_bytes(*bytes.first_chunk()?);
        let offset = u32::from_le_bytes(*bytes[8..].first_chunk()?);
        let len = u32::from_le_bytes(*bytes[12..].first_chunk()?);
        Some((addr, offset, len))
    };
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if record(middle)?.0 <= addr as u64 {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let (start, offset, len) = record(low.checked_sub(1)?)?;
    let from = names.checked_add(offset as usize)?;
    let name = table.get(from..from.checked_add(len as usize)?)?;
    Some((core::str::from_utf8(name).ok()?, addr - start as usize))
}
