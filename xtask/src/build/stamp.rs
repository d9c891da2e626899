//! Rebuilding only what changed: a stamp beside a built file remembers from which inputs it was made.

use anyhow::{Context, Result};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The inputs of one built file. Files count by path, size and time of change; text counts by content.
pub struct Stamp {
    output: PathBuf,
    inputs: String,
}

impl Stamp {
    /// Starts an empty list of inputs for `output`.
    pub fn new(output: impl Into<PathBuf>) -> Stamp {
        // What the builder itself does is an input as well: a newer xtask makes everything anew.
        let mut stamp = Stamp { output: output.into(), inputs: String::new() };
        if let Ok(builder) = std::env::current_exe() {
            // A builder that cannot be looked at is merely not part of the stamp.
            let _ = stamp.file(&builder);
        }
        stamp
    }

    /// Adds a file.
    pub fn file(&mut self, path: &Path) -> Result<()> {
        let meta = std::fs::metadata(path).with_context(|| format!("cannot look at {}", path.display()))?;
        let changed = meta
            .modified()
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
            .map_or(0, |time| time.as_nanos());
        self.text(&format!("{} {} {changed}", path.display(), meta.len()));
        Ok(())
    }

    /// Adds text, for example a command line.
    pub fn text(&mut self, text: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.inputs, "{text:?}");
    }

    /// Whether the output is there and was made from exactly these inputs.
    pub fn is_fresh(&self) -> bool {
        self.output.exists() && std::fs::read_to_string(self.path()).is_ok_and(|old| old == self.inputs)
    }

    /// Remembers that the output has now been made from these inputs.
    pub fn save(&self) -> Result<()> {
        std::fs::write(self.path(), &self.inputs)
            .with_context(|| format!("cannot write the stamp of {}", self.output.display()))
    }

    fn path(&self) -> PathBuf {
        path_of(&self.output)
    }
}

/// The file with the stamp of `output`: an input of what is made from a whole folder that has one.
pub fn path_of(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".stamp");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_fresh_only_with_the_same_inputs_and_an_output() {
        let dir = std::env::temp_dir().join(format!("xtask-stamp-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let output = dir.join("out");
        let stamp = |text: &str| {
            let mut stamp = Stamp::new(&output);
            stamp.text(text);
            stamp
        };
        stamp("a").save().unwrap();
        assert!(!stamp("a").is_fresh(), "there is no output yet");
        std::fs::write(&output, "x").unwrap();
        assert!(stamp("a").is_fresh());
        assert!(!stamp("b").is_fresh());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
