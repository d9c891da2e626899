//! /proc/PID/mounts and mountinfo: what a process's namespace binds, in mount(8)'s words.

use crate::kernel;
use ochre_scheme::Result;
use std::fmt::Write;
use std::os::unix::fs::MetadataExt;

/// The device number of /proc (this server's own files have it).
pub const PROC_DEVICE: u64 = 22;

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The prefix.
    pub place: String,
    /// What is bound to it: a scheme, and a path in it.
    pub target: String,
    source: String,
    kind: &'static str,
    options: &'static str,
}

/// The prefixes of a namespace, as the kernel lists them, that are file systems to a Linux program. Names of single files, as
/// /dev/null has one of its own, are none. `device`: the root file system's.
pub fn mounts(namespace: &str, device: impl Fn() -> Option<String>) -> Vec<Mount> {
    let lines = namespace.lines().filter_map(|line| line.split_once(' '));
    lines.filter_map(|(place, target)| mount(place, target, &device)).collect()
}

fn mount(place: &str, target: &str, device: impl Fn() -> Option<String>) -> Option<Mount> {
    let scheme = target.split('/').next().unwrap_or_default();
    let plain = |text: &str| text.to_owned();
    let (source, kind, options) = match target {
        "initfs" => (plain("initfs"), "tmpfs", "rw,relatime"),
        "procfs" => (plain("proc"), "proc", "rw,nosuid,nodev,noexec,relatime"),
        "devd/dev" => (plain("udev"), "devtmpfs", "rw,nosuid,relatime"),
        "devd/sys" => (plain("sysfs"), "sysfs", "ro,nosuid,nodev,noexec,relatime"),
        "tty/pts" => (plain("devpts"), "devpts", "rw,nosuid,noexec,relatime"),
        _ if scheme.starts_with("tmpfs.") => (plain("tmpfs"), "tmpfs", "rw,nosuid,nodev,relatime"),
        "file" => (device().unwrap_or_else(|| plain("file")), "redoxfs", "rw,relatime"),
        _ if scheme.starts_with("file.") => (plain(target), "redoxfs", "rw,relatime"),
        _ => return None,
    };
    Some(Mount { place: plain(place), target: plain(target), source, kind, options })
}

/// The device that the kernel's command line names as the root file system's, by its link in /dev/disk.
fn root_device() -> Option<String> {
    let cmdline = kernel::read("/scheme/sys/cmdline").ok()?;
    let cmdline = String::from_utf8_lossy(&cmdline).into_owned();
    let wanted = cmdline.split_ascii_whitespace().filter_map(|word| word.strip_prefix("root=")).next_back()?;
    let link = match wanted.split_once('=') {
        Some(("PARTUUID", uuid)) => format!("by-partuuid/{}", uuid.to_ascii_lowercase()),
        Some(("LABEL", name)) => format!("by-partlabel/{name}"),
        // A file of a disk's scheme: the device whose node leads there.
        _ => return None,
    };
    let target = std::fs::read_link(format!("/scheme/devd/dev/disk/{link}")).ok()?;
    Some(format!("/dev/{}", target.file_name()?.to_string_lossy()))
}

fn of_process(pid: u32) -> Result<Vec<Mount>> {
    let namespace = kernel::of_process(pid, "namespace")?;
    let served = kernel::served();
    let device = || served.iter().any(|name| name == "devd").then(root_device).flatten();
    Ok(mounts(&String::from_utf8_lossy(&namespace), device))
}

/// /proc/PID/mounts.
pub fn text(pid: u32) -> Result<Vec<u8>> {
    let line = |mount: &Mount| format!("{} {} {} {} 0 0\n", mount.source, mount.place, mount.kind, mount.options);
    Ok(of_process(pid)?.iter().map(line).collect::<String>().into_bytes())
}

/// /proc/PID/mountinfo.
pub fn info(pid: u32) -> Result<Vec<u8>> {
    let served = kernel::served();
    let device = |mount: &Mount| match mount.target.split('/').next() {
        Some("procfs") => PROC_DEVICE,
        // Only who is there is asked: a dead server holds nothing up.
        Some(name) if served.iter().any(|own| own == name) => {
            std::fs::metadata(format!("/scheme/{}", mount.target)).map_or(0, |stat| stat.dev())
        }
        _ => 0,
    };
    Ok(lines(&of_process(pid)?, device).into_bytes())
}

/// A mount's id is its place in the list; its parent is the longest other prefix that it is below.
fn lines(mounts: &[Mount], device: impl Fn(&Mount) -> u64) -> String {
    const FIRST: usize = 20;
    let mut text = String::new();
    for (index, mount) in mounts.iter().enumerate() {
        let above = |other: &&(usize, &Mount)| {
            let place = other.1.place.trim_end_matches('/');
            other.0 != index && mount.place.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))
        };
        let parent = mounts.iter().enumerate().collect::<Vec<_>>();
        let parent =
            parent.iter().filter(above).max_by_key(|(_, other)| other.place.len()).map_or(1, |(n, _)| n + FIRST);
        let number = device(mount);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} {parent} {}:{} / {} {} - {} {} {}",
            index + FIRST,
            number >> 8 & 0xfff,
            number & 0xff | number >> 12 & 0xf_ff00,
            mount.place,
            mount.options,
            mount.kind,
            mount.source,
            mount.options.split(',').next().unwrap_or("rw"),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace() {
        let text = "/ file\n/scheme *\n/dev devd/dev\n/tmp tmpfs.tmp\n/dev/null null\n/proc procfs\n/dev/pts tty/pts\n";
        let mounts = mounts(text, || Some("/dev/vda3".to_owned()));
        let expected = "20 1 0:7 / / rw,relatime - redoxfs /dev/vda3 rw\n\
            21 20 0:7 / /dev rw,nosuid,relatime - devtmpfs udev rw\n\
            22 20 0:7 / /tmp rw,nosuid,nodev,relatime - tmpfs tmpfs rw\n\
            23 20 0:7 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw\n\
            24 21 0:7 / /dev/pts rw,nosuid,noexec,relatime - devpts devpts rw\n";
        assert_eq!(lines(&mounts, |_| 7), expected);
    }
}
