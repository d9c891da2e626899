//! Who descends from whom, as `/scheme/sys/process` tells it: lines of pid, parent's pid, …, with a heading.

use std::collections::BTreeSet;

/// All processes: pids and their parents'.
#[derive(Debug, Default)]
pub struct Family(Vec<(u32, u32)>);

impl Family {
    /// Reads the list; lines that are none count for nothing.
    pub fn of(text: &str) -> Family {
        let pair = |line: &str| {
            let mut words = line.split(' ');
            Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
        };
        Family(text.lines().filter_map(pair).collect())
    }

    /// `pid` and all that descend from it.
    pub fn with_descendants(&self, pid: u32) -> BTreeSet<u32> {
        let mut found = BTreeSet::from([pid]);
        loop {
            let more: Vec<u32> = self
                .0
                .iter()
                .filter(|(child, parent)| found.contains(parent) && !found.contains(child))
                .map(|(child, _)| *child)
                .collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }

    /// The children of `parent`.
    pub fn children(&self, parent: u32) -> impl Iterator<Item = u32> {
        self.0.iter().filter(move |(_, of)| *of == parent).map(|(child, _)| *child)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descendants() {
        let family = Family::of("pid ppid pgid\n1 0 1\n2 1 2\n9 7 3\n7 2 2\n8 1 8\n3 3 3\n");
        assert_eq!(family.with_descendants(2), BTreeSet::from([2, 7, 9]));
        assert_eq!(family.with_descendants(3), BTreeSet::from([3]));
        assert_eq!(family.with_descendants(42), BTreeSet::from([42]));
        assert_eq!(family.children(1).collect::<Vec<_>>(), [2, 8]);
    }
}
