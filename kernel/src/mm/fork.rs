//! fork: a copy-on-write copy of an address space.

use super::account::Account;
use super::area::{Area, Backing, OnFork};
use super::space::{Space, Steps};
use super::{CHUNK, PAGE_SIZE};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use ochre_abi::{Errno, Result};

impl Space {
    /// A copy. Private pages are shared read-only from here on until one side writes; pages of objects come back by faults; pages
    /// that the kernel shares with this process alone are left out.
    ///
    /// If other threads change the map meanwhile, the copy may have some of their changes and not others.
    pub fn fork(&self) -> Result<Arc<Space>> {
        let top = self.map.lock().top();
        let child = Space::with_top(top)?;
        Account::inherit(child.account(), self.account());
        let mut at = 0;
        loop {
            let mut shared = Vec::new();
            let Some(end) = self.copy_areas(at, &child, &mut shared)? else { return Ok(child) };
            for range in shared {
                self.share_pages(range, &child)?;
            }
            at = end;
        }
    }

    /// Copies up to a chunk of areas from `at` on. Returns where it ended, and in `shared` the areas that may have private pages.
    fn copy_areas(&self, at: usize, child: &Arc<Space>, shared: &mut Vec<Range<usize>>) -> Result<Option<usize>> {
        if !super::reclaim::has_room() {
            return Err(Errno::ENOMEM);
        }
        let map = self.map.lock();
        // Nobody else knows the child.
        let mut copy = child.map.lock();
        let mut end = None;
        let mut refused = Vec::new();
        for (range, area) in map.areas.overlapping(at..usize::MAX).take(CHUNK) {
            end = Some(range.end);
            let Some(new) = inherited(area, child) else { continue };
            if new.private_pages {
                shared.push(range.clone());
            }
            // An area that another thread has joined to one copied before overlaps it; the child has the older state then.
            refused.extend(copy.areas.push(range, new).err());
        }
        // Areas hold files, which are given up without locks.
        drop((copy, map));
        drop(refused);
        Ok(end)
    }

    /// Shares the private pages of a range with the child.
    fn share_pages(&self, range: Range<usize>, child: &Space) -> Result<()> {
        let mut steps = Steps::new(range);
        while let Some(part) = steps.next() {
            let map = self.map.lock();
            let shared = self.pages().share_readonly(child.pages(), part.start, part.len() / PAGE_SIZE);
            drop(map);
            steps.done(shared.map_err(|_| Errno::ENOMEM)?);
        }
        Ok(())
    }
}

/// What the child gets of an area.
fn inherited(area: &Area, child: &Space) -> Option<Area> {
    match (area.on_fork, &area.backing) {
        (OnFork::Omit, _) | (_, Backing::Kernel(_)) => None,
        (OnFork::Copy, _) => Some(area.for_space(child.id(), child.weak())),
        (OnFork::Wipe, _) => Some(Area { private_pages: false, ..area.for_space(child.id(), child.weak()) }),
    }
}
