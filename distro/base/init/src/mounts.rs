//! Names for what is bound over the root file system.
//!
//! The kernel leads a path to the scheme of its longest bound prefix, and asks nobody whether there is such a name in the file system below.
//! Programs that list folders do ask: so each prefix gets a node of the same kind there, as a mount point.

use ochre_rt::call::Call;
use ochre_scheme::abi::call::OP_MKNOD;
use ochre_scheme::abi::file::AT_FDCWD;
use ochre_scheme::{Errno, Result};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Makes a node for a bound prefix in the root file system `root` (a scheme, or a path in one), where it has none. One that cannot
/// be made is told; it works without.
pub fn show(root: &str, prefix: &str, target: &str) {
    if let Err(error) = make(root, prefix, target) {
        eprintln!("init: a name for {prefix}: {error}");
    }
}

fn make(root: &str, prefix: &str, target: &str) -> Result<()> {
    // By their schemes' names, under which nothing is bound.
    let below = format!("/scheme/{root}{prefix}");
    let failed = |error: std::io::Error| Errno(error.raw_os_error().unwrap_or(Errno::EIO.0));
    if fs::symlink_metadata(&below).is_ok() {
        return Ok(());
    }
    let there = fs::metadata(format!("/scheme/{target}")).map_err(failed)?;
    if let Some(parent) = Path::new(&below).parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    if there.is_dir() {
        return fs::create_dir(&below).map_err(failed);
    }
    let kind = there.file_type();
    if !kind.is_char_device() && !kind.is_block_device() {
        return fs::write(&below, b"").map_err(failed);
    }
    Call::new(OP_MKNOD, [there.mode().into(), there.rdev(), 0]).send_path(AT_FDCWD, below.as_bytes()).map(drop)
}
