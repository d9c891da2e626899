//! Command lines: `--name value`, `--flag`, and the rest.

use std::collections::BTreeMap;
use std::str::FromStr;

/// A command line, taken apart.
#[derive(Debug, Default, PartialEq)]
pub struct Options {
    values: BTreeMap<String, String>,
    flags: Vec<String>,
    /// What is no option.
    pub rest: Vec<String>,
}

impl Options {
    /// Takes apart the arguments after the program's name. Options outside the two lists are errors.
    ///
    /// # Errors
    /// A sentence for the user.
    pub fn parse(args: impl IntoIterator<Item = String>, with_value: &[&str], flags: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.strip_prefix("--") {
                None => options.rest.push(arg),
                Some(name) if flags.contains(&name) => options.flags.push(name.to_owned()),
                Some(name) if with_value.contains(&name) => {
                    let value = args.next().ok_or_else(|| format!("--{name} wants a value"))?;
                    options.values.insert(name.to_owned(), value);
                }
                Some(name) => return Err(format!("unknown option --{name}")),
            }
        }
        Ok(options)
    }

    /// Those of this process.
    ///
    /// # Errors
    /// As [`Options::parse`].
    pub fn of_process(with_value: &[&str], flags: &[&str]) -> Result<Self, String> {
        let args = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned());
        Self::parse(args, with_value, flags)
    }

    /// Whether the flag was given.
    pub fn flag(&self, name: &str) -> bool {
        self.flags.iter().any(|flag| flag == name)
    }

    /// The option's text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The option's number, or the default.
    ///
    /// # Errors
    /// A sentence for the user, if it is no number.
    pub fn number<T: FromStr>(&self, name: &str, default: T) -> Result<T, String> {
        self.text(name).map_or(Ok(default), |text| parse_number(text, &format!("--{name}")))
    }
}

/// The number in a word of the command line.
///
/// # Errors
/// A sentence for the user, if it is none.
pub fn parse_number<T: FromStr>(text: &str, what: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{what}: {text:?} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned), &["seed", "count"], &["trace"])
    }

    #[test]
    fn options_are_taken_apart() {
        let options = parse("one --seed 7 --trace two").expect("a right command line");
        assert_eq!(options.rest, ["one", "two"]);
        assert!(options.flag("trace"));
        assert_eq!((options.number("seed", 1), options.number("count", 9)), (Ok(7), Ok(9)));
    }

    #[test]
    fn wrong_ones_are_refused() {
        assert!(parse("--seed").is_err());
        assert!(parse("--other 1").is_err());
        assert!(parse("--seed x").and_then(|options| options.number("seed", 0)).is_err());
    }
}
