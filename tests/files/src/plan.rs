//! What is done to a folder, step by step: the same seed gives the same steps, so that who knows the seed and how far somebody came
//! knows what must be there.

use std::collections::{BTreeMap, VecDeque};
use test_programs::random::Random;

/// How many names there are.
pub const NAMES: u8 = 16;

/// The greatest length of a file, in bytes.
const LONGEST: u64 = 256 << 10;

/// The name by which files that replace others are made.
const NEW: u8 = NAMES;

/// A number of a file, never used again.
pub type Id = u32;

/// One step. Names are numbers; a step's own number is the tag of the bytes that it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Makes an empty file with the permission bits of [`mode`].
    Create(u8, Id),
    /// Writes that many bytes at the offset.
    Write(u8, u64, u64),
    /// Sets the length.
    Truncate(u8, u64),
    /// fsync(2) of the file; with true, fdatasync(2).
    Sync(u8, bool),
    /// Renames, over whatever the second name was.
    Rename(u8, u8),
    /// Gives the file a further name.
    Link(u8, u8),
    /// Removes the name.
    Unlink(u8),
    /// fsync(2) of the folder.
    SyncFolder,
}

/// The file name of a number.
pub fn name(number: u8) -> String {
    if number == NEW { "new".into() } else { format!("file-{number}") }
}

/// The permission bits by which a file is known: they come into the world with the file, and umask 022 leaves them alone.
pub fn mode(id: Id) -> u32 {
    const BITS: [u32; 7] = [0o001, 0o004, 0o010, 0o040, 0o100, 0o200, 0o400];
    BITS.iter().enumerate().filter(|(place, _)| id >> place & 1 == 1).map(|(_, bit)| bit).sum()
}

/// The steps of a seed, one after the other.
#[derive(Debug)]
pub struct Plan {
    random: Random,
    names: BTreeMap<u8, Id>,
    lengths: BTreeMap<Id, u64>,
    next: Id,
    waiting: VecDeque<Step>,
}

impl Plan {
    /// From the beginning, in an empty folder.
    pub fn new(seed: u64) -> Plan {
        Plan {
            random: Random::new(seed),
            names: BTreeMap::new(),
            lengths: BTreeMap::new(),
            next: 0,
            waiting: VecDeque::new(),
        }
    }

    /// Which name leads to which file after the steps so far.
    pub fn names(&self) -> &BTreeMap<u8, Id> {
        &self.names
    }

    fn fresh(&mut self) -> Id {
        self.next += 1;
        self.next
    }

    /// A name that is there, if any is.
    fn used(&mut self) -> Option<u8> {
        let names: Vec<u8> = self.names.keys().copied().collect();
        (!names.is_empty()).then(|| self.random.pick(&names))
    }

    fn invent(&mut self) -> Step {
        let any = self.random.below(u64::from(NAMES)) as u8;
        let Some(used) = self.used() else { return Step::Create(any, self.fresh()) };
        let length = self.lengths[&self.names[&used]];
        match self.random.below(20) {
            0..3 if !self.names.contains_key(&any) => Step::Create(any, self.fresh()),
            0..6 => {
                // Anywhere in the file, or a hole's breadth behind its end.
                let offset = self.random.below(length + 1 + self.random.clone().below(20_000)).min(LONGEST - 1);
                let len = 1 + self.random.below([100, 5_000, 100_000][self.random.clone().below(3) as usize]);
                Step::Write(used, offset, len.min(LONGEST - offset))
            }
            6..8 => Step::Write(
                used,
                length.min(LONGEST - 1),
                (1 + self.random.below(9_000)).min(LONGEST - length.min(LONGEST - 1)),
            ),
            8 => Step::Truncate(used, self.random.below(length + 4_096).min(LONGEST)),
            9..11 => Step::Sync(used, false),
            11 => Step::Sync(used, true),
            12 => Step::Rename(used, any),
            13 if !self.names.contains_key(&any) => Step::Link(used, any),
            13 | 14 => Step::Unlink(used),
            15 => Step::SyncFolder,
            _ => {
                // As editors and databases replace a file.
                let len = 1 + self.random.below(60_000);
                self.waiting.extend([
                    Step::Write(NEW, 0, len),
                    Step::Sync(NEW, false),
                    Step::Rename(NEW, any),
                    Step::SyncFolder,
                ]);
                Step::Create(NEW, self.fresh())
            }
        }
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Create(name, id) => {
                self.names.insert(name, id);
                self.lengths.insert(id, 0);
            }
            Step::Write(name, offset, len) => {
                let length = self.lengths.entry(self.names[&name]).or_default();
                *length = (*length).max(offset + len);
            }
            Step::Truncate(name, len) => {
                self.lengths.insert(self.names[&name], len);
            }
            Step::Rename(from, to) => {
                // Two names of one file: rename(2) does nothing then.
                if self.names.get(&from) != self.names.get(&to)
                    && let Some(id) = self.names.remove(&from)
                {
                    self.names.insert(to, id);
                }
            }
            Step::Link(from, to) => {
                self.names.insert(to, self.names[&from]);
            }
            Step::Unlink(name) => {
                self.names.remove(&name);
            }
            Step::Sync(..) | Step::SyncFolder => {}
        }
    }
}

impl Iterator for Plan {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let step = self.waiting.pop_front().unwrap_or_else(|| self.invent());
        self.apply(step);
        Some(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn modes_tell_files_apart() {
        let modes: BTreeSet<u32> = (0..128).map(mode).collect();
        assert_eq!(modes.len(), 128);
        assert!(modes.iter().all(|mode| mode & 0o022 == 0 && *mode <= 0o777));
    }

    #[test]
    fn steps_fit_the_folder() {
        let mut plan = Plan::new(5);
        for _ in 0..20_000 {
            let before = plan.names.clone();
            match plan.next().expect("plans do not end") {
                Step::Create(name, _) | Step::Link(_, name) => assert!(!before.contains_key(&name)),
                Step::Write(name, offset, len) => {
                    assert!(before.contains_key(&name) && len > 0 && offset + len <= LONGEST);
                }
                Step::Truncate(name, _) | Step::Sync(name, _) | Step::Rename(name, _) | Step::Unlink(name) => {
                    assert!(before.contains_key(&name));
                }
                Step::SyncFolder => {}
            }
        }
        assert!(plan.names.len() > 3);
    }
}
