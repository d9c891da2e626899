//! A process's handle table: small numbers to open files, lowest free number first.

use alloc::vec::Vec;

/// A table of at most `limit` entries.
///
/// Invariant: no free index is below `first_free_hint`.
pub struct FdTable<T> {
    entries: Vec<Option<Entry<T>>>,
    first_free_hint: usize,
    used: usize,
}

/// What stands at one number.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// The open file.
    pub file: T,
    /// Closed by exec.
    pub close_on_exec: bool,
}

/// Why an insertion failed.
#[derive(Debug, PartialEq, Eq)]
pub enum InsertError {
    /// No number below the limit is free (EMFILE).
    Full,
    /// The number is negative or at or above the limit (EBADF or EINVAL).
    OutOfRange,
}

impl<T> FdTable<T> {
    /// An empty table; allocates nothing.
    pub const fn new() -> Self {
        FdTable { entries: Vec::new(), first_free_hint: 0, used: 0 }
    }

    /// What stands at `fd`.
    pub fn get(&self, fd: i32) -> Option<&Entry<T>> {
        self.entries.get(usize::try_from(fd).ok()?)?.as_ref()
    }

    /// What stands at `fd`, to change it.
    pub fn get_mut(&mut self, fd: i32) -> Option<&mut Entry<T>> {
        self.entries.get_mut(usize::try_from(fd).ok()?)?.as_mut()
    }

    /// Puts a file at the lowest free number that is at least `least` and below `limit`.
    pub fn insert(&mut self, least: usize, limit: usize, file: T, close_on_exec: bool) -> Result<i32, InsertError> {
        if least >= limit {
            return Err(InsertError::OutOfRange);
        }
        let start = least.max(self.first_free_hint);
        let mut fd = start;
        while self.entries.get(fd).is_some_and(Option::is_some) {
            fd += 1;
        }
        if fd >= limit {
            return Err(InsertError::Full);
        }
        if least <= self.first_free_hint {
            self.first_free_hint = fd + 1;
        }
        self.put(fd, Entry { file, close_on_exec });
        Ok(fd as i32)
    }

    /// Puts a file at exactly `fd`, and returns what stood there.
    pub fn replace(&mut self, fd: i32, limit: usize, file: T, close_on_exec: bool) -> Result<Option<T>, InsertError> {
        let index = usize::try_from(fd).ok().filter(|i| *i < limit).ok_or(InsertError::OutOfRange)?;
        Ok(self.put(index, Entry { file, close_on_exec }).map(|e| e.file))
    }

    /// Frees a number, and returns what stood there.
    pub fn remove(&mut self, fd: i32) -> Option<T> {
        let index = usize::try_from(fd).ok()?;
        let entry = self.entries.get_mut(index)?.take()?;
        self.first_free_hint = self.first_free_hint.min(index);
        self.used -= 1;
        Some(entry.file)
    }

    /// Takes out every entry that `wanted` accepts.
    pub fn remove_where(&mut self, mut wanted: impl FnMut(i32, &Entry<T>) -> bool) -> Vec<T> {
        let mut removed = Vec::new();
        for index in 0..self.entries.len() {
            if self.entries[index].as_ref().is_some_and(|entry| wanted(index as i32, entry)) {
                removed.extend(self.remove(index as i32));
            }
        }
        removed
    }

    /// Numbers and entries, in order.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &Entry<T>)> {
        self.entries.iter().enumerate().filter_map(|(fd, e)| Some((fd as i32, e.as_ref()?)))
    }

    /// Marks the entries from `first` to `last` close-on-exec.
    pub fn mark_close_on_exec(&mut self, first: usize, last: usize) {
        for entry in self.entries.iter_mut().take(last.saturating_add(1)).skip(first).flatten() {
            entry.close_on_exec = true;
        }
    }

    /// How many numbers are taken.
    pub fn used(&self) -> usize {
        self.used
    }

    fn put(&mut self, index: usize, entry: Entry<T>) -> Option<Entry<T>> {
        if index >= self.entries.len() {
            self.entries.resize_with(index + 1, || None);
        }
        let old = self.entries[index].replace(entry);
        self.used += usize::from(old.is_none());
        old
    }
}

impl<T: Clone> Clone for FdTable<T> {
    fn clone(&self) -> Self {
        FdTable { entries: self.entries.clone(), first_free_hint: self.first_free_hint, used: self.used }
    }
}

impl<T> Default for FdTable<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    const LIMIT: usize = 40;

    proptest! {
        /// The table behaves as a map in which insert searches for the lowest free number.
        #[test]
        fn agrees_with_a_map(ops in proptest::collection::vec((0u8..4, 0usize..50), 0..300)) {
            let mut table = FdTable::new();
            let mut model: BTreeMap<usize, u32> = BTreeMap::new();
            for (n, (op, x)) in (0u32..).zip(ops) {
                match op {
                    0 | 1 => {
                        let least = if op == 0 { 0 } else { x };
                        let free = (least..LIMIT).find(|fd| !model.contains_key(fd));
                        match table.insert(least, LIMIT, n, false) {
                            Ok(fd) => { prop_assert_eq!(Some(fd as usize), free); model.insert(fd as usize, n); }
                            Err(InsertError::Full) => prop_assert!(free.is_none() && least < LIMIT),
                            Err(InsertError::OutOfRange) => prop_assert!(least >= LIMIT),
                        }
                    }
                    2 => prop_assert_eq!(table.remove(x as i32), model.remove(&x)),
                    _ => match table.replace(x as i32, LIMIT, n, true) {
                        Ok(old) => prop_assert_eq!(old, model.insert(x, n)),
                        Err(_) => prop_assert!(x >= LIMIT),
                    },
                }
                prop_assert_eq!(table.used(), model.len());
                let listed: BTreeMap<usize, u32> = table.iter().map(|(fd, e)| (fd as usize, e.file)).collect();
                prop_assert_eq!(&listed, &model);
            }
        }
    }

    #[test]
    fn negative_numbers_are_nothing() {
        let mut table: FdTable<u8> = FdTable::new();
        assert!(table.get(-1).is_none() && table.remove(-1).is_none());
        assert_eq!(table.replace(-1, 10, 0, false), Err(InsertError::OutOfRange));
    }
}
