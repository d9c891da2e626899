//! An object changes: its pages leave the address spaces that map it, or become read-only there.

use super::PAGE_SIZE;
use super::area::{Area, Backing, View};
use super::object::MemoryObject;
use super::space::{Map, Space, Steps};
use alloc::vec::Vec;
use core::ops::Range;
use hal::mem::Frame;
use ochre_hal as hal;

/// The area, if it shows `object`.
fn view<'a>(area: &'a Area, object: &MemoryObject) -> Option<&'a View> {
    match &area.backing {
        Backing::Object(view) if core::ptr::eq(&**view.object(), object) => Some(view),
        _ => None,
    }
}

/// Where the area at `range` shows these pages of its object; empty if it does not.
fn addresses(range: &Range<usize>, view: &View, pages: &Range<u64>) -> Range<usize> {
    let len = ((range.end - range.start) / PAGE_SIZE) as u64;
    let offset = |page: u64| page.saturating_sub(view.first).min(len) as usize * PAGE_SIZE;
    range.start + offset(pages.start)..range.start + offset(pages.end)
}

impl Space {
    /// Unmaps pages of an object, private copies too: they are cut off.
    pub(super) fn forget_object_pages(&self, object: &MemoryObject, pages: Range<u64>) {
        self.in_steps(object, pages, |space, part, start, area| space.drop_pages(part, start, area));
    }

    /// Takes writing away from pages of an object, so that the next write faults.
    pub(super) fn write_protect(&self, object: &MemoryObject, pages: Range<u64>) {
        self.in_steps(object, pages, |space, part, _, area| {
            if area.shared {
                space.pages().clean(part.start, part.len() / PAGE_SIZE, &mut |_| {});
            }
            // `clean` looks at all entries, so keep the steps small.
            part.len() / PAGE_SIZE
        });
    }

    /// Runs `work` for each part of an area that shows these pages, with the map's lock held.
    fn in_steps(
        &self,
        object: &MemoryObject,
        pages: Range<u64>,
        work: impl Fn(&Space, Range<usize>, usize, &Area) -> usize,
    ) {
        for range in self.showing(object, &pages) {
            let mut steps = Steps::new(range);
            while let Some(part) = steps.next() {
                let mut met = 0;
                let map = self.map.lock();
                // The map may have changed while interrupts were let in: look again.
                for (range, area) in map.areas.overlapping(part.clone()) {
                    if let Some(view) = view(area, object) {
                        let shown = addresses(&range, view, &pages);
                        let clipped = shown.start.max(part.start)..shown.end.min(part.end);
                        if clipped.start < clipped.end {
                            met += work(self, clipped, range.start, area);
                        }
                    }
                }
                drop(map);
                steps.done(met);
            }
        }
    }

    /// Unmaps exactly these pages of an object, given in order; private copies of them stay.
    pub(super) fn forget_exact(&self, object: &MemoryObject, evicted: &[(u64, Frame)]) {
        self.each_mapped(object, evicted, &mut |run| {
            self.pages().unmap(run.start, run.len() / PAGE_SIZE, &mut |_, frame, _| drop(frame));
        });
    }

    /// Takes those pages off the list that were accessed through a mapping here since this was asked last.
    pub(super) fn keep_used(&self, object: &MemoryObject, pages: &mut Vec<(u64, Frame)>) {
        let map = self.map.lock();
        let views: Vec<(Range<usize>, u64)> =
            map.areas.iter().filter_map(|(range, area)| Some((range, view(area, object)?.first))).collect();
        pages.retain(|(index, frame)| {
            !views.iter().any(|(range, first)| {
                let at = index.checked_sub(*first).and_then(|page| range.start.checked_add(page as usize * PAGE_SIZE));
                at.is_some_and(|at| range.contains(&at) && self.pages().take_accessed(at, frame))
            })
        });
    }

    /// Calls `each` for the address ranges where these pages of an object are mapped, with the map's lock held.
    fn each_mapped(&self, object: &MemoryObject, pages: &[(u64, Frame)], each: &mut dyn FnMut(Range<usize>)) {
        let (Some(first), Some(last)) = (pages.first(), pages.last()) else { return };
        let all = first.0..last.0 + 1;
        let map = self.map.lock();
        for (range, area) in map.areas.iter() {
            let Some(view) = view(area, object) else { continue };
            if addresses(&range, view, &all).is_empty() {
                continue;
            }
            let mut run: Range<usize> = 0..0;
            for (index, frame) in pages {
                let shown = addresses(&range, view, &(*index..index + 1));
                let mapped =
                    !shown.is_empty() && self.pages().lookup(shown.start).is_some_and(|(mapped, _)| mapped.same(frame));
                if !mapped {
                    continue;
                }
                if run.end == shown.start {
                    run.end = shown.end;
                } else {
                    let done = core::mem::replace(&mut run, shown);
                    if !done.is_empty() {
                        each(done);
                    }
                }
            }
            if !run.is_empty() {
                each(run);
            }
        }
    }

    /// Where in this space these pages of an object are.
    fn showing(&self, object: &MemoryObject, pages: &Range<u64>) -> Vec<Range<usize>> {
        let collect = |map: &Map| {
            let ranges =
                map.areas.iter().filter_map(|(range, area)| Some(addresses(&range, view(area, object)?, pages)));
            ranges.filter(|range| !range.is_empty()).collect()
        };
        collect(&self.map.lock())
    }
}
