//! Nodes without names: alive while they are held; on the release list on the disk, so that they are freed after a crash.

use super::Redox;
use super::layout::{Ptr, TOP_LEVEL, node};
use crate::Result;
use crate::device::Device;
use crate::volume::{Ino, kind};

impl<D: Device> Redox<D> {
    /// Frees the nodes without names that nobody holds: what was left over when the volume was used last. What cannot be read stays for another time.
    pub fn free_unheld(&mut self) {
        if self.is_read_only() {
            return;
        }
        for ino in self.orphans.iter().copied().collect::<Vec<u32>>() {
            self.reap(Ino::from(ino));
        }
    }

    /// Counts a name less, and marks a node that has none left.
    pub(super) fn drop_link(&mut self, ino: Ino) -> Result<()> {
        let links = self.change(ino, |data| {
            let links = node::links(data).saturating_sub(1);
            node::set_links(data, links);
            if node::mode(data) as u32 & kind::MASK == kind::DIRECTORY {
                node::set_parent(data, 0);
            }
            links
        })?;
        if links == 0 {
            self.orphans.insert(ino as u32);
        }
        Ok(())
    }

    /// Frees a node if it has no name and nobody holds it. Its name is gone whatever happens here, so that an error is no error of the caller.
    pub(super) fn reap(&mut self, ino: Ino) {
        if !self.orphans.contains(&(ino as u32)) || self.holds.contains_key(&(ino as u32)) {
            return;
        }
        if let Err(errno) = self.free_node(ino) {
            log::error!("volume: node {ino} without a name cannot be freed: {errno}");
        }
    }

    fn free_node(&mut self, ino: Ino) -> Result<()> {
        loop {
            self.make_room(super::operations::ROOM, false)?;
            let node = self.node(ino)?;
            let directory = node::mode(&node) as u32 & kind::MASK == kind::DIRECTORY;
            if node::is_inline(&node) || directory || self.free_records(ino, 0, u64::MAX)? {
                break;
            }
        }
        let index = self.edit_node(ino)?;
        let xattrs = Ptr::read(self.data(index)?, node::XATTRS);
        if !xattrs.is_null() && xattrs.level() <= TOP_LEVEL {
            Ptr::NULL.put(self.data_mut(index)?, node::XATTRS);
            self.release_block(xattrs);
        }
        self.remove_node(ino)?;
        self.owned = 0;
        self.orphans.remove(&(ino as u32));
        Ok(())
    }
}
