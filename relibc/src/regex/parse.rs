//! From a pattern's text to its tree. The grammar is the one of glibc's implementation: regex(7) leaves much undefined,
//! and programs rely on what it makes of that.

use super::chars::{Class, Symbol};
use super::set::Set;
use super::syntax::{self, Error, Syntax};
use super::token::{Reader, Token};
use super::tree::{Assertion, Parsed, Tree};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// How deep a pattern's parts may be within each other: bounds the stack that trees need.
const DEEPEST: u32 = 400;

/// A parser: the token that is next, and what was built.
pub struct Parser<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) syntax: Syntax,
    pub(super) out: Parsed,
    token: Token,
    symbol: Symbol,
    depth: u32,
    /// Groups that have ended on the way here, by bit: what a back-reference may name.
    completed: u32,
}

/// Parses a whole pattern.
pub fn parse(reader: Reader<'_>, syntax: Syntax) -> Result<Parsed, Error> {
    let (token, symbol, depth, completed) = (Token::End, 0, 0, 0);
    let mut parser = Parser { reader, syntax, out: Parsed::default(), token, symbol, depth, completed };
    parser.advance(syntax | syntax::CARET_ANCHORS_HERE);
    parser.out.tree = parser.alternatives(false)?;
    parser.out.merge_groups();
    Ok(parser.out)
}

impl Parser<'_> {
    fn has(&self, bits: Syntax) -> bool {
        self.syntax & bits != 0
    }

    fn advance(&mut self, syntax: Syntax) {
        let (token, symbol, len) = self.reader.peek(syntax);
        (self.token, self.symbol) = (token, symbol);
        self.reader.at += len;
    }

    fn next(&mut self) {
        self.advance(self.syntax);
    }

    fn ends_branch(&self, grouped: bool) -> bool {
        matches!(self.token, Token::Or | Token::End) || grouped && self.token == Token::Close
    }

    fn alternatives(&mut self, grouped: bool) -> Result<Option<Tree>, Error> {
        let before = self.completed;
        let first = self.branch(grouped)?;
        if self.token != Token::Or {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.token == Token::Or {
            self.advance(self.syntax | syntax::CARET_ANCHORS_HERE);
            if self.ends_branch(grouped) {
                all.push(None);
            } else {
                let so_far = core::mem::replace(&mut self.completed, before);
                all.push(self.branch(grouped)?);
                self.completed |= so_far;
            }
        }
        Ok(Some(Tree::Alt(all)))
    }

    fn branch(&mut self, grouped: bool) -> Result<Option<Tree>, Error> {
        let mut parts = Vec::new();
        parts.extend(self.piece(grouped)?);
        while !self.ends_branch(grouped) {
            parts.extend(self.piece(grouped)?);
        }
        Ok(if parts.len() > 1 { Some(Tree::Cat(parts)) } else { parts.pop() })
    }

    /// An atom with what repeats it.
    fn piece(&mut self, grouped: bool) -> Result<Option<Tree>, Error> {
        let mut tree = loop {
            match self.token {
                Token::OpenInterval if self.has(syntax::CONTEXT_INVALID_DUP) => return Err(Error::Repetition),
                Token::OpenInterval | Token::Star | Token::Plus | Token::Question => {
                    if self.has(syntax::CONTEXT_INVALID_OPS) {
                        return Err(Error::Repetition);
                    }
                    if !self.has(syntax::CONTEXT_INDEP_OPS) {
                        break Some(self.literal());
                    }
                    self.next();
                }
                Token::Close if !self.has(syntax::UNMATCHED_RIGHT_PAREN_ORD) => return Err(Error::RightParenthesis),
                Token::Symbol | Token::Close | Token::CloseInterval => break Some(self.literal()),
                Token::Open => break Some(self.group()?),
                Token::Bracket => {
                    let set = self.bracket()?;
                    break Some(Tree::Set(self.out.intern(set)));
                }
                Token::Back(index) => {
                    if self.completed & 1 << index == 0 {
                        return Err(Error::BackReference);
                    }
                    self.out.referenced |= 1 << index;
                    break Some(Tree::Back(index));
                }
                Token::Dot => break Some(self.dot()),
                Token::Word(negated) => break Some(self.class(Class::Alnum, Some(b'_'), negated)),
                Token::Space(negated) => break Some(self.class(Class::Space, None, negated)),
                Token::Assert(_) | Token::WordEdge | Token::NoWordEdge => {
                    // Nothing repeats these: an operator behind them is first in what follows.
                    let tree = self.assertion();
                    self.next();
                    return Ok(Some(tree));
                }
                Token::Or | Token::End => return Ok(None),
                Token::Backslash => return Err(Error::Escape),
            }
        };
        let _ = grouped;
        self.next();
        let depth = self.depth;
        while matches!(self.token, Token::Star | Token::Plus | Token::Question | Token::OpenInterval) {
            self.deeper()?;
            tree = self.repeated(tree)?;
            if self.has(syntax::CONTEXT_INVALID_DUP) && matches!(self.token, Token::Star | Token::OpenInterval) {
                return Err(Error::Repetition);
            }
        }
        self.depth = depth;
        Ok(tree)
    }

    fn deeper(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > DEEPEST { Err(Error::Space) } else { Ok(()) }
    }

    fn literal(&mut self) -> Tree {
        let set = Set::of(self.symbol, self.reader.coding);
        Tree::Set(self.out.intern(set))
    }

    fn dot(&mut self) -> Tree {
        let mut set = Set::any(self.reader.coding);
        set.dot = true;
        if !self.has(syntax::DOT_NEWLINE) {
            set.remove(b'\n');
        }
        if self.has(syntax::DOT_NOT_NULL) {
            set.remove(0);
        }
        Tree::Set(self.out.intern(set))
    }

    fn class(&mut self, class: Class, also: Option<u8>, negated: bool) -> Tree {
        let coding = self.reader.coding;
        let mut set = Set::default();
        set.add_class(class, coding, self.reader.translate);
        if let Some(byte) = also {
            set.add(byte.into(), byte.into(), coding);
        }
        if negated {
            set.negate(coding);
        }
        Tree::Set(self.out.intern(set))
    }

    fn assertion(&self) -> Tree {
        let either = |one: u8, other: u8| {
            Tree::Alt(vec![Some(Tree::Assert(Assertion(one))), Some(Tree::Assert(Assertion(other)))])
        };
        match self.token {
            Token::Assert(assertion) => Tree::Assert(assertion),
            Token::WordEdge => {
                either(Assertion::AFTER_OTHER | Assertion::BEFORE_WORD, Assertion::AFTER_WORD | Assertion::BEFORE_OTHER)
            }
            _ => {
                either(Assertion::AFTER_WORD | Assertion::BEFORE_WORD, Assertion::AFTER_OTHER | Assertion::BEFORE_OTHER)
            }
        }
    }

    fn group(&mut self) -> Result<Tree, Error> {
        self.deeper()?;
        let index = self.out.groups;
        self.out.groups += 1;
        self.advance(self.syntax | syntax::CARET_ANCHORS_HERE);
        let mut body = None;
        if self.token != Token::Close {
            body = self.alternatives(true)?;
            if self.token != Token::Close {
                return Err(Error::Parenthesis);
            }
        }
        if index < 9 {
            self.completed |= 1 << index;
        }
        self.depth -= 1;
        Ok(Tree::Group { index, optional: false, body: body.map(Box::new) })
    }

    /// Puts a repetition operator, which is the token, on what stands before it.
    fn repeated(&mut self, tree: Option<Tree>) -> Result<Option<Tree>, Error> {
        let (least, most) = match self.token {
            Token::OpenInterval => match self.interval()? {
                Some(bounds) => bounds,
                // What looked like an interval is text.
                None => {
                    self.token = Token::Symbol;
                    return Ok(tree);
                }
            },
            Token::Plus => (1, None),
            Token::Question => (0, Some(1)),
            _ => (0, None),
        };
        self.next();
        let Some(tree) = tree else { return Ok(None) };
        if most == Some(0) {
            return Ok(None);
        }
        let mut parts = Vec::new();
        if most != Some(least) {
            let mut body = tree.clone();
            if least > 0 {
                body.forget_optional();
            }
            if let Tree::Group { optional, .. } = &mut body {
                *optional = true;
            }
            let body = Box::new(body);
            parts.push(match most {
                None => Tree::Star(body),
                Some(most) => Tree::UpTo(body, most - least),
            });
        }
        if least == 1 {
            parts.insert(0, tree);
        } else if least > 1 {
            parts.insert(0, Tree::Times(Box::new(tree), least));
        }
        Ok(if parts.len() > 1 { Some(Tree::Cat(parts)) } else { parts.pop() })
    }

    /// An interval's bounds, with its `{` as the token; leaves its `}` as the token. None: it is text.
    fn interval(&mut self) -> Result<Option<(u32, Option<u32>)>, Error> {
        let (start_at, open) = (self.reader.at, self.symbol);
        let comma = |parser: &Self| parser.token == Token::Symbol && parser.symbol == Symbol::from(b',');
        let mut least = self.number();
        if let Ok(None) = least {
            if !comma(self) {
                return Err(Error::Interval);
            }
            least = Ok(Some(0));
        }
        let bounds = match least {
            Ok(Some(least)) if self.token == Token::CloseInterval => Ok((least, Some(least))),
            Ok(Some(least)) if comma(self) => self.number().map(|most| (least, most)),
            _ => Err(()),
        };
        let Ok((least, most)) = bounds else {
            if !self.has(syntax::INVALID_INTERVAL_ORD) {
                return Err(if self.token == Token::End { Error::Brace } else { Error::Interval });
            }
            self.reader.at = start_at;
            self.symbol = open;
            return Ok(None);
        };
        if most.is_some_and(|most| least > most) || self.token != Token::CloseInterval {
            return Err(Error::Interval);
        }
        if most.unwrap_or(least) > syntax::DUP_MAX {
            return Err(Error::Size);
        }
        Ok(Some((least, most)))
    }

    /// A number up to `,` or `}`. None: no digits. An error: something else stands there.
    fn number(&mut self) -> Result<Option<u32>, ()> {
        let mut number = Ok(None);
        loop {
            self.next();
            if self.token == Token::End {
                return Err(());
            }
            if self.token == Token::CloseInterval || self.symbol == Symbol::from(b',') {
                return number;
            }
            let digit = char::from_u32(self.symbol).and_then(|digit| digit.to_digit(10));
            number = match (number, digit) {
                (Ok(so_far), Some(digit)) if self.token == Token::Symbol => {
                    Ok(Some((so_far.unwrap_or(0) * 10 + digit).min(syntax::DUP_MAX + 1)))
                }
                _ => Err(()),
            };
        }
    }
}
