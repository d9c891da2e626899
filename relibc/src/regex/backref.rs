//! Patterns with back-references, which no automaton matches: a search with backtracking.
//!
//! It never visits a node twice at the same place with the same matches of the groups that are referred to, which makes
//! it polynomial in the text's length, and gives up with [`Error::Space`] when it has visited too many.

use super::dfa::{Rules, Text, holds};
use super::nfa::{Id, Nfa, Node};
use super::submatch::{Registers, Span};
use super::syntax::Error;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// How many visits there may be.
const MOST_VISITS: usize = 1 << 21;

/// The length of what is at `at` if it equals `span` of the text. None: it does not.
fn repeats(rules: &Rules, text: &Text<'_>, span: Span, at: usize) -> Option<usize> {
    let (mut from, until) = (usize::try_from(span.0).ok()?, usize::try_from(span.1).ok()?);
    let mut here = at;
    while from < until {
        let (wanted, width) = rules.symbol(text.bytes, from)?;
        let (symbol, len) = rules.symbol(text.bytes, here)?;
        if wanted != symbol {
            return None;
        }
        from += width;
        here += len;
    }
    (here <= text.stop).then_some(here - at)
}

/// The longest match that begins at `start`, and its registers: of all ways to it, the first by preference.
///
/// # Errors
/// [`Error::Space`]: it takes too much memory to tell.
pub fn longest(
    nfa: &Nfa,
    rules: &Rules,
    text: &Text<'_>,
    start: usize,
    groups: usize,
    referenced: u32,
) -> Result<Option<Vec<Span>>, Error> {
    let mut visited: BTreeSet<(Id, usize, u32)> = BTreeSet::new();
    let mut matches: BTreeMap<Vec<Span>, u32> = BTreeMap::new();
    let mut best: Option<Vec<Span>> = None;
    let mut open: Vec<(Id, usize, Registers)> = Vec::new();
    open.push((nfa.start, start, Registers::new(groups + 1, start, start)));
    while let Some((mut id, mut at, mut registers)) = open.pop() {
        loop {
            let key: Vec<Span> = (0..32)
                .filter(|group| referenced >> group & 1 != 0)
                .filter_map(|group| registers.now.get(group as usize + 1).copied())
                .collect();
            let next = matches.len() as u32;
            let key = *matches.entry(key).or_insert(next);
            if !visited.insert((id, at, key)) {
                break;
            }
            if visited.len() > MOST_VISITS {
                return Err(Error::Space);
            }
            match nfa.nodes[id as usize] {
                Node::End => {
                    if best.as_ref().is_none_or(|best| best[0].1 < at as i32) {
                        registers.now[0].1 = at as i32;
                        best = Some(registers.now);
                    }
                    break;
                }
                Node::Set(set, to) => match rules.symbol(text.bytes, at) {
                    Some((symbol, len))
                        if at + len <= text.stop && rules.sets[set as usize].has(symbol, rules.coding) =>
                    {
                        (id, at) = (to, at + len);
                    }
                    _ => break,
                },
                Node::Split(one, other) => {
                    open.push((other, at, registers.clone()));
                    id = one;
                }
                Node::Assert(assertion, to) => {
                    if !holds(assertion, text.before(at, rules), text.after(at, rules)) {
                        break;
                    }
                    id = to;
                }
                Node::Open(group, to) => {
                    registers.open(group, at);
                    id = to;
                }
                Node::Close(group, optional, to) => {
                    registers.close(group, optional, at);
                    id = to;
                }
                Node::Back(group, to) => {
                    let span = registers.now.get(group as usize + 1).copied().unwrap_or((-1, -1));
                    match repeats(rules, text, span, at) {
                        Some(len) => (id, at) = (to, at + len),
                        None => break,
                    }
                }
            }
        }
        if best.as_ref().is_some_and(|best| best[0].1 as usize == text.stop) {
            break;
        }
    }
    Ok(best)
}
