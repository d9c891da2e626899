//! The kernel's command line: its words, and the command that `cargo xtask exec` wants run.

/// The words `NAME` and `NAME=VALUE` of a command line. Of two with one name the last counts.
#[derive(Clone, Debug, Default)]
pub struct Words(Vec<(String, String)>);

impl Words {
    /// Reads a command line.
    pub fn of(cmdline: &str) -> Self {
        let pair = |word: &str| match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (word.to_owned(), String::new()),
        };
        Words(cmdline.split_ascii_whitespace().map(pair).collect())
    }

    /// The value of the word `name`, empty if it stands there without one; `None` if it does not stand there.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The words of `ochre.run=`, percent-encoded and separated by `%00`; `None` if there is no such word or it is damaged.
    pub fn command(&self) -> Option<Vec<Vec<u8>>> {
        let bytes = decode(self.value("ochre.run")?)?;
        Some(bytes.split(|b| *b == 0).map(<[u8]>::to_vec).collect())
    }
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
        let words = |line: &str| Words::of(line).command();
        let command = words("ochre.log=info ochre.run=/bin/sh%00-c%00echo%20a%25 quiet").unwrap();
        assert_eq!(command, [b"/bin/sh".to_vec(), b"-c".to_vec(), b"echo a%".to_vec()]);
        assert_eq!(words("quiet"), None);
        assert_eq!(words("ochre.run=a%2"), None);
        assert_eq!(words("ochre.run=a%zz"), None);
    }

    #[test]
    fn words_have_values() {
        let words = Words::of("root=PARTUUID=1-2 live  root=LABEL=x\n");
        assert_eq!(words.value("root"), Some("LABEL=x"));
        assert_eq!(words.value("live"), Some(""));
        assert_eq!(words.value("roo"), None);
    }
}
