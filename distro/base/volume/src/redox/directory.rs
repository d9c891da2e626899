//! Directories: names in leaves, found by their hashes.
//!
//! A directory's first pointer is a marker with the number of levels of branches, the second leads to the root; both are null while it is empty.

use super::Redox;
use super::blocks::Kind;
use super::layout::{Ptr, node};
use super::leaf;
use crate::device::{BLOCK, Device};
use crate::volume::{Ino, kind};
use crate::{Errno, Result};

/// Where the marker stands in a directory's node.
const MARKER: usize = node::DATA;
/// Where the pointer to the root stands.
const ROOT: usize = node::DATA + Ptr::SIZE;
/// More levels than any directory needs: a branch has 204 entries, at least half of them taken when it was split.
const LEVELS_MAX: u32 = 12;

/// Where a name stands: the slots in the branches from the root, the place in the leaf, the node.
struct Found {
    slots: Vec<usize>,
    at: usize,
    ino: u32,
}

/// A block of a directory after an insertion: its highest hash, and the block that was split off.
struct Inserted {
    highest: u32,
    split: Option<(u32, Ptr)>,
}

impl<D: Device> Redox<D> {
    /// The levels of branches and the root of a directory, or `None` if it is empty. Errors: `ENOTDIR`.
    fn directory(&mut self, ino: Ino) -> Result<Option<(u32, Ptr)>> {
        let node = self.node_of(ino, kind::DIRECTORY, Errno::ENOTDIR)?;
        if node::is_inline(&node) {
            return Err(Errno::EIO);
        }
        match Ptr::read(&node, MARKER).marked() {
            Some(levels) if levels <= LEVELS_MAX => Ok(Some((levels, Ptr::read(&node, ROOT)))),
            Some(_) => Err(Errno::EIO),
            None => Ok(None),
        }
    }

    /// The node of a name, if it is there.
    pub(super) fn find(&mut self, directory: Ino, name: &[u8]) -> Result<Option<Ino>> {
        self.visits = 0;
        let Some((levels, root)) = self.directory(directory)? else {
            return Ok(None);
        };
        let found = self.search(root, levels, leaf::hash(name), name, &mut Vec::new())?;
        Ok(found.map(|(_, ino)| Ino::from(ino)))
    }

    /// Searches below a block; the slots of the branches are left in `slots`.
    fn search(
        &mut self,
        ptr: Ptr,
        levels: u32,
        hash: u32,
        name: &[u8],
        slots: &mut Vec<usize>,
    ) -> Result<Option<(usize, u32)>> {
        let block = self.small(ptr)?;
        if levels == 0 {
            return leaf::find(&block, name);
        }
        for slot in leaf::first_slot(&block, hash)..leaf::BRANCH_SLOTS {
            let Some((highest, child)) = leaf::entry(&block, slot) else { break };
            slots.push(slot);
            if let Some(found) = self.search(child, levels - 1, hash, name, slots)? {
                return Ok(Some(found));
            }
            slots.pop();
            // The same hash may go on in the next block, a higher one not.
            if highest != hash {
                break;
            }
        }
        Ok(None)
    }

    fn locate(&mut self, directory: Ino, name: &[u8]) -> Result<Found> {
        let (levels, root) = self.directory(directory)?.ok_or(Errno::ENOENT)?;
        let mut slots = Vec::new();
        let (at, ino) = self.search(root, levels, leaf::hash(name), name, &mut slots)?.ok_or(Errno::ENOENT)?;
        Ok(Found { slots, at, ino })
    }

    /// Makes the blocks on the way to a name changeable: the node, the branches, the leaf.
    fn edit_way(&mut self, directory: Ino, slots: &[usize]) -> Result<Vec<u64>> {
        let mut index = self.edit_node(directory)?;
        let mut way = vec![index];
        let mut at = ROOT;
        for (depth, next) in slots.iter().map(Some).chain([None]).enumerate() {
            index = self.edit_child(index, at, if next.is_some() { Kind::Branch } else { Kind::Leaf })?;
            way.push(index);
            at = slots.get(depth).map_or(0, |slot| slot * leaf::BRANCH_ENTRY + leaf::BRANCH_PTR);
        }
        Ok(way)
    }

    /// Makes everything changeable that [`remove_name`](Self::remove_name) will change, so that it cannot fail later for an error of the device.
    pub(super) fn prepare_name(&mut self, directory: Ino, name: &[u8]) -> Result<()> {
        let found = self.locate(directory, name)?;
        self.edit_way(directory, &found.slots).map(drop)
    }

    /// Leads a name to another node.
    pub(super) fn redirect_name(&mut self, directory: Ino, name: &[u8], ino: Ino) -> Result<()> {
        let found = self.locate(directory, name)?;
        let way = self.edit_way(directory, &found.slots)?;
        leaf::redirect(self.data_mut(way[way.len() - 1])?, found.at, ino as u32);
        Ok(())
    }

    /// Adds a name that is not there.
    pub(super) fn insert_name(&mut self, directory: Ino, name: &[u8], ino: Ino) -> Result<()> {
        let (levels, hash) = (self.directory(directory)?.map(|(levels, _)| levels), leaf::hash(name));
        let node = self.edit_node(directory)?;
        let Some(levels) = levels else {
            let mut data = vec![0; BLOCK];
            leaf::append(&mut data, ino as u32, name)?;
            let ptr = self.add_owned(Kind::Leaf, data)?;
            return self.set_root(directory, node, 0, ptr);
        };
        let root = self.edit_child(node, ROOT, if levels == 0 { Kind::Leaf } else { Kind::Branch })?;
        let inserted = self.insert_below(root, levels, hash, name, ino as u32)?;
        if let Some(split) = inserted.split {
            let mut data = leaf::new_branch();
            leaf::put_entry(&mut data, 0, Some((inserted.highest, Ptr::new(root, 0))));
            leaf::put_entry(&mut data, 1, Some(split));
            let ptr = self.add_owned(Kind::Branch, data)?;
            return self.set_root(directory, node, levels + 1, ptr);
        }
        self.account_directory(directory)
    }

    fn set_root(&mut self, directory: Ino, node: u64, levels: u32, root: Ptr) -> Result<()> {
        let data = self.data_mut(node)?;
        Ptr::marker(levels).put(data, MARKER);
        root.put(data, ROOT);
        self.account_directory(directory)
    }

    /// A directory's size is that of its blocks.
    fn account_directory(&mut self, directory: Ino) -> Result<()> {
        let bytes = self.owned * BLOCK as i64;
        self.account(directory)?;
        if bytes == 0 {
            return Ok(());
        }
        self.change(directory, |data| {
            let size = node::size(data).saturating_add_signed(bytes);
            node::set_size(data, size);
        })
    }

    fn add_owned(&mut self, kind: Kind, data: Vec<u8>) -> Result<Ptr> {
        let ptr = self.add(kind, data)?;
        self.owned += 1;
        Ok(ptr)
    }

    fn insert_below(&mut self, index: u64, levels: u32, hash: u32, name: &[u8], ino: u32) -> Result<Inserted> {
        if levels == 0 {
            if leaf::append(self.data_mut(index)?, ino, name)? {
                return Ok(Inserted { highest: hash, split: None });
            }
            let (first, second) = leaf::split(self.data(index)?, ino, name)?;
            let (highest, above) = (leaf::highest(&first)?, leaf::highest(&second)?);
            let new = self.add_owned(Kind::Leaf, second)?;
            self.data_mut(index)?.copy_from_slice(&first);
            return Ok(Inserted { highest, split: Some((above, new)) });
        }
        let branch = self.data(index)?;
        let len = leaf::branch_len(branch);
        let slot = leaf::first_slot(branch, hash).min(len.checked_sub(1).ok_or(Errno::EIO)?);
        let (highest, _) = leaf::entry(branch, slot).ok_or(Errno::EIO)?;
        let below = if levels == 1 { Kind::Leaf } else { Kind::Branch };
        let child = self.edit_child(index, slot * leaf::BRANCH_ENTRY + leaf::BRANCH_PTR, below)?;
        let inserted = self.insert_below(child, levels - 1, hash, name, ino)?;
        let branch = self.data_mut(index)?;
        let Some(new) = inserted.split else {
            leaf::put_hash(branch, slot, highest.max(hash));
            return Ok(Inserted { highest: highest_of(branch)?, split: None });
        };
        leaf::put_hash(branch, slot, inserted.highest);
        if leaf::insert_entry(branch, slot + 1, new) {
            return Ok(Inserted { highest: highest_of(branch)?, split: None });
        }
        let mut all: Vec<_> = (0..len).filter_map(|slot| leaf::entry(branch, slot)).collect();
        all.insert(slot + 1, new);
        let mut halves = [leaf::new_branch(), leaf::new_branch()];
        let half = all.len() / 2;
        for (half, some) in halves.iter_mut().zip([&all[..half], &all[half..]]) {
            some.iter().enumerate().for_each(|(slot, &entry)| leaf::put_entry(half, slot, Some(entry)));
        }
        let [first, second] = halves;
        let (highest, above) = (highest_of(&first)?, highest_of(&second)?);
        self.data_mut(index)?.copy_from_slice(&first);
        let new = self.add_owned(Kind::Branch, second)?;
        Ok(Inserted { highest, split: Some((above, new)) })
    }

    /// Removes a name, and the blocks that are then empty; returns its node.
    pub(super) fn remove_name(&mut self, directory: Ino, name: &[u8]) -> Result<Ino> {
        let found = self.locate(directory, name)?;
        let way = self.edit_way(directory, &found.slots)?;
        let (node, blocks) = (way[0], &way[1..]);
        let last = self.data_mut(blocks[blocks.len() - 1])?;
        leaf::remove(last, found.at)?;
        let mut highest = if leaf::is_empty(last) { None } else { Some(leaf::highest(last)?) };
        let mut below = blocks[blocks.len() - 1];
        for (&branch, &slot) in blocks.iter().zip(&found.slots).rev() {
            let data = self.data_mut(branch)?;
            match highest {
                Some(hash) => leaf::put_hash(data, slot, hash),
                None => leaf::remove_entry(data, slot),
            }
            let above = highest_of(data).ok();
            if highest.is_none() {
                self.release_block(Ptr::new(below, 0));
                self.owned -= 1;
            }
            (highest, below) = (above, branch);
        }
        if highest.is_none() {
            self.release_block(Ptr::new(below, 0));
            self.owned -= 1;
            let data = self.data_mut(node)?;
            Ptr::NULL.put(data, MARKER);
            Ptr::NULL.put(data, ROOT);
        }
        self.account_directory(directory)?;
        Ok(Ino::from(found.ino))
    }

    /// Calls `each` for every name.
    pub(super) fn list(&mut self, directory: Ino, each: &mut dyn FnMut(&[u8], Ino)) -> Result<()> {
        self.visits = 0;
        match self.directory(directory)? {
            Some((levels, root)) => self.list_below(root, levels, each),
            None => Ok(()),
        }
    }

    fn list_below(&mut self, ptr: Ptr, levels: u32, each: &mut dyn FnMut(&[u8], Ino)) -> Result<()> {
        let block = self.small(ptr)?;
        if levels == 0 {
            for entry in leaf::entries(&block) {
                let (_, ino, name) = entry?;
                each(name, Ino::from(ino));
            }
            return Ok(());
        }
        for slot in 0..leaf::branch_len(&block) {
            let (_, child) = leaf::entry(&block, slot).ok_or(Errno::EIO)?;
            self.list_below(child, levels - 1, each)?;
        }
        Ok(())
    }

    /// All blocks of a directory but its node.
    pub(super) fn directory_blocks(&mut self, directory: Ino, into: &mut Vec<Ptr>) -> Result<()> {
        let Some((levels, root)) = self.directory(directory)? else {
            return Ok(());
        };
        let mut level = vec![root];
        for depth in 0..=levels {
            let mut below = Vec::new();
            for ptr in level {
                into.push(ptr);
                if depth < levels {
                    let block = self.small(ptr)?;
                    below.extend(
                        (0..leaf::branch_len(&block)).filter_map(|slot| leaf::entry(&block, slot)).map(|(_, ptr)| ptr),
                    );
                }
            }
            level = below;
        }
        Ok(())
    }

    /// True if a directory has no name.
    pub(super) fn has_no_name(&mut self, directory: Ino) -> Result<bool> {
        Ok(self.directory(directory)?.is_none())
    }
}

/// The highest hash of a branch: that of its last entry.
fn highest_of(branch: &[u8]) -> Result<u32> {
    let last = leaf::branch_len(branch).checked_sub(1).ok_or(Errno::EIO)?;
    leaf::entry(branch, last).map(|(hash, _)| hash).ok_or(Errno::EIO)
}
