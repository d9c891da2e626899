//! Dirty pages: which they are, how many a pager has, and what happens when these are too many.
//!
//! A page of a paged object is clean, *dirty* (written since the pager took it), or *taken*: the pager has it from OBJECT_CLEAN and has not
//! said that it is stored. Only clean pages can be dropped. The pager hears of an object's first dirty page (OP_DIRTY), so it need not
//! poll; writers wait while its objects have more dirty pages than it wants (PAGER_LIMIT), but for its own process.

use super::object::{Kind, MemoryObject, Slot, State};
use crate::port::PortEnd;
use crate::thread::{self, Thread};
use crate::wait::WaitQueue;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};
use hal::mem::Frame;
use ochre_abi::call::{OP_DIRTY, Request};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// How often a writer that waits looks whether the pager is still there, in ns.
const PATIENCE: u64 = 100_000_000;
/// Dirty pages of all objects.
static TOTAL: AtomicUsize = AtomicUsize::new(0);

/// Dirty pages of all objects.
pub fn total() -> usize {
    TOTAL.load(Relaxed)
}

/// The pages of an object that are not stored, by index.
pub(super) struct Dirty {
    written: BTreeSet<u64>,
    taken: BTreeSet<u64>,
    /// Devices may write to them at any time: always dirty.
    pinned: BTreeSet<u64>,
    /// The pager knows that there are some.
    told: bool,
}

impl Dirty {
    pub(super) const fn new() -> Self {
        Dirty { written: BTreeSet::new(), taken: BTreeSet::new(), pinned: BTreeSet::new(), told: false }
    }

    /// How many are dirty.
    pub(super) fn len(&self) -> usize {
        self.written.len()
    }

    /// A device may write to it from now on.
    pub(super) fn pin(&mut self, index: u64) {
        self.pinned.insert(index);
    }

    /// The pager has taken it, and not said that it is stored.
    pub(super) fn is_taken(&self, index: u64) -> bool {
        !self.taken.is_empty() && self.taken.contains(&index)
    }

    /// The pager is new: what there is it does not know. Whether it has to be told.
    pub(super) fn retell(&mut self) -> bool {
        self.told = !self.written.is_empty();
        self.told
    }

    /// Forgets which pages of a range the pager has taken.
    pub(super) fn take_unstored(&mut self, range: Range<u64>) -> Vec<u64> {
        let taken: Vec<u64> = self.taken.range(range).copied().collect();
        for index in &taken {
            self.taken.remove(index);
        }
        taken
    }
}

/// The dirty pages of all objects of one pager; part of its port.
pub struct Paging {
    dirty: AtomicUsize,
    /// 0: a quarter of memory.
    limit: AtomicUsize,
    /// The process that serves the port: its own writes wait for nobody.
    server: AtomicU32,
    /// The pager was told that writers wait.
    told: AtomicBool,
    writers: WaitQueue,
}

impl Paging {
    /// None yet.
    pub const fn new() -> Self {
        Paging {
            dirty: AtomicUsize::new(0),
            limit: AtomicUsize::new(0),
            server: AtomicU32::new(0),
            told: AtomicBool::new(false),
            writers: WaitQueue::new(),
        }
    }

    /// This process serves the port from now on, and has been told nothing.
    pub fn set_server(&self, pid: u32) {
        self.server.store(pid, Relaxed);
        self.told.store(false, Relaxed);
    }

    /// PAGER_LIMIT.
    pub fn set_limit(&self, pages: usize) {
        self.limit.store(pages, Relaxed);
        self.told.store(false, Relaxed);
        self.writers.wake_all();
    }

    pub(super) fn add(&self, pages: usize) {
        self.dirty.fetch_add(pages, Relaxed);
        TOTAL.fetch_add(pages, Relaxed);
    }

    /// Pages are dirty no longer.
    pub(super) fn sub(&self, pages: usize) {
        if pages == 0 {
            return;
        }
        self.dirty.fetch_sub(pages, Relaxed);
        TOTAL.fetch_sub(pages, Relaxed);
        if !self.is_full() {
            self.told.store(false, Relaxed);
            self.writers.wake_all();
        }
    }

    /// As many as there may be.
    #[inline]
    fn is_full(&self) -> bool {
        let dirty = self.dirty.load(Relaxed);
        match self.limit.load(Relaxed) {
            0 => dirty >= hal::mem::total_frames() / 4,
            limit => dirty >= limit,
        }
    }
}

impl Default for Paging {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryObject {
    /// A present page, marked by the caller, is dirty from now on.
    pub(super) fn note_dirty(&self, state: &mut State, index: u64) {
        if !state.dirty.written.insert(index) {
            return;
        }
        if let Some(pager) = &state.pager {
            pager.port.paging.add(1);
            if !state.dirty.told {
                state.dirty.told = true;
                self.tell.store(true, Relaxed);
            }
        }
    }

    /// A page left the object.
    pub(super) fn forget_dirty(&self, state: &mut State, index: u64) {
        state.dirty.taken.remove(&index);
        if state.dirty.written.remove(&index)
            && let Some(pager) = &state.pager
        {
            pager.port.paging.sub(1);
        }
    }

    /// Sends the pager what [`MemoryObject::note_dirty`] has for it. Call without locks.
    #[inline]
    pub(super) fn tell_pager(&self) {
        if self.tell.load(Relaxed) && self.tell.swap(false, Relaxed) {
            self.send_dirty(0);
        }
    }

    /// [`MemoryObject::tell_pager`] has something to do.
    #[inline]
    pub(super) fn has_to_tell(&self) -> bool {
        self.tell.load(Relaxed)
    }

    fn send_dirty(&self, reason: u64) {
        let Some(pager) = self.state.lock().pager.clone() else { return };
        let args = [pager.cookie, reason, pager.port.paging.dirty.load(Relaxed) as u64];
        pager.port.post(Request { op: OP_DIRTY, args, ..Request::default() });
    }

    /// Takes the marks of up to `max` dirty pages of a range; returns their indices. They count as taken, but for those that a device
    /// may write to, which are dirty for good.
    pub(super) fn take_dirty(&self, state: &mut State, range: Range<u64>, max: usize) -> Vec<u64> {
        if range.start >= range.end {
            return Vec::new();
        }
        let found: Vec<u64> = state.dirty.written.range(range).copied().take(max).collect();
        let mut cleaned = 0;
        for &index in &found {
            if state.dirty.pinned.contains(&index) {
                continue;
            }
            state.dirty.written.remove(&index);
            state.dirty.taken.insert(index);
            cleaned += 1;
            if let Some(Slot::Present { dirty, .. }) = state.pages.get_mut(index) {
                *dirty = false;
            }
        }
        if let Some(pager) = &state.pager {
            pager.port.paging.sub(cleaned);
        }
        state.dirty.told = false;
        found
    }

    /// OBJECT_STORED: what was taken of a range is stored, or, with `failed`, dirty again.
    pub fn stored(&self, offset: u64, len: u64, failed: bool) -> Result<()> {
        if !self.is_paged() {
            return Err(Errno::EINVAL);
        }
        let range = offset / super::PAGE..super::pages_of(offset.saturating_add(len));
        let mut state = self.state.lock();
        if range.start < range.end {
            for index in state.dirty.take_unstored(range) {
                if failed {
                    self.present(&mut state, index, true);
                }
            }
        }
        // The pager knows of these.
        drop(state);
        Ok(())
    }

    /// Whether a write to this page has to wait: it is not dirty yet, its pager has as many as it may have, and somebody else writes.
    #[inline]
    pub(super) fn is_crowded(&self, state: &State, index: u64) -> bool {
        match &state.pager {
            Some(pager) if pager.port.paging.is_full() => {
                let me = thread::try_current().map_or(0, |thread| thread.process.pid);
                pager.port.paging.server.load(Relaxed) != me
                    && !state.dirty.written.contains(&index)
                    && !pager.port.is_dead()
            }
            _ => false,
        }
    }

    /// Waits until the pager has fewer dirty pages than it may have, or is gone. EINTR: the thread is to end.
    pub(super) fn wait_to_write(&self) -> Result<()> {
        if let Kind::Slice(base, _) = &self.kind {
            return base.wait_to_write();
        }
        self.tell_pager();
        loop {
            let Some(pager) = self.state.lock().pager.clone() else { return Ok(()) };
            let paging = &pager.port.paging;
            if !paging.told.swap(true, Relaxed) {
                self.send_dirty(1);
            }
            let ready = || (!paging.is_full() || pager.port.is_dead()).then_some(());
            match paging.writers.wait_killable(hal::time::now() + PATIENCE, ready) {
                Err(Errno::ETIMEDOUT) => {}
                result => return result,
            }
        }
    }

    /// After a copy into a page that was not made under a lock: it is dirty, whatever the pager did meanwhile. False if it left the object
    /// without a truncation: then the copy has to be made again.
    pub(super) fn settle_write(&self, index: u64, frame: &Frame) -> bool {
        if let Kind::Slice(base, first) = &self.kind {
            return base.settle_write(first + index, frame);
        }
        if !self.is_paged() {
            return true;
        }
        let mut state = self.state.lock();
        let here = self.present(&mut state, index, true).is_some_and(|now| now.same(frame));
        let beyond = index >= super::pages_of(self.size());
        drop(state);
        self.tell_pager();
        here || beyond
    }

    /// The object ends: its dirty pages are nobody's any more, and its pager need not know it any longer.
    pub(super) fn forget_paged(&mut self) {
        let id = self.id();
        super::reclaim::unregister(id);
        let state = self.state.get_mut();
        if let Some(pager) = state.pager.take() {
            pager.port.paging.sub(state.dirty.len());
            pager.port.forget_object(id);
        }
    }
}

/// PAGER_LIMIT.
pub fn pager_limit(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let file = me.process.file(a[0] as i32)?;
    let port = file.object::<PortEnd>().ok_or(Errno::EINVAL)?;
    port.port.paging.set_limit(usize::try_from(a[1]).map_err(|_| Errno::EINVAL)?);
    Ok(0)
}
