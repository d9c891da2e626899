//! Non-overlapping intervals of addresses with a value each: the areas of an address space.
//!
//! Lengths and positions are bytes, but any unit will do. Values know how to be cut in two and when two neighbours are
//! really one ([`Piece`]); the map keeps the intervals disjoint and counts what they cover.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::{Bound, Range};

/// A value that belongs to an interval and can be cut with it.
pub trait Piece: Sized {
    /// Cuts the value `at` bytes (greater than 0, less than the length) after its start; self keeps the first part.
    fn split_off(&mut self, at: usize) -> Self;
    /// Self, over `len` bytes, and `next` right behind it could be one interval with self's value.
    fn joins(&self, len: usize, next: &Self) -> bool;
    /// Takes in what `next` knows; [`Piece::joins`] has said yes.
    fn join(&mut self, next: Self);
}

/// Disjoint, non-empty intervals in order.
#[derive(Debug)]
pub struct IntervalMap<V> {
    /// By end: an address space fills downwards, so that what joins or leaves at an interval's start changes no key.
    map: BTreeMap<usize, Interval<V>>,
    covered: usize,
}

#[derive(Debug)]
struct Interval<V> {
    start: usize,
    value: V,
}

/// Keys greater than `at`.
fn after(at: usize) -> (Bound<usize>, Bound<usize>) {
    (Bound::Excluded(at), Bound::Unbounded)
}

impl<V: Piece> IntervalMap<V> {
    /// An empty map.
    pub const fn new() -> Self {
        IntervalMap { map: BTreeMap::new(), covered: 0 }
    }

    /// How many intervals there are.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// The sum of all lengths.
    pub fn covered(&self) -> usize {
        self.covered
    }

    /// The interval that holds `at`.
    pub fn get(&self, at: usize) -> Option<(Range<usize>, &V)> {
        let (&end, interval) = self.map.range(after(at)).next()?;
        (interval.start <= at).then_some((interval.start..end, &interval.value))
    }

    /// The interval that holds `at`, to change its value.
    pub fn get_mut(&mut self, at: usize) -> Option<(Range<usize>, &mut V)> {
        let (&end, interval) = self.map.range_mut(after(at)).next()?;
        (interval.start <= at).then_some((interval.start..end, &mut interval.value))
    }

    /// All intervals in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Range<usize>, &V)> {
        self.map.iter().map(|(&end, interval)| (interval.start..end, &interval.value))
    }

    /// The intervals that share something with `range`, in order, whole.
    pub fn overlapping(&self, range: Range<usize>) -> impl Iterator<Item = (Range<usize>, &V)> {
        let found = self
            .map
            .range(after(range.start))
            .take_while(move |(_, interval)| !range.is_empty() && interval.start < range.end);
        found.map(|(&end, interval)| (interval.start..end, &interval.value))
    }

    /// As [`IntervalMap::overlapping`], to change the values.
    pub fn overlapping_mut(&mut self, range: Range<usize>) -> impl Iterator<Item = (Range<usize>, &mut V)> {
        let found = self
            .map
            .range_mut(after(range.start))
            .take_while(move |(_, interval)| !range.is_empty() && interval.start < range.end);
        found.map(|(&end, interval)| (interval.start..end, &mut interval.value))
    }

    /// Every position of `range` is in some interval. True for an empty range.
    pub fn covers(&self, range: Range<usize>) -> bool {
        let mut at = range.start;
        for (found, _) in self.overlapping(range.clone()) {
            if found.start > at {
                return false;
            }
            at = found.end;
        }
        at >= range.end
    }

    /// Adds an interval, joined with its neighbours where their values allow. Gives the value back if `range` is empty or
    /// not free.
    pub fn insert(&mut self, range: Range<usize>, value: V) -> Result<(), V> {
        if range.is_empty() {
            return Err(value);
        }
        match self.map.range_mut(after(range.start)).next() {
            Some((_, next)) if next.start < range.end => return Err(value),
            Some((_, next)) if next.start == range.end && value.joins(range.len(), &next.value) => {
                let behind = core::mem::replace(&mut next.value, value);
                next.value.join(behind);
                next.start = range.start;
            }
            _ => {
                self.map.insert(range.end, Interval { start: range.start, value });
            }
        }
        self.covered += range.len();
        self.join_at(range.start);
        Ok(())
    }

    /// Removes everything in `range`, cutting intervals at its ends, and returns the pieces in order.
    pub fn remove(&mut self, range: Range<usize>) -> Vec<(Range<usize>, V)> {
        let mut removed = Vec::new();
        if range.is_empty() {
            return removed;
        }
        while let Some((&end, interval)) = self.map.range_mut(after(range.start)).next() {
            if interval.start >= range.end {
                break;
            }
            if interval.start < range.start {
                // Cuts the part before the range off; the rest is the next turn's.
                self.split(range.start);
            } else if end > range.end {
                let rest = interval.value.split_off(range.end - interval.start);
                let piece = core::mem::replace(&mut interval.value, rest);
                let start = core::mem::replace(&mut interval.start, range.end);
                removed.push((start..range.end, piece));
                break;
            } else if let Some(interval) = self.map.remove(&end) {
                removed.push((interval.start..end, interval.value));
            }
        }
        self.covered -= removed.iter().map(|(piece, _)| piece.len()).sum::<usize>();
        removed
    }

    /// How many intervals more there would be if those that hold the ends of `range` were cut there (0 to 2).
    pub fn cuts(&self, range: Range<usize>) -> usize {
        let cut = |at| usize::from(self.get(at).is_some_and(|(found, _)| found.start < at));
        cut(range.start) + cut(range.end)
    }

    /// Cuts the interval that has `at` inside.
    pub fn split(&mut self, at: usize) {
        if let Some((_, interval)) = self.map.range_mut(after(at)).next()
            && interval.start < at
        {
            let rest = interval.value.split_off(at - interval.start);
            let value = core::mem::replace(&mut interval.value, rest);
            let start = core::mem::replace(&mut interval.start, at);
            self.map.insert(at, Interval { start, value });
        }
    }

    /// Joins what can be joined from the interval that ends at `range.start` to the one that starts at `range.end`.
    pub fn join(&mut self, range: Range<usize>) {
        let borders: Vec<usize> = self.overlapping(range.clone()).map(|(found, _)| found.start).collect();
        for at in borders {
            self.join_at(at);
        }
        self.join_at(range.end);
    }

    /// Joins the interval that ends at `at` with the one that starts there.
    fn join_at(&mut self, at: usize) {
        let Some(before) = self.map.get(&at) else { return };
        let Some((_, next)) = self.map.range(after(at)).next() else { return };
        if next.start != at || !before.value.joins(at - before.start, &next.value) {
            return;
        }
        if let Some(before) = self.map.remove(&at)
            && let Some((_, next)) = self.map.range_mut(after(at)).next()
        {
            let behind = core::mem::replace(&mut next.value, before.value);
            next.value.join(behind);
            next.start = before.start;
        }
    }

    /// The start of the highest free range of `len` inside `within`: the last `len` bytes of the highest gap that is long enough.
    pub fn find_gap(&self, len: usize, within: Range<usize>) -> Option<usize> {
        if len == 0 || within.is_empty() {
            return None;
        }
        let mut top = self.get(within.end - 1).map_or(within.end, |(found, _)| found.start);
        for (&end, interval) in self.map.range(..=top).rev() {
            if end <= within.start {
                break;
            }
            if top - end >= len {
                return Some(top - len);
            }
            top = interval.start;
        }
        let candidate = top.checked_sub(len)?;
        (candidate >= within.start).then_some(candidate)
    }

    /// Empties the map, and returns its pieces in order.
    pub fn take(&mut self) -> impl Iterator<Item = (Range<usize>, V)> + use<V> {
        self.covered = 0;
        core::mem::take(&mut self.map).into_iter().map(|(end, interval)| (interval.start..end, interval.value))
    }

    /// Appends an interval behind all others without looking for a neighbour to join: for copying a map in order.
    /// Gives the value back if `range` is empty or does not come after the last one.
    pub fn push(&mut self, range: Range<usize>, value: V) -> Result<(), V> {
        let last = self.map.last_key_value().map_or(0, |(&end, _)| end);
        if range.is_empty() || range.start < last {
            return Err(value);
        }
        self.covered += range.len();
        self.map.insert(range.end, Interval { start: range.start, value });
        Ok(())
    }
}

impl<V: Piece> Default for IntervalMap<V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Positions map to `base + position`, as a file mapping's do, so that a wrong cut shows.
    #[derive(Clone, Debug, PartialEq)]
    struct Linear {
        base: i64,
    }

    impl Piece for Linear {
        fn split_off(&mut self, at: usize) -> Self {
            Linear { base: self.base + at as i64 }
        }
        fn joins(&self, len: usize, next: &Self) -> bool {
            self.base + len as i64 == next.base
        }
        fn join(&mut self, _: Self) {}
    }

    const END: usize = 64;

    /// What each position maps to, by looking at every interval.
    fn flatten(map: &IntervalMap<Linear>) -> Vec<Option<i64>> {
        let mut flat = alloc::vec![None; END];
        for (range, value) in map.iter() {
            for at in range.clone() {
                assert!(flat[at].is_none(), "overlap at {at}");
                flat[at] = Some(value.base + (at - range.start) as i64);
            }
        }
        flat
    }

    proptest! {
        #[test]
        fn agrees_with_an_array(ops in proptest::collection::vec((0u8..6, 0usize..END, 0usize..24, -3i64..3), 0..120)) {
            let mut map = IntervalMap::new();
            let mut model = alloc::vec![None; END];
            for (op, start, len, tilt) in ops {
                let end = (start + len).min(END);
                let range = start..end;
                // Few different bases, so that neighbours often join.
                let base = start as i64 + tilt / 2;
                match op {
                    0 | 1 => {
                        let free = start < end && model[range.clone()].iter().all(Option::is_none);
                        prop_assert_eq!(map.insert(range.clone(), Linear { base }).is_ok(), free);
                        if free {
                            for at in range { model[at] = Some(base + (at - start) as i64); }
                        }
                    }
                    2 => {
                        let mut removed = 0;
                        for (piece, value) in map.remove(range.clone()) {
                            prop_assert!(piece.start >= start && piece.end <= end);
                            removed += piece.len();
                            for at in piece.clone() { prop_assert_eq!(model[at], Some(value.base + (at - piece.start) as i64)); }
                        }
                        prop_assert_eq!(removed, model[range.clone()].iter().flatten().count());
                        model[range].fill(None);
                    }
                    3 => map.split(start),
                    4 => map.join(range),
                    _ => {
                        let len = len.max(1);
                        let expected = (0..=END - len).rev().find(|&at| model[at..at + len].iter().all(Option::is_none));
                        prop_assert_eq!(map.find_gap(len, 0..END), expected);
                        let low = start.min(END - len);
                        let expected = (low..=END - len).rev().find(|&at| model[at..at + len].iter().all(Option::is_none));
                        prop_assert_eq!(map.find_gap(len, low..END), expected);
                    }
                }
                prop_assert_eq!(&flatten(&map), &model);
                prop_assert_eq!(map.covered(), model.iter().flatten().count());
                for at in 0..END {
                    prop_assert_eq!(map.get(at).map(|(r, v)| v.base + (at - r.start) as i64), model[at]);
                }
                prop_assert_eq!(map.covers(start..end.max(start)), model[start..end.max(start)].iter().all(Option::is_some));
            }
        }

        /// `cuts` says how many intervals a removal of the middle adds.
        #[test]
        fn cuts_counts(start in 0usize..END, len in 1usize..24) {
            let mut map = IntervalMap::new();
            let inserted = map.insert(8..40, Linear { base: 0 });
            prop_assert!(inserted.is_ok());
            let range = start..start + len;
            let cuts = map.cuts(range.clone());
            map.split(range.start);
            map.split(range.end);
            prop_assert_eq!(map.len(), 1 + cuts);
        }
    }

    #[test]
    fn push_keeps_order() {
        let mut map = IntervalMap::new();
        assert!(map.push(4..8, Linear { base: 4 }).is_ok());
        assert!(map.push(8..9, Linear { base: 8 }).is_ok());
        assert!(map.push(3..4, Linear { base: 0 }).is_err());
        assert!(map.push(9..9, Linear { base: 0 }).is_err());
        assert_eq!((map.len(), map.covered()), (2, 5));
        assert_eq!(map.take().count(), 2);
        assert_eq!((map.len(), map.covered()), (0, 0));
    }
}
