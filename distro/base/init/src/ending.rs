//! How the machine's run can end.

/// What is asked for at `/scheme/init/power`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Power off.
    PowerOff,
    /// Start again.
    Reboot,
    /// Stop, with the power on.
    Halt,
}

impl Ending {
    /// All.
    pub const ALL: [Ending; 3] = [Ending::PowerOff, Ending::Reboot, Ending::Halt];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Ending::PowerOff => "poweroff",
            Ending::Reboot => "reboot",
            Ending::Halt => "halt",
        }
    }

    /// The one with this word, which may end in a newline.
    pub fn of(word: &[u8]) -> Option<Ending> {
        let word = word.strip_suffix(b"\n").unwrap_or(word);
        Self::ALL.into_iter().find(|ending| ending.word().as_bytes() == word)
    }

    /// What shutdown(8), poweroff(8) and the others mean by their name and arguments; the minutes until then.
    pub fn of_command(name: &str, arguments: &[String]) -> Result<(Ending, u64), String> {
        let mut ending = match name {
            "reboot" => Ending::Reboot,
            "halt" => Ending::Halt,
            _ => Ending::PowerOff,
        };
        let mut minutes = 0;
        for argument in arguments {
            match argument.as_str() {
                "-r" | "--reboot" => ending = Ending::Reboot,
                "-P" | "-p" | "--poweroff" => ending = Ending::PowerOff,
                "-H" | "--halt" => ending = Ending::Halt,
                "-h" if name == "shutdown" => ending = Ending::PowerOff,
                "now" if name == "shutdown" => minutes = 0,
                delay if name == "shutdown" && delay.starts_with('+') => {
                    minutes = delay[1..].parse().map_err(|_| format!("`{delay}` is no number of minutes"))?;
                }
                other => return Err(format!("`{other}` is not understood")),
            }
        }
        Ok((ending, minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for ending in Ending::ALL {
            assert_eq!(Ending::of(ending.word().as_bytes()), Some(ending));
            assert_eq!(Ending::of(format!("{}\n", ending.word()).as_bytes()), Some(ending));
        }
        assert_eq!(Ending::of(b"off"), None);
        assert_eq!(Ending::of(b""), None);
    }

    #[test]
    fn commands() {
        let of = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            Ending::of_command(&words[0], &words[1..]).ok()
        };
        assert_eq!(of("poweroff"), Some((Ending::PowerOff, 0)));
        assert_eq!(of("reboot"), Some((Ending::Reboot, 0)));
        assert_eq!(of("halt -p"), Some((Ending::PowerOff, 0)));
        assert_eq!(of("shutdown -r now"), Some((Ending::Reboot, 0)));
        assert_eq!(of("shutdown -h +5"), Some((Ending::PowerOff, 5)));
        assert_eq!(of("shutdown +x"), None);
        assert_eq!(of("reboot now"), None);
    }
}
