//! A directory's entries, by name and in the order of their positions.

use super::node::Ino;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use hashbrown::HashMap;

/// The position of the first entry after `.` and `..`.
const FIRST: u64 = 2;

/// Entries. Each has a position that stays for as long as the entry does, so that a listing that goes on after others were made and
/// removed shows what stayed exactly once (POSIX readdir).
#[derive(Debug)]
pub struct Directory {
    /// The directory above; the root's is itself.
    pub(super) parent: Ino,
    /// Its name there.
    pub(super) name: Vec<u8>,
    by_name: HashMap<Arc<[u8]>, (Ino, u64)>,
    by_position: BTreeMap<u64, Arc<[u8]>>,
    next: u64,
}

impl Directory {
    pub(super) fn new(parent: Ino, name: &[u8]) -> Self {
        Self { parent, name: name.to_vec(), by_name: HashMap::new(), by_position: BTreeMap::new(), next: FIRST }
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<Ino> {
        self.by_name.get(name).map(|(ino, _)| *ino)
    }

    pub(super) fn insert(&mut self, name: &[u8], ino: Ino) {
        let name: Arc<[u8]> = name.into();
        match self.by_name.get_mut(&name) {
            // Replaced by a rename: it keeps the position, a listing shows the new file.
            Some(entry) => entry.0 = ino,
            None => {
                self.by_name.insert(name.clone(), (ino, self.next));
                self.by_position.insert(self.next, name);
                self.next += 1;
            }
        }
    }

    pub(super) fn remove(&mut self, name: &[u8]) {
        if let Some((_, position)) = self.by_name.remove(name) {
            self.by_position.remove(&position);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Entries from a position on (`.` is at 0, `..` at 1), each with its position; `own` is the directory's own number.
    pub(super) fn list(&self, own: Ino, from: u64) -> impl Iterator<Item = (u64, &[u8], Ino)> {
        let dots = [(0, &b"."[..], own), (1, &b".."[..], self.parent)];
        let named = self.by_position.range(from..).filter_map(|(position, name)| {
            let (ino, _) = self.by_name.get(name)?;
            Some((*position, &**name, *ino))
        });
        dots.into_iter().filter(move |(position, ..)| *position >= from).chain(named)
    }
}
