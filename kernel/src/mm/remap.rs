//! Moving and resizing mappings: mremap(2).

use super::area::{Area, Backing};
use super::map::{Limits, user_range};
use super::space::{Space, Steps};
use super::{PAGE, PAGE_SIZE, round_up};
use alloc::vec::Vec;
use core::ops::Range;
use hal::mem::Frame;
use ochre_abi::layout::{USER_END, USER_START};
use ochre_abi::memory::{MREMAP_FIXED, MREMAP_MAYMOVE};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

impl Space {
    /// mremap(2), with its errors; MREMAP_DONTUNMAP is EINVAL. Nothing is copied: page-table entries move.
    pub fn mremap(
        &self,
        addr: u64,
        old_len: u64,
        new_len: u64,
        flags: u64,
        new_addr: u64,
        limits: &Limits,
    ) -> Result<usize> {
        let fixed = flags & MREMAP_FIXED != 0;
        if flags & !(MREMAP_FIXED | MREMAP_MAYMOVE) != 0
            || fixed && flags & MREMAP_MAYMOVE == 0
            || !addr.is_multiple_of(PAGE)
        {
            return Err(Errno::EINVAL);
        }
        let new_len = round_up(new_len).filter(|len| *len > 0 && *len <= USER_END).ok_or(Errno::EINVAL)?;
        let target = if fixed {
            let range = user_range(new_addr, new_len as u64).ok_or(Errno::EINVAL)?;
            if range.start < USER_START {
                return Err(Errno::EPERM);
            }
            Some(range)
        } else {
            None
        };
        if !super::reclaim::has_room() {
            return Err(Errno::ENOMEM);
        }
        if old_len == 0 {
            return self.duplicate(addr, new_len, target, flags & MREMAP_MAYMOVE != 0, limits);
        }
        let mut old = user_range(addr, old_len).ok_or(Errno::EINVAL)?;
        if target.as_ref().is_some_and(|target| target.start < old.end && old.start < target.end) {
            return Err(Errno::EINVAL);
        }
        let kept = self.check_movable(&old)?;
        if old.len() > new_len {
            self.unmap(old.start + new_len..old.end)?;
            old.end = old.start + new_len;
        }
        match target {
            None if old.len() == new_len => Ok(old.start),
            None if self.grow_in_place(&old, new_len, &kept, limits)? => Ok(old.start),
            None if flags & MREMAP_MAYMOVE == 0 => Err(Errno::ENOMEM),
            target => self.move_to(old, new_len, target, limits),
        }
    }

    /// The area of a range that can be moved. EFAULT: the range is not within one area; EINVAL: it is a page of the kernel's.
    fn check_movable(&self, old: &Range<usize>) -> Result<Range<usize>> {
        let map = self.map.lock();
        let (found, area) = map.areas.get(old.start).ok_or(Errno::EFAULT)?;
        if old.end > found.end {
            return Err(Errno::EFAULT);
        }
        if matches!(area.backing, Backing::Kernel(_)) {
            return Err(Errno::EINVAL);
        }
        Ok(found)
    }

    /// Makes the area longer if it ends where the range does and there is room behind. False if not.
    fn grow_in_place(&self, old: &Range<usize>, new_len: usize, area: &Range<usize>, limits: &Limits) -> Result<bool> {
        let Some(end) = old.start.checked_add(new_len).filter(|end| *end <= USER_END) else { return Ok(false) };
        if area.end != old.end {
            return Ok(false);
        }
        let mut map = self.map.lock();
        let (found, present) = map.areas.get(old.start).ok_or(Errno::EFAULT)?;
        if found.end != old.end || map.areas.overlapping(old.end..end).next().is_some() {
            return Ok(false);
        }
        let data = present.is_data();
        let more = present.at(old.end - found.start);
        let result = map.check_limits(end - old.end, data, limits);
        let refused = match result {
            Ok(()) => map.areas.insert(old.end..end, more).err(),
            Err(_) => Some(more),
        };
        drop(map);
        drop(refused);
        result.map(|()| true)
    }

    /// Moves a range to `target`, or to where there is room.
    fn move_to(
        &self,
        old: Range<usize>,
        new_len: usize,
        target: Option<Range<usize>>,
        limits: &Limits,
    ) -> Result<usize> {
        if let Some(target) = &target {
            self.unmap(target.clone())?;
        }
        let mut map = self.map.lock();
        let (found, area) = map.areas.get(old.start).ok_or(Errno::EFAULT)?;
        if old.end > found.end {
            return Err(Errno::EFAULT);
        }
        let copy = area.at(old.start - found.start);
        let (data, source) = (area.is_data(), old.len());
        let placed = map.check_limits(new_len - source.min(new_len), data, limits).and_then(|()| match &target {
            Some(target) => Ok(target.start),
            None => {
                let top = map.top();
                map.find_gap(new_len, top).ok_or(Errno::ENOMEM)
            }
        });
        let (result, refused) = match placed {
            Ok(start) => match map.areas.insert(start..start + new_len, copy) {
                Ok(()) => (Ok(start), None),
                Err(refused) => (Err(Errno::ENOMEM), Some(refused)),
            },
            Err(error) => (Err(error), Some(copy)),
        };
        drop(map);
        drop(refused);
        let start = result?;
        if let Err(error) = self.move_pages(old.clone(), start) {
            // Back to where it was; tables are there, so that nothing can fail for want of memory.
            let _ = self.move_pages(start..start + old.len(), old.start);
            self.unmap(start..start + new_len)?;
            return Err(error);
        }
        self.unmap(old)?;
        Ok(start)
    }

    /// Moves page-table entries. ENOMEM: some have moved, and some not.
    fn move_pages(&self, from: Range<usize>, to: usize) -> Result<()> {
        let base = from.start;
        let mut steps = Steps::new(from);
        while let Some(part) = steps.next() {
            let mut taken: Vec<(usize, Frame)> = Vec::new();
            let mut failed = Vec::new();
            let map = self.map.lock();
            let target = to + (part.start - base);
            if let Some((found, area)) = map.areas.get(target)
                && part.len() <= found.end - target
            {
                self.pages().unmap(part.start, part.len() / PAGE_SIZE, &mut |va, frame, _| taken.push((va, frame)));
                let moved = taken.len();
                for (va, frame) in taken {
                    let prot = area.access.prot(writes_at_once(area, &frame));
                    if failed.is_empty() && self.pages().map(to + (va - base), frame.clone(), prot).is_ok() {
                        continue;
                    }
                    failed.push((va, frame));
                }
                for (va, frame) in &failed {
                    // Where it came from, the table exists.
                    let _ = self.pages().map(*va, frame.clone(), area.access.prot(false));
                }
                drop(map);
                if !failed.is_empty() {
                    return Err(Errno::ENOMEM);
                }
                steps.done(moved);
            } else {
                // Another thread has unmapped the target meanwhile; its pages follow it.
                drop(map);
                steps.done(0);
            }
        }
        Ok(())
    }

    /// An old length of zero: a second mapping of the same part of a shared object.
    fn duplicate(
        &self,
        addr: u64,
        len: usize,
        target: Option<Range<usize>>,
        may_move: bool,
        limits: &Limits,
    ) -> Result<usize> {
        let addr = usize::try_from(addr).map_err(|_| Errno::EFAULT)?;
        if !may_move {
            return Err(Errno::ENOMEM);
        }
        if let Some(target) = &target {
            self.unmap(target.clone())?;
        }
        let mut map = self.map.lock();
        let (found, area) = map.areas.get(addr).ok_or(Errno::EFAULT)?;
        if !area.shared || matches!(area.backing, Backing::Kernel(_)) {
            return Err(Errno::EINVAL);
        }
        let copy = area.at(addr - found.start);
        let result = map.check_limits(len, false, limits).and_then(|()| match &target {
            Some(target) => Ok(target.start),
            None => {
                let top = map.top();
                map.find_gap(len, top).ok_or(Errno::ENOMEM)
            }
        });
        let (result, refused) = match result {
            Ok(start) => match map.areas.insert(start..start + len, copy) {
                Ok(()) => (Ok(start), None),
                Err(refused) => (Err(Errno::ENOMEM), Some(refused)),
            },
            Err(error) => (Err(error), Some(copy)),
        };
        drop(map);
        drop(refused);
        result
    }
}

/// The page can be writable without a fault first: it is written through to the object freely, or private and nobody else's.
fn writes_at_once(area: &Area, frame: &Frame) -> bool {
    match &area.backing {
        Backing::Object(view) if area.shared => !view.object().is_paged(),
        Backing::Anonymous | Backing::Object(_) => frame.is_unique(),
        Backing::Kernel(_) => false,
    }
}
