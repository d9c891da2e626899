//! Page faults, mappings and locks.

use std::io;
use std::time::Instant;

use super::files::Scratch;
use super::{Group, Row};
use crate::measure::{Figure, each, rounds};
use crate::sys::{self, Mapping};

pub const ROWS: &[Row] = &[
    Row {
        group: Group::Os,
        name: "page_fault_anonymous",
        what: "first write to a page of new memory",
        measure: anonymous,
    },
    Row {
        group: Group::Os,
        name: "page_fault_file",
        what: "first read of a page of a mapped, cached file",
        measure: file,
    },
    Row { group: Group::Os, name: "mmap_munmap", what: "mapping 64 KiB, touching a page, unmapping", measure: map },
    Row { group: Group::Os, name: "mutex_uncontended", what: "pthread_mutex_lock() and unlock()", measure: mutex },
];

const PAGE: usize = 4096;
/// Less than a huge page, so that Linux takes a fault a page.
const SIZE: usize = 1 << 20;

/// Time to touch pages of fresh mappings; mapping and unmapping do not count.
fn faults(map: impl Fn() -> io::Result<Mapping>, touch: impl Fn(&mut Mapping, usize)) -> io::Result<Figure> {
    rounds(|count| {
        let (mut left, mut took) = (count as usize, std::time::Duration::ZERO);
        while left > 0 {
            let mut mapping = map()?;
            let pages = left.min(SIZE / PAGE);
            let start = Instant::now();
            for page in 0..pages {
                touch(&mut mapping, page * PAGE);
            }
            took += start.elapsed();
            left -= pages;
        }
        Ok(took)
    })
}

fn anonymous(_: usize) -> io::Result<Figure> {
    faults(|| Mapping::anonymous(SIZE), |mapping, offset| mapping.write(offset))
}

fn file(_: usize) -> io::Result<Figure> {
    let file = Scratch::new(SIZE)?.open()?;
    faults(|| Mapping::file(&file, SIZE), |mapping, offset| mapping.read(offset))
}

fn map(_: usize) -> io::Result<Figure> {
    each(|| {
        let mut mapping = Mapping::anonymous(16 * PAGE)?;
        mapping.write(0);
        Ok(())
    })
}

fn mutex(_: usize) -> io::Result<Figure> {
    let mutex = sys::PthreadMutex::new();
    each(|| mutex.lock_unlock())
}
