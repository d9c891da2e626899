//! Trees of names: what stands where, and how a path leads there.
//!
//! A tree is made anew whenever a device comes or goes ([`crate::publish`]). Its names are paths from the scheme's root, without a leading
//! '/': `dev/null`, `sys/class/block`, `udev/data/b254:0`.

use ochre_scheme::abi::file::{DT_BLK, DT_CHR, DT_DIR, DT_LNK, DT_REG, S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFREG};
use ochre_scheme::{Errno, Result};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The scheme's folders, and where they are for programs.
pub const PLACES: &[(&str, &str)] = &[("dev", "/dev"), ("sys", "/sys"), ("udev", "/run/udev")];
/// Links on one path (Linux: MAXSYMLINKS).
const LINKS_MAX: usize = 40;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Folder,
    /// A text.
    File(Vec<u8>),
    /// A file elsewhere, of that path, which is also asked what it is.
    Elsewhere(String),
    /// A symbolic link.
    Link(Vec<u8>),
    /// A device's node: opening it opens `path`. None: there is no such device (ENXIO).
    Node {
        block: bool,
        number: u64,
        path: Option<String>,
    },
}

/// A name's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

impl Entry {
    /// Of the superuser.
    pub fn new(kind: Kind, mode: u32) -> Entry {
        Entry { kind, mode, uid: 0, gid: 0 }
    }

    /// S_IFMT's part of a mode.
    pub fn format(&self) -> u32 {
        match self.kind {
            Kind::Folder => S_IFDIR,
            Kind::File(_) | Kind::Elsewhere(_) => S_IFREG,
            Kind::Link(_) => S_IFLNK,
            Kind::Node { block, .. } => {
                if block {
                    S_IFBLK
                } else {
                    S_IFCHR
                }
            }
        }
    }

    /// d_type.
    pub fn dirent_kind(&self) -> u8 {
        match self.kind {
            Kind::Folder => DT_DIR,
            Kind::File(_) | Kind::Elsewhere(_) => DT_REG,
            Kind::Link(_) => DT_LNK,
            Kind::Node { block: true, .. } => DT_BLK,
            Kind::Node { block: false, .. } => DT_CHR,
        }
    }
}

/// Where a walk ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Walk {
    /// At an entry, or at a name in an existing folder that is not there.
    At(Vec<u8>),
    /// Elsewhere: an absolute path to go on with.
    Out(Vec<u8>),
}

/// Names and their entries. Every folder on the way to an entry is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<Vec<u8>, Entry>);

impl Tree {
    /// Puts an entry, and folders above it where there are none. What is there already stays: false.
    pub fn put(&mut self, path: impl AsRef<[u8]>, entry: Entry) -> bool {
        let path = path.as_ref();
        if self.0.contains_key(path) {
            return matches!((&entry.kind, &self.0[path].kind), (Kind::Folder, Kind::Folder));
        }
        let above = parent(path);
        let fine = path.is_empty() || self.put(above, Entry::new(Kind::Folder, 0o755));
        if fine {
            self.0.insert(path.to_vec(), entry);
        }
        fine
    }

    /// A text file. Everybody may read it.
    pub fn put_text(&mut self, path: impl AsRef<[u8]>, text: impl Into<Vec<u8>>) -> bool {
        self.put(path, Entry::new(Kind::File(text.into()), 0o444))
    }

    /// A link from one name to another one of the same tree, relative, as Linux has them.
    pub fn put_link(&mut self, path: &str, to: &str) -> bool {
        let target = relative(path, to);
        self.put(path, Entry::new(Kind::Link(target.into_bytes()), 0o777))
    }

    /// A folder.
    pub fn put_folder(&mut self, path: &str) -> bool {
        self.put(path, Entry::new(Kind::Folder, 0o755))
    }

    /// An entry.
    pub fn get(&self, path: &[u8]) -> Option<&Entry> {
        self.0.get(path)
    }

    /// An entry, to change it.
    pub fn get_mut(&mut self, path: &[u8]) -> Option<&mut Entry> {
        self.0.get_mut(path)
    }

    /// Takes an entry away.
    pub fn remove(&mut self, path: &[u8]) -> Option<Entry> {
        self.0.remove(path)
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Entry)> {
        self.0.iter().map(|(path, entry)| (&path[..], entry))
    }

    /// The names in a folder, sorted.
    pub fn list(&self, folder: &[u8]) -> Vec<(&[u8], &Entry)> {
        let prefix = below(folder, b"");
        let from = self.0.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
        let names = from.map(|(path, entry)| (&path[prefix.len()..], entry));
        names.filter(|(name, _)| !name.is_empty() && !name.contains(&b'/')).collect()
    }

    /// Walks from a folder along a relative path. `follow`: also a link at its end.
    ///
    /// ENOENT, ENOTDIR, ELOOP.
    pub fn walk(&self, from: &[u8], path: &[u8], follow: bool) -> Result<Walk> {
        let mut links = 0;
        let mut at = from.to_vec();
        let mut rest = path.to_vec();
        loop {
            while rest.first() == Some(&b'/') {
                rest.remove(0);
            }
            if rest.is_empty() {
                return Ok(Walk::At(at));
            }
            let end = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
            let name = rest[..end].to_vec();
            let mut tail = rest[end..].to_vec();
            match self.get(&at).map(|entry| &entry.kind) {
                Some(Kind::Folder) => {}
                Some(_) => return Err(Errno::ENOTDIR),
                None => return Err(Errno::ENOENT),
            }
            if name == b"." {
                rest = tail;
                continue;
            }
            if name == b".." {
                if PLACES.iter().any(|(own, _)| own.as_bytes() == at) {
                    // Out of the tree: the kernel knows what is there.
                    return Ok(Walk::Out([&place(&at)[..], b"/..", &tail].concat()));
                }
                at = parent(&at).to_vec();
                rest = tail;
                continue;
            }
            let next = below(&at, &name);
            let last = tail.iter().all(|byte| *byte == b'/');
            match self.get(&next).map(|entry| &entry.kind) {
                // What ends in '/' is a folder, or becomes one.
                None if last => return Ok(Walk::At(next)),
                None => return Err(Errno::ENOENT),
                Some(Kind::Link(target)) if follow || !tail.is_empty() => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Err(Errno::ELOOP);
                    }
                    if target.first() == Some(&b'/') {
                        return Ok(Walk::Out([&target[..], &tail].concat()));
                    }
                    let mut path = target.clone();
                    path.append(&mut tail);
                    rest = path;
                }
                Some(Kind::Folder) => (at, rest) = (next, tail),
                Some(_) if tail.is_empty() => return Ok(Walk::At(next)),
                Some(_) => return Err(Errno::ENOTDIR),
            }
        }
    }
}

/// The absolute path that programs know for a tree's path.
pub fn place(path: &[u8]) -> Vec<u8> {
    for (own, place) in PLACES {
        match path.strip_prefix(own.as_bytes()) {
            Some(rest) if rest.is_empty() || rest[0] == b'/' => return [place.as_bytes(), rest].concat(),
            _ => {}
        }
    }
    [b"/scheme/devd/", path].concat()
}

/// The folder above; the root's is itself.
pub fn parent(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(b"", |end| &path[..end])
}

/// A name in a folder.
pub fn below(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

/// An entry's inode number: the same for the same path.
pub fn inode(path: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    // Programs take 0 for a name that is gone, and negative ones are odd.
    (hasher.finish() >> 1).max(1)
}

/// The relative target of a link.
fn relative(link: &str, to: &str) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) = (link.split('/').collect(), to.split('/').collect());
    let folders = &from[..from.len() - 1];
    let common = folders.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", folders.len() - common);
    up.chain(to[common..].iter().copied()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::default();
        tree.put_text("sys/devices/a/b/size", "1\n");
        assert!(tree.put_link("sys/class/block/b", "sys/devices/a/b"));
        assert!(tree.put_link("sys/devices/a/b/subsystem", "sys/class/block"));
        tree.put("dev/fd", Entry::new(Kind::Link(b"/proc/self/fd".to_vec()), 0o777));
        tree.put("dev/loop", Entry::new(Kind::Link(b"loop".to_vec()), 0o777));
        tree
    }

    fn walk(path: &str, follow: bool) -> Result<Walk> {
        tree().walk(b"", path.as_bytes(), follow)
    }

    fn at(path: &str) -> Result<Walk> {
        Ok(Walk::At(path.as_bytes().to_vec()))
    }

    #[test]
    fn walks() {
        assert_eq!(walk("sys/class/block/b/size", true), at("sys/devices/a/b/size"));
        assert_eq!(walk("sys/class/block/b", false), at("sys/class/block/b"));
        assert_eq!(walk("sys/class/block/b/", false), at("sys/devices/a/b"));
        assert_eq!(walk("sys//class/./block/b/../b/subsystem/b", true), at("sys/devices/a/b"));
        assert_eq!(walk("sys/new", true), at("sys/new"));
        assert_eq!(walk("sys/new/er", true), Err(Errno::ENOENT));
        assert_eq!(walk("sys/devices/a/b/size/x", true), Err(Errno::ENOTDIR));
        assert_eq!(walk("sys/devices/a/b/size/", true), Err(Errno::ENOTDIR));
        assert_eq!(walk("dev/loop", true), Err(Errno::ELOOP));
        assert_eq!(walk("dev/fd/3", true), Ok(Walk::Out(b"/proc/self/fd/3".to_vec())));
        assert_eq!(walk("dev/../etc", true), Ok(Walk::Out(b"/dev/../etc".to_vec())));
        assert_eq!(walk("", true), at(""));
    }

    #[test]
    fn lists_and_links() {
        let tree = tree();
        let names: Vec<&[u8]> = tree.list(b"sys/devices/a/b").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [&b"size"[..], b"subsystem"]);
        let names: Vec<&[u8]> = tree.list(b"").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [&b"dev"[..], b"sys"]);
        let target = tree.get(b"sys/class/block/b").map(|entry| entry.kind.clone());
        assert_eq!(target, Some(Kind::Link(b"../../devices/a/b".to_vec())));
    }

    #[test]
    fn the_first_one_stays() {
        let mut tree = tree();
        assert!(!tree.put_text("sys/devices/a/b/size", "2\n"));
        assert!(!tree.put_text("sys/devices/a/b/size/below", "2\n"));
        assert!(tree.put_folder("sys/devices"));
        assert_eq!(tree.get(b"sys/devices/a/b/size").map(|e| &e.kind), Some(&Kind::File(b"1\n".to_vec())));
    }
}
