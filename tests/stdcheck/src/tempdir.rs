//! A folder of a check's own, removed when the check ends.

use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

/// A fresh folder below [`env::temp_dir`].
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes `stdcheck-PID-NAME`; what an earlier process of this pid left there goes first.
    ///
    /// # Errors
    /// Those of [`fs::create_dir_all`].
    pub fn new(name: &str) -> io::Result<Self> {
        let path = env::temp_dir().join(format!("stdcheck-{}-{name}", process::id()));
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A name in the folder.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // Nobody is left to tell; a folder that stays shows up in /tmp.
        drop(fs::remove_dir_all(&self.0));
    }
}
