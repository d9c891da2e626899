//! Choices between packages (update-alternatives(1)), made when the image is built: what maintainer scripts ask for in so many words, and
//! what a config says.
//!
//! As on Debian, the path is a link to /etc/alternatives/NAME, and that to the chosen file. Among several packages the one with the highest
//! priority is chosen. A call whose arguments the script has to work out first is passed over: a config names those.

use super::config::{Alternative, Config, Node};
use super::items::Item;
use crate::build::packages::Fetched;
use anyhow::{Context, Result};
use std::collections::BTreeMap;

/// A link that `update-alternatives --install` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Choice {
    link: String,
    name: String,
    path: String,
    priority: i64,
}

/// Adds the links to the image.
pub fn add(config: &Config, packages: &[Fetched], items: &mut BTreeMap<String, Item>) -> Result<()> {
    let mut chosen: BTreeMap<String, Choice> = BTreeMap::new();
    for package in packages {
        let script =
            std::fs::read(&package.postinst).with_context(|| format!("cannot read {}", package.postinst.display()))?;
        for choice in choices(&String::from_utf8_lossy(&script)) {
            let there = items.contains_key(&config.place(choice.path.trim_start_matches('/')));
            let better = chosen.get(&choice.link).is_none_or(|other| other.priority < choice.priority);
            if there && better {
                chosen.insert(choice.link.clone(), choice);
            }
        }
    }
    for (link, Alternative { name, path }) in &config.alternatives {
        let link = format!("/{link}");
        chosen.insert(link.clone(), Choice { link, name: name.clone(), path: path.clone(), priority: i64::MAX });
    }
    for Choice { link, name, path, .. } in chosen.into_values() {
        let place = config.place(link.trim_start_matches('/'));
        // dpkg would not replace a package's own file either.
        if items.get(&place).is_none_or(|item| matches!(item, Item::Node(Node::Link(_)))) {
            items.insert(place, Item::Node(Node::Link(format!("/etc/alternatives/{name}"))));
            items.insert(format!("etc/alternatives/{name}"), Item::Node(Node::Link(path)));
        }
    }
    Ok(())
}

/// What a script installs, with the links that follow the first of each call.
fn choices(script: &str) -> Vec<Choice> {
    let script = script.replace("\\\n", " ");
    let calls = script.lines().filter_map(|line| line.split_once("update-alternatives "));
    calls
        .filter(|(before, _)| !before.contains(['#', '"', '\'']))
        .filter_map(|(_, call)| call_choices(call))
        .flatten()
        .collect()
}

/// What one call installs; `None` if it installs nothing, or is not plain.
fn call_choices(call: &str) -> Option<Vec<Choice>> {
    let end = call.find([';', '|', '&', '#', '>']).unwrap_or(call.len());
    let words: Vec<&str> = call[..end].split_whitespace().collect();
    if words.iter().any(|word| word.contains(['$', '`', '*', '?', '"', '\'', '('])) {
        return None;
    }
    let install = words.iter().position(|word| *word == "--install")?;
    let [link, name, path, priority, rest @ ..] = &words[install + 1..] else { return None };
    let priority = priority.parse().ok()?;
    let choice = |link: &str, name: &str, path: &str| Choice {
        link: link.into(),
        name: name.into(),
        path: path.into(),
        priority,
    };
    let mut all = vec![choice(link, name, path)];
    let mut rest = rest;
    while let ["--slave", link, name, path, more @ ..] = rest {
        all.push(choice(link, name, path));
        rest = more;
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_plain_calls_only() {
        let script = "case $1 in\nconfigure)\n  update-alternatives --quiet --install /usr/bin/pager pager \\\n    /usr/bin/less 77 \\\n\
                      \t--slave /usr/share/man/man1/pager.1.gz pager.1.gz /usr/share/man/man1/less.1.gz || true\n\
                      # update-alternatives --install /a b /c 1\n\
                      for i in vi ex; do update-alternatives --install /usr/bin/$i $i /usr/bin/vim.tiny 15; done\n\
                      update-alternatives --remove pager /usr/bin/less\n\
                      if which x; then update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10; fi\n";
        let all = choices(script);
        let seen: Vec<_> = all.iter().map(|it| (it.link.as_str(), it.path.as_str(), it.priority)).collect();
        let expected = [
            ("/usr/bin/pager", "/usr/bin/less", 77),
            ("/usr/share/man/man1/pager.1.gz", "/usr/share/man/man1/less.1.gz", 77),
            ("/usr/bin/awk", "/usr/bin/gawk", 10),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn the_highest_priority_that_is_there_is_chosen() {
        let dir = std::env::temp_dir().join(format!("xtask-alternatives-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let package = |name: &str, text: &str| {
            let postinst = dir.join(name);
            std::fs::write(&postinst, text).unwrap();
            Fetched { name: name.into(), version: "1".into(), sha256: String::new(), files: postinst.clone(), postinst }
        };
        let packages = [
            package("mawk", "update-alternatives --install /usr/bin/awk awk /usr/bin/mawk 5\n"),
            package("gawk", "update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10\n"),
            package("absent", "update-alternatives --install /usr/bin/awk awk /usr/bin/original-awk 100\n"),
            package("own", "update-alternatives --install /usr/bin/own own /usr/bin/gawk 1\n"),
        ];
        let file = || Item::Built(0o755.into(), dir.clone());
        let names = ["usr/bin/mawk", "usr/bin/gawk", "usr/bin/own"];
        let mut items: BTreeMap<String, Item> = names.map(|name| (name.to_owned(), file())).into();
        let mut config = Config::default();
        let vi = Alternative { name: "vi".into(), path: "/usr/bin/vim.tiny".into() };
        config.alternatives.insert("usr/bin/vi".into(), vi);
        add(&config, &packages, &mut items).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        let target = |path: &str| match &items[path] {
            Item::Node(Node::Link(target)) => target.as_str(),
            _ => "",
        };
        assert_eq!([target("usr/bin/awk"), target("etc/alternatives/awk")], ["/etc/alternatives/awk", "/usr/bin/gawk"]);
        assert_eq!([target("etc/alternatives/vi"), target("usr/bin/own")], ["/usr/bin/vim.tiny", ""]);
    }
}
