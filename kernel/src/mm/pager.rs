//! Pagers: servers that supply the pages of memory objects.
//!
//! A thread that needs an absent page marks it as requested, sends PAGE_IN (cookie, offset, length) to the pager's port, and sleeps
//! until the page is here or has failed. A request covers a run of absent pages, so that reading ahead costs one message.

use super::object::{Kind, MemoryObject, Slot, State};
use super::{CHUNK, PAGE, PAGE_SIZE, pages_of};
use crate::port::Port;
use crate::sched::{self, Wake};
use crate::thread::{self, Thread};
use crate::user;
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;
use hal::mem::Frame;
use ochre_abi::call::{OP_PAGE_IN, Request};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// Pages that one request asks for at the most.
const READ_AHEAD: u64 = 16;
/// How often a waiting thread looks whether the pager is still there, in ns.
const PATIENCE: u64 = 100_000_000;

/// Who supplies an object's pages.
#[derive(Clone)]
pub struct Pager {
    port: Arc<Port>,
    cookie: u64,
}

/// A thread that waits for a page. It takes its entry out itself.
pub(super) struct Waiter {
    thread: Arc<Thread>,
    index: u64,
    /// The pager's error.
    error: Option<Errno>,
}

/// Wakes everybody who waits for a page of the object; they look again.
pub(super) fn wake(state: &mut State) {
    for waiter in &state.waiters {
        sched::unpark(&waiter.thread);
    }
}

impl MemoryObject {
    /// From now on `port` supplies this object's absent pages. Pages that are here stay (and are clean). Requests that the
    /// former pager has not answered are made again. EINVAL unless it is a sparse object.
    pub fn set_pager(self: &Arc<Self>, port: Arc<Port>, cookie: u64) -> Result<()> {
        if !matches!(self.kind, Kind::Sparse) {
            return Err(Errno::EINVAL);
        }
        port.pages(self);
        let mut state = self.state.lock();
        let another = state.pager.as_ref().filter(|old| !Arc::ptr_eq(&old.port, &port)).map(|old| old.port.clone());
        let old = state.pager.replace(Pager { port, cookie });
        self.paged.store(true, Relaxed);
        forget_requests(&mut state, 0..u64::MAX);
        wake(&mut state);
        drop(state);
        drop(old);
        if let Some(another) = another {
            another.forget_object(self.id());
        }
        // What was mapped writable while nobody noted writes has to fault from now on.
        for space in self.mappers() {
            space.write_protect(self, 0..u64::MAX);
        }
        Ok(())
    }

    /// Its cookie, if `port` is its pager.
    pub(crate) fn paged_by(&self, port: &Arc<Port>) -> Option<u64> {
        let state = self.state.lock();
        state.pager.as_ref().filter(|pager| Arc::ptr_eq(&pager.port, port)).map(|pager| pager.cookie)
    }

    /// The server of `port` ended: whoever waits for its answer asks its successor.
    pub(crate) fn ask_again(&self, port: &Port) {
        let mut state = self.state.lock();
        if state.pager.as_ref().is_some_and(|pager| core::ptr::eq(&*pager.port, port)) {
            forget_requests(&mut state, 0..u64::MAX);
            wake(&mut state);
        }
    }

    /// Nobody supplies absent pages any more: EIO for who waits for one, or needs one later.
    pub(super) fn drop_pager(&self) {
        let mut state = self.state.lock();
        let old = state.pager.take();
        forget_requests(&mut state, 0..u64::MAX);
        wake(&mut state);
        drop(state);
        if let Some(old) = old {
            old.port.forget_object(self.id());
        }
    }

    /// The object goes: its pager need not know it any longer.
    pub(super) fn leave_pager(&mut self) {
        let id = self.id();
        if let Some(pager) = self.state.get_mut().pager.take() {
            pager.port.forget_object(id);
        }
    }

    /// Waits until the page at `index` is here.
    ///
    /// EINVAL: behind the end. EIO: the pager is gone, or its own error. EINTR: the thread is to end; signals do not interrupt.
    pub fn bring_in(&self, index: u64) -> Result<()> {
        if let Kind::Slice(base, first) = &self.kind {
            return base.bring_in(first + index);
        }
        let me = thread::current();
        loop {
            let mut state = self.state.lock();
            if index >= pages_of(self.size()) {
                return Err(Errno::EINVAL);
            }
            if matches!(state.pages.get(index), Some(Slot::Present { .. })) {
                return Ok(());
            }
            let Some(pager) = state.pager.clone() else { return Err(Errno::EIO) };
            let request = state.pages.get(index).is_none().then(|| self.claim_run(&mut state, index));
            state.waiters.push(Waiter { thread: me.clone(), index, error: None });
            drop(state);
            if let Some(pages) = request {
                let args = [pager.cookie, index * PAGE, pages * PAGE];
                pager.port.post(Request { op: OP_PAGE_IN, args, ..Request::default() });
            }
            let wake = sched::park(&me, Some(hal::time::now() + PATIENCE), false);
            let mut state = self.state.lock();
            let mine = state.waiters.iter().position(|waiter| Arc::ptr_eq(&waiter.thread, &me));
            let error = mine.and_then(|n| state.waiters.swap_remove(n).error);
            if wake == Wake::Killed {
                return Err(Errno::EINTR);
            }
            if let Some(error) = error {
                return Err(error);
            }
            let replaced = state.pager.as_ref().is_none_or(|now| !Arc::ptr_eq(&now.port, &pager.port));
            if pager.port.is_dead() && !replaced && !matches!(state.pages.get(index), Some(Slot::Present { .. })) {
                forget_requests(&mut state, 0..u64::MAX);
                self::wake(&mut state);
                return Err(Errno::EIO);
            }
        }
    }

    /// Marks the absent pages from `index` on as requested; returns how many.
    fn claim_run(&self, state: &mut State, index: u64) -> u64 {
        let end = index.saturating_add(READ_AHEAD).min(pages_of(self.size()));
        let mut at = index;
        while at < end && state.pages.get(at).is_none() {
            state.pages.insert(at, Slot::Requested);
            at += 1;
        }
        at - index
    }

    /// The pager's answer: pages from `offset` on, from the pager's own memory. The rest of the last page is cleared; pages that are here
    /// already stay as they are; what is behind the end is ignored. Returns the bytes taken.
    pub fn supply(&self, offset: u64, from: u64, len: usize) -> Result<usize> {
        if !offset.is_multiple_of(PAGE) || !matches!(self.kind, Kind::Sparse) {
            return Err(Errno::EINVAL);
        }
        let wanted = len;
        let len = (pages_of(self.size()) * PAGE).saturating_sub(offset).min(len as u64) as usize;
        let mut done = 0;
        while done < len {
            let index = (offset + done as u64) / PAGE;
            let here = self.holds_any(index);
            let part = (len - done).min(PAGE_SIZE);
            if !here {
                if let Err(error) = self.supply_page(index, from.wrapping_add(done as u64), part) {
                    if error == Errno::ENOMEM {
                        self.fail(index * PAGE, len - done, error)?;
                    }
                    return if done > 0 { Ok(done) } else { Err(error) };
                }
            }
            done += part;
            if done.is_multiple_of(CHUNK * PAGE_SIZE) {
                super::breathe()?;
            }
        }
        Ok(wanted)
    }

    fn supply_page(&self, index: u64, from: u64, len: usize) -> Result<()> {
        if !self.charge() {
            return Err(Errno::ENOMEM);
        }
        let filled = Frame::alloc_for_overwrite().ok_or(Errno::ENOMEM).and_then(|frame| {
            user::frame_in(&frame, 0, from, len)?;
            frame.fill_zero(len, PAGE_SIZE - len);
            Ok(frame)
        });
        let frame = match filled {
            Ok(frame) => frame,
            Err(error) => {
                self.release(1);
                return Err(error);
            }
        };
        let mut state = self.state.lock();
        let size = self.size();
        if index < pages_of(size) && !matches!(state.pages.get(index), Some(Slot::Present { .. })) {
            state.pages.insert(index, Slot::Present { frame, dirty: false });
            if index == size / PAGE {
                self.clear_tail(&state, size);
            }
        } else {
            self.release(1);
        }
        wake(&mut state);
        Ok(())
    }

    /// The pager cannot supply these pages: whoever waits for one gets the error.
    pub fn fail(&self, offset: u64, len: usize, error: Errno) -> Result<()> {
        let range = offset / PAGE..pages_of(offset.checked_add(len as u64).ok_or(Errno::EINVAL)?);
        let mut state = self.state.lock();
        // Whoever needs one of these pages later asks anew.
        forget_requests(&mut state, range.clone());
        for waiter in &mut state.waiters {
            if range.contains(&waiter.index) {
                waiter.error = Some(error);
            }
        }
        wake(&mut state);
        Ok(())
    }

    fn holds_any(&self, index: u64) -> bool {
        matches!(self.state.lock().pages.get(index), Some(Slot::Present { .. }))
    }
}

/// Takes back requests, so that they are made anew.
fn forget_requests(state: &mut State, range: core::ops::Range<u64>) {
    let mut requested = alloc::vec::Vec::new();
    state.pages.visit(range, &mut |index, slot| {
        if !matches!(slot, Slot::Present { .. }) {
            requested.push(index);
        }
        true
    });
    for index in requested {
        state.pages.remove(index);
    }
}
