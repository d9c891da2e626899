//! Tells devd of disks and partitions, with the names, numbers and attributes that Linux gives them.

use super::drive::{Family, Limits};
use crate::partition::Partition;
use crate::table::content::Content;
use ochre_devd::{Device, Node, Registration};
use std::io::ErrorKind;

/// Group disk (Debian's base-passwd).
const DISK: u32 = 6;
/// Group cdrom.
const CDROM: u32 = 24;

/// The devices of a driver that devd knows.
#[derive(Debug)]
pub struct Announcer {
    registration: Registration,
    /// The scheme: `disk.virtio-0`.
    scheme: String,
    /// The PCI function: `00:05.0`.
    function: String,
    /// By unit.
    told: Vec<Vec<Device>>,
}

/// A disk as far as devd is told of it.
pub struct Subject<'a> {
    /// Its number in the scheme.
    pub unit: usize,
    /// What it is.
    pub limits: &'a Limits,
    /// Its partitions, and what is on each.
    pub partitions: &'a [(Partition, Option<Content>)],
    /// What is on it as a whole.
    pub content: Option<Content>,
}

impl Announcer {
    /// For a scheme whose devices belong to a PCI function. None: there is no devd here.
    pub fn new(scheme: &str, function: &str) -> Option<Announcer> {
        match Registration::open() {
            Ok(registration) => Some(Announcer {
                registration,
                scheme: scheme.to_owned(),
                function: function.to_owned(),
                told: Vec::new(),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                eprintln!("{scheme}: devd: {error}");
                None
            }
        }
    }

    /// A disk is there, or is another one than it was.
    pub fn tell(&mut self, subject: &Subject<'_>) {
        let devices = devices(&self.scheme, &self.function, subject);
        if self.told.len() <= subject.unit {
            self.told.resize(subject.unit + 1, Vec::new());
        }
        let before = std::mem::take(&mut self.told[subject.unit]);
        for old in before.iter().filter(|old| !devices.iter().any(|new| new.name == old.name)) {
            if let Err(error) = self.registration.remove(old.subsystem.name(), &old.name) {
                eprintln!("{}: devd: {}: {error}", self.scheme, old.name);
            }
        }
        for new in devices.iter().filter(|new| !before.contains(new)) {
            if let Err(error) = self.registration.add(new) {
                eprintln!("{}: devd: {}: {error}", self.scheme, new.name);
            }
        }
        self.told[subject.unit] = devices;
    }
}

/// `a` to `z`, `aa` and so on.
fn letters(mut n: u32) -> String {
    let mut name = String::new();
    loop {
        name.insert(0, (b'a' + (n % 26) as u8) as char);
        match n / 26 {
            0 => return name,
            more => n = more - 1,
        }
    }
}

/// Linux's name of a disk.
fn disk_name(family: Family) -> String {
    match family {
        Family::Virtio(n) => format!("vd{}", letters(n)),
        Family::Scsi(n) => format!("sd{}", letters(n)),
        Family::Cd(n) => format!("sr{n}"),
    }
}

/// A name as udev writes it into /dev/disk: what is not for names is escaped (udev's encode_devnode_name).
fn escaped(name: &str) -> String {
    let fine = |c: char| c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c) || !c.is_ascii();
    let one = |c: char| if fine(c) { c.to_string() } else { format!("\\x{:02x}", c as u32) };
    name.chars().map(one).collect()
}

/// A name with what is not for names replaced, as udev's ID_SERIAL has it.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c) { c } else { '_' }).collect()
}

/// All devices that a disk is.
pub fn devices(scheme: &str, function: &str, subject: &Subject<'_>) -> Vec<Device> {
    let limits = subject.limits;
    let name = disk_name(limits.family);
    let pci = format!("0000:{function}");
    let digits = scheme.trim_start_matches(|c: char| !c.is_ascii_digit());
    let host = digits.parse::<usize>().unwrap_or(0) * 32 + subject.unit;
    // What stands between the function and the disk.
    let between = match limits.family {
        Family::Virtio(n) => Device::on_bus("virtio", format!("virtio{n}"))
            .below("pci", &pci)
            .attribute("device", "0x0002")
            .attribute("vendor", "0x1af4")
            .driver("virtio-pci"),
        Family::Scsi(_) | Family::Cd(_) => Device::on_bus("scsi", format!("{host}:0:0:0"))
            .below("pci", &pci)
            .attribute("type", if limits.removable() { "5" } else { "0" })
            .attribute("model", &limits.model)
            .uevent("DEVTYPE", "scsi_device")
            .driver("ahci"),
    };
    let driver = match limits.family {
        Family::Virtio(_) => "virtio_blk",
        Family::Scsi(_) => "sd",
        Family::Cd(_) => "sr",
    };
    let file = subject.unit.to_string();
    let disk = block(scheme, &file, &name, limits, 0, limits.bytes / 512);
    let path = match limits.family {
        Family::Virtio(_) => format!("pci-{pci}"),
        Family::Scsi(_) | Family::Cd(_) => format!("pci-{pci}-ata-{}", subject.unit + 1),
    };
    let serial = match limits.family {
        Family::Virtio(_) => limits.id.clone(),
        Family::Scsi(_) | Family::Cd(_) => format!("{}_{}", plain(&limits.model), limits.id),
    };
    let by_id = match limits.family {
        Family::Virtio(_) => format!("virtio-{}", plain(&serial)),
        Family::Scsi(_) | Family::Cd(_) => format!("ata-{}", plain(&serial)),
    };
    let named = |device: Device, suffix: &str| {
        let device = device.link(format!("disk/by-path/{path}{suffix}")).property("ID_PATH", &path);
        if limits.id.is_empty() {
            return device;
        }
        let device = device.property("ID_SERIAL", plain(&serial)).property("ID_SERIAL_SHORT", plain(&limits.id));
        device.link(format!("disk/by-id/{by_id}{suffix}"))
    };
    let mut disk = named(disk, "")
        .below(between.subsystem.name(), &between.name)
        .driver(driver)
        .attribute("removable", if limits.removable() { "1" } else { "0" })
        .attribute("range", "16")
        .attribute("ext_range", "256")
        .attribute("hidden", "0")
        .uevent("DEVTYPE", "disk");
    for (attribute, value) in queue(limits) {
        disk = disk.attribute(&format!("queue/{attribute}"), value);
    }
    disk = match limits.family {
        Family::Virtio(_) => disk.attribute("serial", &limits.id).attribute("cache_type", cache(limits)),
        Family::Scsi(_) | Family::Cd(_) => {
            disk.property("ID_BUS", "ata").property("ID_MODEL", plain(&limits.model)).property("ID_ATA", "1")
        }
    };
    if limits.removable() {
        disk = disk.link("cdrom").property("ID_CDROM", "1");
        if limits.bytes > 0 {
            disk = disk.property("ID_CDROM_MEDIA", "1");
        }
    }
    let table = subject.partitions.first().map(|(partition, _)| table(partition));
    if let Some(table) = table {
        disk = disk.property("ID_PART_TABLE_TYPE", table);
    }
    let mut all = vec![between, with_content(disk, subject.content.as_ref())];
    for (partition, content) in subject.partitions {
        let own = format!("{name}{}", partition.number);
        let device =
            block(scheme, &partition.file(), &own, limits, partition.number, partition.sectors).below("block", &name);
        let device = named(device, &format!("-part{}", partition.number))
            .attribute("partition", partition.number.to_string())
            .attribute("start", partition.start.to_string())
            .uevent("DEVTYPE", "partition")
            .uevent("PARTN", partition.number.to_string())
            .property("ID_PART_ENTRY_SCHEME", table.unwrap_or_default())
            .property("ID_PART_ENTRY_TYPE", &partition.kind)
            .property("ID_PART_ENTRY_NUMBER", partition.number.to_string())
            .property("ID_PART_ENTRY_OFFSET", partition.start.to_string())
            .property("ID_PART_ENTRY_SIZE", partition.sectors.to_string());
        all.push(with_content(with_identity(device, partition), content.as_ref()));
    }
    all
}

/// What libblkid calls the kind of table that a partition stands in.
fn table(partition: &Partition) -> &'static str {
    if partition.kind.starts_with("0x") { "dos" } else { "gpt" }
}

fn with_identity(mut device: Device, partition: &Partition) -> Device {
    if !partition.uuid.is_empty() {
        device = device
            .property("ID_PART_ENTRY_UUID", &partition.uuid)
            .link(format!("disk/by-partuuid/{}", escaped(&partition.uuid)));
    }
    if !partition.name.is_empty() {
        let name = escaped(&partition.name);
        device = device
            .uevent("PARTNAME", &partition.name)
            .property("ID_PART_ENTRY_NAME", &name)
            .link(format!("disk/by-partlabel/{name}"));
    }
    device
}

fn with_content(mut device: Device, content: Option<&Content>) -> Device {
    let Some(content) = content else { return device };
    device = device.property("ID_FS_TYPE", content.kind).property("ID_FS_USAGE", "filesystem");
    for (name, folder, value) in [("UUID", "uuid", &content.uuid), ("LABEL", "label", &content.label)] {
        if !value.is_empty() {
            device = device
                .property(&format!("ID_FS_{name}"), plain(value))
                .property(&format!("ID_FS_{name}_ENC"), escaped(value))
                .link(format!("disk/by-{folder}/{}", escaped(value)));
        }
    }
    device
}

/// What disks and partitions have in common.
fn block(scheme: &str, file: &str, name: &str, limits: &Limits, partition: u32, sectors: u64) -> Device {
    let number = limits.device_number(partition);
    let node = Node {
        name: name.to_owned(),
        block: true,
        major: (number >> 8 & 0xfff) as u32,
        minor: (number & 0xff | number >> 12 & 0xf_ff00) as u32,
        mode: 0o660,
        gid: if limits.removable() { CDROM } else { DISK },
        path: format!("/scheme/{scheme}/{file}"),
    };
    Device::of_class("block", name)
        .node(node)
        .attribute("size", sectors.to_string())
        .attribute("ro", if limits.read_only { "1" } else { "0" })
        .attribute("alignment_offset", "0")
        .attribute("discard_alignment", "0")
}

fn cache(limits: &Limits) -> &'static str {
    if limits.cache { "write back" } else { "write through" }
}

/// The files of /sys/block/NAME/queue (Documentation/ABI/stable/sysfs-block).
fn queue(limits: &Limits) -> [(&'static str, String); 15] {
    [
        ("logical_block_size", limits.logical.to_string()),
        ("hw_sector_size", limits.logical.to_string()),
        ("physical_block_size", limits.physical.to_string()),
        ("minimum_io_size", limits.physical.to_string()),
        ("optimal_io_size", "0".to_owned()),
        ("rotational", u8::from(limits.rotational).to_string()),
        ("nr_requests", limits.depth.to_string()),
        ("max_segments", limits.segments.to_string()),
        ("max_sectors_kb", (limits.transfer / 1024).to_string()),
        ("discard_granularity", if limits.discard > 0 { limits.logical } else { 0 }.to_string()),
        ("discard_max_bytes", limits.discard.to_string()),
        ("discard_zeroes_data", "0".to_owned()),
        ("write_zeroes_max_bytes", limits.zero.to_string()),
        ("write_cache", cache(limits).to_owned()),
        // No scheduler stands between.
        ("scheduler", "[none]".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(family: Family) -> Limits {
        Limits {
            bytes: 1 << 20,
            medium: 0,
            logical: 512,
            physical: 512,
            read_only: false,
            depth: 8,
            segments: 8,
            transfer: 1 << 20,
            cache: true,
            discard: 0,
            zero: 0,
            family,
            rotational: true,
            id: "SN 1".into(),
            model: "QEMU HARDDISK".into(),
        }
    }

    #[test]
    fn names() {
        let all: Vec<String> = [0, 1, 25, 26, 27, 701, 702].into_iter().map(letters).collect();
        assert_eq!(all, ["a", "b", "z", "aa", "ab", "zz", "aaa"]);
        assert_eq!((escaped("a b/ü"), plain("a b")), ("a\\x20b\\x2fü".to_owned(), "a_b".to_owned()));
    }

    #[test]
    fn a_virtio_disk() {
        let partition = Partition {
            disk: 0,
            number: 2,
            start: 2048,
            sectors: 100,
            kind: "0fc63daf-8483-4772-8e79-3d69d8477de4".into(),
            uuid: "00000000-0000-0000-0000-000000000001".into(),
            name: "my root".into(),
        };
        let content = Content { kind: "redoxfs", uuid: "1-2".into(), label: String::new() };
        let limits = limits(Family::Virtio(1));
        let partitions = [(partition, Some(content))];
        let subject = Subject { unit: 0, limits: &limits, partitions: &partitions, content: None };
        let all = devices("disk.virtio-1", "00:05.0", &subject);
        let names: Vec<&str> = all.iter().map(|device| &device.name[..]).collect();
        assert_eq!(names, ["virtio1", "vdb", "vdb2"]);
        let node = all[2].node.clone().unwrap();
        assert_eq!((node.major, node.minor, &node.path[..]), (254, 18, "/scheme/disk.virtio-1/0p2"));
        let links = ["by-path/pci-0000:00:05.0-part2", "by-id/virtio-SN_1-part2"].map(|name| format!("disk/{name}"));
        assert!(links.iter().all(|link| all[2].links.contains(link)), "{:?}", all[2].links);
        for link in ["disk/by-partlabel/my\\x20root", "disk/by-uuid/1-2"] {
            assert!(all[2].links.iter().any(|own| own == link), "{link}");
        }
        let property = |name: &str| all[2].properties.iter().find(|(own, _)| own == name).map(|(_, value)| &value[..]);
        assert_eq!(property("ID_FS_TYPE"), Some("redoxfs"));
        assert_eq!(property("ID_PART_ENTRY_SCHEME"), Some("gpt"));
    }

    #[test]
    fn a_cd_drive_without_a_medium() {
        let limits = Limits { bytes: 0, ..limits(Family::Cd(0)) };
        let subject = Subject { unit: 2, limits: &limits, partitions: &[], content: None };
        let all = devices("disk.ahci-0", "00:1f.2", &subject);
        assert_eq!((&all[0].name[..], &all[1].name[..]), ("2:0:0:0", "sr0"));
        let attribute = |name: &str| all[1].attributes.iter().find(|(own, _)| own == name).map(|(_, value)| &value[..]);
        assert_eq!((attribute("size"), attribute("removable")), (Some("0"), Some("1")));
    }
}
