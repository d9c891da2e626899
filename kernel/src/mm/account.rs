//! What a process has brought into memory for itself: the count that RLIMIT_RESIDENT bounds.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use ochre_hal as hal;

/// Pages that any process may have, as far as there are any: 1 MiB.
const SMALL: usize = 256;

/// Pages of one address space: private ones, and those of the memory objects it created.
///
/// A page that fork shares counts in both spaces; pages of files and of other processes' objects do not count.
#[derive(Debug)]
pub struct Account {
    private: AtomicUsize,
    objects: AtomicUsize,
    /// In pages.
    limit: AtomicUsize,
}

/// What a page is charged as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A private page of the address space.
    Private,
    /// A page of a memory object.
    Object,
}

impl Account {
    /// Nothing used, no limit.
    pub fn new() -> Self {
        Account { private: AtomicUsize::new(0), objects: AtomicUsize::new(0), limit: AtomicUsize::new(usize::MAX) }
    }

    /// Sets the limit, in bytes (RLIM_INFINITY: none).
    pub fn set_limit(&self, bytes: u64) {
        self.limit.store(usize::try_from(bytes / super::PAGE).unwrap_or(usize::MAX), Relaxed);
    }

    /// Takes over limit and private pages for a forked space.
    pub fn inherit(&self, parent: &Account) {
        self.limit.store(parent.limit.load(Relaxed), Relaxed);
        self.private.store(parent.private.load(Relaxed), Relaxed);
    }

    /// Charges one page; false if that is beyond the limit, or if it is time for this process to stop ([`Account::crowds`]).
    #[inline]
    pub fn charge(&self, kind: Kind) -> bool {
        let used = self.used();
        if used >= self.limit.load(Relaxed) || used.is_multiple_of(16) && self.crowds(0) {
            return false;
        }
        self.counter(kind).fetch_add(1, Relaxed);
        true
    }

    /// Memory (what could be reclaimed is free) is nearly used up (a sixteenth would be left after `more` pages, of which another sixteenth counts), and this process
    /// has more than a sixteenth: what is left is for the others.
    pub fn crowds(&self, more: usize) -> bool {
        let used = self.used();
        // Cheap for the many that are small.
        used > SMALL && {
            let memory = hal::mem::stats();
            let share = memory.total_frames / 16;
            let free = memory.free_frames + super::reclaim::reclaimable();
            used > share && free < hal::mem::reserve_frames() + share + more.min(share)
        }
    }

    /// Gives pages back. Never goes below zero: a count may be off by the few pages that were shared read-only at a fork.
    #[inline]
    pub fn release(&self, kind: Kind, pages: usize) {
        if pages > 0 {
            let _ = self.counter(kind).fetch_update(Relaxed, Relaxed, |used| Some(used.saturating_sub(pages)));
        }
    }

    /// All private pages are gone.
    pub fn clear_private(&self) {
        self.private.store(0, Relaxed);
    }

    /// Pages charged.
    pub fn used(&self) -> usize {
        self.private.load(Relaxed).saturating_add(self.objects.load(Relaxed))
    }

    fn counter(&self, kind: Kind) -> &AtomicUsize {
        match kind {
            Kind::Private => &self.private,
            Kind::Object => &self.objects,
        }
    }
}

impl Default for Account {
    fn default() -> Self {
        Self::new()
    }
}
