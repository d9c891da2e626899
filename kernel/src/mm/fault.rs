//! Page faults: demand paging and copy-on-write.

use super::account::Kind as Charge;
use super::area::{Access, Area, Backing, View};
use super::object::{Kind, MemoryObject, Page};
use super::space::Space;
use super::{PAGE, PAGE_SIZE, reclaim};
use crate::thread;
use alloc::sync::Arc;
use core::ops::Range;
use hal::mem::Frame;
use hal::paging::{Claim, OutOfMemory, Prot};
use ochre_abi::Errno;
use ochre_hal as hal;

/// Why an access is not possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultError {
    /// Nothing is mapped there: SIGSEGV, SEGV_MAPERR.
    NoMapping,
    /// The mapping does not allow it: SIGSEGV, SEGV_ACCERR.
    Protection,
    /// Behind the end of the object, or its pager failed: SIGBUS.
    Bus,
    /// No memory, or the process is at its limit.
    OutOfMemory,
}

impl FaultError {
    /// As a syscall that was given the address reports it: ENOMEM or EFAULT.
    pub fn errno(self) -> Errno {
        match self {
            FaultError::OutOfMemory => Errno::ENOMEM,
            FaultError::NoMapping | FaultError::Protection | FaultError::Bus => Errno::EFAULT,
        }
    }
}

impl From<OutOfMemory> for FaultError {
    fn from(_: OutOfMemory) -> Self {
        FaultError::OutOfMemory
    }
}

type Result<T> = core::result::Result<T, FaultError>;

/// What remains to be done without the lock.
enum Step {
    Done,
    /// The page has to be brought in first.
    Fetch(Arc<MemoryObject>, u64),
    /// The object's pager has too many dirty pages.
    Wait(Arc<MemoryObject>),
    /// Done, and the object's pager is to hear of it.
    Tell(Arc<MemoryObject>),
}

/// A read fault maps up to so many pages of an object that are present anyway, aligned to as many.
const AROUND: usize = 16;
/// A fault in device memory maps the surrounding pages in one go, aligned to as many.
const DEVICE_AROUND: usize = 512;

/// One access.
struct Attempt {
    /// Address of the page.
    page: usize,
    write: bool,
    exec: bool,
    /// Write whatever the protection says, if that does not reach an object.
    force: bool,
    /// For a pager, on which others wait: it may have memory from below the reserve.
    urgent: bool,
}

impl Space {
    /// Makes the page at `addr` accessible for reading, writing or executing. May wait for a pager.
    pub fn fault(&self, addr: usize, write: bool, exec: bool) -> Result<()> {
        self.resolve(Attempt { page: addr & !(PAGE_SIZE - 1), write, exec, force: false, urgent: false })
    }

    /// The frame behind a page, to be filled before a program runs in the space: whatever its protection is, private pages can be
    /// written, and become the space's own.
    pub(super) fn pin_for_writing(&self, addr: usize) -> ochre_abi::Result<Frame> {
        let page = addr & !(PAGE_SIZE - 1);
        loop {
            let attempt = Attempt { page, write: true, exec: false, force: true, urgent: false };
            self.resolve(attempt).map_err(FaultError::errno)?;
            if self.is_device(page) {
                return Err(Errno::EFAULT);
            }
            if let Some((frame, _)) = self.pages().lookup(page) {
                return Ok(frame);
            }
        }
    }

    fn resolve(&self, mut access: Attempt) -> Result<()> {
        reclaim::balance();
        loop {
            match self.try_fault(&access) {
                Ok(Step::Done) => return Ok(()),
                Ok(Step::Tell(object)) => {
                    object.tell_pager();
                    return Ok(());
                }
                Ok(Step::Fetch(object, index)) => object.bring_in(index).map_err(|error| match error {
                    Errno::ENOMEM => FaultError::OutOfMemory,
                    _ => FaultError::Bus,
                })?,
                // Only a thread that is to end gets an error: it does not go on.
                Ok(Step::Wait(object)) => object.wait_to_write().map_err(|_| FaultError::Bus)?,
                Err(FaultError::OutOfMemory) if reclaim::make_room() => {}
                Err(FaultError::OutOfMemory) if !access.urgent && thread::is_pager() => access.urgent = true,
                Err(error) => return Err(error),
            }
        }
    }

    fn try_fault(&self, access: &Attempt) -> Result<Step> {
        let mut map = self.map.lock();
        let (range, area) = map.areas.get_mut(access.page).ok_or(FaultError::NoMapping)?;
        if !area.access.allows(access.write, access.exec) && (!access.force || area.shared) {
            return Err(FaultError::Protection);
        }
        match &area.backing {
            Backing::Anonymous => {
                self.fault_anonymous(access, area.access)?;
                area.private_pages = true;
                Ok(Step::Done)
            }
            Backing::Object(view) if area.shared => self.fault_shared(access, range, area.access, view),
            Backing::Object(view) => {
                let (step, copied) = self.fault_private(access, range, area, view)?;
                area.private_pages |= copied;
                Ok(step)
            }
            Backing::Kernel(frame) => {
                self.pages().map(access.page, frame.clone(), area.access.prot(true))?;
                Ok(Step::Done)
            }
        }
    }

    fn fault_anonymous(&self, access: &Attempt, rights: Access) -> Result<()> {
        match self.pages().lookup(access.page) {
            None => {
                let frame = self.charged(if access.urgent { Frame::alloc_urgent } else { Frame::alloc_zeroed })?;
                self.map_charged(access.page, frame, rights.prot(true))
            }
            Some((frame, prot)) => {
                drop(frame);
                self.upgrade(access, rights, prot)
            }
        }
    }

    /// A private page that is there but does not allow the access: gives the rights, after making a copy if it is shared.
    fn upgrade(&self, access: &Attempt, rights: Access, now: Prot) -> Result<()> {
        if access.write && !now.writable() {
            return self.make_unique(access.page, rights.prot(true));
        }
        if now.without_write() != rights.prot(false).without_write() && !now.writable() {
            self.pages().protect(access.page, 1, rights.prot(false));
        }
        // Else another thread has resolved it meanwhile, or this CPU's TLB was behind.
        Ok(())
    }

    /// Makes a private page writable: as it is if nobody shares it any more, else a copy.
    fn make_unique(&self, page: usize, prot: Prot) -> Result<()> {
        match self.pages().claim(page, prot) {
            Claim::Granted | Claim::Absent => Ok(()),
            Claim::Shared(old) => {
                // Until the copy stands in the table, others read the old page, and who writes waits for the map's lock.
                let new = Frame::alloc_for_overwrite().ok_or(FaultError::OutOfMemory)?;
                new.copy_from(0, &old, 0, PAGE_SIZE);
                Ok(self.pages().map(page, new, prot)?)
            }
        }
    }

    /// Returns also whether the area has a private page now.
    fn fault_private(&self, access: &Attempt, range: Range<usize>, area: &Area, view: &View) -> Result<(Step, bool)> {
        let object = view.object();
        let index = view.index(access.page - range.start)?;
        if let Some((frame, prot)) = self.pages().lookup(access.page) {
            if access.write && !prot.writable() && object.holds(index, &frame) {
                self.copy_in(access.page, &frame, area.access)?;
                return Ok((Step::Done, true));
            }
            drop(frame);
            self.upgrade(access, area.access, prot)?;
            return Ok((Step::Done, false));
        }
        match object.page(index, false) {
            Page::Absent => Ok((Step::Fetch(object.clone(), index), false)),
            Page::Beyond => Err(FaultError::Bus),
            Page::NoMemory | Page::Crowded => Err(FaultError::OutOfMemory),
            Page::Present(frame) if access.write => {
                self.copy_in(access.page, &frame, area.access)?;
                Ok((Step::Done, true))
            }
            Page::Present(frame) => {
                let prot = area.access.prot(false);
                self.pages().map(access.page, frame, prot)?;
                self.map_around(access.page, range, view, prot);
                Ok((Step::Done, false))
            }
        }
    }

    /// Maps a private copy of an object's page.
    fn copy_in(&self, page: usize, from: &Frame, rights: Access) -> Result<()> {
        let frame = self.charged(Frame::alloc_for_overwrite)?;
        frame.copy_from(0, from, 0, PAGE_SIZE);
        self.map_charged(page, frame, rights.prot(true))
    }

    fn fault_shared(&self, access: &Attempt, range: Range<usize>, rights: Access, view: &View) -> Result<Step> {
        let object = view.object();
        if let Kind::Device(device, cache) = &object.kind {
            return self.map_device(access, range, rights, view, device.phys(), *cache);
        }
        let index = view.index(access.page - range.start)?;
        match object.page(index, access.write) {
            Page::Absent => Ok(Step::Fetch(object.clone(), index)),
            Page::Beyond => Err(FaultError::Bus),
            Page::NoMemory => Err(FaultError::OutOfMemory),
            Page::Crowded => Ok(Step::Wait(object.clone())),
            Page::Present(frame) => {
                // A paged object has to hear of the first write.
                let prot = rights.prot(access.write || !object.is_paged());
                self.pages().map(access.page, frame, prot)?;
                if !access.write || !object.is_paged() {
                    self.map_around(access.page, range, view, prot);
                }
                if object.has_to_tell() {
                    return Ok(Step::Tell(object.clone()));
                }
                Ok(Step::Done)
            }
        }
    }

    /// Maps neighbours of a page that the object has and the table has not. It is only ahead of time: errors end it.
    fn map_around(&self, page: usize, range: Range<usize>, view: &View, prot: Prot) {
        let start = (page & !(AROUND * PAGE_SIZE - 1)).max(range.start);
        let end = ((page | (AROUND * PAGE_SIZE - 1)) + 1).min(range.end);
        if end - start <= PAGE_SIZE {
            return;
        }
        let first = view.first + ((start - range.start) / PAGE_SIZE) as u64;
        let last = first.saturating_add(((end - start) / PAGE_SIZE) as u64).min(view.end);
        let mut found: [Option<Frame>; AROUND] = [const { None }; AROUND];
        view.object()
            .each_present(first..last, &mut |index, frame| found[(index - first) as usize] = Some(frame.clone()));
        for (n, frame) in found.into_iter().enumerate() {
            let va = start + n * PAGE_SIZE;
            let Some(frame) = frame.filter(|_| va != page) else { continue };
            if self.pages().lookup(va).is_none() && self.pages().map(va, frame, prot).is_err() {
                return;
            }
        }
    }

    fn map_device(
        &self,
        access: &Attempt,
        range: Range<usize>,
        rights: Access,
        view: &View,
        phys: u64,
        cache: hal::paging::Cache,
    ) -> Result<Step> {
        let index = view.index(access.page - range.start)?;
        let last = super::pages_of(view.object().size()).min(view.end);
        if index >= last {
            return Err(FaultError::Bus);
        }
        let start = (access.page & !(DEVICE_AROUND * PAGE_SIZE - 1)).max(range.start);
        let end = ((access.page | (DEVICE_AROUND * PAGE_SIZE - 1)) + 1).min(range.end);
        let first = view.first + ((start - range.start) / PAGE_SIZE) as u64;
        let pages = ((end - start) / PAGE_SIZE).min((last - first) as usize);
        self.pages().map_device(start, phys + first * PAGE, pages, rights.prot(true), cache)?;
        Ok(Step::Done)
    }

    /// A new private page, on the account.
    fn charged(&self, allocate: fn() -> Option<Frame>) -> Result<Frame> {
        if !self.account().charge(Charge::Private) {
            return Err(FaultError::OutOfMemory);
        }
        allocate().ok_or_else(|| {
            self.account().release(Charge::Private, 1);
            FaultError::OutOfMemory
        })
    }

    /// Maps such a page; takes the charge back if that fails.
    fn map_charged(&self, page: usize, frame: Frame, prot: Prot) -> Result<()> {
        self.pages().map(page, frame, prot).map_err(|error| {
            self.account().release(Charge::Private, 1);
            error.into()
        })
    }
}

impl View {
    /// The object's page at this offset in the area; Bus if the view ends before it.
    fn index(&self, offset: usize) -> Result<u64> {
        let index = self.first.checked_add(offset as u64 / PAGE).ok_or(FaultError::Bus)?;
        if index < self.end { Ok(index) } else { Err(FaultError::Bus) }
    }
}
