//! A request that the server holds.

use crate::answer::Answer;
use crate::op::Op;
use crate::server::Port;
use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;
use ochre_abi::call::{self as abi, CallerInfo, Completion, OP_GETDENTS, OP_READ, OP_WRITE, PAYLOAD_MAX};
use ochre_abi::{Errno, Result};
use ochre_rt::OwnedFd;
use ochre_rt::region::Slot;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub pid: u32,
    /// Effective ids.
    pub uid: u32,
    pub gid: u32,
}

/// A request: what is asked, what the caller lends, and room for the answer's payload.
///
/// A handler borrows it; [`Self::defer`] takes it out, to be answered later from any thread. Dropped without an answer, it is
/// answered with EIO, so that no caller hangs.
#[derive(Debug)]
pub struct Request {
    entry: abi::Request,
    /// `None` once it was deferred or answered.
    slot: Option<Slot>,
    port: Port,
    /// Bytes put so far.
    filled: usize,
}

/// Memory of the caller, one of the windows of a request.
#[derive(Clone, Copy, Debug)]
pub struct Window<'r> {
    request: &'r Request,
    index: u32,
}

impl Request {
    pub(crate) fn new(slot: Slot, port: Port) -> Self {
        Self { entry: slot.entry(), slot: Some(slot), port, filled: 0 }
    }

    /// What is asked.
    pub fn op(&self) -> Op {
        Op::decode(&self.entry)
    }

    /// Names the request while it is held; [`Op::Cancel`] refers to it.
    pub fn tag(&self) -> u64 {
        self.entry.tag
    }

    /// The server's id of the handle; 0: the scheme itself.
    pub fn handle(&self) -> u64 {
        self.entry.handle
    }

    /// Who calls.
    pub fn caller(&self) -> Caller {
        Caller { pid: self.entry.pid, uid: self.entry.uid, gid: self.entry.gid }
    }

    /// More about who calls: thread and rights. ESRCH if the caller is gone.
    pub fn caller_info(&self) -> Result<CallerInfo> {
        self.port.gate().caller_info(self.entry.tag)
    }

    /// The caller's supplementary groups, sorted. ESRCH if the caller is gone.
    pub fn caller_groups(&self) -> Result<Vec<u32>> {
        let mut few = [0; 32];
        let count = self.port.gate().caller_groups(self.entry.tag, &mut few)?;
        if let Some(groups) = few.get(..count) {
            return Ok(groups.to_vec());
        }
        let mut groups = vec![0; count];
        // The process may have set others meanwhile.
        let count = self.port.gate().caller_groups(self.entry.tag, &mut groups)?;
        groups.truncate(count);
        Ok(groups)
    }

    /// The payload as it came: a path, a name, data up to a page. Empty after the first [`Self::put`].
    pub fn payload(&self) -> &[u8] {
        let len = if self.filled == 0 { self.entry.len as usize } else { 0 };
        self.slot.as_ref().and_then(|slot| slot.payload().get(..len)).unwrap_or(&[])
    }

    /// The payload as a structure; EINVAL if it has another size.
    pub fn parse<T: FromBytes + Immutable>(&self) -> Result<T> {
        T::read_from_bytes(self.payload()).map_err(|_| Errno::EINVAL)
    }

    /// The data of a write: the payload, or the first `max` bytes of a longer one, copied from window 0.
    pub fn data(&self, max: usize) -> Result<Cow<'_, [u8]>> {
        let len = self.data_len();
        if len <= PAYLOAD_MAX {
            return Ok(Cow::Borrowed(self.payload()));
        }
        let mut copy = vec![0; len.min(max)];
        let got = self.window(0)?.read_at(0, &mut copy)?;
        copy.truncate(got);
        Ok(Cow::Owned(copy))
    }

    /// A part of a write's data, wherever it stands; how much, 0 at the end.
    pub fn data_at(&self, offset: usize, buffer: &mut [u8]) -> Result<usize> {
        if self.data_len() > PAYLOAD_MAX {
            return self.window(0)?.read_at(offset as u64, buffer);
        }
        let rest = self.payload().get(offset..).unwrap_or(&[]);
        let len = rest.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(rest) {
            *to = *from;
        }
        Ok(len)
    }

    fn data_len(&self) -> usize {
        if self.entry.op == OP_WRITE { self.entry.args[1] as usize } else { self.entry.len as usize }
    }

    /// Bytes that the answer's data may have.
    pub fn room(&self) -> usize {
        match self.entry.op {
            OP_READ | OP_GETDENTS => self.entry.args[1] as usize,
            _ => (self.entry.out_len as usize).min(PAYLOAD_MAX),
        }
    }

    /// Whether a read's data goes to window 0 instead of the payload.
    fn is_windowed(&self) -> bool {
        matches!(self.entry.op, OP_READ | OP_GETDENTS) && self.room() > PAYLOAD_MAX
    }

    /// Appends to the answer's data, wherever it has to go; how much fit.
    pub fn put(&mut self, data: &[u8]) -> Result<usize> {
        let room = self.room().saturating_sub(self.filled);
        let data = data.get(..room).unwrap_or(data);
        let put = if self.is_windowed() {
            self.window(0)?.write_at(self.filled as u64, data)?
        } else {
            let target = self.slot.as_mut().map(|slot| slot.payload_mut().as_mut_slice());
            let target =
                target.and_then(|page| page.get_mut(self.filled..self.filled + data.len())).ok_or(Errno::EINVAL)?;
            target.copy_from_slice(data);
            data.len()
        };
        self.filled += put;
        Ok(put)
    }

    /// Appends a structure to the answer's data; EINVAL if the caller has no room for all of it.
    pub fn put_value<T: IntoBytes + Immutable>(&mut self, value: &T) -> Result<()> {
        let bytes = value.as_bytes();
        if self.put(bytes)? == bytes.len() { Ok(()) } else { Err(Errno::EINVAL) }
    }

    /// Replaces the payload, whatever the caller has room for (the path of a redirection).
    pub fn set_payload(&mut self, data: &[u8]) -> Result<()> {
        let page = self.slot.as_mut().ok_or(Errno::EINVAL)?.payload_mut();
        page.get_mut(..data.len()).ok_or(Errno::ENAMETOOLONG)?.copy_from_slice(data);
        self.filled = data.len();
        Ok(())
    }

    /// An answer that redirects to another path ([`Answer::redirect`]).
    pub fn redirect(&mut self, path: &[u8]) -> Result<Answer> {
        self.set_payload(path)?;
        Ok(Answer::redirect())
    }

    /// The answer to a read: the data that was put.
    pub fn data_answer(&self) -> Result<Answer> {
        Ok(Answer::value(self.filled))
    }

    /// A window; EINVAL if the caller did not declare it.
    pub fn window(&self, index: u32) -> Result<Window<'_>> {
        if index < self.entry.window_count.into() && self.slot.is_some() {
            Ok(Window { request: self, index })
        } else {
            Err(Errno::EINVAL)
        }
    }

    /// A descriptor that came along; EINVAL if there is none.
    pub fn take_fd(&self, index: u32) -> Result<OwnedFd> {
        if index >= self.entry.fd_count.into() {
            return Err(Errno::EINVAL);
        }
        self.port.gate().take_fd(self.entry.tag, index)
    }

    /// How many descriptors came along.
    pub fn fd_count(&self) -> u32 {
        self.entry.fd_count.into()
    }

    /// Takes the request out of its handler, which then returns [`Answer::later`].
    pub fn defer(&mut self) -> Request {
        let rest = Request { entry: self.entry, slot: None, port: self.port.clone(), filled: 0 };
        core::mem::replace(self, rest)
    }

    /// Answers a deferred request, from any thread.
    pub fn answer(mut self, result: Result<Answer>) {
        self.send(result);
    }

    fn send(&mut self, result: Result<Answer>) {
        if let Some(completion) = self.finish(result) {
            // An error here means that the port is gone, and its callers with it.
            let _ = self.port.gate().answer_one(completion.tag, completion.result);
        }
    }

    /// Writes the answer's entry and gives the slot up; `None` for a request that was deferred or answered before.
    pub(crate) fn finish(&mut self, result: Result<Answer>) -> Option<Completion> {
        let mut slot = self.slot.take()?;
        let answer = match result {
            // A handler that promised to answer later, but did not take the request out.
            Ok(answer) if answer.later => Err(Errno::EIO),
            other => other,
        };
        let (kind, result, args) = match answer {
            Ok(answer) => (answer.kind, answer.result, answer.args),
            Err(error) => (abi::ANSWER_VALUE, -i64::from(error.0), [0; 3]),
        };
        let len = if self.is_windowed() && kind == abi::ANSWER_VALUE { 0 } else { self.filled };
        slot.set_entry(&abi::Request { len: len as u32, args, ..self.entry });
        Some(Completion { tag: self.entry.tag | u64::from(kind) << abi::ANSWER_SHIFT, result })
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.send(Err(Errno::EIO));
    }
}

impl Window<'_> {
    /// Copies from the window; how much, less at its end.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.request.port.gate().window_read(self.request.entry.tag, self.index, offset, buffer)
    }

    /// Copies to the window; how much, less at its end.
    pub fn write_at(&self, offset: u64, data: &[u8]) -> Result<usize> {
        self.request.port.gate().window_write(self.request.entry.tag, self.index, offset, data)
    }
}
