//! What the locale says about characters, and how a text is cut into symbols.

use crate::ctype;
use crate::locale::{self, Charset};
use crate::wide as classes;
use core::ffi::{CStr, c_int};

/// A character, or, in a multibyte locale, [`INVALID`] plus a byte that is part of none.
pub type Symbol = u32;

/// Where the symbols of stray bytes begin: behind Unicode.
pub const INVALID: Symbol = 0x11_0000;

/// A character class by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `[:alnum:]`
    Alnum,
    /// `[:alpha:]`
    Alpha,
    /// `[:blank:]`
    Blank,
    /// `[:cntrl:]`
    Cntrl,
    /// `[:digit:]`
    Digit,
    /// `[:graph:]`
    Graph,
    /// `[:lower:]`
    Lower,
    /// `[:print:]`
    Print,
    /// `[:punct:]`
    Punct,
    /// `[:space:]`
    Space,
    /// `[:upper:]`
    Upper,
    /// `[:xdigit:]`
    Xdigit,
}

impl Class {
    /// The class of that name. None: there is none.
    pub fn named(name: &[u8]) -> Option<Class> {
        Some(match name {
            b"alnum" => Class::Alnum,
            b"alpha" => Class::Alpha,
            b"blank" => Class::Blank,
            b"cntrl" => Class::Cntrl,
            b"digit" => Class::Digit,
            b"graph" => Class::Graph,
            b"lower" => Class::Lower,
            b"print" => Class::Print,
            b"punct" => Class::Punct,
            b"space" => Class::Space,
            b"upper" => Class::Upper,
            b"xdigit" => Class::Xdigit,
            _ => return None,
        })
    }

    /// Its name.
    fn name(self) -> &'static CStr {
        match self {
            Class::Alnum => c"alnum",
            Class::Alpha => c"alpha",
            Class::Blank => c"blank",
            Class::Cntrl => c"cntrl",
            Class::Digit => c"digit",
            Class::Graph => c"graph",
            Class::Lower => c"lower",
            Class::Print => c"print",
            Class::Punct => c"punct",
            Class::Space => c"space",
            Class::Upper => c"upper",
            Class::Xdigit => c"xdigit",
        }
    }

    /// Whether a character of one byte is in the class.
    fn has_byte(self, byte: u8) -> bool {
        let byte = c_int::from(byte);
        // SAFETY: these take any byte.
        let is = unsafe {
            match self {
                Class::Alnum => ctype::isalnum(byte),
                Class::Alpha => ctype::isalpha(byte),
                Class::Blank => ctype::isblank(byte),
                Class::Cntrl => ctype::iscntrl(byte),
                Class::Digit => ctype::isdigit(byte),
                Class::Graph => ctype::isgraph(byte),
                Class::Lower => ctype::islower(byte),
                Class::Print => ctype::isprint(byte),
                Class::Punct => ctype::ispunct(byte),
                Class::Space => ctype::isspace(byte),
                Class::Upper => ctype::isupper(byte),
                Class::Xdigit => ctype::isxdigit(byte),
            }
        };
        is != 0
    }
}

/// How a pattern's texts are coded: fixed when the pattern is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coding {
    /// UTF-8; else a byte is a character.
    pub utf8: bool,
    /// Case is ignored: every symbol is folded to upper case.
    pub icase: bool,
}

impl Coding {
    /// The symbol that `text` begins with, and its length in bytes. `text` is not empty.
    #[inline]
    pub fn decode(self, text: &[u8]) -> (Symbol, usize) {
        let first = text[0];
        if !self.utf8 || first < 0x80 { (Symbol::from(first), 1) } else { decode_utf8(text) }
    }

    /// The symbol in the form that patterns and texts are compared in.
    #[inline]
    pub fn fold(self, symbol: Symbol) -> Symbol {
        if !self.icase {
            symbol
        } else if symbol < 0x80 {
            Symbol::from((symbol as u8).to_ascii_uppercase())
        } else if self.utf8 && symbol < INVALID {
            wide_upper(symbol)
        } else {
            symbol
        }
    }

    /// Whether the symbol is a character of the class.
    pub fn is(self, symbol: Symbol, class: Class) -> bool {
        match u8::try_from(symbol) {
            Ok(byte) if byte < 0x80 || !self.utf8 => class.has_byte(byte),
            _ => symbol < INVALID && wide_is(symbol, class),
        }
    }

    /// Whether the symbol is a letter, a digit or `_`.
    pub fn is_word(self, symbol: Symbol) -> bool {
        symbol == Symbol::from(b'_') || self.is(symbol, Class::Alnum)
    }

    /// Whether a match can begin at `at`: not within a character.
    pub fn starts_character(self, text: &[u8], at: usize) -> bool {
        if !self.utf8 || at >= text.len() || text[at] & 0xc0 != 0x80 {
            return true;
        }
        // The character that may reach over `at` begins at most three bytes before it.
        for back in 1..=at.min(3) {
            if text[at - back] & 0xc0 != 0x80 {
                return self.decode(&text[at - back..]).1 <= back;
            }
        }
        true
    }

    /// The symbol that ends before `at`. None: the text's beginning.
    pub fn before(self, text: &[u8], at: usize) -> Option<Symbol> {
        let last = *text.get(at.checked_sub(1)?)?;
        if self.utf8 && last >= 0x80 {
            for back in 1..=at.min(4) {
                let (symbol, len) = self.decode(&text[at - back..]);
                if len == back && symbol < INVALID {
                    return Some(symbol);
                }
            }
            return Some(INVALID + Symbol::from(last));
        }
        Some(Symbol::from(last))
    }
}

/// The character that `text` begins with. Source: RFC 3629.
fn decode_utf8(text: &[u8]) -> (Symbol, usize) {
    let len = match text[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let character =
        text.get(..len).and_then(|bytes| core::str::from_utf8(bytes).ok()).and_then(|text| text.chars().next());
    match character {
        Some(character) => (character.into(), len),
        None => (INVALID + Symbol::from(text[0]), 1),
    }
}

/// Whether a character of more than a byte is in the class.
fn wide_is(symbol: Symbol, class: Class) -> bool {
    // SAFETY: the name ends in NUL, and any number may be asked about.
    unsafe { classes::iswctype(symbol, classes::wctype(class.name().as_ptr())) != 0 }
}

/// The upper-case form of a character of more than a byte.
fn wide_upper(symbol: Symbol) -> Symbol {
    // SAFETY: any number may be asked about.
    unsafe { classes::towupper(symbol) }
}

/// Whether the locale's texts are UTF-8.
pub fn locale_is_utf8() -> bool {
    locale::current().charset() == Charset::Utf8
}
