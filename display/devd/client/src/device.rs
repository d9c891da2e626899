//! A device's description, and its form in a message.
//!
//! A message is fields, each a word and a value with a NUL behind each. Values are text without NULs; words that a version of devd does not
//! know are errors, as are devices without a name.

/// What kind of device one is: as Linux says, its subsystem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subsystem {
    /// On a bus: /sys/bus/NAME/devices.
    Bus(String),
    /// Of a class: /sys/class/NAME.
    Class(String),
}

impl Subsystem {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Subsystem::Bus(name) | Subsystem::Class(name) => name,
        }
    }
}

/// Where in /sys/devices a device is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Parent {
    /// Below nothing: in virtual/CLASS, or for one on a bus, in /sys/devices itself.
    #[default]
    None,
    /// In a folder of /sys/devices that is no device: `pci0000:00`.
    Folder(String),
    /// Below another device: the name of its subsystem, and its own.
    Device(String, String),
}

/// A file of /dev.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name below /dev: `vda`, `dri/card0`.
    pub name: String,
    /// A block device, or a character device.
    pub block: bool,
    /// Linux's numbers (makedev(3)).
    pub major: u32,
    /// See `major`.
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
    /// The group that owns it; the owner is the superuser.
    pub gid: u32,
    /// What opening it opens: an absolute path, `/scheme/disk.virtio-0/0`.
    pub path: String,
}

/// A device. Built by its methods, each of which adds what its name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Linux's name for it: `vda`, `0000:00:02.0`.
    pub name: String,
    /// Its subsystem.
    pub subsystem: Subsystem,
    /// Where it is.
    pub parent: Parent,
    /// Its file of /dev, if it has one.
    pub node: Option<Node>,
    /// Files of its folder in /sys and their texts, to which devd adds a line end: `size`, `queue/rotational`.
    pub attributes: Vec<(String, String)>,
    /// Files of its folder in /sys, and the absolute path that each leads to.
    pub files: Vec<(String, String)>,
    /// What its `uevent` says beside what devd adds (MAJOR, MINOR, DEVNAME, DRIVER): `DEVTYPE`, …
    pub uevent: Vec<(String, String)>,
    /// udev's properties beside those.
    pub properties: Vec<(String, String)>,
    /// More names of the node below /dev: `disk/by-uuid/…`.
    pub links: Vec<String>,
    /// Linux's name of the driver that has taken the parent, which stands there for as long as this device does.
    pub driver: Option<String>,
}

/// Text as it may stand in a message and in one line.
fn text(value: impl Into<String>) -> String {
    value.into().replace(['\0', '\n'], " ")
}

impl Device {
    fn new(subsystem: Subsystem, name: impl Into<String>) -> Device {
        Device {
            name: text(name),
            subsystem,
            parent: Parent::None,
            node: None,
            attributes: Vec::new(),
            files: Vec::new(),
            uevent: Vec::new(),
            properties: Vec::new(),
            links: Vec::new(),
            driver: None,
        }
    }

    /// A device of a class.
    pub fn of_class(class: &str, name: impl Into<String>) -> Device {
        Device::new(Subsystem::Class(text(class)), name)
    }

    /// A device on a bus.
    pub fn on_bus(bus: &str, name: impl Into<String>) -> Device {
        Device::new(Subsystem::Bus(text(bus)), name)
    }

    /// Below another device. If devd does not know that one, this one is below nothing.
    pub fn below(mut self, subsystem: &str, name: impl Into<String>) -> Device {
        self.parent = Parent::Device(text(subsystem), text(name));
        self
    }

    /// In a folder of /sys/devices.
    pub fn in_folder(mut self, folder: impl Into<String>) -> Device {
        self.parent = Parent::Folder(text(folder));
        self
    }

    /// Its file of /dev.
    pub fn node(mut self, node: Node) -> Device {
        let (name, path) = (text(node.name), text(node.path));
        self.node = Some(Node { name, path, ..node });
        self
    }

    /// A file of its folder, and its text without the line end.
    pub fn attribute(mut self, name: &str, value: impl Into<String>) -> Device {
        self.attributes.push((text(name), value.into().replace('\0', " ")));
        self
    }

    /// A file of its folder that is another file.
    pub fn file(mut self, name: &str, path: impl Into<String>) -> Device {
        self.files.push((text(name), text(path)));
        self
    }

    /// A line of its `uevent`.
    pub fn uevent(mut self, name: &str, value: impl Into<String>) -> Device {
        self.uevent.push((text(name), text(value)));
        self
    }

    /// A property for udev's clients.
    pub fn property(mut self, name: &str, value: impl Into<String>) -> Device {
        self.properties.push((text(name), text(value)));
        self
    }

    /// Another name of its node.
    pub fn link(mut self, name: impl Into<String>) -> Device {
        self.links.push(text(name));
        self
    }

    /// The driver that has taken the parent.
    pub fn driver(mut self, name: &str) -> Device {
        self.driver = Some(text(name));
        self
    }

    /// As a message's fields.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut field = |word: &str, value: &str| {
            out.extend_from_slice(word.as_bytes());
            out.push(0);
            out.extend_from_slice(value.as_bytes());
            out.push(0);
        };
        field("name", &self.name);
        match &self.subsystem {
            Subsystem::Bus(name) => field("bus", name),
            Subsystem::Class(name) => field("class", name),
        }
        match &self.parent {
            Parent::None => {}
            Parent::Folder(folder) => field("folder", folder),
            Parent::Device(subsystem, name) => field("parent", &format!("{subsystem} {name}")),
        }
        if let Some(node) = &self.node {
            let kind = if node.block { 'b' } else { 'c' };
            let numbers = format!("{kind} {} {} {} {}", node.major, node.minor, node.mode, node.gid);
            field("node", &node.name);
            field("numbers", &numbers);
            field("path", &node.path);
        }
        for (word, pairs) in [
            ("attribute", &self.attributes),
            ("file", &self.files),
            ("uevent", &self.uevent),
            ("property", &self.properties),
        ] {
            pairs.iter().for_each(|(name, value)| field(word, &format!("{name}={value}")));
        }
        self.links.iter().for_each(|link| field("link", link));
        if let Some(driver) = &self.driver {
            field("driver", driver);
        }
    }

    /// Reads a message's fields. `None`: that is no device.
    pub(crate) fn decode(message: &[u8]) -> Option<Device> {
        let message = std::str::from_utf8(message).ok()?.strip_suffix('\0')?;
        let mut values = message.split('\0');
        let mut device = Device::new(Subsystem::Class(String::new()), "");
        while let Some(word) = values.next() {
            let value = values.next()?;
            let pair = || value.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
            match word {
                "name" => device.name = value.to_owned(),
                "bus" => device.subsystem = Subsystem::Bus(value.to_owned()),
                "class" => device.subsystem = Subsystem::Class(value.to_owned()),
                "folder" => device.parent = Parent::Folder(value.to_owned()),
                "parent" => {
                    let (subsystem, name) = value.split_once(' ')?;
                    device.parent = Parent::Device(subsystem.to_owned(), name.to_owned());
                }
                "node" => {
                    let name = value.to_owned();
                    device.node =
                        Some(Node { name, block: false, major: 0, minor: 0, mode: 0, gid: 0, path: String::new() });
                }
                "numbers" => numbers(device.node.as_mut()?, value)?,
                "path" => device.node.as_mut()?.path = value.to_owned(),
                "attribute" => device.attributes.push(pair()?),
                "file" => device.files.push(pair()?),
                "uevent" => device.uevent.push(pair()?),
                "property" => device.properties.push(pair()?),
                "link" => device.links.push(value.to_owned()),
                "driver" => device.driver = Some(value.to_owned()),
                _ => return None,
            }
        }
        device.is_sound().then_some(device)
    }

    /// Names are paths that stay where they belong, and a node leads somewhere.
    fn is_sound(&self) -> bool {
        let one = |name: &str| is_path(name) && !name.contains('/');
        let node = self.node.as_ref().is_none_or(|node| is_path(&node.name) && node.path.starts_with('/'));
        let parent = match &self.parent {
            Parent::None => true,
            Parent::Folder(folder) => is_path(folder),
            Parent::Device(subsystem, name) => one(subsystem) && one(name),
        };
        let pairs = self.attributes.iter().chain(&self.files).all(|(name, _)| is_path(name));
        let files = self.files.iter().all(|(_, path)| path.starts_with('/'));
        let links = self.links.iter().all(|link| is_path(link));
        let driver = self.driver.as_deref().is_none_or(one);
        one(&self.name) && one(self.subsystem.name()) && node && parent && pairs && files && links && driver
    }
}

/// A relative path without anything odd in it.
fn is_path(path: &str) -> bool {
    path.split('/').all(|part| !part.is_empty() && part.len() <= 255 && part != "." && part != "..")
        && !path.chars().any(char::is_control)
}

/// Reads a node's kind, numbers, mode and group.
fn numbers(node: &mut Node, value: &str) -> Option<()> {
    let mut words = value.split(' ');
    node.block = match words.next()? {
        "b" => true,
        "c" => false,
        _ => return None,
    };
    for field in [&mut node.major, &mut node.minor, &mut node.mode, &mut node.gid] {
        *field = words.next()?.parse().ok()?;
    }
    (node.mode & !0o7777 == 0 && words.next().is_none()).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> Device {
        let node = Node {
            name: "vda".into(),
            block: true,
            major: 254,
            minor: 0,
            mode: 0o660,
            gid: 6,
            path: "/scheme/disk.virtio-0/0".into(),
        };
        Device::of_class("block", "vda")
            .below("pci", "0000:00:05.0")
            .node(node)
            .attribute("queue/rotational", "1")
            .attribute("stat", "a=b\nc")
            .file("config", "/scheme/x/y")
            .uevent("DEVTYPE", "disk")
            .property("ID_SERIAL", "with\0odd\nbytes")
            .link("disk/by-id/virtio-x")
            .driver("virtio-pci")
    }

    fn bytes(device: &Device) -> Vec<u8> {
        let mut out = Vec::new();
        device.encode(&mut out);
        out
    }

    #[test]
    fn messages_come_back() {
        for device in
            [disk(), Device::on_bus("pci", "0000:00:1f.2").in_folder("pci0000:00"), Device::of_class("a", "b")]
        {
            assert_eq!(Device::decode(&bytes(&device)), Some(device));
        }
    }

    #[test]
    fn what_is_no_device_is_refused() {
        let whole = bytes(&disk());
        for len in 0..whole.len() {
            // Between two fields a shorter message is whole, too; it must only not panic, and never be the same.
            assert_ne!(Device::decode(&whole[..len]), Some(disk()));
        }
        for wrong in [
            Device::of_class("block", ""),
            Device::of_class("block", ".."),
            Device::of_class("", "x"),
            Device::of_class("block", "a/b"),
            Device::of_class("block", "a").attribute("../x", ""),
            Device::of_class("block", "a").attribute("/x", ""),
            Device::of_class("block", "a").file("x", "relative"),
            Device::of_class("block", "a").link("disk//x"),
            Device::of_class("block", "a").in_folder("a/../b"),
        ] {
            assert_eq!(Device::decode(&bytes(&wrong)), None, "{wrong:?}");
        }
        assert_eq!(Device::decode(b"name\0x\0class\0y\0other\0z\0"), None);
        assert_eq!(Device::decode(b"name\0x\0class\0y\0numbers\0b 1 2 3 4\0"), None);
        assert_eq!(Device::decode(b"\xff"), None);
    }
}
