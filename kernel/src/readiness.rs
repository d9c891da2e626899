//! Readiness: which operations on an object would not block, and who wants to know.
//!
//! Poll, select and epoll are answered from here without asking whoever serves the object.

use alloc::sync::Weak;
use alloc::vec::Vec;
use core::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use hal::SpinLock;
use ochre_hal as hal;

/// Told when bits are raised. Called with the readiness' lock held and from interrupts: it may take its own
/// lock, unpark threads and raise its own readiness, nothing else.
pub trait Watcher: Send + Sync {
    /// `bits` (EPOLL*) were raised, maybe not for the first time.
    fn notify(&self, bits: u32);
}

/// Names a subscription of [`Readiness::watch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchId(u64);

/// The EPOLL* bits of one object, and its watchers.
pub struct Readiness {
    bits: AtomicU32,
    watchers: SpinLock<Vec<(WatchId, Weak<dyn Watcher>)>>,
}

impl Readiness {
    /// Starts with these bits.
    pub const fn new(bits: u32) -> Self {
        Readiness { bits: AtomicU32::new(bits), watchers: SpinLock::new(Vec::new()) }
    }

    /// The bits now.
    pub fn get(&self) -> u32 {
        self.bits.load(SeqCst)
    }

    /// Sets bits and tells the watchers, also if they were set before: an edge-triggered epoll entry fires for each arrival.
    pub fn raise(&self, bits: u32) {
        self.bits.fetch_or(bits, SeqCst);
        let watchers = self.watchers.lock();
        for (_, watcher) in watchers.iter() {
            if let Some(watcher) = watcher.upgrade() {
                watcher.notify(bits);
            }
        }
    }

    /// Takes bits back.
    pub fn clear(&self, bits: u32) {
        self.bits.fetch_and(!bits, SeqCst);
    }

    /// Subscribes. Look at [`Readiness::get`] afterwards: what was raised before is not told again.
    pub fn watch(&self, watcher: Weak<dyn Watcher>) -> WatchId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = WatchId(NEXT.fetch_add(1, Relaxed));
        self.watchers.lock().push((id, watcher));
        id
    }

    /// Ends a subscription.
    pub fn unwatch(&self, id: WatchId) {
        let mut watchers = self.watchers.lock();
        if let Some(index) = watchers.iter().position(|(i, _)| *i == id) {
            let gone = watchers.swap_remove(index);
            // The last reference to a watcher must not drop under the lock.
            drop(watchers);
            drop(gone);
        }
    }
}
