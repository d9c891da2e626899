//! Threads and thread-local storage.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use crate::check::{Check, Outcome, ensure, equal, join, panic_text};

pub const CHECKS: &[Check] = &[
    Check { name: "threads.spawn-join", run: spawn_join },
    Check { name: "threads.local-destructors", run: local_destructors },
    Check { name: "threads.local-values", run: local_values },
    Check { name: "threads.names", run: names },
    Check { name: "threads.stack-size", run: stack_size },
    Check { name: "threads.panic", run: panic },
    Check { name: "threads.scoped", run: scoped },
    Check { name: "threads.park", run: park },
    Check { name: "threads.atomics", run: atomics },
    Check { name: "threads.churn", run: churn },
    Check { name: "threads.detached", run: detached },
    Check { name: "threads.floating-point", run: floating_point },
    Check { name: "threads.parallelism", run: parallelism },
];

/// How many threads live at once.
const MANY: usize = 64;

fn spawn_join() -> Outcome {
    let handles: Vec<_> = (0..MANY).map(|n| thread::spawn(move || n * n)).collect();
    for (n, handle) in handles.into_iter().enumerate() {
        equal!(join(handle)?, n * n);
    }
    Ok(())
}

static DROPPED: AtomicUsize = AtomicUsize::new(0);
static DROPPED_LATE: AtomicUsize = AtomicUsize::new(0);

struct Counted(Cell<usize>);

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.fetch_add(self.0.get(), Ordering::Relaxed);
        // A destructor may use thread-local storage that does not exist yet: it is made, and destroyed in its turn.
        LATE.with(|late| late.0.set(1));
    }
}

struct Late(Cell<usize>);

impl Drop for Late {
    fn drop(&mut self) {
        DROPPED_LATE.fetch_add(self.0.get(), Ordering::Relaxed);
    }
}

thread_local! {
    static COUNTED: Counted = const { Counted(Cell::new(0)) };
    static LATE: Late = const { Late(Cell::new(0)) };
    static HEAP: RefCell<Vec<usize>> = RefCell::new(vec![17; 100]);
    static PLAIN: Cell<u64> = const { Cell::new(0x1234_5678_9abc_def0) };
}

fn local_destructors() -> Outcome {
    let (before, late) = (DROPPED.load(Ordering::Relaxed), DROPPED_LATE.load(Ordering::Relaxed));
    let barrier = Arc::new(Barrier::new(MANY));
    let mut handles = Vec::new();
    for n in 0..MANY {
        let barrier = Arc::clone(&barrier);
        handles.push(thread::Builder::new().spawn(move || {
            COUNTED.with(|counted| counted.0.set(n + 1));
            barrier.wait();
        })?);
    }
    for handle in handles {
        join(handle)?;
    }
    equal!(DROPPED.load(Ordering::Relaxed) - before, MANY * (MANY + 1) / 2);
    equal!(DROPPED_LATE.load(Ordering::Relaxed) - late, MANY);
    Ok(())
}

fn local_values() -> Outcome {
    let barrier = Arc::new(Barrier::new(MANY));
    let mut handles = Vec::new();
    for n in 0..MANY {
        let barrier = Arc::clone(&barrier);
        handles.push(thread::spawn(move || {
            let fresh = PLAIN.get() == 0x1234_5678_9abc_def0 && HEAP.with_borrow(|heap| *heap == [17; 100]);
            PLAIN.set(n as u64);
            HEAP.with_borrow_mut(|heap| heap.resize(100 + n, n));
            barrier.wait();
            let kept = HEAP.with_borrow(|heap| heap.len() == 100 + n && heap[100..].iter().all(|&value| value == n));
            (fresh, kept && PLAIN.get() == n as u64)
        }));
    }
    for handle in handles {
        let (fresh, kept) = join(handle)?;
        ensure!(fresh, "a new thread does not see the initial value");
        ensure!(kept, "a thread's value changed");
    }
    Ok(())
}

fn names() -> Outcome {
    let name = "a rather long thread name";
    let handle = thread::Builder::new().name(name.into()).spawn(|| thread::current().name().map(str::to_owned))?;
    equal!(handle.thread().name(), Some(name));
    equal!(join(handle)?.as_deref(), Some(name));
    let unnamed = thread::spawn(|| (thread::current().name().map(str::to_owned), thread::current().id()));
    let id = unnamed.thread().id();
    equal!(join(unnamed)?, (None, id));
    ensure!(id != thread::current().id());
    Ok(())
}

#[inline(never)]
fn descend(bytes_left: usize) -> u64 {
    let frame = black_box([1u8; 1024]);
    let below = if bytes_left > 1024 { descend(bytes_left - 1024) } else { 0 };
    below + u64::from(black_box(&frame)[1023])
}

fn stack_size() -> Outcome {
    // Frames are larger than their array, hence the room.
    for (stack, used) in [(64 << 10, 16 << 10), (2 << 20, 1 << 20), (32 << 20, 16 << 20)] {
        let handle = thread::Builder::new().stack_size(stack).spawn(move || descend(used))?;
        equal!(join(handle)?, used as u64 / 1024);
    }
    Ok(())
}

fn panic() -> Outcome {
    let handle = thread::spawn(|| panic!("expected: a thread's panic, number {}", black_box(5)));
    match handle.join() {
        Ok(()) => return Err(crate::check::Failure::new("the panic was lost")),
        Err(payload) => equal!(panic_text(&*payload), "expected: a thread's panic, number 5"),
    }
    let panics = (0..8).map(|_| thread::spawn(|| panic!("expected: one of many"))).collect::<Vec<_>>();
    equal!(panics.into_iter().filter_map(|handle| handle.join().err()).count(), 8);
    Ok(())
}

fn scoped() -> Outcome {
    let mut numbers: Vec<usize> = (0..1000).collect();
    let sum: usize = thread::scope(|scope| {
        let parts: Vec<_> = numbers
            .chunks_mut(100)
            .map(|part| {
                scope.spawn(move || {
                    for number in part.iter_mut() {
                        *number *= 2;
                    }
                    part.iter().sum::<usize>()
                })
            })
            .collect();
        parts.into_iter().map(|part| part.join().unwrap_or(0)).sum()
    });
    equal!(sum, 999_000);
    ensure!(numbers.iter().enumerate().all(|(n, &number)| number == 2 * n));
    Ok(())
}

fn park() -> Outcome {
    // The token is kept for a later park.
    thread::current().unpark();
    thread::park();
    // A time-out lasts at least its time; parks may end early without reason, hence the loop.
    let (start, wanted) = (Instant::now(), Duration::from_millis(50));
    while start.elapsed() < wanted {
        thread::park_timeout(wanted.saturating_sub(start.elapsed()));
    }
    // Another thread ends it.
    let flag = Arc::new(AtomicBool::new(false));
    let parked = thread::spawn({
        let flag = Arc::clone(&flag);
        move || {
            while !flag.load(Ordering::Acquire) {
                thread::park();
            }
        }
    });
    thread::sleep(Duration::from_millis(20));
    flag.store(true, Ordering::Release);
    parked.thread().unpark();
    join(parked)
}

fn atomics() -> Outcome {
    const ROUNDS: usize = 20_000;
    let added = AtomicUsize::new(0);
    let exchanged = AtomicUsize::new(0);
    let most = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..8 {
            let (added, exchanged, most) = (&added, &exchanged, &most);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    added.fetch_add(1, Ordering::Relaxed);
                    most.fetch_max(thread * ROUNDS + round, Ordering::Relaxed);
                    let mut seen = exchanged.load(Ordering::Relaxed);
                    while let Err(now) =
                        exchanged.compare_exchange_weak(seen, seen + 2, Ordering::AcqRel, Ordering::Relaxed)
                    {
                        seen = now;
                    }
                }
            });
        }
    });
    equal!(added.into_inner(), 8 * ROUNDS);
    equal!(exchanged.into_inner(), 16 * ROUNDS);
    equal!(most.into_inner(), 8 * ROUNDS - 1);
    Ok(())
}

fn churn() -> Outcome {
    // One after the other: stacks and thread control blocks must be given back.
    for n in 0..1000u32 {
        equal!(join(thread::Builder::new().spawn(move || n + 1)?)?, n + 1);
    }
    Ok(())
}

fn detached() -> Outcome {
    let done = Arc::new(AtomicUsize::new(0));
    for _ in 0..MANY {
        let done = Arc::clone(&done);
        drop(thread::Builder::new().spawn(move || done.fetch_add(1, Ordering::Release))?);
    }
    let start = Instant::now();
    while done.load(Ordering::Acquire) < MANY {
        ensure!(start.elapsed() < Duration::from_secs(60), "detached threads did not run");
        thread::yield_now();
    }
    Ok(())
}

/// A sum whose rounding shows a lost vector or x87 register.
fn series(seed: u32) -> f64 {
    let mut values = [0.0f64; 16];
    for (n, value) in values.iter_mut().enumerate() {
        *value = f64::from(seed) + n as f64 / 7.0;
    }
    for round in 1..20_000 {
        for value in &mut values {
            *value = (*value * 1.000_1 + 1.0 / f64::from(round)).sqrt() + f64::from(seed);
        }
    }
    values.iter().sum()
}

fn floating_point() -> Outcome {
    // More threads than CPUs, so that they are switched in the middle of it.
    let handles: Vec<_> = (0..16).map(|seed| thread::spawn(move || series(black_box(seed)))).collect();
    for (seed, handle) in handles.into_iter().enumerate() {
        equal!(join(handle)?.to_bits(), series(black_box(seed as u32)).to_bits());
    }
    Ok(())
}

fn parallelism() -> Outcome {
    ensure!(thread::available_parallelism()?.get() >= 1);
    Ok(())
}
