//! The parts of the bootstrap program: the initial archive's reader, and what fills the tree in memory from it.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod archive;
pub mod load;

/// The number of pages of memory that /scheme/sys/memory tells.
pub fn total_frames(text: &[u8]) -> Option<u64> {
    let line = text.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"total_frames "))?;
    core::str::from_utf8(line).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn total_frames() {
        assert_eq!(super::total_frames(b"free_frames 5\ntotal_frames 77\nx"), Some(77));
        assert_eq!(super::total_frames(b"total_frames many\n"), None);
        assert_eq!(super::total_frames(b""), None);
    }
}
