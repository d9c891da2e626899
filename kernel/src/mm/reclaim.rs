//! Memory under pressure: the kernel drops clean pages of paged objects, which their pagers can supply again.
//!
//! Which ones is a clock with a second chance: a hand goes round all paged objects; a page that was read since (by a syscall, or by a
//! mapping: its entry's accessed bit) loses the mark, one without a mark goes. Text of running programs is among them and faults back in.
//!
//! It is done by whoever needs memory, in a thread, without a lock held and without waiting for one: where memory becomes low (faults,
//! writes, page-ins: [`balance`]), and before anybody is told that there is none ([`make_room`]). Pages stay while their pager is dead.

use super::object::{Kind, MemoryObject, Slot};
use super::{CHUNK, dirty};
use crate::stats;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use hal::SpinLock;
use hal::mem::Frame;
use ochre_hal as hal;

/// Pages that one round wants to free.
const BATCH: usize = 128;
/// Pages that are looked at and dropped at a time.
const PART: usize = 64;
/// After a round that found next to nothing there is none for so long (ns), but for those who get no memory otherwise.
const PAUSE: u64 = 20_000_000;

/// The paged objects, and where the hand stands: an object's id and a page in it.
struct Clock {
    objects: BTreeMap<u64, Weak<MemoryObject>>,
    hand: (u64, u64),
}

static CLOCK: SpinLock<Clock> = SpinLock::new(Clock { objects: BTreeMap::new(), hand: (0, 0) });
/// Somebody is at it.
static BUSY: AtomicBool = AtomicBool::new(false);
/// Pages of paged objects.
static CACHED: AtomicUsize = AtomicUsize::new(0);
/// No round before this time.
static NOT_BEFORE: AtomicU64 = AtomicU64::new(0);

/// Pages of paged objects, dirty ones included.
pub fn cached() -> usize {
    CACHED.load(Relaxed)
}

/// Pages that could go, if their pagers live and no device needs them.
pub fn reclaimable() -> usize {
    cached().saturating_sub(dirty::total())
}

pub(super) fn note_cached(pages: usize) {
    CACHED.fetch_add(pages, Relaxed);
}

pub(super) fn note_dropped(pages: usize) {
    CACHED.fetch_sub(pages, Relaxed);
}

/// An object has a pager now.
pub(super) fn register(object: &Arc<MemoryObject>) {
    let old = CLOCK.lock().objects.insert(object.id(), Arc::downgrade(object));
    drop(old);
}

/// It ends.
pub(super) fn unregister(id: u64) {
    let old = CLOCK.lock().objects.remove(&id);
    drop(old);
}

/// Where a thread is about to need memory and holds no lock: frees some if there is little.
#[inline]
pub fn balance() {
    if hal::mem::is_low() {
        relieve();
    }
}

#[cold]
fn relieve() {
    if reclaimable() == 0 || hal::time::now() < NOT_BEFORE.load(Relaxed) || BUSY.swap(true, Acquire) {
        return;
    }
    if round(BATCH) < BATCH / 8 {
        NOT_BEFORE.store(hal::time::now() + PAUSE, Relaxed);
    }
    BUSY.store(false, Release);
}

/// Memory was refused: whether there may be some now. Call without a lock, in a thread.
#[cold]
pub fn make_room() -> bool {
    // What was refused was not the machine's memory but the process's share.
    if !hal::mem::is_short(BATCH) || reclaimable() == 0 {
        return false;
    }
    while BUSY.swap(true, Acquire) {
        hal::cpu::poll_interrupts();
        if !hal::mem::is_short(BATCH) {
            return true;
        }
    }
    let freed = round(BATCH);
    BUSY.store(false, Release);
    freed > 0
}

/// There is memory for kernel objects, perhaps by freeing some. Call without a lock, in a thread.
#[inline]
pub fn has_room() -> bool {
    hal::mem::has_room() || make_room() && hal::mem::has_room()
}

/// Moves the hand until so many pages are free or it has been round twice; returns how many.
fn round(wanted: usize) -> usize {
    let mut freed = 0;
    let mut left = 2 * CLOCK.lock().objects.len() + 1;
    while freed < wanted && left > 0 {
        let Some((object, at)) = current() else { break };
        let (count, next) = object.reclaim(at);
        freed += count;
        let mut clock = CLOCK.lock();
        clock.hand = match next {
            Some(next) => (object.id(), next),
            None => {
                left -= 1;
                (object.id() + 1, 0)
            }
        };
        drop(clock);
        drop(object);
        hal::cpu::poll_interrupts();
    }
    stats::reclaimed(freed);
    freed
}

/// The object at the hand, and the page. `None` without any.
fn current() -> Option<(Arc<MemoryObject>, u64)> {
    let clock = CLOCK.lock();
    let (id, page) = clock.hand;
    let from = clock.objects.range(id..).chain(clock.objects.range(..id));
    let mut living = from.filter_map(|(found, object)| Some((*found, object.upgrade()?)));
    let (found, object) = living.next()?;
    Some((object, if found == id { page } else { 0 }))
}

impl MemoryObject {
    /// Looks at a part of the pages from `at` on and drops those that are clean and have not been used lately. Returns how many, and
    /// where to go on; `None` at the end.
    fn reclaim(&self, at: u64) -> (usize, Option<u64>) {
        if !matches!(self.kind, Kind::Sparse) {
            return (0, None);
        }
        let Some(_guard) = self.maintenance.try_enter() else { return (0, None) };
        let mut unused: Vec<(u64, Frame)> = Vec::with_capacity(PART);
        let (mut next, mut visited) = (None, 0);
        let mut state = self.state.lock();
        let alive = state.pager.as_ref().is_some_and(|pager| pager.port.is_serving());
        if state.pinned || !alive {
            return (0, None);
        }
        state.pages.visit_mut(at..u64::MAX, &mut |index, slot| {
            if visited == CHUNK || unused.len() == PART {
                next = Some(index);
                return false;
            }
            visited += 1;
            match slot {
                Slot::Present { used: used @ true, .. } => *used = false,
                Slot::Present { frame, dirty: false, .. } => unused.push((index, frame.clone())),
                _ => {}
            }
            true
        });
        drop(state);
        if !unused.is_empty() {
            for space in self.mappers() {
                space.keep_used(self, &mut unused);
            }
        }
        let freed = if unused.is_empty() { 0 } else { self.remove_clean(&mut unused, true) };
        (freed, next)
    }

    /// POSIX_FADV_DONTNEED: drops the clean pages of a range of bytes that are stored. Waits for nothing.
    pub fn dont_need(&self, offset: u64, len: u64) {
        if let Kind::Slice(base, first) = &self.kind {
            return base.dont_need(first.saturating_mul(super::PAGE).saturating_add(offset), len);
        }
        let (mut at, end) = (offset.div_ceil(super::PAGE), offset.saturating_add(len) / super::PAGE);
        // The part of a page at the object's end is the last page.
        let end = if offset.saturating_add(len) >= self.size() { super::pages_of(self.size()) } else { end };
        let Some(_guard) = self.maintenance.try_enter() else { return };
        while at < end {
            let mut found: Vec<(u64, Frame)> = Vec::with_capacity(PART);
            let state = self.state.lock();
            if state.pinned || !self.is_paged() {
                return;
            }
            let mut next = end;
            state.pages.visit(at..end, &mut |index, slot| {
                if found.len() == PART {
                    next = index;
                    return false;
                }
                if let Slot::Present { frame, dirty: false, .. } = slot {
                    found.push((index, frame.clone()));
                }
                true
            });
            drop(state);
            self.remove_clean(&mut found, true);
            at = next;
            hal::cpu::poll_interrupts();
        }
    }
}
