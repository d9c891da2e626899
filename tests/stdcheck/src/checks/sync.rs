//! Locks, channels and what else threads meet at.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Barrier, Condvar, LazyLock, Mutex, Once, OnceLock, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use crate::check::{Check, Outcome, ensure, equal, join};

pub const CHECKS: &[Check] = &[
    Check { name: "sync.mutex", run: mutex },
    Check { name: "sync.mutex-try-poison", run: mutex_try_poison },
    Check { name: "sync.condvar", run: condvar },
    Check { name: "sync.condvar-timeout", run: condvar_timeout },
    Check { name: "sync.rwlock", run: rwlock },
    Check { name: "sync.channel", run: channel },
    Check { name: "sync.channel-bounded", run: channel_bounded },
    Check { name: "sync.channel-timeout", run: channel_timeout },
    Check { name: "sync.barrier", run: barrier },
    Check { name: "sync.once", run: once },
];

fn mutex() -> Outcome {
    let sum = Mutex::new((0u64, 0u64));
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    if let Ok(mut sum) = sum.lock() {
                        sum.0 += 1;
                        sum.1 += 1;
                    }
                }
            });
        }
    });
    equal!(*sum.lock()?, (128_000, 128_000));
    Ok(())
}

fn mutex_try_poison() -> Outcome {
    let mutex = Arc::new(Mutex::new(1));
    {
        let _held = mutex.lock()?;
        ensure!(mutex.try_lock().is_err(), "a held mutex was locked");
    }
    ensure!(mutex.try_lock().is_ok());
    let held = Arc::clone(&mutex);
    let thread = thread::spawn(move || {
        let _guard = held.lock();
        panic!("expected: poison");
    });
    ensure!(thread.join().is_err());
    ensure!(mutex.is_poisoned());
    let value = *mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    equal!(value, 1);
    Ok(())
}

/// A bounded queue: several producers and consumers, two conditions.
fn condvar() -> Outcome {
    const ITEMS: usize = 2000;
    let queue = Mutex::new(VecDeque::new());
    let (filled, emptied) = (Condvar::new(), Condvar::new());
    let (count, sum) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for item in 0..ITEMS {
                    let Ok(guard) = queue.lock() else { return };
                    let Ok(mut guard) = emptied.wait_while(guard, |queue| queue.len() >= 8) else { return };
                    guard.push_back(item);
                    filled.notify_one();
                }
            });
            scope.spawn(|| {
                for _ in 0..ITEMS {
                    let Ok(guard) = queue.lock() else { return };
                    let Ok(mut guard) = filled.wait_while(guard, |queue| queue.is_empty()) else { return };
                    if let Some(item) = guard.pop_front() {
                        count.fetch_add(1, Ordering::Relaxed);
                        sum.fetch_add(item, Ordering::Relaxed);
                    }
                    emptied.notify_one();
                }
            });
        }
    });
    equal!(count.into_inner(), 4 * ITEMS);
    equal!(sum.into_inner(), 4 * ITEMS * (ITEMS - 1) / 2);
    Ok(())
}

fn condvar_timeout() -> Outcome {
    let (mutex, condition) = (Mutex::new(false), Condvar::new());
    let (start, wanted) = (Instant::now(), Duration::from_millis(60));
    let (guard, result) = condition.wait_timeout_while(mutex.lock()?, wanted, |ready| !*ready)?;
    ensure!(result.timed_out(), "it did not time out");
    ensure!(start.elapsed() >= wanted, "waited {:?} of {wanted:?}", start.elapsed());
    drop(guard);
    // In time, for all waiters.
    let woken = thread::scope(|scope| {
        let waiters: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let Ok(guard) = mutex.lock() else { return false };
                    condition
                        .wait_timeout_while(guard, Duration::from_secs(60), |ready| !*ready)
                        .is_ok_and(|(guard, result)| *guard && !result.timed_out())
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(20));
        if let Ok(mut ready) = mutex.lock() {
            *ready = true;
        }
        condition.notify_all();
        waiters.into_iter().filter_map(|waiter| waiter.join().ok()).filter(|&woken| woken).count()
    });
    equal!(woken, 16);
    Ok(())
}

fn rwlock() -> Outcome {
    let lock = RwLock::new((0usize, 0usize));
    let torn = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    if let Ok(mut pair) = lock.write() {
                        pair.0 += 1;
                        pair.1 += 1;
                    }
                }
            });
        }
        for _ in 0..12 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    if lock.read().is_ok_and(|pair| pair.0 != pair.1) {
                        torn.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    equal!(torn.into_inner(), 0);
    equal!(*lock.read()?, (4000, 4000));
    // Readers share, writers do not.
    let first = lock.read()?;
    ensure!(lock.try_read().is_ok());
    ensure!(lock.try_write().is_err());
    drop(first);
    ensure!(lock.try_write().is_ok());
    Ok(())
}

fn channel() -> Outcome {
    let (sender, receiver) = mpsc::channel();
    let mut threads = Vec::new();
    for thread in 0..16usize {
        let sender = sender.clone();
        threads.push(thread::spawn(move || (0..500).all(|n| sender.send((thread, n)).is_ok())));
    }
    drop(sender);
    let mut next = [0; 16];
    for (thread, n) in &receiver {
        equal!(n, next[thread]);
        next[thread] += 1;
    }
    equal!(next, [500; 16]);
    for thread in threads {
        ensure!(join(thread)?);
    }
    equal!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    Ok(())
}

fn channel_bounded() -> Outcome {
    for bound in [0, 1, 7] {
        let (sender, receiver) = mpsc::sync_channel(bound);
        let thread = thread::spawn(move || (0..1000).all(|n| sender.send(n).is_ok()));
        ensure!(receiver.iter().eq(0..1000), "bound {bound}");
        ensure!(join(thread)?);
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    sender.send(1)?;
    ensure!(sender.try_send(2).is_err());
    drop(receiver);
    ensure!(sender.send(3).is_err());
    Ok(())
}

fn channel_timeout() -> Outcome {
    let (sender, receiver) = mpsc::channel::<u8>();
    let (start, wanted) = (Instant::now(), Duration::from_millis(40));
    equal!(receiver.recv_timeout(wanted), Err(RecvTimeoutError::Timeout));
    ensure!(start.elapsed() >= wanted);
    sender.send(9)?;
    equal!(receiver.recv_timeout(wanted), Ok(9));
    drop(sender);
    equal!(receiver.recv_timeout(wanted), Err(RecvTimeoutError::Disconnected));
    Ok(())
}

fn barrier() -> Outcome {
    const THREADS: usize = 16;
    let barrier = Barrier::new(THREADS);
    let (arrived, leaders, early) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for round in 1..=50 {
                    arrived.fetch_add(1, Ordering::AcqRel);
                    if barrier.wait().is_leader() {
                        leaders.fetch_add(1, Ordering::Relaxed);
                    }
                    if arrived.load(Ordering::Acquire) < round * THREADS {
                        early.fetch_add(1, Ordering::Relaxed);
                    }
                    barrier.wait();
                }
            });
        }
    });
    equal!(early.into_inner(), 0);
    equal!(leaders.into_inner(), 50);
    Ok(())
}

static LAZY_RUNS: AtomicUsize = AtomicUsize::new(0);
static LAZY: LazyLock<Vec<usize>> = LazyLock::new(|| {
    LAZY_RUNS.fetch_add(1, Ordering::Relaxed);
    thread::sleep(Duration::from_millis(10));
    vec![5; 10]
});

fn once() -> Outcome {
    static ONCE: Once = Once::new();
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let cell = OnceLock::new();
    let start = Barrier::new(32);
    let right = thread::scope(|scope| {
        let threads: Vec<_> = (0..32)
            .map(|n| {
                let (cell, start) = (&cell, &start);
                scope.spawn(move || {
                    start.wait();
                    ONCE.call_once(|| {
                        thread::sleep(Duration::from_millis(5));
                        RUNS.fetch_add(1, Ordering::Relaxed);
                    });
                    let first = *cell.get_or_init(|| n);
                    (RUNS.load(Ordering::Relaxed) == 1 && *LAZY == [5; 10]).then_some(first)
                })
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().ok().flatten()).collect::<Vec<_>>()
    });
    equal!(right.len(), 32);
    ensure!(right.iter().all(|first| Some(first) == cell.get()));
    equal!(LAZY_RUNS.load(Ordering::Relaxed), 1);
    ensure!(ONCE.is_completed());
    Ok(())
}
