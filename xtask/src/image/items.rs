//! Everything that an image holds, by path, before it is put into an archive or a folder.

use super::accounts;
use super::alternatives;
use super::config::{Config, Content, Node};
use super::cpio::Meta;
use super::debian::{self, Member, Part, RECORD};
use super::programs;
use super::triggers;
use crate::build::debian::unpacked;
use crate::build::libc::{self, Backend};
use crate::build::stamp::Stamp;
use crate::build::{packages, strip};
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where our libc.so.6 is in an image. The dynamic loader's path, which is fixed by the ABI, is a link to it.
const LIBC: &str = "lib/x86_64-linux-gnu/libc.so.6";
const LOADER: &str = "lib64/ld-linux-x86-64.so.2";

/// Both.
pub const C_LIBRARY: [&str; 2] = [LIBC, LOADER];

/// Debian's C library: its packages, and what of them counts.
const GLIBC: &[(&str, &[&str])] = &[("libc6", &["lib", "lib64", "usr/lib"]), ("libc-bin", &["usr/lib/locale"])];

/// The C library of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CLibrary {
    /// Ours, over this back end.
    Relibc(Backend),
    /// Debian's.
    Glibc,
}

/// A thing in an image.
#[derive(Clone)]
pub enum Item {
    /// What a config says.
    Node(Node),
    /// A file that was built or fetched, with its permission bits.
    Built(Meta, PathBuf),
    /// A thing of a Debian package.
    Debian(Member),
}

/// What an item is, wherever it came from.
pub enum Entry<'a> {
    /// A folder.
    Directory(Meta),
    /// A symbolic link, with what it points to.
    Link(Meta, &'a str),
    /// A file with these bytes.
    Data(Meta, &'a [u8]),
    /// A file with the bytes of one of the host's.
    File(Meta, &'a Path),
    /// A file with a part of the bytes of one of the host's. Two entries with the same part are two names of one file.
    Part(Meta, &'a Part),
}

impl Item {
    /// What it is.
    pub fn entry(&self) -> Result<Entry<'_>> {
        Ok(match self {
            Item::Node(Node::Directory(meta)) | Item::Debian(Member::Directory(meta)) => Entry::Directory(*meta),
            Item::Node(Node::Link(target)) => Entry::Link(0.into(), target),
            Item::Debian(Member::Link(meta, target)) => Entry::Link(*meta, target),
            Item::Node(Node::File(meta, Content::Data(data))) => Entry::Data(*meta, data.as_bytes()),
            Item::Node(Node::File(meta, Content::Source(file))) | Item::Built(meta, file) => Entry::File(*meta, file),
            Item::Debian(Member::File(meta, part)) => Entry::Part(*meta, part),
            Item::Node(Node::File(_, Content::Debian(name, _) | Content::Copy(name))) => {
                bail!("{name} was not fetched")
            }
        })
    }

    /// Its permission bits, owner and time; a link of a config has none.
    pub fn meta(&self) -> Option<Meta> {
        self.clone().meta_mut().copied()
    }

    /// A file with the same content and time at another path, with another mode and owner.
    pub fn copied(&self, path: &str, meta: Meta) -> Item {
        let mut copy = self.clone();
        if let Some(own) = copy.meta_mut() {
            *own = Meta { mtime: own.mtime, ..meta };
        }
        if let Item::Debian(Member::File(_, part)) = &mut copy {
            path.clone_into(&mut part.copy);
        }
        copy
    }

    /// Its permission bits, owner and time, to be changed.
    pub fn meta_mut(&mut self) -> Option<&mut Meta> {
        match self {
            Item::Node(Node::Directory(meta) | Node::File(meta, _)) | Item::Built(meta, _) => Some(meta),
            Item::Debian(Member::Directory(meta) | Member::Link(meta, _) | Member::File(meta, _)) => Some(meta),
            Item::Node(Node::Link(_)) => None,
        }
    }
}

/// Builds and fetches all that the config wants, by path. `host_files` gets the host's unstripped copies of programs and
/// libraries.
pub fn collect(
    workspace: &Workspace,
    config: &Config,
    library: CLibrary,
    host_files: &mut BTreeMap<String, PathBuf>,
) -> Result<BTreeMap<String, Item>> {
    let mut items = assemble(workspace, config, library, host_files)?;
    triggers::add(workspace, config, &mut items)?;
    Ok(items)
}

/// The same without what comes of triggers.
pub fn assemble(
    workspace: &Workspace,
    config: &Config,
    library: CLibrary,
    host_files: &mut BTreeMap<String, PathBuf>,
) -> Result<BTreeMap<String, Item>> {
    let debian = debian::collect(workspace, config)?;
    let mut items: BTreeMap<String, Item> =
        debian.members.into_iter().map(|(path, member)| (path, Item::Debian(member))).collect();
    if !debian.packages.is_empty() {
        let record = Content::Data(packages::record(&debian.packages));
        items.insert(RECORD.to_owned(), Item::Node(Node::File(0o644.into(), record)));
    }
    for (path, program) in programs::build(workspace, config)? {
        let file = program.in_image(workspace)?;
        let place = config.place(&path);
        items.insert(place.clone(), Item::Built(0o755.into(), file));
        // A log names a program as it was called, or as it is found.
        host_files.insert(place, program.file.clone());
        host_files.insert(path, program.file);
    }
    // An image without programs, which only boots the kernel, needs no C library.
    if !items.is_empty() {
        match library {
            CLibrary::Relibc(backend) => {
                let libc = libc::build(workspace, backend)?;
                let stripped = workspace.target_dir(&format!("image/stripped/{}", backend.name()))?;
                items.insert(config.place(LIBC), Item::Built(0o755.into(), strip::stripped(&libc, &stripped)?));
                items.insert(config.place(LOADER), Item::Node(Node::Link(format!("/{LIBC}"))));
                host_files.insert(LOADER.to_owned(), libc.clone());
                host_files.insert(LIBC.to_owned(), libc);
            }
            CLibrary::Glibc => {
                for (package, folders) in GLIBC {
                    let dir = unpacked(workspace, package, &[])?;
                    for folder in *folders {
                        add_tree(config, &dir, folder, &mut items).with_context(|| format!("in Debian's {package}"))?;
                    }
                }
            }
        }
    }
    for (path, node) in &config.nodes {
        let item = match node {
            Node::File(mode, Content::Debian(package, member)) => {
                let dir = unpacked(workspace, package, &[])?;
                let file = real_file(&dir, member).with_context(|| format!("in Debian's {package}"))?;
                host_files.insert(path.clone(), file.clone());
                Item::Built(*mode, file)
            }
            Node::File(meta, Content::Copy(from)) => {
                let original = items.get(&config.place(from));
                let original = original
                    .with_context(|| format!("/{path} is to be a copy of /{from}, which the image does not have"))?;
                original.copied(path, *meta)
            }
            node => Item::Node(node.clone()),
        };
        items.insert(config.place(path), item);
    }
    let provided = packages::provided(workspace)?;
    let mut there: BTreeSet<&str> = debian.packages.iter().map(|package| package.name.as_str()).collect();
    if !there.is_empty() {
        there.extend(provided.keys().map(String::as_str));
    }
    alternatives::add(config, &debian.packages, &mut items)?;
    accounts::add(config, &there, &mut items)?;
    Ok(items)
}

/// The file of a Debian package, links followed within it. Debian's libraries are links to versioned names.
fn real_file(dir: &Path, member: &str) -> Result<PathBuf> {
    let file = std::fs::canonicalize(dir.join(member)).with_context(|| format!("no file /{member}"))?;
    if !file.starts_with(std::fs::canonicalize(dir)?) {
        bail!("/{member} leads out of the package");
    }
    Ok(file)
}

/// Adds the files and links below `folder` of an unpacked package.
fn add_tree(config: &Config, dir: &Path, folder: &str, items: &mut BTreeMap<String, Item>) -> Result<()> {
    let problem = || format!("cannot read /{folder}");
    for entry in std::fs::read_dir(dir.join(folder)).with_context(problem)? {
        let entry = entry.with_context(problem)?;
        let name = entry.file_name().into_string().ok().with_context(problem)?;
        let path = format!("{folder}/{name}");
        let meta = entry.metadata().with_context(problem)?;
        let item = if meta.is_dir() {
            add_tree(config, dir, &path, items)?;
            continue;
        } else if meta.is_symlink() {
            let target = std::fs::read_link(entry.path()).with_context(problem)?;
            Item::Node(Node::Link(target.into_os_string().into_string().ok().with_context(problem)?))
        } else {
            Item::Built((meta.permissions().mode() & 0o7777).into(), entry.path())
        };
        items.insert(config.place(&path), item);
    }
    Ok(())
}

/// How many names each file of Debian's packages has.
pub fn names(items: &BTreeMap<String, Item>) -> BTreeMap<&Part, u32> {
    let mut names: BTreeMap<&Part, u32> = BTreeMap::new();
    for item in items.values() {
        if let Item::Debian(Member::File(_, part)) = item {
            *names.entry(part).or_default() += 1;
        }
    }
    names
}

/// Adds all that the items are made from to a stamp.
pub fn stamp(stamp: &mut Stamp, config: &Config, items: &BTreeMap<String, Item>) -> Result<()> {
    for source in &config.sources {
        stamp.file(source)?;
    }
    let mut lines = String::new();
    for (path, item) in items {
        lines += path;
        match item {
            Item::Built(meta, file) | Item::Node(Node::File(meta, Content::Source(file))) => {
                lines += &format!(" {meta:?}");
                stamp.file(file)?;
            }
            // A package's version is in the path of its archive.
            Item::Debian(member) => lines += &format!(" {member:?}"),
            Item::Node(node) => lines += &format!(" {node:?}"),
        }
        lines.push('\n');
    }
    stamp.text(&lines);
    Ok(())
}
