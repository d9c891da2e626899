//! futex(2), private, shared and robust.

use super::{UNMAPPED, sleep_ms};
use crate::sys::futex::wake_op;
use crate::sys::mapping::Mapping;
use crate::sys::process::{end_of, fork, robust_list};
use crate::{Check, PAGE, Result, same};
use ochre_rt::abi::event::{FUTEX_OWNER_DIED, FUTEX_SHARED, FUTEX_WAITERS};
use ochre_rt::abi::syscall::FOREVER;
use ochre_rt::{Errno, OwnedFd, syscall, time};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// All checks of this subject.
pub const CHECKS: &[Check] = &[
    ("futexes.refused", refused),
    ("futexes.requeue", requeue),
    ("futexes.shared", shared),
    ("futexes.ping-pong", ping_pong),
    ("futexes.robust", robust),
];

const ALL: u32 = u32::MAX;

fn refused() -> Result {
    let word = AtomicU32::new(0);
    same!(syscall::futex_wait(word.as_ptr(), 1, ALL, FOREVER, 0), Err(Errno::EAGAIN));
    same!(syscall::futex_wait(word.as_ptr(), 0, ALL, time::monotonic() + 5_000_000, 0), Err(Errno::ETIMEDOUT));
    same!(syscall::futex_wait(core::ptr::without_provenance(UNMAPPED), 0, 1, 0, 0), Err(Errno::EFAULT));
    same!(syscall::futex_wait(word.as_ptr().wrapping_byte_add(1), 0, 1, 0, 0), Err(Errno::EINVAL));
    Ok(())
}

fn requeue() -> Result {
    let (one, two) = (AtomicU32::new(0), AtomicU32::new(0));
    let (results, waits) = std::thread::scope(|scope| -> Result<_> {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| syscall::futex_wait(one.as_ptr(), 0, ALL, time::monotonic() + 5_000_000_000, 0)))
            .collect();
        sleep_ms(50)?;
        let results = [
            syscall::futex_wake(one.as_ptr(), 2, ALL, 0),
            syscall::futex_requeue(one.as_ptr(), 1, 3, two.as_ptr(), 0, 0),
            syscall::futex_requeue(one.as_ptr(), 1, 3, two.as_ptr(), 5, 0),
            syscall::futex_wake(one.as_ptr(), 100, ALL, 0),
            syscall::futex_wake(two.as_ptr(), 1, ALL, 0),
            // two += 7; woken if it was 0 before.
            wake_op(&one, 1, 100, &two, 1 << 28 | 7 << 12),
        ];
        Ok((results, threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()))
    })?;
    same!(results, [Ok(2), Ok(4), Err(Errno::EAGAIN), Ok(2), Ok(1), Ok(2)]);
    same!(waits.iter().filter(|wait| matches!(wait, Ok(Ok(())))).count(), 8);
    same!(two.load(SeqCst), 7);
    Ok(())
}

/// One object mapped twice: the same futex.
fn shared() -> Result {
    let file = OwnedFd::new(syscall::object_create(PAGE as u64, 0)?);
    let (one, two) = (Mapping::shared(file.get(), PAGE)?, Mapping::shared(file.get(), PAGE)?);
    let woken = std::thread::scope(|scope| -> Result<_> {
        let thread = scope.spawn(|| {
            syscall::futex_wait(one.word(0).as_ptr(), 0, ALL, time::monotonic() + 5_000_000_000, FUTEX_SHARED)
        });
        sleep_ms(20)?;
        let woken = syscall::futex_wake(two.word(0).as_ptr(), 1, ALL, FUTEX_SHARED);
        thread.join().map_err(|_| "the waiter panicked")??;
        Ok(woken)
    })?;
    same!(woken, Ok(1));
    Ok(())
}

/// Waits for the word to become `value`.
fn await_value(word: &AtomicU32, value: u32) {
    loop {
        let now = word.load(SeqCst);
        if now == value {
            return;
        }
        // Woken, changed or interrupted: the word tells.
        let _ = syscall::futex_wait(word.as_ptr(), now, ALL, FOREVER, 0);
    }
}

fn ping_pong() -> Result {
    let word = AtomicU32::new(0);
    let turn = |mine: u32, next: u32| {
        await_value(&word, mine);
        word.store(next, SeqCst);
        syscall::futex_wake(word.as_ptr(), 1, ALL, 0)
    };
    std::thread::scope(|scope| {
        scope.spawn(|| (0..1000).try_for_each(|i| turn(2 * i + 1, 2 * i + 2).map(|_| ())));
        (0..1000).try_for_each(|i| turn(2 * i, 2 * i + 1).map(|_| ()))
    })?;
    await_value(&word, 2000);
    Ok(())
}

/// A process ends with a lock held: the word says so, and its waiters are woken.
fn robust() -> Result {
    const WORD: usize = 64;
    let file = OwnedFd::new(syscall::object_create(PAGE as u64, 0)?);
    let list = Mapping::shared(file.get(), PAGE)?;
    let child = fork(|| {
        if robust_list(&list, WORD).is_err() {
            return 1;
        }
        list.word(WORD).store(syscall::gettid() as u32 | FUTEX_WAITERS, SeqCst);
        u64::from(sleep_ms(30).is_err())
    })?;
    while list.word(WORD).load(SeqCst) == 0 {
        syscall::yield_now();
    }
    let held = list.word(WORD).load(SeqCst);
    let waited =
        syscall::futex_wait(list.word(WORD).as_ptr(), held, ALL, time::monotonic() + 5_000_000_000, FUTEX_SHARED);
    same!(end_of(child)?, (1, 0));
    same!(waited, Ok(()));
    same!(list.word(WORD).load(SeqCst), FUTEX_WAITERS | FUTEX_OWNER_DIED);
    Ok(())
}
