//! A compiled pattern, and how it is searched for.

use super::backref;
use super::chars::Coding;
use super::dfa::{Dfa, Rules, Side, Text};
use super::nfa::{Id, Nfa, Node};
use super::parse;
use super::submatch::{self, Span};
use super::syntax::{self, Error, Syntax};
use super::token::Reader;
use crate::lock::Lock;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// A compiled pattern.
pub struct Compiled {
    /// How many groups it has.
    pub groups: usize,
    /// Bytes that a match can begin with, as `translate` has them.
    pub fastmap: Box<[bool; 256]>,
    /// The same of the texts' own bytes.
    first: Box<[bool; 256]>,
    /// `can_be_null`: what `re_compile_fastmap` tells of the empty text.
    pub can_be_null: bool,
    /// Whether the empty text may match.
    nullable: bool,
    nfa: Nfa,
    rules: Rules,
    same: Vec<u32>,
    referenced: u32,
    work: Lock<Work>,
}

/// What searching needs and leaves behind: one search at a time.
struct Work {
    dfa: Dfa,
    predecessors: Option<Vec<Vec<Id>>>,
}

impl Compiled {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(
        pattern: &[u8],
        syntax: Syntax,
        utf8: bool,
        translate: Option<Box<[u8; 256]>>,
        newline_anchor: bool,
        submatches: bool,
    ) -> Result<Compiled, Error> {
        let coding = Coding { utf8, icase: syntax & syntax::ICASE != 0 };
        let reader = Reader { text: pattern, at: 0, coding, translate: translate.as_deref() };
        let mut parsed = parse::parse(reader, syntax)?;
        let nfa = Nfa::new(&parsed, submatches)?;
        let rules = Rules { coding, translate, newline_anchor, sets: core::mem::take(&mut parsed.sets) };
        let First { bytes: fastmap, nullable, can_be_null } = first_bytes(&nfa, &rules);
        let mut first = fastmap.clone();
        if let Some(table) = &rules.translate {
            first.iter_mut().zip(table.iter()).for_each(|(first, byte)| *first = fastmap[usize::from(*byte)]);
        }
        let dfa = Dfa::new(&nfa, &rules);
        Ok(Compiled {
            groups: parsed.groups as usize,
            fastmap,
            first,
            nullable,
            can_be_null,
            nfa,
            rules,
            same: parsed.same,
            referenced: parsed.referenced,
            work: Lock::new(Work { dfa, predecessors: None }),
        })
    }

    /// Searches for the leftmost match that begins from `start` to `last`, or, if `last` is less, for the rightmost such
    /// beginning; at one place the longest match counts. `count` registers are told; 0 asks only whether there is a match.
    ///
    /// # Errors
    /// [`Error::Space`]: too much memory would be needed.
    pub fn search(&self, text: &Text<'_>, start: usize, last: usize, count: usize) -> Result<Option<Vec<Span>>, Error> {
        let mut work = self.work.lock();
        if start >= last {
            for at in (last..=start).rev() {
                if let Some(found) = self.match_at(&mut work, text, at, count)? {
                    return Ok(Some(found));
                }
            }
            return Ok(None);
        }
        let mut from = start;
        while from <= last {
            let Some((low, high)) = work.dfa.find(&self.nfa, &self.rules, text, from) else { return Ok(None) };
            for at in low..=high.min(last) {
                if let Some(found) = self.match_at(&mut work, text, at, count)? {
                    return Ok(Some(found));
                }
            }
            from = high + 1;
        }
        Ok(None)
    }

    fn match_at(&self, work: &mut Work, text: &Text<'_>, at: usize, count: usize) -> Result<Option<Vec<Span>>, Error> {
        let possible = self.nullable || text.bytes.get(at).is_some_and(|byte| self.first[usize::from(*byte)]);
        if !possible || !self.rules.coding.starts_character(text.bytes, at) {
            return Ok(None);
        }
        let Some(end) = work.dfa.longest(&self.nfa, &self.rules, text, at) else { return Ok(None) };
        let wanted = count.min(self.groups + 1);
        let mut spans = if self.nfa.has_back {
            match backref::longest(&self.nfa, &self.rules, text, at, self.groups, self.referenced)? {
                Some(spans) => spans,
                None => return Ok(None),
            }
        } else if wanted > 1 {
            let predecessors = work.predecessors.get_or_insert_with(|| submatch::predecessors(&self.nfa));
            submatch::submatches(&self.nfa, predecessors, &self.rules, text, (at, end), wanted)?
        } else {
            vec![(at as i32, end as i32)]
        };
        for (group, &same) in self.same.iter().enumerate() {
            if group + 1 < spans.len() {
                spans[group + 1] = spans[same as usize + 1];
            }
        }
        spans.resize(count, (-1, -1));
        Ok(Some(spans))
    }
}

/// What a match can begin with.
struct First {
    /// The bytes, translated; any, if it can be empty or begins with `.`.
    bytes: Box<[bool; 256]>,
    nullable: bool,
    can_be_null: bool,
}

/// What matches can begin with; conditions on what follows are taken to hold.
fn first_bytes(nfa: &Nfa, rules: &Rules) -> First {
    let mut first = First { bytes: Box::new([false; 256]), nullable: false, can_be_null: false };
    let mut sets = vec![false; rules.sets.len()];
    let mut any = false;
    for before in Side::BEFORE {
        let mut seen = vec![false; nfa.nodes.len()];
        let mut work = vec![nfa.start];
        let (mut inexact, mut end) = (false, false);
        // Back-references that wait for their group to end, empty, and groups that have.
        let (mut waiting, mut ended) = (Vec::new(), Vec::new());
        while let Some(id) = work.pop() {
            if core::mem::replace(&mut seen[id as usize], true) {
                continue;
            }
            match nfa.nodes[id as usize] {
                Node::Set(set, _) => {
                    sets[set as usize] = true;
                    inexact |= rules.sets[set as usize].dot;
                }
                Node::Split(one, other) => work.extend([one, other]),
                Node::Assert(assertion, to) if before.suits(assertion) => work.push(to),
                Node::Assert(..) => {}
                Node::Open(_, to) => work.push(to),
                Node::Close(group, _, to) => {
                    work.push(to);
                    work.extend(waiting.extract_if(.., |(of, _)| *of == group).map(|(_, to)| to));
                    ended.push(group);
                }
                Node::Back(group, to) if ended.contains(&group) => work.push(to),
                Node::Back(group, to) => waiting.push((group, to)),
                Node::End => end = true,
            }
        }
        first.nullable |= end;
        // As glibc has it: where any byte may come, it does not look further for the pattern's end.
        first.can_be_null |= end && !inexact;
        any |= end || inexact;
    }
    for set in rules.sets.iter().zip(sets).filter_map(|(set, used)| used.then_some(set)) {
        for byte in 0..=255u8 {
            first.bytes[usize::from(byte)] |= if rules.coding.utf8 && byte >= 0x80 {
                !set.is_narrow() || rules.coding.icase
            } else {
                set.has(rules.coding.fold(byte.into()), rules.coding)
            };
        }
    }
    if any {
        first.bytes.fill(true);
    }
    first
}
