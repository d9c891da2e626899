//! The pager: answers the kernel's requests for pages of files from the volume. It has a port and a thread of its own, so that the server's
//! thread may itself wait for pages.

use crate::memory::{Memory, Object};
use crate::shared::{Cache, Shared};
use ochre_scheme::{Answer, Errno, Op, Request, Result, Scheme};
use ochre_volume::Ino;

/// What a volume reads at once: a record of RedoxFS.
const RECORD: u64 = 128 * 1024;

/// The pager of a volume's files.
pub struct Pager<M: Memory> {
    volume: Shared,
    cache: Cache<M>,
    buffer: Vec<u8>,
    full: Box<dyn FnMut() + Send>,
}

impl<M: Memory> Pager<M> {
    /// For these files of a volume. `full` has them written back, without waiting for that.
    pub fn new(volume: Shared, cache: Cache<M>, full: impl FnMut() + Send + 'static) -> Self {
        Self { volume, cache, buffer: Vec::new(), full: Box::new(full) }
    }

    /// Supplies the pages of a part of a file, and with them the rest of the volume's records that it lies in.
    pub fn page_in(&mut self, ino: Ino, epoch: u64, offset: u64, len: u64) {
        // A file that is given up has no handle any more, and nobody who waits.
        let Some(file) = self.cache.get(ino) else { return };
        let size = file.size().next_multiple_of(4096);
        let end = offset.saturating_add(len).checked_next_multiple_of(RECORD).unwrap_or(u64::MAX).min(size);
        let mut at = offset - offset % RECORD;
        while at < end {
            let part = (end - at).min(RECORD);
            if let Err(error) = self.supply(ino, &file.object, epoch, at, part) {
                eprintln!("fsd: file {ino}: reading {part} bytes at {at}: {error}");
                // An object that refuses the answer has nobody waiting for it.
                let _ = file.object.fail(at, part, error);
            }
            at += part;
        }
    }

    fn supply(&mut self, ino: Ino, object: &M::Object, epoch: u64, at: u64, len: u64) -> Result<()> {
        self.buffer.resize(len as usize, 0);
        // Held until the pages are there: were newer bytes written to the volume and their pages dropped in between, these would be old.
        let mut volume = self.volume.lock();
        let read = volume.read(ino, at, &mut self.buffer)?;
        if let Some(rest) = self.buffer.get_mut(read..) {
            // Behind the volume's end of the file there is a hole, or what was not written back yet and is in memory.
            rest.fill(0);
        }
        object.supply(epoch, at, &self.buffer)
    }
}

impl<M: Memory> Scheme for Pager<M> {
    /// The port has no name.
    fn open(&mut self, _request: &mut Request, _flags: u32, _mode: u32) -> Result<Answer> {
        Err(Errno::ENOENT)
    }

    fn handle(&mut self, request: &mut Request) -> Result<Answer> {
        match request.op() {
            Op::PageIn { cookie, offset, len } => {
                // The kernel puts the epoch where other requests have the handle.
                self.page_in(cookie, request.handle(), offset, len);
                Ok(Answer::done())
            }
            Op::Dirty { full, .. } => {
                // That something is dirty, the server sees when it writes back; that writers wait, it must be told.
                if full {
                    (self.full)();
                }
                Ok(Answer::done())
            }
            _ => Err(Errno::ENOSYS),
        }
    }
}
