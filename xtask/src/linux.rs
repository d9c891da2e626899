//! Debian's Linux in the same virtual machine: what Ochre is measured against.
//!
//! Its kernel is Debian's package, its init a busybox script that speaks init's protocol of Ochre: the command's output
//! goes to the second serial port, its exit status to the first and to the exit port. So both are run by the same code.

use crate::build::debian;
use crate::image::cpio::{Align, Archive};
use crate::image::debian::Member;
use crate::image::items::Item;
use crate::vm::machine::{Boot, Machine};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

pub mod rooted;

/// The package that depends on the current kernel's.
const KERNEL: &str = "linux-image-amd64";

/// Debian's C library, with the package of each file.
const GLIBC: &[(&str, &str)] =
    &[("libc6", "lib/x86_64-linux-gnu/libc.so.6"), ("libc6", "lib/x86_64-linux-gnu/libm.so.6"), ("libc6", LOADER)];

/// What Rust's std needs besides.
const LIBGCC: (&str, &str) = ("libgcc-s1", "lib/x86_64-linux-gnu/libgcc_s.so.1");

/// The path of the dynamic loader.
const LOADER: &str = "lib64/ld-linux-x86-64.so.2";

/// What runs on Linux.
pub struct Guest<'a> {
    /// The host's files of programs, by their absolute path in the guest.
    pub programs: &'a BTreeMap<String, PathBuf>,
    /// A libc.so.6 to use instead of Debian's. It must hold the dynamic loader, as ours does.
    pub libc: Option<&'a Path>,
    /// A folder for /mnt/put.
    pub put: Option<&'a Path>,
    /// Things of Debian's packages, by their path in the guest.
    pub debian: &'a BTreeMap<String, Item>,
    /// Whether the first virtio disk, with ext4 on it, is mounted at [`DISK`].
    pub disk: bool,
    /// The command.
    pub command: &'a [String],
}

/// Where a disk's file system is mounted.
pub const DISK: &str = "/mnt/disk";

/// The modules that a disk takes, in the order in which they can be loaded.
const MODULES: &[&str] = &[
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci",
    "drivers/block/virtio_blk",
    "crypto/crc32c_generic",
    "lib/crc16",
    "fs/mbcache",
    "fs/jbd2/jbd2",
    "fs/ext4/ext4",
];

/// Puts together the boot of Linux that runs one command. The archive goes into `dir`.
pub fn boot(workspace: &Workspace, guest: &Guest, dir: &Path) -> Result<Boot> {
    let module = dir.join("linux.cpio");
    let file = File::create(&module).with_context(|| format!("cannot write {}", module.display()))?;
    let mut archive = Archive::new(BufWriter::new(file), Align::Word);
    for path in ["bin", "dev", "proc", "sys", "tmp", "lib", "lib/x86_64-linux-gnu", "lib64", "mnt", "sbin"] {
        archive.directory(path, 0o755)?;
    }
    let debian =
        |package: &str, path: &str| -> Result<PathBuf> { Ok(debian::unpacked(workspace, package, &[])?.join(path)) };
    let libraries = match guest.libc {
        Some(libc) => vec![(LOADER, libc.to_owned())],
        None => GLIBC.iter().map(|(package, path)| Ok((*path, debian(package, path)?))).collect::<Result<_>>()?,
    };
    for (path, file) in libraries {
        file_entry(&mut archive, path, &file)?;
    }
    if guest.libc.is_some() {
        archive.symlink("lib/x86_64-linux-gnu/libc.so.6", &format!("/{LOADER}"), 0)?;
    }
    file_entry(&mut archive, LIBGCC.1, &debian(LIBGCC.0, LIBGCC.1)?)?;
    file_entry(&mut archive, "bin/busybox", &debian("busybox-static", "bin/busybox")?)?;
    for (path, file) in guest.programs {
        let path = path.trim_start_matches('/');
        if !path.starts_with("lib") {
            file_entry(&mut archive, path, file)?;
        }
    }
    for (path, item) in guest.debian {
        match item {
            Item::Debian(Member::Directory(meta)) => archive.directory(path, *meta)?,
            Item::Debian(Member::Link(meta, target)) => archive.symlink(path, target, *meta)?,
            Item::Debian(Member::File(meta, part)) => archive.file(path, *meta, part.len, part.open()?)?,
            _ => {}
        }
    }
    let (kernel, version) = kernel(workspace)?;
    if guest.disk {
        archive.directory(DISK.trim_start_matches('/'), 0o755)?;
        archive.directory("modules", 0o755)?;
        let dir = modules(workspace, &version, "modules", MODULES)?;
        for (module, number) in MODULES.iter().zip(10..) {
            let name = module.rsplit('/').next().unwrap_or(module);
            file_entry(&mut archive, &format!("modules/{number}-{name}"), &dir.join(format!("{module}.ko")))?;
        }
    }
    let script = init(guest.command, guest.disk);
    archive.file("init", 0o755, u64::try_from(script.len())?, script.as_bytes())?;
    if let Some(put) = guest.put {
        crate::image::archive::put(&mut archive, put)?;
    }
    archive.finish()?;
    Ok(Boot::Direct { kernel, module, cmdline: "console=ttyS0 nokaslr panic=-1".into() })
}

/// Until when Linux's CPUs need nudges in this machine, if they do.
pub fn nudge(machine: &Machine) -> Option<&'static str> {
    (machine.icount && machine.smp > 1).then_some("smp: Brought up")
}

/// Debian's kernel image, and its version.
fn kernel(workspace: &Workspace) -> Result<(PathBuf, String)> {
    let newest = debian::depends(KERNEL)?.into_iter().find(|name| name.starts_with("linux-image-"));
    let package = newest.with_context(|| format!("{KERNEL} depends on no kernel"))?;
    let boot = debian::unpacked(workspace, &package, &["./boot/vmlinuz-*"])?.join("boot");
    let version = package.trim_start_matches("linux-image-");
    Ok((boot.join(format!("vmlinuz-{version}")), version.to_owned()))
}

/// The folder of its modules; these of them are there. `part` is what the list is called.
fn modules(workspace: &Workspace, version: &str, part: &str, list: &[&str]) -> Result<PathBuf> {
    let members: Vec<String> = list.iter().map(|module| format!("./lib/modules/*/kernel/{module}.ko")).collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    let package = debian::unpacked_part(workspace, &format!("linux-image-{version}"), part, &members)?;
    Ok(package.join(format!("lib/modules/{version}/kernel")))
}

fn file_entry<W: Write>(archive: &mut Archive<W>, path: &str, file: &Path) -> Result<()> {
    let open = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    archive.file(path, 0o755, open.metadata()?.len(), open)
}

/// The script that is Linux's init.
fn init(command: &[String], disk: bool) -> String {
    let mount = if disk {
        format!("for module in /modules/*; do insmod $module; done\nmount -t ext4 /dev/vda {DISK} || exit")
    } else {
        String::new()
    };
    let words: Vec<String> = command.iter().map(|word| quote(word)).collect();
    format!(
        r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
{mount}
stty -F /dev/ttyS1 raw
export PATH=/bin:/sbin HOME=/
{} </dev/null >/dev/ttyS1 2>&1
status=$?
echo "ochre: exit status $status" >/dev/ttyS0
stty -F /dev/ttyS0 >/dev/null # waits until the port has sent it
if [ $status = 0 ]; then value='\020'; else value='\021'; fi
printf $value | dd of=/dev/port bs=1 seek=244 2>/dev/null
"#,
        words.join(" ")
    )
}

/// The word as the shell reads it back.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_for_the_shell() {
        let script = init(&["/bin/echo".into(), "it's $5".into()], false);
        assert!(script.contains(r"'/bin/echo' 'it'\''s $5' </dev/null"), "{script}");
    }
}
