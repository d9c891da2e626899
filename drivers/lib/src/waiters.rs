//! Deferred requests that wait for the same thing.

use crate::answer::Answer;
use crate::request::Request;
use alloc::collections::VecDeque;
use ochre_abi::{Errno, Result};

/// A queue of deferred requests, first come first served.
#[derive(Debug, Default)]
pub struct Waiters {
    queue: VecDeque<Request>,
}

impl Waiters {
    /// Nobody waits.
    pub const fn new() -> Self {
        Self { queue: VecDeque::new() }
    }

    /// Defers a request; what its handler returns.
    pub fn wait(&mut self, request: &mut Request) -> Result<Answer> {
        self.queue.push_back(request.defer());
        Ok(Answer::later())
    }

    /// Adds a request that is deferred already, behind the others.
    pub fn push(&mut self, request: Request) {
        self.queue.push_back(request);
    }

    /// The one that has waited longest.
    pub fn pop(&mut self) -> Option<Request> {
        self.queue.pop_front()
    }

    /// Puts one back that was popped and must wait on.
    pub fn unpop(&mut self, request: Request) {
        self.queue.push_front(request);
    }

    /// Answers a cancelled request with EINTR; false if it does not wait here. For [`crate::Scheme::cancel`].
    pub fn cancel(&mut self, tag: u64) -> bool {
        let found =
            self.queue.iter().position(|request| request.tag() == tag).and_then(|index| self.queue.remove(index));
        found.map(|request| request.answer(Err(Errno::EINTR))).is_some()
    }

    /// Answers all requests of a handle, for instance when its other end closes.
    pub fn fail(&mut self, handle: u64, error: Errno) {
        let (gone, kept) = self.queue.drain(..).partition(|request| request.handle() == handle);
        self.queue = kept;
        let gone: VecDeque<Request> = gone;
        gone.into_iter().for_each(|request| request.answer(Err(error)));
    }

    /// Nobody waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}
