//! Pagers: servers that supply the pages of memory objects.
//!
//! A thread that needs an absent page marks it as requested, sends PAGE_IN (cookie, offset, length) to the pager's port, and sleeps
//! until the page is here or has failed. A request covers a run of absent pages ([`super::read_ahead`]), so that reading ahead costs one
//! message.

use super::object::{Kind, MemoryObject, Slot, State};
use super::{CHUNK, PAGE, PAGE_SIZE, pages_of};
use crate::port::Port;
use crate::sched::{self, Wake};
use crate::thread::{self, Thread};
use crate::{stats, user};
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;
use hal::mem::Frame;
use ochre_abi::call::{OP_PAGE_IN, Request};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// How often a waiting thread looks whether the pager is still there, in ns.
const PATIENCE: u64 = 100_000_000;

/// Who supplies an object's pages.
#[derive(Clone)]
pub struct Pager {
    pub(super) port: Arc<Port>,
    pub(super) cookie: u64,
}

impl Pager {
    /// Asks for pages: the first, and how many.
    pub(super) fn request(&self, epoch: u64, (first, pages): (u64, u64)) {
        let args = [self.cookie, first * PAGE, pages * PAGE];
        stats::page_in();
        self.port.post(Request { op: OP_PAGE_IN, handle: epoch, args, ..Request::default() });
    }
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
    /// From now on `port` supplies this object's absent pages. Pages that are here stay; those that a former pager took and has not stored
    /// are dirty again, without one all are clean. Requests that it has not answered are made again. EINVAL unless it is a sparse object.
    pub fn set_pager(self: &Arc<Self>, port: Arc<Port>, cookie: u64) -> Result<()> {
        if !matches!(self.kind, Kind::Sparse) {
            return Err(Errno::EINVAL);
        }
        port.pages(self);
        let mut state = self.state.lock();
        let another = state.pager.as_ref().filter(|old| !Arc::ptr_eq(&old.port, &port)).map(|old| old.port.clone());
        let count = state.dirty.len();
        let old = state.pager.replace(Pager { port: port.clone(), cookie });
        if let Some(old) = &old {
            old.port.paging.sub(count);
        }
        port.paging.add(count);
        if !self.is_paged() {
            let mut pages = 0;
            state.pages.visit(0..u64::MAX, &mut |_, slot| {
                pages += usize::from(slot.is_present());
                true
            });
            self.become_paged(pages);
        }
        self.start_over(&mut state);
        drop(state);
        drop(old);
        if let Some(another) = another {
            another.forget_object(self.id());
        }
        self.tell_pager();
        super::reclaim::register(self);
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
            self.start_over(&mut state);
        }
        drop(state);
        self.tell_pager();
    }

    /// There is another server, or there will be: what the last one was asked for and has not supplied is asked for anew, what it took
    /// and has not stored is dirty again, and what it was told of is told again.
    fn start_over(&self, state: &mut State) {
        // What it may still answer was read before its successor knew anything.
        state.epoch += 1;
        forget_requests(state, 0..u64::MAX);
        for index in state.dirty.take_unstored(0..u64::MAX) {
            self.present(state, index, true);
        }
        if state.dirty.retell() {
            self.tell.store(true, Relaxed);
        }
        wake(state);
    }

    /// Nobody supplies absent pages any more: EIO for who waits for one, or needs one later.
    pub(super) fn drop_pager(&self) {
        let mut state = self.state.lock();
        let old = state.pager.take();
        let count = state.dirty.len();
        forget_requests(&mut state, 0..u64::MAX);
        wake(&mut state);
        drop(state);
        if let Some(old) = old {
            old.port.paging.sub(count);
            old.port.forget_object(self.id());
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
            let epoch = state.epoch;
            drop(state);
            if let Some(run) = request {
                pager.request(epoch, run);
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

    /// The pager's answer: pages from `offset` on, from the pager's own memory. The rest of the last page is cleared; pages that are here
    /// already stay as they are; what is behind the end is ignored. With an `epoch` that has passed nothing is taken, and the requests are
    /// forgotten, so that whoever waits asks anew. Returns the bytes taken.
    pub fn supply(&self, offset: u64, from: u64, len: usize, epoch: Option<u64>) -> Result<usize> {
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
                if let Err(error) = self.supply_page(index, from.wrapping_add(done as u64), part, epoch) {
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

    fn supply_page(&self, index: u64, from: u64, len: usize, epoch: Option<u64>) -> Result<()> {
        let frame = loop {
            // Whoever waits for the page can do nothing about memory: below the reserve of everybody else there is one for this.
            match self.allocate_by(Frame::alloc_urgent) {
                Some(frame) => break frame,
                None if super::reclaim::make_room() => {}
                None => return Err(Errno::ENOMEM),
            }
        };
        if let Err(error) = user::frame_in(&frame, 0, from, len) {
            self.release(1);
            return Err(error);
        }
        frame.fill_zero(len, PAGE_SIZE - len);
        let mut state = self.state.lock();
        let size = self.size();
        let late = epoch.is_some_and(|epoch| epoch != state.epoch);
        match state.pages.get(index) {
            Some(Slot::Present { .. } | Slot::Leaving) => self.release(1),
            Some(Slot::Requested) if late => {
                state.pages.remove(index);
                self.release(1);
            }
            _ if late || index >= pages_of(size) => self.release(1),
            _ => {
                // Who waits for it has not used it yet.
                let used = state.waiters.iter().any(|waiter| waiter.index == index);
                state.pages.insert(index, Slot::Present { frame, dirty: false, used });
                if index == size / PAGE {
                    self.clear_tail(&state, size);
                }
            }
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
        matches!(self.state.lock().pages.get(index), Some(Slot::Present { .. } | Slot::Leaving))
    }
}

/// Takes back requests, so that they are made anew.
fn forget_requests(state: &mut State, range: core::ops::Range<u64>) {
    let mut requested = alloc::vec::Vec::new();
    state.pages.visit(range, &mut |index, slot| {
        if matches!(slot, Slot::Requested) {
            requested.push(index);
        }
        true
    });
    for index in requested {
        state.pages.remove(index);
    }
}
