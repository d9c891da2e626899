//! What an image holds: distro/config/NAME.toml.

mod file;
#[cfg(test)]
mod tests;

use super::cpio::Meta;
use anyhow::{Context, Result, bail};
use file::File;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use file::{Alternative, Group, User};

/// How many links a path may lead through (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// A config file and all that it includes, put together.
#[derive(Debug, Default)]
pub struct Config {
    /// The workspace's packages with where their programs go.
    pub packages: BTreeMap<String, Install>,
    /// The packages whose programs keep their debugging information.
    pub debug: Vec<String>,
    /// Debian's packages, which bring what they depend on.
    pub debian: Vec<String>,
    /// Paths in Debian's packages that are left out, with all below them.
    pub exclude: Vec<String>,
    /// Choices between packages, by the link's path (update-alternatives(1)); beside those that the packages themselves ask for.
    pub alternatives: BTreeMap<String, Alternative>,
    /// The workspace's packages whose programs are in the boot module of a system with a root file system.
    pub initfs_packages: BTreeSet<String>,
    /// Paths that are there as well, with all below them.
    pub initfs_paths: BTreeSet<String>,
    /// How much room is left in the root file system, in bytes, if there is one.
    pub root_free: Option<u64>,
    /// Groups by name.
    pub groups: BTreeMap<String, Group>,
    /// Users by name.
    pub users: BTreeMap<String, User>,
    /// Everything else by its path in the image. What an including file says replaces what an included one said.
    pub nodes: BTreeMap<String, Node>,
    /// The config files that this came from.
    pub sources: Vec<PathBuf>,
}

/// Where a package's programs go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Install {
    /// The package has one program, which goes to this path; or, if the path ends in a slash, all its programs go into
    /// this folder.
    One(String),
    /// The path of each of the package's programs.
    Each(BTreeMap<String, String>),
}

/// A thing in the image that is not one of our programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A folder, with its permission bits and owner.
    Directory(Meta),
    /// A symbolic link, with what it points to.
    Link(String),
    /// A file, with its permission bits and owner.
    File(Meta, Content),
}

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// This text.
    Data(String),
    /// What is in this file on the host.
    Source(PathBuf),
    /// What the file of this path is in this Debian package.
    Debian(String, String),
    /// What the image's file of this path is.
    Copy(String),
}

impl Config {
    /// Reads `dir`/`name`.toml with all that it includes.
    pub fn load(dir: &Path, name: &str) -> Result<Config> {
        let mut config = Config::default();
        config.add(dir, name, &mut Vec::new())?;
        Ok(config)
    }

    fn add(&mut self, dir: &Path, name: &str, open: &mut Vec<String>) -> Result<()> {
        if open.iter().any(|outer| outer == name) {
            bail!("{}.toml includes itself, by way of {}", name, open.join(", "));
        }
        let path = dir.join(format!("{name}.toml"));
        if self.sources.contains(&path) {
            return Ok(());
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let file: File = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        open.push(name.to_owned());
        for include in &file.include {
            self.add(dir, include, open)?;
        }
        open.pop();
        self.merge(file, dir).with_context(|| format!("in {}", path.display()))?;
        self.sources.push(path);
        Ok(())
    }

    /// Where a path leads when the folders above its last part are links of this config, as /bin is to usr/bin.
    pub fn place(&self, path: &str) -> String {
        let mut path = path.to_owned();
        // Links that lead round in a circle end here as they would at an open: nowhere.
        for _ in 0..MAX_LINKS {
            let link = path.match_indices('/').find_map(|(end, _)| match self.nodes.get(&path[..end]) {
                Some(Node::Link(target)) => Some((end, target)),
                _ => None,
            });
            let Some((end, target)) = link else { break };
            let above = path[..end].rfind('/').map_or("", |slash| &path[..=slash]);
            path = match target.strip_prefix('/') {
                Some(absolute) => format!("{absolute}{}", &path[end..]),
                None => format!("{above}{target}{}", &path[end..]),
            };
        }
        path
    }

    fn merge(&mut self, file: File, dir: &Path) -> Result<()> {
        self.packages.extend(file.packages);
        self.debug.extend(file.debug);
        self.debian.extend(file.debian.packages);
        for path in file.debian.exclude {
            self.exclude.push(relative(&path)?);
        }
        self.initfs_packages.extend(file.initfs.packages);
        for path in file.initfs.files {
            self.initfs_paths.insert(relative(&path)?);
        }
        if let Some(root) = file.root {
            self.root_free = Some(size(&root.free)?);
        }
        for (path, alternative) in file.alternatives {
            self.alternatives.insert(relative(&path)?, alternative);
        }
        for group in file.groups {
            group.check()?;
            self.groups.insert(group.name.clone(), group);
        }
        for user in file.users {
            user.check()?;
            self.users.insert(user.name.clone(), user);
        }
        let mut told = BTreeSet::new();
        let mut nodes = Vec::new();
        for entry in file.dirs {
            nodes.push((entry.path, Node::Directory(entry.mode.unwrap_or(0o755).into())));
        }
        for entry in file.links {
            nodes.push((entry.path, Node::Link(entry.target)));
        }
        for entry in file.files {
            let path = relative(&entry.path)?;
            let content = match (entry.data, entry.source, entry.debian, entry.copy) {
                (Some(data), None, None, None) => Content::Data(data),
                (None, Some(source), None, None) => Content::Source(dir.join(source)),
                (None, None, Some(package), None) => Content::Debian(package, path),
                (None, None, None, Some(from)) => Content::Copy(relative(&from)?),
                _ => bail!("the file {} needs exactly one of `data`, `source`, `debian` and `copy`", entry.path),
            };
            nodes.push((entry.path, Node::File(entry.mode.unwrap_or(0o644).into(), content)));
        }
        for (path, node) in nodes {
            // A file that wants to say something else than one that it includes may; but not two things of its own.
            if !told.insert(path.clone()) {
                bail!("there are two things for the path {path}");
            }
            if let Node::Directory(meta) | Node::File(meta, _) = &node
                && meta.mode > 0o7777
            {
                bail!("the mode {:#o} of {path} has more than permission bits", meta.mode);
            }
            self.nodes.insert(relative(&path)?, node);
        }
        Ok(())
    }
}

/// Reads a size: a number of bytes, or one of KiB, MiB or GiB with `K`, `M` or `G` behind it.
fn size(text: &str) -> Result<u64> {
    let (digits, shift) = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((digits, "K")) => (digits, 10),
        Some((digits, "M")) => (digits, 20),
        Some((digits, "G")) => (digits, 30),
        _ => (text, 0),
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(1 << shift))
        .with_context(|| format!("`{text}` is not a size, such as 256M"))
}

/// The path without its leading slash, as archives hold it.
pub fn relative(path: &str) -> Result<String> {
    let Some(rest) = path.strip_prefix('/').filter(|rest| !rest.is_empty()) else {
        bail!("`{path}` is not an absolute path");
    };
    if rest.split('/').any(|part| matches!(part, "" | "." | "..")) {
        bail!("`{path}` has an empty part, `.` or `..` in it");
    }
    Ok(rest.to_owned())
}
