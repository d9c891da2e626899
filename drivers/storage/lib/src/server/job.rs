//! What one request asks of a drive.

use super::drive::Kind;
use ochre_scheme::{Answer, Errno, Op, Request, Result};
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// A request, in units of bytes of the drive.
pub struct Job {
    pub what: What,
    pub reply: Reply,
    /// The first byte, and how many.
    pub at: u64,
    pub len: u64,
    /// Bytes that pieces were made for.
    pub planned: u64,
    /// Pieces under way.
    pub pieces: usize,
    /// The first byte (from `at` on) that failed, and why.
    pub failed: Option<(u64, Errno)>,
    /// What it is answered with, instead of `len`.
    pub value: Option<usize>,
    /// After the last piece the cache is flushed.
    pub sync: bool,
}

pub enum What {
    /// Through bounce buffers, at any byte.
    Copy { write: bool },
    /// From or to pages, from a byte on; whole sectors.
    Direct { pages: Arc<[u64]>, memory: u64, write: bool },
    /// Writes of zeroes, for drives that cannot do that by themselves.
    Zeroes,
    /// A command without data, in pieces of so many bytes at the most (0: one without a place).
    Command { kind: Kind, most: u64 },
}

/// Who asked.
pub enum Reply {
    Client(Request),
    /// The driver itself: bytes to write, or room for what is read.
    Inner(Vec<u8>, Sender<Result<Vec<u8>>>),
}

impl Job {
    pub fn new(what: What, reply: Reply, at: u64, len: u64) -> Job {
        Job { what, reply, at, len, planned: 0, pieces: 0, failed: None, value: None, sync: false }
    }

    /// Notes a failure; the first byte counts.
    pub fn fail(&mut self, offset: u64, error: Errno) {
        if self.failed.is_none_or(|(other, _)| offset < other) {
            self.failed = Some((offset, error));
        }
    }

    /// Nothing more is to be started.
    pub fn is_planned(&self) -> bool {
        let command = matches!(self.what, What::Command { most: 0, .. });
        self.failed.is_some() || if command { self.planned > 0 } else { self.planned >= self.len }
    }

    /// Bytes that a client or the driver wants written. EFAULT.
    pub fn fetch(&self, offset: u64, to: &mut [u8]) -> Result<()> {
        match &self.reply {
            Reply::Client(request) => {
                if request.data_at(offset as usize, to)? == to.len() {
                    Ok(())
                } else {
                    Err(Errno::EFAULT)
                }
            }
            Reply::Inner(data, _) => {
                to.copy_from_slice(data.get(offset as usize..offset as usize + to.len()).ok_or(Errno::EFAULT)?);
                Ok(())
            }
        }
    }

    /// Bytes that were read. EFAULT.
    pub fn deliver(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        let put = match &mut self.reply {
            // What fits the answer's payload is one piece; more is the caller's memory, where any order will do.
            Reply::Client(request) => match request.op() {
                Op::Read { .. } if offset == 0 && data.len() as u64 == self.len => request.put(data)?,
                Op::Read { .. } => request.window(0)?.write_at(offset, data)?,
                _ => 0,
            },
            Reply::Inner(room, _) => {
                let room = room.get_mut(offset as usize..offset as usize + data.len()).ok_or(Errno::EFAULT)?;
                room.copy_from_slice(data);
                data.len()
            }
        };
        if put == data.len() { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// Tells who asked.
    pub fn answer(self) {
        let copy = matches!(self.what, What::Copy { .. });
        let result = match self.failed {
            None => Ok(self.value.unwrap_or(if copy { self.len as usize } else { 0 })),
            // What was moved before the failure counts, as everywhere.
            Some((offset, _)) if copy && offset > 0 => Ok(offset as usize),
            Some((_, error)) => Err(error),
        };
        match self.reply {
            Reply::Client(request) => request.answer(result.map(Answer::value)),
            Reply::Inner(mut data, sender) => {
                // Nobody may be waiting any more.
                let _ = sender.send(result.map(|len| {
                    data.truncate(if copy { len } else { data.len() });
                    data
                }));
            }
        }
    }
}
