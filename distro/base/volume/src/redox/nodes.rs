//! The node tree: four levels of 254 pointers, by the bytes of a node's number.

use super::Redox;
use super::blocks::Kind;
use super::cache::Block;
use super::layout::{Ptr, TREE_FLAGS, TREE_SLOTS, get, node};
use crate::device::{BLOCK, Device};
use crate::volume::{Attributes, Ino, NewNode, kind};
use crate::{Errno, Result};

/// Where the pointers on the way to a node stand in their blocks, from the root.
fn way(ino: Ino) -> Result<[usize; 4]> {
    let number = u32::try_from(ino).ok().filter(|&number| number != 0).ok_or(Errno::ENOENT)?;
    let slots = number.to_be_bytes().map(usize::from);
    if slots.iter().any(|&slot| slot >= TREE_SLOTS) {
        return Err(Errno::ENOENT);
    }
    Ok(slots.map(|slot| slot * Ptr::SIZE))
}

fn set_full(tree: &mut [u8], slot: usize, full: bool) {
    let bit = 1 << (slot % 8);
    let byte = &mut tree[TREE_FLAGS + slot / 8];
    *byte = if full { *byte | bit } else { *byte & !bit };
}

/// The first slot with room.
fn vacant(tree: &[u8]) -> Option<usize> {
    (0..TREE_SLOTS.div_ceil(64)).find_map(|word| {
        let slot = word * 64 + get::<8>(tree, TREE_FLAGS + word * 8).trailing_ones() as usize;
        (slot < (word + 1) * 64 && slot < TREE_SLOTS).then_some(slot)
    })
}

impl<D: Device> Redox<D> {
    /// Makes the tree's root, on an empty volume.
    pub(super) fn plant_tree(&mut self) -> Result<()> {
        let mut data = vec![0; BLOCK];
        // There is no node 0: its slot, the first of the first leaf, is taken when that leaf is made.
        set_full(&mut data, 0, false);
        self.root = self.add(Kind::Tree, data)?;
        Ok(())
    }

    /// Where a node's block is. Errors: `ENOENT`.
    fn node_ptr(&mut self, ino: Ino) -> Result<Ptr> {
        self.visits = 0;
        let mut ptr = self.root;
        for at in way(ino)? {
            ptr = Ptr::read(&*self.small(ptr)?, at);
            if ptr.is_null() {
                return Err(Errno::ENOENT);
            }
        }
        Ok(ptr)
    }

    /// A node's block. Errors: `ENOENT`.
    pub(super) fn node(&mut self, ino: Ino) -> Result<Block> {
        let ptr = self.node_ptr(ino)?;
        self.small(ptr)
    }

    /// A node that must be of this type, or `errno`.
    pub(super) fn node_of(&mut self, ino: Ino, kind: u32, errno: Errno) -> Result<Block> {
        let node = self.node(ino)?;
        if node::mode(&node) as u32 & kind::MASK == kind { Ok(node) } else { Err(errno) }
    }

    /// Makes the block of an existing node changeable.
    pub(super) fn edit_node(&mut self, ino: Ino) -> Result<u64> {
        self.visits = 0;
        let way = way(ino)?;
        self.root = self.edit_root()?;
        let mut index = self.root.index();
        for at in &way[..3] {
            index = self.edit_child(index, *at, Kind::Tree)?;
        }
        self.edit_child(index, way[3], Kind::Node)
    }

    fn edit_root(&mut self) -> Result<Ptr> {
        let index = self.edit(Kind::Tree, self.root)?;
        Ok(if index == self.root.index() { self.root } else { Ptr::new(index, 0) })
    }

    /// Changes a node's fields.
    pub(super) fn change<T>(&mut self, ino: Ino, change: impl FnOnce(&mut [u8]) -> T) -> Result<T> {
        let index = self.edit_node(ino)?;
        Ok(change(self.data_mut(index)?))
    }

    pub(super) fn set_links(&mut self, ino: Ino, links: u64) -> Result<()> {
        self.change(ino, |data| node::set_links(data, links))
    }

    /// Adds what the operation under way took to the blocks of the node it took them for.
    pub(super) fn account(&mut self, ino: Ino) -> Result<()> {
        let owned = std::mem::take(&mut self.owned);
        if owned == 0 {
            return Ok(());
        }
        self.change(ino, |data| {
            let blocks = node::blocks(data).saturating_add_signed(owned);
            node::set_blocks(data, blocks);
        })
    }

    /// Makes a node that nothing leads to but its number.
    pub(super) fn new_node(&mut self, new: &NewNode<'_>) -> Result<Ino> {
        let mut data = vec![0; BLOCK];
        let file = new.mode & kind::MASK == kind::FILE;
        node::set_mode(&mut data, u64::from(new.mode));
        node::set_uid(&mut data, u64::from(new.uid));
        node::set_gid(&mut data, u64::from(new.gid));
        node::set_blocks(&mut data, 1);
        node::set_rdev(&mut data, new.rdev);
        node::set_record_level(&mut data, if file { u64::from(super::layout::TOP_LEVEL) } else { 0 });
        node::set_inline(&mut data, new.mode & kind::MASK != kind::DIRECTORY);
        for set in [node::set_atime, node::set_mtime, node::set_ctime, node::set_btime] {
            set(&mut data, new.time);
        }

        self.root = self.edit_root()?;
        let mut trail = [(0, 0); 4];
        let mut index = self.root.index();
        let mut number = 0u32;
        for depth in 0..4 {
            let first_leaf = depth == 3 && number == 0;
            let tree = self.data_mut(index)?;
            if first_leaf {
                set_full(tree, 0, true);
            }
            // Only the root can have no room: the flags above tell of everything below.
            let slot = vacant(tree).ok_or(if depth == 0 { Errno::ENOSPC } else { Errno::EIO })?;
            trail[depth] = (index, slot);
            number = number << 8 | slot as u32;
            if depth == 3 {
                break;
            }
            let at = slot * Ptr::SIZE;
            if Ptr::read(tree, at).is_null() {
                let child = self.add(Kind::Tree, vec![0; BLOCK])?;
                child.put(self.data_mut(index)?, at);
                index = child.index();
            } else {
                index = self.edit_child(index, at, Kind::Tree)?;
            }
        }
        let ptr = self.add(Kind::Node, data)?;
        let (leaf, slot) = trail[3];
        ptr.put(self.data_mut(leaf)?, slot * Ptr::SIZE);
        let mut full = true;
        for (index, slot) in trail.into_iter().rev() {
            let tree = self.data_mut(index)?;
            set_full(tree, slot, full);
            full = vacant(tree).is_none();
        }
        Ok(Ino::from(number))
    }

    /// Removes a node whose content is freed from the tree, with the tree's blocks that are then empty.
    pub(super) fn remove_node(&mut self, ino: Ino) -> Result<()> {
        let way = way(ino)?;
        let node = self.edit_node(ino)?;
        let mut indexes = [self.root.index(); 4];
        for depth in 1..4 {
            indexes[depth] = Ptr::read(self.data(indexes[depth - 1])?, way[depth - 1]).index();
        }
        let mut gone = Some(node);
        for depth in (0..4).rev() {
            let tree = self.data_mut(indexes[depth])?;
            set_full(tree, way[depth] / Ptr::SIZE, false);
            if gone.is_some() {
                Ptr::NULL.put(tree, way[depth]);
            }
            let empty = depth > 0 && (0..TREE_SLOTS).all(|slot| Ptr::read(tree, slot * Ptr::SIZE).is_null());
            if let Some(index) = gone.take() {
                self.release_block(Ptr::new(index, 0));
            }
            gone = empty.then_some(indexes[depth]);
        }
        Ok(())
    }

    pub(super) fn read_attributes(&mut self, ino: Ino) -> Result<Attributes> {
        let node = self.node(ino)?;
        let mode = node::mode(&node) as u32;
        let size = node::size(&node);
        // The node's own block is not counted, unless it is where the content is.
        let blocks = match node::is_inline(&node) {
            true => u64::from(size > 0 && mode & kind::MASK == kind::FILE),
            false => node::blocks(&node).saturating_sub(1),
        };
        Ok(Attributes {
            mode,
            uid: node::uid(&node) as u32,
            gid: node::gid(&node) as u32,
            nlink: if mode & kind::MASK == kind::DIRECTORY { 1 } else { node::links(&node) as u32 },
            rdev: node::rdev(&node),
            size,
            blocks: blocks.saturating_mul(BLOCK as u64 / 512),
            atime: node::atime(&node),
            mtime: node::mtime(&node),
            ctime: node::ctime(&node),
            btime: node::btime(&node),
        })
    }

    pub(super) fn write_attributes(&mut self, ino: Ino, to: &Attributes) -> Result<()> {
        self.change(ino, |data| {
            let mode = node::mode(data) as u32 & kind::MASK;
            node::set_mode(data, u64::from(mode | to.mode & !kind::MASK));
            node::set_uid(data, u64::from(to.uid));
            node::set_gid(data, u64::from(to.gid));
            if matches!(mode, kind::BLOCK | kind::CHARACTER) {
                node::set_rdev(data, to.rdev);
            }
            node::set_atime(data, to.atime);
            node::set_mtime(data, to.mtime);
            node::set_ctime(data, to.ctime);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::put;
    use super::*;

    #[test]
    fn vacant_slots() {
        let mut tree = vec![0; BLOCK];
        for slot in 0..TREE_SLOTS {
            assert_eq!(vacant(&tree), Some(slot));
            set_full(&mut tree, slot, true);
        }
        assert_eq!(vacant(&tree), None);
        assert_eq!(get::<8>(&tree, TREE_FLAGS + 24), u64::MAX >> 2);
        set_full(&mut tree, 100, false);
        assert_eq!(vacant(&tree), Some(100));
        put::<8>(&mut tree, TREE_FLAGS, 0);
        assert_eq!(vacant(&tree), Some(0));
    }
}
