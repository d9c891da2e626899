//! The script: steps, a line each.

use std::time::Duration;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Expect(Vec<u8>),
    Send(Vec<u8>),
    Resize(u16, u16),
    Quiet(Duration),
    Eof,
    Clock,
    Row(String),
}

/// The steps with the numbers of their lines; what is wrong, if something is.
pub fn parse(text: &str) -> Result<Vec<(usize, Step)>, String> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(number, line)| step(line).map(|s| (number, s)).ok_or(format!("line {number}: {line}"))).collect()
}

fn step(line: &str) -> Option<Step> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "expect" if !rest.is_empty() => unescape(rest).map(Step::Expect),
        "send" => unescape(rest).map(Step::Send),
        "resize" => size(rest).map(|(rows, columns)| Step::Resize(rows, columns)),
        "quiet" => rest.parse().ok().map(|ms| Step::Quiet(Duration::from_millis(ms))),
        "eof" if rest.is_empty() => Some(Step::Eof),
        "clock" if rest.is_empty() => Some(Step::Clock),
        "row" if !rest.is_empty() && !rest.contains(' ') => Some(Step::Row(rest.to_owned())),
        _ => None,
    }
}

/// `24x80`.
pub fn size(text: &str) -> Option<(u16, u16)> {
    let (rows, columns) = text.split_once('x')?;
    Some((rows.parse().ok()?, columns.parse().ok()?))
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'^' => rest.next()?.to_ascii_uppercase() ^ 0o100,
            b'\\' => match rest.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'e' => 0o33,
                b'x' => {
                    let digits = [rest.next()?, rest.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                }
                same @ (b'\\' | b'^') => same,
                _ => return None,
            },
            byte => byte,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps() {
        let steps = parse("# a comment\nexpect \\$ \n").map_err(|why| why.contains("line 2"));
        assert_eq!(steps, Err(true));
        let steps = parse("expect $ \n\nsend ls^C\\r\\x41\\e\\^\nresize 24x80\nquiet 50\neof\nclock\nrow x").unwrap();
        let kinds: Vec<Step> = steps.iter().map(|(_, step)| step.clone()).collect();
        assert_eq!(
            kinds,
            [
                Step::Expect(b"$ ".to_vec()),
                Step::Send(b"ls\x03\rA\x1b^".to_vec()),
                Step::Resize(24, 80),
                Step::Quiet(Duration::from_millis(50)),
                Step::Eof,
                Step::Clock,
                Step::Row("x".to_owned()),
            ]
        );
        assert_eq!(steps[1].0, 3);
        assert!(parse("expect").is_err() && parse("resize 24").is_err() && parse("send \\x4").is_err());
    }
}
