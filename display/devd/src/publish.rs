//! From devices to names: what Linux's sysfs, devtmpfs and udev make of a device.

use crate::base;
use crate::tree::{Entry, Kind, Tree};
use ochre_devd::{Device, Parent, Subsystem};
use std::collections::HashMap;
use std::fmt::Write;

/// A device's name among all: its subsystem's and its own.
pub type Id = (String, String);

/// A device, and when it came (µs since the machine's start).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub device: Device,
    pub since: u64,
}

/// The id of a device.
pub fn id(device: &Device) -> Id {
    (device.subsystem.name().to_owned(), device.name.clone())
}

/// Parents above parents, at the most.
const DEPTH: usize = 16;

/// Linux's encoding of a device number (makedev(3)).
pub fn number(major: u32, minor: u32) -> u64 {
    let (major, minor) = (u64::from(major), u64::from(minor));
    minor & 0xff | (major & 0xfff) << 8 | (minor & !0xff) << 12 | (major & !0xfff) << 32
}

/// All names, of devices in the order in which they came, on a machine with so many CPUs.
pub fn publish(known: &[Known], cpus: u64) -> Tree {
    let mut tree = Tree::default();
    base::FOLDERS.iter().for_each(|folder| {
        tree.put_folder(folder);
    });
    for (link, target) in base::LINKS {
        tree.put(link, Entry::new(Kind::Link(target.as_bytes().to_vec()), 0o777));
    }
    for (path, text) in base::files(cpus) {
        tree.put_text(path, text);
    }
    // libudev looks for this to see whether there is a udev at all (sd-device's udev_available).
    tree.put("udev/control", Entry::new(Kind::File(Vec::new()), 0o600));
    let all: HashMap<Id, &Device> = known.iter().map(|known| (id(&known.device), &known.device)).collect();
    for known in known {
        one(&mut tree, known, &all);
    }
    tree
}

/// Where a device is below `sys/devices`, as far as its parents are known.
fn path(device: &Device, all: &HashMap<Id, &Device>, depth: usize) -> String {
    let class = match &device.subsystem {
        Subsystem::Class(class) => Some(class),
        Subsystem::Bus(_) => None,
    };
    match parent(device, all).filter(|_| depth < DEPTH) {
        Some(above) => {
            let place = path(above, all, depth + 1);
            match (class, &above.subsystem) {
                // Between a device on a bus and one of a class stands the class's name.
                (Some(class), Subsystem::Bus(_)) => format!("{place}/{class}/{}", device.name),
                _ => format!("{place}/{}", device.name),
            }
        }
        None => match (&device.parent, class) {
            (Parent::Folder(folder), _) => format!("{folder}/{}", device.name),
            (_, Some(class)) => format!("virtual/{class}/{}", device.name),
            (_, None) => device.name.clone(),
        },
    }
}

fn parent<'d>(device: &Device, all: &HashMap<Id, &'d Device>) -> Option<&'d Device> {
    match &device.parent {
        Parent::Device(subsystem, name) => all.get(&(subsystem.clone(), name.clone())).copied(),
        _ => None,
    }
}

fn one(tree: &mut Tree, known: &Known, all: &HashMap<Id, &Device>) {
    let device = &known.device;
    let place = format!("sys/devices/{}", path(device, all, 0));
    let name = &device.name;
    // Who was here first stays; the registry sees to it that ids are unique, but a parent may have gone.
    if !tree.put_folder(&place) {
        return;
    }
    if let Some(parent) = parent(device, all) {
        let above = format!("sys/devices/{}", path(parent, all, 0));
        if parent.subsystem != device.subsystem {
            tree.put_link(&format!("{place}/device"), &above);
        }
        if let (Some(driver), Subsystem::Bus(bus)) = (&device.driver, &parent.subsystem) {
            let drivers = format!("sys/bus/{bus}/drivers/{driver}");
            tree.put_link(&format!("{drivers}/{}", parent.name), &above);
            tree.put_link(&format!("{above}/driver"), &drivers);
        }
    }
    match &device.subsystem {
        Subsystem::Bus(bus) => {
            tree.put_folder(&format!("sys/bus/{bus}/drivers"));
            tree.put_link(&format!("sys/bus/{bus}/devices/{name}"), &place);
            tree.put_link(&format!("{place}/subsystem"), &format!("sys/bus/{bus}"));
        }
        Subsystem::Class(class) => {
            tree.put_link(&format!("sys/class/{class}/{name}"), &place);
            tree.put_link(&format!("{place}/subsystem"), &format!("sys/class/{class}"));
        }
    }
    for (file, text) in &device.attributes {
        tree.put_text(format!("{place}/{file}"), format!("{text}\n"));
    }
    for (file, path) in &device.files {
        tree.put(format!("{place}/{file}"), Entry::new(Kind::Elsewhere(path.clone()), 0o444));
    }
    let uevent = uevent(device, all);
    tree.put(
        format!("{place}/uevent"),
        Entry::new(Kind::File(uevent.iter().map(|(n, v)| format!("{n}={v}\n")).collect::<String>().into()), 0o644),
    );
    let mut key = format!("+{}:{name}", device.subsystem.name());
    if let Some(node) = &device.node {
        let (kind, class) = if node.block { ("b", "block") } else { ("c", "char") };
        let numbers = format!("{}:{}", node.major, node.minor);
        key = format!("{kind}{numbers}");
        tree.put_text(format!("{place}/dev"), format!("{numbers}\n"));
        tree.put_link(&format!("sys/dev/{class}/{numbers}"), &place);
        if node.block && device.uevent.iter().any(|(name, value)| name == "DEVTYPE" && value == "disk") {
            tree.put_link(&format!("sys/block/{name}"), &place);
        }
        let own =
            Kind::Node { block: node.block, number: number(node.major, node.minor), path: Some(node.path.clone()) };
        let own = Entry { kind: own, mode: node.mode, uid: 0, gid: node.gid };
        tree.put(format!("dev/{}", node.name), own);
        for link in &device.links {
            tree.put_link(&format!("dev/{link}"), &format!("dev/{}", node.name));
        }
    }
    tree.put(format!("udev/data/{key}"), Entry::new(Kind::File(database(known).into_bytes()), 0o644));
}

/// A device's variables as the kernel tells them.
fn uevent(device: &Device, all: &HashMap<Id, &Device>) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    if let Some(node) = &device.node {
        lines.push(("MAJOR".to_owned(), node.major.to_string()));
        lines.push(("MINOR".to_owned(), node.minor.to_string()));
        lines.push(("DEVNAME".to_owned(), node.name.clone()));
        if !node.block && node.mode != 0o600 {
            lines.push(("DEVMODE".to_owned(), format!("0{:o}", node.mode)));
        }
    }
    // The driver is told by a child.
    let own = id(device);
    let is_child = |other: &&&Device| matches!(&other.parent, Parent::Device(s, n) if *s == own.0 && *n == own.1);
    if let Some(driver) = all.values().filter(is_child).find_map(|child| child.driver.as_ref()) {
        lines.push(("DRIVER".to_owned(), driver.clone()));
    }
    lines.extend(device.uevent.iter().cloned());
    lines
}

/// A device's file of /run/udev/data (systemd's device_update_db).
fn database(known: &Known) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for link in &known.device.links {
        let _ = writeln!(text, "S:{link}");
    }
    let _ = writeln!(text, "I:{}", known.since);
    for (name, value) in &known.device.properties {
        let _ = writeln!(text, "E:{name}={value}");
    }
    text.push_str("V:1\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Walk;
    use ochre_devd::Node;

    fn node(name: &str, minor: u32) -> Node {
        let path = format!("/scheme/disk.virtio-0/{minor}");
        Node { name: name.into(), block: true, major: 254, minor, mode: 0o660, gid: 6, path }
    }

    fn known() -> Vec<Known> {
        let pci = Device::on_bus("pci", "0000:00:05.0").in_folder("pci0000:00").attribute("vendor", "0x1af4");
        let disk = Device::of_class("block", "vda").below("pci", "0000:00:05.0").node(node("vda", 0));
        let disk = disk.attribute("queue/rotational", "1").uevent("DEVTYPE", "disk").driver("virtio-pci");
        let part = Device::of_class("block", "vda1").below("block", "vda").node(node("vda1", 1));
        let part = part.uevent("DEVTYPE", "partition").link("disk/by-label/x").property("ID_FS_TYPE", "ext4");
        [pci, disk, part].into_iter().map(|device| Known { device, since: 7 }).collect()
    }

    fn text(tree: &Tree, path: &str) -> Option<String> {
        let Ok(Walk::At(path)) = tree.walk(b"", path.as_bytes(), true) else { return None };
        match &tree.get(&path)?.kind {
            Kind::File(text) => String::from_utf8(text.clone()).ok(),
            other => Some(format!("{other:?}")),
        }
    }

    #[test]
    fn a_disk() {
        let tree = publish(&known(), 1);
        let text = |path: &str| text(&tree, path).unwrap_or_default();
        let place = "sys/devices/pci0000:00/0000:00:05.0/block/vda/vda1";
        assert_eq!(text(&format!("{place}/dev")), "254:1\n");
        assert_eq!(text("sys/class/block/vda1/dev"), "254:1\n");
        assert_eq!(text("sys/block/vda/vda1/dev"), "254:1\n");
        assert_eq!(text("sys/dev/block/254:0/queue/rotational"), "1\n");
        assert_eq!(text("sys/block/vda/device/vendor"), "0x1af4\n");
        assert_eq!(text("sys/bus/pci/devices/0000:00:05.0/uevent"), "DRIVER=virtio-pci\n");
        assert_eq!(text("sys/bus/pci/drivers/virtio-pci/0000:00:05.0/driver/0000:00:05.0/vendor"), "0x1af4\n");
        assert_eq!(text("sys/class/block/vda1/uevent"), "MAJOR=254\nMINOR=1\nDEVNAME=vda1\nDEVTYPE=partition\n");
        assert_eq!(text("udev/data/b254:1"), "S:disk/by-label/x\nI:7\nE:ID_FS_TYPE=ext4\nV:1\n");
        assert_eq!(text("udev/data/+pci:0000:00:05.0"), "I:7\nV:1\n");
        assert!(tree.get(b"sys/block/vda1").is_none());
        let link = tree.walk(b"", b"dev/disk/by-label/x", true);
        assert_eq!(link, Ok(Walk::At(b"dev/vda1".to_vec())));
        let Some(Entry { kind: Kind::Node { number: 0xfe01, path: Some(path), .. }, mode: 0o660, gid: 6, .. }) =
            tree.get(b"dev/vda1")
        else {
            panic!("{:?}", tree.get(b"dev/vda1"))
        };
        assert_eq!(path, "/scheme/disk.virtio-0/1");
    }

    #[test]
    fn a_parent_that_goes_takes_only_its_place_along() {
        let mut rest = known();
        rest.remove(0);
        let tree = publish(&rest, 1);
        assert_eq!(text(&tree, "sys/devices/virtual/block/vda/vda1/dev").as_deref(), Some("254:1\n"));
        assert_eq!(text(&tree, "sys/bus/pci/devices/0000:00:05.0/vendor"), None);
    }

    #[test]
    fn parents_in_a_ring_end() {
        let a = Device::of_class("x", "a").below("x", "b");
        let b = Device::of_class("x", "b").below("x", "a");
        let tree = publish(&[a, b].map(|device| Known { device, since: 0 }), 1);
        assert!(tree.list(b"sys/class/x").len() <= 2);
    }

    #[test]
    fn numbers_are_makedevs() {
        assert_eq!(number(254, 3), 0xfe03);
        assert_eq!(number(259, 0x12345), 0x1231_0345);
    }
}
