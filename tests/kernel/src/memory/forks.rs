//! fork(2): copies on write, sharing, many at once, amid threads.

use crate::sys::mapping::Mapping;
use crate::sys::process::{end_of, fork};
use crate::{Check, PAGE, Result, holds, same};
use ochre_rt::abi::memory::{MREMAP_MAYMOVE, PROT_READ};
use ochre_rt::{OwnedFd, syscall};
use std::sync::atomic::Ordering::SeqCst;

/// All checks of this subject.
pub const CHECKS: &[Check] = &[
    ("forks.copy-on-write", copy_on_write),
    ("forks.many-at-once", many_at_once),
    ("forks.amid-threads", amid_threads),
];

fn copy_on_write() -> Result {
    let file = OwnedFd::new(syscall::object_create(PAGE as u64, 0)?);
    let (own, shared) = (Mapping::anonymous(2 * PAGE)?, Mapping::shared(file.get(), PAGE)?);
    let private = Mapping::private(file.get(), PAGE)?;
    own.set(0, 55);
    shared.set(10, 3);
    private.set(10, 2);
    let child = fork(|| {
        if (own.get(0), shared.get(10), private.get(10)) != (55, 3, 2) {
            return 1;
        }
        own.set(0, 56);
        shared.set(11, 42);
        private.set(10, 9);
        7
    })?;
    same!(end_of(child)?, (1, 7));
    same!((own.get(0), shared.get(11), private.get(10)), (55, 42, 2));
    own.set(0, 57);
    same!(own.get(0), 57);
    Ok(())
}

/// Maps, forks, grows and unmaps; 0 if every page always held what this process wrote.
fn churn(mark: u8) -> u64 {
    for round in 0..500 {
        let len = (1 + round % 40) * PAGE;
        let Ok(mut memory) = Mapping::anonymous(len) else { return 2 };
        (0..len).step_by(PAGE).for_each(|at| memory.set(at, mark));
        let intact = |memory: &Mapping| (0..len).step_by(PAGE).all(|at| memory.get(at) == mark);
        if round % 16 == 0 {
            let child = fork(|| {
                let well = intact(&memory);
                memory.set(0, 99);
                if well { 5 } else { 9 }
            });
            if child.and_then(end_of) != Ok((1, 5)) {
                return 3;
            }
        }
        if memory.resize(len, 2 * len, MREMAP_MAYMOVE).is_err() || !intact(&memory) {
            return 4;
        }
    }
    0
}

fn many_at_once() -> Result {
    let mut children = Vec::new();
    for mark in 1..=4 {
        children.push(fork(|| churn(mark))?);
    }
    let ends: Vec<_> = children.into_iter().map(end_of).collect();
    holds!(ends.iter().all(|end| *end == Ok((1, 0))));
    Ok(())
}

/// Threads write, map, protect and unmap while the process is forked: they lose no write, and see none of a child's.
fn amid_threads() -> Result {
    const ROUNDS: u32 = 100;
    const PAGES: usize = 64;
    let shared = Mapping::anonymous(PAGES * PAGE)?;
    let work = |thread: usize| -> ochre_rt::Result<bool> {
        let mut well = true;
        for _ in 0..ROUNDS {
            for page in 0..PAGES {
                shared.word(page * PAGE + thread * 4).fetch_add(1, SeqCst);
            }
            let own = Mapping::anonymous(8 * PAGE)?;
            (0..8).for_each(|page| own.set(page * PAGE, thread as u8 + 1));
            well &= (0..8).all(|page| own.get(page * PAGE) == thread as u8 + 1);
            own.protect(0, 4 * PAGE, PROT_READ)?;
        }
        Ok(well)
    };
    let results = std::thread::scope(|scope| -> Result<Vec<_>> {
        let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || work(thread))).collect();
        for _ in 0..25 {
            let child = fork(|| {
                (0..PAGES).for_each(|page| shared.set(page * PAGE + 64, 200));
                5
            })?;
            same!(end_of(child)?, (1, 5));
        }
        Ok(threads.into_iter().map(|thread| thread.join()).collect())
    })?;
    holds!(results.iter().all(|result| matches!(result, Ok(Ok(true)))));
    for page in 0..PAGES {
        same!((0..4).map(|thread| shared.word(page * PAGE + thread * 4).load(SeqCst)).collect::<Vec<_>>(), [ROUNDS; 4]);
        same!(shared.get(page * PAGE + 64), 0);
    }
    Ok(())
}
