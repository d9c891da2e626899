//! Things by number, where numbers are given out in order: found by two steps through arrays instead of a walk through a tree. Large
//! numbers, which only damage or ids with a meaning bring, go by a hash.

use alloc::boxed::Box;
use alloc::vec::Vec;
use hashbrown::HashMap;

/// Numbers that share an array.
const PAGE: usize = 16;
/// Numbers from here on are far.
const FAR: u64 = 1 << 22;

/// Values by number. What is taken by numbers that nothing has any more is a word for every [`PAGE`] of them.
#[derive(Debug)]
pub(super) struct Table<T> {
    pages: Vec<Option<Box<Page<T>>>>,
    far: HashMap<u64, T>,
    used: usize,
    /// An empty page, for a number that comes and goes.
    spare: Option<Box<Page<T>>>,
}

#[derive(Debug)]
struct Page<T> {
    entries: [Option<T>; PAGE],
    used: usize,
}

impl<T> Table<T> {
    /// Nothing.
    pub fn new() -> Self {
        Self { pages: Vec::new(), far: HashMap::new(), used: 0, spare: None }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.used + self.far.len()
    }

    /// The value of a number.
    pub fn get(&self, number: u64) -> Option<&T> {
        if number >= FAR {
            return self.far.get(&number);
        }
        let (page, place) = split(number);
        self.pages.get(page)?.as_ref()?.entries.get(place)?.as_ref()
    }

    /// The value of a number, to change it.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        if number >= FAR {
            return self.far.get_mut(&number);
        }
        let (page, place) = split(number);
        self.pages.get_mut(page)?.as_mut()?.entries.get_mut(place)?.as_mut()
    }

    /// Gives a number a value; what it had before. The table grows by the near numbers, so these should be given out densely.
    pub fn insert(&mut self, number: u64, value: T) -> Option<T> {
        if number >= FAR {
            return self.far.insert(number, value);
        }
        let (page, place) = split(number);
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        let Self { pages, spare, .. } = self;
        let empty = || spare.take().unwrap_or_else(|| Box::new(Page { entries: [const { None }; PAGE], used: 0 }));
        let page = pages.get_mut(page)?.get_or_insert_with(empty);
        let old = page.entries.get_mut(place)?.replace(value);
        if old.is_none() {
            page.used += 1;
            self.used += 1;
        }
        old
    }

    /// Takes a number's value.
    pub fn remove(&mut self, number: u64) -> Option<T> {
        if number >= FAR {
            return self.far.remove(&number);
        }
        let (index, place) = split(number);
        let slot = self.pages.get_mut(index)?;
        let page = slot.as_mut()?;
        let old = page.entries.get_mut(place)?.take()?;
        page.used -= 1;
        self.used -= 1;
        if page.used == 0 {
            self.spare = slot.take();
        }
        Some(old)
    }

    /// Numbers and values; the near ones by number.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let pages = (0u64..).step_by(PAGE).zip(&self.pages);
        let near = pages.flat_map(|(first, page)| {
            let entries = page.iter().flat_map(|page| &page.entries);
            (first..).zip(entries).filter_map(|(number, entry)| Some((number, entry.as_ref()?)))
        });
        near.chain(self.far.iter().map(|(number, value)| (*number, value)))
    }
}

const fn split(number: u64) -> (usize, usize) {
    ((number / PAGE as u64) as usize, (number % PAGE as u64) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    proptest! {
        /// The table behaves as a map.
        #[test]
        fn agrees_with_a_map(ops in proptest::collection::vec((0u8..4, 0u64..80), 0..300)) {
            let mut table = Table::new();
            let mut model = BTreeMap::new();
            for (n, (op, number)) in (0u32..).zip(ops) {
                // Some of them are far.
                let number = if number % 8 == 7 { number << 40 } else { number };
                match op {
                    0 | 1 => prop_assert_eq!(table.insert(number, n), model.insert(number, n)),
                    2 => prop_assert_eq!(table.remove(number), model.remove(&number)),
                    _ => prop_assert_eq!(table.get_mut(number), model.get_mut(&number)),
                }
                prop_assert_eq!(table.get(number), model.get(&number));
                prop_assert_eq!(table.len(), model.len());
            }
            let listed: BTreeMap<u64, u32> = table.iter().map(|(number, value)| (number, *value)).collect();
            prop_assert_eq!(listed, model);
        }
    }

    #[test]
    fn empty_pages_are_given_back() {
        let mut table = Table::new();
        for number in 0..1000 {
            table.insert(number, number);
            table.remove(number);
        }
        assert!(table.pages.iter().all(Option::is_none) && table.len() == 0);
        assert!(table.get(u64::MAX).is_none() && table.remove(u64::MAX).is_none());
    }
}
