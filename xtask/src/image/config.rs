//! What an image holds: distro/config/NAME.toml.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
    /// A folder, with its permission bits.
    Directory(u32),
    /// A symbolic link, with what it points to.
    Link(String),
    /// A file, with its permission bits.
    File(u32, Content),
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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    packages: BTreeMap<String, Install>,
    #[serde(default)]
    debug: Vec<String>,
    #[serde(default)]
    debian: DebianSection,
    #[serde(default)]
    dirs: Vec<DirEntry>,
    #[serde(default)]
    files: Vec<FileEntry>,
    #[serde(default)]
    links: Vec<LinkEntry>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DebianSection {
    #[serde(default)]
    packages: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DirEntry {
    path: String,
    mode: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    path: String,
    mode: Option<u32>,
    data: Option<String>,
    source: Option<PathBuf>,
    debian: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkEntry {
    path: String,
    target: String,
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
        for entry in file.dirs {
            self.nodes.insert(relative(&entry.path)?, Node::Directory(entry.mode.unwrap_or(0o755)));
        }
        for entry in file.links {
            self.nodes.insert(relative(&entry.path)?, Node::Link(entry.target));
        }
        for entry in file.files {
            let content = match (entry.data, entry.source, entry.debian) {
                (Some(data), None, None) => Content::Data(data),
                (None, Some(source), None) => Content::Source(dir.join(source)),
                (None, None, Some(package)) => Content::Debian(package, relative(&entry.path)?),
                _ => bail!("the file {} needs exactly one of `data`, `source` and `debian`", entry.path),
            };
            self.nodes.insert(relative(&entry.path)?, Node::File(entry.mode.unwrap_or(0o644), content));
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Dir(PathBuf);

    impl Dir {
        fn new(name: &str, files: &[(&str, &str)]) -> Dir {
            let dir = std::env::temp_dir().join(format!("xtask-config-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&dir).unwrap();
            for (name, text) in files {
                std::fs::write(dir.join(name), text).unwrap();
            }
            Dir(dir)
        }

        fn error(&self) -> String {
            format!("{:#}", Config::load(&self.0, "main").unwrap_err())
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn including_file_wins() {
        let base = "[packages]\ninit = '/sbin/init'\n[[files]]\npath = '/etc/x'\ndata = 'base'\n";
        let main = "include = ['base']\n[packages]\ntool = { a = '/bin/a', b = '/bin/b' }\n\
                    [[files]]\npath = '/etc/x'\ndata = 'main'\nmode = 0o600\n[[links]]\npath = '/x'\ntarget = 'etc/x'\n";
        let dir = Dir::new("include", &[("base.toml", base), ("main.toml", main)]);
        let config = Config::load(&dir.0, "main").unwrap();
        assert_eq!(config.packages.len(), 2);
        assert_eq!(config.packages["init"], Install::One("/sbin/init".into()));
        assert_eq!(config.nodes["etc/x"], Node::File(0o600, Content::Data("main".into())));
        assert_eq!(config.nodes["x"], Node::Link("etc/x".into()));
    }

    #[test]
    fn paths_go_where_links_lead() {
        let main = "[debian]\npackages = ['less']\nexclude = ['/usr/share/doc']\n[[links]]\npath = '/bin'\ntarget = 'usr/bin'\n\
                    [[links]]\npath = '/a/b'\ntarget = 'c'\n[[links]]\npath = '/a/c/d'\ntarget = '/e'\n\
                    [[links]]\npath = '/round'\ntarget = 'round'\n";
        let dir = Dir::new("place", &[("main.toml", main)]);
        let config = Config::load(&dir.0, "main").unwrap();
        assert_eq!((config.debian, config.exclude), (vec!["less".to_owned()], vec!["usr/share/doc".to_owned()]));
        let config = Config::load(&dir.0, "main").unwrap();
        let places = ["bin/sh", "bin", "binary/x", "a/b/x", "a/b/d/x", "round/x"].map(|path| config.place(path));
        assert_eq!(places, ["usr/bin/sh", "bin", "binary/x", "a/c/x", "e/x", "round/x"]);
    }

    #[test]
    fn unknown_key_is_an_error_that_names_file_and_key() {
        let dir = Dir::new("unknown", &[("main.toml", "[[files]]\npath = '/a'\ndata = ''\nowner = 'me'\n")]);
        let error = dir.error();
        assert!(error.contains("main.toml") && error.contains("`owner`"), "{error}");
    }

    #[test]
    fn bad_contents_are_errors() {
        for text in [
            "[[files]]\npath = '/a'\n",
            "[[files]]\npath = '/a'\ndata = ''\nsource = 'b'\n",
            "[[dirs]]\npath = 'a'\n",
            "[[dirs]]\npath = '/a/../b'\n",
            "[packages]\ninit = 1\n",
            "include = ['main']\n",
            "include = ['absent']\n",
        ] {
            let dir = Dir::new("bad", &[("main.toml", text)]);
            assert!(dir.error().contains(".toml"), "{text}");
        }
    }
}
