//! A pattern as a graph: nodes that consume a symbol, and nodes that do not.
//!
//! The order of a [`Node::Split`]'s two ways is what submatches depend on, and is glibc's.

use super::syntax::Error;
use super::tree::{Assertion, Parsed, Tree};
use alloc::vec;
use alloc::vec::Vec;

/// How many nodes a pattern may have: `x{32767}` has that many.
const MOST_NODES: usize = 400_000;

/// A node, by index.
pub type Id = u32;

/// A node of the graph, and the nodes it leads to.
#[derive(Clone, Copy, Debug)]
pub enum Node {
    /// Consumes a symbol of the set of that index.
    Set(u32, Id),
    /// Either; the first is preferred.
    Split(Id, Id),
    /// Under a condition.
    Assert(Assertion, Id),
    /// A group begins.
    Open(u32, Id),
    /// A group ends. The flag: see [`Tree::Group`]'s `optional`.
    Close(u32, bool, Id),
    /// Consumes what the group of that index matched.
    Back(u32, Id),
    /// The pattern has matched.
    End,
}

/// The graph of a pattern.
#[derive(Debug)]
pub struct Nfa {
    /// The nodes. Node 0 is [`Node::End`].
    pub nodes: Vec<Node>,
    /// Where it begins.
    pub start: Id,
    /// Whether there are back-references.
    pub has_back: bool,
    /// All conditions that occur.
    pub asserts: u8,
}

impl Nfa {
    /// The graph of `parsed`. Without `submatches`, groups that no back-reference needs leave no nodes.
    ///
    /// # Errors
    /// [`Error::Space`]: it would have too many nodes.
    pub fn new(parsed: &Parsed, submatches: bool) -> Result<Nfa, Error> {
        let nfa = Nfa { nodes: vec![Node::End], start: 0, has_back: false, asserts: 0 };
        let mut builder = Builder { nfa, submatches, referenced: parsed.referenced };
        if let Some(tree) = &parsed.tree {
            builder.nfa.start = builder.emit(tree, 0, false)?;
        }
        Ok(builder.nfa)
    }
}

struct Builder {
    nfa: Nfa,
    submatches: bool,
    referenced: u32,
}

impl Builder {
    fn push(&mut self, node: Node) -> Result<Id, Error> {
        if self.nfa.nodes.len() >= MOST_NODES {
            return Err(Error::Space);
        }
        self.nfa.nodes.push(node);
        Ok((self.nfa.nodes.len() - 1) as Id)
    }

    /// Makes the nodes of `tree`, which lead to `next`; returns the first. In a `copy` no group is optional
    /// ([`Tree::forget_optional`]).
    fn emit(&mut self, tree: &Tree, next: Id, copy: bool) -> Result<Id, Error> {
        match tree {
            Tree::Set(set) => self.push(Node::Set(*set, next)),
            Tree::Assert(assertion) => {
                self.nfa.asserts |= assertion.0;
                self.push(Node::Assert(*assertion, next))
            }
            Tree::Back(index) => {
                self.nfa.has_back = true;
                self.push(Node::Back(*index, next))
            }
            Tree::Group { index, optional, body } => {
                let kept = self.submatches || body.is_none() || *index < 32 && self.referenced >> *index & 1 != 0;
                let close = if kept { self.push(Node::Close(*index, *optional && !copy, next))? } else { next };
                let inside = match body {
                    Some(body) => self.emit(body, close, copy)?,
                    None => close,
                };
                if kept { self.push(Node::Open(*index, inside)) } else { Ok(inside) }
            }
            Tree::Cat(parts) => parts.iter().rev().try_fold(next, |next, part| self.emit(part, next, copy)),
            Tree::Alt(parts) => self.alternatives(parts, next, copy),
            Tree::Star(body) => {
                let split = self.push(Node::Split(next, next))?;
                let first = self.emit(body, split, copy)?;
                self.nfa.nodes[split as usize] = Node::Split(first, next);
                Ok(split)
            }
            Tree::Times(body, count) => {
                (0..*count).rev().try_fold(next, |next, nth| self.emit(body, next, copy || nth > 0))
            }
            Tree::UpTo(body, count) => {
                // ((x?x)?x)?: what is left out is left out at the beginning, so the ways in are a chain.
                let mut copies = vec![next];
                for nth in (0..*count).rev() {
                    copies.push(self.emit(body, copies[copies.len() - 1], copy || nth > 0)?);
                }
                let mut entry = copies[copies.len() - 1];
                for behind in copies.iter().rev().skip(1) {
                    entry = self.push(Node::Split(entry, *behind))?;
                }
                Ok(entry)
            }
        }
    }

    fn alternatives(&mut self, parts: &[Option<Tree>], next: Id, copy: bool) -> Result<Id, Error> {
        let mut ways = Vec::with_capacity(parts.len());
        for part in parts {
            ways.push(match part {
                Some(part) => self.emit(part, next, copy)?,
                None => next,
            });
        }
        // Empty text at the very beginning comes second.
        if let [None, Some(_), ..] = parts {
            ways.swap(0, 1);
        }
        let mut entry = ways[0];
        for &way in &ways[1..] {
            entry = self.push(Node::Split(entry, way))?;
        }
        Ok(entry)
    }
}
