//! RedoxFS' layouts on disk (version 8), as bytes: pointers, nodes, lists. All numbers are little endian.
//!
//! Offsets come from the crate `redoxfs` where its types are public.

use core::mem::{offset_of, size_of};

use redoxfs::{Header, Node};

use crate::device::BLOCK;
use crate::volume::Time;
use crate::{Errno, Result};

/// Headers are written in turn to the first blocks of a volume.
pub const RING: u64 = redoxfs::HEADER_RING;
/// The largest block has 2⁵ times 4 KiB.
pub const TOP_LEVEL: u32 = redoxfs::RECORD_LEVEL as u32;
/// Pointers in a block of the node tree, before its two words of flags.
pub const TREE_SLOTS: usize = 254;
/// Where the flags "this branch is full" begin in a block of the node tree.
pub const TREE_FLAGS: usize = TREE_SLOTS * Ptr::SIZE;
/// Pointers in an index block of a file.
pub const INDEX_SLOTS: usize = BLOCK / Ptr::SIZE;
/// Entries in a block of the allocation log, after the pointer to the block before.
pub const LOG_ENTRIES: usize = (BLOCK - Ptr::SIZE) / 16;
/// Entries in a block of the release list, after the pointer to the block before.
pub const RELEASE_ENTRIES: usize = (BLOCK - Ptr::SIZE) / 4;
/// Where the node tree's root stands in the header.
pub const HEADER_TREE: usize = offset_of!(Header, tree);
/// Where the newest block of the allocation log stands in the header.
pub const HEADER_LOG: usize = offset_of!(Header, alloc);
/// Where the release list stands in the header.
pub const HEADER_RELEASE: usize = offset_of!(Header, release);

const _: () = assert!(size_of::<Header>() == BLOCK && size_of::<Node>() == BLOCK);
const _: () = assert!(redoxfs::VERSION == 8 && redoxfs::BLOCK_SIZE as usize == BLOCK && RING == 256);
const _: () = assert!(LOG_ENTRIES == redoxfs::ALLOC_LIST_ENTRIES);

/// Reads a number of `N` bytes.
pub fn get<const N: usize>(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number[..N].copy_from_slice(&bytes[at..at + N]);
    u64::from_le_bytes(number)
}

/// Writes a number in `N` bytes; higher ones are cut off.
pub fn put<const N: usize>(bytes: &mut [u8], at: usize, number: u64) {
    bytes[at..at + N].copy_from_slice(&number.to_le_bytes()[..N]);
}

/// A pointer to a block: its place and level (its size is 4 KiB times two to the level), with the hash of its content.
///
/// The hash of a block that has been changed in memory is not known before the commit; it is 0 until then.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ptr {
    address: u64,
    pub hash: u64,
}

impl Ptr {
    /// Bytes on disk.
    pub const SIZE: usize = 16;
    /// Leads nowhere.
    pub const NULL: Ptr = Ptr { address: 0, hash: 0 };

    /// A pointer to a block whose content is not sealed yet.
    pub fn new(index: u64, level: u32) -> Ptr {
        Ptr { address: index << 8 | u64::from(level), hash: 0 }
    }

    /// The same with the level that the content has when it is decompressed.
    pub fn packed(index: u64, level: u32, unpacked: u32) -> Ptr {
        Ptr { address: index << 8 | u64::from(unpacked) << 4 | u64::from(level), hash: 0 }
    }

    pub fn read(bytes: &[u8], at: usize) -> Ptr {
        Ptr { address: get::<8>(bytes, at), hash: get::<8>(bytes, at + 8) }
    }

    pub fn put(self, bytes: &mut [u8], at: usize) {
        put::<8>(bytes, at, self.address);
        put::<8>(bytes, at + 8, self.hash);
    }

    /// The number of the first 4 KiB block.
    pub fn index(self) -> u64 {
        self.address >> 8
    }

    pub fn level(self) -> u32 {
        (self.address & 15) as u32
    }

    /// The number of 4 KiB blocks.
    pub fn blocks(self) -> u64 {
        1 << self.level()
    }

    /// The level of the content, if it is compressed.
    pub fn unpacked(self) -> Option<u32> {
        Some((self.address >> 4 & 15) as u32).filter(|&level| level != 0)
    }

    pub fn is_null(self) -> bool {
        self.index() == 0
    }

    /// In a directory's first pointer: "this directory is a tree of so many levels".
    pub fn marker(level: u32) -> Ptr {
        Ptr { address: !15 | u64::from(level), hash: u64::MAX }
    }

    /// The levels of a marker.
    pub fn marked(self) -> Option<u32> {
        (self.address | 15 == u64::MAX && self.hash == u64::MAX).then(|| self.level())
    }
}

/// The smallest level whose blocks hold so many bytes.
pub fn level_for(bytes: usize) -> u32 {
    bytes.div_ceil(BLOCK).max(1).next_power_of_two().trailing_zeros()
}

/// Fields of a node, and what Ochre keeps in the room that RedoxFS leaves free.
pub mod node {
    use super::*;

    const MODE: usize = offset_of!(Node, mode);
    const UID: usize = offset_of!(Node, uid);
    const GID: usize = offset_of!(Node, gid);
    const LINKS: usize = offset_of!(Node, links);
    const SIZE: usize = offset_of!(Node, size);
    const BLOCKS: usize = offset_of!(Node, blocks);
    const CTIME: usize = offset_of!(Node, ctime);
    const MTIME: usize = offset_of!(Node, mtime);
    const ATIME: usize = offset_of!(Node, atime);
    const RECORD_LEVEL: usize = offset_of!(Node, record_level);
    const FLAGS: usize = offset_of!(Node, flags);
    /// Ochre's own: RedoxFS keeps these bytes as they are.
    const EXTRA: usize = offset_of!(Node, padding);
    const RDEV: usize = EXTRA + 2;
    /// Where the pointer to the extended attributes stands.
    pub const XATTRS: usize = EXTRA + 10;
    const BTIME: usize = EXTRA + 26;
    const PARENT: usize = EXTRA + 38;
    /// Where the content or the pointers to it begin.
    pub const DATA: usize = 128;
    /// Bytes of content that fit into the node itself (RedoxFS takes one less than there is room for).
    pub const INLINE_MAX: usize = BLOCK - DATA - 1;
    /// The pointers of a node.
    pub const SLOTS: usize = 248;
    const INLINE: u64 = 1;

    const _: () = assert!(PARENT + 4 <= DATA);

    macro_rules! fields {
        ($($(#[$doc:meta])* $get:ident, $set:ident, $bytes:literal, $at:expr;)*) => {$(
            $(#[$doc])* pub fn $get(node: &[u8]) -> u64 { get::<$bytes>(node, $at) }
            pub fn $set(node: &mut [u8], to: u64) { put::<$bytes>(node, $at, to) }
        )*};
    }

    fields! {
        mode, set_mode, 2, MODE;
        uid, set_uid, 4, UID;
        gid, set_gid, 4, GID;
        links, set_links, 4, LINKS;
        size, set_size, 8, SIZE;
        /// All blocks of 4 KiB, the node itself counted.
        blocks, set_blocks, 8, BLOCKS;
        record_level, set_record_level, 4, RECORD_LEVEL;
        flags, set_flags, 4, FLAGS;
        rdev, set_rdev, 8, RDEV;
        /// The directory that a directory stands in; 0 if it has no name (or was made by another implementation).
        parent, set_parent, 4, PARENT;
    }

    fn time(node: &[u8], at: usize) -> Time {
        Time::from(get::<8>(node, at) as i64) * 1_000_000_000 + Time::from(get::<4>(node, at + 8))
    }

    fn set_time(node: &mut [u8], at: usize, to: Time) {
        put::<8>(node, at, to.div_euclid(1_000_000_000) as i64 as u64);
        put::<4>(node, at + 8, to.rem_euclid(1_000_000_000) as u64);
    }

    macro_rules! times {
        ($($get:ident, $set:ident, $at:expr;)*) => {$(
            pub fn $get(node: &[u8]) -> Time { time(node, $at) }
            pub fn $set(node: &mut [u8], to: Time) { set_time(node, $at, to) }
        )*};
    }

    times! {
        atime, set_atime, ATIME;
        mtime, set_mtime, MTIME;
        ctime, set_ctime, CTIME;
        btime, set_btime, BTIME;
    }

    /// True if the content stands in the node.
    pub fn is_inline(node: &[u8]) -> bool {
        flags(node) & INLINE != 0
    }

    /// Switches between content and pointers; what was there is cleared.
    pub fn set_inline(node: &mut [u8], inline: bool) {
        let others = flags(node) & !INLINE;
        set_flags(node, others | u64::from(inline));
        node[DATA..].fill(0);
    }

    /// The level of a file's records, checked.
    pub fn checked_level(node: &[u8]) -> Result<u32> {
        let level = record_level(node) as u32;
        if level > TOP_LEVEL { Err(Errno::EIO) } else { Ok(level) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_the_crates() {
        let mut header = Header::default();
        Ptr { address: 7 << 8 | 3, hash: 9 }.put(&mut header, HEADER_TREE);
        let tree = header.tree;
        assert_eq!((tree.addr().index(), tree.addr().level().blocks::<u32>(), tree.hash()), (7, 8, 9));
        let marker = redoxfs::BlockPtr::<redoxfs::RecordRaw>::marker(2);
        let mut node = Node::default();
        node.level_data_mut().unwrap().level0[0] = marker;
        assert_eq!(Ptr::read(&node, node::DATA).marked(), Some(2));
        assert_eq!(Ptr::read(&node, node::DATA), Ptr::marker(2));
    }

    #[test]
    fn levels() {
        for (bytes, level) in [(0, 0), (1, 0), (4096, 0), (4097, 1), (8192, 1), (8193, 2), (131072, 5)] {
            assert_eq!(level_for(bytes), level, "{bytes}");
        }
    }

    #[test]
    fn times_before_1970() {
        let mut bytes = vec![0; BLOCK];
        for time in [0, -1, 1_700_000_000_999_999_999, -1_500_000_001] {
            node::set_mtime(&mut bytes, time);
            assert_eq!(node::mtime(&bytes), time);
        }
    }
}
