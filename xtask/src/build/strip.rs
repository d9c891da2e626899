//! Programs without their debugging information, for the image. The host keeps it, for naming addresses in logs; what
//! an image holds is loaded at every boot.

use super::stamp::Stamp;
use crate::process;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Makes a copy of `file` in `dir` that has a symbol table, for backtraces, but no more, and returns its path.
pub fn stripped(file: &Path, dir: &Path) -> Result<PathBuf> {
    let name = file.file_name().with_context(|| format!("{} has no name", file.display()))?;
    let output = dir.join(name);
    let mut stamp = Stamp::new(&output);
    stamp.file(file)?;
    if !stamp.is_fresh() {
        // Another xtask may be doing the same.
        let new = output.with_added_extension(std::process::id().to_string());
        process::output(process::command("strip").args(["--strip-debug", "-o"]).arg(&new).arg(file))?;
        std::fs::rename(&new, &output).with_context(|| format!("cannot write {}", output.display()))?;
        stamp.save()?;
    }
    Ok(output)
}
