//! `regex.h`: POSIX's functions and GNU's, with glibc 2.36's grammar and submatches. regex(3), regex(7), glibc's manual ("Regular
//! Expressions") and regex.h itself.
//!
//! A pattern goes through [`token`] and [`parse`] (with [`bracket`]) to a [`tree`], and from there to a graph ([`nfa`]). A search
//! finds where the match begins and ends with [`dfa`], in linear time on nearly all texts; then [`submatch`] finds what the groups
//! matched. Only patterns with back-references are matched by backtracking ([`backref`]). [`search`] puts these together, [`api`]
//! is what C sees.

pub mod api;
mod backref;
mod bracket;
mod chars;
mod dfa;
mod nfa;
mod parse;
mod search;
mod set;
mod submatch;
mod syntax;
mod token;
mod tree;
