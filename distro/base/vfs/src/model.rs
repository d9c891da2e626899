//! A volume in memory that knows nothing of time and trouble: what file servers are tested on.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use ochre_abi::{Errno, Result};
use ochre_volume::{Attributes, Ino, NewNode, Usage, Volume, kind};

#[derive(Debug)]
struct Node {
    attributes: Attributes,
    bytes: Vec<u8>,
    names: BTreeMap<Vec<u8>, Ino>,
    xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    holds: u32,
}

/// The volume.
#[derive(Debug)]
pub struct Model {
    nodes: BTreeMap<Ino, Node>,
    next: Ino,
    /// Blocks of 4 KiB.
    blocks: u64,
    /// How often it was committed.
    pub commits: usize,
    /// What every change answers from now on, if not that it was done.
    pub trouble: Option<Errno>,
}

const ROOT: Ino = 1;

impl Model {
    /// An empty volume of so many blocks of 4 KiB.
    pub fn new(blocks: u64) -> Self {
        let mut model = Self { nodes: BTreeMap::new(), next: ROOT, blocks, commits: 0, trouble: None };
        model.add(kind::DIRECTORY | 0o755, 0, &NewNode { mode: 0, uid: 0, gid: 0, rdev: 0, time: 0, target: b"" });
        if let Some(root) = model.nodes.get_mut(&ROOT) {
            root.attributes.nlink = 1;
        }
        model
    }

    /// Nodes that there are.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// A file's bytes, as they are on the volume.
    pub fn bytes(&self, ino: Ino) -> Option<&[u8]> {
        self.nodes.get(&ino).map(|node| node.bytes.as_slice())
    }

    fn add(&mut self, mode: u32, holds: u32, new: &NewNode<'_>) -> Ino {
        let ino = self.next;
        self.next += 1;
        let time = new.time;
        let attributes = Attributes {
            mode,
            uid: new.uid,
            gid: new.gid,
            rdev: new.rdev,
            atime: time,
            mtime: time,
            ctime: time,
            btime: time,
            ..Attributes::default()
        };
        let bytes = new.target.to_vec();
        let node = Node { attributes, bytes, names: BTreeMap::new(), xattrs: BTreeMap::new(), holds };
        self.nodes.insert(ino, node);
        ino
    }

    fn node(&mut self, ino: Ino) -> Result<&mut Node> {
        self.nodes.get_mut(&ino).ok_or(Errno::ENOENT)
    }

    fn change(&mut self, ino: Ino) -> Result<&mut Node> {
        match self.trouble {
            Some(error) => Err(error),
            None => self.node(ino),
        }
    }

    fn names(&mut self, ino: Ino) -> Result<&mut BTreeMap<Vec<u8>, Ino>> {
        let node = self.node(ino)?;
        if node.attributes.mode & kind::MASK == kind::DIRECTORY { Ok(&mut node.names) } else { Err(Errno::ENOTDIR) }
    }

    fn free(&mut self, ino: Ino) {
        if self.nodes.get(&ino).is_some_and(|node| node.attributes.nlink == 0 && node.holds == 0) {
            self.nodes.remove(&ino);
        }
    }

    fn used(&self) -> u64 {
        self.nodes.values().map(|node| node.bytes.len().div_ceil(4096) as u64).sum()
    }
}

impl Volume for Model {
    fn root(&self) -> Ino {
        ROOT
    }
    fn read_only(&self) -> bool {
        self.trouble == Some(Errno::EROFS)
    }
    fn attributes(&mut self, ino: Ino) -> Result<Attributes> {
        let node = self.node(ino)?;
        let size = node.bytes.len() as u64;
        Ok(Attributes { size, blocks: size.div_ceil(4096) * 8, ..node.attributes })
    }
    fn set_attributes(&mut self, ino: Ino, to: &Attributes) -> Result<()> {
        let own = &mut self.change(ino)?.attributes;
        let mode = own.mode & kind::MASK | to.mode & !kind::MASK;
        *own = Attributes { mode, nlink: own.nlink, btime: own.btime, ..*to };
        Ok(())
    }
    fn lookup(&mut self, directory: Ino, name: &[u8]) -> Result<Ino> {
        self.names(directory)?.get(name).copied().ok_or(Errno::ENOENT)
    }
    fn entries(&mut self, directory: Ino, each: &mut dyn FnMut(&[u8], Ino)) -> Result<()> {
        self.names(directory)?.iter().for_each(|(name, ino)| each(name, *ino));
        Ok(())
    }
    fn parent(&mut self, directory: Ino) -> Result<Ino> {
        let above = self.nodes.iter().find(|(_, node)| node.names.values().any(|child| *child == directory));
        above.map(|(ino, _)| *ino).ok_or(Errno::ENOENT)
    }
    fn is_empty(&mut self, directory: Ino) -> Result<bool> {
        Ok(self.names(directory)?.is_empty())
    }
    fn create(&mut self, new: &NewNode<'_>) -> Result<Ino> {
        self.trouble.map_or(Ok(()), Err)?;
        Ok(self.add(new.mode, 1, new))
    }
    fn link(&mut self, directory: Ino, name: &[u8], ino: Ino) -> Result<()> {
        self.change(ino)?;
        if self.names(directory)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        self.names(directory)?.insert(name.to_vec(), ino);
        self.node(ino)?.attributes.nlink += 1;
        Ok(())
    }
    fn unlink(&mut self, directory: Ino, name: &[u8]) -> Result<Ino> {
        let ino = self.lookup(directory, name)?;
        if !self.change(ino)?.names.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.names(directory)?.remove(name);
        self.node(ino)?.attributes.nlink -= 1;
        self.free(ino);
        Ok(ino)
    }
    fn rename(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), exchange: bool) -> Result<()> {
        let ino = self.lookup(from.0, from.1)?;
        let other = self.lookup(to.0, to.1);
        self.change(ino)?;
        if exchange {
            self.names(from.0)?.insert(from.1.to_vec(), other?);
        } else {
            if let Ok(other) = other {
                if other == ino {
                    return Ok(());
                }
                self.unlink(to.0, to.1)?;
            }
            self.names(from.0)?.remove(from.1);
        }
        self.names(to.0)?.insert(to.1.to_vec(), ino);
        Ok(())
    }
    fn hold(&mut self, ino: Ino) -> Result<()> {
        self.node(ino)?.holds += 1;
        Ok(())
    }
    fn release(&mut self, ino: Ino) -> Result<()> {
        let node = self.node(ino)?;
        node.holds = node.holds.checked_sub(1).ok_or(Errno::EINVAL)?;
        self.free(ino);
        Ok(())
    }
    fn read(&mut self, ino: Ino, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let rest = self.node(ino)?.bytes.get(offset as usize..).unwrap_or(&[]);
        let len = rest.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(rest) {
            *to = *from;
        }
        Ok(len)
    }
    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8]) -> Result<()> {
        let end = offset as usize + bytes.len();
        let (used, blocks) = (self.used(), self.blocks);
        let old = &mut self.change(ino)?.bytes;
        let more = end.div_ceil(4096).saturating_sub(old.len().div_ceil(4096)) as u64;
        if used + more > blocks {
            return Err(Errno::ENOSPC);
        }
        if old.len() < end {
            old.resize(end, 0);
        }
        old.splice(offset as usize..end, bytes.iter().copied()).for_each(drop);
        Ok(())
    }
    fn resize(&mut self, ino: Ino, size: u64) -> Result<()> {
        self.change(ino)?.bytes.resize(size as usize, 0);
        Ok(())
    }
    fn punch(&mut self, ino: Ino, offset: u64, len: u64) -> Result<()> {
        let bytes = &mut self.change(ino)?.bytes;
        let end = (offset + len).min(bytes.len() as u64) as usize;
        if let Some(part) = bytes.get_mut(offset as usize..end) {
            part.fill(0);
        }
        Ok(())
    }
    fn next_data(&mut self, ino: Ino, offset: u64) -> Result<Option<u64>> {
        Ok(((offset as usize) < self.node(ino)?.bytes.len()).then_some(offset))
    }
    fn next_hole(&mut self, ino: Ino, offset: u64) -> Result<Option<u64>> {
        let size = self.node(ino)?.bytes.len() as u64;
        Ok((offset < size).then_some(size))
    }
    fn target(&mut self, ino: Ino) -> Result<Vec<u8>> {
        Ok(self.node(ino)?.bytes.clone())
    }
    fn xattr(&mut self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        self.node(ino)?.xattrs.get(name).cloned().ok_or(Errno::ENODATA)
    }
    fn set_xattr(&mut self, ino: Ino, name: &[u8], value: &[u8]) -> Result<()> {
        self.change(ino)?.xattrs.insert(name.to_vec(), value.to_vec());
        Ok(())
    }
    fn remove_xattr(&mut self, ino: Ino, name: &[u8]) -> Result<()> {
        self.change(ino)?.xattrs.remove(name).map(drop).ok_or(Errno::ENODATA)
    }
    fn list_xattrs(&mut self, ino: Ino) -> Result<Vec<Vec<u8>>> {
        Ok(self.node(ino)?.xattrs.keys().cloned().collect())
    }
    fn usage(&mut self) -> Result<Usage> {
        let free = self.blocks.saturating_sub(self.used());
        Ok(Usage { block_size: 4096, blocks: self.blocks, free, available: free, files: 1 << 20, free_files: 1 << 19 })
    }
    fn commit(&mut self) -> Result<()> {
        self.trouble.map_or(Ok(()), Err)?;
        self.commits += 1;
        Ok(())
    }
}
