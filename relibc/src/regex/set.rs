//! Sets of symbols: what one place of a pattern matches.

use super::chars::{Class, Coding, INVALID, Symbol};
use alloc::vec::Vec;

/// A set of symbols.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// Single-byte characters by bit.
    bytes: [u64; 4],
    /// Further ranges of symbols, both ends included.
    ranges: Vec<(Symbol, Symbol)>,
    /// Classes, for characters of more than a byte.
    classes: Vec<Class>,
    /// Whether characters of more than a byte are in the set if they are *not* listed.
    negated: bool,
    /// This is `.`, for which fastmaps are not exact.
    pub dot: bool,
}

impl Set {
    /// Exactly this symbol.
    pub fn of(symbol: Symbol, coding: Coding) -> Set {
        let mut set = Set::default();
        set.add(symbol, symbol, coding);
        set
    }

    /// Every character.
    pub fn any(coding: Coding) -> Set {
        let mut set = Set::default();
        set.negate(coding);
        set
    }

    /// Adds a range.
    pub fn add(&mut self, from: Symbol, to: Symbol, coding: Coding) {
        let single = if coding.utf8 { 0x80 } else { 0x100 };
        for symbol in from..=to.min(single - 1) {
            self.bytes[symbol as usize / 64] |= 1 << (symbol % 64);
        }
        if to >= single && !self.ranges.contains(&(from, to)) {
            self.ranges.push((from.max(single), to));
        }
    }

    /// Adds a class: what its characters are translated to.
    pub fn add_class(&mut self, class: Class, coding: Coding, translate: Option<&[u8; 256]>) {
        for symbol in 0..if coding.utf8 { 0x80 } else { 0x100 } {
            if coding.is(symbol, class) {
                let symbol = translate.map_or(symbol, |table| table[symbol as usize].into());
                self.add(symbol, symbol, coding);
            }
        }
        if coding.utf8 && !self.classes.contains(&class) {
            self.classes.push(class);
        }
    }

    /// Turns the set into its complement among the characters.
    pub fn negate(&mut self, coding: Coding) {
        for word in &mut self.bytes[..if coding.utf8 { 2 } else { 4 }] {
            *word = !*word;
        }
        self.negated = !self.negated;
    }

    /// Takes a single-byte character out.
    pub fn remove(&mut self, byte: u8) {
        self.bytes[usize::from(byte) / 64] &= !(1 << (byte % 64));
    }

    /// Whether the symbol, folded, is in the set.
    pub fn has(&self, symbol: Symbol, coding: Coding) -> bool {
        if symbol < 0x80 || symbol < 0x100 && !coding.utf8 {
            return self.bytes[symbol as usize / 64] >> (symbol % 64) & 1 != 0;
        }
        let listed = self.ranges.iter().any(|&(from, to)| (from..=to).contains(&symbol));
        if symbol >= INVALID {
            return listed && !self.negated;
        }
        (listed || self.classes.iter().any(|&class| coding.is(symbol, class))) != self.negated
    }

    /// Whether only single-byte characters can be in the set.
    pub fn is_narrow(&self) -> bool {
        !self.negated && self.ranges.is_empty() && self.classes.is_empty()
    }
}
