//! Answers.

use ochre_abi::call::*;
use ochre_rt::OwnedFd;

/// The answer to a request. A payload, if there is one, stands in the request already ([`crate::Request::put`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Answer {
    pub(crate) kind: u8,
    pub(crate) result: i64,
    pub(crate) args: [u64; 3],
    pub(crate) later: bool,
}

impl Answer {
    const fn new(kind: u8, result: i64) -> Self {
        Self { kind, result, args: [0; 3], later: false }
    }

    /// A number, which must fit 63 bits.
    pub const fn value(value: usize) -> Self {
        Self::new(ANSWER_VALUE, value as i64)
    }

    /// Nothing to say but that it is done.
    pub const fn done() -> Self {
        Self::value(0)
    }

    /// A new handle, under an id (other than 0) that the server chooses; the caller gets a descriptor.
    pub const fn opened(handle: u64) -> Self {
        Self::new(ANSWER_OPENED, handle as i64)
    }

    /// The opened handle has a position.
    pub const fn seekable(self) -> Self {
        self.flag(OPENED_SEEKABLE)
    }

    /// The opened handle is a directory.
    pub const fn directory(self) -> Self {
        self.flag(OPENED_DIRECTORY)
    }

    /// The opened handle is not ready for anything yet.
    pub const fn not_ready(self) -> Self {
        self.flag(OPENED_NOT_READY)
    }

    /// Reads and maps of the opened handle are served from a memory object of `size` bytes. The kernel takes the object when the
    /// answer is sent; the descriptor stays the server's and must be open until then.
    pub const fn attach(mut self, object: i32, size: u64) -> Self {
        self.args[1] = object as u64 + 1;
        self.args[2] = size;
        self
    }

    /// The caller has to wait: it asks again once the server calls [`crate::Port::retry`] for the handle. Nothing is held meanwhile.
    pub const fn wait() -> Self {
        Self::new(ANSWER_WAIT, 0)
    }

    /// The server is told of every close of a descriptor of the opened handle ([`crate::Op::Flush`]).
    pub const fn flushed(self) -> Self {
        self.flag(OPENED_FLUSH)
    }

    /// Reads and writes of the opened handle come to the server, whatever is attached.
    pub const fn told(self) -> Self {
        self.flag(OPENED_TELL)
    }

    /// The opened handle is one end of a FIFO, or both, that [`ochre_rt::syscall::fifo_create`] made; the descriptor must be open until the
    /// answer is sent.
    pub const fn fifo(mut self, fifo: i32) -> Self {
        self.args[1] = fifo as u64 + 1;
        self.flag(OPENED_FIFO)
    }

    /// Writes within the attached object's size go there too, without a request.
    pub const fn writes_attached(self) -> Self {
        self.flag(OPENED_WRITE_ATTACHED)
    }

    /// With [`Answer::writes_attached`]: writes behind the attached object's end extend it up to its limit without a request; beyond that
    /// the server is asked first ([`crate::Op::Reserve`]).
    pub const fn grows_attached(self) -> Self {
        self.flag(OPENED_GROW_ATTACHED)
    }

    /// A descriptor of this process, which is given away: the caller gets one for the same open file.
    pub fn give(fd: OwnedFd) -> Self {
        let mut answer = Self::new(ANSWER_FD, fd.into_raw().into());
        answer.args[0] = 1;
        answer
    }

    /// A descriptor of this process, which stays open here too.
    pub const fn share(fd: i32) -> Self {
        Self::new(ANSWER_FD, fd as i64)
    }

    /// The payload is a path to go on with: an absolute one, or one from the scheme's root, without a slash at the beginning.
    pub const fn redirect() -> Self {
        Self::new(ANSWER_REDIRECT, 0)
    }

    /// The request was deferred ([`crate::Request::defer`]) and is answered some other time.
    pub const fn later() -> Self {
        Self { later: true, ..Self::value(0) }
    }

    /// Reads, writes and syncs of the opened handle that a server had when it ended go to its successor: nobody notices whether they
    /// take place once or twice.
    pub const fn repeatable(self) -> Self {
        self.flag(OPENED_REPEATABLE)
    }

    /// The kernel takes all writes of the opened handle, without a request, and drops them.
    pub const fn writes_vanish(self) -> Self {
        self.flag(OPENED_WRITES_VANISH)
    }

    /// The kernel answers all reads of the opened handle, without a request: it is at its end.
    pub const fn reads_end(self) -> Self {
        self.flag(OPENED_READS_END)
    }

    /// The kernel answers all reads of the opened handle, without a request, with zero bytes.
    pub const fn reads_zero(self) -> Self {
        self.flag(OPENED_READS_ZERO)
    }

    /// The answer's arguments, for operations that have some (GETDENTS: the next position).
    pub const fn with_args(mut self, args: [u64; 3]) -> Self {
        self.args = args;
        self
    }

    const fn flag(mut self, flag: u64) -> Self {
        self.args[0] |= flag;
        self
    }
}

impl From<usize> for Answer {
    fn from(value: usize) -> Self {
        Self::value(value)
    }
}

impl From<()> for Answer {
    fn from(_: ()) -> Self {
        Self::done()
    }
}
