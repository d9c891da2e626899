//! A whole system: kernel, the boot module that reaches the root file system, and that.

use super::archive::{self, Image};
use super::items::{self, CLibrary, Item};
use super::media::{self, Root};
use super::{initfs, programs, root};
use crate::build::kernel::Kernel;
use crate::build::libc::Backend;
use crate::build::stamp::Stamp;
use crate::build::{bootstrap, kernel};
use crate::process;
use crate::progress::Step;
use crate::vm::machine::text;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::collections::BTreeMap;

/// A system that was built.
pub struct System {
    /// Kernel and boot module.
    pub image: Image,
    /// The root file system.
    pub root: Root,
    /// The time of what is made for a medium, in seconds since 1970.
    pub time: u64,
}

/// Builds the system of the config `name`.
pub fn build(workspace: &Workspace, name: &str) -> Result<System> {
    let config = programs::config(workspace, name)?;
    let free = config
        .root_free
        .with_context(|| format!("the config `{name}` has no section [root]: it is a boot module alone"))?;
    let kernel = kernel::build(workspace, &Kernel::Ochre)?;
    let bootstrap = bootstrap::build(workspace)?;
    let mut host_files = BTreeMap::new();
    let items = items::collect(workspace, &config, CLibrary::Relibc(Backend::Ochre), &mut host_files)?;
    let time = newest(&items)?;
    let dir = workspace.target_dir("image")?;

    let module = dir.join(format!("{name}-initfs.cpio"));
    let mut stamp = Stamp::new(&module);
    stamp.file(&kernel)?;
    stamp.file(&bootstrap)?;
    let early = initfs::select(workspace, &config, &items)?;
    items::stamp(&mut stamp, &config, &early)?;
    if !stamp.is_fresh() {
        let _step = Step::start(format!("packing the boot module of {name}"));
        archive::write(&module, &kernel, Some(&bootstrap), &early)?;
        stamp.save()?;
    }

    let file = dir.join(format!("{name}-root.img"));
    let id = file.with_extension("id");
    let mut stamp = Stamp::new(&file);
    stamp.text(&format!("{free} {time}"));
    items::stamp(&mut stamp, &config, &items)?;
    if !stamp.is_fresh() || !id.exists() {
        let _step = Step::start(format!("making the root file system of {name}"));
        let new = file.with_extension(format!("new.{}", std::process::id()));
        root::make(&new, &items, free, time, media::derived(&["root", name]))?;
        let sum = process::text(process::command("sha256sum").args(["--", text(&new)?]))?;
        std::fs::rename(&new, &file).with_context(|| format!("cannot write {}", file.display()))?;
        std::fs::write(&id, sum.split(' ').next().unwrap_or_default())?;
        stamp.save()?;
    }
    let id = std::fs::read_to_string(&id).with_context(|| format!("cannot read {}", id.display()))?;
    let programs = host_files.into_iter().map(|(path, file)| (format!("/{path}"), file)).collect();
    Ok(System { image: Image { kernel, module, programs }, root: Root { file, id }, time })
}

/// The time of what is built here: what the environment says (reproducible-builds.org's SOURCE_DATE_EPOCH), else the newest of Debian's files.
fn newest(items: &BTreeMap<String, Item>) -> Result<u64> {
    if let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") {
        return text.parse().with_context(|| format!("SOURCE_DATE_EPOCH is `{text}`, which is no number of seconds"));
    }
    Ok(items.values().filter_map(|item| item.meta()).map(|meta| u64::from(meta.mtime)).max().unwrap_or(0))
}
