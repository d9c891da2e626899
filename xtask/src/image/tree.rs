//! An image as a folder of this host, for running its programs natively.

use super::cpio::Meta;
use super::items::{self, CLibrary, Entry, Item};
use super::programs;
use crate::build::libc::Backend;
use crate::build::stamp::Stamp;
use crate::progress::Step;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs::{File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Builds the config `name` with a C library for Linux, and returns its root folder, below target/.
pub fn build(workspace: &Workspace, name: &str, library: CLibrary) -> Result<PathBuf> {
    let kind = match library {
        CLibrary::Glibc => "glibc",
        CLibrary::Relibc(Backend::Linux) => "relibc",
        CLibrary::Relibc(Backend::Ochre) => bail!("a program cannot run on this host with Ochre's system calls"),
    };
    let config = programs::config(workspace, name)?;
    let items = items::collect(workspace, &config, library, &mut BTreeMap::new())?;
    let root = workspace.target_dir("root")?.join(format!("{name}-{kind}"));
    let mut stamp = Stamp::new(&root);
    items::stamp(&mut stamp, &config, &items)?;
    if !stamp.is_fresh() {
        let _step = Step::start(format!("unpacking the image {name} with {kind}"));
        write_anew(&root, &items)?;
        stamp.save()?;
    }
    Ok(root)
}

/// Makes a root folder, in the place of an old one.
pub fn write_anew(root: &Path, items: &BTreeMap<String, Item>) -> Result<()> {
    if root.exists() {
        std::fs::remove_dir_all(root).with_context(|| format!("cannot remove {}", root.display()))?;
    }
    std::fs::create_dir_all(root).with_context(|| format!("cannot make {}", root.display()))?;
    write(root, items)?;
    // Caches say how old the folders are that they were made of.
    for (path, item) in items.iter().rev() {
        if let Entry::Directory(meta) = item.entry()? {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(meta.mtime.into());
            let set = File::open(root.join(path)).and_then(|folder| folder.set_modified(time));
            set.with_context(|| format!("cannot set the time of /{path}"))?;
        }
    }
    Ok(())
}

fn write(root: &Path, items: &BTreeMap<String, Item>) -> Result<()> {
    let names = items::names(items);
    let mut first = BTreeMap::new();
    for (path, item) in items {
        let to = root.join(path);
        one(&to, item, |part| match first.get(part) {
            Some(other) => std::fs::hard_link(other, &to).map(|()| false),
            None => {
                if names[part] > 1 {
                    first.insert(part.clone(), to.clone());
                }
                Ok(true)
            }
        })
        .with_context(|| format!("cannot make /{path}"))?;
    }
    Ok(())
}

/// Makes one thing. `is_new` says whether a part has to be written, or has got a further name.
fn one(to: &Path, item: &Item, is_new: impl FnOnce(&super::debian::Part) -> std::io::Result<bool>) -> Result<()> {
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent)?;
    }
    // Only root can give files away; then only programs that look at owners see a difference. A new owner takes the bits for set-user-ID.
    let own = |meta: Meta| {
        match std::os::unix::fs::lchown(to, Some(meta.uid), Some(meta.gid)) {
            Err(error) if error.kind() != std::io::ErrorKind::PermissionDenied => return Err(error),
            _ => {}
        }
        std::fs::set_permissions(to, Permissions::from_mode(meta.mode))
    };
    match item.entry()? {
        Entry::Directory(meta) => {
            std::fs::create_dir_all(to)?;
            own(meta)?;
        }
        Entry::Link(_, target) => symlink(target, to)?,
        Entry::Data(meta, data) => {
            std::fs::write(to, data)?;
            own(meta)?;
        }
        Entry::File(meta, file) => {
            std::fs::copy(file, to)?;
            own(meta)?;
        }
        Entry::Part(meta, part) => {
            if is_new(part)? {
                std::io::copy(&mut part.open()?, &mut File::create(to)?)?;
                own(meta)?;
            }
        }
    }
    Ok(())
}
