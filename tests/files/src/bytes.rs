//! Bytes that tell where they belong: each depends on a tag and on its place in the file, and none is zero.

/// The byte at `offset` of what was written with `tag`.
pub fn byte(tag: u64, offset: u64) -> u8 {
    let word = tag.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (offset / 7).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (word ^ (word >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed >> (offset % 7 * 8)) as u8 | 1
}

/// The bytes from `offset` on.
pub fn run(tag: u64, offset: u64, len: u64) -> Vec<u8> {
    (offset..offset + len).map(|at| byte(tag, at)).collect()
}

/// A number by which two files with different bytes differ, for texts that are compared (FNV-1a, 64 bits).
pub fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_differ_by_tag_and_place() {
        let (one, two) = (run(1, 0, 4096), run(2, 0, 4096));
        assert!(one.iter().all(|byte| *byte != 0));
        assert!(one.iter().zip(&two).filter(|(a, b)| a == b).count() < 100);
        assert_eq!(run(1, 100, 50), one[100..150]);
        assert_ne!(digest(&one), digest(&two));
    }
}
