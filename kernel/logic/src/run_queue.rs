//! A CPU's queue of runnable threads: first in, first out at each priority, the highest priority first.

use alloc::collections::VecDeque;

/// Number of priorities; 0 is the lowest.
pub const PRIORITIES: usize = 32;

/// Threads (or anything) in order of priority and arrival. All operations but [`RunQueue::take_where`] take constant time.
///
/// Invariant: bit p of `occupied` is set exactly when `queues[p]` is not empty.
pub struct RunQueue<T> {
    queues: [VecDeque<T>; PRIORITIES],
    occupied: u32,
    len: usize,
}

impl<T> RunQueue<T> {
    /// An empty queue; allocates nothing.
    pub const fn new() -> Self {
        RunQueue { queues: [const { VecDeque::new() }; PRIORITIES], occupied: 0, len: 0 }
    }

    /// Appends behind the others of its priority (31 if it is greater).
    pub fn push(&mut self, priority: u8, item: T) {
        let p = usize::from(priority).min(PRIORITIES - 1);
        self.queues[p].push_back(item);
        self.occupied |= 1 << p;
        self.len += 1;
    }

    /// Puts in front of the others of its priority: a thread that lost the CPU before its time slice was over.
    pub fn push_front(&mut self, priority: u8, item: T) {
        let p = usize::from(priority).min(PRIORITIES - 1);
        self.queues[p].push_front(item);
        self.occupied |= 1 << p;
        self.len += 1;
    }

    /// Takes the first of the highest priority.
    pub fn pop(&mut self) -> Option<T> {
        let p = usize::from(self.highest()?);
        let item = self.queues[p].pop_front();
        self.settle(p);
        item
    }

    /// The highest priority that has somebody waiting.
    pub fn highest(&self) -> Option<u8> {
        if self.occupied == 0 { None } else { Some(31 - self.occupied.leading_zeros() as u8) }
    }

    /// Takes the first, from the highest priority down, that `wanted` accepts: what another CPU steals.
    pub fn take_where(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Option<T> {
        for p in (0..PRIORITIES).rev() {
            if self.occupied & (1 << p) == 0 {
                continue;
            }
            if let Some(index) = self.queues[p].iter().position(&mut wanted) {
                let item = self.queues[p].remove(index);
                self.settle(p);
                return item;
            }
        }
        None
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Restores the invariants after one item left `queues[p]`.
    fn settle(&mut self, p: usize) {
        self.len -= 1;
        if self.queues[p].is_empty() {
            self.occupied &= !(1 << p);
        }
    }
}

impl<T> Default for RunQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Op {
        Push(u8),
        PushFront(u8),
        Pop,
        TakeEven,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![(0u8..40).prop_map(Op::Push), (0u8..40).prop_map(Op::PushFront), Just(Op::Pop), Just(Op::TakeEven)]
    }

    proptest! {
        /// The queue behaves as a list that is searched for the first of the greatest priority.
        #[test]
        fn agrees_with_a_list(ops in proptest::collection::vec(op(), 0..200)) {
            let mut queue = RunQueue::new();
            let mut model: Vec<(u8, u32)> = Vec::new();
            for (n, op) in (0u32..).zip(ops) {
                match op {
                    Op::Push(p) => { queue.push(p, n); model.push((p.min(31), n)); }
                    Op::PushFront(p) => { queue.push_front(p, n); model.insert(0, (p.min(31), n)); }
                    Op::Pop => {
                        let best = model.iter().map(|e| e.0).max();
                        let expected = best.and_then(|p| model.iter().position(|e| e.0 == p)).map(|i| model.remove(i).1);
                        prop_assert_eq!(queue.pop(), expected);
                    }
                    Op::TakeEven => {
                        let best = model.iter().filter(|e| e.1 % 2 == 0).map(|e| e.0).max();
                        let expected = best
                            .and_then(|p| model.iter().position(|e| e.0 == p && e.1 % 2 == 0))
                            .map(|i| model.remove(i).1);
                        prop_assert_eq!(queue.take_where(|e| e % 2 == 0), expected);
                    }
                }
                prop_assert_eq!(queue.len(), model.len());
                prop_assert_eq!(queue.highest(), model.iter().map(|e| e.0).max());
            }
        }
    }
}
