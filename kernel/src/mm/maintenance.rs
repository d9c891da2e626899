//! What goes through all pages and mappings of an object: truncation, taking the dirty pages, eviction. One at a time each object.

use super::object::{Kind, MemoryObject, SIZE_MAX, Slot};
use super::{CHUNK, PAGE, pages_of};
use crate::wait::WaitQueue;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};
use hal::mem::Frame;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

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

    /// Takes it if it is free.
    pub(super) fn try_enter(&self) -> Option<Guard<'_>> {
        self.busy.compare_exchange(false, true, SeqCst, SeqCst).is_ok().then(|| Guard(self))
    }

    /// Waits for it; EINTR.
    pub(super) fn enter(&self) -> Result<Guard<'_>> {
        self.queue
            .wait_until(None, || self.busy.compare_exchange(false, true, SeqCst, SeqCst).is_ok().then_some(()))?;
        Ok(Guard(self))
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.busy.store(false, SeqCst);
        self.0.queue.wake_one();
    }
}

impl MemoryObject {
    /// Sets the size. What is cut off disappears from every mapping; what is added is zero (or the pager's).
    ///
    /// EINVAL: too large, or an object of fixed pages; EBUSY: a device may use the pages; EINTR.
    pub fn resize(&self, size: u64) -> Result<()> {
        match &self.kind {
            Kind::Sparse => {}
            Kind::Fixed(_) | Kind::Device(..) | Kind::Slice(..) => {
                return if size == self.size() { Ok(()) } else { Err(Errno::EINVAL) };
            }
        }
        if size > SIZE_MAX {
            return Err(Errno::EINVAL);
        }
        let _guard = self.maintenance.enter()?;
        let mut state = self.state.lock();
        let old = self.size();
        if size < old && state.pinned {
            return Err(Errno::EBUSY);
        }
        if size >= old {
            if state.tail_unknown {
                self.clear_tail(&state, old);
            }
            self.set_size(&mut state, size);
            return Ok(());
        }
        self.set_size(&mut state, size);
        self.clear_tail(&state, size);
        state.epoch += 1;
        super::pager::wake(&mut state);
        drop(state);
        self.drop_pages(pages_of(size)..u64::MAX);
        // Only pages below the old end were ever mapped.
        for space in self.mappers() {
            space.forget_object_pages(self, pages_of(size)..pages_of(old));
        }
        Ok(())
    }

    /// Makes whole pages of an object zero again (FALLOC_FL_PUNCH_HOLE); the rest of the range is cleared in place. Of a paged object they
    /// are dropped, dirty or not: who punches it, its pager, supplies zeroes from then on, also for the parts of the first and last page
    /// if these are not here.
    pub fn punch(&self, offset: u64, len: u64) -> Result<()> {
        let end = offset.checked_add(len).ok_or(Errno::EFBIG)?.min(self.size());
        if !matches!(self.kind, Kind::Sparse) {
            return Err(Errno::EOPNOTSUPP);
        }
        let _guard = self.maintenance.enter()?;
        {
            let mut state = self.state.lock();
            if state.pinned {
                return Err(Errno::EBUSY);
            }
            state.epoch += 1;
        }
        let whole = pages_of(offset)..if end == self.size() { pages_of(end) } else { end / PAGE };
        for edge in [offset..end.min(whole.start * PAGE), offset.max(whole.end * PAGE)..end] {
            if edge.start < edge.end && !whole.contains(&(edge.start / PAGE)) {
                let mut state = self.state.lock();
                if let Some(frame) = self.present(&mut state, edge.start / PAGE, true) {
                    let within = (edge.start % PAGE) as usize;
                    let n = ((edge.end - edge.start) as usize).min(PAGE as usize - within);
                    frame.fill_zero(within, n);
                }
            }
        }
        if whole.start < whole.end {
            self.drop_pages(whole.clone());
            for space in self.mappers() {
                space.forget_object_pages(self, whole.clone());
            }
        }
        self.tell_pager();
        Ok(())
    }

    /// Takes pages out of the object.
    fn drop_pages(&self, range: Range<u64>) {
        loop {
            let mut dropped: Vec<Slot> = Vec::new();
            let mut state = self.state.lock();
            let mut gone = Vec::new();
            let paged = self.is_paged();
            let more = state.pages.take_range(range.clone(), CHUNK, &mut |index, slot| {
                dropped.push(slot);
                if paged {
                    gone.push(index);
                }
            });
            for index in gone {
                self.forget_dirty(&mut state, index);
            }
            drop(state);
            self.release(dropped.iter().filter(|slot| slot.is_present()).count());
            drop(dropped);
            if !more {
                return;
            }
            hal::cpu::poll_interrupts();
        }
    }

    /// Takes up to `max` dirty pages of a range of bytes: they count as clean from now on, and the next write to one faults and
    /// makes it dirty again. Returns their offsets; the caller then reads and stores them, and says so ([`MemoryObject::stored`]): until
    /// then they stay in memory. EINTR.
    pub fn clean(&self, offset: u64, len: u64, max: usize) -> Result<Vec<u64>> {
        let range = offset / PAGE..pages_of(offset.saturating_add(len));
        let _guard = self.maintenance.enter()?;
        let taken = self.take_dirty(&mut self.state.lock(), range, max);
        if let (Some(&first), Some(&last)) = (taken.first(), taken.last()) {
            for space in self.mappers() {
                space.write_protect(self, first..last + 1);
            }
        }
        Ok(taken.into_iter().map(|index| index * PAGE).collect())
    }

    /// Gives up the clean pages of a range of bytes; they are asked for again when they are needed. Returns how many.
    ///
    /// EINVAL: the object has no pager, so its pages cannot come back. EINTR.
    pub fn evict(&self, offset: u64, len: u64) -> Result<usize> {
        if !self.is_paged() {
            return Err(Errno::EINVAL);
        }
        let end = pages_of(offset.saturating_add(len));
        let _guard = self.maintenance.enter()?;
        let mut total = 0;
        let mut at = offset / PAGE;
        while at < end {
            let mut clean: Vec<(u64, Frame)> = Vec::new();
            let mut visited = 0;
            let state = self.state.lock();
            if state.pinned {
                return Err(Errno::EBUSY);
            }
            let mut next = end;
            state.pages.visit(at..end, &mut |index, slot| {
                if visited == CHUNK {
                    next = index;
                    return false;
                }
                visited += 1;
                if let Slot::Present { frame, dirty: false, .. } = slot {
                    clean.push((index, frame.clone()));
                }
                true
            });
            drop(state);
            total += self.remove_clean(&mut clean, false);
            at = next;
            hal::cpu::poll_interrupts();
        }
        Ok(total)
    }

    /// Takes pages out of the object and of every mapping, as far as they still are what they are given as, and clean; with `stored` only
    /// those that the pager has stored. The caller holds the maintenance lock. Returns how many.
    pub(super) fn remove_clean(&self, pages: &mut Vec<(u64, Frame)>, stored: bool) -> usize {
        let mut state = self.state.lock();
        pages.retain(|(index, frame)| {
            if stored && state.dirty.is_taken(*index) {
                return false;
            }
            match state.pages.get_mut(*index) {
                Some(slot) if matches!(&*slot, Slot::Present { frame: own, dirty: false, .. } if own.same(frame)) => {
                    // Nobody gets another page there while this one can be read in some mapping.
                    *slot = Slot::Leaving;
                    true
                }
                _ => false,
            }
        });
        drop(state);
        // A page that is clean is mapped writable nowhere: none of them can have changed since.
        for space in self.mappers() {
            space.forget_exact(self, pages);
        }
        let mut state = self.state.lock();
        for (index, _) in pages.iter() {
            if matches!(state.pages.get(*index), Some(Slot::Leaving)) {
                state.pages.remove(*index);
            }
            self.forget_dirty(&mut state, *index);
        }
        super::pager::wake(&mut state);
        drop(state);
        self.release(pages.len());
        let count = pages.len();
        pages.clear();
        count
    }
}
