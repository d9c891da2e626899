//! The initial tree as one archive: the kernel's boot module.

use super::cpio::{self, Align, Archive, Meta};
use super::items::{self, CLibrary, Entry, Item};
use super::programs;
use crate::build::kernel::Kernel;
use crate::build::libc::Backend;
use crate::build::stamp::Stamp;
use crate::build::{bootstrap, kernel, symbols};
use crate::progress::Step;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What a boot needs.
pub struct Image {
    /// The kernel's ELF file.
    pub kernel: PathBuf,
    /// The boot module.
    pub module: PathBuf,
    /// The host's unstripped copy of each program and library, by its absolute path in the image.
    pub programs: BTreeMap<String, PathBuf>,
}

/// Builds a kernel, everything that the config `name` wants, and its archive.
pub fn build(workspace: &Workspace, name: &str, which: &Kernel) -> Result<Image> {
    let config = programs::config(workspace, name)?;
    let kernel = kernel::build(workspace, which)?;
    let mut host_files = BTreeMap::new();
    let items = items::collect(workspace, &config, CLibrary::Relibc(Backend::Ochre), &mut host_files)?;
    let bootstrap = match which {
        Kernel::Ochre => Some(bootstrap::build(workspace)?),
        // Such a kernel starts no process.
        Kernel::Example(_) => None,
    };
    let module = workspace.target_dir("image")?.join(match which {
        Kernel::Ochre => format!("{name}.cpio"),
        Kernel::Example(example) => format!("{name}-{example}.cpio"),
    });
    let mut stamp = Stamp::new(&module);
    for file in [Some(kernel.as_path()), bootstrap.as_deref()].into_iter().flatten() {
        stamp.file(file)?;
    }
    items::stamp(&mut stamp, &config, &items)?;
    if !stamp.is_fresh() {
        let _step = Step::start(format!("packing the image {name}"));
        write(&module, &kernel, bootstrap.as_deref(), &items)?;
        stamp.save()?;
    }
    let programs = host_files.into_iter().map(|(path, file)| (format!("/{path}"), file)).collect();
    Ok(Image { kernel, module, programs })
}

/// Writes an archive of these things.
pub fn write(module: &Path, kernel: &Path, bootstrap: Option<&Path>, items: &BTreeMap<String, Item>) -> Result<()> {
    // A machine that is running may have the old file open, and another xtask may be doing the same.
    let new = module.with_extension(format!("new.{}", std::process::id()));
    let file = File::create(&new).with_context(|| format!("cannot write {}", new.display()))?;
    let mut archive = Archive::new(BufWriter::new(file), Align::Page);
    if let Some(bootstrap) = bootstrap {
        bytes(&mut archive, "boot/bootstrap", 0o644.into(), &bootstrap::flatten(bootstrap)?)?;
    }
    bytes(&mut archive, "boot/kernel.sym", 0o644.into(), &symbols::encode(&symbols::read(kernel)?)?)?;
    let mut made = BTreeSet::from([String::new()]);
    let names = items::names(items);
    let mut inodes = BTreeMap::new();
    parents(&mut archive, &mut made, "boot/kernel.sym")?;
    // Sorted, so that a folder that was asked for comes before what is in it.
    for (path, item) in items {
        parents(&mut archive, &mut made, path)?;
        match item.entry()? {
            Entry::Directory(meta) => {
                if !made.contains(path) {
                    archive.directory(path, meta)?;
                    made.insert(path.clone());
                }
            }
            Entry::Link(meta, target) => archive.symlink(path, target, meta)?,
            Entry::Part(meta, part) => match (names[part], inodes.get(part)) {
                (1, _) => archive.file(path, meta, part.len, part.open()?)?,
                (count, Some(inode)) => archive.hard_link(path, meta, count, *inode)?,
                (count, None) => {
                    inodes.insert(part, archive.file_with_names(path, meta, count, part.len, part.open()?)?);
                }
            },
            Entry::Data(meta, data) => bytes(&mut archive, path, meta, data)?,
            Entry::File(meta, file) => host_file(&mut archive, path, meta, file)?,
        }
    }
    archive.finish()?;
    std::fs::rename(&new, module).with_context(|| format!("cannot write {}", module.display()))
}

fn bytes<W: Write>(archive: &mut Archive<W>, path: &str, meta: Meta, data: &[u8]) -> Result<()> {
    archive.file(path, meta, u64::try_from(data.len())?, data)
}

fn host_file<W: Write>(archive: &mut Archive<W>, path: &str, meta: Meta, file: &Path) -> Result<()> {
    let open = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    archive.file(path, meta, open.metadata()?.len(), open)
}

/// Adds the folders above `path` that are not in `made`.
fn parents<W: Write>(archive: &mut Archive<W>, made: &mut BTreeSet<String>, path: &str) -> Result<()> {
    for (end, _) in path.match_indices('/') {
        let parent = &path[..end];
        if !made.contains(parent) {
            archive.directory(parent, 0o755)?;
            made.insert(parent.to_owned());
        }
    }
    Ok(())
}

/// Writes `module` with the tree below the host's folder `dir` added as /mnt/put to `out`.
pub fn with_put(module: &Path, dir: &Path, out: &Path) -> Result<()> {
    let bytes = std::fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    let (entries, end) = cpio::end(&bytes)?;
    let problem = || format!("cannot write {}", out.display());
    let mut file = BufWriter::new(File::create(out).with_context(problem)?);
    file.write_all(&bytes[..usize::try_from(end)?]).with_context(problem)?;
    let mut archive = Archive::resume(file, Align::Page, entries, end);
    put(&mut archive, dir)?;
    archive.finish()?;
    Ok(())
}

/// Adds the tree below the host's folder `dir` as /mnt/put.
pub fn put<W: Write>(archive: &mut Archive<W>, dir: &Path) -> Result<()> {
    put_as(archive, dir, "mnt/put")
}

fn put_as<W: Write>(archive: &mut Archive<W>, from: &Path, to: &str) -> Result<()> {
    let problem = || format!("cannot read {}", from.display());
    let meta = std::fs::symlink_metadata(from).with_context(problem)?;
    let mode = meta.permissions().mode() & 0o7777;
    if meta.is_symlink() && to != "mnt/put" {
        let target = std::fs::read_link(from).with_context(problem)?;
        archive.symlink(to, target.to_str().with_context(|| format!("{} is not UTF-8", target.display()))?, 0)
    } else if from.is_dir() {
        archive.directory(to, mode)?;
        let mut names = std::fs::read_dir(from)
            .with_context(problem)?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<Result<Vec<_>>>()
            .with_context(problem)?;
        names.sort();
        for name in names {
            let text = name.to_str().with_context(|| format!("{} is not UTF-8", name.display()))?;
            put_as(archive, &from.join(&name), &format!("{to}/{text}"))?;
        }
        Ok(())
    } else if meta.is_file() && to != "mnt/put" {
        host_file(archive, to, mode.into(), from)
    } else {
        bail!("{} is neither a file nor a folder nor a link", from.display())
    }
}
