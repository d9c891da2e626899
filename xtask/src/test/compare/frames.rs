//! What tests/programs' `runeach` prints about its commands.

use std::collections::BTreeMap;

/// What came of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// Its standard output.
    pub out: Vec<u8>,
    /// Its standard error.
    pub err: Vec<u8>,
    /// Its exit status, or 128 + the number of the signal that killed it.
    pub status: i32,
}

/// Reads what commands did, by their numbers, up to the first damage: a machine may have died in the middle of a word.
pub fn parse(mut text: &[u8]) -> BTreeMap<usize, Ran> {
    let mut ended = BTreeMap::new();
    let mut open = Ran::default();
    while let Some((line, rest)) = split_line(text) {
        text = rest;
        let mut words = line.split(' ');
        let (kind, Some(number), Some(value)) = (words.next(), number(words.next()), number(words.next())) else {
            break;
        };
        match kind {
            Some("@end") => {
                open.status = i32::try_from(value).unwrap_or(-1);
                ended.insert(number, std::mem::take(&mut open));
            }
            Some(kind @ ("@out" | "@err")) => {
                let Some((data, rest)) = text.split_at_checked(value) else { break };
                text = rest;
                *(if kind == "@out" { &mut open.out } else { &mut open.err }) = data.to_vec();
            }
            _ => break,
        }
    }
    ended
}

fn split_line(text: &[u8]) -> Option<(&str, &[u8])> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    Some((std::str::from_utf8(&text[..end]).ok()?, &text[end + 1..]))
}

fn number(word: Option<&str>) -> Option<usize> {
    word?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_up_to_the_damage() {
        let text = b"@out 0 3\na\nb@err 0 0\n@end 0 7\n@out 1 2\n\n\n@err 1 1\nx@end 1 0\n@out 2 9\ncut";
        let ran = parse(text);
        assert_eq!(ran.len(), 2);
        assert_eq!(ran[&0], Ran { out: b"a\nb".to_vec(), err: vec![], status: 7 });
        assert_eq!(ran[&1], Ran { out: b"\n\n".to_vec(), err: b"x".to_vec(), status: 0 });
        assert!(parse(b"init: no such program\n").is_empty());
        assert!(parse(b"@out 0 99999999999999999999\n").is_empty());
    }
}
