//! `fnmatch.h`: names against shell patterns, byte by byte. fnmatch(3).

use crate::{ctype, string};
use core::ffi::{c_char, c_int};

const NOMATCH: c_int = 1;
const PATHNAME: c_int = 1;
const NOESCAPE: c_int = 2;
const PERIOD: c_int = 4;
const LEADING_DIR: c_int = 8;
const CASEFOLD: c_int = 16;

fn fold(byte: u8, flags: c_int) -> u8 {
    if flags & CASEFOLD != 0 { byte.to_ascii_lowercase() } else { byte }
}

/// Whether `byte` is in the class of that name. None: no such class.
fn in_class(name: &[u8], byte: u8) -> Option<bool> {
    let byte = c_int::from(byte);
    // SAFETY: these take any byte.
    let is = unsafe {
        match name {
            b"alnum" => ctype::isalnum(byte),
            b"alpha" => ctype::isalpha(byte),
            b"blank" => ctype::isblank(byte),
            b"cntrl" => ctype::iscntrl(byte),
            b"digit" => ctype::isdigit(byte),
            b"graph" => ctype::isgraph(byte),
            b"lower" => ctype::islower(byte),
            b"print" => ctype::isprint(byte),
            b"punct" => ctype::ispunct(byte),
            b"space" => ctype::isspace(byte),
            b"upper" => ctype::isupper(byte),
            b"xdigit" => ctype::isxdigit(byte),
            _ => return None,
        }
    };
    Some(is != 0)
}

/// A bracket expression behind its `[`: its length with the `]`, and whether it has the byte. None: it has no end.
fn bracket(pattern: &[u8], byte: u8, flags: c_int) -> Option<(usize, bool)> {
    let negated = matches!(pattern.first(), Some(b'!' | b'^'));
    let first = usize::from(negated);
    let (mut at, mut found) = (first, false);
    loop {
        let mut low = *pattern.get(at)?;
        if low == b']' && at > first {
            return Some((at + 1, found != negated));
        }
        if low == b'[' && pattern.get(at + 1) == Some(&b':') {
            let rest = &pattern[at + 2..];
            let end = rest.windows(2).position(|two| two == b":]");
            if let Some(end) = end
                && let Some(is) = in_class(&rest[..end], byte)
            {
                found |= is;
                at += end + 4;
                continue;
            }
        }
        if low == b'\\' && flags & NOESCAPE == 0 {
            at += 1;
            low = *pattern.get(at)?;
        }
        at += 1;
        let mut high = low;
        if pattern.get(at) == Some(&b'-') && pattern.get(at + 1).is_some_and(|&byte| byte != b']') {
            at += 1;
            if pattern[at] == b'\\' && flags & NOESCAPE == 0 {
                at += 1;
            }
            high = *pattern.get(at)?;
            at += 1;
        }
        found |= (fold(low, flags)..=fold(high, flags)).contains(&fold(byte, flags));
    }
}

/// Whether all of `text` matches. Goes back to the last `*` only: a later one takes over.
fn covers(pattern: &[u8], text: &[u8], flags: c_int) -> bool {
    let leading = |at: usize| {
        flags & PERIOD != 0 && text.get(at) == Some(&b'.') && (at == 0 || flags & PATHNAME != 0 && text[at - 1] == b'/')
    };
    let (mut in_pattern, mut in_text) = (0, 0);
    // Behind the last star, and where in the text what it matches ends.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let ended = in_pattern == pattern.len();
        if ended && (in_text == text.len() || flags & LEADING_DIR != 0 && text[in_text] == b'/') {
            return true;
        }
        if !ended && pattern[in_pattern] == b'*' && !leading(in_text) {
            in_pattern += 1;
            star = Some((in_pattern, in_text));
            continue;
        }
        // How far one step of the pattern goes, if it matches here.
        let step = match (pattern.get(in_pattern), text.get(in_text)) {
            (Some(b'*'), _) | (None, _) | (_, None) => None,
            (Some(b'?'), Some(&byte)) => (!(flags & PATHNAME != 0 && byte == b'/') && !leading(in_text)).then_some(1),
            (Some(b'['), Some(&byte)) => match bracket(&pattern[in_pattern + 1..], byte, flags) {
                Some((len, found)) => {
                    (found && !(flags & PATHNAME != 0 && byte == b'/') && !leading(in_text)).then_some(len + 1)
                }
                None => (byte == b'[').then_some(1),
            },
            (Some(b'\\'), Some(&byte)) if flags & NOESCAPE == 0 && in_pattern + 1 < pattern.len() => {
                (fold(pattern[in_pattern + 1], flags) == fold(byte, flags)).then_some(2)
            }
            (Some(&wanted), Some(&byte)) => (fold(wanted, flags) == fold(byte, flags)).then_some(1),
        };
        if let Some(step) = step {
            in_pattern += step;
            in_text += 1;
            continue;
        }
        // The last star takes one byte more.
        let Some((behind, end)) = star else { return false };
        match text.get(end) {
            None => return false,
            Some(b'/') if flags & PATHNAME != 0 => return false,
            Some(_) => {}
        }
        star = Some((behind, end + 1));
        (in_pattern, in_text) = (behind, end + 1);
    }
}

c_api! {
    /// fnmatch(3).
    fn fnmatch(pattern: *const c_char, text: *const c_char, flags: c_int) -> c_int {
        if covers(string::bytes(pattern), string::bytes(text), flags) { 0 } else { NOMATCH }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ffi::CString;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn patterns_match_as_on_the_host(
            pattern in "([ab./A*?]|\\[[!]?[ab.]\\]|\\[a-c\\]|\\[\\[:alpha:\\]\\]|\\\\[ab*]){0,7}",
            text in "[abA./*]{0,7}",
            flags in 0..8,
        ) {
            let (pattern, text) = (CString::new(pattern).expect("no NUL"), CString::new(text).expect("no NUL"));
            // SAFETY: C strings.
            let (ours, hosts) = unsafe {
                (fnmatch(pattern.as_ptr(), text.as_ptr(), flags), libc::fnmatch(pattern.as_ptr(), text.as_ptr(), flags))
            };
            prop_assert_eq!(ours, hosts);
        }
    }
}
