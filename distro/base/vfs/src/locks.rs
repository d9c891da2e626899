//! Advisory locks of the root file system's files: flock(2), fcntl(2).

use crate::server::{FileServer, Objects};
use crate::tree::Ino;
use ochre_abi::file::{F_GETLK, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_SETLK, F_SETLKW, SEEK_END, SEEK_SET};
use ochre_abi::{Errno, Result};
use ochre_scheme::locks::{Outcome, Owner, READ, Range, Record, UNLOCK, WRITE};
use ochre_scheme::{Answer, Request};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// struct flock of Linux x86-64.
#[repr(C)]
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable)]
struct Flock {
    kind: i16,
    whence: i16,
    pad: u32,
    start: i64,
    len: i64,
    pid: i32,
    pad2: u32,
}

impl<S: Objects> FileServer<S> {
    /// flock(2).
    pub(crate) fn flock(&mut self, handle: u64, operation: u64) -> Result<Answer> {
        let ino = self.fs.ino(handle)?;
        let outcome = self.locks.flock(ino, handle, operation);
        self.released();
        outcome.map(answer)
    }

    /// fcntl(2)'s record locks.
    pub(crate) fn lock(&mut self, request: &mut Request, command: u64) -> Result<Answer> {
        let handle = request.handle();
        let ino = self.fs.ino(handle)?;
        let mut flock: Flock = request.parse()?;
        let by_handle = matches!(command, F_OFD_GETLK | F_OFD_SETLK | F_OFD_SETLKW);
        if by_handle && flock.pid != 0 {
            return Err(Errno::EINVAL);
        }
        let base = match flock.whence as u64 {
            SEEK_SET => 0,
            SEEK_END => self.fs.size(ino)?,
            // SEEK_CUR is the caller's C library's to add: positions are the kernel's.
            _ => return Err(Errno::EINVAL),
        };
        let range = Range::new(base, flock.start, flock.len)?;
        let owner = if by_handle { Owner::Handle(handle) } else { Owner::Process(request.caller().pid) };
        let wanted = Record { owner, kind: flock.kind, range };
        let (readable, writable) = self.fs.access_of(handle)?;
        match command {
            F_GETLK | F_OFD_GETLK => {
                if !matches!(flock.kind, READ | WRITE) {
                    return Err(Errno::EINVAL);
                }
                match self.locks.blocker(ino, &wanted) {
                    Some(found) => {
                        (flock.kind, flock.whence) = (found.kind, SEEK_SET as i16);
                        (flock.start, flock.len) = (found.range.start as i64, found.range.len());
                        flock.pid = match found.owner {
                            Owner::Process(pid) => pid as i32,
                            Owner::Handle(_) => -1,
                        };
                    }
                    None => flock.kind = UNLOCK,
                }
                request.put_value(&flock)?;
                Ok(Answer::done())
            }
            F_SETLK | F_SETLKW | F_OFD_SETLK | F_OFD_SETLKW => {
                match flock.kind {
                    READ if !readable => return Err(Errno::EBADF),
                    WRITE if !writable => return Err(Errno::EBADF),
                    READ | WRITE | UNLOCK => {}
                    _ => return Err(Errno::EINVAL),
                }
                let wait = matches!(command, F_SETLKW | F_OFD_SETLKW);
                let outcome = self.locks.set(ino, wanted, handle, wait);
                if outcome == Ok(Outcome::Done) && !by_handle {
                    self.watch_closes(ino);
                }
                self.released();
                outcome.map(answer)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// A process's locks are gone once it closes any descriptor of the file, so all handles must tell of that.
    fn watch_closes(&mut self, ino: Ino) {
        if !self.locks.has_process_locks(ino) {
            self.flushed.remove(&ino);
        } else if self.flushed.insert(ino) {
            for handle in self.fs.handles_of(ino) {
                // One that is just going has nothing left to close.
                let _ = self.port.flush(handle);
            }
        }
    }

    /// A handle is closed, or (with a process) one of its descriptors is.
    pub(crate) fn unlock(&mut self, handle: u64, pid: Option<u32>) {
        if self.locks.is_empty() {
            return;
        }
        let Ok(ino) = self.fs.ino(handle) else { return };
        match pid {
            Some(pid) => self.locks.release_process(ino, pid),
            None => self.locks.release_handle(ino, handle),
        }
        self.watch_closes(ino);
        self.released();
    }

    /// Who waits for what was released asks again.
    fn released(&mut self) {
        for handle in self.locks.take_woken() {
            // A handle that is gone has nobody waiting.
            let _ = self.port.retry(handle);
        }
    }
}

fn answer(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Done => Answer::done(),
        Outcome::Wait => Answer::wait(),
    }
}
