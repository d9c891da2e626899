//! Changing mappings where they are: mprotect(2), madvise(2), msync(2), mincore(2).

use super::area::{Access, Area, Backing, OnFork};
use super::map::user_range;
use super::space::{Space, Steps};
use super::{PAGE, PAGE_SIZE, round_up};
use crate::file::File;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use ochre_abi::call::{CallArgs, OP_SYNC};
use ochre_abi::layout::USER_END;
use ochre_abi::memory::*;
use ochre_abi::{Errno, Result};

/// PROT_GROWSDOWN and PROT_GROWSUP: no mapping here grows.
const PROT_GROWS: u64 = 0x0300_0000;
/// Advice of `asm-generic/mman-common.h` that the abi crate does not name.
const MADV_DONTFORK: u64 = 10;
const MADV_DOFORK: u64 = 11;
const MADV_MERGEABLE: u64 = 12;
const MADV_UNMERGEABLE: u64 = 13;
const MADV_HUGEPAGE: u64 = 14;
const MADV_NOHUGEPAGE: u64 = 15;
const MADV_DONTDUMP: u64 = 16;
const MADV_DODUMP: u64 = 17;
const MADV_WIPEONFORK: u64 = 18;
const MADV_KEEPONFORK: u64 = 19;
const MADV_COLD: u64 = 20;
const MADV_PAGEOUT: u64 = 21;
const MADV_POPULATE_READ: u64 = 22;
const MADV_POPULATE_WRITE: u64 = 23;
const MADV_DONTNEED_LOCKED: u64 = 24;
/// msync's flags.
const MS_ASYNC: u64 = 1;
const MS_INVALIDATE: u64 = 2;
const MS_SYNC: u64 = 4;

impl Space {
    /// mprotect(2), with its errors. Beyond Linux: EACCES for writable and executable; what was written may be made executable later.
    pub fn mprotect(&self, addr: u64, len: u64, prot: u64) -> Result<()> {
        if !addr.is_multiple_of(PAGE) || prot & !(PROT_READ | PROT_WRITE | PROT_EXEC) != 0 {
            return Err(Errno::EINVAL);
        }
        if prot & PROT_GROWS != 0 {
            return Err(Errno::EINVAL);
        }
        if len == 0 {
            return Ok(());
        }
        let range = user_range(addr, len).ok_or(Errno::ENOMEM)?;
        let access = super::map::access_of(prot)?;
        let mut map = self.map.lock();
        map.check_covered(&range)?;
        map.check_cuts(&range)?;
        for (_, area) in map.areas.overlapping(range.clone()) {
            if matches!(area.backing, Backing::Kernel(_)) || access.writable() && !area.may_write {
                return Err(Errno::EACCES);
            }
        }
        map.areas.split(range.start);
        map.areas.split(range.end);
        let mut changed = Vec::new();
        for (found, area) in map.areas.overlapping_mut(range.clone()) {
            let before = core::mem::replace(&mut area.access, access);
            if before != access {
                changed.push((found, writes_freely(area)));
            }
        }
        map.areas.join(range.clone());
        drop(map);
        for (found, write) in changed {
            self.apply(found, access, write);
        }
        Ok(())
    }

    /// Gives pages that are there the rights of their area, as far as no copy is due first.
    fn apply(&self, range: Range<usize>, access: Access, write: bool) {
        let mut steps = Steps::new(range);
        while let Some(part) = steps.next() {
            let map = self.map.lock();
            // Only where the area still has these rights: another mprotect may have come between.
            let valid: Vec<Range<usize>> = (map.areas.overlapping(part.clone()))
                .filter(|(_, area)| area.access == access)
                .map(|(found, _)| found.start.max(part.start)..found.end.min(part.end))
                .collect();
            for part in valid {
                self.pages().protect(part.start, part.len() / PAGE_SIZE, access.prot(write));
            }
            drop(map);
            steps.done(0);
        }
    }

    /// madvise(2): MADV_DONTNEED and MADV_FREE drop pages at once, MADV_WILLNEED reads ahead, the fork and populate advice acts, the rest is a hint.
    pub fn madvise(&self, addr: u64, len: u64, advice: u64) -> Result<()> {
        if !addr.is_multiple_of(PAGE) {
            return Err(Errno::EINVAL);
        }
        let len = round_up(len).ok_or(Errno::EINVAL)? as u64;
        let end = addr.checked_add(len).ok_or(Errno::EINVAL)?;
        let hint = match advice {
            MADV_NORMAL | MADV_RANDOM | MADV_SEQUENTIAL | MADV_MERGEABLE | MADV_UNMERGEABLE | MADV_HUGEPAGE
            | MADV_NOHUGEPAGE | MADV_DONTDUMP | MADV_DODUMP | MADV_COLD | MADV_PAGEOUT => true,
            MADV_WILLNEED | MADV_DONTNEED | MADV_DONTNEED_LOCKED | MADV_FREE | MADV_DONTFORK | MADV_DOFORK
            | MADV_WIPEONFORK | MADV_KEEPONFORK | MADV_POPULATE_READ | MADV_POPULATE_WRITE => false,
            _ => return Err(Errno::EINVAL),
        };
        if len == 0 {
            return Ok(());
        }
        // Holes make an error, but what is there is dealt with first.
        let range = addr as usize..(end as usize).min(USER_END);
        match advice {
            _ if hint || range.is_empty() => {}
            MADV_WILLNEED => self.will_need(range.clone()),
            MADV_DONTNEED | MADV_DONTNEED_LOCKED => self.discard(range.clone(), false)?,
            MADV_FREE => self.discard(range.clone(), true)?,
            MADV_POPULATE_READ => return self.populate(range, false),
            MADV_POPULATE_WRITE => return self.populate(range, true),
            MADV_DONTFORK => self.set_on_fork(&range, OnFork::Omit)?,
            MADV_WIPEONFORK => self.set_on_fork(&range, OnFork::Wipe)?,
            _ => self.set_on_fork(&range, OnFork::Copy)?,
        }
        if end > USER_END as u64 {
            return Err(Errno::ENOMEM);
        }
        self.map.lock().check_covered(&range)
    }

    /// MADV_WILLNEED: has the pagers of what is mapped in a range bring it in. Waits for nothing.
    fn will_need(&self, range: Range<usize>) {
        let mut wanted = Vec::new();
        for (found, area) in self.map.lock().areas.overlapping(range.clone()).take(super::CHUNK) {
            if let Backing::Object(view) = &area.backing {
                let part = found.start.max(range.start)..found.end.min(range.end);
                let first = view.first + ((part.start - found.start) / PAGE_SIZE) as u64;
                wanted.push((view.object().clone(), first * PAGE, part.len() as u64));
            }
        }
        for (object, offset, len) in wanted {
            object.will_need(offset, len);
        }
    }

    /// Drops the pages of a range. EINVAL in a page of the kernel's; with `anonymous_only` in anything but private anonymous memory.
    fn discard(&self, range: Range<usize>, anonymous_only: bool) -> Result<()> {
        let mut steps = Steps::new(range.clone());
        while let Some(part) = steps.next() {
            let map = self.map.lock();
            let mut dropped = 0;
            for (found, area) in map.areas.overlapping(part.clone()) {
                match &area.backing {
                    Backing::Anonymous => {}
                    Backing::Object(view) if !anonymous_only && !view.object().is_device() => {}
                    _ => return Err(Errno::EINVAL),
                }
                dropped += self.drop_pages(found.start.max(part.start)..found.end.min(part.end), found.start, area);
            }
            match map.areas.overlapping(part.end..range.end).next() {
                Some((next, _)) => steps.skip_to(next.start),
                None => steps.skip_to(range.end),
            }
            drop(map);
            steps.done(dropped);
        }
        Ok(())
    }

    /// What fork is to do with a range. EINVAL in a page of the kernel's, or to wipe anything but private anonymous memory.
    fn set_on_fork(&self, range: &Range<usize>, on_fork: OnFork) -> Result<()> {
        let mut map = self.map.lock();
        map.check_cuts(range)?;
        for (_, area) in map.areas.overlapping(range.clone()) {
            let possible = match &area.backing {
                Backing::Anonymous => true,
                Backing::Object(_) => on_fork != OnFork::Wipe,
                Backing::Kernel(_) => false,
            };
            if !possible {
                return Err(Errno::EINVAL);
            }
        }
        map.areas.split(range.start);
        map.areas.split(range.end);
        for (_, area) in map.areas.overlapping_mut(range.clone()) {
            area.on_fork = on_fork;
        }
        map.areas.join(range.clone());
        Ok(())
    }

    /// msync(2): with MS_SYNC, asks the servers of the mapped files to store what was written.
    pub fn msync(&self, addr: u64, len: u64, flags: u64) -> Result<()> {
        if !addr.is_multiple_of(PAGE)
            || flags & !(MS_ASYNC | MS_INVALIDATE | MS_SYNC) != 0
            || flags & MS_ASYNC != 0 && flags & MS_SYNC != 0
        {
            return Err(Errno::EINVAL);
        }
        let len = round_up(len).ok_or(Errno::ENOMEM)? as u64;
        let end = addr.checked_add(len).filter(|end| *end <= USER_END as u64).ok_or(Errno::ENOMEM)?;
        let range = addr as usize..end as usize;
        let mut at = range.start;
        while at < range.end {
            let file = {
                let map = self.map.lock();
                let (found, area) = map.areas.get(at).ok_or(Errno::ENOMEM)?;
                at = found.end;
                written_file(area)
            };
            if let Some(file) = file.filter(|_| flags & MS_SYNC != 0) {
                file.object
                    .call(&file, &CallArgs { op: u32::from(OP_SYNC), args: [1, 0, 0], ..CallArgs::default() })?;
            }
        }
        Ok(())
    }

    /// mincore(2) for a range that [`super::map::user_range`] has checked: whether each page is in memory. ENOMEM in a hole.
    pub(super) fn resident(&self, range: Range<usize>, out: &mut [u8]) -> Result<()> {
        let map = self.map.lock();
        map.check_covered(&range)?;
        for (page, out) in range.step_by(PAGE_SIZE).zip(out) {
            let cached = || match map.areas.get(page) {
                Some((found, Area { backing: Backing::Object(view), .. })) => {
                    let index = view.first + ((page - found.start) / PAGE_SIZE) as u64;
                    let mut here = false;
                    view.object().each_present(index..index.saturating_add(1), &mut |_, _| here = true);
                    here
                }
                _ => false,
            };
            *out = u8::from(self.pages().lookup(page).is_some() || cached());
        }
        Ok(())
    }
}

/// Writing to pages that are there needs no fault: neither has a copy to be made, nor does a pager want to hear of it.
fn writes_freely(area: &Area) -> bool {
    matches!(&area.backing, Backing::Object(view) if area.shared && !view.object().is_paged())
}

/// The file to be synced for an area: one that a server stores.
fn written_file(area: &Area) -> Option<Arc<File>> {
    match &area.backing {
        Backing::Object(view) if area.shared && view.object().is_paged() => view.file.clone(),
        _ => None,
    }
}
