//! Host packages: what each job needs from Debian, and how it gets there.

use crate::process;
use crate::progress::{Step, note};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// One thing that a job needs: a file that shows whether it is there, and the Debian package that brings it.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// An absolute path, or the name of a program to be found in PATH.
    probe: &'static str,
    package: &'static str,
}

/// A need.
pub const fn need(probe: &'static str, package: &'static str) -> Need {
    Need { probe, package }
}

/// For linking userland programs and libc.so.6.
pub const LINK: &[Need] = &[need("cc", "gcc"), need("ld", "binutils"), need("/usr/include/stdlib.h", "libc6-dev")];

/// For building the kernel where rustup does not have its target.
pub const KERNEL: &[Need] = &[
    need("/usr/bin/rustc", "rustc-web"),
    need("/usr/bin/cargo", "cargo-web"),
    need("/usr/lib/rustlib/src/rust/library/core/src/lib.rs", "rust-web-src"),
    need("ld.lld", "lld"),
];

/// For booting with QEMU.
pub const QEMU: &[Need] = &[need("qemu-system-x86_64", "qemu-system-x86"), need("setpriv", "util-linux")];

/// For making any medium to boot from.
pub const MEDIA: &[Need] = &[
    need("grub-mkimage", "grub-common"),
    need("/usr/lib/grub/i386-pc/boot.img", "grub-pc-bin"),
    need("/usr/lib/grub/x86_64-efi/modinfo.sh", "grub-efi-amd64-bin"),
    need("mformat", "mtools"),
];

/// For making the ISO.
pub const ISO: &[Need] = &[need("xorriso", "xorriso")];

/// For booting under UEFI.
pub const UEFI: &[Need] = &[need("/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf")];

/// For unpacking Debian packages.
pub const DEBS: &[Need] = &[need("apt-get", "apt"), need("dpkg-deb", "dpkg")];

/// For running an image's programs on this host.
pub const NATIVE: &[Need] = &[need("unshare", "util-linux"), need("chroot", "coreutils")];

/// For debugging the kernel.
pub const GDB: &[Need] = &[need("gdb", "gdb")];

/// Makes sure that everything in `needs` is there: installs what is missing when we are root, otherwise fails with
/// the command that does it.
pub fn ensure(needs: &[&[Need]]) -> Result<()> {
    // Two threads may miss the same.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let mut install = vec!["install", "--yes", "--no-install-recommends"];
    install.extend(&missing);
    if !is_root()? {
        bail!("some Debian packages are missing; install them with:\n\n    sudo apt-get {}\n", install.join(" "));
    }
    note(format!("installing {}", missing.join(" ")));
    let _step = Step::start("installing Debian packages");
    apt_get(&["update"])?;
    apt_get(&install)
}

/// The packages of `needs` that are not there, each once.
fn missing(needs: &[&[Need]]) -> Vec<&'static str> {
    let mut missing = Vec::new();
    for need in needs.iter().copied().flatten() {
        if !present(need.probe) && !missing.contains(&need.package) {
            missing.push(need.package);
        }
    }
    missing
}

fn present(probe: &str) -> bool {
    if probe.starts_with('/') { Path::new(probe).exists() } else { find_program(probe).is_some() }
}

/// Where the program `name` is in PATH.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// Whether this process may do everything.
pub fn is_root() -> Result<bool> {
    Ok(process::text(process::command("id").arg("-u"))? == "0")
}

fn apt_get(args: &[&str]) -> Result<()> {
    let mut command = process::command("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("-qq").args(args);
    process::output(&mut command).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_each_missing_package_once() {
        let absent = [need("/no/such/file", "aaa"), need("no-such-program", "aaa"), need("/", "bbb")];
        assert_eq!(missing(&[&absent, &absent]), ["aaa"]);
    }
}
