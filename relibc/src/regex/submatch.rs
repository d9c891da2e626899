//! What the groups matched, once it is known where the match begins and ends.
//!
//! glibc's rule, which is not quite POSIX's: among the ways through the graph that end where the longest match ends, the one that
//! prefers first alternatives and further repetitions; and an empty match of a group that is repeated does not undo an
//! earlier one.

use super::dfa::{Rules, Text, holds};
use super::nfa::{Id, Nfa, Node};
use super::syntax::Error;
use alloc::vec;
use alloc::vec::Vec;

/// Where a submatch begins and ends, in bytes; -1 where there is none.
pub type Span = (i32, i32);

/// How many bytes the sets of nodes by place may take.
const BUDGET: usize = 512 << 20;

/// What groups have matched so far, and when last one matched something.
#[derive(Clone, Debug)]
pub struct Registers {
    /// By number; 0 is the whole match.
    pub now: Vec<Span>,
    settled: Vec<Span>,
}

impl Registers {
    /// For a match from `start` to `end`.
    pub fn new(count: usize, start: usize, end: usize) -> Registers {
        let mut now = vec![(-1, -1); count.max(1)];
        now[0] = (start as i32, end as i32);
        Registers { settled: now.clone(), now }
    }

    /// A group begins at `at`.
    pub fn open(&mut self, group: u32, at: usize) {
        if let Some(span) = self.now.get_mut(group as usize + 1) {
            *span = (at as i32, -1);
        }
    }

    /// A group ends at `at`.
    pub fn close(&mut self, group: u32, optional: bool, at: usize) {
        let number = group as usize + 1;
        let Some(span) = self.now.get_mut(number) else { return };
        if span.0 < at as i32 {
            span.1 = at as i32;
            self.settled.copy_from_slice(&self.now);
        } else if optional && self.settled[number].0 != -1 {
            self.now.copy_from_slice(&self.settled);
        } else {
            span.1 = at as i32;
        }
    }
}

/// For each node, the nodes that lead to it without consuming.
pub fn predecessors(nfa: &Nfa) -> Vec<Vec<Id>> {
    let mut all = vec![Vec::new(); nfa.nodes.len()];
    for (id, node) in nfa.nodes.iter().enumerate() {
        match *node {
            Node::Split(one, other) => {
                all[one as usize].push(id as Id);
                all[other as usize].push(id as Id);
            }
            Node::Assert(_, to) | Node::Open(_, to) | Node::Close(_, _, to) => all[to as usize].push(id as Id),
            Node::Set(..) | Node::Back(..) | Node::End => {}
        }
    }
    all
}

/// By place, the nodes from which the pattern's end is reached at the match's end.
struct Alive {
    words: usize,
    bits: Vec<u64>,
}

impl Alive {
    fn has(&self, place: usize, id: Id) -> bool {
        self.bits[place * self.words + id as usize / 64] >> (id % 64) & 1 != 0
    }

    /// Adds a node; false if it was there.
    fn add(&mut self, place: usize, id: Id) -> bool {
        let word = &mut self.bits[place * self.words + id as usize / 64];
        let new = *word >> (id % 64) & 1 == 0;
        *word |= 1 << (id % 64);
        new
    }

    fn new(nfa: &Nfa, before: &[Vec<Id>], rules: &Rules, text: &Text<'_>, places: &[usize]) -> Result<Alive, Error> {
        let words = nfa.nodes.len().div_ceil(64);
        if places.len().saturating_mul(words) > BUDGET / 8 {
            return Err(Error::Space);
        }
        let mut alive = Alive { words, bits: vec![0; words * places.len()] };
        let consuming = nfa.nodes.iter().enumerate().filter_map(|(id, node)| match *node {
            Node::Set(set, to) => Some((id as Id, set as usize, to)),
            _ => None,
        });
        let consuming: Vec<(Id, usize, Id)> = consuming.collect();
        let mut member = vec![false; rules.sets.len()];
        let mut work = Vec::new();
        for place in (0..places.len()).rev() {
            if place + 1 == places.len() {
                work.push(0);
            } else if let Some((symbol, _)) = rules.symbol(text.bytes, places[place]) {
                for (is, set) in member.iter_mut().zip(&rules.sets) {
                    *is = set.has(symbol, rules.coding);
                }
                let reaching = consuming.iter().filter(|&&(_, set, to)| member[set] && alive.has(place + 1, to));
                work.extend(reaching.map(|&(id, _, _)| id));
            }
            let sides =
                (nfa.asserts != 0).then(|| (text.before(places[place], rules), text.after(places[place], rules)));
            while let Some(id) = work.pop() {
                if let Node::Assert(assertion, _) = nfa.nodes[id as usize]
                    && !sides.is_some_and(|(before, after)| holds(assertion, before, after))
                {
                    continue;
                }
                if alive.add(place, id) {
                    work.extend(&before[id as usize]);
                }
            }
        }
        Ok(alive)
    }
}

/// The first `count` registers of the match from `start` to `end` of a pattern without back-references.
///
/// # Errors
/// [`Error::Space`]: a pattern too large on a match too long.
pub fn submatches(
    nfa: &Nfa,
    before: &[Vec<Id>],
    rules: &Rules,
    text: &Text<'_>,
    (start, end): (usize, usize),
    count: usize,
) -> Result<Vec<Span>, Error> {
    let mut places = vec![start];
    let mut at = start;
    while at < end {
        at += rules.symbol(text.bytes, at).map_or(1, |(_, len)| len);
        places.push(at);
    }
    let alive = Alive::new(nfa, before, rules, text, &places)?;
    let mut registers = Registers::new(count, start, end);
    let (mut place, mut id) = (0, nfa.start);
    let mut passed: Vec<Id> = Vec::new();
    loop {
        // A way that cannot be finished goes round in circles: what was found so far is the answer.
        if passed.len() > 4 * nfa.nodes.len() {
            break;
        }
        let at = places[place];
        id = match nfa.nodes[id as usize] {
            Node::End => break,
            Node::Set(_, to) if place + 1 < places.len() => {
                place += 1;
                passed.clear();
                to
            }
            Node::Set(..) | Node::Back(..) => break,
            Node::Open(group, to) => {
                registers.open(group, at);
                passed.push(id);
                to
            }
            Node::Close(group, optional, to) => {
                registers.close(group, optional, at);
                passed.push(id);
                to
            }
            Node::Assert(_, to) => {
                passed.push(id);
                to
            }
            Node::Split(one, other) => {
                passed.push(id);
                match (alive.has(place, one), alive.has(place, other)) {
                    // `(a*)*`: the first way has been gone already at this place.
                    (true, true) if passed.contains(&one) => other,
                    (true, _) => one,
                    (false, _) => other,
                }
            }
        };
    }
    Ok(registers.now)
}
