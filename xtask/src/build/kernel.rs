//! The kernel's build, and which toolchain does it.
//!
//! The kernel's target, x86_64-unknown-none, is a tier-2 target that rustup may not have installed and may not be able
//! to reach. Debian's own Rust then builds it together with core and alloc from Debian's source package.

use crate::host;
use crate::process;
use crate::progress::Step;
use crate::workspace::{KERNEL_TARGET, Workspace};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package of the kernel's entry, and the name of its ELF file.
pub const PACKAGE: &str = "ochre";

/// The kernel is optimised as one program: its crates call each other on every path that is measured.
const WHOLE_PROGRAM: [(&str, &str); 2] =
    [("CARGO_PROFILE_RELEASE_LTO", "fat"), ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")];

/// Frame pointers make backtraces possible. The kernel is linked at a fixed address in the top 2 GiB, which is what
/// the code model `kernel` means.
const RUSTFLAGS: &str = "-Cforce-frame-pointers=yes -Ccode-model=kernel -Crelocation-model=static";

/// The package of the hardware layer.
const HAL: &str = "ochre-hal";

/// Which kernel is built.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kernel {
    /// Ochre's.
    #[default]
    Ochre,
    /// A small kernel that tries the hardware layer: the example of this name of package `ochre-hal`.
    Example(String),
}

/// Builds a kernel and returns its ELF file, with symbols.
pub fn build(workspace: &Workspace, kernel: &Kernel) -> Result<PathBuf> {
    let _step = Step::start("building the kernel");
    let target_dir = workspace.target().join("kernel");
    let mut cargo = cargo()?;
    cargo.env("CARGO_TARGET_DIR", &target_dir).current_dir(workspace.root());
    cargo.args(["build", "--quiet", "--release", "--target", KERNEL_TARGET]);
    let file = match kernel {
        Kernel::Ochre => {
            workspace.require(PACKAGE)?;
            cargo.args(["--package", PACKAGE]);
            PathBuf::from(PACKAGE)
        }
        Kernel::Example(name) => {
            workspace.require(HAL)?;
            cargo.args(["--package", HAL, "--example", name, "--features", "selftest"]);
            Path::new("examples").join(name)
        }
    };
    process::run(&mut cargo)?;
    Ok(target_dir.join(KERNEL_TARGET).join("release").join(file))
}

/// The cargo that can build for the kernel's target, with what makes it do so.
fn cargo() -> Result<Command> {
    if rustup_has_target()? {
        let mut cargo = process::command("cargo");
        cargo.env("RUSTFLAGS", RUSTFLAGS).envs(WHOLE_PROGRAM);
        return Ok(cargo);
    }
    host::ensure(&[host::KERNEL, host::LINK])?;
    let mut cargo = process::command("/usr/bin/cargo");
    cargo
        .env_remove("RUSTUP_TOOLCHAIN")
        // Not the rustc that rustup has put in front of PATH.
        .env("RUSTC", "/usr/bin/rustc")
        // build-std is unstable; Debian's compiler is a stable one.
        .env("RUSTC_BOOTSTRAP", "1")
        .envs(WHOLE_PROGRAM)
        // Debian's packages have no rust-lld, which is this target's default linker.
        .env("RUSTFLAGS", format!("{RUSTFLAGS} -Clinker=ld.lld -Clinker-flavor=ld.lld"))
        .args(["-Zbuild-std=core,alloc", "-Zbuild-std-features=compiler-builtins-mem"]);
    Ok(cargo)
}

/// Whether the active toolchain comes with the kernel's target.
fn rustup_has_target() -> Result<bool> {
    let sysroot = process::text(process::command("rustc").args(["--print", "sysroot"]))?;
    Ok(Path::new(&sysroot).join("lib/rustlib").join(KERNEL_TARGET).is_dir())
}
