//! Volumes in RedoxFS' format: copy-on-write, every block under a checksum, no repair step.
//!
//! The layouts are those of the crate `redoxfs`; the engine is this module's own (README.md says why). Blocks of the last commit are never
//! written over: a change copies the block to a free place and changes the copy in memory; [`Redox::commit`](crate::Volume::commit) seals the
//! copies from the leaves to the root with their hashes, writes them, flushes, writes the next header, and flushes again.

mod blocks;
mod cache;
mod check;
mod commit;
mod content;
mod directory;
mod format;
mod layout;
mod leaf;
mod nodes;
mod open;
mod operations;
mod orphans;
mod record;
mod space;
#[cfg(test)]
mod tests;
mod xattrs;

use std::collections::{BTreeMap, BTreeSet};

use redoxfs::Header;

use self::blocks::Dirty;
use self::cache::{Cache, IndexMap};
pub use self::check::Census;
use self::commit::Log;
pub use self::format::{Format, format};
use self::layout::Ptr;
use self::space::Allocator;
use crate::device::Device;

/// How a volume is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Nothing is changed, not even what a crash left over.
    pub read_only: bool,
    /// Nodes that had no name when the volume was used last are kept until [`Redox::free_unheld`]: for a file server that takes over from one that
    /// died, with files that are open and have no name any more.
    pub keep_unnamed: bool,
    /// File content is compressed (LZ4) when it saves blocks: for images, which are written once. Compressed files are always readable.
    pub compress: bool,
    /// Bytes of metadata blocks that are kept in memory.
    pub metadata_cache: usize,
    /// Bytes of file records that are kept in memory: a few, for readers that go on; caching files is the file server's business.
    pub record_cache: usize,
    /// Changed bytes in memory at which the volume commits by itself.
    pub dirty_limit: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            read_only: false,
            keep_unnamed: false,
            compress: false,
            metadata_cache: 4 << 20,
            record_cache: 1 << 20,
            dirty_limit: 16 << 20,
        }
    }
}

/// Bytes of a file's full record: the unit in which files are read, written and checked. Reading and writing whole records at multiples of this
/// size copies and hashes nothing that was not asked for.
pub const RECORD: usize = redoxfs::RECORD_SIZE as usize;

/// A mounted volume.
pub struct Redox<D: Device> {
    device: D,
    header: Header,
    /// Blocks of 4 KiB on the volume.
    blocks: u64,
    free: Allocator,
    /// Blocks taken since the last commit, with their levels.
    fresh: IndexMap<u32>,
    /// Those in units of 4 KiB.
    fresh_blocks: u64,
    /// Blocks of the last commit that are not needed any more; free after the next one.
    pending: Vec<Ptr>,
    /// Changed blocks, all of them fresh.
    dirty: IndexMap<Dirty>,
    dirty_bytes: usize,
    metadata: Cache,
    records: Cache,
    /// The node tree's root.
    root: Ptr,
    log: Log,
    /// The blocks of the release list on disk, and the nodes in it.
    release_blocks: Vec<u64>,
    listed: BTreeSet<u32>,
    /// Nodes without a name.
    orphans: BTreeSet<u32>,
    holds: BTreeMap<u32, u64>,
    /// Blocks that the operation under way took for its file or directory, less those it gave back.
    owned: i64,
    /// Metadata blocks that the search under way has looked at.
    visits: u64,
    /// An operation or a commit failed midway.
    failed: bool,
    options: Options,
}
