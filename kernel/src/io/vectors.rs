//! Scattered user memory: struct iovec.

use crate::file::File;
use crate::io::fifo::FifoEnd;
use crate::io::pipe::{ReadEnd, WriteEnd};
use crate::io::socket::Socket;
use crate::user::{self, UserSlice};
use alloc::vec::Vec;
use ochre_abi::file::IoVec;
use ochre_abi::{Errno, Result};

/// IOV_MAX.
const VECTORS_MAX: u64 = 1024;
/// The greatest count of one transfer (Linux: MAX_RW_COUNT).
const COUNT_MAX: usize = 0x7fff_f000;
/// Vectors that need no allocation.
const INLINE: usize = 4;

/// A list of ranges of user memory, and how far a transfer has come in it.
pub struct Vectors {
    inline: [UserSlice; INLINE],
    more: Vec<UserSlice>,
    index: usize,
    offset: usize,
    left: usize,
}

impl Vectors {
    const EMPTY: Vectors =
        Vectors { inline: [UserSlice { addr: 0, len: 0 }; INLINE], more: Vec::new(), index: 0, offset: 0, left: 0 };

    /// One range.
    pub fn one(slice: UserSlice) -> Vectors {
        let mut vectors = Vectors { left: slice.len, ..Vectors::EMPTY };
        vectors.inline[0] = slice;
        vectors
    }

    /// `count` iovecs at `addr`. EINVAL: more than IOV_MAX, or more bytes than ssize_t holds; EFAULT.
    pub fn read(addr: u64, count: u64) -> Result<Vectors> {
        if count > VECTORS_MAX {
            return Err(Errno::EINVAL);
        }
        let mut vectors = Vectors::EMPTY;
        let mut total = 0u64;
        for n in 0..count as usize {
            let vector: IoVec = user::read(addr.wrapping_add((n * size_of::<IoVec>()) as u64))?;
            total = total.checked_add(vector.len).filter(|t| *t <= i64::MAX as u64).ok_or(Errno::EINVAL)?;
            let slice = UserSlice::new(vector.base, vector.len)?.part(0, COUNT_MAX - vectors.left);
            vectors.left += slice.len;
            match vectors.inline.get_mut(n) {
                Some(place) => *place = slice,
                None => vectors.more.push(slice),
            }
        }
        Ok(vectors)
    }

    /// Bytes to go.
    pub fn left(&self) -> usize {
        self.left
    }

    /// The next contiguous range, `max` bytes at the most; `None` at the end.
    pub fn next(&mut self, max: usize) -> Option<UserSlice> {
        if self.left == 0 || max == 0 {
            return None;
        }
        loop {
            let slice = match self.inline.get(self.index) {
                Some(slice) => slice,
                None => self.more.get(self.index - INLINE)?,
            };
            if self.offset < slice.len {
                return Some(slice.part(self.offset, max));
            }
            self.index += 1;
            self.offset = 0;
        }
    }

    /// The first `n` bytes of what [`Vectors::next`] gave are done.
    pub fn advance(&mut self, n: usize) {
        self.offset += n;
        self.left -= n.min(self.left);
    }
}

/// readv(2) of files for which it is not the same as several reads: pipes and sockets. `None` for others.
pub fn readv(file: &File, vectors: u64, count: u64) -> Option<Result<usize>> {
    let read: &dyn Fn(&mut Vectors) -> Result<usize> = match (file.object::<ReadEnd>(), file.object::<Socket>()) {
        (Some(pipe), _) => &|to| pipe.read_vectors(file, to),
        (_, Some(socket)) => &|to| socket.read_vectors(file, to),
        _ => match file.object::<FifoEnd>() {
            Some(fifo) => &|to| fifo.read_vectors(file, to),
            None => return None,
        },
    };
    if !file.readable() {
        return Some(Err(Errno::EBADF));
    }
    Some(Vectors::read(vectors, count).and_then(|mut to| read(&mut to)))
}

/// writev(2), likewise.
pub fn writev(file: &File, vectors: u64, count: u64) -> Option<Result<usize>> {
    let write: &dyn Fn(&mut Vectors) -> Result<usize> = match (file.object::<WriteEnd>(), file.object::<Socket>()) {
        (Some(pipe), _) => &|from| pipe.write_vectors(file, from),
        (_, Some(socket)) => &|from| socket.write_vectors(file, from),
        _ => match file.object::<FifoEnd>() {
            Some(fifo) => &|from| fifo.write_vectors(file, from),
            None => return None,
        },
    };
    if !file.writable() {
        return Some(Err(Errno::EBADF));
    }
    Some(Vectors::read(vectors, count).and_then(|mut from| write(&mut from)))
}
