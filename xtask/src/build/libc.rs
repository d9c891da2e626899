//! libc.so.6, which is the dynamic loader as well: linked from the static library that package `relibc` makes.

use super::stamp::Stamp;
use super::userland;
use crate::process;
use crate::progress::Step;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// The package of the C library.
pub const PACKAGE: &str = "relibc";

/// The kernel that the C library calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Ochre's, through relibc/rt.
    Ochre,
    /// Linux's, so that the library can be tried beside glibc.
    Linux,
}

impl Backend {
    /// Its name in the names of folders.
    pub fn name(self) -> &'static str {
        match self {
            Backend::Ochre => "ochre",
            Backend::Linux => "linux",
        }
    }

    /// What makes the compiler choose it.
    fn rustflags(self) -> &'static str {
        match self {
            Backend::Ochre => "--cfg ochre_backend=\"ochre\"",
            Backend::Linux => "",
        }
    }
}

/// Builds libc.so.6 and returns its path.
pub fn build(workspace: &Workspace, backend: Backend) -> Result<PathBuf> {
    let package = workspace.require(PACKAGE)?;
    let _step = Step::start("building libc.so.6");
    let archive = userland::build_static_library(workspace, PACKAGE, backend.rustflags())?.join("librelibc.a");
    let output = workspace.target_dir(&format!("libc/{}", backend.name()))?.join("libc.so.6");
    let versions = package.dir.join("libc.map");
    let interposed = package.dir.join("dynamic.list");
    let own = output.with_file_name("relibc.a");

    let mut link = process::command("ld");
    link.args(["-shared", "-soname", "libc.so.6", "-e", "_start", "-Bsymbolic"])
        .arg("--dynamic-list")
        .arg(&interposed)
        .arg("--version-script")
        .arg(&versions)
        .args(["--gc-sections", "--eh-frame-hdr", "--hash-style=gnu"])
        .args(["-z", "now", "-z", "relro", "-z", "defs", "-z", "noexecstack", "-z", "separate-code"])
        .arg("-o")
        .arg(&output)
        .arg("--whole-archive")
        .arg(&own)
        .arg("--no-whole-archive")
        .arg(&archive);

    let mut stamp = Stamp::new(&output);
    stamp.text(&process::shown(&link));
    for input in [&archive, &versions, &interposed] {
        stamp.file(input)?;
    }
    if !stamp.is_fresh() {
        without_builtins(&archive, &own)?;
        process::run(&mut link)?;
        stamp.save()?;
    }
    Ok(output)
}

/// In place of an LTO plugin of the host's, which would complain of a newer LLVM's objects without need.
const NO_PLUGIN: &str = "/dev/null";

/// Copies the archive without the compiler's own functions, which the linker is to take only where nothing else defines them: some are
/// mathematical functions (`ceil`), hidden ones, and a name that is hidden in any object is exported by none.
fn without_builtins(archive: &Path, to: &Path) -> Result<()> {
    std::fs::copy(archive, to).with_context(|| format!("copying {}", archive.display()))?;
    let members = process::text(process::command("ar").args(["t", "--plugin", NO_PLUGIN]).arg(to))?;
    let builtins = members.lines().filter(|member| member.starts_with("compiler_builtins-"));
    process::run(process::command("ar").args(["d", "--plugin", NO_PLUGIN]).arg(to).args(builtins))
}
