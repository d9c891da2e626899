//! Braces: `{a,b}` makes two patterns. glob(3), GLOB_BRACE; as in csh, `{}` stands for itself.

use alloc::vec::Vec;

/// The end of an alternative that starts at `at`: the index of its comma or closing brace.
fn next(pattern: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0;
    while at < pattern.len() {
        match pattern[at] {
            b'\\' => at += 1,
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            b',' if depth == 0 => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The first brace that opens alternatives.
fn opening(pattern: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < pattern.len() {
        match pattern[at] {
            b'\\' => at += 1,
            b'{' if pattern.get(at + 1) == Some(&b'}') => at += 1,
            b'{' => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// All patterns without braces, in order. Braces without an end stand for themselves.
pub fn expand(pattern: &[u8]) -> Vec<Vec<u8>> {
    let plain = || Vec::from([pattern.to_vec()]);
    let Some(open) = opening(pattern) else { return plain() };
    let mut alternatives = Vec::new();
    let mut start = open + 1;
    let close = loop {
        let Some(end) = next(pattern, start) else { return plain() };
        alternatives.push(&pattern[start..end]);
        if pattern[end] == b'}' {
            break end;
        }
        start = end + 1;
    };
    let mut out = Vec::new();
    for alternative in alternatives {
        out.extend(expand(&[&pattern[..open], alternative, &pattern[close + 1..]].concat()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn alternatives() {
        let texts = |pattern: &[u8]| {
            expand(pattern).iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(texts(b"a{b,c{d,e}}f"), ["abf", "acdf", "acef"]);
        assert_eq!(texts(b"{}x{,y}"), ["{}x", "{}xy"]);
        assert_eq!(texts(b"a{b,c"), ["a{b,c"]);
        assert_eq!(texts(b"a\\{b,c}"), ["a\\{b,c}"]);
    }
}
