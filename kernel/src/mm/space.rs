//! Address spaces: areas over a page table.

use super::account::Account;
use super::area::{Access, Area, Backing, OnFork};
pub use super::fault::FaultError;
use super::object::MemoryObject;
use super::{PAGE, PAGE_SIZE, time_page};
use crate::file::{File, Object};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use hal::mem::Frame;
use hal::paging::{PageTable, Prot};
use hal::{Once, SpinLock};
use ochre_abi::layout::{TIME_PAGE, USER_END, USER_START};
use ochre_abi::memory::{PROT_EXEC, PROT_READ, PROT_WRITE};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;
use ochre_logic::interval::IntervalMap;

/// Areas of one space at the most (Linux: vm.max_map_count).
pub const AREAS_MAX: usize = 65_530;
/// Left free below the end for a stack and what else wants to be on top.
const TOP_GAP: usize = 1 << 30;
/// Bits of randomness, in pages, of where mappings begin (Linux: vm.mmap_rnd_bits).
const RANDOM_BITS: u32 = 28;

/// An address space.
pub struct Space {
    id: u64,
    me: Weak<Space>,
    table: Arc<PageTable>,
    pub(super) map: SpinLock<Map>,
    account: Arc<Account>,
}

/// What the lock guards.
pub(super) struct Map {
    pub(super) areas: IntervalMap<Area>,
    /// Mappings whose address the kernel chooses end below this.
    top: usize,
    /// No gap between here and `top` was large enough lately: the search starts here.
    search_from: usize,
}

/// What an address space has.
#[derive(Clone, Copy, Debug)]
pub struct SpaceUsage {
    /// Pages in areas.
    pub virtual_pages: usize,
    /// Pages in the page table.
    pub resident_pages: usize,
    /// Pages charged: private ones and those of objects it made.
    pub charged_pages: usize,
}

/// An area, for listings.
#[derive(Clone, Debug)]
pub struct AreaInfo {
    /// First address.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// PROT_ bits.
    pub prot: u64,
    /// MAP_SHARED.
    pub shared: bool,
    /// Offset in the file or object of the area's start, in bytes.
    pub offset: u64,
    /// Id of the memory object, 0 without one.
    pub object: u64,
    /// Path of the file.
    pub path: Option<Vec<u8>>,
    /// A page of the kernel's.
    pub kernel: bool,
}

/// What identifies a futex word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum FutexKey {
    /// In memory of one space.
    Private {
        /// The space's id.
        space: u64,
        /// Address.
        addr: usize,
    },
    /// In a memory object, wherever it is mapped.
    Shared {
        /// The object's id.
        object: u64,
        /// Offset in it.
        offset: u64,
    },
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Space {
    /// An empty space with the time page. ENOMEM.
    pub fn new() -> Result<Arc<Space>> {
        Self::with_top(boot_top())
    }

    /// An empty space in which chosen addresses are below `top`.
    pub(super) fn with_top(top: usize) -> Result<Arc<Space>> {
        if !super::reclaim::has_room() {
            return Err(Errno::ENOMEM);
        }
        let table = PageTable::new().ok_or(Errno::ENOMEM)?;
        let time = time_page::frame().ok_or(Errno::ENOMEM)?;
        table.map(TIME_PAGE, time.clone(), Prot::R).map_err(|_| Errno::ENOMEM)?;
        Ok(Arc::new_cyclic(|me| Space {
            id: NEXT_ID.fetch_add(1, Relaxed),
            me: me.clone(),
            table,
            map: SpinLock::new(Map { areas: IntervalMap::new(), top, search_from: top }),
            account: Arc::new(Account::new()),
        }))
    }

    /// A number that no other space has or will have.
    pub fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn weak(&self) -> &Weak<Space> {
        &self.me
    }

    /// The page table.
    pub fn table(&self) -> Arc<PageTable> {
        self.table.clone()
    }

    pub(super) fn pages(&self) -> &PageTable {
        &self.table
    }

    /// What its process pays for.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// RLIMIT_RESIDENT, in bytes.
    pub fn set_resident_limit(&self, bytes: u64) {
        self.account.set_limit(bytes);
    }

    /// Maps a page that the kernel shares with the program: at `addr`, or where there is room. fork leaves it out; munmap may remove
    /// it. Above USER_END programs cannot touch the mapping.
    ///
    /// EINVAL: not page-aligned or out of bounds; EEXIST: something is there; ENOMEM.
    pub fn map_page(&self, addr: Option<usize>, frame: Frame, prot: Prot) -> Result<usize> {
        let mut map = self.map.lock();
        let top = map.top;
        let addr = match addr {
            Some(addr) => addr,
            None => map.find_gap(PAGE_SIZE, top).ok_or(Errno::ENOMEM)?,
        };
        if !addr.is_multiple_of(PAGE_SIZE) || addr < USER_START || addr >= hal::paging::USER_END {
            return Err(Errno::EINVAL);
        }
        if addr >= USER_END {
            return self.table.map(addr, frame, prot).map(|()| addr).map_err(|_| Errno::ENOMEM);
        }
        if map.areas.len() >= AREAS_MAX {
            return Err(Errno::ENOMEM);
        }
        let write = if prot.writable() { PROT_WRITE } else { 0 };
        let exec = if prot.executable() { PROT_EXEC } else { 0 };
        let area = Area {
            access: Access::from_prot(PROT_READ | write | exec),
            shared: true,
            may_write: prot.writable(),
            private_pages: false,
            on_fork: OnFork::Omit,
            backing: Backing::Kernel(frame.clone()),
        };
        if map.areas.insert(addr..addr + PAGE_SIZE, area).is_err() {
            return Err(Errno::EEXIST);
        }
        if self.table.map(addr, frame, prot).is_err() {
            let removed = map.areas.remove(addr..addr + PAGE_SIZE);
            drop(map);
            drop(removed);
            return Err(Errno::ENOMEM);
        }
        Ok(addr)
    }

    /// Removes a page that [`Space::map_page`] mapped, if it is still there.
    pub fn unmap_page(&self, addr: usize) {
        let mut map = self.map.lock();
        if !matches!(map.areas.get(addr), Some((range, Area { backing: Backing::Kernel(_), .. })) if range.start == addr)
        {
            return;
        }
        let removed = self.remove(&mut map, addr..addr + PAGE_SIZE);
        drop(map);
        drop(removed);
    }

    /// The frame behind a page of this space, which need not be the current one, for reading: faulted in.
    ///
    /// EFAULT: nothing there that allows it, or device memory; ENOMEM. May wait for a pager.
    pub fn pin(&self, addr: usize) -> Result<Frame> {
        let page = addr & !(PAGE_SIZE - 1);
        loop {
            if let Some((frame, prot)) = self.table.lookup(page)
                && prot.readable()
            {
                return Ok(frame);
            }
            self.fault(page, false, false).map_err(FaultError::errno)?;
            if self.is_device(page) {
                return Err(Errno::EFAULT);
            }
        }
    }

    /// Has `write` fill the frame behind a page of this space: faulted in, made private for writing. What is written to a shared mapping of
    /// a paged object counts as dirty whatever the pager did meanwhile, and is written once more if the page left the object.
    ///
    /// Errors as for [`Space::pin`], and those of `write`.
    pub fn write_pinned(&self, addr: usize, mut write: impl FnMut(&Frame) -> Result<()>) -> Result<()> {
        let page = addr & !(PAGE_SIZE - 1);
        loop {
            let Some((frame, owner)) = self.writable_frame(page) else {
                self.fault(page, true, false).map_err(FaultError::errno)?;
                if self.is_device(page) {
                    return Err(Errno::EFAULT);
                }
                continue;
            };
            write(&frame)?;
            match owner {
                Some((object, index)) if !object.settle_write(index, &frame) => {}
                _ => return Ok(()),
            }
        }
    }

    /// The frame of a page that can be written to now, and the paged object and index that it has to be settled with.
    fn writable_frame(&self, page: usize) -> Option<(Frame, Option<(Arc<MemoryObject>, u64)>)> {
        let map = self.map.lock();
        let (frame, prot) = self.table.lookup(page)?;
        if !prot.writable() {
            return None;
        }
        let owner = match map.areas.get(page) {
            Some((range, Area { shared: true, backing: Backing::Object(view), .. })) if view.object().is_paged() => {
                Some((view.object().clone(), view.first + ((page - range.start) / PAGE_SIZE) as u64))
            }
            _ => None,
        };
        Some((frame, owner))
    }

    /// `addr` is in a mapping of device memory.
    pub(super) fn is_device(&self, addr: usize) -> bool {
        let map = self.map.lock();
        matches!(map.areas.get(addr), Some((_, Area { backing: Backing::Object(view), .. })) if view.object().is_device())
    }

    /// What identifies the futex at `addr`. `shared`: other processes may have it mapped too. EFAULT: nothing is mapped there.
    pub fn futex_key(&self, addr: usize, shared: bool) -> Result<FutexKey> {
        let private = FutexKey::Private { space: self.id, addr };
        if !shared {
            return Ok(private);
        }
        let map = self.map.lock();
        match map.areas.get(addr) {
            None => Err(Errno::EFAULT),
            Some((range, Area { shared: true, backing: Backing::Object(view), .. })) => Ok(FutexKey::Shared {
                object: view.object().id(),
                offset: view.first * PAGE + (addr - range.start) as u64,
            }),
            Some(_) => Ok(private),
        }
    }

    /// How large it is.
    pub fn usage(&self) -> SpaceUsage {
        SpaceUsage {
            virtual_pages: self.map.lock().areas.covered() / PAGE_SIZE,
            resident_pages: self.table.resident(),
            charged_pages: self.account.used(),
        }
    }

    /// Tells of each area in order. `each` runs without locks.
    pub fn areas(&self, each: &mut dyn FnMut(AreaInfo)) {
        let mut at = 0;
        loop {
            let part: Vec<AreaInfo> =
                self.map.lock().areas.overlapping(at..usize::MAX).take(super::CHUNK).map(describe).collect();
            let Some(last) = part.last() else { return };
            at = last.end;
            part.into_iter().for_each(&mut *each);
        }
    }

    /// Frees everything, at the process's end: no thread uses the space any more.
    pub fn clear(&self) {
        let mut map = self.map.lock();
        let areas: Vec<(Range<usize>, Area)> = map.areas.take().collect();
        map.search_from = map.top;
        drop(map);
        for (range, area) in areas {
            let mut steps = Steps::new(range);
            while let Some(part) = steps.next() {
                let mut freed = 0;
                self.table.unmap(part.start, part.len() / PAGE_SIZE, &mut |_, frame, _| {
                    freed += 1;
                    drop(frame);
                });
                steps.done(freed);
            }
            drop(area);
        }
        self.table.unmap(USER_END, (hal::paging::USER_END - USER_END) / PAGE_SIZE, &mut |_, frame, _| drop(frame));
        self.account.clear_private();
    }

    /// Takes areas out of the map and their pages out of the page table. The caller drops the areas once the lock is gone.
    #[must_use]
    pub(super) fn remove(&self, map: &mut Map, range: Range<usize>) -> Vec<(Range<usize>, Area)> {
        let removed = map.areas.remove(range.clone());
        for (piece, area) in &removed {
            self.drop_pages(piece.clone(), piece.start, area);
        }
        if range.end > map.search_from {
            map.search_from = map.top;
        }
        removed
    }

    /// Takes the pages of `part` of an area that starts at `start` out of the page table; returns how many there were.
    pub(super) fn drop_pages(&self, part: Range<usize>, start: usize, area: &Area) -> usize {
        let mut freed = 0;
        let mut private = 0;
        self.table.unmap(part.start, part.len() / PAGE_SIZE, &mut |va, frame, _| {
            freed += 1;
            private += usize::from(area.is_private_page(va - start, &frame));
            drop(frame);
        });
        self.account.release(super::account::Kind::Private, private);
        freed
    }
}

impl Map {
    /// A place for `len` bytes: the highest below `top`, else above it.
    pub(super) fn find_gap(&mut self, len: usize, top: usize) -> Option<usize> {
        if top == self.top {
            let found = self.areas.find_gap(len, USER_START..self.search_from);
            if let Some(start) = found {
                self.search_from = start;
                return found;
            }
        }
        let below = self.areas.find_gap(len, USER_START..top);
        below.or_else(|| if top == self.top { self.areas.find_gap(len, top..USER_END) } else { None })
    }

    /// Where chosen addresses end.
    pub(super) fn top(&self) -> usize {
        self.top
    }
}

impl Area {
    /// A page of this area, `offset` bytes from its start, is charged to the space as its own.
    pub(super) fn is_private_page(&self, offset: usize, frame: &Frame) -> bool {
        match &self.backing {
            Backing::Anonymous => true,
            Backing::Object(view) => {
                self.private_pages && !self.shared && !view.object().holds(view.first + offset as u64 / PAGE, frame)
            }
            Backing::Kernel(_) => false,
        }
    }
}

/// Where mappings begin: random, but the same in all spaces until the next boot. A library is then at the same address in every process,
/// as on macOS and Windows, and an emulator's translation of it (QEMU's TCG, which knows code by its virtual address) serves all of them:
/// with an address for each process, a spawn takes ten times as long there.
fn boot_top() -> usize {
    static TOP: Once<usize> = Once::new();
    if TOP.get().is_none() {
        let random = (hal::random::entropy() as usize & ((1 << RANDOM_BITS) - 1)) * PAGE_SIZE;
        // Another CPU may have been faster; its choice counts then.
        let _ = TOP.set(USER_END - TOP_GAP - random);
    }
    TOP.get().copied().unwrap_or(USER_END - TOP_GAP)
}

fn describe((range, area): (Range<usize>, &Area)) -> AreaInfo {
    let (offset, object, path) = match &area.backing {
        Backing::Object(view) => {
            let path = view.file.as_ref().and_then(|file| file.path()).map(<[u8]>::to_vec);
            (view.file_page * PAGE, view.object().id(), path)
        }
        Backing::Anonymous | Backing::Kernel(_) => (0, 0, None),
    };
    AreaInfo {
        start: range.start,
        end: range.end,
        prot: area.access.bits(),
        shared: area.shared,
        offset,
        object,
        path,
        kernel: matches!(area.backing, Backing::Kernel(_)),
    }
}

/// Goes through a range of addresses in steps that hold few pages each: larger ones where there is little. Lets interrupts in after
/// each step that does not end the range, so no spin lock may be held then.
pub(super) struct Steps {
    range: Range<usize>,
    pages: usize,
}

impl Steps {
    /// The largest step, in pages: 64 GiB. One that is full by surprise takes as long as its pages, of which there are not that many.
    const MAX: usize = 1 << 24;

    pub(super) fn new(range: Range<usize>) -> Steps {
        Steps { range, pages: 512 }
    }

    /// The next step, up to a multiple of its size.
    pub(super) fn next(&mut self) -> Option<Range<usize>> {
        if self.range.start >= self.range.end {
            return None;
        }
        let step = self.pages * PAGE_SIZE;
        let end = self.range.end.min((self.range.start / step + 1).saturating_mul(step));
        let part = self.range.start..end;
        self.range.start = end;
        Some(part)
    }

    /// Nothing is of interest before `addr`.
    pub(super) fn skip_to(&mut self, addr: usize) {
        self.range.start = self.range.start.max(addr.min(self.range.end));
    }

    /// The step met so many pages.
    pub(super) fn done(&mut self, pages: usize) {
        self.pages = if pages < super::CHUNK / 2 { (self.pages * 4).min(Self::MAX) } else { 512 };
        if self.range.start < self.range.end {
            hal::cpu::poll_interrupts();
        }
    }
}

/// An address space under construction, as a file: SPACE_CREATE's.
pub struct SpaceFile(SpinLock<Option<Arc<Space>>>);

impl SpaceFile {
    /// For a new space.
    pub fn new(space: Arc<Space>) -> SpaceFile {
        SpaceFile(SpinLock::new(Some(space)))
    }

    /// Takes the space out, for a process to run in. EINVAL if it was taken before.
    pub fn take(&self) -> Result<Arc<Space>> {
        self.0.lock().take().ok_or(Errno::EINVAL)
    }

    /// The space, to fill it. EINVAL if it was taken.
    pub fn space(&self) -> Result<Arc<Space>> {
        self.0.lock().clone().ok_or(Errno::EINVAL)
    }
}

impl Object for SpaceFile {
    fn kind(&self) -> &'static str {
        "address space"
    }
}

impl Drop for SpaceFile {
    fn drop(&mut self) {
        if let Some(space) = self.0.get_mut().take() {
            space.clear();
        }
    }
}

/// The memory object that `file` maps (slices resolved), its first page, and where it ends.
pub(super) fn object_of(file: &File, writable: bool) -> Result<(Arc<MemoryObject>, u64, u64)> {
    Ok(file.object.memory(file, writable)?.root())
}
