//! Folders for what lasts no longer than a virtual machine.

use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// A folder for one machine's files, removed with this value.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes a new folder below target/vm.
    pub fn new(workspace: &Workspace) -> Result<Scratch> {
        let all = workspace.target_dir("vm")?;
        remove_stale(&all)?;
        let dir = all.join(std::process::id().to_string());
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Scratch(dir))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// Removes the folders of processes that were killed before they could.
fn remove_stale(all: &Path) -> Result<()> {
    for entry in std::fs::read_dir(all).with_context(|| format!("cannot read {}", all.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.parse::<u32>().is_ok() && !Path::new("/proc").join(name).exists() {
            // Another xtask may be removing it as well.
            let _ = std::fs::remove_dir_all(&path);
        }
    }
    Ok(())
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is only disk space, and the next person's business.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
