//! The part of an image that a system with a root file system has in its boot module.

use super::config::{Config, Node};
use super::items::{self, Item};
use super::programs;
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::collections::{BTreeMap, BTreeSet};

/// The things of the image that the config's section `[initfs]` names, with the C library, and with the links that lead to them.
pub fn select(
    workspace: &Workspace,
    config: &Config,
    items: &BTreeMap<String, Item>,
) -> Result<BTreeMap<String, Item>> {
    let mut wanted: BTreeSet<String> = config.initfs_paths.clone();
    wanted.extend(programs::paths(workspace, config, &config.initfs_packages)?);
    wanted.extend(items::C_LIBRARY.map(str::to_owned));
    pick(config, items, &wanted)
}

fn pick(config: &Config, items: &BTreeMap<String, Item>, wanted: &BTreeSet<String>) -> Result<BTreeMap<String, Item>> {
    let mut picked = BTreeMap::new();
    for path in wanted {
        let place = config.place(path);
        let below = format!("{place}/");
        let found: Vec<_> = items
            .get_key_value(&place)
            .into_iter()
            .chain(items.range(below.clone()..).take_while(|(path, _)| path.starts_with(&below)))
            .collect();
        if found.is_empty() {
            bail!("[initfs] names /{path}, which the image does not have");
        }
        picked.extend(found.into_iter().map(|(path, item)| (path.clone(), item.clone())));
        // A folder on the way may be a link, as /bin is.
        for (end, _) in path.match_indices('/') {
            if let Some(link @ Item::Node(Node::Link(_))) = items.get(&path[..end]) {
                picked.insert(path[..end].to_owned(), link.clone());
            }
        }
    }
    Ok(picked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_what_is_named_with_the_links_to_it() {
        let mut config = Config::default();
        let link = |target: &str| Node::Link(target.to_owned());
        config.nodes.insert("bin".into(), link("usr/bin"));
        config.nodes.insert("lib".into(), link("usr/lib"));
        let mut items: BTreeMap<String, Item> =
            config.nodes.iter().map(|(path, node)| (path.clone(), Item::Node(node.clone()))).collect();
        for path in ["usr/bin/a", "usr/bin/b", "etc/x/1", "etc/x/2", "etc/xy", "usr/lib/c"] {
            items.insert(path.into(), Item::Built(0o755.into(), path.into()));
        }
        let picked = pick(&config, &items, &["bin/a", "etc/x"].map(str::to_owned).into()).unwrap();
        assert_eq!(picked.keys().collect::<Vec<_>>(), ["bin", "etc/x/1", "etc/x/2", "usr/bin/a"]);
        assert!(pick(&config, &items, &["etc/z".to_owned()].into()).is_err());
    }
}
