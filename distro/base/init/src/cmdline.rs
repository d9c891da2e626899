//! The kernel's command line: the command that `cargo xtask exec` wants run.

/// The words of `ochre.run=`, percent-encoded and separated by `%00`; `None` if there is no such word or it is damaged.
pub fn command(cmdline: &str) -> Option<Vec<Vec<u8>>> {
    let word = cmdline.split_ascii_whitespace().find_map(|word| word.strip_prefix("ochre.run="))?;
    let bytes = decode(word)?;
    Some(bytes.split(|b| *b == 0).map(<[u8]>::to_vec).collect())
}

fn decode(word: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = word.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        out.push(u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes() {
        let words = command("ochre.log=info ochre.run=/bin/sh%00-c%00echo%20a%25 quiet").unwrap();
        assert_eq!(words, [b"/bin/sh".to_vec(), b"-c".to_vec(), b"echo a%".to_vec()]);
        assert_eq!(command("quiet"), None);
        assert_eq!(command("ochre.run=a%2"), None);
        assert_eq!(command("ochre.run=a%zz"), None);
    }
}
