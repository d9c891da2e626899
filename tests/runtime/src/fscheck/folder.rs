//! A folder for one check, gone when the check is over.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A new, empty folder.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it; its name is this process's own.
    pub fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("fscheck-{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Folder(path))
    }

    /// The path of a name in it.
    pub fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// A file in it with these contents.
    pub fn file(&self, name: &str, contents: &str) -> io::Result<PathBuf> {
        let path = self.at(name);
        fs::write(&path, contents)?;
        Ok(path)
    }

    /// A folder in it.
    pub fn dir(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.at(name);
        fs::create_dir(&path)?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind harms no other check.
        let _ = fs::remove_dir_all(&self.0);
    }
}
