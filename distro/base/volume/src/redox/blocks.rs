//! Blocks: read under their hash, changed by copying, freed.

use std::sync::Arc;

use super::Redox;
use super::cache::Block;
use super::layout::{INDEX_SLOTS, Ptr, RING, TOP_LEVEL, TREE_SLOTS, node};
use super::{leaf, record};
use crate::device::{BLOCK, Device};
use crate::{Errno, Result};

/// What is in a block, as far as its pointers are concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A block of the node tree.
    Tree,
    Node,
    /// An index block of a file.
    Index,
    /// An inner block of a directory.
    Branch,
    /// Names, or extended attributes: no pointers.
    Leaf,
    /// A file's bytes.
    Record,
}

impl Kind {
    /// Where pointers stand in a block.
    pub fn pointers(self, data: &[u8]) -> impl Iterator<Item = usize> + use<> {
        let (first, step, count) = match self {
            Kind::Tree => (0, Ptr::SIZE, TREE_SLOTS),
            Kind::Index => (0, Ptr::SIZE, INDEX_SLOTS),
            Kind::Branch => (leaf::BRANCH_PTR, leaf::BRANCH_ENTRY, leaf::BRANCH_SLOTS),
            Kind::Node if node::is_inline(data) => (0, 0, 0),
            Kind::Node => (node::DATA, Ptr::SIZE, node::SLOTS),
            Kind::Leaf | Kind::Record => (0, 0, 0),
        };
        let extra = (self == Kind::Node).then_some(node::XATTRS);
        (0..count).map(move |slot| first + slot * step).chain(extra)
    }
}

/// A changed block. Its place is free on the disk until the commit.
pub struct Dirty {
    pub kind: Kind,
    pub data: Block,
}

impl<D: Device> Redox<D> {
    /// True if a pointer leads to a place where blocks can be.
    fn is_possible(&self, ptr: Ptr) -> bool {
        let end = ptr.index().checked_add(ptr.blocks());
        ptr.index() >= RING && ptr.level() <= TOP_LEVEL && end.is_some_and(|end| end <= self.blocks)
    }

    /// Reads a block and checks it.
    pub(super) fn load(&mut self, ptr: Ptr) -> Result<Vec<u8>> {
        if !self.is_possible(ptr) {
            log::error!("volume: a pointer leads to block {} of {}", ptr.index(), self.blocks);
            return Err(Errno::EIO);
        }
        let mut data = vec![0; BLOCK << ptr.level()];
        self.device.read(ptr.index() * BLOCK as u64, &mut data)?;
        if seahash::hash(&data) != ptr.hash && !unchecked() {
            log::error!("volume: block {} is damaged", ptr.index());
            return Err(Errno::EIO);
        }
        Ok(data)
    }

    /// The content of a metadata block of any level.
    pub(super) fn block(&mut self, ptr: Ptr) -> Result<Block> {
        if let Some(dirty) = self.dirty.get(&ptr.index()) {
            return Ok(dirty.data.clone());
        }
        if let Some(block) = self.metadata.get(ptr.index()) {
            return Ok(block);
        }
        let block = Arc::new(self.load(ptr)?);
        self.metadata.insert(ptr.index(), block.clone());
        Ok(block)
    }

    /// The content of a metadata block of 4 KiB.
    pub(super) fn small(&mut self, ptr: Ptr) -> Result<Block> {
        if ptr.level() != 0 || ptr.is_null() {
            log::error!("volume: a pointer of level {} to block {} among metadata", ptr.level(), ptr.index());
            return Err(Errno::EIO);
        }
        // No search needs more blocks than there are, unless somebody led many pointers to the same ones.
        self.visits += 1;
        if self.visits > 4 * self.blocks {
            return Err(Errno::EIO);
        }
        let block = self.block(ptr)?;
        if block.len() == BLOCK { Ok(block) } else { Err(Errno::EIO) }
    }

    /// The content of a record, decompressed.
    pub(super) fn record(&mut self, ptr: Ptr) -> Result<Block> {
        if let Some(dirty) = self.dirty.get(&ptr.index()) {
            return Ok(dirty.data.clone());
        }
        if let Some(block) = self.records.get(ptr.index()) {
            return Ok(block);
        }
        let data = self.load(ptr)?;
        let data = match ptr.unpacked() {
            Some(level) => record::unpack(&data, level)?,
            None => data,
        };
        let block = Arc::new(data);
        self.records.insert(ptr.index(), block.clone());
        Ok(block)
    }

    /// Takes a free block. Errors: `ENOSPC`.
    pub(super) fn allocate(&mut self, level: u32) -> Result<u64> {
        let index = self.free.allocate(level).ok_or(Errno::ENOSPC)?;
        self.fresh.insert(index, level);
        self.fresh_blocks += 1 << level;
        Ok(index)
    }

    /// Makes a new changed block; the pointer has no hash yet.
    pub(super) fn add(&mut self, kind: Kind, data: Vec<u8>) -> Result<Ptr> {
        let level = super::layout::level_for(data.len());
        let index = self.allocate(level)?;
        self.dirty_bytes += data.len();
        self.dirty.insert(index, Dirty { kind, data: Arc::new(data) });
        Ok(Ptr::new(index, level))
    }

    /// Gives a block back: at once if the disk does not know it yet, otherwise after the next commit.
    pub(super) fn release_block(&mut self, ptr: Ptr) {
        let index = ptr.index();
        if let Some(level) = self.fresh.remove(&index) {
            if let Some(dirty) = self.dirty.remove(&index) {
                self.dirty_bytes -= dirty.data.len();
            }
            self.fresh_blocks -= 1 << level;
            self.free.add(index, 1 << level);
        } else if !self.is_possible(ptr) {
            log::error!("volume: block {index}, to be freed, is none; nothing is written any more");
            self.failed = true;
        } else {
            self.pending.push(ptr);
        }
        self.metadata.remove(index);
        self.records.remove(index);
    }

    /// Makes the block of 4 KiB at `ptr` changeable, if need be by copying it, and returns where it is now.
    pub(super) fn edit(&mut self, kind: Kind, ptr: Ptr) -> Result<u64> {
        if self.dirty.contains_key(&ptr.index()) {
            return Ok(ptr.index());
        }
        let data = self.small(ptr)?;
        let new = self.allocate(0)?;
        self.release_block(ptr);
        self.dirty_bytes += data.len();
        self.dirty.insert(new, Dirty { kind, data });
        Ok(new)
    }

    /// The same for the block that the pointer at `at` in the changed block `parent` leads to; the pointer follows.
    pub(super) fn edit_child(&mut self, parent: u64, at: usize, kind: Kind) -> Result<u64> {
        let ptr = Ptr::read(self.data(parent)?, at);
        let index = self.edit(kind, ptr)?;
        if index != ptr.index() {
            Ptr::new(index, 0).put(self.data_mut(parent)?, at);
        }
        Ok(index)
    }

    /// The bytes of a changed block.
    pub(super) fn data(&self, index: u64) -> Result<&[u8]> {
        Ok(&self.dirty.get(&index).ok_or(Errno::EIO)?.data)
    }

    /// The bytes of a changed block, to change them.
    pub(super) fn data_mut(&mut self, index: u64) -> Result<&mut [u8]> {
        let dirty = self.dirty.get_mut(&index).ok_or(Errno::EIO)?;
        Ok(Arc::make_mut(&mut dirty.data).as_mut_slice())
    }
}

/// Tests of hostile content turn the hashes off.
#[cfg(test)]
fn unchecked() -> bool {
    super::tests::UNCHECKED.get()
}

#[cfg(not(test))]
fn unchecked() -> bool {
    false
}
