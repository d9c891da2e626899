//! A directory's entries, by name and in the order of their positions.

use super::node::Ino;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use hashbrown::HashMap;

/// The position of the first entry after `.` and `..`.
pub(super) const FIRST: u64 = 2;

/// A directory.
#[derive(Debug)]
pub struct Directory {
    /// The directory above; the root's is itself.
    pub(super) parent: Ino,
    /// Its name there.
    pub(super) name: Vec<u8>,
    entries: Entries,
}

#[derive(Debug)]
enum Entries {
    /// All of them; nothing is behind this tree.
    Whole(Whole),
    /// What was asked of the volume behind.
    Known(Known),
}

#[derive(Debug, Default)]
struct Known {
    /// `None`: there is no such name.
    names: HashMap<Box<[u8]>, Option<Ino>>,
    /// It was made here, and no name was forgotten since.
    complete: bool,
}

/// Entries. Each has a position that stays for as long as the entry does, so that a listing that goes on after others were made and
/// removed shows what stayed exactly once (POSIX readdir).
#[derive(Debug)]
struct Whole {
    by_name: HashMap<Arc<[u8]>, (Ino, u64)>,
    by_position: BTreeMap<u64, Arc<[u8]>>,
    next: u64,
}

/// What a directory tells of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Is(Ino),
    Missing,
    /// The volume has to say.
    Unknown,
}

impl Directory {
    /// An empty one, with all its entries in memory.
    pub(super) fn new(parent: Ino, name: &[u8]) -> Self {
        let whole = Whole { by_name: HashMap::new(), by_position: BTreeMap::new(), next: FIRST };
        Self { parent, name: name.to_vec(), entries: Entries::Whole(whole) }
    }

    /// One of which the volume has the entries.
    pub(super) fn cached(parent: Ino, name: &[u8]) -> Self {
        Self { parent, name: name.to_vec(), entries: Entries::Known(Known::default()) }
    }

    /// A new one for a volume: it has no entries.
    pub(super) fn made(parent: Ino, name: &[u8]) -> Self {
        let known = Known { complete: true, ..Known::default() };
        Self { parent, name: name.to_vec(), entries: Entries::Known(known) }
    }

    pub(super) fn get(&self, name: &[u8]) -> Found {
        match &self.entries {
            Entries::Whole(whole) => whole.by_name.get(name).map_or(Found::Missing, |(ino, _)| Found::Is(*ino)),
            Entries::Known(known) => match known.names.get(name) {
                Some(Some(ino)) => Found::Is(*ino),
                Some(None) => Found::Missing,
                None if known.complete => Found::Missing,
                None => Found::Unknown,
            },
        }
    }

    pub(super) fn insert(&mut self, name: &[u8], ino: Ino) {
        match &mut self.entries {
            Entries::Whole(whole) => whole.insert(name, ino),
            Entries::Known(known) => {
                known.names.insert(name.into(), Some(ino));
            }
        }
    }

    pub(super) fn remove(&mut self, name: &[u8]) {
        match &mut self.entries {
            Entries::Whole(whole) => {
                if let Some((_, position)) = whole.by_name.remove(name) {
                    whole.by_position.remove(&position);
                }
            }
            Entries::Known(known) if known.complete => {
                known.names.remove(name);
            }
            Entries::Known(known) => {
                known.names.insert(name.into(), None);
            }
        }
    }

    /// What the volume said of a name.
    pub(super) fn learn(&mut self, name: &[u8], ino: Option<Ino>) {
        if let Entries::Known(known) = &mut self.entries {
            known.names.insert(name.into(), ino);
        }
    }

    /// Names that are kept here only to be found faster.
    pub(super) fn known(&self) -> usize {
        if let Entries::Known(known) = &self.entries { known.names.len() } else { 0 }
    }

    /// Forgets these.
    pub(super) fn forget(&mut self) {
        if let Entries::Known(known) = &mut self.entries {
            *known = Known::default();
        }
    }

    /// Whether there are no entries. `None`: the volume has to say.
    pub(super) fn is_empty(&self) -> Option<bool> {
        match &self.entries {
            Entries::Whole(whole) => Some(whole.by_name.is_empty()),
            Entries::Known(known) => {
                let some = known.names.values().any(Option::is_some);
                if some || known.complete { Some(!some) } else { None }
            }
        }
    }

    /// A name of a file here, as far as is known.
    pub(super) fn name_of(&self, ino: Ino) -> Option<&[u8]> {
        match &self.entries {
            Entries::Whole(whole) => {
                whole.by_name.iter().find(|(_, (entry, _))| *entry == ino).map(|(name, _)| &**name)
            }
            Entries::Known(known) => {
                known.names.iter().find(|(_, entry)| **entry == Some(ino)).map(|(name, _)| &**name)
            }
        }
    }

    /// Entries from a position on (`.` is at 0, `..` at 1), each with its position; `own` is the directory's own number. `None`: the volume
    /// has them.
    pub(super) fn list(&self, own: Ino, from: u64) -> Option<impl Iterator<Item = (u64, &[u8], Ino)>> {
        let Entries::Whole(whole) = &self.entries else { return None };
        let dots = [(0, &b"."[..], own), (1, &b".."[..], self.parent)];
        let named = whole.by_position.range(from..).filter_map(|(position, name)| {
            let (ino, _) = whole.by_name.get(name)?;
            Some((*position, &**name, *ino))
        });
        Some(dots.into_iter().filter(move |(position, ..)| *position >= from).chain(named))
    }
}

impl Whole {
    fn insert(&mut self, name: &[u8], ino: Ino) {
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
}
