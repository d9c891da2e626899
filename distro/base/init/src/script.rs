//! Scripts of /etc/init.d: a line a step, words separated by blanks, `#` starts a comment, `"…"` quotes.
//!
//! `$NAME` is the value of that word of the kernel's command line, `${NAME:+TEXT}` is TEXT if the word stands there; a word of
//! nothing but these that turn out empty is no word.
//!
//! | line | meaning |
//! |---|---|
//! | `requires_weak NAME…` | the scripts NAME run first, if they exist |
//! | `export NAME=VALUE…` | environment of what is started from here on, in all scripts that follow |
//! | `bind PREFIX SCHEME` | paths below PREFIX belong to SCHEME, or to a path in it (`bind /dev/pts tty/pts`) |
//! | `scheme NAME…` | the service in the next line serves these names: opens wait while it is being restarted |
//! | `notify COMMAND…` | starts a service, and goes on when it says that it is ready |
//! | `nowait COMMAND…` | starts a service, and goes on at once |
//! | `root SCHEME` | the root file system is SCHEME, or a path in it, for what is started from here on; the scripts of its /etc/init.d follow instead of this one's |
//! | `with NAME LINE` | LINE, if the kernel's command line has the word NAME |
//! | `console COMMAND…` | the same, but not if the machine was started to run one command (`cargo xtask exec`) |
//! | `COMMAND…` | runs a command, and goes on when it ends |

use crate::cmdline::Words;

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
    /// Another root file system: a scheme, or a path in one.
    Root(String),
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

/// Reads a script, with the kernel's command line. Lines that are wrong are told; the others count.
pub fn parse(text: &str, cmdline: &Words) -> (Vec<Step>, Vec<ScriptError>) {
    let mut steps = Vec::new();
    let mut errors = Vec::new();
    let mut schemes = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        match split(line, cmdline).and_then(|words| parse_line(words, cmdline, &mut schemes)) {
            Ok(step) => steps.extend(step),
            Err(what) => errors.push(ScriptError { line: number, what }),
        }
    }
    (steps, errors)
}

fn parse_line(mut words: Vec<String>, cmdline: &Words, schemes: &mut Vec<String>) -> Result<Option<Step>, String> {
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
        "root" => match &rest[..] {
            [scheme] => Ok(Some(Step::Root(scheme.clone()))),
            _ => Err("root takes a scheme's name".to_owned()),
        },
        "with" => match rest.split_first() {
            Some((name, _)) if cmdline.value(name).is_none() => Ok(None),
            Some((_, line)) => parse_line(line.to_vec(), cmdline, schemes),
            None => Err("with takes a word and a line".to_owned()),
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
fn split(line: &str, cmdline: &Words) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = after;
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '#' if !quoted && word.is_none() => break,
            '$' => {
                let (text, after) = expand(after, cmdline)?;
                rest = after;
                if !text.is_empty() {
                    word.get_or_insert_default().push_str(text);
                }
            }
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

/// What follows a `$`: its text, and the rest of the line.
fn expand<'t>(text: &'t str, cmdline: &'t Words) -> Result<(&'t str, &'t str), String> {
    let (braced, text) = match text.strip_prefix('{') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let len = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(len);
    let value = cmdline.value(name);
    match (braced, rest.strip_prefix(":+").and_then(|rest| rest.split_once('}'))) {
        _ if name.is_empty() => Err("a name is missing after `$`".to_owned()),
        (false, _) => Ok((value.unwrap_or_default(), rest)),
        (true, Some((then, rest))) => Ok((if value.is_some() { then } else { "" }, rest)),
        (true, None) => Err(format!("`${{{name}` goes on with `:+`, a text and `}}`")),
    }
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
             nowait dhcpd -v # later\nconsole sh\nls \"\" /\nroot file\n",
            &Words::default(),
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
                Step::Root("file".into()),
            ]
        );
    }

    #[test]
    fn errors_name_their_line_and_the_rest_counts() {
        let (steps, errors) =
            parse("notify\nbind dev null\nexport X\necho \"a\ntrue\nroot\nwith\nls $\nls ${x}\n", &Words::default());
        assert_eq!(errors.iter().map(|e| e.line).collect::<Vec<_>>(), [1, 2, 3, 4, 6, 7, 8, 9]);
        assert_eq!(steps, [Step::Run(words(&["true"]))]);
    }

    #[test]
    fn the_command_line_counts() {
        let script = "with root scheme file\nwith root notify fsd ${live:+--live} file $root\nwith nothing root x\necho \"$nothing\" $nothing a$b\n";
        let fsd =
            |argv: &[&str]| Step::Start { argv: words(argv), schemes: words(&["file"]), notify: true, console: false };
        let steps = |cmdline: &str| parse(script, &Words::of(cmdline)).0;
        assert_eq!(
            steps("root=LABEL=x live b=c")[..],
            [fsd(&["fsd", "--live", "file", "LABEL=x"]), Step::Run(words(&["echo", "", "ac"]))]
        );
        assert_eq!(steps("root=y"), [fsd(&["fsd", "file", "y"]), Step::Run(words(&["echo", "", "a"]))]);
        assert_eq!(steps("quiet"), [Step::Run(words(&["echo", "", "a"]))]);
    }
}
