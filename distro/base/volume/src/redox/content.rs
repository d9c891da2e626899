//! The bytes of files (and of long symbolic links): in the node while they are few, then in records behind up to four levels of index blocks.
//!
//! What a record's block holds behind the end of the file is zero, always, so that growing a file changes its size alone.

use super::Redox;
use super::blocks::Kind;
use super::layout::{INDEX_SLOTS, Ptr, TOP_LEVEL, level_for, node};
use crate::device::{BLOCK, Device};
use crate::volume::Ino;
use crate::{Errno, Result};

/// How many of a node's pointers lead through so many index blocks.
pub const DEPTHS: [usize; 5] = [128, 64, 32, 16, 8];
/// Records that one step of a long truncation frees, at most (about).
const STEP: u64 = 4096;

/// The way to a record's pointer: a slot of the node, then slots of index blocks.
struct Way {
    slot: usize,
    slots: Vec<usize>,
}

/// How many records a node's pointers of this depth lead to, each.
fn span(depth: usize) -> u64 {
    (INDEX_SLOTS as u64).pow(depth as u32)
}

fn way(mut record: u64) -> Result<Way> {
    let mut first = 0;
    for (depth, count) in DEPTHS.into_iter().enumerate() {
        let records = count as u64 * span(depth);
        if record < records {
            let slot = first + (record / span(depth)) as usize;
            let slots = (0..depth).rev().map(|below| (record / span(below)) as usize % INDEX_SLOTS).collect();
            return Ok(Way { slot, slots });
        }
        record -= records;
        first += count;
    }
    Err(Errno::EFBIG)
}

/// The largest file with records of this level.
pub fn size_max(level: u32) -> u64 {
    let records: u64 = DEPTHS.iter().enumerate().map(|(depth, &count)| count as u64 * span(depth)).sum();
    records.saturating_mul(BLOCK as u64).saturating_mul(1 << level).min(i64::MAX as u64)
}

impl<D: Device> Redox<D> {
    /// Where a record is; null in a hole.
    fn record_ptr(&mut self, node: &[u8], record: u64) -> Result<Ptr> {
        self.visits = 0;
        let way = way(record)?;
        let mut ptr = Ptr::read(node, node::DATA + way.slot * Ptr::SIZE);
        for slot in way.slots {
            if ptr.is_null() {
                break;
            }
            ptr = Ptr::read(&*self.small(ptr)?, slot * Ptr::SIZE);
        }
        Ok(ptr)
    }

    /// Leads a record's pointer to a new block; index blocks are made as needed.
    fn set_record(&mut self, ino: Ino, record: u64, to: Ptr) -> Result<()> {
        let way = way(record)?;
        let mut index = self.edit_node(ino)?;
        let mut at = node::DATA + way.slot * Ptr::SIZE;
        for slot in way.slots {
            if Ptr::read(self.data(index)?, at).is_null() {
                let new = self.add(Kind::Index, vec![0; BLOCK])?;
                self.owned += 1;
                new.put(self.data_mut(index)?, at);
                index = new.index();
            } else {
                index = self.edit_child(index, at, Kind::Index)?;
            }
            at = slot * Ptr::SIZE;
        }
        to.put(self.data_mut(index)?, at);
        Ok(())
    }

    pub(super) fn read_content(&mut self, ino: Ino, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let node = self.node(ino)?;
        let size = node::size(&node);
        let count = size.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let buffer = &mut buffer[..count];
        if node::is_inline(&node) {
            copy_or_zero(&node[node::DATA..], offset, buffer);
            return Ok(count);
        }
        let bytes = (BLOCK << node::checked_level(&node)?) as u64;
        let mut done = 0;
        while done < count {
            let (record, from) = ((offset + done as u64) / bytes, (offset + done as u64) % bytes);
            let len = (bytes - from).min((count - done) as u64) as usize;
            let part = &mut buffer[done..done + len];
            let ptr = self.record_ptr(&node, record)?;
            if ptr.is_null() {
                part.fill(0);
            } else {
                copy_or_zero(&self.record(ptr)?, from, part);
            }
            done += len;
        }
        Ok(count)
    }

    /// Writes bytes of one record, or of a file that stays in its node; returns how many of them.
    ///
    /// The caller has made sure of room for the blocks of metadata. Errors leave the file as it was.
    pub(super) fn write_some(&mut self, ino: Ino, offset: u64, bytes: &[u8]) -> Result<usize> {
        let node = self.node(ino)?;
        let size = node::size(&node);
        let end = offset.checked_add(bytes.len() as u64).ok_or(Errno::EFBIG)?;
        if node::is_inline(&node) {
            if end <= node::INLINE_MAX as u64 {
                self.change(ino, |data| {
                    data[node::DATA + offset as usize..node::DATA + end as usize].copy_from_slice(bytes);
                    node::set_size(data, size.max(end));
                })?;
                return Ok(bytes.len());
            }
            self.move_out(ino)?;
            return self.write_some(ino, offset, bytes);
        }
        let level = node::checked_level(&node)?;
        let record_bytes = (BLOCK << level) as u64;
        let (record, from) = (offset / record_bytes, (offset % record_bytes) as usize);
        let len = (record_bytes as usize - from).min(bytes.len());
        if offset + len as u64 > size_max(level) {
            return Err(Errno::EFBIG);
        }
        let kept = size.saturating_sub(record * record_bytes).min(record_bytes) as usize;
        self.write_record(ino, record, kept, from, &bytes[..len])?;
        self.account(ino)?;
        let end = offset + len as u64;
        if end > size {
            self.change(ino, |data| node::set_size(data, end))?;
        }
        Ok(len)
    }

    /// Writes into a record of which `kept` bytes belong to the file.
    fn write_record(&mut self, ino: Ino, record: u64, kept: usize, from: usize, bytes: &[u8]) -> Result<()> {
        let end = from + bytes.len();
        let node = self.node(ino)?;
        let old = self.record_ptr(&node, record)?;
        drop(node);
        if self.dirty.get(&old.index()).is_some_and(|dirty| dirty.data.len() >= end.max(kept)) {
            self.data_mut(old.index())?[from..end].copy_from_slice(bytes);
            return Ok(());
        }
        let mut data = Vec::new();
        if !old.is_null() && (from > 0 || end < kept) {
            data.extend_from_slice(&self.record(old)?);
            data.truncate(kept);
        }
        data.resize(BLOCK << level_for(end.max(data.len())), 0);
        data[from..end].copy_from_slice(bytes);
        self.replace_record(ino, record, old, data)
    }

    /// Puts a new block in a record's place.
    fn replace_record(&mut self, ino: Ino, record: u64, old: Ptr, data: Vec<u8>) -> Result<()> {
        let new = self.add(Kind::Record, data)?;
        if let Err(errno) = self.set_record(ino, record, new) {
            self.release_block(new);
            return Err(errno);
        }
        self.owned += new.blocks() as i64;
        if !old.is_null() {
            self.owned -= old.blocks() as i64;
            self.release_block(old);
        }
        Ok(())
    }

    /// Moves a file's bytes from its node to a record.
    pub(super) fn move_out(&mut self, ino: Ino) -> Result<()> {
        let node = self.node(ino)?;
        let size = (node::size(&node) as usize).min(node::INLINE_MAX);
        let bytes = node[node::DATA..node::DATA + size].to_vec();
        let wanted = node::record_level(&node) as u32;
        drop(node);
        if self.free.free() < 2 {
            return Err(Errno::ENOSPC);
        }
        let level = self.record_level(wanted);
        self.change(ino, |data| {
            node::set_inline(data, false);
            node::set_record_level(data, u64::from(level));
        })?;
        if bytes.iter().any(|&byte| byte != 0) {
            self.write_record(ino, 0, 0, 0, &bytes)?;
            self.account(ino)?;
        }
        Ok(())
    }

    /// The level of a new file's records: the highest, unless the free room is mostly in smaller pieces.
    fn record_level(&self, wanted: u32) -> u32 {
        let free = self.free.free();
        (0..=wanted.min(TOP_LEVEL)).rev().find(|&level| self.free.free_in(level) >= free / 2).unwrap_or(0)
    }

    /// The level of block that a write at this place takes, at most.
    pub(super) fn level_of_write(&mut self, ino: Ino, offset: u64, len: usize) -> Result<u32> {
        let node = self.node(ino)?;
        if node::is_inline(&node) && offset + len as u64 <= node::INLINE_MAX as u64 {
            return Ok(0);
        }
        let level = node::checked_level(&node)?;
        let level = if node::is_inline(&node) { self.record_level(level) } else { level };
        let bytes = (BLOCK << level) as u64;
        let kept = node::size(&node).saturating_sub(offset / bytes * bytes).min(bytes);
        Ok(level_for((offset % bytes + len as u64).min(bytes).max(kept) as usize))
    }

    /// Sets the size of a file; `false` if blocks behind the new end are still to be freed by another call.
    pub(super) fn set_size(&mut self, ino: Ino, size: u64) -> Result<bool> {
        let node = self.node(ino)?;
        let old = node::size(&node);
        if node::is_inline(&node) {
            if size > node::INLINE_MAX as u64 {
                self.move_out(ino)?;
            } else if size < old {
                let (from, to) = (size as usize, (old as usize).min(node::INLINE_MAX));
                self.change(ino, |data| data[node::DATA + from..node::DATA + to].fill(0))?;
            }
        } else if size < old {
            let bytes = (BLOCK << node::checked_level(&node)?) as u64;
            self.cut_record(ino, size / bytes, (size % bytes) as usize)?;
            let whole = self.free_records(ino, size.div_ceil(bytes), u64::MAX);
            self.account(ino)?;
            if !whole? {
                return Ok(false);
            }
            if size == 0 {
                self.change(ino, |data| {
                    node::set_inline(data, true);
                    node::set_record_level(data, u64::from(TOP_LEVEL));
                })?;
            }
        }
        let node = self.node(ino)?;
        if !node::is_inline(&node) && size > size_max(node::checked_level(&node)?) {
            return Err(Errno::EFBIG);
        }
        self.change(ino, |data| node::set_size(data, size))?;
        Ok(true)
    }

    /// Leaves `kept` bytes of a record and makes those behind them zero; there is nothing to do for 0.
    fn cut_record(&mut self, ino: Ino, record: u64, kept: usize) -> Result<()> {
        let node = self.node(ino)?;
        if kept == 0 {
            return Ok(());
        }
        let old = self.record_ptr(&node, record)?;
        if old.is_null() {
            return Ok(());
        }
        let mut data = self.record(old)?[..].to_vec();
        if data.iter().skip(kept).all(|&byte| byte == 0) {
            return Ok(());
        }
        data.truncate(kept);
        data.resize(BLOCK << level_for(kept), 0);
        self.replace_record(ino, record, old, data)?;
        self.account(ino)
    }

    /// Frees the records from one to before another; `false` if there are more to be freed by another call.
    pub(super) fn free_records(&mut self, ino: Ino, from: u64, to: u64) -> Result<bool> {
        let index = self.edit_node(ino)?;
        let mut budget = STEP;
        let mut base: u64 = 0;
        let mut pieces = Vec::new();
        let mut slot = 0;
        for (depth, count) in DEPTHS.into_iter().enumerate() {
            for _ in 0..count {
                pieces.push((slot, depth, base));
                slot += 1;
                base = base.saturating_add(span(depth));
            }
        }
        for (slot, depth, base) in pieces.into_iter().rev() {
            if base < to && base.saturating_add(span(depth)) > from {
                self.free_below(index, node::DATA + slot * Ptr::SIZE, depth, base, (from, to), &mut budget)?;
            }
            if budget == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Frees the records of a range below the pointer at `at` of a changed block; `base` is the first record there.
    fn free_below(
        &mut self,
        index: u64,
        at: usize,
        depth: usize,
        base: u64,
        range: (u64, u64),
        budget: &mut u64,
    ) -> Result<()> {
        let ptr = Ptr::read(self.data(index)?, at);
        if ptr.is_null() {
            return Ok(());
        }
        if depth == 0 {
            return self.drop_pointer(index, at, ptr, budget);
        }
        if depth == 1 && base >= range.0 && base.saturating_add(span(1)) <= range.1 {
            let block = self.small(ptr)?;
            let records = (0..INDEX_SLOTS).map(|slot| Ptr::read(&block, slot * Ptr::SIZE));
            for record in records.filter(|record| !record.is_null()) {
                self.owned -= record.blocks() as i64;
                self.release_block(record);
                *budget = budget.saturating_sub(1);
            }
            return self.drop_pointer(index, at, ptr, budget);
        }
        let child = self.edit_child(index, at, Kind::Index)?;
        for slot in (0..INDEX_SLOTS).rev() {
            let base = base.saturating_add(slot as u64 * span(depth - 1));
            if base < range.1 && base.saturating_add(span(depth - 1)) > range.0 && *budget > 0 {
                self.free_below(child, slot * Ptr::SIZE, depth - 1, base, range, budget)?;
            }
        }
        let block = self.data(child)?;
        if (0..INDEX_SLOTS).all(|slot| Ptr::read(block, slot * Ptr::SIZE).is_null()) {
            return self.drop_pointer(index, at, Ptr::new(child, 0), budget);
        }
        Ok(())
    }

    fn drop_pointer(&mut self, index: u64, at: usize, ptr: Ptr, budget: &mut u64) -> Result<()> {
        Ptr::NULL.put(self.data_mut(index)?, at);
        self.owned -= ptr.blocks() as i64;
        self.release_block(ptr);
        *budget = budget.saturating_sub(1);
        Ok(())
    }

    /// Zeroes the bytes of one record, or frees whole records, of `offset..end` within the file; returns where to go on.
    pub(super) fn punch_some(&mut self, ino: Ino, offset: u64, end: u64) -> Result<u64> {
        let node = self.node(ino)?;
        if node::is_inline(&node) {
            let end = end.min(node::INLINE_MAX as u64);
            if offset < end {
                self.change(ino, |data| data[node::DATA + offset as usize..node::DATA + end as usize].fill(0))?;
            }
            return Ok(u64::MAX);
        }
        let size = node::size(&node);
        let bytes = (BLOCK << node::checked_level(&node)?) as u64;
        let (record, from) = (offset / bytes, offset % bytes);
        // The last record is whole if what is punched reaches the end of the file.
        let last = if end >= size { size.div_ceil(bytes) } else { end / bytes };
        if from == 0 && record < last {
            let all = self.free_records(ino, record, last);
            self.account(ino)?;
            return Ok(if all? { last.saturating_mul(bytes) } else { offset });
        }
        let to = end.min((record + 1) * bytes);
        let ptr = self.record_ptr(&node, record)?;
        if !ptr.is_null() {
            let have = self.record(ptr)?.len() as u64;
            let kept = (size - record * bytes).min(bytes);
            let to = (to - record * bytes).min(have);
            if from < to {
                let zeroes = vec![0; (to - from) as usize];
                self.write_record(ino, record, kept as usize, from as usize, &zeroes)?;
                self.account(ino)?;
            }
        }
        Ok(to)
    }

    /// The first record from `record` on that is there (or, for `hole`, is not).
    pub(super) fn next_record(&mut self, node: &[u8], record: u64, hole: bool) -> Result<Option<u64>> {
        let mut base: u64 = 0;
        let mut slot = 0;
        for (depth, count) in DEPTHS.into_iter().enumerate() {
            for _ in 0..count {
                if base.saturating_add(span(depth)) > record {
                    let ptr = Ptr::read(node, node::DATA + slot * Ptr::SIZE);
                    if let Some(found) = self.next_below(ptr, depth, base, record, hole)? {
                        return Ok(Some(found));
                    }
                }
                slot += 1;
                base = base.saturating_add(span(depth));
            }
        }
        Ok(None)
    }

    fn next_below(&mut self, ptr: Ptr, depth: usize, base: u64, record: u64, hole: bool) -> Result<Option<u64>> {
        if ptr.is_null() {
            return Ok(hole.then_some(base.max(record)));
        }
        if depth == 0 {
            return Ok((!hole).then_some(base));
        }
        let block = self.small(ptr)?;
        for slot in 0..INDEX_SLOTS {
            let base = base + slot as u64 * span(depth - 1);
            if base + span(depth - 1) > record {
                let ptr = Ptr::read(&block, slot * Ptr::SIZE);
                if let Some(found) = self.next_below(ptr, depth - 1, base, record, hole)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }
}

/// Copies from an offset; what is not there is zero.
fn copy_or_zero(from: &[u8], offset: u64, to: &mut [u8]) {
    let there = usize::try_from(offset).ok().and_then(|offset| from.get(offset..)).unwrap_or_default();
    let len = there.len().min(to.len());
    to[..len].copy_from_slice(&there[..len]);
    to[len..].fill(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_those_of_redoxfs() {
        use redoxfs::NodeLevel;
        for record in [0u64, 127, 128, 16511, 16512, 2113663, 2113664, 270549119, 270549120, 34_000_000_000] {
            let Ok(way) = way(record) else {
                panic!("{record}");
            };
            let (slot, slots) = match NodeLevel::new(record).unwrap() {
                NodeLevel::L0(a) => (a, vec![]),
                NodeLevel::L1(a, b) => (128 + a, vec![b]),
                NodeLevel::L2(a, b, c) => (192 + a, vec![b, c]),
                NodeLevel::L3(a, b, c, d) => (224 + a, vec![b, c, d]),
                NodeLevel::L4(a, b, c, d, e) => (240 + a, vec![b, c, d, e]),
            };
            assert_eq!((way.slot, way.slots), (slot, slots), "{record}");
        }
    }
}
