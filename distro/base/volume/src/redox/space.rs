//! Which blocks are free.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Errno, Result};

/// Levels of free blocks that are kept apart: up to 2³⁹ blocks of 4 KiB.
const LEVELS: usize = 40;

/// Ranges of block numbers that do not overlap: how the allocation log is read and written.
#[derive(Default, Debug, PartialEq, Eq, Clone)]
pub struct Ranges {
    /// From start to end.
    map: BTreeMap<u64, u64>,
}

impl Ranges {
    /// Adds a range; `EIO` if part of it is there already.
    pub fn add(&mut self, start: u64, count: u64) -> Result<()> {
        let (mut from, mut to) = (start, start.checked_add(count).ok_or(Errno::EIO)?);
        if let Some((&before, &end)) = self.map.range(..=start).next_back() {
            if end > start {
                return Err(Errno::EIO);
            }
            if end == start {
                self.map.remove(&before);
                from = before;
            }
        }
        if let Some((&after, &end)) = self.map.range(start..).next() {
            if after < to {
                return Err(Errno::EIO);
            }
            if after == to {
                self.map.remove(&after);
                to = end;
            }
        }
        self.map.insert(from, to);
        Ok(())
    }

    /// Takes a range out; `EIO` if not all of it is there.
    pub fn take(&mut self, start: u64, count: u64) -> Result<()> {
        let to = start.checked_add(count).ok_or(Errno::EIO)?;
        let (&from, &end) = self.map.range(..=start).next_back().ok_or(Errno::EIO)?;
        if end < to {
            return Err(Errno::EIO);
        }
        self.map.remove(&from);
        if from < start {
            self.map.insert(from, start);
        }
        if to < end {
            self.map.insert(to, end);
        }
        Ok(())
    }

    /// Start and count of every range, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.map.iter().map(|(&start, &end)| (start, end - start))
    }

    /// The number of ranges.
    pub fn len(&self) -> usize {
        self.map.len()
    }
}

/// A buddy allocator: free blocks by level, each aligned to its size and merged with its neighbour when both are free.
pub struct Allocator {
    levels: [BTreeSet<u64>; LEVELS],
    free: u64,
}

impl Default for Allocator {
    fn default() -> Allocator {
        Allocator { levels: [const { BTreeSet::new() }; LEVELS], free: 0 }
    }
}

impl Allocator {
    /// The number of free 4 KiB blocks.
    pub fn free(&self) -> u64 {
        self.free
    }

    /// The number of pieces that the free blocks are in.
    pub fn pieces(&self) -> usize {
        self.levels.iter().map(BTreeSet::len).sum()
    }

    /// Free 4 KiB blocks in pieces of at least this level.
    pub fn free_in(&self, level: u32) -> u64 {
        self.levels.iter().enumerate().skip(level as usize).map(|(level, set)| (set.len() as u64) << level).sum()
    }

    /// True if a block of this level is free.
    pub fn has(&self, level: u32) -> bool {
        self.levels[level as usize..].iter().any(|set| !set.is_empty())
    }

    /// Takes a block: from the smallest pieces that will do, the first on the disk.
    pub fn allocate(&mut self, level: u32) -> Option<u64> {
        let mut from = (level as usize..LEVELS).find(|&from| !self.levels[from].is_empty())?;
        let index = self.levels[from].pop_first()?;
        while from > level as usize {
            from -= 1;
            self.levels[from].insert(index + (1 << from));
        }
        self.free -= 1 << level;
        Some(index)
    }

    /// Gives back blocks, which must not be free.
    pub fn add(&mut self, mut start: u64, count: u64) {
        let end = start + count;
        while start < end {
            let fits = (end - start).ilog2();
            let level = start.trailing_zeros().min(fits).min(LEVELS as u32 - 1);
            self.add_block(start, level as usize);
            start += 1 << level;
        }
    }

    fn add_block(&mut self, mut index: u64, mut level: usize) {
        self.free += 1 << level;
        while level < LEVELS - 1 && self.levels[level].remove(&(index ^ 1 << level)) {
            index &= !(1 << level);
            level += 1;
        }
        let new = self.levels[level].insert(index);
        debug_assert!(new, "block {index} was free");
    }

    /// True if part of a block is free.
    pub fn overlaps(&self, index: u64, level: u32) -> bool {
        let level = level as usize;
        let inside = |set: &BTreeSet<u64>| set.range(index..index + (1 << level)).next().is_some();
        let above = |(level, set): (usize, &BTreeSet<u64>)| !set.is_empty() && set.contains(&(index >> level << level));
        self.levels[..level].iter().any(inside) || self.levels.iter().enumerate().skip(level).any(above)
    }

    /// All free blocks as ranges.
    pub fn ranges(&self) -> Result<Ranges> {
        let mut ranges = Ranges::default();
        for (level, set) in self.levels.iter().enumerate() {
            set.iter().try_for_each(|&index| ranges.add(index, 1 << level))?;
        }
        Ok(ranges)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn everything_merges_again() {
        let mut free = Allocator::default();
        free.add(259, 5000);
        let before = (free.free(), free.pieces());
        let mut taken: Vec<_> = (0..400).map(|i| (free.allocate(i % 4).unwrap(), i % 4)).collect();
        for &(index, level) in &taken {
            assert_eq!(index % (1 << level), 0);
        }
        assert_eq!(free.free(), 5000 - 100 * 15);
        taken.sort_by_key(|&(index, _)| index.reverse_bits());
        taken.iter().for_each(|&(index, level)| free.add(index, 1 << level));
        assert_eq!((free.free(), free.pieces()), before);
        assert_eq!(free.ranges().unwrap().iter().collect::<Vec<_>>(), [(259, 5000)]);
    }

    #[test]
    fn what_is_free_in_part_is_seen() {
        let mut free = Allocator::default();
        free.add(300, 20);
        for (index, level, overlaps) in
            [(299, 0, false), (300, 0, true), (288, 4, true), (288, 3, false), (320, 5, false)]
        {
            assert_eq!(free.overlaps(index, level), overlaps, "{index} {level}");
        }
    }

    #[test]
    fn ranges_refuse_what_overlaps() {
        let mut ranges = Ranges::default();
        ranges.add(10, 10).unwrap();
        for (start, count) in [(5, 6), (10, 1), (19, 5), (12, 2), (0, 100), (u64::MAX, 2)] {
            assert_eq!(ranges.add(start, count), Err(Errno::EIO), "{start}+{count}");
        }
        for (start, count) in [(5, 6), (19, 2), (20, 1), (0, 1), (u64::MAX, 2)] {
            assert_eq!(ranges.take(start, count), Err(Errno::EIO), "{start}+{count}");
        }
        ranges.take(12, 3).unwrap();
        ranges.add(20, 5).unwrap();
        ranges.add(8, 2).unwrap();
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [(8, 4), (15, 10)]);
    }

    proptest! {
        #[test]
        fn never_the_same_block_twice(steps in proptest::collection::vec((0u32..6, any::<prop::sample::Index>(), any::<bool>()), 1..200)) {
            let mut free = Allocator::default();
            free.add(300, 777);
            let mut model = Ranges::default();
            model.add(300, 777).unwrap();
            let mut held = Vec::new();
            for (level, which, give) in steps {
                if give && !held.is_empty() {
                    let (index, level): (u64, u32) = held.swap_remove(which.index(held.len()));
                    free.add(index, 1 << level);
                    model.add(index, 1 << level).unwrap();
                } else if let Some(index) = free.allocate(level) {
                    model.take(index, 1 << level).unwrap();
                    held.push((index, level));
                }
                prop_assert_eq!(&free.ranges().unwrap(), &model);
                prop_assert_eq!(free.free(), model.iter().map(|(_, count)| count).sum::<u64>());
            }
        }
    }
}
