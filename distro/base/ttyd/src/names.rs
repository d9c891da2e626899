//! What stands where in the scheme, and what stat(2) says of it.

use crate::terminal::{Id, SERIAL};
use ochre_scheme::abi::file::{DT_CHR, DT_DIR, DT_REG, S_IFCHR, S_IFDIR, S_IFREG, Stat, put_dirent};
use std::time::{SystemTime, UNIX_EPOCH};

/// Major number of the pts.
pub const PTS_MAJOR: u32 = 136;
/// /dev/tty.
pub const TTY: (u32, u32) = (5, 0);
/// /dev/console.
pub const CONSOLE: (u32, u32) = (5, 1);
/// /dev/ptmx.
pub const PTMX: (u32, u32) = (5, 2);
/// /dev/ttyS0.
pub const TTY_S0: (u32, u32) = (4, 64);
/// The group tty, which may write to terminals (Debian's base-passwd).
const GROUP_TTY: u32 = 5;
/// The group dialout.
const GROUP_DIALOUT: u32 = 20;
/// st_dev of everything here.
const DEVICE: u64 = 0x17;

/// A place in the scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    Root,
    PtsDirectory,
    Ptmx,
    /// The caller's controlling terminal.
    Tty,
    Console,
    TtyS0,
    Pts(Id),
    Sessions,
}

/// The names in the root.
const ROOT: [(&str, Node, u8); 6] = [
    ("ptmx", Node::Ptmx, DT_CHR),
    ("pts", Node::PtsDirectory, DT_DIR),
    ("tty", Node::Tty, DT_CHR),
    ("console", Node::Console, DT_CHR),
    ("ttyS0", Node::TtyS0, DT_CHR),
    ("sessions", Node::Sessions, DT_REG),
];

impl Node {
    /// The node that a path leads to from this one; `None` if there is none.
    pub fn walk(self, path: &[u8]) -> Option<Node> {
        let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
        parts.into_iter().try_fold(self, |node, part| match (node, part) {
            (Node::Root | Node::PtsDirectory, b"..") => Some(Node::Root),
            (Node::Root, name) => ROOT.iter().find(|(n, ..)| n.as_bytes() == name).map(|(_, node, _)| *node),
            (Node::PtsDirectory, name) => number(name).map(Node::Pts),
            _ => None,
        })
    }

    fn ino(self) -> u64 {
        match self {
            Node::Root => 1,
            Node::PtsDirectory => 2,
            Node::Ptmx => 3,
            Node::Tty => 4,
            Node::Console => 5,
            Node::TtyS0 => 6,
            Node::Sessions => 7,
            Node::Pts(id) => 16 + id as u64,
        }
    }

    /// It is a directory.
    pub fn is_directory(self) -> bool {
        matches!(self, Node::Root | Node::PtsDirectory)
    }

    fn device(self) -> (u32, u32) {
        match self {
            Node::Root | Node::PtsDirectory | Node::Sessions => (0, 0),
            Node::Ptmx => PTMX,
            Node::Tty => TTY,
            Node::Console => CONSOLE,
            Node::TtyS0 => TTY_S0,
            Node::Pts(id) => (PTS_MAJOR, id as u32),
        }
    }

    /// The terminal that it always stands for.
    pub fn terminal(self) -> Option<Id> {
        match self {
            Node::Console | Node::TtyS0 => Some(SERIAL),
            Node::Pts(id) => Some(id),
            _ => None,
        }
    }

    /// What stat tells; `of`: the terminal's own attributes.
    pub fn stat(self, of: Option<&Attributes>) -> Stat {
        let fixed = |kind, mode| Attributes { mode: kind | mode, uid: 0, gid: 0, ..Attributes::default() };
        let attributes = match (self, of) {
            (Node::TtyS0 | Node::Pts(_), Some(attributes)) => *attributes,
            (Node::Root | Node::PtsDirectory, _) => fixed(S_IFDIR, 0o755),
            (Node::Sessions, _) => fixed(S_IFREG, 0o444),
            (Node::Console, _) => fixed(S_IFCHR, 0o600),
            _ => Attributes { gid: GROUP_TTY, ..fixed(S_IFCHR, 0o666) },
        };
        let (major, minor) = self.device();
        Stat {
            dev: DEVICE,
            ino: self.ino(),
            nlink: if self.is_directory() { 2 } else { 1 },
            mode: attributes.mode,
            uid: attributes.uid,
            gid: attributes.gid,
            rdev: libc::makedev(major, minor),
            blksize: 1024,
            atime: attributes.accessed,
            mtime: attributes.written,
            ctime: attributes.changed,
            ..Stat::default()
        }
    }

    /// Directory entries from a position on, as many as fit into `room` bytes; `pts` are the numbers in use.
    pub fn list(self, from: u64, room: usize, pts: impl Iterator<Item = Id>) -> (Vec<u8>, u64) {
        let mut entries = vec![(".".to_owned(), self.ino(), DT_DIR), ("..".to_owned(), Node::Root.ino(), DT_DIR)];
        if self == Node::Root {
            entries.extend(ROOT.iter().map(|(name, node, kind)| ((*name).to_owned(), node.ino(), *kind)));
        } else {
            entries.extend(pts.map(|id| (id.to_string(), Node::Pts(id).ino(), DT_CHR)));
        }
        let mut out = vec![0; room];
        let mut len = 0;
        let mut next = from;
        for (name, ino, kind) in entries.iter().skip(from as usize) {
            if !put_dirent(&mut out, &mut len, *ino, next + 1, *kind, name.as_bytes()) {
                break;
            }
            next += 1;
        }
        out.truncate(len);
        (out, next)
    }
}

/// A decimal number without leading zeros, below the serial line's place.
fn number(name: &[u8]) -> Option<Id> {
    let text = std::str::from_utf8(name).ok()?;
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number as Id)
}

/// Owner, mode with type, and times in seconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub accessed: i64,
    pub written: i64,
    pub changed: i64,
}

impl Attributes {
    /// May this user do it (4: read, 2: write)? Root may all.
    pub fn allow(&self, uid: u32, gid: u32, access: u32) -> bool {
        let shift = if uid == self.uid {
            6
        } else if gid == self.gid {
            3
        } else {
            0
        };
        uid == 0 || self.mode >> shift & access == access
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

fn attributes(mode: u32, uid: u32, gid: u32) -> Attributes {
    let now = now();
    Attributes { mode: S_IFCHR | mode, uid, gid, accessed: now, written: now, changed: now }
}

/// A new pty's (devpts with Debian's `gid=5,mode=620`).
pub fn pts_attributes(uid: u32) -> Attributes {
    attributes(0o620, uid, GROUP_TTY)
}

/// The serial line's.
pub fn serial_attributes() -> Attributes {
    attributes(0o660, 0, GROUP_DIALOUT)
}
