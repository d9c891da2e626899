//! The other side of a round trip: a process or a thread that answers.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

use crate::measure::{self, Figure};
use crate::sys;

/// The message that is answered, 8 bytes: what eventfd carries too.
const PING: u64 = 1;
/// The message that ends the peer.
const STOP: u64 = 2;

/// What the peer is.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// A process made by fork.
    Process,
    /// A thread of this process.
    Thread,
}

/// One end of a connection: where to read and where to write. Both may be one description.
pub struct End {
    read: OwnedFd,
    write: OwnedFd,
}

/// A connection's two ends.
pub type Ends = (End, End);

/// Two pipes.
pub fn pipes() -> io::Result<Ends> {
    let ((a_read, a_write), (b_read, b_write)) = (io::pipe()?, io::pipe()?);
    Ok((End { read: a_read.into(), write: b_write.into() }, End { read: b_read.into(), write: a_write.into() }))
}

/// A pair of connected AF_UNIX stream sockets.
pub fn sockets() -> io::Result<Ends> {
    let (left, right) = std::os::unix::net::UnixStream::pair()?;
    let end = |socket: OwnedFd| Ok::<_, io::Error>(End { write: socket.try_clone()?, read: socket });
    Ok((end(left.into())?, end(right.into())?))
}

/// Two eventfds.
pub fn eventfds() -> io::Result<Ends> {
    let (a, b) = (sys::eventfd()?, sys::eventfd()?);
    Ok((End { read: a.try_clone()?, write: b.try_clone()? }, End { read: b, write: a }))
}

impl End {
    /// Sends one message.
    pub fn send(&self, message: u64) -> io::Result<()> {
        send(self.write.as_fd(), message)
    }

    /// Waits for one message.
    pub fn receive(&self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        match sys::read(self.read.as_fd(), &mut bytes)? {
            8 => Ok(u64::from_ne_bytes(bytes)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Answers until told to stop or the other end is gone.
    fn answer(&self) -> i32 {
        loop {
            match self.receive() {
                Ok(PING) if self.send(PING).is_ok() => {}
                Ok(STOP) => return 0,
                _ => return 1,
            }
        }
    }
}

fn send(fd: BorrowedFd<'_>, message: u64) -> io::Result<()> {
    match sys::write(fd, &message.to_ne_bytes())? {
        8 => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

/// A running peer; it has been told to stop when this is waited for.
enum Peer {
    Process(sys::Child),
    Thread(JoinHandle<i32>),
}

impl Peer {
    fn start(kind: Kind, cpu: usize, work: impl FnOnce() -> i32 + Send + 'static) -> io::Result<Self> {
        // A peer on our own CPU is where we are already: threads and processes inherit the binding.
        let bound = move || if cpu > 0 && sys::bind(cpu).is_err() { 1 } else { work() };
        match kind {
            Kind::Process => sys::fork(bound).map(Self::Process),
            Kind::Thread => thread::Builder::new().spawn(bound).map(Self::Thread),
        }
    }

    fn wait(self) -> io::Result<()> {
        let status = match self {
            Self::Process(child) => child.wait()?,
            Self::Thread(thread) => thread.join().unwrap_or(1),
        };
        if status == 0 { Ok(()) } else { Err(io::Error::other(format!("the peer ended with status {status}"))) }
    }
}

/// The CPU for a peer elsewhere.
///
/// # Errors
/// Unsupported if there is only one.
pub fn other_cpu(cpus: usize) -> io::Result<usize> {
    if cpus >= 2 { Ok(1) } else { Err(io::Error::other("needs two CPUs")) }
}

/// A message to the peer and its answer.
pub fn round_trip(ends: io::Result<Ends>, kind: Kind, cpu: usize) -> io::Result<Figure> {
    let (ours, theirs) = ends?;
    let peer = Peer::start(kind, cpu, move || theirs.answer())?;
    let figure = measure::each(|| {
        ours.send(PING)?;
        ours.receive().map(drop)
    });
    ours.send(STOP)?;
    peer.wait()?;
    figure
}

/// Whose turn it is, in a futex round trip.
const OURS: u32 = 0;
const THEIRS: u32 = 1;
const OVER: u32 = 2;

/// A word handed over and back by FUTEX_WAKE and FUTEX_WAIT.
pub fn futex_round_trip(kind: Kind, cpu: usize) -> io::Result<Figure> {
    let turn = sys::SharedWord::new()?;
    let theirs = turn.clone();
    let shared = kind == Kind::Process;
    let peer = Peer::start(kind, cpu, move || {
        loop {
            match await_change(&theirs, OURS, shared) {
                THEIRS => {
                    theirs.store(OURS, Ordering::Release);
                    if sys::futex_wake(&theirs, shared).is_err() {
                        return 1;
                    }
                }
                _ => return 0,
            }
        }
    })?;
    let figure = measure::each(|| {
        turn.store(THEIRS, Ordering::Release);
        sys::futex_wake(&turn, shared)?;
        await_change(&turn, THEIRS, shared);
        Ok(())
    });
    turn.store(OVER, Ordering::Release);
    sys::futex_wake(&turn, shared)?;
    peer.wait()?;
    figure
}

/// Sleeps until the word is something else.
fn await_change(word: &AtomicU32, value: u32, shared: bool) -> u32 {
    loop {
        match word.load(Ordering::Acquire) {
            same if same == value => sys::futex_wait(word, value, shared),
            other => return other,
        }
    }
}

/// Bytes from a writing process to this one, in pieces of 64 KiB.
pub fn stream(ends: io::Result<Ends>, bytes: usize) -> io::Result<Figure> {
    const PIECE: usize = 64 << 10;
    let (ours, theirs) = ends?;
    let child = {
        let (ends, write) = ([ours.read.as_fd(), ours.write.as_fd()], theirs.write.as_fd());
        sys::fork(move || {
            let piece = [0x5a; PIECE];
            // The child's copy of our end would keep the connection open when we close it.
            if ends.into_iter().any(|fd| sys::close_in_child(fd).is_err()) {
                return 1;
            }
            while sys::write(write, &piece).is_ok() {}
            0
        })?
    };
    drop(theirs);
    let mut buffer = vec![0; PIECE];
    let figure = measure::bandwidth(bytes, |bytes| {
        let mut moved = 0;
        while moved < bytes {
            match sys::read(ours.read.as_fd(), &mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => moved += count,
            }
        }
        Ok(moved)
    });
    drop(ours);
    child.wait()?;
    figure
}
