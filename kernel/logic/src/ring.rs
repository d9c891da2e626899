//! A byte queue over chunks of 4 KiB that its owner supplies and reads and writes itself.
//!
//! The ring only keeps positions, so that the owner can copy bytes to and from a chunk without holding a lock around the ring:
//! a writer reserves room, fills it piece by piece and commits; a reader looks at pieces and consumes them. One writer and one
//! reader at a time; what a reader consumes never moves what a writer has reserved.

use alloc::collections::VecDeque;

/// Bytes of a chunk.
pub const CHUNK: usize = 4096;

/// A byte queue.
///
/// Invariants: `head < CHUNK` unless there are no chunks (then 0); `head + len + reserved ≤ chunks.len() × CHUNK`.
pub struct Ring<C> {
    chunks: VecDeque<C>,
    /// Where the data starts in the first chunk.
    head: usize,
    len: usize,
    /// Bytes after the data that a writer is filling.
    reserved: usize,
    capacity: usize,
}

/// A contiguous part of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<C> {
    /// The chunk.
    pub chunk: C,
    /// Where the part starts in it.
    pub offset: usize,
    /// Its bytes; not 0.
    pub len: usize,
}

impl<C> Ring<C> {
    /// An empty ring that holds `capacity` bytes at the most; allocates nothing.
    pub const fn new(capacity: usize) -> Self {
        Ring { chunks: VecDeque::new(), head: 0, len: 0, reserved: 0, capacity }
    }

    /// Bytes to read.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes it may hold.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes that can be reserved.
    pub fn free(&self) -> usize {
        self.capacity.saturating_sub(self.len + self.reserved)
    }

    /// Changes the capacity; false, and no change, if the ring holds more than that.
    pub fn set_capacity(&mut self, capacity: usize) -> bool {
        let fits = self.len + self.reserved <= capacity;
        if fits {
            self.capacity = capacity;
        }
        fits
    }

    /// How many chunks must be added with [`Ring::push_chunk`] before `n` bytes can be reserved.
    pub fn missing(&self, n: usize) -> usize {
        let end = (self.head + self.len + self.reserved).saturating_add(n);
        end.div_ceil(CHUNK).saturating_sub(self.chunks.len())
    }

    /// Adds a chunk at the end.
    pub fn push_chunk(&mut self, chunk: C) {
        self.chunks.push_back(chunk);
    }

    /// Reserves `n` bytes after the data; false, and nothing reserved, if the capacity or the chunks do not allow it.
    pub fn reserve(&mut self, n: usize) -> bool {
        let fits = n <= self.free() && self.missing(n) == 0;
        if fits {
            self.reserved += n;
        }
        fits
    }

    /// The part of the reservation from `skip` on that lies in one chunk.
    pub fn writable(&self, skip: usize) -> Option<Piece<&C>> {
        self.piece(self.len, self.reserved, skip)
    }

    /// The first `n` bytes of the reservation become data; the rest is given up.
    pub fn commit(&mut self, n: usize) {
        self.len += n.min(self.reserved);
        self.reserved = 0;
        self.tidy();
    }

    /// The part of the data from `skip` on that lies in one chunk.
    pub fn readable(&self, skip: usize) -> Option<Piece<&C>> {
        self.piece(0, self.len, skip)
    }

    /// Takes `n` bytes of data off. Chunks that are not needed any more are dropped, but one.
    pub fn consume(&mut self, n: usize) {
        let n = n.min(self.len);
        self.len -= n;
        self.head += n;
        self.tidy();
    }

    fn piece(&self, start: usize, len: usize, skip: usize) -> Option<Piece<&C>> {
        let left = len.checked_sub(skip).filter(|left| *left > 0)?;
        let at = self.head + start + skip;
        let chunk = self.chunks.get(at / CHUNK)?;
        let offset = at % CHUNK;
        Some(Piece { chunk, offset, len: left.min(CHUNK - offset) })
    }

    fn tidy(&mut self) {
        if self.len == 0 && self.reserved == 0 {
            self.head = 0;
            self.chunks.truncate(1);
            return;
        }
        while self.head >= CHUNK {
            self.head -= CHUNK;
            self.chunks.pop_front();
        }
        self.chunks.truncate((self.head + self.len + self.reserved).div_ceil(CHUNK));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::rc::Rc;
    use alloc::vec::Vec;
    use core::cell::RefCell;
    use proptest::prelude::*;

    type Chunk = Rc<RefCell<Vec<u8>>>;

    fn fill(ring: &Ring<Chunk>, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let piece = ring.writable(done).unwrap();
            piece.chunk.borrow_mut()[piece.offset..piece.offset + piece.len]
                .copy_from_slice(&bytes[done..done + piece.len]);
            done += piece.len;
        }
    }

    fn look(ring: &Ring<Chunk>, n: usize) -> Vec<u8> {
        let mut seen = Vec::new();
        while seen.len() < n {
            let piece = ring.readable(seen.len()).unwrap();
            let len = piece.len.min(n - seen.len());
            seen.extend_from_slice(&piece.chunk.borrow()[piece.offset..piece.offset + len]);
        }
        seen
    }

    proptest! {
        /// Bytes come out as they went in, whatever the sizes, also when a reader consumes while a writer holds a reservation.
        #[test]
        fn is_a_queue(ops in proptest::collection::vec((0u8..4, 0usize..9000), 1..120)) {
            const CAPACITY: usize = 5 * CHUNK;
            let mut ring: Ring<Chunk> = Ring::new(CAPACITY);
            let mut model: VecDeque<u8> = VecDeque::new();
            let mut pending: Option<Vec<u8>> = None;
            let mut next = 0u8;
            for (op, n) in ops {
                match (op, &pending) {
                    (0 | 1, None) => {
                        let n = n.min(ring.free());
                        for _ in 0..ring.missing(n) {
                            ring.push_chunk(Rc::new(RefCell::new(alloc::vec![0; CHUNK])));
                        }
                        prop_assert!(ring.reserve(n));
                        let bytes: Vec<u8> = (0..n).map(|_| { next = next.wrapping_add(7); next }).collect();
                        fill(&ring, &bytes);
                        pending = Some(bytes);
                    }
                    (0 | 1, Some(bytes)) => {
                        let kept = n.min(bytes.len());
                        ring.commit(kept);
                        model.extend(&bytes[..kept]);
                        pending = None;
                    }
                    _ => {
                        let n = n.min(ring.len());
                        let seen = look(&ring, n);
                        prop_assert!(seen.iter().eq(model.iter().take(n)));
                        ring.consume(n);
                        model.drain(..n);
                    }
                }
                let held = pending.as_ref().map_or(0, Vec::len);
                prop_assert_eq!(ring.len(), model.len());
                prop_assert_eq!(ring.free(), CAPACITY - model.len() - held);
                prop_assert!(ring.chunks.len() <= (model.len() + held).div_ceil(CHUNK) + 1);
            }
        }
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let mut ring: Ring<()> = Ring::new(CHUNK);
        assert!(!ring.reserve(1), "no chunk yet");
        ring.push_chunk(());
        assert!(!ring.reserve(CHUNK + 1) && ring.reserve(CHUNK));
        ring.commit(CHUNK);
        assert!(!ring.set_capacity(10) && ring.set_capacity(2 * CHUNK));
        assert_eq!((ring.free(), ring.missing(1)), (CHUNK, 1));
        assert_eq!(ring.missing(usize::MAX), usize::MAX / CHUNK);
    }
}
