//! What the superuser made and changed in /dev, as on Linux's devtmpfs: folders, links, nodes, and the permissions of what devices have there.
//! It lasts as long as this server.

use crate::tree::{Entry, Kind, Tree, parent};
use ochre_scheme::{Errno, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Changes of /dev, to be laid over each new tree.
#[derive(Debug, Default)]
pub struct Made {
    entries: BTreeMap<Vec<u8>, Entry>,
    /// Names of devices that were taken away.
    gone: BTreeSet<Vec<u8>>,
    /// Mode, owner and group of devices' names.
    rights: BTreeMap<Vec<u8>, (u32, u32, u32)>,
}

/// Names that may be made at the most: this is memory of the server's.
const ENTRIES_MAX: usize = 4096;

impl Made {
    /// Lays the changes over a new tree.
    pub fn apply(&self, tree: &mut Tree) {
        self.gone.iter().for_each(|path| drop(tree.remove(path)));
        for (path, entry) in &self.entries {
            tree.put(path, entry.clone());
        }
        for (path, (mode, uid, gid)) in &self.rights {
            if let Some(entry) = tree.get_mut(path) {
                (entry.mode, entry.uid, entry.gid) = (*mode, *uid, *gid);
            }
        }
    }

    /// A new name. EEXIST; EPERM outside of /dev; ENOENT: no folder above; ENOSPC.
    pub fn make(&mut self, tree: &mut Tree, path: &[u8], entry: Entry) -> Result<()> {
        in_dev(path)?;
        if tree.get(path).is_some() {
            return Err(Errno::EEXIST);
        }
        match tree.get(parent(path)).map(|entry| &entry.kind) {
            Some(Kind::Folder) => {}
            Some(_) => return Err(Errno::ENOTDIR),
            None => return Err(Errno::ENOENT),
        }
        if self.entries.len() >= ENTRIES_MAX {
            return Err(Errno::ENOSPC);
        }
        self.entries.insert(path.to_vec(), entry.clone());
        tree.put(path, entry);
        Ok(())
    }

    /// Takes a name away. ENOENT; EPERM outside of /dev; EISDIR and ENOTDIR as unlink(2) and rmdir(2) have them; ENOTEMPTY.
    pub fn remove(&mut self, tree: &mut Tree, path: &[u8], folder: bool) -> Result<Entry> {
        in_dev(path)?;
        match tree.get(path).map(|entry| &entry.kind) {
            None => return Err(Errno::ENOENT),
            Some(Kind::Folder) if !folder => return Err(Errno::EISDIR),
            Some(Kind::Folder) if !tree.list(path).is_empty() => return Err(Errno::ENOTEMPTY),
            Some(Kind::Folder) => {}
            Some(_) if folder => return Err(Errno::ENOTDIR),
            Some(_) => {}
        }
        self.rights.remove(path);
        if self.entries.remove(path).is_none() {
            self.gone.insert(path.to_vec());
        }
        tree.remove(path).ok_or(Errno::ENOENT)
    }

    /// Gives what is no folder another name, in the place of what has it. ENOENT, EPERM, EISDIR.
    pub fn rename(&mut self, tree: &mut Tree, from: &[u8], to: &[u8]) -> Result<()> {
        in_dev(from)?;
        in_dev(to)?;
        let there = |tree: &Tree, path: &[u8]| tree.get(path).map(|entry| entry.kind == Kind::Folder);
        match (there(tree, from), there(tree, to)) {
            (None, _) => return Err(Errno::ENOENT),
            (Some(true), _) => return Err(Errno::EPERM),
            (_, Some(true)) => return Err(Errno::EISDIR),
            _ if from == to => return Ok(()),
            (_, Some(false)) => drop(self.remove(tree, to, false)?),
            (_, None) => {}
        }
        let entry = self.remove(tree, from, false)?;
        self.make(tree, to, entry)
    }

    /// Other permissions. ENOENT; EPERM outside of /dev.
    pub fn set_rights(&mut self, tree: &mut Tree, path: &[u8], rights: (u32, u32, u32)) -> Result<()> {
        in_dev(path)?;
        let entry = tree.get_mut(path).ok_or(Errno::ENOENT)?;
        (entry.mode, entry.uid, entry.gid) = rights;
        self.rights.insert(path.to_vec(), rights);
        Ok(())
    }
}

/// Only /dev may be changed, and it stays itself.
fn in_dev(path: &[u8]) -> Result<()> {
    if path.starts_with(b"dev/") { Ok(()) } else { Err(Errno::EPERM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(made: &Made) -> Tree {
        let mut tree = Tree::default();
        tree.put_folder("dev/pts");
        let node = Kind::Node { block: false, number: 0x103, path: Some("/scheme/null".into()) };
        tree.put("dev/null", Entry::new(node, 0o666));
        tree.put_text("sys/x", "y");
        made.apply(&mut tree);
        tree
    }

    fn link() -> Entry {
        Entry::new(Kind::Link(b"null".to_vec()), 0o777)
    }

    #[test]
    fn changes_survive_a_new_tree() {
        let mut made = Made::default();
        let mut tree = fresh(&made);
        assert_eq!(made.make(&mut tree, b"dev/a", link()), Ok(()));
        assert_eq!(made.make(&mut tree, b"dev/a", link()), Err(Errno::EEXIST));
        assert_eq!(made.make(&mut tree, b"sys/a", link()), Err(Errno::EPERM));
        assert_eq!(made.make(&mut tree, b"dev/b/a", link()), Err(Errno::ENOENT));
        assert_eq!(made.make(&mut tree, b"dev/null/a", link()), Err(Errno::ENOTDIR));
        assert_eq!(made.rename(&mut tree, b"dev/a", b"dev/b"), Ok(()));
        assert_eq!(made.make(&mut tree, b"dev/a", link()), Ok(()));
        assert_eq!(made.rename(&mut tree, b"dev/a", b"dev/b"), Ok(()));
        assert_eq!(made.rename(&mut tree, b"dev/a", b"dev/b"), Err(Errno::ENOENT));
        assert_eq!(made.set_rights(&mut tree, b"dev/null", (0o600, 1, 2)), Ok(()));
        assert_eq!(made.remove(&mut tree, b"dev/pts", false), Err(Errno::EISDIR));
        assert_eq!(made.remove(&mut tree, b"dev/pts", true).map(drop), Ok(()));
        assert_eq!(fresh(&made), tree);
        assert_eq!(tree.get(b"dev/null").map(|entry| (entry.mode, entry.uid, entry.gid)), Some((0o600, 1, 2)));
        assert_eq!(made.remove(&mut tree, b"dev/null", true), Err(Errno::ENOTDIR));
        assert_eq!(made.remove(&mut tree, b"dev/null", false).map(drop), Ok(()));
        assert_eq!(made.remove(&mut tree, b"sys/x", false), Err(Errno::EPERM));
        assert_eq!(fresh(&made), tree);
        let names: Vec<&[u8]> = tree.list(b"dev").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [b"b"]);
    }
}
