//! Folders for what lasts no longer than a virtual machine.

use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// A folder for one machine's files, removed with this value.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes a new folder below target/vm.
    pub fn new(workspace: &Workspace) -> Result<Scratch> {
        let dir = workspace.target_dir("vm")?.join(std::process::id().to_string());
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Scratch(dir))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is only disk space, and the next person's business.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
