//! The kernel's command line.

/// The whole line: the log level, further words as they are, and the command to run, which may be empty.
pub fn line(log: &str, more: Option<&str>, command: &[String]) -> String {
    let mut line = format!("ochre.log={log}");
    for word in more.into_iter().map(str::to_owned).chain((!command.is_empty()).then(|| run_word(command))) {
        line.push(' ');
        line.push_str(&word);
    }
    line
}

/// Makes the word `ochre.run=...` that asks init to run one command: its words, percent-encoded, with NULs (`%00`)
/// between them.
fn run_word(command: &[String]) -> String {
    let mut word = String::from("ochre.run=");
    for (i, arg) in command.iter().enumerate() {
        if i > 0 {
            word.push_str("%00");
        }
        for byte in arg.bytes() {
            // Everything else may mean something to GRUB or to who splits the command line.
            if byte.is_ascii_alphanumeric() || b"/._-+:,@".contains(&byte) {
                word.push(char::from(byte));
            } else {
                word.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_has_what_was_asked_for() {
        assert_eq!(line("info", None, &[]), "ochre.log=info");
        assert_eq!(line("warn", Some("a b"), &["/bin/x".into()]), "ochre.log=warn a b ochre.run=/bin/x");
    }

    #[test]
    fn encodes_what_is_not_plain() {
        let command = ["/bin/echo", "a b", "50%", "$x\"é"].map(str::to_owned);
        assert_eq!(run_word(&command), "ochre.run=/bin/echo%00a%20b%0050%25%00%24x%22%C3%A9");
        assert_eq!(run_word(&["a".into(), String::new()]), "ochre.run=a%00");
    }
}
