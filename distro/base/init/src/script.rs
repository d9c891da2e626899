//! Scripts of /etc/init.d: a line a step, words separated by blanks, `#` starts a comment, `"…"` quotes.
//!
//! | line | meaning |
//! |---|---|
//! | `requires_weak NAME…` | the scripts NAME run first, if they exist |
//! | `export NAME=VALUE…` | environment of what is started from here on, in all scripts that follow |
//! | `bind PREFIX SCHEME` | paths below PREFIX belong to SCHEME, or to a path in it (`bind /dev/pts tty/pts`) |
//! | `scheme NAME…` | the service in the next line serves these names: opens wait while it is being restarted |
//! | `notify COMMAND…` | starts a service, and goes on when it says that it is ready |
//! | `nowait COMMAND…` | starts a service, and goes on at once |
//! | `console COMMAND…` | the same, but not if the machine was started to run one command (`cargo xtask exec`) |
//! | `COMMAND…` | runs a command, and goes on when it ends |

/// One step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Names of scripts that come first.
    RequiresWeak(Vec<String>),
    /// Variables and values.
    Export(Vec<(String, String)>),
    /// A path prefix and a scheme.
    Bind(String, String),
    /// A service.
    Start {
        /// Program and arguments.
        argv: Vec<String>,
        /// Scheme names that it serves.
        schemes: Vec<String>,
        /// Go on only when it is ready.
        notify: bool,
        /// For a person: not where the machine is to run one command.
        console: bool,
    },
    /// A command that ends.
    Run(Vec<String>),
}

/// What is wrong with a script, and in which line (from 1).
#[derive(Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// The line.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// Reads a script. Lines that are wrong are told; the others count.
pub fn parse(text: &str) -> (Vec<Step>, Vec<ScriptError>) {
    let mut steps = Vec::new();
    let mut errors = Vec::new();
    let mut schemes = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        match parse_line(line, &mut schemes) {
            Ok(step) => steps.extend(step),
            Err(what) => errors.push(ScriptError { line: number, what }),
        }
    }
    (steps, errors)
}

fn parse_line(line: &str, schemes: &mut Vec<String>) -> Result<Option<Step>, String> {
    let mut words = split(line)?;
    if words.is_empty() {
        return Ok(None);
    }
    let rest = words.split_off(1);
    let start = |notify, console, schemes: &mut Vec<String>| {
        if rest.is_empty() {
            return Err("a command is missing".to_owned());
        }
        Ok(Some(Step::Start { argv: rest.clone(), schemes: std::mem::take(schemes), notify, console }))
    };
    match words[0].as_str() {
        "requires_weak" => Ok(Some(Step::RequiresWeak(rest))),
        "export" => rest
            .iter()
            .map(|word| match word.split_once('=') {
                Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
                _ => Err(format!("`{word}` is not NAME=VALUE")),
            })
            .collect::<Result<_, _>>()
            .map(|variables| Some(Step::Export(variables))),
        "bind" => match &rest[..] {
            [prefix, scheme] if prefix.starts_with('/') => Ok(Some(Step::Bind(prefix.clone(), scheme.clone()))),
            _ => Err("bind takes an absolute prefix and a scheme's name".to_owned()),
        },
        "scheme" => {
            schemes.extend(rest);
            Ok(None)
        }
        "notify" => start(true, false, schemes),
        "nowait" => start(false, false, schemes),
        "console" => start(false, true, schemes),
        _ => {
            words.extend(rest);
            Ok(Some(Step::Run(words)))
        }
    }
}

/// Splits a line into words.
fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '#' if !quoted && word.is_none() => break,
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    if quoted {
        return Err("a quotation mark is missing".to_owned());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn every_word() {
        let (steps, errors) = parse(
            "# base\nrequires_weak 00_base  10_net\nexport A=1 B=\"x y\"\nbind /dev/null null\nscheme null\nnotify null\n\
             nowait dhcpd -v # later\nconsole sh\nls \"\" /\n",
        );
        assert_eq!(errors, []);
        assert_eq!(
            steps,
            [
                Step::RequiresWeak(words(&["00_base", "10_net"])),
                Step::Export(vec![("A".into(), "1".into()), ("B".into(), "x y".into())]),
                Step::Bind("/dev/null".into(), "null".into()),
                Step::Start { argv: words(&["null"]), schemes: words(&["null"]), notify: true, console: false },
                Step::Start { argv: words(&["dhcpd", "-v"]), schemes: vec![], notify: false, console: false },
                Step::Start { argv: words(&["sh"]), schemes: vec![], notify: false, console: true },
                Step::Run(words(&["ls", "", "/"])),
            ]
        );
    }

    #[test]
    fn errors_name_their_line_and_the_rest_counts() {
        let (steps, errors) = parse("notify\nbind dev null\nexport X\necho \"a\ntrue\n");
        assert_eq!(errors.iter().map(|e| e.line).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(steps, [Step::Run(words(&["true"]))]);
    }
}
