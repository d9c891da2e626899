//! What is there without any driver: the devices that the base servers are, and folders.

use ochre_devd::{Device, Node};
use std::fmt::Write;

/// Group tty (Debian's base-passwd).
const TTY: u32 = 5;
/// Group dialout.
const DIALOUT: u32 = 20;

/// Class, name, Linux's numbers (Documentation/admin-guide/devices.txt), mode, group, and what serves it.
type Row = (&'static str, &'static str, (u32, u32), u32, u32, &'static str);

const DEVICES: &[Row] = &[
    ("mem", "null", (1, 3), 0o666, 0, "/scheme/null"),
    ("mem", "zero", (1, 5), 0o666, 0, "/scheme/zero"),
    ("mem", "full", (1, 7), 0o666, 0, "/scheme/zero/full"),
    ("mem", "random", (1, 8), 0o666, 0, "/scheme/rand"),
    ("mem", "urandom", (1, 9), 0o666, 0, "/scheme/rand"),
    ("mem", "kmsg", (1, 11), 0o644, 0, "/scheme/sys/kmsg"),
    ("tty", "tty", (5, 0), 0o666, TTY, "/scheme/tty/tty"),
    ("tty", "console", (5, 1), 0o600, 0, "/scheme/tty/console"),
    ("tty", "ptmx", (5, 2), 0o666, TTY, "/scheme/tty/ptmx"),
    ("tty", "ttyS0", (4, 64), 0o660, DIALOUT, "/scheme/tty/ttyS0"),
];

/// Links of /dev, as Linux's devtmpfs and udev have them.
pub const LINKS: &[(&str, &str)] = &[
    ("dev/fd", "/proc/self/fd"),
    ("dev/stdin", "/proc/self/fd/0"),
    ("dev/stdout", "/proc/self/fd/1"),
    ("dev/stderr", "/proc/self/fd/2"),
];

/// Folders that are there whatever is in them. Those of /dev are places where other file systems are bound.
pub const FOLDERS: &[&str] = &[
    "dev/mqueue",
    "dev/pts",
    "dev/shm",
    "sys/block",
    "sys/bus",
    "sys/class",
    "sys/dev/block",
    "sys/dev/char",
    "sys/devices/virtual",
    "sys/firmware",
    "sys/fs/cgroup",
    "sys/kernel",
    "sys/module",
    "sys/power",
    "udev/data",
    "udev/tags",
];

/// The devices.
pub fn devices() -> Vec<Device> {
    let node = |(_, name, (major, minor), mode, gid, path): &Row| Node {
        name: (*name).to_owned(),
        block: false,
        major: *major,
        minor: *minor,
        mode: *mode,
        gid: *gid,
        path: (*path).to_owned(),
    };
    DEVICES.iter().map(|row| Device::of_class(row.0, row.1).node(node(row))).collect()
}

/// Files of /sys about the machine and its CPUs.
pub fn files(cpus: u64) -> Vec<(String, String)> {
    let range = if cpus > 1 { format!("0-{}\n", cpus - 1) } else { "0\n".to_owned() };
    let mut mask = String::new();
    // A set as the kernel prints it: words of 32 bits, the highest first.
    for word in (0..cpus.div_ceil(32)).rev() {
        let bits = (0..32).filter(|bit| word * 32 + bit < cpus).fold(0u32, |mask, bit| mask | 1 << bit);
        let comma = if mask.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(mask, "{comma}{bits:x}");
    }
    let mut files = Vec::new();
    let mut file = |path: &str, text: &str| files.push((format!("sys/{path}"), text.to_owned()));
    for name in ["online", "possible", "present"] {
        file(&format!("devices/system/cpu/{name}"), &range);
    }
    file("devices/system/cpu/offline", "\n");
    file("devices/system/cpu/kernel_max", &format!("{}\n", cpus.saturating_sub(1)));
    for cpu in 0..cpus {
        let place = |name: &str| format!("devices/system/cpu/cpu{cpu}/topology/{name}");
        file(&place("core_id"), &format!("{cpu}\n"));
        file(&place("physical_package_id"), "0\n");
        file(&place("core_cpus_list"), &format!("{cpu}\n"));
        file(&place("thread_siblings_list"), &format!("{cpu}\n"));
        file(&place("thread_siblings"), &format!("{:x}\n", 1u128 << cpu.min(127)));
        file(&place("package_cpus_list"), &range);
        file(&place("core_siblings_list"), &range);
        file(&place("core_siblings"), &format!("{mask}\n"));
    }
    file("devices/system/node/online", "0\n");
    file("devices/system/node/possible", "0\n");
    file("devices/system/node/node0/cpulist", &range);
    file("devices/system/node/node0/cpumap", &format!("{mask}\n"));
    // What the machine can do: power off, which is no sleeping state (Documentation/admin-guide/pm/sleep-states.rst).
    file("power/state", "\n");
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus() {
        let text = |cpus, path: &str| {
            let path = format!("sys/{path}");
            files(cpus).into_iter().find(|(name, _)| *name == path).map(|(_, text)| text)
        };
        assert_eq!(text(1, "devices/system/cpu/online").as_deref(), Some("0\n"));
        assert_eq!(text(4, "devices/system/cpu/online").as_deref(), Some("0-3\n"));
        assert_eq!(text(4, "devices/system/node/node0/cpumap").as_deref(), Some("f\n"));
        assert_eq!(text(33, "devices/system/node/node0/cpumap").as_deref(), Some("1,ffffffff\n"));
        assert_eq!(text(4, "devices/system/cpu/cpu3/topology/core_id").as_deref(), Some("3\n"));
        assert_eq!(text(4, "devices/system/cpu/cpu4/topology/core_id"), None);
    }
}
