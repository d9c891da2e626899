//! Linux with all of an image's files, on a disk: what the desktop is compared with.
//!
//! The same Debian packages as on Ochre are the root file system, on ext4 on a virtio disk, with Debian's C library. An initial
//! file system loads the modules of the machine's devices and goes over to that root, where Debian's udev makes the devices known.

use super::{file_entry, kernel, modules, quote};
use crate::boot::Start;
use crate::build::debian;
use crate::build::stamp::{self, Stamp};
use crate::disk;
use crate::image::cpio::{Align, Archive};
use crate::image::items::CLibrary;
use crate::image::tree;
use crate::progress::Step;
use crate::vm::machine::{Boot, Bus, Disk};
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// The disk's size in bytes, but for tables. What nothing is written to takes no room on the host.
const ROOM: u64 = 2 << 30;

/// What makes devices known to programs, in Debian's package udev.
const UDEVD: &str = "lib/systemd/systemd-udevd";

/// The modules of displays and of what people type on, in an order in which they can be loaded.
const MODULES: &[&str] = &[
    "drivers/gpu/drm/drm",
    "drivers/gpu/drm/drm_kms_helper",
    "drivers/gpu/drm/drm_shmem_helper",
    "drivers/virtio/virtio_dma_buf",
    "drivers/gpu/drm/virtio/virtio-gpu",
    "drivers/input/evdev",
    "drivers/input/mouse/psmouse",
    "drivers/virtio/virtio_input",
];

/// Linux's init: goes over to the disk.
const INIT: &str = r"#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for module in /modules/*; do insmod $module; done
mount -t ext4 -o noatime /dev/vda /root || exit
for folder in dev proc sys; do mount --move /$folder /root/$folder; done
mount -t tmpfs -o mode=755 run /root/run
cp /start /root/run/start
if [ -d /mnt/put ]; then mount -t tmpfs mnt /root/mnt; cp -a /mnt/put /root/mnt/; fi
exec switch_root /root /bin/sh /run/start
";

/// Puts together the boot of Linux that runs `command` among the files of the image `config`. What belongs to this machine alone goes
/// into `dir`.
pub fn boot(workspace: &Workspace, config: &str, put: Option<&Path>, command: &[String], dir: &Path) -> Result<Start> {
    let disk = root(workspace, config)?;
    let module = dir.join("linux.cpio");
    let file = File::create(&module).with_context(|| format!("cannot write {}", module.display()))?;
    let mut archive = Archive::new(BufWriter::new(file), Align::Word);
    for path in ["bin", "dev", "mnt", "modules", "proc", "root", "sys"] {
        archive.directory(path, 0o755)?;
    }
    let busybox = debian::unpacked(workspace, "busybox-static", &[])?.join("bin/busybox");
    file_entry(&mut archive, "bin/busybox", &busybox)?;
    let (kernel, version) = kernel(workspace)?;
    for (part, list) in [("modules", super::MODULES), ("display", MODULES)] {
        let dir = modules(workspace, &version, part, list)?;
        for (module, number) in list.iter().zip(10..) {
            let name = module.rsplit('/').next().unwrap_or(module);
            // The disk's come first.
            let first = if part == "modules" { 1 } else { 2 };
            file_entry(&mut archive, &format!("modules/{first}{number}-{name}"), &dir.join(format!("{module}.ko")))?;
        }
    }
    let start = start(command);
    archive.file("start", 0o755, u64::try_from(start.len())?, start.as_bytes())?;
    archive.file("init", 0o755, u64::try_from(INIT.len())?, INIT.as_bytes())?;
    if let Some(put) = put {
        crate::image::archive::put(&mut archive, put)?;
    }
    archive.finish()?;
    let boot = Boot::Direct { kernel, module, cmdline: "console=ttyS0 nokaslr panic=-1".into() };
    Ok(Start { boot, disks: vec![Disk { snapshot: true, ..Disk::new(disk, Bus::Virtio) }] })
}

/// The disk with the image's files.
fn root(workspace: &Workspace, config: &str) -> Result<PathBuf> {
    let tree = tree::build(workspace, config, CLibrary::Glibc)?;
    ensure!(
        tree.join(UDEVD).symlink_metadata().is_ok(),
        "the image {config} has no Debian package udev, without which Linux has no devices"
    );
    let out = workspace.target_dir("root")?.join(format!("{config}.ext4"));
    let mut stamp = Stamp::new(&out);
    stamp.file(&stamp::path_of(&tree))?;
    if !stamp.is_fresh() {
        let _step = Step::start(format!("making Linux's disk of {config}"));
        disk::ext4(&out, &tree, ROOM)?;
        stamp.save()?;
    }
    Ok(out)
}

/// The script that goes on in the root file system, and runs the command.
fn start(command: &[String]) -> String {
    let words: Vec<String> = command.iter().map(|word| quote(word)).collect();
    format!(
        r#"mount -t tmpfs -o mode=1777 tmp /tmp
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TMPDIR=/tmp
/{UDEVD} --daemon
udevadm trigger --action=add
udevadm settle
stty -F /dev/ttyS1 raw
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

#[cfg(test)]
mod tests {
    #[test]
    fn quotes_for_the_shell() {
        let script = super::start(&["/bin/echo".into(), "it's $5".into()]);
        assert!(script.contains(r"'/bin/echo' 'it'\''s $5' </dev/null"), "{script}");
    }
}
