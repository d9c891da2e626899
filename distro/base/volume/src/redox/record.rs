//! Records on disk: compressed (LZ4 behind two bytes of length) when that saves blocks.

use super::layout::{TOP_LEVEL, level_for};
use crate::device::BLOCK;
use crate::{Errno, Result};

/// The length of compressed data stands in 16 bits.
const PACKED_MAX: usize = 1 << 16;

/// Compresses a record to a block of a lower level, or not at all.
pub fn pack(data: &[u8]) -> Option<Vec<u8>> {
    let mut packed = vec![0; 2 + lz4_flex::block::get_maximum_output_size(data.len())];
    let len = lz4_flex::block::compress_into(data, &mut packed[2..]).ok()?;
    let level = level_for(len + 2);
    if len + 2 > PACKED_MAX || level >= level_for(data.len()) {
        return None;
    }
    packed[..2].copy_from_slice(&(len as u16).to_le_bytes());
    packed.resize(BLOCK << level, 0);
    Some(packed)
}

/// Decompresses a record to the size of its level.
pub fn unpack(data: &[u8], level: u32) -> Result<Vec<u8>> {
    let len = usize::from(u16::from_le_bytes([data[0], data[1]]));
    let packed = data.get(2..2 + len).filter(|_| level <= TOP_LEVEL).ok_or(Errno::EIO)?;
    let mut whole = vec![0; BLOCK << level];
    lz4_flex::block::decompress_into(packed, &mut whole).map_err(|_| Errno::EIO)?;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let text: Vec<u8> = (0..131072u32).map(|i| (i / 100) as u8).collect();
        let packed = pack(&text).unwrap();
        assert!(packed.len() < text.len());
        assert_eq!(unpack(&packed, 5), Ok(text));
        let mut state = 1u64;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        });
        let noise: Vec<u8> = noise.take(131072).collect();
        assert_eq!(pack(&noise), None);
        assert_eq!(unpack(&vec![255; 4096], 5), Err(Errno::EIO));
        assert_eq!(unpack(&packed, 0), Err(Errno::EIO));
        assert_eq!(unpack(&packed, 15), Err(Errno::EIO));
    }
}
