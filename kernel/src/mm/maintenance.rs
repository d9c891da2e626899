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
struct Guard<'a>(&'a Maintenance);

impl Maintenance {
    pub(super) const fn new() -> Self {
        Maintenance { busy: AtomicBool::new(false), queue: WaitQueue::new() }
    }

    /// Waits for it; EINTR.
    fn enter(&self) -> Result<Guard<'_>> {
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
        super::pager::wake(&mut state);
        drop(state);
        self.drop_pages(pages_of(size)..u64::MAX);
        // Only pages below the old end were ever mapped.
        for space in self.mappers() {
            space.forget_object_pages(self, pages_of(size)..pages_of(old));
        }
        Ok(())
    }

    /// Makes whole pages of an anonymous object zero again (FALLOC_FL_PUNCH_HOLE); the rest of the range is cleared in place.
    pub fn punch(&self, offset: u64, len: u64) -> Result<()> {
        let end = offset.checked_add(len).ok_or(Errno::EFBIG)?.min(self.size());
        if !matches!(self.kind, Kind::Sparse) || self.is_paged() {
            return Err(Errno::EOPNOTSUPP);
        }
        let _guard = self.maintenance.enter()?;
        if self.state.lock().pinned {
            return Err(Errno::EBUSY);
        }
        let whole = pages_of(offset)..if end == self.size() { pages_of(end) } else { end / PAGE };
        for edge in [offset..end.min(whole.start * PAGE), offset.max(whole.end * PAGE)..end] {
            if edge.start < edge.end && !whole.contains(&(edge.start / PAGE)) {
                let state = self.state.lock();
                if let Some(Slot::Present { frame, .. }) = state.pages.get(edge.start / PAGE) {
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
        Ok(())
    }

    /// Takes pages out of the object.
    fn drop_pages(&self, range: Range<u64>) {
        loop {
            let mut dropped: Vec<Slot> = Vec::new();
            let mut state = self.state.lock();
            let more = state.pages.take_range(range.clone(), CHUNK, &mut |_, slot| dropped.push(slot));
            // The dirty ones among them are all in the part of the range that is gone by now; a few at a time as well.
            for _ in 0..CHUNK {
                let Some(&index) = state.dirty.range(range.clone()).next() else { break };
                state.dirty.remove(&index);
            }
            let more = more || state.dirty.range(range.clone()).next().is_some();
            drop(state);
            self.release(dropped.iter().filter(|slot| matches!(slot, Slot::Present { .. })).count());
            drop(dropped);
            if !more {
                return;
            }
            hal::cpu::poll_interrupts();
        }
    }

    /// Takes up to `max` dirty pages of a range of bytes: they count as clean from now on, and the next write to one faults and
    /// makes it dirty again. Returns their offsets; the caller then reads and stores them. EINTR.
    pub fn clean(&self, offset: u64, len: u64, max: usize) -> Result<Vec<u64>> {
        let range = offset / PAGE..pages_of(offset.saturating_add(len));
        let _guard = self.maintenance.enter()?;
        let mut state = self.state.lock();
        let taken: Vec<u64> =
            if range.start < range.end { state.dirty.range(range).copied().take(max).collect() } else { Vec::new() };
        for &index in &taken {
            state.dirty.remove(&index);
            if let Some(Slot::Present { dirty, .. }) = state.pages.get_mut(index) {
                *dirty = false;
            }
        }
        drop(state);
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
            let mut state = self.state.lock();
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
                if let Slot::Present { frame, dirty: false } = slot {
                    clean.push((index, frame.clone()));
                }
                true
            });
            for (index, _) in &clean {
                state.pages.remove(*index);
            }
            drop(state);
            // A page that is clean is mapped writable nowhere: none of them can have changed since.
            for space in self.mappers() {
                space.forget_exact(self, &clean);
            }
            self.release(clean.len());
            total += clean.len();
            drop(clean);
            at = next;
            hal::cpu::poll_interrupts();
        }
        Ok(total)
    }
}
