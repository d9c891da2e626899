//! The programs of an image: which packages are built for it, and where their programs go.

use super::config::{Config, Install, relative};
use crate::build::{strip, userland};
use crate::workspace::{Package, Workspace};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A program that was built.
pub struct Program {
    /// Its file, with debugging information.
    pub file: PathBuf,
    /// Whether the image's copy keeps that.
    pub debug: bool,
}

impl Program {
    /// The image's copy: without debugging information, unless that is wanted.
    pub fn in_image(&self, workspace: &Workspace) -> Result<PathBuf> {
        if self.debug {
            return Ok(self.file.clone());
        }
        strip::stripped(&self.file, &workspace.target_dir("image/stripped")?)
    }
}

/// Reads the config of this name.
pub fn config(workspace: &Workspace, name: &str) -> Result<Config> {
    Config::load(&workspace.root().join("distro/config"), name)
}

/// Builds the config's packages and returns their programs by their path in the image.
pub fn build(workspace: &Workspace, config: &Config) -> Result<BTreeMap<String, Program>> {
    if config.packages.is_empty() {
        return Ok(BTreeMap::new());
    }
    let dir = workspace.user_dir("release");
    let mut programs = BTreeMap::new();
    for (name, install) in &config.packages {
        let package = workspace.require(name)?;
        let debug = config.debug.contains(name);
        for (bin, path) in places(package, install).with_context(|| format!("package `{name}`"))? {
            if programs.insert(relative(&path)?, Program { file: dir.join(bin), debug }).is_some() {
                bail!("two programs for the path {path}, the second of package `{name}`");
            }
        }
    }
    userland::build(workspace, &config.packages.keys().map(String::as_str).collect::<Vec<_>>())?;
    Ok(programs)
}

/// The paths in the image of all programs of these packages.
pub fn paths(workspace: &Workspace, config: &Config, packages: &BTreeSet<String>) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for name in packages {
        let install = config.packages.get(name).with_context(|| format!("[packages] does not have `{name}`"))?;
        for (_, path) in places(workspace.require(name)?, install).with_context(|| format!("package `{name}`"))? {
            paths.push(relative(&path)?);
        }
    }
    Ok(paths)
}

/// Builds only the programs of the config `name`. Returns the image's copy of each by its absolute path there.
pub fn files(workspace: &Workspace, name: &str) -> Result<BTreeMap<String, PathBuf>> {
    let programs = build(workspace, &config(workspace, name)?)?;
    programs.into_iter().map(|(path, program)| Ok((format!("/{path}"), program.in_image(workspace)?))).collect()
}

/// The same of one package alone: quicker, where nothing else of the image is wanted.
pub fn files_of(workspace: &Workspace, name: &str, package: &str) -> Result<BTreeMap<String, PathBuf>> {
    let mut config = config(workspace, name)?;
    config.packages.retain(|other, _| other == package);
    let programs = build(workspace, &config)?;
    programs.into_iter().map(|(path, program)| Ok((format!("/{path}"), program.in_image(workspace)?))).collect()
}

/// The package's programs that are installed, each with its path.
fn places(package: &Package, install: &Install) -> Result<Vec<(String, String)>> {
    match (install, package.bins.as_slice()) {
        (Install::One(dir), bins) if dir.ends_with('/') => {
            Ok(bins.iter().map(|bin| (bin.clone(), format!("{dir}{bin}"))).collect())
        }
        (Install::One(path), [bin]) => Ok(vec![(bin.clone(), path.clone())]),
        (Install::One(_), bins) => bail!("it has {} programs; give a path for each, or a folder for all", bins.len()),
        (Install::Each(paths), bins) => {
            if let Some(absent) = paths.keys().find(|bin| !bins.contains(bin)) {
                bail!("it has no program `{absent}`");
            }
            Ok(paths.iter().map(|(bin, path)| (bin.clone(), path.clone())).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_programs() {
        let package = |bins: &[&str]| Package {
            dir: PathBuf::new(),
            bins: bins.iter().map(|bin| (*bin).to_owned()).collect(),
            host_tests: false,
        };
        let one = |path: &str| Install::One(path.to_owned());
        let pair = |bin: &str, path: &str| (bin.to_owned(), path.to_owned());
        assert_eq!(places(&package(&["a"]), &one("/bin/x")).unwrap(), [pair("a", "/bin/x")]);
        assert_eq!(places(&package(&["a", "b"]), &one("/bin/")).unwrap(), [pair("a", "/bin/a"), pair("b", "/bin/b")]);
        assert!(places(&package(&["a", "b"]), &one("/bin/x")).is_err());
        let each = |bin: &str| Install::Each(BTreeMap::from([pair(bin, "/sbin/b")]));
        assert_eq!(places(&package(&["a", "b"]), &each("b")).unwrap(), [pair("b", "/sbin/b")]);
        assert!(places(&package(&["a"]), &each("b")).is_err());
    }
}
