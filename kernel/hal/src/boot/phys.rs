//! Bounds-checked reading of firmware's and the loader's structures in physical memory, through the direct map.

use zerocopy::FromBytes;

use super::info;
use crate::layout::{DIRECT_MAP_LEN, phys_to_virt};

/// Everything below is mapped, by the first page tables and by the final ones.
const ALWAYS_MAPPED: u64 = 1 << 32;

/// Whether `len` bytes at `phys` are in the direct map: below 4 GiB, or in RAM that the memory map lists.
pub(crate) fn is_mapped(phys: u64, len: u64) -> bool {
    let Some(end) = phys.checked_add(len) else { return false };
    if end <= ALWAYS_MAPPED {
        return true;
    }
    end <= DIRECT_MAP_LEN as u64
        && super::paging::is_final()
        && info::regions()
            .unwrap_or(&[])
            .iter()
            .any(|region| region.kind.is_ram() && region.range.start <= phys && end <= region.range.end())
}

/// A copy of the `T` at `phys`, which need not be aligned; `None` if it is not mapped.
pub(crate) fn read<T: FromBytes>(phys: u64) -> Option<T> {
    if !is_mapped(phys, size_of::<T>() as u64) {
        return None;
    }
    // SAFETY: mapped for reading, as just checked; any bytes are a T. Firmware's tables do not change under us, and if device
    // memory does, a torn value is still a T.
    Some(unsafe { core::ptr::read_unaligned(phys_to_virt(phys) as *const T) })
}

/// The bytes of a string that ends with a NUL, at most `max` of them.
pub(crate) fn read_string(phys: u64, max: usize, mut each: impl FnMut(u8)) {
    for i in 0..max as u64 {
        match phys.checked_add(i).and_then(read::<u8>) {
            None | Some(0) => return,
            Some(byte) => each(byte),
        }
    }
}
