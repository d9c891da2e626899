//! Where things are: the workspace, its packages, and what is built below target/.

use crate::process;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The Rust target of everything but the kernel: the ABI that Ochre speaks.
pub const USER_TARGET: &str = "x86_64-unknown-linux-gnu";
/// The Rust target of the kernel.
pub const KERNEL_TARGET: &str = "x86_64-unknown-none";

/// The workspace that this xtask was built from.
pub struct Workspace {
    root: PathBuf,
    packages: BTreeMap<String, Package>,
}

/// A package of the workspace.
pub struct Package {
    /// The folder that holds its Cargo.toml.
    pub dir: PathBuf,
    /// The names of its programs.
    pub bins: Vec<String>,
    /// Whether it has unit tests for the host: a target that does not say `test = false`.
    pub host_tests: bool,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<MetadataTarget>,
}

#[derive(Deserialize)]
struct MetadataTarget {
    name: String,
    kind: Vec<String>,
    test: bool,
}

impl Workspace {
    /// Reads the workspace's members from cargo.
    pub fn load() -> Result<Workspace> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask is not inside a workspace")?;
        let text = process::text(
            process::command("cargo").args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(root),
        )?;
        let metadata: Metadata = serde_json::from_str(&text).context("reading what `cargo metadata` printed")?;
        let mut packages = BTreeMap::new();
        for package in metadata.packages {
            let dir = package.manifest_path.parent().context("a manifest without a folder")?.to_owned();
            let is_bin = |target: &&MetadataTarget| target.kind.iter().any(|kind| kind == "bin");
            let bins = package.targets.iter().filter(is_bin).map(|target| target.name.clone()).collect();
            let host_tests = package.targets.iter().any(|target| target.test);
            packages.insert(package.name, Package { dir, bins, host_tests });
        }
        Ok(Workspace { root: root.to_owned(), packages })
    }

    /// The folder of the root Cargo.toml.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of everything that is built. Not in git.
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// A folder below target/, made if it is not there.
    pub fn target_dir(&self, name: &str) -> Result<PathBuf> {
        let dir = self.target().join(name);
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(dir)
    }

    /// The package of this name, if the workspace has it.
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.get(name)
    }

    /// All packages with their names, sorted.
    pub fn packages(&self) -> impl Iterator<Item = (&str, &Package)> {
        self.packages.iter().map(|(name, package)| (name.as_str(), package))
    }

    /// Fails unless the workspace has a package of this name.
    pub fn require(&self, name: &str) -> Result<&Package> {
        match self.package(name) {
            Some(package) => Ok(package),
            None => bail!("the workspace has no package `{name}`"),
        }
    }

    /// Where cargo puts what it builds for the user target with the given profile.
    pub fn user_dir(&self, profile: &str) -> PathBuf {
        self.target().join(USER_TARGET).join(profile)
    }
}
