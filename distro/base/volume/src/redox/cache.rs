//! A bounded cache of blocks.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// The content of a block of any level.
pub type Block = Arc<Vec<u8>>;

/// Hashes block numbers, which nobody chooses: a multiplication is enough.
#[derive(Default)]
pub struct IndexHasher(u64);

impl Hasher for IndexHasher {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(u64::from(byte)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// A map from block numbers.
pub type IndexMap<T> = HashMap<u64, T, BuildHasherDefault<IndexHasher>>;

/// Blocks that were read or written lately: those of the current half, and of the half before it. A block that is asked for moves to the
/// current half; when that is full the other one is forgotten. So what is used stays, at the cost of one look-up.
pub struct Cache {
    recent: IndexMap<Block>,
    older: IndexMap<Block>,
    bytes: usize,
    half: usize,
}

impl Cache {
    /// A cache of at most `limit` bytes.
    pub fn new(limit: usize) -> Cache {
        Cache { recent: IndexMap::default(), older: IndexMap::default(), bytes: 0, half: limit / 2 }
    }

    /// The block, if it is here.
    pub fn get(&mut self, index: u64) -> Option<Block> {
        if let Some(block) = self.recent.get(&index) {
            return Some(block.clone());
        }
        let block = self.older.remove(&index)?;
        self.insert(index, block.clone());
        Some(block)
    }

    /// Keeps a block.
    pub fn insert(&mut self, index: u64, block: Block) {
        if self.bytes + block.len() > self.half {
            self.older = std::mem::take(&mut self.recent);
            self.bytes = 0;
        }
        self.bytes += block.len();
        if let Some(old) = self.recent.insert(index, block) {
            self.bytes -= old.len();
        }
    }

    /// Forgets a block.
    pub fn remove(&mut self, index: u64) {
        self.older.remove(&index);
        if let Some(old) = self.recent.remove(&index) {
            self.bytes -= old.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_and_keeps_what_is_used() {
        let mut cache = Cache::new(1 << 20);
        for index in 0..10_000 {
            cache.insert(index, Arc::new(vec![0; 4096]));
            assert!(cache.get(0).is_some());
            assert!((cache.recent.len() + cache.older.len()) * 4096 <= 1 << 20);
        }
        assert!(cache.get(9_999).is_some() && cache.get(5_000).is_none());
        cache.remove(0);
        assert!(cache.get(0).is_none());
    }
}
