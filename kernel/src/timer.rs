//! Timers: a queue a CPU, driven by its one-shot deadline interrupt.

use crate::sched;
use crate::thread::Thread;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use hal::SpinLock;
use hal::cpu::{self, CpuLocal};
use ochre_hal as hal;

/// Told when its time has come, in interrupt context: it may take spin locks, unpark and raise readiness.
pub trait TimerTarget: Send + Sync {
    /// `now`: ns since boot, not before the deadline.
    fn expired(&self, now: u64);
}

enum Action {
    Unpark(Arc<Thread>),
    Tell(Weak<dyn TimerTarget>),
}

/// An armed timer, for [`cancel`].
#[derive(Clone, Copy, Debug)]
pub struct TimerId {
    cpu: usize,
    key: (u64, u64),
}

struct Queue {
    /// By deadline, then by order of arming.
    timers: SpinLock<BTreeMap<(u64, u64), Action>>,
    /// What the hardware is set to; `u64::MAX`: nothing. Only its own CPU touches it.
    armed: AtomicU64,
}

impl Queue {
    const fn new() -> Self {
        Queue { timers: SpinLock::new(BTreeMap::new()), armed: AtomicU64::new(u64::MAX) }
    }
}

static QUEUES: CpuLocal<Queue> = CpuLocal::new([const { Queue::new() }; cpu::MAX_CPUS]);

/// Calls `target` once `deadline` (ns since boot) has passed.
pub fn arm(deadline: u64, target: Weak<dyn TimerTarget>) -> TimerId {
    insert(deadline, Action::Tell(target))
}

/// Unparks a thread once `deadline` has passed.
pub fn arm_unpark(deadline: u64, thread: Arc<Thread>) -> TimerId {
    insert(deadline, Action::Unpark(thread))
}

fn insert(deadline: u64, action: Action) -> TimerId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let key = (deadline, NEXT.fetch_add(1, Relaxed));
    QUEUES.get().timers.lock().insert(key, action);
    need_interrupt_at(deadline);
    TimerId { cpu: cpu::id(), key }
}

/// Takes a timer back; false if it has fired.
pub fn cancel(id: TimerId) -> bool {
    let removed = QUEUES.of(id.cpu).timers.lock().remove(&id.key);
    removed.is_some()
}

/// Makes this CPU take its deadline interrupt at `deadline` at the latest.
pub fn need_interrupt_at(deadline: u64) {
    let queue = QUEUES.get();
    if deadline < queue.armed.load(Relaxed) {
        queue.armed.store(deadline, Relaxed);
        hal::time::set_deadline(Some(deadline));
    }
}

/// The deadline interrupt: fires what is due and sets the next one.
pub fn interrupt() {
    let queue = QUEUES.get();
    queue.armed.store(u64::MAX, Relaxed);
    let now = hal::time::now();
    loop {
        let mut timers = queue.timers.lock();
        let due = match timers.first_key_value() {
            Some((key, _)) if key.0 <= now => *key,
            Some((key, _)) => {
                let next = key.0;
                drop(timers);
                need_interrupt_at(next);
                break;
            }
            None => break,
        };
        let action = timers.remove(&due);
        drop(timers);
        match action {
            Some(Action::Unpark(thread)) => sched::unpark(&thread),
            Some(Action::Tell(target)) => {
                if let Some(target) = target.upgrade() {
                    target.expired(now);
                }
            }
            None => {}
        }
    }
    sched::tick(now);
}
