//! Looking at everything: what tests and tools use to tell that a volume is whole. Mounting needs none of it.

use std::collections::BTreeMap;

use super::Redox;
use super::layout::{INDEX_SLOTS, Ptr, RING, TREE_SLOTS, node};
use super::space::Ranges;
use crate::device::Device;
use crate::volume::{Ino, kind};
use crate::{Errno, Result};

/// What is on a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Nodes, with or without names.
    pub nodes: u64,
    /// Names.
    pub names: u64,
    /// Blocks of 4 KiB that something leads to, headers included.
    pub used: u64,
    /// Blocks that are free.
    pub free: u64,
}

/// What has been seen so far.
struct Seen {
    blocks: Ranges,
    links: BTreeMap<Ino, u64>,
    census: Census,
}

impl Seen {
    /// Notes a block; `EIO` if something else led to it.
    fn block(&mut self, ptr: Ptr) -> Result<()> {
        self.census.used += ptr.blocks();
        self.blocks.add(ptr.index(), ptr.blocks())
    }
}

/// Says what is wrong.
fn fault<T>(what: impl core::fmt::Display) -> Result<T> {
    log::error!("volume: check: {what}");
    Err(Errno::EIO)
}

impl<D: Device> Redox<D> {
    /// Reads every block, after a commit, and checks that each is used once or free, that every node's names and blocks are as it says, and that
    /// nodes without names are those that are held or listed. Errors: `EIO`, with the reason in the log.
    pub fn check(&mut self) -> Result<Census> {
        self.commit_if_changed()?;
        let mut seen = Seen { blocks: Ranges::default(), links: BTreeMap::new(), census: Census::default() };
        seen.blocks.add(0, RING)?;
        seen.census.used = RING;
        for index in self.log.chain.iter().chain(&self.release_blocks) {
            seen.block(Ptr::new(*index, 0))?;
        }
        self.check_tree(self.root, 0, 0, &mut seen)?;
        for (ino, names) in std::mem::take(&mut seen.links) {
            let node = self.node(ino)?;
            let links = node::links(&node);
            if links != names && !(ino == 1 && links == 1) {
                return fault(format_args!("node {ino} has {names} names and says {links}"));
            }
        }
        seen.census.free = self.free.free();
        let free = self.free.ranges()?;
        free.iter().try_for_each(|(start, count)| seen.blocks.add(start, count))?;
        if seen.blocks.iter().collect::<Vec<_>>() != [(0, self.blocks)] {
            return fault(format_args!("lost blocks: {:?}", seen.blocks));
        }
        Ok(seen.census)
    }

    fn commit_if_changed(&mut self) -> Result<()> {
        if self.options.read_only { Ok(()) } else { self.commit_now() }
    }

    fn check_tree(&mut self, ptr: Ptr, depth: u32, number: u32, seen: &mut Seen) -> Result<()> {
        seen.block(ptr)?;
        self.visits = 0;
        let block = self.small(ptr)?;
        for slot in 0..TREE_SLOTS {
            let child = Ptr::read(&block, slot * Ptr::SIZE);
            let number = number << 8 | slot as u32;
            match (child.is_null(), depth) {
                (true, _) => {}
                (false, 3) => self.check_node(child, Ino::from(number), seen)?,
                (false, _) => self.check_tree(child, depth + 1, number, seen)?,
            }
        }
        Ok(())
    }

    fn check_node(&mut self, ptr: Ptr, ino: Ino, seen: &mut Seen) -> Result<()> {
        let before = seen.census.used;
        seen.block(ptr)?;
        seen.census.nodes += 1;
        let node = self.small(ptr)?;
        let xattrs = Ptr::read(&node, node::XATTRS);
        if !xattrs.is_null() {
            seen.block(xattrs)?;
            self.read_xattrs(ino)?;
        }
        seen.links.entry(ino).or_insert(0);
        if node::links(&node) == 0 && !self.orphans.contains(&(ino as u32)) {
            return fault(format_args!("node {ino} has no name and is not listed"));
        }
        if node::mode(&node) as u32 & kind::MASK == kind::DIRECTORY {
            self.check_directory(ino, seen)?;
        } else if !node::is_inline(&node) {
            let mut slot = 0;
            for (depth, count) in super::content::DEPTHS.into_iter().enumerate() {
                for _ in 0..count {
                    self.check_content(Ptr::read(&node, node::DATA + slot * Ptr::SIZE), depth, seen)?;
                    slot += 1;
                }
            }
        }
        if node::blocks(&node) != seen.census.used - before {
            let (says, has) = (node::blocks(&node), seen.census.used - before);
            return fault(format_args!("node {ino} says {says} blocks and has {has}"));
        }
        Ok(())
    }

    fn check_content(&mut self, ptr: Ptr, depth: usize, seen: &mut Seen) -> Result<()> {
        if ptr.is_null() {
            return Ok(());
        }
        seen.block(ptr)?;
        self.visits = 0;
        if depth == 0 {
            return self.record(ptr).map(drop);
        }
        let block = self.small(ptr)?;
        (0..INDEX_SLOTS).try_for_each(|slot| self.check_content(Ptr::read(&block, slot * Ptr::SIZE), depth - 1, seen))
    }

    fn check_directory(&mut self, ino: Ino, seen: &mut Seen) -> Result<()> {
        let mut names = Vec::new();
        self.list(ino, &mut |name, child| names.push((name.to_vec(), child)))?;
        seen.census.names += names.len() as u64;
        for (name, child) in names {
            if self.find(ino, &name)? != Some(child) {
                return fault(format_args!("name {name:?} of node {ino} is listed and not found"));
            }
            let node = self.node(child)?;
            if node::mode(&node) as u32 & kind::MASK == kind::DIRECTORY && node::parent(&node) != ino {
                return fault(format_args!("directory {child} stands in {ino} and says {}", node::parent(&node)));
            }
            *seen.links.entry(child).or_insert(0) += 1;
        }
        let mut blocks = Vec::new();
        self.directory_blocks(ino, &mut blocks)?;
        blocks.into_iter().try_for_each(|ptr| seen.block(ptr))
    }
}
