//! Bracket expressions.

use super::chars::{Class, INVALID, Symbol};
use super::parse::Parser;
use super::set::Set;
use super::syntax::{self, Error};

/// The longest name in a bracket expression, in bytes.
const LONGEST_NAME: usize = 32;

/// A token in a bracket expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Symbol,
    End,
    Close,
    Hat,
    Hyphen,
    /// `[.`, `[=` or `[:`, by its second byte.
    Named(u8),
}

/// An element of a bracket expression.
enum Element {
    Symbol(Symbol),
    /// `[=a=]`; the name must be one character.
    Equivalence(Option<u8>),
    /// `[.a.]`; the same.
    Collating(Option<u8>),
    Class(Option<Class>),
}

impl Parser<'_> {
    /// The next token, the symbol it is as text, and its length behind the reader's place (which a quoting `\` moves).
    fn peek_bracket(&mut self) -> (Token, Symbol, usize) {
        let Some((symbol, len)) = self.reader.symbol(self.reader.at) else { return (Token::End, 0, 0) };
        let byte = |reader: &super::token::Reader<'_>, ahead: usize| reader.byte(reader.at + ahead);
        let token = match u8::try_from(symbol) {
            Ok(b'\\')
                if self.syntax & syntax::BACKSLASH_ESCAPE_IN_LISTS != 0
                    && self.reader.at + 1 < self.reader.text.len() =>
            {
                self.reader.at += 1;
                let (symbol, len) = self.reader.symbol(self.reader.at).unwrap_or((symbol, 1));
                return (Token::Symbol, symbol, len);
            }
            Ok(b'[') => match byte(&self.reader, 1) {
                kind @ (b'.' | b'=') => return (Token::Named(kind), symbol, 2),
                b':' if self.syntax & syntax::CHAR_CLASSES != 0 => return (Token::Named(b':'), symbol, 2),
                _ => Token::Symbol,
            },
            Ok(b']') => Token::Close,
            Ok(b'^') => Token::Hat,
            Ok(b'-') => Token::Hyphen,
            _ => Token::Symbol,
        };
        (token, symbol, len)
    }

    /// A bracket expression whose `[` has been read.
    pub(super) fn bracket(&mut self) -> Result<Set, Error> {
        let coding = self.reader.coding;
        let mut set = Set::default();
        let mut token = self.peek_bracket();
        if token.0 == Token::End {
            return Err(Error::Pattern);
        }
        let negated = token.0 == Token::Hat;
        if negated {
            if self.syntax & syntax::HAT_LISTS_NOT_NEWLINE != 0 {
                set.add(b'\n'.into(), b'\n'.into(), coding);
            }
            self.reader.at += token.2;
            token = self.peek_bracket();
            if token.0 == Token::End {
                return Err(Error::Pattern);
            }
        }
        // A `]` that stands first is text.
        if token.0 == Token::Close {
            token.0 = Token::Symbol;
        }
        let mut first = true;
        loop {
            let start = self.element(token, first)?;
            first = false;
            token = self.peek_bracket();
            let mut range = None;
            if matches!(start, Element::Symbol(_) | Element::Collating(_)) {
                if token.0 == Token::End {
                    return Err(Error::Bracket);
                }
                if token.0 == Token::Hyphen {
                    let hyphen_at = self.reader.at;
                    self.reader.at += token.2;
                    let behind = self.peek_bracket();
                    match behind.0 {
                        Token::End => return Err(Error::Bracket),
                        // The hyphen stands last, and is text.
                        Token::Close => {
                            self.reader.at = hyphen_at;
                            token.0 = Token::Symbol;
                        }
                        _ => range = Some(behind),
                    }
                }
            }
            match range {
                Some(behind) => {
                    let end = self.element(behind, true)?;
                    token = self.peek_bracket();
                    self.add_range(&mut set, &start, &end)?;
                }
                None => add_element(&mut set, &start, self)?,
            }
            match token.0 {
                Token::End => return Err(Error::Bracket),
                Token::Close => break,
                _ => {}
            }
        }
        self.reader.at += token.2;
        if negated {
            set.negate(coding);
        }
        Ok(set)
    }

    /// Reads the element that `token` begins.
    fn element(&mut self, token: (Token, Symbol, usize), hyphen_may: bool) -> Result<Element, Error> {
        let (token, symbol, len) = token;
        self.reader.at += len;
        match token {
            Token::Named(kind) => self.named(kind),
            // A hyphen is text only where it stands first or last, or ends a range.
            Token::Hyphen if !hyphen_may && self.peek_bracket().0 != Token::Close => Err(Error::Range),
            _ => Ok(Element::Symbol(symbol)),
        }
    }

    /// A name and what ends it; its `[` and `kind` have been read.
    fn named(&mut self, kind: u8) -> Result<Element, Error> {
        let start = self.reader.at;
        let rest = &self.reader.text[start..];
        let len = rest.windows(2).position(|two| two == [kind, b']']).ok_or(Error::Bracket)?;
        if len >= LONGEST_NAME {
            return Err(Error::Bracket);
        }
        self.reader.at += len + 2;
        // A class's name is taken as it is written; the others are symbols like any.
        let single = (len == 1).then(|| self.reader.byte(start));
        Ok(match kind {
            b'=' => Element::Equivalence(single),
            b'.' => Element::Collating(single),
            _ => Element::Class(self.class_named(&rest[..len])),
        })
    }

    fn class_named(&self, name: &[u8]) -> Option<Class> {
        let class = Class::named(name);
        match class {
            Some(Class::Upper | Class::Lower) if self.reader.coding.icase => Some(Class::Alpha),
            _ => class,
        }
    }

    fn add_range(&self, set: &mut Set, start: &Element, end: &Element) -> Result<(), Error> {
        let value = |element: &Element| match *element {
            // glibc's C.UTF-8 has no collation sequence for these.
            Element::Symbol(0x80..INVALID) if self.reader.coding.utf8 => Err(Error::Collate),
            Element::Symbol(symbol) if symbol < INVALID => Ok(symbol),
            Element::Symbol(symbol) => Ok(symbol - INVALID),
            Element::Collating(Some(byte)) => Ok(byte.into()),
            Element::Collating(None) => Err(Error::Collate),
            Element::Equivalence(_) | Element::Class(_) => Err(Error::Range),
        };
        if matches!(end, Element::Equivalence(_) | Element::Class(_)) {
            return Err(Error::Range);
        }
        let (from, to) = (value(start)?, value(end)?);
        if from <= to {
            set.add(from, to, self.reader.coding);
        } else if self.syntax & syntax::NO_EMPTY_RANGES != 0 {
            return Err(Error::Range);
        }
        Ok(())
    }
}

/// Adds an element that is no range.
fn add_element(set: &mut Set, element: &Element, parser: &Parser<'_>) -> Result<(), Error> {
    let coding = parser.reader.coding;
    match *element {
        // A stray byte in brackets matches nothing.
        Element::Symbol(symbol) if symbol >= INVALID => {}
        Element::Symbol(symbol) => set.add(symbol, symbol, coding),
        Element::Equivalence(Some(byte)) | Element::Collating(Some(byte)) => set.add(byte.into(), byte.into(), coding),
        Element::Equivalence(None) | Element::Collating(None) => return Err(Error::Collate),
        Element::Class(Some(class)) => set.add_class(class, coding, parser.reader.translate),
        Element::Class(None) => return Err(Error::Class),
    }
    Ok(())
}
