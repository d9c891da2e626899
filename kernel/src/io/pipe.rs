//! Pipes: pipe(7).
//!
//! Bytes stand in page frames that come with the data and go with it (one stays for the next write). A write of up to PIPE_BUF
//! bytes is atomic: it waits until all of it fits. Linux counts a pipe's capacity in pages, this one in bytes.

use super::{Vectors, anonymous_stat, answer_stat, install_pair, ioctl, need_room, new_inode, ring_copy};
use crate::file::{File, Object};
use crate::readiness::Readiness;
use crate::signal;
use crate::thread::Thread;
use crate::user::UserSlice;
use crate::wait::WaitQueue;
use alloc::sync::Arc;
use hal::SpinLock;
use hal::mem::Frame;
use ochre_abi::call::{CallArgs, OP_IOCTL, OP_PRIVATE, OP_STAT};
use ochre_abi::event::{EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT};
use ochre_abi::file::{O_CLOEXEC, O_NONBLOCK, O_RDONLY, O_WRONLY, S_IFIFO, Stat};
use ochre_abi::signal::SIGPIPE;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;
use ochre_logic::ring::Ring;

/// Bytes that are written all at once or not at all.
const PIPE_BUF: usize = 4096;
/// Capacity of a new pipe, bytes.
const CAPACITY: usize = 65_536;
/// The greatest capacity (Linux: /proc/sys/fs/pipe-max-size).
const CAPACITY_MAX: usize = 1 << 20;
/// Bytes that become readable at a time in a long write, so that a reader on another CPU can start.
const STEP: usize = 16_384;

/// Operation on a pipe's handle: fcntl's F_SETPIPE_SZ; args\[0\]: bytes. The value is the new capacity.
pub const OP_PIPE_SET_SIZE: u16 = OP_PRIVATE;
/// Operation on a pipe's handle: fcntl's F_GETPIPE_SZ. The value is the capacity.
pub const OP_PIPE_GET_SIZE: u16 = OP_PRIVATE + 1;

/// What both ends share.
pub struct Pipe {
    state: SpinLock<State>,
    read_wait: WaitQueue,
    write_wait: WaitQueue,
    read_ready: Readiness,
    write_ready: Readiness,
    /// It has a name, and may be open for both.
    fifo: bool,
    /// What somebody sees who holds a FIFO open for both.
    both_ready: Readiness,
    /// Who waits for another end to be opened.
    open_wait: WaitQueue,
    ino: u64,
}

struct State {
    ring: Ring<Frame>,
    /// Open ends.
    readers: usize,
    writers: usize,
    /// Ends opened so far.
    read_opens: u64,
    write_opens: u64,
    /// Somebody is copying out, or in.
    reading: bool,
    writing: bool,
    /// Somebody waits for a turn.
    read_contended: bool,
    write_contended: bool,
}

impl State {
    fn ring(&self) -> &Ring<Frame> {
        &self.ring
    }
}

impl Pipe {
    /// A pipe without ends yet.
    pub(super) fn new(fifo: bool) -> Arc<Pipe> {
        Arc::new(Pipe {
            state: SpinLock::new(State {
                ring: Ring::new(CAPACITY),
                readers: 0,
                writers: 0,
                read_opens: 0,
                write_opens: 0,
                reading: false,
                writing: false,
                read_contended: false,
                write_contended: false,
            }),
            read_wait: WaitQueue::new(),
            write_wait: WaitQueue::new(),
            read_ready: Readiness::new(0),
            write_ready: Readiness::new(EPOLLOUT),
            fifo,
            both_ready: Readiness::new(EPOLLOUT),
            open_wait: WaitQueue::new(),
            ino: new_inode(),
        })
    }

    /// What somebody sees who holds both ends.
    pub(super) fn both_ready(&self) -> &Readiness {
        &self.both_ready
    }

    fn set_readable(&self) {
        self.read_ready.raise(EPOLLIN);
        if self.fifo {
            self.both_ready.raise(EPOLLIN);
        }
    }

    fn set_empty(&self) {
        self.read_ready.clear(EPOLLIN);
        if self.fifo {
            self.both_ready.clear(EPOLLIN);
        }
    }

    /// Opens ends, as fifo(7) has it: a blocking open of one waits until another is opened. ENXIO: `nonblocking`, to write, and
    /// nobody reads; EINTR.
    pub(super) fn open(
        self: &Arc<Self>,
        read: bool,
        write: bool,
        nonblocking: bool,
    ) -> Result<(Option<Arc<ReadEnd>>, Option<Arc<WriteEnd>>)> {
        if write && !read && nonblocking && self.state.lock().readers == 0 {
            return Err(Errno::ENXIO);
        }
        // Who is there is looked at in the moment that tells the others of this end: somebody whom it lets go on may have closed again
        // before this one waits.
        let (reader, writer) = (read.then(|| ReadEnd::open(self.clone())), write.then(|| WriteEnd::open(self.clone())));
        self.open_wait.wake_all();
        let seen =
            |state: &State| if read { (state.writers, state.write_opens) } else { (state.readers, state.read_opens) };
        let alone = match (&reader, &writer) {
            (Some((_, (0, opens))), None) | (None, Some((_, (0, opens)))) if !nonblocking => Some(*opens),
            _ => None,
        };
        let ends = (reader.map(|(end, _)| end), writer.map(|(end, _)| end));
        if let Some(opens) = alone {
            // One that was opened and closed again counts, too.
            self.open_wait.wait_until(None, || (seen(&self.state.lock()).1 != opens).then_some(()))?;
        }
        Ok(ends)
    }

    /// Nobody holds an end any more: a FIFO starts afresh.
    fn reset(&self, state: &mut State) {
        let capacity = state.ring.capacity();
        state.ring = Ring::new(capacity);
        self.read_ready.clear(EPOLLIN | EPOLLHUP);
        self.write_ready.clear(EPOLLERR);
        self.write_ready.raise(EPOLLOUT);
        if self.fifo {
            self.both_ready.clear(EPOLLIN);
        }
        if self.fifo {
            self.both_ready.raise(EPOLLOUT);
        }
    }

    /// Takes the reader's turn: how many bytes there are, 0 at the end.
    fn begin_read(&self, nonblocking: bool) -> Option<Result<usize>> {
        let mut state = self.state.lock();
        if state.reading {
            state.read_contended = true;
            return None;
        }
        match state.ring.len() {
            0 if state.writers == 0 => Some(Ok(0)),
            0 if nonblocking => Some(Err(Errno::EAGAIN)),
            0 => None,
            len => {
                state.reading = true;
                Some(Ok(len))
            }
        }
    }

    fn end_read(&self, taken: usize) {
        let mut state = self.state.lock();
        state.reading = false;
        state.ring.consume(taken);
        let more = !state.ring.is_empty();
        if !more {
            self.set_empty();
        }
        self.refresh_write(&state);
        let contended = core::mem::take(&mut state.read_contended);
        drop(state);
        if taken > 0 {
            self.write_wait.wake_one();
        }
        if contended {
            self.read_wait.wake_all();
        } else if more {
            self.read_wait.wake_one();
        }
    }

    fn read(&self, nonblocking: bool, to: &mut Vectors) -> Result<usize> {
        if to.left() == 0 {
            return Ok(0);
        }
        let available = self.read_wait.wait_until(None, || self.begin_read(nonblocking))??;
        if available == 0 {
            return Ok(0);
        }
        let (done, result) = ring_copy::drain(&self.state, State::ring, to, 0, available.min(to.left()));
        self.end_read(done);
        if done == 0 { result.map(|()| 0) } else { Ok(done) }
    }

    /// Takes the writer's turn and reserves room: how many of `left` bytes.
    fn begin_write(&self, nonblocking: bool, left: usize) -> Option<Result<usize>> {
        let mut state = self.state.lock();
        if state.readers == 0 {
            return Some(Err(Errno::EPIPE));
        }
        if state.writing {
            state.write_contended = true;
            return None;
        }
        let free = state.ring.free();
        let least = if left <= PIPE_BUF { left } else { 1 };
        if free < least {
            return nonblocking.then_some(Err(Errno::EAGAIN));
        }
        let n = left.min(free).min(STEP);
        let reserved = ring_copy::reserve(&mut state.ring, n);
        state.writing = reserved.is_ok();
        Some(reserved.map(|()| n))
    }

    fn end_write(&self, written: usize) {
        let mut state = self.state.lock();
        state.writing = false;
        state.ring.commit(written);
        if state.readers == 0 {
            let capacity = state.ring.capacity();
            state.ring = Ring::new(capacity);
        } else if written > 0 {
            self.set_readable();
        }
        self.refresh_write(&state);
        let room = state.ring.free() > 0;
        let contended = core::mem::take(&mut state.write_contended);
        drop(state);
        if written > 0 {
            self.read_wait.wake_one();
        }
        if contended {
            self.write_wait.wake_all();
        } else if room {
            self.write_wait.wake_one();
        }
    }

    /// The write end is ready while PIPE_BUF bytes fit.
    fn refresh_write(&self, state: &State) {
        let was = self.write_ready.get() & EPOLLOUT != 0;
        let is = state.ring.free() >= PIPE_BUF;
        if is && !was {
            self.write_ready.raise(EPOLLOUT);
            if self.fifo {
                self.both_ready.raise(EPOLLOUT);
            }
        } else if was && !is {
            self.write_ready.clear(EPOLLOUT);
            if self.fifo {
                self.both_ready.clear(EPOLLOUT);
            }
        }
    }

    fn write(&self, nonblocking: bool, from: &mut Vectors) -> Result<usize> {
        let mut total = 0;
        while from.left() > 0 {
            let begun = self.write_wait.wait_until(None, || self.begin_write(nonblocking, from.left())).flatten();
            let step = match begun {
                Ok(n) => {
                    let (done, result) = ring_copy::fill(&self.state, State::ring, from, n);
                    self.end_write(done);
                    total += done;
                    result
                }
                Err(error) => {
                    if error == Errno::EPIPE {
                        signal::raise_self(SIGPIPE);
                    }
                    Err(error)
                }
            };
            match step {
                Ok(()) => {}
                Err(_) if total > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }

    pub(super) fn call(&self, file: &File, args: &CallArgs) -> Result<usize> {
        match args.op as u16 {
            OP_IOCTL => ioctl(file, args, self.state.lock().ring.len(), None),
            OP_PIPE_GET_SIZE => Ok(self.state.lock().ring.capacity()),
            OP_PIPE_SET_SIZE => self.set_capacity(args.args[0]),
            _ => Err(Errno::EINVAL),
        }
    }

    /// EPERM above the maximum, EBUSY if the pipe holds more, as fcntl(2) has it. Rounded up to a power of two of pages.
    fn set_capacity(&self, bytes: u64) -> Result<usize> {
        if bytes > CAPACITY_MAX as u64 {
            return Err(Errno::EPERM);
        }
        let capacity = (bytes as usize).max(PIPE_BUF).next_power_of_two();
        let mut state = self.state.lock();
        if !state.ring.set_capacity(capacity) {
            return Err(Errno::EBUSY);
        }
        self.refresh_write(&state);
        drop(state);
        self.write_wait.wake_all();
        Ok(capacity)
    }

    fn stat(&self) -> Stat {
        anonymous_stat(S_IFIFO | 0o600, self.ino)
    }
}

/// The end to read from.
pub struct ReadEnd(Arc<Pipe>);

/// The end to write to.
pub struct WriteEnd(Arc<Pipe>);

/// A new pipe.
pub fn new() -> (Arc<ReadEnd>, Arc<WriteEnd>) {
    let pipe = Pipe::new(false);
    (ReadEnd::of(pipe.clone()), WriteEnd::of(pipe))
}

impl ReadEnd {
    fn of(pipe: Arc<Pipe>) -> Arc<ReadEnd> {
        ReadEnd::open(pipe).0
    }

    /// An end, and in that moment the number of writers and how many were opened so far.
    fn open(pipe: Arc<Pipe>) -> (Arc<ReadEnd>, (usize, u64)) {
        let mut state = pipe.state.lock();
        state.readers += 1;
        state.read_opens += 1;
        let others = (state.writers, state.write_opens);
        drop(state);
        pipe.write_ready.clear(EPOLLERR);
        (Arc::new(ReadEnd(pipe)), others)
    }

    /// readv(2).
    pub fn read_vectors(&self, file: &File, to: &mut Vectors) -> Result<usize> {
        self.0.read(file.nonblocking(), to)
    }
}

impl WriteEnd {
    fn of(pipe: Arc<Pipe>) -> Arc<WriteEnd> {
        WriteEnd::open(pipe).0
    }

    /// An end, and in that moment the number of readers and how many were opened so far.
    fn open(pipe: Arc<Pipe>) -> (Arc<WriteEnd>, (usize, u64)) {
        let mut state = pipe.state.lock();
        state.writers += 1;
        state.write_opens += 1;
        let others = (state.readers, state.read_opens);
        drop(state);
        pipe.read_ready.clear(EPOLLHUP);
        (Arc::new(WriteEnd(pipe)), others)
    }

    /// writev(2).
    pub fn write_vectors(&self, file: &File, from: &mut Vectors) -> Result<usize> {
        self.0.write(file.nonblocking(), from)
    }
}

impl Drop for ReadEnd {
    fn drop(&mut self) {
        let pipe = &self.0;
        let mut state = pipe.state.lock();
        state.readers -= 1;
        if state.readers > 0 {
            return;
        }
        if !state.writing {
            // Nobody will read it.
            let capacity = state.ring.capacity();
            state.ring = Ring::new(capacity);
        }
        pipe.write_ready.raise(EPOLLERR | EPOLLOUT);
        if state.writers == 0 {
            pipe.reset(&mut state);
        }
        drop(state);
        pipe.write_wait.wake_all();
    }
}

impl Drop for WriteEnd {
    fn drop(&mut self) {
        let pipe = &self.0;
        let mut state = pipe.state.lock();
        state.writers -= 1;
        if state.writers > 0 {
            return;
        }
        pipe.read_ready.raise(EPOLLHUP);
        if state.readers == 0 {
            pipe.reset(&mut state);
        }
        drop(state);
        pipe.read_wait.wake_all();
    }
}

/// The other end of an open pipe, or one more of the same: names "read" and "write".
fn dup_named(pipe: &Arc<Pipe>, name: &[u8]) -> Result<Arc<dyn Object>> {
    need_room(0)?;
    match name {
        b"read" => Ok(ReadEnd::of(pipe.clone())),
        b"write" => Ok(WriteEnd::of(pipe.clone())),
        _ => Err(Errno::ENOENT),
    }
}

impl Object for ReadEnd {
    fn kind(&self) -> &'static str {
        "pipe"
    }

    fn read(&self, file: &File, to: UserSlice, _offset: Option<u64>) -> Result<usize> {
        self.read_vectors(file, &mut Vectors::one(to))
    }

    fn stat(&self, _file: &File) -> Result<Stat> {
        Ok(self.0.stat())
    }

    fn call(&self, file: &File, args: &CallArgs) -> Result<usize> {
        match args.op as u16 {
            OP_STAT => answer_stat(&self.0.stat(), args),
            _ => self.0.call(file, args),
        }
    }

    fn readiness(&self) -> Option<&Readiness> {
        Some(&self.0.read_ready)
    }

    fn dup_named(&self, name: &[u8]) -> Result<Arc<dyn Object>> {
        dup_named(&self.0, name)
    }
}

impl Object for WriteEnd {
    fn kind(&self) -> &'static str {
        "pipe"
    }

    fn write(&self, file: &File, from: UserSlice, _offset: Option<u64>) -> Result<usize> {
        self.write_vectors(file, &mut Vectors::one(from))
    }

    fn stat(&self, _file: &File) -> Result<Stat> {
        Ok(self.0.stat())
    }

    fn call(&self, file: &File, args: &CallArgs) -> Result<usize> {
        match args.op as u16 {
            OP_STAT => answer_stat(&self.0.stat(), args),
            _ => self.0.call(file, args),
        }
    }

    fn readiness(&self) -> Option<&Readiness> {
        Some(&self.0.write_ready)
    }

    fn dup_named(&self, name: &[u8]) -> Result<Arc<dyn Object>> {
        dup_named(&self.0, name)
    }
}

/// PIPE.
pub fn pipe(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let flags = u32::try_from(a[1]).map_err(|_| Errno::EINVAL)?;
    if flags & !(O_CLOEXEC | O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    need_room(0)?;
    let (read, write) = new();
    let mode = flags & O_NONBLOCK;
    let files = [File::new(read, mode | O_RDONLY), File::new(write, mode | O_WRONLY)];
    install_pair(me, files, flags & O_CLOEXEC != 0, a[0])
}
