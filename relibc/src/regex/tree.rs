//! A pattern as a tree, as the parser makes it and [`super::nfa`] takes it.

use super::set::Set;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What must hold at a place between two symbols. Bits; all that are set must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assertion(pub u8);

impl Assertion {
    /// Behind a word character.
    pub const AFTER_WORD: u8 = 1;
    /// Behind something else, or the beginning.
    pub const AFTER_OTHER: u8 = 2;
    /// Before a word character.
    pub const BEFORE_WORD: u8 = 4;
    /// Before something else, or the end.
    pub const BEFORE_OTHER: u8 = 8;
    /// At a line's beginning.
    pub const LINE_FIRST: u8 = 16;
    /// At a line's end.
    pub const LINE_LAST: u8 = 32;
    /// At the text's beginning.
    pub const TEXT_FIRST: u8 = 64;
    /// At the text's end.
    pub const TEXT_LAST: u8 = 128;
}

/// A part of a pattern.
#[derive(Clone, Debug)]
pub enum Tree {
    /// A symbol of a set: an index into [`Parsed::sets`].
    Set(u32),
    /// A condition.
    Assert(Assertion),
    /// What the group of that index (from 0) matched.
    Back(u32),
    /// A group.
    Group {
        /// From 0, in the order of opening parentheses.
        index: u32,
        /// Repeated in a way that lets it be skipped: an empty match of it does not count when an earlier one did.
        optional: bool,
        /// None: `()`.
        body: Option<Box<Tree>>,
    },
    /// One after the other.
    Cat(Vec<Tree>),
    /// One of these; None matches the empty text.
    Alt(Vec<Option<Tree>>),
    /// As often as possible.
    Star(Box<Tree>),
    /// Exactly so often.
    Times(Box<Tree>, u32),
    /// At most so often.
    UpTo(Box<Tree>, u32),
}

impl Tree {
    /// Takes back what [`Tree::Group`]'s `optional` says, as glibc does in what it copies for an interval.
    pub fn forget_optional(&mut self) {
        match self {
            Tree::Set(_) | Tree::Assert(_) | Tree::Back(_) => {}
            Tree::Group { optional, body, .. } => {
                *optional = false;
                body.iter_mut().for_each(|body| body.forget_optional());
            }
            Tree::Cat(parts) => parts.iter_mut().for_each(Tree::forget_optional),
            Tree::Alt(parts) => parts.iter_mut().flatten().for_each(Tree::forget_optional),
            Tree::Star(body) | Tree::Times(body, _) | Tree::UpTo(body, _) => body.forget_optional(),
        }
    }
}

/// A parsed pattern.
#[derive(Debug, Default)]
pub struct Parsed {
    /// None: it matches the empty text.
    pub tree: Option<Tree>,
    /// The sets in it, each once.
    pub sets: Vec<Set>,
    /// How many groups it has.
    pub groups: u32,
    /// For each group the one whose submatch it has: itself, or the one directly around it (`((a))`).
    pub same: Vec<u32>,
    /// The groups that back-references name, by bit.
    pub referenced: u32,
}

impl Parsed {
    /// The index of a set.
    pub fn intern(&mut self, set: Set) -> u32 {
        let at = self.sets.iter().position(|have| *have == set).unwrap_or_else(|| {
            self.sets.push(set);
            self.sets.len() - 1
        });
        at as u32
    }

    /// Makes one of two groups of which one is directly in the other.
    pub fn merge_groups(&mut self) {
        self.same = (0..self.groups).collect();
        if let Some(mut tree) = self.tree.take() {
            merge(&mut tree, &mut self.same, &mut self.referenced);
            self.tree = Some(tree);
        }
    }
}

fn merge(tree: &mut Tree, same: &mut [u32], referenced: &mut u32) {
    match tree {
        Tree::Set(_) | Tree::Assert(_) => {}
        Tree::Back(index) => {
            *index = same[*index as usize];
            *referenced |= 1 << *index;
        }
        Tree::Group { index, body, .. } => {
            if let Some(inside) = body.as_deref_mut()
                && let Tree::Group { index: other, body: innermost, .. } = inside
            {
                same[*other as usize] = same[*index as usize];
                if *other < 32 {
                    *referenced &= !(1 << *other);
                }
                *body = innermost.take();
            }
            if let Some(body) = body {
                merge(body, same, referenced);
            }
        }
        Tree::Cat(parts) => parts.iter_mut().for_each(|part| merge(part, same, referenced)),
        Tree::Alt(parts) => parts.iter_mut().flatten().for_each(|part| merge(part, same, referenced)),
        Tree::Star(body) | Tree::Times(body, _) | Tree::UpTo(body, _) => merge(body, same, referenced),
    }
}
