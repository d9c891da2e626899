//! A pattern's tokens outside bracket expressions.

use super::chars::{Coding, Symbol};
use super::syntax::{self, Syntax};
use super::tree::Assertion;

/// A token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// This symbol itself.
    Symbol,
    /// The pattern's end.
    End,
    /// A `\` at the pattern's end.
    Backslash,
    /// Begins a group.
    Open,
    /// Ends one.
    Close,
    /// Separates alternatives.
    Or,
    /// Any number of times.
    Star,
    /// Once or more.
    Plus,
    /// Once or not.
    Question,
    /// Begins an interval.
    OpenInterval,
    /// Ends one.
    CloseInterval,
    /// Begins a bracket expression.
    Bracket,
    /// Any symbol.
    Dot,
    /// A condition.
    Assert(Assertion),
    /// `\b`
    WordEdge,
    /// `\B`
    NoWordEdge,
    /// `\w`, or `\W` with true.
    Word(bool),
    /// `\s`, or `\S` with true.
    Space(bool),
    /// A back-reference to the group of that index (from 0).
    Back(u32),
}

/// A pattern that is being read.
#[derive(Debug)]
pub struct Reader<'a> {
    /// The pattern.
    pub text: &'a [u8],
    /// How far it has been read.
    pub at: usize,
    /// How characters are coded and compared.
    pub coding: Coding,
    /// What bytes stand for.
    pub translate: Option<&'a [u8; 256]>,
}

impl Reader<'_> {
    /// The symbol at `at`, in the form that is compared, and its length.
    pub fn symbol(&self, at: usize) -> Option<(Symbol, usize)> {
        let (symbol, len) = self.coding.decode(self.text.get(at..).filter(|rest| !rest.is_empty())?);
        let symbol = match (self.translate, u8::try_from(symbol)) {
            (Some(table), Ok(byte)) => Symbol::from(table[usize::from(byte)]),
            _ => symbol,
        };
        Some((self.coding.fold(symbol), len))
    }

    /// The single-byte character at `at`, in the form that is compared. 0 where there is none.
    pub fn byte(&self, at: usize) -> u8 {
        self.symbol(at).map_or(0, |(symbol, _)| u8::try_from(symbol).unwrap_or(0xff))
    }

    /// The next token, the symbol it stands for as ordinary text, and its length.
    pub fn peek(&self, syntax: Syntax) -> (Token, Symbol, usize) {
        let Some((symbol, len)) = self.symbol(self.at) else { return (Token::End, 0, 0) };
        if symbol == Symbol::from(b'\\') {
            return match self.text.get(self.at + 1..).filter(|rest| !rest.is_empty()) {
                None => (Token::Backslash, symbol, 1),
                // A quoted letter keeps its case, and only then is itself.
                Some(rest) if rest[0] < 0x80 || !self.coding.utf8 => (escaped(rest[0], syntax), rest[0].into(), 2),
                Some(_) => {
                    let (symbol, len) = self.symbol(self.at + 1).unwrap_or((symbol, 1));
                    (Token::Symbol, symbol, 1 + len)
                }
            };
        }
        let has = |bits: Syntax| syntax & bits != 0;
        let on = |yes: bool, token: Token| if yes { token } else { Token::Symbol };
        let interval = has(syntax::INTERVALS) && has(syntax::NO_BK_BRACES);
        let token = match u8::try_from(symbol) {
            Ok(b'\n') => on(has(syntax::NEWLINE_ALT), Token::Or),
            Ok(b'|') => on(!has(syntax::LIMITED_OPS) && has(syntax::NO_BK_VBAR), Token::Or),
            Ok(b'*') => Token::Star,
            Ok(b'+') => on(!has(syntax::LIMITED_OPS | syntax::BK_PLUS_QM), Token::Plus),
            Ok(b'?') => on(!has(syntax::LIMITED_OPS | syntax::BK_PLUS_QM), Token::Question),
            Ok(b'{') => on(interval, Token::OpenInterval),
            Ok(b'}') => on(interval, Token::CloseInterval),
            Ok(b'(') => on(has(syntax::NO_BK_PARENS), Token::Open),
            Ok(b')') => on(has(syntax::NO_BK_PARENS), Token::Close),
            Ok(b'[') => Token::Bracket,
            Ok(b'.') => Token::Dot,
            Ok(b'^') => on(self.is_caret_anchor(syntax), Token::Assert(Assertion(Assertion::LINE_FIRST))),
            Ok(b'$') => on(self.is_dollar_anchor(syntax), Token::Assert(Assertion(Assertion::LINE_LAST))),
            _ => Token::Symbol,
        };
        (token, symbol, len)
    }

    fn is_caret_anchor(&self, syntax: Syntax) -> bool {
        syntax & (syntax::CONTEXT_INDEP_ANCHORS | syntax::CARET_ANCHORS_HERE) != 0
            || self.at == 0
            || syntax & syntax::NEWLINE_ALT != 0 && self.text[self.at - 1] == b'\n'
    }

    fn is_dollar_anchor(&self, syntax: Syntax) -> bool {
        if syntax & syntax::CONTEXT_INDEP_ANCHORS != 0 || self.at + 1 == self.text.len() {
            return true;
        }
        let behind = Reader { at: self.at + 1, ..*self };
        // Only these two matter, and neither looks further, so this does not recurse.
        match behind.byte(behind.at) {
            b'$' => false,
            _ => matches!(behind.peek(syntax).0, Token::Or | Token::Close),
        }
    }
}

/// What `\` and `byte` mean.
fn escaped(byte: u8, syntax: Syntax) -> Token {
    let has = |bits: Syntax| syntax & bits != 0;
    let on = |yes: bool, token: Token| if yes { token } else { Token::Symbol };
    let gnu = !has(syntax::NO_GNU_OPS);
    let repeat = !has(syntax::LIMITED_OPS) && has(syntax::BK_PLUS_QM);
    let interval = has(syntax::INTERVALS) && !has(syntax::NO_BK_BRACES);
    match byte {
        b'|' => on(!has(syntax::LIMITED_OPS | syntax::NO_BK_VBAR), Token::Or),
        b'1'..=b'9' => on(!has(syntax::NO_BK_REFS), Token::Back(u32::from(byte - b'1'))),
        b'<' => on(gnu, Token::Assert(Assertion(Assertion::AFTER_OTHER | Assertion::BEFORE_WORD))),
        b'>' => on(gnu, Token::Assert(Assertion(Assertion::AFTER_WORD | Assertion::BEFORE_OTHER))),
        b'b' => on(gnu, Token::WordEdge),
        b'B' => on(gnu, Token::NoWordEdge),
        b'w' | b'W' => on(gnu, Token::Word(byte == b'W')),
        b's' | b'S' => on(gnu, Token::Space(byte == b'S')),
        b'`' => on(gnu, Token::Assert(Assertion(Assertion::TEXT_FIRST))),
        b'\'' => on(gnu, Token::Assert(Assertion(Assertion::TEXT_LAST))),
        b'(' => on(!has(syntax::NO_BK_PARENS), Token::Open),
        b')' => on(!has(syntax::NO_BK_PARENS), Token::Close),
        b'+' => on(repeat, Token::Plus),
        b'?' => on(repeat, Token::Question),
        b'{' => on(interval, Token::OpenInterval),
        b'}' => on(interval, Token::CloseInterval),
        _ => Token::Symbol,
    }
}
