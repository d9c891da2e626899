//! Nodes and names of a volume, kept in memory while they are used, and what has to go back to it.
//!
//! A node stays while it is open, while its attributes differ from the volume's, and while directories below it are here: so every
//! directory in memory has its whole path there.

use super::directory::Directory;
use super::node::{Attributes, Ino, Kind, Node};
use super::{Fs, Store};
use alloc::vec::Vec;
use ochre_abi::file::{S_IFDIR, S_IFLNK, S_IFMT, S_IFREG};
use ochre_abi::{Errno, Result};

/// Nodes in memory at the most, about.
const NODES: usize = 32 * 1024;
/// Directories in each other at the most when one is looked for from below.
const DEPTH: usize = 4096;
/// Names in memory at the most, about.
const NAMES: usize = 64 * 1024;
/// Closed files of which the bytes stay in memory at the most.
const IDLE: usize = 1024;

impl<S: Store> Fs<S> {
    /// What has a name in a directory, if only the volume knows.
    #[cold]
    pub(super) fn ask(&mut self, directory: Ino, name: &[u8]) -> Result<Option<Ino>> {
        let volume = self.store.volume().ok_or(Errno::EIO)?;
        let found = match volume.lookup(directory, name) {
            Ok(ino) => Some(ino),
            Err(Errno::ENOENT) => None,
            Err(error) => return Err(error),
        };
        if let Kind::Directory(entries) = &mut self.node_mut(directory)?.kind {
            entries.learn(name, found);
            self.known += 1;
        }
        Ok(found)
    }

    /// Has a node in memory that was found under a name.
    #[inline]
    pub(super) fn ensure(&mut self, ino: Ino, directory: Ino, name: &[u8]) -> Result<()> {
        match self.nodes.get_mut(ino) {
            Some(node) => {
                node.used = true;
                Ok(())
            }
            None => self.load(ino, directory, name),
        }
    }

    #[cold]
    fn load(&mut self, ino: Ino, directory: Ino, name: &[u8]) -> Result<()> {
        let volume = self.store.volume().ok_or(Errno::ENOENT)?;
        let attributes = volume.attributes(ino)?;
        let kind = match attributes.mode & S_IFMT {
            S_IFREG => Kind::File(None),
            S_IFDIR => Kind::Directory(Directory::cached(directory, name)),
            S_IFLNK => Kind::Symlink(volume.target(ino)?),
            _ => Kind::Special,
        };
        self.add_node(ino, Node::loaded(&attributes, kind));
        Ok(())
    }

    /// Puts a node into memory.
    pub(super) fn add_node(&mut self, ino: Ino, node: Node<S::Data>) {
        if let Some(directory) = node.directory() {
            self.count_child(directory.parent, true);
        }
        self.nodes.insert(ino, node);
    }

    /// A directory's parent has one more child in memory, or one less.
    pub(super) fn count_child(&mut self, parent: Ino, more: bool) {
        if let Some(node) = self.nodes.get_mut(parent) {
            node.children = if more { node.children + 1 } else { node.children.saturating_sub(1) };
        }
    }

    /// Has a node in memory of which only the number is known, with the directories above it: EIO if no name leads to it.
    pub fn recall(&mut self, ino: Ino) -> Result<()> {
        if self.nodes.get(ino).is_some() {
            return Ok(());
        }
        let root = self.root;
        let volume = self.store.volume().ok_or(Errno::ENOENT)?;
        if volume.attributes(ino)?.mode & S_IFMT != S_IFDIR {
            // Nobody asks where a file stands.
            return self.load(ino, root, b"");
        }
        let mut chain = Vec::new();
        let mut at = ino;
        while self.nodes.get(at).is_none() {
            let volume = self.store.volume().ok_or(Errno::EIO)?;
            let parent = volume.parent(at)?;
            let mut name = None;
            volume.entries(parent, &mut |entry, child| {
                if child == at {
                    name = Some(entry.to_vec());
                }
            })?;
            chain.push((at, parent, name.ok_or(Errno::EIO)?));
            // Only damage makes a circle.
            if chain.len() > DEPTH {
                return Err(Errno::EIO);
            }
            at = parent;
        }
        for (child, parent, name) in chain.into_iter().rev() {
            self.ensure(child, parent, &name)?;
        }
        Ok(())
    }

    /// EROFS if nothing can be changed.
    pub(super) fn changeable(&mut self) -> Result<()> {
        match self.store.volume() {
            Some(volume) if volume.read_only() => Err(Errno::EROFS),
            _ => Ok(()),
        }
    }

    /// A node's attributes, to be changed: the volume gets them with the next [`Self::flush_attributes`].
    pub(super) fn attributes_mut(&mut self, ino: Ino) -> Result<&mut Attributes> {
        let node = self.nodes.get_mut(ino).ok_or(Errno::ENOENT)?;
        if self.backed && !node.changed {
            node.changed = true;
            self.changed.push(ino);
        }
        Ok(&mut node.attributes)
    }

    /// Tells the volume what changed of attributes.
    pub fn flush_attributes(&mut self) -> Result<()> {
        while let Some(ino) = self.changed.pop() {
            let Some(node) = self.nodes.get_mut(ino) else { continue };
            node.changed = false;
            let Attributes { mode, uid, gid, rdev, atime, mtime, ctime, .. } = node.attributes;
            let [atime, mtime, ctime] = [atime, mtime, ctime].map(i128::from);
            let to = ochre_volume::Attributes { mode, uid, gid, rdev, atime, mtime, ctime, ..Default::default() };
            let Some(volume) = self.store.volume() else { continue };
            if let Err(error) = volume.set_attributes(ino, &to) {
                if let Some(node) = self.nodes.get_mut(ino) {
                    node.changed = true;
                }
                self.changed.push(ino);
                return Err(error);
            }
        }
        Ok(())
    }

    /// fsync(2): a file's bytes and attributes, and all names, survive a power cut when it returns. In memory nothing does, nor has to.
    pub fn sync_file(&mut self, ino: Ino) -> Result<()> {
        if !self.backed {
            return Ok(());
        }
        self.save(ino)?;
        self.commit()
    }

    fn commit(&mut self) -> Result<()> {
        self.flush_attributes()?;
        self.store.volume().map_or(Ok(()), |volume| volume.commit())?;
        self.store.committed();
        Ok(())
    }

    /// sync(2). A file that cannot be written back does not keep the others from it; the first error is told.
    pub fn sync_all(&mut self) -> Result<()> {
        if !self.backed {
            return Ok(());
        }
        let unsaved: Vec<Ino> = self.unsaved.iter().copied().collect();
        let mut result = Ok(());
        for ino in unsaved {
            result = result.and(self.save(ino));
        }
        self.commit()?;
        result
    }

    /// Gives the volume what it does not have yet of a file's bytes, and notes the times.
    fn save(&mut self, ino: Ino) -> Result<()> {
        if !self.unsaved.contains(&ino) {
            return Ok(());
        }
        // One that was opened without being written to may be forgotten.
        if self.nodes.get(ino).is_none() {
            self.unsaved.remove(&ino);
            return Ok(());
        }
        self.refresh(ino)?;
        let Self { store, nodes, .. } = self;
        let Some(node) = nodes.get_mut(ino) else { return Ok(()) };
        if let Kind::File(Some(data)) = &mut node.kind {
            store.write_back(data)?;
        }
        if node.writers == 0 {
            self.unsaved.remove(&ino);
        }
        Ok(())
    }

    /// A file's object lacks pages. ESTALE if the file has none any more.
    pub fn data_of(&mut self, ino: Ino) -> Result<&mut S::Data> {
        match &mut self.node_mut(ino)?.kind {
            Kind::File(Some(data)) => Ok(data),
            _ => Err(Errno::ESTALE),
        }
    }

    /// A file's last handle is gone: its bytes stay for a while.
    pub(super) fn set_idle(&mut self, ino: Ino) {
        if let Some(node) = self.nodes.get_mut(ino)
            && matches!(node.kind, Kind::File(Some(_)))
            && !node.idle
        {
            node.idle = true;
            self.idle.push_back(ino);
        }
    }

    /// Gives up what was not used for long, if there is too much in memory. To be called between requests.
    #[inline]
    pub fn trim(&mut self) {
        if self.backed && (self.idle.len() > IDLE || self.known > NAMES || self.nodes.len() > NODES) {
            self.trim_to(IDLE, NODES);
        }
    }

    #[cold]
    pub(super) fn trim_to(&mut self, idle: usize, nodes: usize) {
        let mut passes = 2 * self.idle.len();
        while self.idle.len() > idle && passes > 0 {
            passes -= 1;
            let Some(ino) = self.idle.pop_front() else { break };
            if !self.give_up_bytes(ino) {
                self.idle.push_back(ino);
            }
        }
        if self.known > NAMES {
            let all: Vec<Ino> = self.nodes.iter().map(|(ino, _)| ino).collect();
            for ino in all {
                if let Some(Node { kind: Kind::Directory(entries), .. }) = self.nodes.get_mut(ino) {
                    entries.forget();
                }
            }
            self.known = 0;
        }
        // Some more than necessary, so that this is not done for every node.
        let target = nodes - nodes / 4;
        for _ in 0..2 {
            if self.nodes.len() > nodes {
                self.forget_nodes(target);
            }
        }
    }

    /// Whether the file need not wait any more for its bytes to be given up.
    fn give_up_bytes(&mut self, ino: Ino) -> bool {
        match self.nodes.get_mut(ino) {
            Some(node) if node.opens == 0 && node.used => {
                node.used = false;
                return false;
            }
            Some(node) if node.opens == 0 => {}
            Some(node) => {
                // It comes back when it is closed.
                node.idle = false;
                return true;
            }
            None => return true,
        }
        // Its times must be known before the object is gone.
        if self.refresh(ino).is_err() {
            return false;
        }
        let Self { store, nodes, .. } = self;
        let Some(node) = nodes.get_mut(ino) else { return true };
        if let Kind::File(Some(data)) = &mut node.kind {
            if self.unsaved.contains(&ino) && store.write_back(data).is_err() {
                return false;
            }
            self.unsaved.remove(&ino);
            node.size = store.size(data);
        }
        node.idle = false;
        node.written = false;
        if let Kind::File(Some(data)) = core::mem::replace(&mut node.kind, Kind::File(None)) {
            store.retire(data);
        }
        true
    }

    fn forget_nodes(&mut self, target: usize) {
        let all: Vec<Ino> = self.nodes.iter().map(|(ino, _)| ino).collect();
        for ino in all {
            if self.nodes.len() <= target {
                return;
            }
            let Some(node) = self.nodes.get_mut(ino) else { continue };
            let needed = node.opens > 0 || node.children > 0 || node.changed || node.idle || node.attributes.nlink == 0;
            if core::mem::take(&mut node.used) || needed || ino == self.root || matches!(node.kind, Kind::File(Some(_)))
            {
                continue;
            }
            if let Some(node) = self.nodes.remove(ino)
                && let Some(directory) = node.directory()
            {
                self.known = self.known.saturating_sub(directory.known());
                self.count_child(directory.parent, false);
            }
        }
    }
}
