//! Reading and writing memory objects: the path of cached file data, without a message to anyone.

use super::object::{Kind, MemoryObject, SIZE_MAX, Slot, State};
use super::{CHUNK, PAGE, PAGE_SIZE, pages_of};
use crate::user::{self, UserSlice};
use core::sync::atomic::Ordering::Relaxed;
use hal::mem::Frame;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// Where a write goes.
enum Target {
    /// Into this page of the object.
    Page(Frame),
    /// Into a new page, of which all is overwritten; it joins the object when the copy has succeeded.
    Fresh(Frame),
}

/// One page's part of a transfer.
struct Part {
    index: u64,
    within: usize,
    len: usize,
}

/// The part of `offset..offset + left` in its first page.
fn part(offset: u64, left: usize) -> Part {
    let within = (offset % PAGE) as usize;
    Part { index: offset / PAGE, within, len: left.min(PAGE_SIZE - within) }
}

impl MemoryObject {
    /// Copies to user memory, up to the end; returns bytes. May wait for a pager.
    ///
    /// EFAULT, or the pager's error, if not even one page could be copied.
    pub fn read(&self, offset: u64, to: UserSlice) -> Result<usize> {
        let len = self.size().saturating_sub(offset).min(to.len as u64) as usize;
        let mut done = 0;
        let mut pages = 0;
        while done < len {
            let Part { index, within, len: n } = part(offset + done as u64, len - done);
            let at = to.addr + done as u64;
            let copied = match self.peek(index) {
                Ok(Some(frame)) => user::frame_out(at, &frame, within, n),
                Ok(None) => user::zero(at, n),
                // Truncated meanwhile.
                Err(Errno::EINVAL) => break,
                Err(error) => Err(error),
            };
            match copied {
                Ok(()) => done += n,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
            pages += 1;
            if pages % CHUNK == 0 && super::breathe().is_err() {
                break;
            }
        }
        Ok(done)
    }

    /// The page to read from; `None`: it is a hole, all zero. EINVAL behind the end.
    fn peek(&self, index: u64) -> Result<Option<Frame>> {
        match &self.kind {
            Kind::Sparse => {
                let mut state = self.state.lock();
                if let Some(frame) = self.present(&mut state, index, false) {
                    if state.read_ahead.is_due(index) {
                        self.read_on(state);
                    }
                    return Ok(Some(frame));
                }
                drop(state);
                if !self.is_paged() {
                    return Ok(None);
                }
                self.frame(index, false).map(Some)
            }
            Kind::Slice(base, first) => base.peek(first + index),
            Kind::Fixed(_) | Kind::Device(..) => self.frame(index, false).map(Some),
        }
    }

    /// Copies from user memory; returns bytes. With `grow` the object becomes larger, else the write ends at its end.
    ///
    /// EFBIG behind the greatest size, ENOSPC if it cannot grow, ENOMEM, EFAULT or the pager's error if nothing was written.
    pub fn write(&self, offset: u64, from: UserSlice, grow: bool) -> Result<usize> {
        let grow = grow && matches!(self.kind, Kind::Sparse);
        let limit = if grow { SIZE_MAX } else { self.size() };
        if from.len == 0 {
            return Ok(0);
        }
        if offset >= limit {
            return Err(if grow { Errno::EFBIG } else { Errno::ENOSPC });
        }
        if grow && offset > self.size() {
            let state = self.state.lock();
            if state.tail_unknown {
                self.clear_tail(&state, self.size());
            }
        }
        let len = (limit - offset).min(from.len as u64) as usize;
        let mut done = 0;
        let mut pages = 0;
        while done < len {
            let part = part(offset + done as u64, len - done);
            super::reclaim::balance();
            match self.write_part(&part, from.addr + done as u64, grow) {
                Ok(()) => done += part.len,
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
            }
            pages += 1;
            if pages % CHUNK == 0 && super::breathe().is_err() {
                break;
            }
        }
        self.note_change();
        self.tell_pager();
        Ok(done)
    }

    /// A write through a handle that may extend the object up to its limit; `offset` `None`: at its end, atomically beside others. With
    /// more to write than the limit allows, `reserve` is asked for a greater one (arguments: the size, the length of the write).
    pub fn write_within_limit(
        &self,
        offset: Option<u64>,
        from: UserSlice,
        reserve: impl Fn(u64, u64) -> Result<()>,
    ) -> Result<usize> {
        let _guard = if offset.is_none() { Some(self.appending.enter()?) } else { None };
        let at = offset.unwrap_or(self.size());
        let end = at.checked_add(from.len as u64).filter(|end| *end <= i64::MAX as u64).ok_or(Errno::EFBIG)?;
        if from.len == 0 || end <= self.size() {
            return self.write(at, from, false);
        }
        let mut room = self.limit.load(Relaxed).max(self.size());
        if end > room {
            let reserved = reserve(end, from.len as u64);
            room = self.limit.load(Relaxed).max(self.size());
            if room <= at {
                return Err(reserved.err().unwrap_or(Errno::ENOSPC));
            }
        }
        self.write(at, from.part(0, (room.min(end) - at) as usize), true)
    }

    fn write_part(&self, part: &Part, from: u64, grow: bool) -> Result<()> {
        if let Kind::Slice(base, first) = &self.kind {
            let moved = Part { index: first + part.index, ..*part };
            return base.write_part(&moved, from, false);
        }
        let end = part.index * PAGE + (part.within + part.len) as u64;
        loop {
            match self.target(part, grow)? {
                Target::Page(frame) => {
                    if let Err(error) = user::frame_in(&frame, part.within, from, part.len) {
                        self.trim(part.index);
                        return Err(error);
                    }
                    if self.settle(part.index, &frame, end, grow) {
                        return Ok(());
                    }
                }
                Target::Fresh(frame) => {
                    if let Err(error) = user::frame_in(&frame, 0, from, PAGE_SIZE) {
                        self.release(1);
                        return Err(error);
                    }
                    if self.install(part.index, frame, end, grow) {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// After a copy into a page: notes the write and the new size. False if the page left the object meanwhile without a
    /// truncation (the pager took it clean and evicted it): then the copy has to be made again.
    fn settle(&self, index: u64, frame: &Frame, end: u64, grow: bool) -> bool {
        if !matches!(self.kind, Kind::Sparse) || !(grow || self.is_paged()) {
            return true;
        }
        let mut state = self.state.lock();
        if self.present(&mut state, index, true).is_some_and(|now| now.same(frame)) {
            if grow && end > self.size() {
                self.set_size(&mut state, end);
            }
            return true;
        }
        // A truncation dropped the page: what was written is lost, as if it had come first.
        index >= pages_of(self.size())
    }

    /// The page to write to.
    fn target(&self, part: &Part, grow: bool) -> Result<Target> {
        if !matches!(self.kind, Kind::Sparse) {
            return self.frame(part.index, true).map(Target::Page);
        }
        loop {
            let mut state = self.state.lock();
            let inside = part.index < pages_of(self.size());
            if !inside && !grow {
                return Err(Errno::ENOSPC);
            }
            if self.is_crowded(&state, part.index) {
                drop(state);
                self.wait_to_write()?;
                continue;
            }
            if let Some(frame) = self.present(&mut state, part.index, true) {
                return Ok(Target::Page(frame));
            }
            let leaving = matches!(state.pages.get(part.index), Some(Slot::Leaving));
            if part.len == PAGE_SIZE && !leaving {
                drop(state);
                match self.allocate_by(Frame::alloc_for_overwrite) {
                    Some(frame) => return Ok(Target::Fresh(frame)),
                    None if super::reclaim::make_room() => continue,
                    None => return Err(Errno::ENOMEM),
                }
            }
            if leaving || inside && self.is_paged() {
                drop(state);
                self.bring_in(part.index)?;
                continue;
            }
            let Some(frame) = self.allocate() else {
                drop(state);
                if super::reclaim::make_room() {
                    continue;
                }
                return Err(Errno::ENOMEM);
            };
            self.put(&mut state, part.index, frame.clone());
            return Ok(Target::Page(frame));
        }
    }

    /// Adds a page that somebody writes to.
    fn put(&self, state: &mut State, index: u64, frame: Frame) {
        let dirty = self.is_paged();
        state.pages.insert(index, Slot::new(frame, dirty));
        if dirty {
            self.note_dirty(state, index);
        }
    }

    /// Adds a page that a write has filled and charged, or copies it over one that came meanwhile (which may be mapped). False if one is
    /// just leaving: then the write has to start over.
    fn install(&self, index: u64, frame: Frame, end: u64, grow: bool) -> bool {
        let mut state = self.state.lock();
        let inside = index < pages_of(self.size());
        if matches!(state.pages.get(index), Some(Slot::Leaving)) {
            self.release(1);
            return false;
        }
        if let Some(present) = self.present(&mut state, index, true) {
            present.copy_from(0, &frame, 0, PAGE_SIZE);
            self.release(1);
        } else if inside || grow {
            self.put(&mut state, index, frame);
        } else {
            self.release(1);
        }
        if grow && end > self.size() {
            self.set_size(&mut state, end);
        }
        // Threads that wait for the pager to bring this page in need not any more.
        super::pager::wake(&mut state);
        true
    }

    /// After a failed copy: takes back a page that a write put behind the end, or clears what it left there.
    fn trim(&self, index: u64) {
        let mut state = self.state.lock();
        let size = self.size();
        if matches!(self.kind, Kind::Sparse) && index >= pages_of(size) {
            if let Some(slot) = state.pages.remove(index) {
                self.forget_dirty(&mut state, index);
                if let Slot::Present { frame, .. } = slot {
                    self.release(1);
                    drop(state);
                    drop(frame);
                }
            }
        } else if index == size / PAGE {
            self.clear_tail(&state, size);
        }
    }
}
