//! Media that a machine boots from: a disk's image and a hybrid ISO, each with GRUB for BIOS and UEFI.
//!
//! The same inputs make the same bytes: what would be random (GUIDs, serial numbers) is derived from what is on the medium, and every time
//! is [`Contents::time`].

mod disk;
mod fat;
mod grub;
mod iso;
#[cfg(test)]
mod whole;

use anyhow::{Context, Result};
use gpt::partition_types::{OperatingSystem, Type};
use sha2::{Digest, Sha512};
use std::path::{Path, PathBuf};
use uuid::Uuid;

pub use grub::FIRMWARE_ENDS;

/// The name of the root file system's partition.
pub const ROOT_NAME: &str = "ochre-root";

/// The type of that partition: Ochre's own, chosen at random.
pub const ROOT_TYPE: Type =
    Type { guid: uuid::uuid!("6f636872-65f5-4d0e-9b1d-3a7c5e2f8a41"), os: OperatingSystem::None };

/// A kind of medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A disk to be installed on, which keeps what is written.
    Disk,
    /// A live system, for CD and USB stick.
    Iso,
}

impl Kind {
    /// Makes the medium `out`. `work` is a folder for its parts.
    pub fn make(self, contents: &Contents<'_>, work: &Path, out: &Path) -> Result<()> {
        match self {
            Kind::Disk => disk::make(contents, work, out),
            Kind::Iso => iso::make(contents, work, out),
        }
    }

    /// The name of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Kind::Disk => "img",
            Kind::Iso => "iso",
        }
    }

    /// The words of the kernel's command line that lead to this root file system on such a medium.
    pub fn root_words(self, root: &Root) -> String {
        let live = if self == Kind::Iso { " live" } else { "" };
        format!("root=PARTUUID={}{live}", root.guid(self))
    }
}

/// What goes onto a medium.
pub struct Contents<'a> {
    /// The kernel.
    pub kernel: &'a Path,
    /// The boot module.
    pub module: &'a Path,
    /// The root file system's image, if there is one.
    pub root: Option<&'a Root>,
    /// The kernel's command line, without the word `root=`.
    pub cmdline: &'a str,
    /// The time of everything, in seconds since 1970.
    pub time: u64,
}

/// A root file system's image.
#[derive(Clone, Debug)]
pub struct Root {
    /// The file.
    pub file: PathBuf,
    /// What stands for its content.
    pub id: String,
}

impl Root {
    /// The GUID of its partition on a medium of this kind: so that a disk and a live CD in one machine are told apart.
    pub fn guid(&self, kind: Kind) -> Uuid {
        derived(&["partition", kind.extension(), &self.id])
    }
}

impl Contents<'_> {
    /// The kernel's command line on a medium of this kind.
    fn line(&self, kind: Kind) -> String {
        match self.root {
            Some(root) => format!("{} {}", self.cmdline, kind.root_words(root)),
            None => self.cmdline.to_owned(),
        }
    }

    /// What stands for all of it, for GUIDs and serial numbers.
    fn id(&self, what: &str) -> Uuid {
        let root = self.root.map_or("", |root| &root.id);
        derived(&[what, root, self.cmdline, &self.time.to_string()])
    }
}

/// A GUID that depends on nothing but the words: version 8 of RFC 9562.
pub fn derived(words: &[&str]) -> Uuid {
    let mut hash = Sha512::new();
    for word in words {
        hash.update(word);
        hash.update([0]);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Uuid::from_bytes(bytes)
}

/// Puts a file into a folder for a medium, without copying it where the file system can.
fn place(from: &Path, to: &Path) -> Result<()> {
    let problem = || format!("cannot write {}", to.display());
    if to.exists() {
        std::fs::remove_file(to).with_context(problem)?;
    }
    std::fs::copy(from, to).with_context(problem)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_depend_on_the_words() {
        let guid = derived(&["a", "b"]);
        assert_eq!(guid, derived(&["a", "b"]));
        assert_ne!(guid, derived(&["ab", ""]));
        assert_eq!((guid.get_version_num(), guid.as_bytes()[8] >> 6), (8, 2));
    }

    #[test]
    fn only_a_live_medium_says_so() {
        let root = Root { file: PathBuf::new(), id: "x".into() };
        let with = |root| Contents { kernel: Path::new(""), module: Path::new(""), root, cmdline: "a b", time: 0 };
        assert_eq!(with(None).line(Kind::Iso), "a b");
        assert_eq!(with(Some(&root)).line(Kind::Disk), format!("a b root=PARTUUID={}", root.guid(Kind::Disk)));
        assert!(with(Some(&root)).line(Kind::Iso).ends_with(" live"));
        assert_ne!(root.guid(Kind::Disk), root.guid(Kind::Iso));
    }
}
