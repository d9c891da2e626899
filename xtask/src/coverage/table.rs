//! The names of relibc/symbols.tsv, and the tables made of them.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};

/// The lines around the sums in the README.
const BEGIN: &str = "<!-- made by `cargo xtask coverage --update` -->\n";
const END: &str = "<!-- end -->\n";

/// A name that the library owes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub name: String,
    /// The milestone that needs it first.
    pub milestone: u32,
    /// Whether libc.so.6 exports it.
    pub exported: bool,
    /// Whether a call does more than abort.
    pub implemented: bool,
    /// The test programs that use it.
    pub testers: BTreeSet<String>,
}

impl Name {
    /// Whether some test uses it.
    pub fn tested(&self) -> bool {
        !self.testers.is_empty()
    }
}

/// Reads the rows of symbols.tsv.
pub fn parse(symbols: &str) -> Result<Vec<Name>> {
    let rows = symbols.lines().filter(|row| !row.starts_with('#') && !row.starts_with("milestone\t"));
    rows.map(|row| {
        let mut fields = row.split('\t');
        let milestone = fields.next().and_then(|field| field.parse().ok());
        let name = fields.next().map(str::to_owned);
        let (Some(milestone), Some(name)) = (milestone, name) else { anyhow::bail!("`{row}` is no row") };
        Ok(Name { name, milestone, ..Name::default() })
    })
    .collect()
}

/// What each milestone is, from the comments of symbols.tsv.
pub fn milestones(symbols: &str) -> BTreeMap<u32, String> {
    let comments = symbols.lines().filter_map(|line| line.strip_prefix("# milestone ")?.split_once(": "));
    comments.filter_map(|(number, text)| Some((number.parse().ok()?, text.to_owned()))).collect()
}

/// The table of sums, in Markdown.
pub fn sums(names: &[Name], milestones: &BTreeMap<u32, String>) -> String {
    let mut text =
        String::from("| | Needed first by | Names | Exported | Implemented | Tested |\n|---|---|---|---|---|---|\n");
    let row = |number: &str, title: &str, names: &[&Name]| {
        let count = |is: fn(&Name) -> bool| names.iter().filter(|name| is(name)).count();
        let (exported, implemented, tested) =
            (count(|it| it.exported), count(|it| it.implemented), count(|it| it.implemented && it.tested()));
        format!("| {number} | {title} | {} | {exported} | {implemented} | {tested} |\n", names.len())
    };
    let numbers: BTreeSet<u32> = names.iter().map(|name| name.milestone).collect();
    for number in numbers {
        let of_it: Vec<&Name> = names.iter().filter(|name| name.milestone == number).collect();
        text += &row(&number.to_string(), milestones.get(&number).map_or("", String::as_str), &of_it);
    }
    text += &row("", "all", &names.iter().collect::<Vec<_>>());
    text
}

/// Every name with what is known of it, as tab-separated values.
pub fn list(names: &[Name]) -> String {
    let mut text = String::from("milestone\tname\texported\timplemented\ttested by\n");
    for name in names {
        let yes = |is: bool| if is { "yes" } else { "no" };
        let testers: Vec<&str> = name.testers.iter().map(String::as_str).collect();
        let fields =
            [&name.milestone.to_string(), &name.name, yes(name.exported), yes(name.implemented), &testers.join(" ")];
        text += &(fields.join("\t") + "\n");
    }
    text
}

/// The README with other sums.
pub fn replaced(readme: &str, sums: &str) -> Result<String> {
    let (before, rest) = readme.split_once(BEGIN).with_context(|| format!("there is no line {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("there is no line {END}"))?;
    Ok(format!("{before}{BEGIN}{sums}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: &str =
        "# milestone 2: dash\nmilestone\tname\tfiles\tsoname@version\n2\tfork\t9\tlibc.so.6@x\n2\twait\t1\tx\n";

    #[test]
    fn sums_count_what_is_there() {
        let mut names = parse(SYMBOLS).unwrap();
        names[0].exported = true;
        names[0].implemented = true;
        names[1].testers.insert("a".into());
        let sums = sums(&names, &milestones(SYMBOLS));
        assert!(sums.contains("| 2 | dash | 2 | 1 | 1 | 0 |\n"), "what is not implemented was not tested: {sums}");
        assert!(list(&names).contains("2\twait\tno\tno\ta\n"));
    }

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let readme = format!("a\n{BEGIN}old\n{END}b\n");
        assert_eq!(replaced(&readme, "new\n").unwrap(), format!("a\n{BEGIN}new\n{END}b\n"));
        assert!(replaced("a\n", "new\n").is_err());
    }

    #[test]
    fn odd_rows_are_errors() {
        assert!(parse("x\ty\n").is_err());
        assert!(parse("1\n").is_err());
    }
}
