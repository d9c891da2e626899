//! Interpreter lines: `#!program [argument]`. Pure. Source: Linux's `fs/binfmt_script.c`, execve(2).

use ochre_abi::{Errno, Result};

/// What Linux looks at of a file's start (BINPRM_BUF_SIZE).
pub const LINE_MAX: usize = 256;
/// Scripts whose interpreter is a script, and so on: at most this many.
pub const NESTING_MAX: usize = 4;

/// A parsed interpreter line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub program: &'a [u8],
    /// The rest of the line as one word, blanks within kept.
    pub argument: Option<&'a [u8]>,
}

/// Whether a file starts like a script.
pub fn is_script(file: &[u8]) -> bool {
    file.starts_with(b"#!")
}

/// Parses the interpreter line at the start of `file`. ENOEXEC without a program, or if its name may go on past [`LINE_MAX`].
pub fn parse(file: &[u8]) -> Result<Line<'_>> {
    let start = file.get(..LINE_MAX.min(file.len())).unwrap_or(file);
    let text = start.strip_prefix(b"#!").ok_or(Errno::ENOEXEC)?;
    let end = text.iter().position(|&byte| byte == b'\n' || byte == 0);
    let whole = end.is_some() || start.len() < LINE_MAX;
    let line = trim(end.and_then(|end| text.get(..end)).unwrap_or(text));
    let word_end = line.iter().position(|byte| is_blank(*byte));
    // Without a line's end, the program's name must at least be whole; a cut argument is passed cut, as Linux does.
    if line.is_empty() || (!whole && word_end.is_none()) {
        return Err(Errno::ENOEXEC);
    }
    let (program, rest) = line.split_at(word_end.unwrap_or(line.len()));
    let argument = trim(rest);
    Ok(Line { program, argument: (!argument.is_empty()).then_some(argument) })
}

const fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_blank(*byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_blank(*byte)).map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_as_linux_reads_them() {
        assert_eq!(parse(b"#!/bin/sh\necho"), Ok(Line { program: b"/bin/sh", argument: None }));
        assert_eq!(parse(b"#! \t/bin/sh  -e -x \t\n"), Ok(Line { program: b"/bin/sh", argument: Some(b"-e -x") }));
        assert_eq!(parse(b"#!/bin/sh"), Ok(Line { program: b"/bin/sh", argument: None }));
        assert_eq!(parse(b"#!  \n/bin/sh"), Err(Errno::ENOEXEC));
        assert_eq!(parse(b"echo"), Err(Errno::ENOEXEC));
        let mut long = b"#!/".to_vec();
        long.resize(400, b'x');
        assert_eq!(parse(&long), Err(Errno::ENOEXEC));
    }

    proptest! {
        #[test]
        fn never_panics(file in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(line) = parse(&[b"#!".to_vec(), file].concat()) {
                prop_assert!(!line.program.is_empty() && !line.program.iter().any(|byte| is_blank(*byte)));
            }
        }
    }
}
