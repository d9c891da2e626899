//! What the guest writes to its first serial port: the kernel's log, and the line with the command's exit status.

/// The line by which init tells the exit status of the command it ran.
const STATUS: &str = "ochre: exit status ";

/// The last exit status that the log tells.
pub fn exit_status(log: &str) -> Option<i32> {
    log.lines().rev().find_map(|line| line.trim_end().strip_prefix(STATUS)?.parse().ok())
}

/// The log's bytes as text without carriage returns and terminal control sequences, which firmware and GRUB send.
pub fn clean(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' if chars.peek() == Some(&'[') => {
                chars.next();
                // A control sequence ends at the first character of this range: ECMA-48, 5.4.
                while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            }
            '\n' | '\t' => clean.push(c),
            c if c.is_control() => {}
            c => clean.push(c),
        }
    }
    clean
}

/// The last `count` lines of the log.
pub fn tail(log: &str, count: usize) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_last_status() {
        assert_eq!(exit_status("boot\nochre: exit status 3\r\nbye\n"), Some(3));
        assert_eq!(exit_status("ochre: exit status 1\nochre: exit status 0\n"), Some(0));
    }

    #[test]
    fn takes_nothing_else_for_a_status() {
        for log in ["", "ochre: exit status", "ochre: exit status x", "say ochre: exit status 3", "exit status 0"] {
            assert_eq!(exit_status(log), None, "{log}");
        }
    }

    #[test]
    fn cleans_what_terminals_eat() {
        assert_eq!(clean(b"\x1b[2J\x1b[01;01Ha\r\nb\x1b[0m\xff\x00\n"), "a\nb\u{fffd}\n");
        assert_eq!(clean(b"\x1b["), "");
    }

    #[test]
    fn tail_is_the_end() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a", 2), "a");
    }
}
