//! Which partition: what the kernel's command line calls `root=`.

use ochre_abi::{Errno, Result};
use ochre_block::Partition;
use std::fmt;
use std::time::{Duration, Instant};

/// How long a disk may take to appear.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked for, and said what is missing.
const LOOK: Duration = Duration::from_millis(20);
const TELL: Duration = Duration::from_secs(5);
/// Bytes that the changes of live media may take if the kernel does not tell how much memory there is.
const DEFAULT_LIMIT: u64 = 128 << 20;

/// A partition, or a whole disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// A file of a disk's scheme, `disk.virtio-0/0p2`.
    Path(String),
    /// The partition's own identifier in the GPT, lower case.
    PartUuid(String),
    /// The partition's name in the GPT.
    Label(String),
}

impl Root {
    /// From `root=`'s value. `None` for what is none of these.
    pub fn parse(text: &str) -> Option<Root> {
        match text.split_once('=') {
            Some((_, "")) => None,
            Some(("PARTUUID", id)) => Some(Root::PartUuid(id.to_ascii_lowercase())),
            Some(("LABEL", name)) => Some(Root::Label(name.to_owned())),
            Some(_) => None,
            None if text.starts_with("disk.") => Some(Root::Path(text.to_owned())),
            None => None,
        }
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Root::Path(path) => f.write_str(path),
            Root::PartUuid(id) => write!(f, "PARTUUID={id}"),
            Root::Label(name) => write!(f, "LABEL={name}"),
        }
    }
}

/// The path of the partition's file, once it is there. ENODEV if it does not appear.
pub fn find(root: &Root) -> Result<String> {
    let start = Instant::now();
    let mut told = start;
    loop {
        if let Some(path) = look(root) {
            return Ok(path);
        }
        if start.elapsed() > PATIENCE {
            return Err(Errno::ENODEV);
        }
        if told.elapsed() >= TELL {
            eprintln!("fsd: waiting for {root}; there are: {}", disks().join(" "));
            told = Instant::now();
        }
        std::thread::sleep(LOOK);
    }
}

fn look(root: &Root) -> Option<String> {
    match root {
        Root::Path(path) => {
            let path = format!("/scheme/{path}");
            let scheme = path.split('/').nth(2)?;
            (disks().iter().any(|disk| disk == scheme) && std::fs::metadata(&path).is_ok()).then_some(path)
        }
        Root::PartUuid(_) | Root::Label(_) => disks().iter().find_map(|disk| {
            // A driver that has just died is asked again.
            let partitions = ochre_block::partitions(disk).unwrap_or_default();
            let found = partitions.iter().find(|partition| is_root(partition, root))?;
            Some(format!("/scheme/{disk}/{}", found.file()))
        }),
    }
}

fn is_root(partition: &Partition, root: &Root) -> bool {
    match root {
        Root::Path(_) => false,
        Root::PartUuid(id) => !partition.uuid.is_empty() && partition.uuid.eq_ignore_ascii_case(id),
        Root::Label(name) => partition.name == *name,
    }
}

/// The disks that are served now.
fn disks() -> Vec<String> {
    served(&std::fs::read_to_string("/scheme/sys/scheme").unwrap_or_default())
}

fn served(text: &str) -> Vec<String> {
    let fields = |line: &str| line.split_once(' ').map(|(name, rest)| (name.to_owned(), rest.starts_with("served")));
    let disks = text.lines().filter_map(fields).filter(|(name, served)| *served && name.starts_with("disk."));
    disks.map(|(name, _)| name).collect()
}

/// Bytes that changes of live media may take: half of the memory, as in tmpfs.
pub fn live_limit() -> u64 {
    let text = std::fs::read_to_string("/scheme/sys/memory").unwrap_or_default();
    let frames = text.lines().find_map(|line| line.strip_prefix("total_frames ")?.parse::<u64>().ok());
    frames.map_or(DEFAULT_LIMIT, |frames| frames * 4096 / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_read() {
        assert_eq!(Root::parse("disk.virtio-0/0p2"), Some(Root::Path("disk.virtio-0/0p2".into())));
        assert_eq!(Root::parse("PARTUUID=AB-C"), Some(Root::PartUuid("ab-c".into())));
        assert_eq!(Root::parse("LABEL=ochre-root"), Some(Root::Label("ochre-root".into())));
        for wrong in ["", "LABEL=", "UUID=x", "/dev/sda", "=x"] {
            assert_eq!(Root::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn partitions_are_told_apart() {
        let line = "0p2\t2048\t4096\t0fc63daf-8483-4772-8e79-3d69d8477de4\tABCD-ef\tochre-root";
        let partition: Partition = line.parse().unwrap();
        let nameless = Partition { uuid: String::new(), name: String::new(), ..partition.clone() };
        let is = |text: &str, partition: &Partition| is_root(partition, &Root::parse(text).unwrap());
        assert!(is("PARTUUID=abcd-EF", &partition) && is("LABEL=ochre-root", &partition));
        assert!(
            !is("PARTUUID=abcd", &partition) && !is("LABEL=Ochre-root", &partition) && !is("disk.a/0p2", &partition)
        );
        assert!(!is("PARTUUID=x", &nameless) && !is("LABEL=x", &nameless));
    }

    #[test]
    fn only_disks_that_are_served_count() {
        let text = "name state calls\ndisk.ahci-0 reserved 0 0\nrand served 5 6\ndisk.virtio-0 served 1 2 3\n";
        assert_eq!(served(text), ["disk.virtio-0"]);
        assert!(served("").is_empty());
    }
}
