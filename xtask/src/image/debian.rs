//! The files of Debian's packages, as an image holds them: read straight from the packages' archives, so that modes, owners,
//! times, links and further names are Debian's, whoever builds the image.

use super::config::Config;
use super::cpio::Meta;
use crate::build::packages::{self, Fetched};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use tar::EntryType;

/// Where an image says which packages it holds.
pub const RECORD: &str = "usr/share/ochre/packages";

/// A thing of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// A folder.
    Directory(Meta),
    /// A symbolic link, with what it points to.
    Link(Meta, String),
    /// A regular file. Two names with the same part are two names of one file.
    File(Meta, Part),
}

/// A part of a file of the host's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// The file.
    pub file: PathBuf,
    /// Where the part begins.
    pub offset: u64,
    /// How long it is.
    pub len: u64,
    /// The path of a copy of the file that this is, which has bytes of its own; empty for the package's own file.
    pub copy: String,
}

impl Part {
    /// Opens it for reading.
    pub fn open(&self) -> Result<impl Read> {
        let problem = || format!("cannot read {}", self.file.display());
        let mut file = File::open(&self.file).with_context(problem)?;
        file.seek(SeekFrom::Start(self.offset)).with_context(problem)?;
        Ok(file.take(self.len))
    }
}

/// What a config's Debian packages bring.
#[derive(Default)]
pub struct Debian {
    /// The packages.
    pub packages: Vec<Fetched>,
    /// Their things by path in the image.
    pub members: BTreeMap<String, Member>,
}

/// Fetches the config's Debian packages and lists what is in them.
pub fn collect(workspace: &Workspace, config: &Config) -> Result<Debian> {
    if config.debian.is_empty() {
        return Ok(Debian::default());
    }
    let packages = packages::fetch(workspace, &config.debian)?;
    let mut members = BTreeMap::new();
    for package in &packages {
        add(&package.files, config, &mut members).with_context(|| format!("in Debian's {}", package.name))?;
    }
    Ok(Debian { packages, members })
}

/// Adds what is in the archive `file` and not left out by the config.
fn add(file: &Path, config: &Config, members: &mut BTreeMap<String, Member>) -> Result<()> {
    let problem = || format!("cannot read {}", file.display());
    let mut archive = tar::Archive::new(File::open(file).with_context(problem)?);
    // A further name can stand for one that the image leaves out, so that all are needed here.
    let mut parts = BTreeMap::new();
    for entry in archive.entries_with_seek().with_context(problem)? {
        let entry = entry.with_context(problem)?;
        let Some(name) = clean(&entry.path_bytes())? else { continue };
        let header = entry.header();
        let meta = Meta {
            mode: header.mode()? & 0o7777,
            uid: u32::try_from(header.uid()?)?,
            gid: u32::try_from(header.gid()?)?,
            mtime: u32::try_from(header.mtime()?)?,
        };
        let target = || entry.link_name_bytes().with_context(|| format!("/{name} links to nothing"));
        let member = match header.entry_type() {
            EntryType::Directory => Member::Directory(meta),
            EntryType::Symlink => Member::Link(meta, String::from_utf8(target()?.into_owned())?),
            EntryType::Regular | EntryType::Continuous => {
                let part = Part {
                    file: file.to_owned(),
                    offset: entry.raw_file_position(),
                    len: entry.size(),
                    copy: String::new(),
                };
                parts.insert(name.clone(), (meta, part.clone()));
                Member::File(meta, part)
            }
            EntryType::Link => {
                let first = clean(&target()?)?.and_then(|first| parts.get(&first).cloned());
                let (meta, part) = first.with_context(|| format!("/{name} is another name of nothing"))?;
                Member::File(meta, part)
            }
            other => bail!("/{name} is of the kind {other:?}"),
        };
        if left_out(&name, &config.exclude) {
            continue;
        }
        let place = config.place(&name);
        // Two packages have the same folders; where a link is a folder's name, the config has said which it is.
        match members.get(&place) {
            Some(Member::Directory(_)) if matches!(member, Member::Directory(_)) => {}
            _ => {
                members.insert(place, member);
            }
        }
    }
    Ok(())
}

/// The name without `./` before and `/` behind it; `None` for the root itself.
fn clean(name: &[u8]) -> Result<Option<String>> {
    let name = std::str::from_utf8(name).context("a name that is not UTF-8")?;
    let name = name.trim_start_matches("./").trim_end_matches('/');
    if name.split('/').any(|part| part == "..") {
        bail!("the name {name} leads out of the package");
    }
    Ok((!matches!(name, "" | ".")).then(|| name.to_owned()))
}

fn left_out(name: &str, exclude: &[String]) -> bool {
    exclude
        .iter()
        .any(|path| name.strip_prefix(path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::config::Node;

    /// An archive as dpkg-deb hands it out.
    fn archive(dir: &Path) -> PathBuf {
        let path = dir.join("package.tar");
        let mut tar = tar::Builder::new(File::create(&path).unwrap());
        let mut put = |kind: EntryType, name: &str, mode: u32, target: &str, data: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(mode);
            header.set_uid(0);
            header.set_gid(42);
            header.set_mtime(77);
            header.set_size(data.len() as u64);
            if target.is_empty() {
                tar.append_data(&mut header, name, data).unwrap();
            } else {
                tar.append_link(&mut header, name, target).unwrap();
            }
        };
        put(EntryType::Directory, "./bin/", 0o755, "", b"");
        put(EntryType::Regular, "./bin/a", 0o4755, "", b"program");
        put(EntryType::Link, "./bin/b", 0o4755, "./bin/a", b"");
        put(EntryType::Symlink, "./bin/c", 0o777, "a", b"");
        put(EntryType::Regular, "./usr/share/doc/a/copyright", 0o644, "", b"text");
        put(EntryType::Regular, "./usr/share/docs", 0o644, "", b"kept");
        tar.finish().unwrap();
        path
    }

    #[test]
    fn keeps_what_a_package_says() {
        let dir = std::env::temp_dir().join(format!("xtask-members-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let mut config = Config::default();
        config.nodes.insert("bin".into(), Node::Link("usr/bin".into()));
        config.exclude.push("usr/share/doc".into());
        let mut members = BTreeMap::new();
        add(&archive(&dir), &config, &mut members).unwrap();
        let names: Vec<_> = members.keys().map(String::as_str).collect();
        assert_eq!(names, ["bin", "usr/bin/a", "usr/bin/b", "usr/bin/c", "usr/share/docs"]);
        let Member::File(meta, part) = &members["usr/bin/a"] else { panic!("not a file") };
        assert_eq!(*meta, Meta { mode: 0o4755, uid: 0, gid: 42, mtime: 77 });
        let mut text = String::new();
        part.open().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "program");
        assert_eq!(members["usr/bin/b"], members["usr/bin/a"]);
        assert!(matches!(&members["usr/bin/c"], Member::Link(_, target) if target == "a"));
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn names_stay_in_the_package() {
        assert!(clean(b"./a/../../b").is_err());
        assert_eq!(clean(b"./").unwrap(), None);
        assert_eq!(clean(b"./a/b/").unwrap().as_deref(), Some("a/b"));
    }
}
