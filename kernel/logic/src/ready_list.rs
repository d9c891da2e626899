//! The state of an event queue (epoll): what is watched, how, and which entries may have something to tell.
//!
//! An entry is *queued* when its file raised a bit that it asks for. Whoever collects takes an entry off the queue ([`ReadyList::pop`]),
//! asks the file for its bits now, and settles ([`ReadyList::settle`]): an entry that still holds is reported; a level-triggered one goes
//! back to the queue's end, an edge-triggered one waits for the next notification, a one-shot one is silent until it is modified.
//! Links are indices, so that every operation but growth takes constant time.

use alloc::vec::Vec;

/// Edge-triggered (EPOLLET).
pub const EDGE: u32 = 1 << 31;
/// Reported once (EPOLLONESHOT).
pub const ONE_SHOT: u32 = 1 << 30;
/// Wakes one of several queues (EPOLLEXCLUSIVE).
pub const EXCLUSIVE: u32 = 1 << 28;
/// What is no event but a way to report them: the three above and EPOLLWAKEUP.
pub const MODES: u32 = EDGE | ONE_SHOT | EXCLUSIVE | 1 << 29;

const NONE: u32 = u32::MAX;

/// Names an entry; a removed entry's token names nothing for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    index: u32,
    generation: u32,
}

struct Slot<T> {
    generation: u32,
    entry: Option<Entry<T>>,
}

struct Entry<T> {
    interest: u32,
    data: u64,
    queued: bool,
    /// A one-shot entry that was reported.
    silent: bool,
    previous: u32,
    next: u32,
    value: T,
}

/// Entries and their queue.
///
/// Invariant: exactly the entries with `queued` are linked from `first` to `last`, `ready` of them; a silent entry is not queued.
pub struct ReadyList<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    first: u32,
    last: u32,
    ready: usize,
    used: usize,
}

impl<T> ReadyList<T> {
    /// Nothing watched; allocates nothing.
    pub const fn new() -> Self {
        ReadyList { slots: Vec::new(), free: Vec::new(), first: NONE, last: NONE, ready: 0, used: 0 }
    }

    /// Adds an entry, not queued. `interest`: event bits and [`MODES`].
    pub fn insert(&mut self, interest: u32, data: u64, value: impl FnOnce(Token) -> T) -> Token {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.slots.push(Slot { generation: 0, entry: None });
                (self.slots.len() - 1) as u32
            }
        };
        let slot = &mut self.slots[index as usize];
        let token = Token { index, generation: slot.generation };
        slot.entry = Some(Entry {
            interest,
            data,
            queued: false,
            silent: false,
            previous: NONE,
            next: NONE,
            value: value(token),
        });
        self.used += 1;
        token
    }

    /// Changes what is asked for; a silent entry speaks again.
    pub fn modify(&mut self, token: Token, interest: u32, data: u64) -> bool {
        match self.entry_mut(token) {
            Some(entry) => {
                entry.interest = interest;
                entry.data = data;
                entry.silent = false;
                true
            }
            None => false,
        }
    }

    /// Takes an entry out.
    pub fn remove(&mut self, token: Token) -> Option<T> {
        self.entry(token)?;
        self.unlink(token.index);
        let slot = &mut self.slots[token.index as usize];
        slot.generation = slot.generation.wrapping_add(1);
        let entry = slot.entry.take()?;
        self.free.push(token.index);
        self.used -= 1;
        Some(entry.value)
    }

    /// The entry's value.
    pub fn get(&self, token: Token) -> Option<&T> {
        self.entry(token).map(|entry| &entry.value)
    }

    /// What the entry asks for, with its modes.
    pub fn interest(&self, token: Token) -> Option<u32> {
        self.entry(token).map(|entry| entry.interest)
    }

    /// The entry's file raised these bits. True if the entry was put into the queue by that.
    pub fn notify(&mut self, token: Token, bits: u32) -> bool {
        let Some(entry) = self.entry(token) else { return false };
        if entry.silent || entry.queued || entry.interest & !MODES & bits == 0 {
            return false;
        }
        self.link_last(token.index);
        true
    }

    /// Takes the entry off the queue that has been in it longest.
    pub fn pop(&mut self) -> Option<Token> {
        let index = self.first;
        if index == NONE {
            return None;
        }
        self.unlink(index);
        Some(Token { index, generation: self.slots[index as usize].generation })
    }

    /// After [`ReadyList::pop`]: `bits` are the file's bits now. What is to be reported, as (events, data), or `None` if nothing holds.
    pub fn settle(&mut self, token: Token, bits: u32) -> Option<(u32, u64)> {
        let entry = self.entry_mut(token)?;
        let events = entry.interest & !MODES & bits;
        if events == 0 || entry.silent {
            return None;
        }
        let report = (events, entry.data);
        if entry.interest & ONE_SHOT != 0 {
            entry.silent = true;
            self.unlink(token.index);
        } else if entry.interest & EDGE == 0 && !entry.queued {
            self.link_last(token.index);
        }
        Some(report)
    }

    /// A settled report could not be handed over: the entry is as before its [`ReadyList::pop`].
    pub fn restore(&mut self, token: Token) {
        if let Some(entry) = self.entry_mut(token) {
            entry.silent = false;
            if !entry.queued {
                self.link_last(token.index);
            }
        }
    }

    /// How many entries are queued.
    pub fn ready(&self) -> usize {
        self.ready
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = (Token, &T)> {
        (0u32..).zip(&self.slots).filter_map(|(index, slot)| {
            let entry = slot.entry.as_ref()?;
            Some((Token { index, generation: slot.generation }, &entry.value))
        })
    }

    fn entry(&self, token: Token) -> Option<&Entry<T>> {
        self.slots.get(token.index as usize).filter(|s| s.generation == token.generation)?.entry.as_ref()
    }

    fn entry_mut(&mut self, token: Token) -> Option<&mut Entry<T>> {
        self.slots.get_mut(token.index as usize).filter(|s| s.generation == token.generation)?.entry.as_mut()
    }

    fn at(&mut self, index: u32) -> Option<&mut Entry<T>> {
        self.slots.get_mut(index as usize)?.entry.as_mut()
    }

    fn link_last(&mut self, index: u32) {
        let last = self.last;
        if let Some(entry) = self.at(index) {
            entry.queued = true;
            entry.previous = last;
            entry.next = NONE;
        }
        match self.at(last) {
            Some(before) => before.next = index,
            None => self.first = index,
        }
        self.last = index;
        self.ready += 1;
    }

    fn unlink(&mut self, index: u32) {
        let Some(entry) = self.at(index).filter(|entry| entry.queued) else { return };
        entry.queued = false;
        let (previous, next) = (entry.previous, entry.next);
        match self.at(previous) {
            Some(before) => before.next = next,
            None => self.first = next,
        }
        match self.at(next) {
            Some(after) => after.previous = previous,
            None => self.last = previous,
        }
        self.ready -= 1;
    }
}

impl<T> Default for ReadyList<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::VecDeque;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    struct Model {
        token: Token,
        interest: u32,
        data: u64,
        silent: bool,
    }

    fn interest() -> impl Strategy<Value = u32> {
        (0u32..16, any::<bool>(), any::<bool>())
            .prop_map(|(bits, edge, shot)| bits | u32::from(edge) * EDGE | u32::from(shot) * ONE_SHOT)
    }

    proptest! {
        /// Against a model: a list of entries and a queue of tokens, each at most once.
        #[test]
        fn agrees_with_a_model(ops in proptest::collection::vec((0u8..6, 0usize..12, interest(), 0u32..16), 1..300)) {
            let mut list: ReadyList<u64> = ReadyList::new();
            let mut entries: Vec<Model> = Vec::new();
            let mut queue: VecDeque<Token> = VecDeque::new();
            for (n, (op, which, interest, bits)) in (0u64..).zip(ops) {
                let which = if entries.is_empty() { None } else { Some(which % entries.len()) };
                match (op, which) {
                    (0, _) | (_, None) => {
                        let token = list.insert(interest, n, |_| n);
                        entries.push(Model { token, interest, data: n, silent: false });
                    }
                    (1, Some(i)) => {
                        let gone = entries.swap_remove(i);
                        prop_assert!(list.remove(gone.token).is_some());
                        prop_assert!(list.remove(gone.token).is_none() && list.get(gone.token).is_none());
                        prop_assert!(!list.notify(gone.token, u32::MAX));
                        queue.retain(|t| *t != gone.token);
                    }
                    (2, Some(i)) => {
                        entries[i].interest = interest;
                        entries[i].data = n;
                        entries[i].silent = false;
                        prop_assert!(list.modify(entries[i].token, interest, n));
                    }
                    (3 | 4, Some(i)) => {
                        let e = &entries[i];
                        let expected = !e.silent && e.interest & 15 & bits != 0 && !queue.contains(&e.token);
                        prop_assert_eq!(list.notify(e.token, bits), expected);
                        if expected {
                            queue.push_back(e.token);
                        }
                    }
                    (_, Some(_)) => {
                        let token = list.pop();
                        prop_assert_eq!(token, queue.pop_front());
                        let Some(token) = token else { continue };
                        let e = entries.iter_mut().find(|e| e.token == token).unwrap();
                        let events = e.interest & 15 & bits;
                        let report = list.settle(token, bits);
                        if events == 0 {
                            prop_assert_eq!(report, None);
                        } else {
                            prop_assert_eq!(report, Some((events, e.data)));
                            if e.interest & ONE_SHOT != 0 {
                                e.silent = true;
                            } else if e.interest & EDGE == 0 {
                                queue.push_back(token);
                            }
                        }
                    }
                }
                prop_assert_eq!(list.ready(), queue.len());
                prop_assert_eq!(list.len(), entries.len());
                prop_assert_eq!(list.iter().count(), entries.len());
            }
            // What is left comes out in the queue's order.
            let rest: Vec<Token> = core::iter::from_fn(|| list.pop()).collect();
            prop_assert!(rest.iter().eq(queue.iter()));
        }
    }

    #[test]
    fn a_report_that_failed_is_not_lost() {
        let mut list: ReadyList<()> = ReadyList::new();
        let token = list.insert(1 | ONE_SHOT | EDGE, 5, |_| ());
        assert!(list.notify(token, 1));
        assert_eq!(list.pop(), Some(token));
        assert_eq!(list.settle(token, 1), Some((1, 5)));
        assert!(!list.notify(token, 1), "silent after one shot");
        list.restore(token);
        assert_eq!(list.pop(), Some(token));
        assert_eq!(list.settle(token, 1), Some((1, 5)));
    }
}
