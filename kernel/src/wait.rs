//! Waiting for a condition.

use crate::sched::{self, Wake};
use crate::thread::{self, Thread};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use hal::SpinLock;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// Threads that wait until something holds. The condition itself is the owner's; whoever makes it true wakes the queue afterwards.
///
/// No wake-up is lost: a thread enters the queue before it looks at the condition, and parking returns at once if it was
/// unparked in between.
pub struct WaitQueue {
    waiters: SpinLock<VecDeque<Arc<Thread>>>,
}

impl WaitQueue {
    /// An empty queue.
    pub const fn new() -> Self {
        WaitQueue { waiters: SpinLock::new(VecDeque::new()) }
    }

    /// Waits until `ready` gives a value; it is asked first, and after each wake-up.
    ///
    /// EINTR: a signal is deliverable or the thread is to end. ETIMEDOUT: `deadline` (ns since boot) has passed.
    pub fn wait_until<T>(&self, deadline: Option<u64>, ready: impl FnMut() -> Option<T>) -> Result<T> {
        self.wait(deadline, true, ready)
    }

    /// The same, but signals do not end it: EINTR only if the thread is to end.
    pub fn wait_killable<T>(&self, deadline: u64, ready: impl FnMut() -> Option<T>) -> Result<T> {
        self.wait(Some(deadline), false, ready)
    }

    fn wait<T>(&self, deadline: Option<u64>, interruptible: bool, mut ready: impl FnMut() -> Option<T>) -> Result<T> {
        if let Some(value) = ready() {
            return Ok(value);
        }
        let me = thread::current();
        loop {
            self.waiters.lock().push_back(me.clone());
            if let Some(value) = ready() {
                self.leave(&me);
                return Ok(value);
            }
            let wake = sched::park(&me, deadline, interruptible);
            let was_woken = !self.leave(&me);
            if let Some(value) = ready() {
                return Ok(value);
            }
            let error = match wake {
                Wake::Unparked => continue,
                Wake::TimedOut => Errno::ETIMEDOUT,
                Wake::Interrupted | Wake::Killed => Errno::EINTR,
            };
            if was_woken {
                // A wake_one meant for whoever waits went to this thread, which gives up: pass it on.
                self.wake_one();
            }
            return Err(error);
        }
    }

    /// Waits once, unless `done` holds already: for a stopped thread, which only a kill or its continuation wakes. May return early.
    pub(crate) fn wait_stopped(&self, me: &Arc<Thread>, done: impl Fn() -> bool) {
        self.waiters.lock().push_back(me.clone());
        if !done() {
            sched::park(me, None, false);
        }
        self.leave(me);
    }

    /// Wakes the thread that has waited longest; false if none waits.
    pub fn wake_one(&self) -> bool {
        let first = self.waiters.lock().pop_front();
        match first {
            Some(thread) => {
                sched::unpark(&thread);
                true
            }
            None => false,
        }
    }

    /// Wakes all.
    pub fn wake_all(&self) {
        let mut waiters = self.waiters.lock();
        if waiters.is_empty() {
            return;
        }
        let all = core::mem::take(&mut *waiters);
        drop(waiters);
        for thread in &all {
            sched::unpark(thread);
        }
    }

    /// Takes the thread out; false if it was not in (somebody woke it).
    fn leave(&self, me: &Arc<Thread>) -> bool {
        let mut waiters = self.waiters.lock();
        match waiters.iter().position(|t| Arc::ptr_eq(t, me)) {
            Some(index) => {
                waiters.remove(index);
                true
            }
            None => false,
        }
    }
}

impl Default for WaitQueue {
    fn default() -> Self {
        Self::new()
    }
}
