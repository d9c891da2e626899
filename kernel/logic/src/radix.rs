//! A sparse array indexed by page number: the pages of a memory object.
//!
//! A radix tree of 64-way nodes that is only as high as its greatest index needs: a file of up to 64 pages is one node.

use alloc::boxed::Box;
use core::ops::Range;

const BITS: u32 = 6;
const FAN_OUT: usize = 1 << BITS;

/// A map from u64 to `T` that is dense where it is used.
#[derive(Debug)]
pub struct Radix<T> {
    root: Option<Node<T>>,
    /// Levels of the root: 1 is a leaf.
    height: u32,
    len: usize,
}

#[derive(Debug)]
enum Node<T> {
    Leaf(Box<Slots<T>>),
    Inner(Box<Slots<Node<T>>>),
}

#[derive(Debug)]
struct Slots<T> {
    used: u32,
    slots: [Option<T>; FAN_OUT],
}

impl<T> Slots<T> {
    fn new() -> Box<Self> {
        Box::new(Slots { used: 0, slots: [const { None }; FAN_OUT] })
    }
}

/// The slot of `index` in a node of the given height.
fn slot(index: u64, height: u32) -> usize {
    (index >> (BITS * (height - 1))) as usize % FAN_OUT
}

/// How many indices a node of the given height covers; saturates.
fn span(height: u32) -> u64 {
    1u64.checked_shl(BITS * height).unwrap_or(u64::MAX)
}

impl<T> Radix<T> {
    /// An empty array; allocates nothing.
    pub const fn new() -> Self {
        Radix { root: None, height: 1, len: 0 }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value at `index`.
    pub fn get(&self, index: u64) -> Option<&T> {
        if index >= span(self.height) && self.height <= 10 {
            return None;
        }
        let mut node = self.root.as_ref()?;
        let mut height = self.height;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.slots[slot(index, 1)].as_ref(),
                Node::Inner(inner) => node = inner.slots[slot(index, height)].as_ref()?,
            }
            height -= 1;
        }
    }

    /// The value at `index`, to change it.
    pub fn get_mut(&mut self, index: u64) -> Option<&mut T> {
        if index >= span(self.height) && self.height <= 10 {
            return None;
        }
        let mut node = self.root.as_mut()?;
        let mut height = self.height;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.slots[slot(index, 1)].as_mut(),
                Node::Inner(inner) => node = inner.slots[slot(index, height)].as_mut()?,
            }
            height -= 1;
        }
    }

    /// Puts a value at `index`, and returns what stood there.
    pub fn insert(&mut self, index: u64, value: T) -> Option<T> {
        while self.height <= 10 && index >= span(self.height) {
            self.grow();
        }
        let height = self.height;
        let root = self.root.get_or_insert_with(|| Node::new(height));
        let old = root.insert(index, height, value);
        self.len += usize::from(old.is_none());
        old
    }

    /// Takes the value at `index` out.
    pub fn remove(&mut self, index: u64) -> Option<T> {
        let mut taken = None;
        self.take_range(index..index.saturating_add(1), 1, &mut |_, value| taken = Some(value));
        taken
    }

    /// Takes out the first `max` values in `range`, in order. Returns true if it stopped because of `max`: there may be more.
    pub fn take_range(&mut self, range: Range<u64>, max: usize, each: &mut dyn FnMut(u64, T)) -> bool {
        let height = self.height;
        let Some(root) = self.root.as_mut() else { return false };
        let mut left = max;
        let before = left;
        let empty = root.take(0, height, &range, &mut left, each);
        self.len -= before - left;
        if empty {
            self.root = None;
            self.height = 1;
        }
        left == 0
    }

    /// Visits the values in `range` in order until `each` says false.
    pub fn visit(&self, range: Range<u64>, each: &mut dyn FnMut(u64, &T) -> bool) {
        if let Some(root) = &self.root {
            root.visit(0, self.height, &range, each);
        }
    }

    /// Visits the values in `range` in order, to change them, until `each` says false.
    pub fn visit_mut(&mut self, range: Range<u64>, each: &mut dyn FnMut(u64, &mut T) -> bool) {
        let height = self.height;
        if let Some(root) = &mut self.root {
            root.visit_mut(0, height, &range, each);
        }
    }

    /// Puts a new root above the present one.
    fn grow(&mut self) {
        if let Some(old) = self.root.take() {
            let mut inner = Slots::new();
            inner.slots[0] = Some(old);
            inner.used = 1;
            self.root = Some(Node::Inner(inner));
        }
        self.height += 1;
    }
}

impl<T> Default for Radix<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// The slots of a node (which starts at `base`) that `range` touches, with the first index of each.
fn touched(base: u64, height: u32, range: &Range<u64>) -> impl Iterator<Item = (usize, u64)> + use<> {
    let child = span(height - 1);
    // A child's first index never overflows: slots above 15 of the topmost level (height 11) are unused.
    let last = base.saturating_add(span(height) - 1).min(range.end.saturating_sub(1));
    let first = base.max(range.start);
    let slots = if first <= last && range.start < range.end {
        ((first - base) / child) as usize..(((last - base) / child) as usize + 1).min(FAN_OUT)
    } else {
        0..0
    };
    slots.map(move |slot| (slot, base + slot as u64 * child))
}

impl<T> Node<T> {
    fn new(height: u32) -> Self {
        if height == 1 { Node::Leaf(Slots::new()) } else { Node::Inner(Slots::new()) }
    }

    fn insert(&mut self, index: u64, height: u32, value: T) -> Option<T> {
        match self {
            Node::Leaf(leaf) => {
                let old = leaf.slots[slot(index, 1)].replace(value);
                leaf.used += u32::from(old.is_none());
                old
            }
            Node::Inner(inner) => {
                let child = &mut inner.slots[slot(index, height)];
                inner.used += u32::from(child.is_none());
                child.get_or_insert_with(|| Node::new(height - 1)).insert(index, height - 1, value)
            }
        }
    }

    /// Returns true if the node is empty afterwards.
    fn take(
        &mut self,
        base: u64,
        height: u32,
        range: &Range<u64>,
        left: &mut usize,
        each: &mut dyn FnMut(u64, T),
    ) -> bool {
        for (slot, first) in touched(base, height, range) {
            if *left == 0 {
                break;
            }
            match self {
                Node::Leaf(leaf) => {
                    if let Some(value) = leaf.slots[slot].take() {
                        leaf.used -= 1;
                        *left -= 1;
                        each(first, value);
                    }
                }
                Node::Inner(inner) => {
                    if let Some(child) = &mut inner.slots[slot]
                        && child.take(first, height - 1, range, left, each)
                    {
                        inner.slots[slot] = None;
                        inner.used -= 1;
                    }
                }
            }
        }
        match self {
            Node::Leaf(leaf) => leaf.used == 0,
            Node::Inner(inner) => inner.used == 0,
        }
    }

    fn visit(&self, base: u64, height: u32, range: &Range<u64>, each: &mut dyn FnMut(u64, &T) -> bool) -> bool {
        touched(base, height, range).all(|(slot, first)| match self {
            Node::Leaf(leaf) => leaf.slots[slot].as_ref().is_none_or(|value| each(first, value)),
            Node::Inner(inner) => {
                inner.slots[slot].as_ref().is_none_or(|child| child.visit(first, height - 1, range, each))
            }
        })
    }

    fn visit_mut(
        &mut self,
        base: u64,
        height: u32,
        range: &Range<u64>,
        each: &mut dyn FnMut(u64, &mut T) -> bool,
    ) -> bool {
        touched(base, height, range).all(|(slot, first)| match self {
            Node::Leaf(leaf) => leaf.slots[slot].as_mut().is_none_or(|value| each(first, value)),
            Node::Inner(inner) => {
                inner.slots[slot].as_mut().is_none_or(|child| child.visit_mut(first, height - 1, range, each))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn index() -> impl Strategy<Value = u64> {
        prop_oneof![
            0u64..200,
            (0u32..64).prop_map(|shift| 1 << shift),
            Just(u64::MAX - 1),
            Just(u64::MAX),
            any::<u64>()
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(ops in proptest::collection::vec((0u8..6, index(), index(), 0usize..20), 0..200)) {
            let mut radix = Radix::new();
            let mut model = BTreeMap::new();
            for (n, (op, a, b, max)) in (0u32..).zip(ops) {
                let range = a.min(b)..a.max(b);
                match op {
                    0 | 1 => prop_assert_eq!(radix.insert(a, n), model.insert(a, n)),
                    // The range of one index ends behind it, so u64::MAX itself is out of reach of removal.
                    2 if a < u64::MAX => prop_assert_eq!(radix.remove(a), model.remove(&a)),
                    3 => {
                        let expected: Vec<_> = model.range(range.clone()).take(max).map(|(&k, &v)| (k, v)).collect();
                        let mut taken = Vec::new();
                        let more = radix.take_range(range, max, &mut |k, v| taken.push((k, v)));
                        prop_assert!(!more || taken.len() == max);
                        for (k, _) in &expected { model.remove(k); }
                        prop_assert_eq!(taken, expected);
                    }
                    4 => {
                        let mut seen = Vec::new();
                        radix.visit(range.clone(), &mut |k, v| { seen.push((k, *v)); seen.len() < 5 });
                        prop_assert_eq!(seen, model.range(range).take(5).map(|(&k, &v)| (k, v)).collect::<Vec<_>>());
                    }
                    _ => {
                        radix.visit_mut(range.clone(), &mut |_, v| { *v += 1; true });
                        for (_, v) in model.range_mut(range) { *v += 1; }
                    }
                }
                prop_assert_eq!(radix.len(), model.len());
                prop_assert_eq!(radix.get(a), model.get(&a));
                prop_assert_eq!(radix.get_mut(b).copied(), model.get(&b).copied());
            }
        }
    }

    #[test]
    fn an_empty_tree_shrinks() {
        let mut radix = Radix::new();
        radix.insert(1 << 40, 'a');
        assert_eq!(radix.remove(1 << 40), Some('a'));
        assert!(radix.is_empty() && radix.height == 1 && radix.root.is_none());
    }
}
