//! The search for where a match begins and ends: the graph made deterministic as far as texts need it.
//!
//! A state is a set of nodes and what stood before the place; a table tells the next state by the class of the symbol. States are
//! made when they are first reached and forgotten, all of them, when they take more than [`BUDGET`] bytes. So a text is
//! searched in time linear in its length, whatever the pattern, and memory is bounded.
//!
//! Back-references are taken for any text: [`super::backref`] looks closer at what is found.

use super::chars::{Coding, Symbol};
use super::nfa::{Id, Nfa, Node};
use super::set::Set;
use super::tree::Assertion;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

/// How many bytes states may take before they are forgotten.
const BUDGET: usize = 4 << 20;

/// A table entry that is not known yet.
const UNKNOWN: u32 = u32::MAX;
/// In an entry: the pattern matches up to before this symbol.
const MATCHED: u32 = 1 << 31;
/// The state without nodes, from which nothing matches.
const DEAD: u32 = 0;

/// A byte of more than one symbol class: the symbol has to be decoded.
const WIDE: u16 = u16::MAX;

/// How many classes there may be before those of wide symbols are forgotten.
const MOST_CLASSES: usize = 4096;

/// The two classes that stand for the text's end: as a line's end, and not ([`REG_NOTEOL`](libc::REG_NOTEOL)).
const END_LINE: usize = 0;
const END_ONLY: usize = 1;

/// What stands on one side of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Side(u8);

impl Side {
    const WORD: u8 = 1;
    const LINE: u8 = 2;
    const TEXT: u8 = 4;

    /// What may stand before a match: nothing that matters, a word, a line's end, the text's beginning.
    pub const BEFORE: [Side; 4] = [Side(0), Side(Side::WORD), Side(Side::LINE), Side(Side::TEXT | Side::LINE)];

    /// Whether what a condition says about the place before it holds here.
    pub fn suits(self, assertion: Assertion) -> bool {
        let before = Assertion::AFTER_WORD | Assertion::AFTER_OTHER | Assertion::LINE_FIRST | Assertion::TEXT_FIRST;
        holds(Assertion(assertion.0 & before), self, self)
    }

    /// The text's edge, which is also a line's where `line`.
    pub fn edge(line: bool) -> Side {
        Side(if line { Side::TEXT | Side::LINE } else { Side::TEXT })
    }
}

/// Whether a condition holds between two sides.
pub fn holds(assertion: Assertion, before: Side, after: Side) -> bool {
    let is = |side: Side, bit: u8| side.0 & bit != 0;
    let met = [
        (Assertion::AFTER_WORD, is(before, Side::WORD)),
        (Assertion::AFTER_OTHER, !is(before, Side::WORD)),
        (Assertion::BEFORE_WORD, is(after, Side::WORD)),
        (Assertion::BEFORE_OTHER, !is(after, Side::WORD)),
        (Assertion::LINE_FIRST, is(before, Side::LINE)),
        (Assertion::LINE_LAST, is(after, Side::LINE)),
        (Assertion::TEXT_FIRST, is(before, Side::TEXT)),
        (Assertion::TEXT_LAST, is(after, Side::TEXT)),
    ];
    met.iter().all(|&(bit, is)| assertion.0 & bit == 0 || is)
}

/// What the whole pattern says about texts: how they are coded and what a line is.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How they are coded.
    pub coding: Coding,
    /// What bytes stand for.
    pub translate: Option<Box<[u8; 256]>>,
    /// Newline ends lines.
    pub newline_anchor: bool,
    /// The pattern's sets.
    pub sets: Vec<Set>,
}

impl Rules {
    /// The symbol at `at`, in the form that is compared, and its length. None: the text's end.
    #[inline]
    pub fn symbol(&self, text: &[u8], at: usize) -> Option<(Symbol, usize)> {
        let (symbol, len) = self.coding.decode(text.get(at..).filter(|rest| !rest.is_empty())?);
        Some((self.folded(symbol), len))
    }

    fn folded(&self, symbol: Symbol) -> Symbol {
        let symbol = match (&self.translate, u8::try_from(symbol)) {
            (Some(table), Ok(byte)) => Symbol::from(table[usize::from(byte)]),
            _ => symbol,
        };
        self.coding.fold(symbol)
    }

    /// A (folded) symbol as a side of a place.
    pub fn side(&self, symbol: Symbol) -> Side {
        if self.coding.is_word(symbol) {
            Side(Side::WORD)
        } else if symbol == Symbol::from(b'\n') && self.newline_anchor {
            Side(Side::LINE)
        } else {
            Side(0)
        }
    }
}

/// A text and the conditions it is searched under.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// All of it.
    pub bytes: &'a [u8],
    /// A match ends here at the latest.
    pub stop: usize,
    /// The text's beginning is no line's.
    pub not_bol: bool,
    /// The text's end is no line's.
    pub not_eol: bool,
}

impl Text<'_> {
    /// What stands before `at`.
    pub fn before(&self, at: usize, rules: &Rules) -> Side {
        match rules.coding.before(self.bytes, at) {
            None => Side::edge(!self.not_bol),
            Some(symbol) => rules.side(rules.folded(symbol)),
        }
    }

    /// What stands behind `at`.
    pub fn after(&self, at: usize, rules: &Rules) -> Side {
        match rules.symbol(self.bytes, at) {
            None => Side::edge(!self.not_eol),
            Some((symbol, _)) => rules.side(symbol),
        }
    }
}

/// A state: from which nodes to go on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    nodes: Box<[Id]>,
    before: Side,
    /// A match may begin at every further place.
    searching: bool,
    /// No match that began earlier goes on here.
    fresh: bool,
}

struct State {
    key: Key,
    /// By class.
    next: Box<[u32]>,
}

/// The states and the classes that are known.
pub struct Dfa {
    /// By byte: the class of the symbol, or [`WIDE`].
    by_byte: [u16; 256],
    /// Recently met symbols of more than a byte, and their classes.
    by_symbol: Box<[(Symbol, u16)]>,
    /// By class: which sets have its symbols, and what it is as a side.
    classes: Vec<(Box<[u64]>, Side)>,
    /// How many of them `by_byte` uses.
    lasting: usize,
    states: Vec<State>,
    known: BTreeMap<Key, u32>,
    used: usize,
    /// Sides that the pattern's conditions ask for.
    relevant: u8,
    // Room for the making of a state.
    stack: Vec<Id>,
    seen: Vec<bool>,
    visited: Vec<Id>,
}

impl Dfa {
    /// Without states, for this pattern.
    pub fn new(nfa: &Nfa, rules: &Rules) -> Dfa {
        let words = Assertion::AFTER_WORD | Assertion::AFTER_OTHER;
        let relevant = [(words, Side::WORD), (Assertion::LINE_FIRST, Side::LINE), (Assertion::TEXT_FIRST, Side::TEXT)]
            .iter()
            .fold(0, |all, &(asserts, side)| if nfa.asserts & asserts != 0 { all | side } else { all });
        let none: Box<[u64]> = vec![0; rules.sets.len().div_ceil(64)].into();
        let classes = vec![(none.clone(), Side::edge(true)), (none, Side::edge(false))];
        let mut dfa = Dfa {
            by_byte: [WIDE; 256],
            by_symbol: if rules.coding.utf8 { vec![(Symbol::MAX, 0); 256].into() } else { Box::default() },
            classes,
            lasting: 0,
            states: Vec::new(),
            known: BTreeMap::new(),
            used: 0,
            relevant,
            stack: Vec::new(),
            seen: vec![false; nfa.nodes.len()],
            visited: Vec::new(),
        };
        for byte in 0..if rules.coding.utf8 { 0x80 } else { 0x100 } {
            dfa.by_byte[byte] = dfa.class_of(rules.folded(byte as Symbol), rules) as u16;
        }
        dfa.lasting = dfa.classes.len();
        dfa.forget();
        dfa
    }

    fn forget(&mut self) {
        self.states.clear();
        self.known.clear();
        self.used = 0;
        // State 0 is the dead one.
        self.state(Key { nodes: Box::default(), before: Side(0), searching: false, fresh: true });
    }

    /// The class of a folded symbol; a new one if it is like no other.
    fn class_of(&mut self, symbol: Symbol, rules: &Rules) -> usize {
        let mut member: Box<[u64]> = vec![0; rules.sets.len().div_ceil(64)].into();
        for (index, set) in rules.sets.iter().enumerate() {
            member[index / 64] |= u64::from(set.has(symbol, rules.coding)) << (index % 64);
        }
        let class = (member, rules.side(symbol));
        // The first two are the text's end, and no symbol.
        if let Some(at) = self.classes[2..].iter().position(|have| *have == class) {
            return at + 2;
        }
        if self.classes.len() >= MOST_CLASSES {
            self.classes.truncate(self.lasting);
            self.by_symbol.fill((Symbol::MAX, 0));
        }
        self.classes.push(class);
        // Tables are as wide as there are classes.
        if !self.states.is_empty() {
            self.forget();
        }
        self.classes.len() - 1
    }

    fn state(&mut self, mut key: Key) -> u32 {
        key.before.0 &= self.relevant;
        if let Some(&state) = self.known.get(&key) {
            return state;
        }
        let width = self.classes.len();
        self.used += 8 * key.nodes.len() + 4 * width + 160;
        self.states.push(State { key: key.clone(), next: vec![UNKNOWN; width].into() });
        let state = (self.states.len() - 1) as u32;
        self.known.insert(key, state);
        state
    }

    /// The state of a match that begins behind `before`; of a search from there if `searching`.
    fn initial(&mut self, nfa: &Nfa, before: Side, searching: bool) -> u32 {
        if self.used > BUDGET {
            self.forget();
        }
        self.state(Key { nodes: [nfa.start].into(), before, searching, fresh: true })
    }

    /// Finds an entry of a state's table. May forget all other states.
    #[cold]
    fn step(&mut self, nfa: &Nfa, state: u32, class: usize) -> u32 {
        let key = self.states[state as usize].key.clone();
        let side = self.classes[class].1;
        let is_end = class == END_LINE || class == END_ONLY;
        let mut matched = false;
        let mut next: Vec<Id> = Vec::new();
        self.stack.extend(key.nodes.iter().rev());
        while let Some(id) = self.stack.pop() {
            if core::mem::replace(&mut self.seen[id as usize], true) {
                continue;
            }
            self.visited.push(id);
            match nfa.nodes[id as usize] {
                Node::Set(set, to) => {
                    let has = self.classes[class].0[set as usize / 64] >> (set % 64) & 1 != 0;
                    if has {
                        next.push(to);
                    }
                }
                Node::Split(one, other) => self.stack.extend([other, one]),
                Node::Assert(assertion, to) if holds(assertion, key.before, side) => self.stack.push(to),
                Node::Assert(..) => {}
                Node::Open(_, to) | Node::Close(_, _, to) => self.stack.push(to),
                Node::Back(_, to) => {
                    self.stack.push(to);
                    if !is_end {
                        next.push(id);
                    }
                }
                Node::End => matched = true,
            }
        }
        for id in self.visited.drain(..) {
            self.seen[id as usize] = false;
        }
        next.sort_unstable();
        next.dedup();
        let fresh = key.searching && next.is_empty();
        if key.searching && !is_end && next.binary_search(&nfa.start).is_err() {
            next.push(nfa.start);
            next.sort_unstable();
        }
        let mut from = state;
        if self.used > BUDGET {
            self.forget();
            from = UNKNOWN;
        }
        let to = if next.is_empty() {
            DEAD
        } else {
            self.state(Key { nodes: next.into(), before: side, searching: key.searching, fresh })
        };
        let entry = if matched { to | MATCHED } else { to };
        if let Some(from) = self.states.get_mut(from as usize) {
            from.next[class] = entry;
        }
        entry
    }

    #[inline]
    fn entry(&mut self, nfa: &Nfa, state: u32, class: usize) -> u32 {
        match self.states[state as usize].next[class] {
            UNKNOWN => self.step(nfa, state, class),
            entry => entry,
        }
    }

    /// The class at `at`, with the end among them, and the symbol's length. May forget states: the state, found again.
    #[inline]
    fn class_or_end(&mut self, text: &Text<'_>, at: usize, rules: &Rules, state: &mut u32) -> (usize, usize) {
        if at >= text.bytes.len() {
            return (if text.not_eol { END_ONLY } else { END_LINE }, 0);
        }
        let known = self.classes.len();
        if self.by_byte[usize::from(text.bytes[at])] != WIDE {
            return (usize::from(self.by_byte[usize::from(text.bytes[at])]), 1);
        }
        let (symbol, len) = rules.coding.decode(&text.bytes[at..]);
        let slot = symbol as usize % self.by_symbol.len();
        if self.by_symbol[slot].0 != symbol {
            let key = self.states[*state as usize].key.clone();
            let class = self.class_of(rules.folded(symbol), rules);
            self.by_symbol[slot] = (symbol, class as u16);
            if self.classes.len() != known {
                *state = self.state(key);
            }
        }
        (usize::from(self.by_symbol[slot].1), len)
    }

    /// The end of the longest match that begins at `start`.
    pub fn longest(&mut self, nfa: &Nfa, rules: &Rules, text: &Text<'_>, start: usize) -> Option<usize> {
        let mut state = self.initial(nfa, text.before(start, rules), false);
        let (mut at, mut found) = (start, None);
        loop {
            let (class, len) = self.class_or_end(text, at, rules, &mut state);
            let entry = self.entry(nfa, state, class);
            if entry & MATCHED != 0 {
                found = Some(at);
            }
            state = entry & !MATCHED;
            at += len;
            if state == DEAD || len == 0 || at > text.stop {
                return found;
            }
        }
    }

    /// Where some match ends, the earliest such place, and a place at or before the leftmost match's beginning, no earlier than
    /// `start`. None: nothing matches.
    pub fn find(&mut self, nfa: &Nfa, rules: &Rules, text: &Text<'_>, start: usize) -> Option<(usize, usize)> {
        let mut state = self.initial(nfa, text.before(start, rules), true);
        let (mut at, mut from) = (start, start);
        loop {
            if self.states[state as usize].key.fresh {
                from = at;
            }
            let (class, len) = self.class_or_end(text, at, rules, &mut state);
            let entry = self.entry(nfa, state, class);
            if entry & MATCHED != 0 {
                return Some((from, at));
            }
            state = entry & !MATCHED;
            at += len;
            if state == DEAD || len == 0 || at > text.stop {
                return None;
            }
        }
    }
}
