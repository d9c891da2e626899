//! libc.so.6, which is the dynamic loader as well: linked from the static library that package `relibc` makes.

use super::stamp::Stamp;
use super::userland;
use crate::process;
use crate::progress::Step;
use crate::workspace::Workspace;
use anyhow::Result;
use std::path::PathBuf;

/// The package of the C library.
pub const PACKAGE: &str = "relibc";

/// Chooses the back end that calls Ochre's kernel; without it, the library is built for Linux's.
const RUSTFLAGS: &str = "--cfg ochre_backend=\"ochre\"";

/// Builds libc.so.6 and returns its path.
pub fn build(workspace: &Workspace) -> Result<PathBuf> {
    let package = workspace.require(PACKAGE)?;
    let _step = Step::start("building libc.so.6");
    let archive = userland::build_static_library(workspace, PACKAGE, RUSTFLAGS)?.join("librelibc.a");
    let output = workspace.target_dir("libc")?.join("libc.so.6");
    let version_script = package.dir.join("libc.map");

    let mut link = process::command("ld");
    link.args(["-shared", "-soname", "libc.so.6", "-e", "_start", "-Bsymbolic", "--gc-sections", "--eh-frame-hdr"])
        .args(["-z", "now", "-z", "separate-code", "-z", "noexecstack", "-z", "defs", "--hash-style=gnu"])
        .arg("-o")
        .arg(&output);
    if version_script.exists() {
        link.arg("--version-script").arg(&version_script);
    }
    link.arg("--whole-archive").arg(&archive).arg("--no-whole-archive");

    let mut stamp = Stamp::new(&output);
    stamp.text(&process::shown(&link));
    stamp.file(&archive)?;
    if version_script.exists() {
        stamp.file(&version_script)?;
    }
    if !stamp.is_fresh() {
        process::run(&mut link)?;
        stamp.save()?;
    }
    Ok(output)
}
