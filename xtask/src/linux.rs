//! Debian's Linux in the same virtual machine: what Ochre is measured against.
//!
//! Its kernel is Debian's package, its init a busybox script that speaks init's protocol of Ochre: the command's output
//! goes to the second serial port, its exit status to the first and to the exit port. So both are run by the same code.

use crate::build::debian;
use crate::image::cpio::{Align, Archive};
use crate::vm::machine::{Boot, Machine};
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

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
    /// The command.
    pub command: &'a [String],
}

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
    let script = init(guest.command);
    archive.file("init", 0o755, u64::try_from(script.len())?, script.as_bytes())?;
    if let Some(put) = guest.put {
        crate::image::archive::put(&mut archive, put)?;
    }
    archive.finish()?;
    Ok(Boot::Direct { kernel: kernel(workspace)?, module, cmdline: "console=ttyS0 nokaslr panic=-1".into() })
}

/// Until when Linux's CPUs need nudges in this machine, if they do.
pub fn nudge(machine: &Machine) -> Option<&'static str> {
    (machine.icount && machine.smp > 1).then_some("smp: Brought up")
}

/// Debian's kernel image.
fn kernel(workspace: &Workspace) -> Result<PathBuf> {
    let newest = debian::depends(KERNEL)?.into_iter().find(|name| name.starts_with("linux-image-"));
    let package = newest.with_context(|| format!("{KERNEL} depends on no kernel"))?;
    let boot = debian::unpacked(workspace, &package, &["./boot/vmlinuz-*"])?.join("boot");
    let version = package.trim_start_matches("linux-image-");
    Ok(boot.join(format!("vmlinuz-{version}")))
}

fn file_entry<W: Write>(archive: &mut Archive<W>, path: &str, file: &Path) -> Result<()> {
    let open = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    archive.file(path, 0o755, open.metadata()?.len(), open)
}

/// The script that is Linux's init.
fn init(command: &[String]) -> String {
    let words: Vec<String> = command.iter().map(|word| quote(word)).collect();
    format!(
        r#"#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
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
        let script = init(&["/bin/echo".into(), "it's $5".into()]);
        assert!(script.contains(r"'/bin/echo' 'it'\''s $5' </dev/null"), "{script}");
    }
}
