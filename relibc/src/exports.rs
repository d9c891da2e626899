//! The linker's version script is made from the list of symbols; this checks that it is current.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Version nodes in order, by their numbers.
fn number(node: &str) -> Vec<u32> {
    node.trim_start_matches("GLIBC_").split('.').map(|part| part.parse().expect("a version's number")).collect()
}

/// The version script for a list of symbols.
fn script(list: &str) -> String {
    let mut nodes: BTreeMap<Vec<u32>, (String, BTreeSet<&str>)> = BTreeMap::new();
    for row in list.lines().filter(|row| !row.starts_with('#') && !row.starts_with("milestone\t")) {
        let fields: Vec<&str> = row.split('\t').collect();
        let versions = fields[3].split_whitespace().filter_map(|place| place.split('@').nth(1));
        let node = versions.filter(|version| version.starts_with("GLIBC_")).next().unwrap_or("GLIBC_2.2.5");
        nodes.entry(number(node)).or_insert((node.to_owned(), BTreeSet::new())).1.insert(fields[1]);
    }
    let mut out = String::from(
        "/* Made from symbols.tsv; `cargo test -p relibc` checks that it is current. Names are found by name alone at run time. */\n",
    );
    let mut before: Option<String> = None;
    for (node, names) in nodes.into_values() {
        write!(out, "{node} {{\n  global:\n").expect("a String takes everything");
        for name in names {
            writeln!(out, "    {name};").expect("a String takes everything");
        }
        match &before {
            None => out.push_str("  local:\n    *;\n};\n"),
            Some(before) => writeln!(out, "}} {before};").expect("a String takes everything"),
        }
        before = Some(node);
    }
    writeln!(out, "GLIBC_ABI_DT_RELR {{ }} {};", before.expect("some node")).expect("a String takes everything");
    out
}

/// Writes it anew if the environment says UPDATE_LIBC_MAP.
#[test]
fn the_version_script_is_current() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(dir.join("symbols.tsv")).expect("symbols.tsv");
    let wanted = script(&list);
    let path = dir.join("libc.map");
    if std::env::var_os("UPDATE_LIBC_MAP").is_some() {
        std::fs::write(&path, &wanted).expect("libc.map is writable");
    }
    let actual = std::fs::read_to_string(path).expect("libc.map");
    assert!(actual == wanted, "run UPDATE_LIBC_MAP=1 cargo test -p relibc");
}
