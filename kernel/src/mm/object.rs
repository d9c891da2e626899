//! Memory objects: what can be mapped, and what a memory file descriptor refers to.

use super::account::{Account, Kind as Charge};
use super::dirty::Dirty;
use super::maintenance::Maintenance;
use super::pager::{Pager, Waiter};
use super::read_ahead::ReadAhead;
use super::space::Space;
use super::{PAGE, PAGE_SIZE, pages_of};
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use hal::SpinLock;
use hal::device::DeviceRange;
use hal::mem::Frame;
use hal::paging::Cache;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;
use ochre_logic::radix::Radix;

/// The greatest size, as for any file (off_t).
pub const SIZE_MAX: u64 = i64::MAX as u64 / PAGE * PAGE;

/// Pages by index, and a size in bytes.
///
/// Absent pages of an anonymous object are zero and come into being when they are touched; those of a paged one are the pager's to
/// supply, and it is noted which pages have been written since the pager last took them.
pub struct MemoryObject {
    id: u64,
    pub(super) kind: Kind,
    /// Changed under the state's lock only.
    size: AtomicU64,
    /// It has, or had, a pager: absent pages are not zero, writes are noted.
    pub(super) paged: AtomicBool,
    pub(super) state: SpinLock<State>,
    pub(super) maintenance: Maintenance,
    /// Held by those who extend the object by a write at its end; never by its pager.
    pub(super) appending: Maintenance,
    /// OBJECT_LIMIT, in bytes.
    pub(super) limit: AtomicU64,
    /// The pager is to hear of a first dirty page ([`MemoryObject::tell_pager`]).
    pub(super) tell: AtomicBool,
    /// When it was last changed through a descriptor, ns since the epoch; 0: never.
    modified: AtomicU64,
    /// Who pays for its pages.
    account: Option<Arc<Account>>,
}

/// Where the pages are.
pub(super) enum Kind {
    /// In the state, as they come.
    Sparse,
    /// Given at the start: boot modules, DMA memory, a port's region.
    Fixed(Vec<Frame>),
    /// A device's registers or memory.
    Device(DeviceRange, Cache),
    /// In another object, from this page on. That one is no slice itself.
    Slice(Arc<MemoryObject>, u64),
}

/// What the lock guards.
pub(super) struct State {
    pub(super) pages: Radix<Slot>,
    /// Which pages of a paged object are not stored.
    pub(super) dirty: Dirty,
    /// Spaces that map it, by id, and by how many areas.
    mappers: BTreeMap<u64, Mapper>,
    /// Areas that can write to it (or could after an mprotect).
    writers: usize,
    /// Once mapped writable: bytes behind the end may not be zero any more.
    pub(super) tail_unknown: bool,
    /// A device may use the pages: they stay where they are.
    pub(super) pinned: bool,
    pub(super) seals: u32,
    pub(super) pager: Option<Pager>,
    /// Counts what makes pages disappear that a pager may be reading in: truncations, holes. Never 0.
    pub(super) epoch: u64,
    pub(super) read_ahead: ReadAhead,
    /// Threads that wait for pages.
    pub(super) waiters: Vec<Waiter>,
}

/// One page of a sparse object.
pub(super) enum Slot {
    /// It is here. `dirty` only counts for paged objects.
    Present {
        /// The page.
        frame: Frame,
        /// Written since the pager took it.
        dirty: bool,
        /// Looked at since memory was last short.
        used: bool,
    },
    /// The pager was asked for it.
    Requested,
    /// It is being evicted: not to be asked for until it has left all mappings.
    Leaving,
}

struct Mapper {
    space: Weak<Space>,
    areas: usize,
}

/// What [`MemoryObject::page`] found.
pub enum Page {
    /// The page.
    Present(Frame),
    /// The pager has it: [`MemoryObject::bring_in`].
    Absent,
    /// Behind the end.
    Beyond,
    /// No memory, or the account is at its limit.
    NoMemory,
    /// The pager has too many dirty pages: [`MemoryObject::wait_to_write`].
    Crowded,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl MemoryObject {
    fn new(kind: Kind, size: u64, account: Option<Arc<Account>>) -> Arc<Self> {
        Arc::new(MemoryObject {
            id: NEXT_ID.fetch_add(1, Relaxed),
            kind,
            size: AtomicU64::new(size.min(SIZE_MAX)),
            paged: AtomicBool::new(false),
            state: SpinLock::new(State {
                pages: Radix::new(),
                dirty: Dirty::new(),
                mappers: BTreeMap::new(),
                writers: 0,
                tail_unknown: false,
                pinned: false,
                seals: 0,
                pager: None,
                epoch: 1,
                read_ahead: ReadAhead::new(),
                waiters: Vec::new(),
            }),
            maintenance: Maintenance::new(),
            appending: Maintenance::new(),
            limit: AtomicU64::new(0),
            tell: AtomicBool::new(false),
            modified: AtomicU64::new(0),
            account,
        })
    }

    /// Zero-filled memory of so many bytes (at the most [`SIZE_MAX`]), paid by nobody.
    pub fn anonymous(size: u64) -> Arc<Self> {
        Self::new(Kind::Sparse, size, None)
    }

    /// Zero-filled memory whose pages are charged to an account.
    pub fn anonymous_for(size: u64, account: Arc<Account>) -> Arc<Self> {
        Self::new(Kind::Sparse, size, Some(account))
    }

    /// The given pages; `size` beyond them is cut off.
    pub fn from_frames(frames: Vec<Frame>, size: u64) -> Arc<Self> {
        let size = size.min(frames.len() as u64 * PAGE);
        Self::new(Kind::Fixed(frames), size, None)
    }

    /// Device memory, which can only be mapped.
    pub fn device(range: DeviceRange, cache: Cache) -> Arc<Self> {
        Self::new(Kind::Device(range, cache), range.len(), None)
    }

    /// A view of part of an object. EINVAL if `offset` is not on a page, or the part is empty or leaves the object.
    pub fn slice(base: &Arc<Self>, offset: u64, len: u64) -> Result<Arc<Self>> {
        let end = offset.checked_add(len).ok_or(Errno::EINVAL)?;
        if len == 0 || !offset.is_multiple_of(PAGE) || pages_of(end) > pages_of(base.size()) {
            return Err(Errno::EINVAL);
        }
        let (root, first, _) = base.root();
        Ok(Self::new(Kind::Slice(root, first + offset / PAGE), len, None))
    }

    /// A view for a reader of an object that nobody writes to. Unlike a [`MemoryObject::slice`] of fixed pages (the boot module, where
    /// the next file follows at once) it ends in zeroes after its last byte, as a mapped file must. Errors as for a slice; ENOMEM.
    pub fn read_only_part(base: &Arc<Self>, offset: u64, len: u64) -> Result<Arc<Self>> {
        let slice = Self::slice(base, offset, len)?;
        let Kind::Slice(root, first) = &slice.kind else { return Ok(slice) };
        let (Kind::Fixed(frames), used) = (&root.kind, (len % PAGE) as usize) else { return Ok(slice) };
        if used == 0 {
            return Ok(slice);
        }
        let range = *first as usize..(*first + pages_of(len)) as usize;
        let mut frames = frames.get(range).ok_or(Errno::EINVAL)?.to_vec();
        if let Some(last) = frames.last_mut() {
            let tail = Frame::alloc_zeroed().ok_or(Errno::ENOMEM)?;
            tail.copy_from(0, last, 0, used);
            *last = tail;
        }
        Ok(Self::from_frames(frames, len))
    }

    /// A number that no other object has or will have.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Bytes.
    #[inline]
    pub fn size(&self) -> u64 {
        self.size.load(Relaxed)
    }

    /// When it was last changed through a descriptor (not by a mapping), ns since the epoch; 0: never.
    pub fn modified(&self) -> u64 {
        self.modified.load(Relaxed)
    }

    /// It is changed now.
    pub(super) fn note_change(&self) {
        let now = hal::time::now().wrapping_add(super::time_page::realtime_offset());
        self.modified.store(now, Relaxed);
    }

    /// Bytes of memory in it now.
    pub fn resident(&self) -> u64 {
        match &self.kind {
            Kind::Sparse => self.state.lock().pages.len() as u64 * PAGE,
            Kind::Fixed(frames) => frames.len() as u64 * PAGE,
            Kind::Device(..) => 0,
            Kind::Slice(base, _) => base.resident().min(self.size()),
        }
    }

    /// The object that has the pages, the page of it at which this one starts, and the page at which this one ends for good
    /// (u64::MAX unless it is a slice).
    pub(super) fn root(self: &Arc<Self>) -> (Arc<Self>, u64, u64) {
        match &self.kind {
            Kind::Slice(base, first) => (base.clone(), *first, first + pages_of(self.size())),
            _ => (self.clone(), 0, u64::MAX),
        }
    }

    /// Sets the size; the caller holds the state's lock.
    pub(super) fn set_size(&self, _state: &mut State, size: u64) {
        self.size.store(size, Relaxed);
    }

    /// Device memory.
    pub fn is_device(&self) -> bool {
        matches!(self.kind, Kind::Device(..))
    }

    /// Writes are noted, absent pages come from a pager.
    #[inline]
    pub fn is_paged(&self) -> bool {
        self.paged.load(Relaxed)
    }

    /// A page, without waiting. Sparse anonymous objects make it. With `write`, a paged object notes it as dirty.
    pub fn page(&self, index: u64, write: bool) -> Page {
        if index >= pages_of(self.size()) {
            return Page::Beyond;
        }
        match &self.kind {
            Kind::Fixed(frames) => match frames.get(index as usize) {
                Some(frame) => Page::Present(frame.clone()),
                None => Page::Beyond,
            },
            Kind::Slice(base, first) => base.page(first + index, write),
            Kind::Device(..) => Page::Beyond,
            Kind::Sparse => {
                let mut state = self.state.lock();
                // Once more with the lock: a truncation may have come between.
                if index >= pages_of(self.size()) {
                    return Page::Beyond;
                }
                if write && self.is_crowded(&state, index) {
                    return Page::Crowded;
                }
                if let Some(frame) = self.present(&mut state, index, write) {
                    return Page::Present(frame);
                }
                if self.is_paged() {
                    return Page::Absent;
                }
                match self.allocate() {
                    Some(frame) => {
                        state.pages.insert(index, Slot::new(frame.clone(), false));
                        Page::Present(frame)
                    }
                    None => Page::NoMemory,
                }
            }
        }
    }

    /// The page at `index` if it is here; notes a write.
    pub(super) fn present(&self, state: &mut State, index: u64, write: bool) -> Option<Frame> {
        match state.pages.get_mut(index) {
            Some(Slot::Present { frame, dirty, used }) => {
                *used = true;
                let frame = frame.clone();
                if write && !*dirty && self.is_paged() {
                    *dirty = true;
                    self.note_dirty(state, index);
                }
                Some(frame)
            }
            _ => None,
        }
    }

    /// A zeroed page on the account.
    pub(super) fn allocate(&self) -> Option<Frame> {
        self.allocate_by(Frame::alloc_zeroed)
    }

    /// A page on the account.
    pub(super) fn allocate_by(&self, allocate: fn() -> Option<Frame>) -> Option<Frame> {
        if !self.charge() {
            return None;
        }
        let frame = allocate();
        if frame.is_none() {
            self.release(1);
        }
        frame
    }

    /// Charges the account for one page; false at its limit. Pages that have a pager are nobody's: they can go when memory is short.
    pub(super) fn charge(&self) -> bool {
        if self.is_paged() {
            super::reclaim::note_cached(1);
            return true;
        }
        self.account.as_ref().is_none_or(|account| account.charge(Charge::Object))
    }

    /// Gives pages back to the account.
    pub(super) fn release(&self, pages: usize) {
        if self.is_paged() {
            super::reclaim::note_dropped(pages);
        } else if let Some(account) = &self.account {
            account.release(Charge::Object, pages);
        }
    }

    /// The object becomes a pager's, with so many pages: its creator pays for them no longer.
    pub(super) fn become_paged(&self, pages: usize) {
        self.release(pages);
        self.paged.store(true, Relaxed);
        super::reclaim::note_cached(pages);
    }

    /// Visits the pages of a range that are here, without making any.
    pub(super) fn each_present(&self, indices: core::ops::Range<u64>, each: &mut dyn FnMut(u64, &Frame)) {
        let indices = indices.start..indices.end.min(pages_of(self.size()));
        match &self.kind {
            Kind::Sparse => self.state.lock().pages.visit(indices, &mut |index, slot| {
                if let Slot::Present { frame, .. } = slot {
                    each(index, frame);
                }
                true
            }),
            Kind::Fixed(frames) => {
                for index in indices {
                    if let Some(frame) = frames.get(index as usize) {
                        each(index, frame);
                    }
                }
            }
            Kind::Device(..) | Kind::Slice(..) => {}
        }
    }

    /// `frame` is the object's page at `index`: nobody has made a private copy of it.
    pub(super) fn holds(&self, index: u64, frame: &Frame) -> bool {
        match &self.kind {
            Kind::Sparse => {
                matches!(self.state.lock().pages.get(index), Some(Slot::Present { frame: own, .. }) if own.same(frame))
            }
            Kind::Fixed(frames) => frames.get(index as usize).is_some_and(|own| own.same(frame)),
            Kind::Device(..) | Kind::Slice(..) => false,
        }
    }

    /// A page, brought in if need be: may wait for a pager. With `write` it counts as dirty.
    ///
    /// EINVAL: behind the end; ENOMEM; what the pager says.
    pub fn frame(&self, index: u64, write: bool) -> Result<Frame> {
        loop {
            match self.page(index, write) {
                Page::Present(frame) => return Ok(frame),
                Page::Absent => self.bring_in(index)?,
                Page::Crowded => self.wait_to_write()?,
                Page::Beyond => return Err(Errno::EINVAL),
                Page::NoMemory if super::reclaim::make_room() => {}
                Page::NoMemory => return Err(Errno::ENOMEM),
            }
        }
    }

    /// The physical address of a page that stays there from now on, for DMA. Errors as for [`MemoryObject::frame`].
    pub fn pin(&self, index: u64) -> Result<u64> {
        match &self.kind {
            Kind::Slice(base, first) if index < pages_of(self.size()) => return base.pin(first + index),
            Kind::Device(range, _) if index < pages_of(self.size()) => return Ok(range.phys() + index * PAGE),
            _ => {
                let mut state = self.state.lock();
                state.pinned = true;
                if self.is_paged() {
                    // From now on it may be written at any time: no clean makes it clean.
                    state.dirty.pin(index);
                }
            }
        }
        let frame = self.frame(index, true)?;
        self.tell_pager();
        Ok(frame.phys())
    }

    /// Clears what is behind the end in the last page, if that page is here. The caller holds the lock.
    pub(super) fn clear_tail(&self, state: &State, size: u64) {
        let used = (size % PAGE) as usize;
        if used == 0 {
            return;
        }
        match &self.kind {
            Kind::Sparse => {
                if let Some(Slot::Present { frame, .. }) = state.pages.get(size / PAGE) {
                    frame.fill_zero(used, PAGE_SIZE - used);
                }
            }
            Kind::Fixed(frames) => {
                if let Some(frame) = frames.get((size / PAGE) as usize) {
                    frame.fill_zero(used, PAGE_SIZE - used);
                }
            }
            Kind::Device(..) | Kind::Slice(..) => {}
        }
    }

    /// An area of a space maps it; `writer`: it could write to it. Undone by [`MemoryObject::unbind`].
    pub(super) fn bind(&self, id: u64, space: &Weak<Space>, writer: bool) {
        let mut state = self.state.lock();
        state.mappers.entry(id).or_insert_with(|| Mapper { space: space.clone(), areas: 0 }).areas += 1;
        if writer {
            state.writers += 1;
            state.tail_unknown = true;
        }
    }

    /// An area is gone.
    pub(super) fn unbind(&self, id: u64, writer: bool) {
        let mut state = self.state.lock();
        let mut gone = None;
        if let Some(mapper) = state.mappers.get_mut(&id) {
            mapper.areas -= 1;
            if mapper.areas == 0 {
                gone = state.mappers.remove(&id);
            }
        }
        if writer {
            state.writers -= 1;
        }
        drop(state);
        drop(gone);
    }

    /// The spaces that map it now. Call without the lock.
    pub(super) fn mappers(&self) -> Vec<Arc<Space>> {
        self.state.lock().mappers.values().filter_map(|mapper| mapper.space.upgrade()).collect()
    }

    /// F_GET_SEALS.
    pub fn seals(&self) -> u32 {
        match &self.kind {
            Kind::Slice(base, _) => base.seals(),
            _ => self.state.lock().seals,
        }
    }

    /// F_ADD_SEALS. EPERM if sealed against that, EBUSY if writing is to be sealed while a mapping can write (fcntl(2)).
    pub fn add_seals(&self, seals: u32) -> Result<()> {
        if let Kind::Slice(base, _) = &self.kind {
            return base.add_seals(seals);
        }
        let mut state = self.state.lock();
        if state.seals & super::object_file::F_SEAL_SEAL != 0 {
            return Err(Errno::EPERM);
        }
        if seals & super::object_file::F_SEAL_WRITE != 0 && state.writers > 0 {
            return Err(Errno::EBUSY);
        }
        state.seals |= seals;
        Ok(())
    }
}

impl Slot {
    /// A page that is here.
    pub(super) fn new(frame: Frame, dirty: bool) -> Slot {
        Slot::Present { frame, dirty, used: false }
    }

    /// The page is here.
    pub(super) fn is_present(&self) -> bool {
        matches!(self, Slot::Present { .. })
    }
}

impl Drop for MemoryObject {
    fn drop(&mut self) {
        let mut pages = 0;
        self.state.get_mut().pages.visit(0..u64::MAX, &mut |_, slot| {
            pages += usize::from(slot.is_present());
            true
        });
        self.release(pages);
        if self.is_paged() {
            self.forget_paged();
        }
    }
}
