//! Which absent pages one request asks the pager for: up to 128 KiB, aligned to as much, where reading looks sequential or the object is
//! small; 16 KiB around the page where it does not. Who reads on in sequence has the next part asked for before it gets there.

use super::object::{Kind, MemoryObject, Slot, State};
use super::{PAGE, pages_of};
use core::ops::Range;
use hal::SpinGuard;
use ochre_hal as hal;

/// Pages of a whole request: 128 KiB, a record of redoxfs.
const WHOLE: u64 = 32;
/// Pages of a request for one page somewhere.
const SINGLE: u64 = 4;
/// Pages that one advice asks for at the most: 8 MiB.
const ADVISED: u64 = 2048;

/// How an object was read lately.
pub(super) struct ReadAhead {
    /// One past the last page of the latest request.
    end: u64,
    /// Pages of the next request, if reading goes on there.
    window: u64,
    /// Once this page is read, the next part is asked for.
    due: u64,
}

impl ReadAhead {
    pub(super) const fn new() -> Self {
        ReadAhead { end: 0, window: SINGLE, due: u64::MAX }
    }

    /// Reading this page is the time to ask for more.
    #[inline(always)]
    pub(super) fn is_due(&self, index: u64) -> bool {
        index == self.due
    }

    /// What to ask for when the page at `index` is missing in an object of so many pages.
    fn plan(&mut self, index: u64, pages: u64) -> Range<u64> {
        let sequential = index == self.end;
        if pages <= WHOLE {
            self.window = WHOLE;
        } else if sequential {
            self.window = (self.window * 2).min(WHOLE);
        } else {
            self.window = SINGLE;
        }
        let start = index / self.window * self.window;
        let range = start..(start + self.window).min(pages);
        self.end = range.end;
        self.due = if sequential && self.window == WHOLE && range.end < pages { index + 1 } else { u64::MAX };
        range
    }
}

impl MemoryObject {
    /// Marks absent pages around `index`, which is one, as requested; returns the first and how many.
    pub(super) fn claim_run(&self, state: &mut State, index: u64) -> (u64, u64) {
        let plan = state.read_ahead.plan(index, pages_of(self.size()));
        let mut first = index;
        while first > plan.start && state.pages.get(first - 1).is_none() {
            first -= 1;
        }
        self.claim(state, first..plan.end)
    }

    /// Marks the absent pages at the start of a range as requested; returns the first and how many.
    fn claim(&self, state: &mut State, range: Range<u64>) -> (u64, u64) {
        let mut at = range.start;
        while at < range.end && state.pages.get(at).is_none() {
            state.pages.insert(at, Slot::Requested);
            at += 1;
        }
        (range.start, at - range.start)
    }

    /// A sequential reader got to where the next part is to be asked for. Nobody waits for it.
    pub(super) fn read_on(&self, mut state: SpinGuard<'_, State>) {
        let start = state.read_ahead.end;
        let end = (start + WHOLE).min(pages_of(self.size()));
        let run = self.claim(&mut state, start..end.max(start));
        state.read_ahead.due = if end < pages_of(self.size()) { start } else { u64::MAX };
        state.read_ahead.end = end;
        self.ask(state, run);
    }

    /// Sends a request.
    fn ask(&self, state: SpinGuard<'_, State>, run: (u64, u64)) {
        let (pager, epoch) = (state.pager.clone(), state.epoch);
        drop(state);
        if let Some(pager) = pager.filter(|_| run.1 > 0) {
            pager.request(epoch, run);
        }
    }

    /// OP_ADVISE: what a program is going to read, or not; the arguments are the operation's. The answer is 0.
    pub fn advise(&self, [offset, len, advice]: [u64; 3]) -> usize {
        const WILLNEED: u64 = 3;
        const DONTNEED: u64 = 4;
        let len = if len == 0 { u64::MAX } else { len };
        match advice {
            WILLNEED => self.will_need(offset, len),
            DONTNEED => self.dont_need(offset, len),
            _ => {}
        }
        0
    }

    /// POSIX_FADV_WILLNEED of a range of bytes: asks for what is absent, up to 8 MiB, as far as there is room. Waits for nothing.
    pub fn will_need(&self, offset: u64, len: u64) {
        if let Kind::Slice(base, first) = &self.kind {
            return base.will_need(first.saturating_mul(PAGE).saturating_add(offset), len);
        }
        if !self.is_paged() {
            return;
        }
        let start = offset / PAGE;
        let end = pages_of(offset.saturating_add(len)).min(pages_of(self.size())).min(start.saturating_add(ADVISED));
        let mut at = start;
        while at < end && !hal::mem::is_low() {
            let part = end.min((at / WHOLE + 1) * WHOLE);
            let mut state = self.state.lock();
            while at < part && state.pages.get(at).is_some() {
                at += 1;
            }
            let run = self.claim(&mut state, at..part);
            at += run.1;
            self.ask(state, run);
            hal::cpu::poll_interrupts();
        }
    }
}
