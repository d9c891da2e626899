//! One at a time for what goes through all pages and mappings of an object: truncation, eviction, taking the dirty pages.

use crate::wait::WaitQueue;
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};
use ochre_abi::Result;

/// A lock that threads sleep for, unlike a spin lock: its holder lets interrupts in.
pub(super) struct Maintenance {
    busy: AtomicBool,
    queue: WaitQueue,
}

/// Holding it.
pub(super) struct Guard<'a>(&'a Maintenance);

impl Maintenance {
    pub(super) const fn new() -> Self {
        Maintenance { busy: AtomicBool::new(false), queue: WaitQueue::new() }
    }

    /// Waits for it; EINTR.
    pub(super) fn enter(&self) -> Result<Guard<'_>> {
        self.queue.wait_until(None, || self.busy.compare_exchange(false, true, SeqCst, SeqCst).is_ok().then_some(()))?;
        Ok(Guard(self))
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.busy.store(false, SeqCst);
        self.0.queue.wake_one();
    }
}
