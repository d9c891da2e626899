//! All rows, by subject.

mod disk;
mod files;
mod ipc;
mod memory;
mod poll;
mod process;
mod signals;

use std::io;

use crate::measure::Figure;

/// Which table a row belongs to.
#[derive(Clone, Copy, PartialEq)]
pub enum Group {
    /// What processes and threads say to each other.
    Ipc,
    /// Everything else.
    Os,
    /// A file system on a disk.
    Fs,
}

impl Group {
    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ipc => "ipc",
            Self::Os => "os",
            Self::Fs => "fs",
        }
    }
}

/// One measurement.
pub struct Row {
    /// Its table.
    pub group: Group,
    /// Unique; words joined by underscores.
    pub name: &'static str,
    /// What an operation is, for `bench list`.
    pub what: &'static str,
    /// Measures it; the argument is how many CPUs there are. An error means that this system cannot.
    pub measure: fn(usize) -> io::Result<Figure>,
}

/// Every row, in the order of the tables.
pub fn all() -> impl Iterator<Item = &'static Row> {
    [ipc::ROWS, files::ROWS, poll::ROWS, memory::ROWS, signals::ROWS, process::ROWS, disk::ROWS].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_words() {
        let mut names: Vec<_> = all().map(|row| row.name).collect();
        assert!(names.iter().all(|name| !name.contains(char::is_whitespace)));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
