//! The commit: seal what has changed, log what is free, write, flush, write the header, flush.

use std::sync::Arc;

use super::Redox;
use super::blocks::Kind;
use super::cache::{Block, IndexMap};
use super::layout::{
    HEADER_LOG, HEADER_RELEASE, HEADER_TREE, LOG_ENTRIES, Ptr, RELEASE_ENTRIES, RING, level_for, node, put,
};
use super::record;
use super::space::Ranges;
use crate::device::{BLOCK, Device};
use crate::{Errno, Result};

/// Neighbouring blocks are written together, up to so many bytes.
const RUN: usize = 256 << 10;

/// The allocation log: a chain of blocks with ranges that became free (count above 0) or taken (below 0), since the chain's first block.
#[derive(Default)]
pub struct Log {
    /// What stands in the newest block.
    pub tail: Vec<(u64, i64)>,
    /// The block before it.
    pub before: Ptr,
    /// All blocks, the oldest first.
    pub chain: Vec<u64>,
}

/// A block to be written.
type Write = (u64, Block);

impl<D: Device> Redox<D> {
    /// Makes all changes durable; see [`Volume::commit`](crate::Volume::commit).
    pub(super) fn commit_now(&mut self) -> Result<()> {
        if self.failed {
            return Err(Errno::EIO);
        }
        if self.fresh.is_empty() && self.pending.is_empty() && self.listed == self.orphans {
            return Ok(());
        }
        let result = self.write_generation();
        if let Err(errno) = result {
            log::error!("volume: a commit failed ({errno}); nothing is written any more");
            self.failed = true;
        }
        result
    }

    /// What a commit will allocate by itself, at most.
    pub(super) fn commit_cost(&self) -> u64 {
        let entries = self.log.tail.len() + self.fresh.len() + self.pending.len();
        (entries / LOG_ENTRIES + self.orphans.len() / RELEASE_ENTRIES + 4) as u64
    }

    fn write_generation(&mut self) -> Result<()> {
        let mut writes = Vec::with_capacity(self.dirty.len() + 4);
        self.list_orphans(&mut writes)?;
        self.root = self.seal(self.root, &mut writes, &mut 0)?;
        if !self.dirty.is_empty() {
            // Pointers that should not be there led to them.
            return Err(Errno::EIO);
        }
        self.log_space(&mut writes)?;
        self.root.put(&mut self.header, HEADER_TREE);
        self.write(writes)?;
        self.device.flush()?;
        let generation = self.header.update(None);
        self.device.write(generation % RING * BLOCK as u64, &self.header)?;
        self.device.flush()?;

        // Only now may the blocks of the generation before be used again.
        for ptr in std::mem::take(&mut self.pending) {
            self.device.discard(ptr.index() * BLOCK as u64, ptr.blocks() * BLOCK as u64);
            self.free.add(ptr.index(), ptr.blocks());
        }
        self.fresh = IndexMap::default();
        self.fresh_blocks = 0;
        self.dirty_bytes = 0;
        Ok(())
    }

    /// Takes a changed block and the changed blocks below it out of the table, and returns the pointer with its
    /// hash. Blocks that compression saved are added to `saved`, and taken off the node they belong to.
    fn seal(&mut self, ptr: Ptr, writes: &mut Vec<Write>, saved: &mut u64) -> Result<Ptr> {
        let Some(mut dirty) = self.dirty.remove(&ptr.index()) else {
            return Ok(ptr);
        };
        let mut below = 0;
        for at in dirty.kind.pointers(&dirty.data) {
            let child = Ptr::read(&dirty.data, at);
            if child.hash == 0 && !child.is_null() {
                let sealed = self.seal(child, writes, &mut below)?;
                sealed.put(Arc::make_mut(&mut dirty.data).as_mut_slice(), at);
            }
        }
        if dirty.kind == Kind::Node {
            if below > 0 {
                let blocks = node::blocks(&dirty.data).saturating_sub(below);
                node::set_blocks(Arc::make_mut(&mut dirty.data).as_mut_slice(), blocks);
            }
        } else {
            *saved += below;
        }
        let mut sealed = Ptr::new(ptr.index(), level_for(dirty.data.len()));
        if dirty.kind == Kind::Record {
            if self.options.compress
                && let Some(packed) = record::pack(&dirty.data)
            {
                self.release_block(sealed);
                let level = level_for(packed.len());
                *saved += sealed.blocks() - (1 << level);
                sealed = Ptr::packed(self.allocate(level)?, level, level_for(dirty.data.len()));
                dirty.data = Arc::new(packed);
            }
        } else {
            self.metadata.insert(sealed.index(), dirty.data.clone());
        }
        sealed.hash = seahash::hash(&dirty.data);
        writes.push((sealed.index(), dirty.data));
        Ok(sealed)
    }

    /// Writes the list of nodes without names, if it has changed: they are freed when the volume is opened after a crash.
    fn list_orphans(&mut self, writes: &mut Vec<Write>) -> Result<()> {
        if self.listed == self.orphans {
            return Ok(());
        }
        for index in std::mem::take(&mut self.release_blocks) {
            self.release_block(Ptr::new(index, 0));
        }
        let orphans: Vec<u32> = self.orphans.iter().copied().collect();
        let mut newest = Ptr::NULL;
        for some in orphans.chunks(RELEASE_ENTRIES) {
            let mut data = vec![0; BLOCK];
            newest.put(&mut data, 0);
            for (slot, &ino) in some.iter().enumerate() {
                put::<4>(&mut data, Ptr::SIZE + slot * 4, u64::from(ino));
            }
            newest = self.write_once(data, writes)?;
            self.release_blocks.push(newest.index());
        }
        newest.put(&mut self.header, HEADER_RELEASE);
        self.listed = self.orphans.clone();
        Ok(())
    }

    /// A block that is written as it is and not kept in memory.
    fn write_once(&mut self, data: Vec<u8>, writes: &mut Vec<Write>) -> Result<Ptr> {
        let mut ptr = Ptr::new(self.allocate(0)?, 0);
        ptr.hash = seahash::hash(&data);
        writes.push((ptr.index(), Arc::new(data)));
        Ok(ptr)
    }

    /// Appends to the allocation log what was taken and freed; a log that has become long is replaced by one that tells what is free.
    fn log_space(&mut self, writes: &mut Vec<Write>) -> Result<()> {
        let pieces = self.free.pieces();
        let long = self.log.chain.len() * LOG_ENTRIES > 8 * pieces + 16 * LOG_ENTRIES;
        let roomy = self.free.free() > 4 * (pieces + self.pending.len()) as u64 / LOG_ENTRIES as u64 + 64;
        let squash = self.log.chain.is_empty() || long && roomy;

        let (mut entries, before) = if squash {
            for index in std::mem::take(&mut self.log.chain) {
                self.pending.push(Ptr::new(index, 0));
            }
            (Vec::new(), Ptr::NULL)
        } else {
            if let Some(tail) = self.log.chain.pop() {
                self.pending.push(Ptr::new(tail, 0));
            }
            (std::mem::take(&mut self.log.tail), self.log.before)
        };
        let mut freed = Ranges::default();
        for ptr in &self.pending {
            freed.add(ptr.index(), ptr.blocks())?;
            if self.free.overlaps(ptr.index(), ptr.level()) {
                return Err(Errno::EIO);
            }
        }

        // The log's own blocks are in the log: first their number, at most, then what they are.
        let known = if squash { pieces } else { self.fresh.len() } + entries.len() + freed.len();
        let count = known.div_ceil(LOG_ENTRIES - 2).max(1);
        let own = (0..count).map(|_| self.allocate(0)).collect::<Result<Vec<u64>>>()?;
        if squash {
            let mut free = self.free.ranges()?;
            freed.iter().try_for_each(|(start, count)| free.add(start, count))?;
            entries.extend(free.iter().map(|(start, count)| (start, count as i64)));
        } else {
            let mut taken = Ranges::default();
            self.fresh.iter().try_for_each(|(&index, &level)| taken.add(index, 1 << level))?;
            entries.extend(taken.iter().map(|(start, count)| (start, -(count as i64))));
            entries.extend(freed.iter().map(|(start, count)| (start, count as i64)));
        }
        self.write_log(entries, before, own, writes)
    }

    fn write_log(
        &mut self,
        entries: Vec<(u64, i64)>,
        before: Ptr,
        own: Vec<u64>,
        writes: &mut Vec<Write>,
    ) -> Result<()> {
        if entries.len() > own.len() * LOG_ENTRIES {
            return Err(Errno::EIO);
        }
        let mut newest = before;
        for (nth, index) in own.into_iter().enumerate() {
            let some = entries.iter().skip(nth * LOG_ENTRIES).take(LOG_ENTRIES);
            let mut data = vec![0; BLOCK];
            newest.put(&mut data, 0);
            self.log.before = newest;
            self.log.tail = some.copied().collect();
            for (slot, &(start, count)) in self.log.tail.iter().enumerate() {
                put::<8>(&mut data, Ptr::SIZE + slot * 16, start);
                put::<8>(&mut data, Ptr::SIZE + slot * 16 + 8, count as u64);
            }
            newest = Ptr::new(index, 0);
            newest.hash = seahash::hash(&data);
            writes.push((index, Arc::new(data)));
            self.log.chain.push(index);
        }
        newest.put(&mut self.header, HEADER_LOG);
        Ok(())
    }

    /// Writes blocks in the order of the disk, neighbours together.
    fn write(&mut self, mut writes: Vec<Write>) -> Result<()> {
        writes.sort_unstable_by_key(|&(index, _)| index);
        let mut runs: Vec<Write> = Vec::with_capacity(writes.len());
        for (index, data) in writes {
            if let Some((start, run)) = runs.last_mut()
                && *start + (run.len() / BLOCK) as u64 == index
                && run.len() + data.len() <= RUN
            {
                // A block that the cache keeps too is copied here, a run that has begun is not.
                Arc::make_mut(run).extend_from_slice(&data);
            } else {
                runs.push((index, data));
            }
        }
        let pieces: Vec<(u64, &[u8])> =
            runs.iter().map(|(index, data)| (index * BLOCK as u64, data.as_slice())).collect();
        self.device.write_pieces(&pieces)
    }
}
