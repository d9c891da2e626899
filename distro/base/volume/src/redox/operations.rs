//! The trait: checks first, then room, then changes that cannot fail midway but for the device.

use super::Redox;
use super::layout::{RING, node};
use crate::device::{BLOCK, Device};
use crate::volume::{Attributes, Ino, NewNode, Usage, Volume, check_name, kind};
use crate::{Errno, Result};

/// Blocks of metadata that an operation may copy or add: the ways to four nodes and two directories, each with splits.
pub(super) const ROOM: u64 = 64;
/// Where what programs ask for is refused, so that what frees blocks always finds some.
const RESERVE_MIN: u64 = 2 * ROOM;
/// Freed blocks in memory at which the volume commits by itself.
const PENDING_MAX: usize = 64 << 10;
/// A symbolic link's target.
const TARGET_MAX: usize = 4095;

impl<D: Device> Redox<D> {
    pub(super) fn is_read_only(&self) -> bool {
        self.options.read_only
    }

    /// Blocks that are kept for deleting.
    fn reserve(&self) -> u64 {
        (self.blocks / 128).clamp(RESERVE_MIN, 2048)
    }

    /// Blocks that can be taken now: free ones, as far as the device will take writes.
    fn room(&self) -> u64 {
        match self.device.room() {
            None => self.free.free(),
            // Each header of the ring is written once more before it is written over.
            Some(bytes) => self.free.free().min((bytes / BLOCK as u64).saturating_sub(self.fresh_blocks + RING)),
        }
    }

    /// Makes sure of so many blocks, beside what the commit takes, and of the `reserve` if asked to; commits if that helps or if there is much to
    /// be committed. To be called before anything is changed. Errors: `EROFS`, `ENOSPC`, `EIO`.
    pub(super) fn make_room(&mut self, blocks: u64, reserve: bool) -> Result<()> {
        if self.is_read_only() || self.failed {
            return Err(Errno::EROFS);
        }
        self.owned = 0;
        if self.dirty_bytes > self.options.dirty_limit || self.pending.len() > PENDING_MAX {
            self.commit_now()?;
        }
        let kept = if reserve { self.reserve() } else { 0 };
        let has = |volume: &Self| volume.room() >= blocks + kept + volume.commit_cost();
        if !has(self) && !self.pending.is_empty() {
            self.commit_now()?;
        }
        if has(self) { Ok(()) } else { Err(Errno::ENOSPC) }
    }

    /// The same, and for a block of this level in one piece.
    fn make_room_for(&mut self, level: u32) -> Result<()> {
        self.make_room(ROOM + (1 << level), true)?;
        if !self.free.has(level) && !self.pending.is_empty() {
            self.commit_now()?;
        }
        if self.free.has(level) { Ok(()) } else { Err(Errno::ENOSPC) }
    }

    /// What a name leads to, which must be there.
    fn named(&mut self, directory: Ino, name: &[u8]) -> Result<Ino> {
        self.find(directory, name)?.ok_or(Errno::ENOENT)
    }

    fn is_directory(&mut self, ino: Ino) -> Result<bool> {
        Ok(node::mode(&*self.node(ino)?) as u32 & kind::MASK == kind::DIRECTORY)
    }

    /// Tells a directory where it stands now.
    fn set_parent(&mut self, ino: Ino, parent: Ino) -> Result<()> {
        if self.is_directory(ino)? {
            self.change(ino, |data| node::set_parent(data, parent))?;
        }
        Ok(())
    }

    /// Changes that belong together: an error among them leaves the volume as it was on the disk, and unwritable.
    fn together<T>(&mut self, changes: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let result = changes(self);
        if let Err(errno) = &result {
            log::error!("volume: a change failed midway ({errno}); nothing is written any more");
            self.failed = true;
        }
        result
    }

    /// Checks that `from` may take the name of `target`.
    fn check_replace(&mut self, from: Ino, target: Ino) -> Result<()> {
        match (self.is_directory(from)?, self.is_directory(target)?) {
            (true, false) => Err(Errno::ENOTDIR),
            (false, true) => Err(Errno::EISDIR),
            (true, true) if !self.has_no_name(target)? => Err(Errno::ENOTEMPTY),
            _ => Ok(()),
        }
    }

    fn exchange(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), ino: Ino, other: Ino) -> Result<()> {
        for changed in [ino, other] {
            self.edit_node(changed)?;
        }
        self.prepare_name(from.0, from.1)?;
        self.prepare_name(to.0, to.1)?;
        self.together(|volume| {
            volume.redirect_name(from.0, from.1, other)?;
            volume.redirect_name(to.0, to.1, ino)?;
            volume.set_parent(ino, to.0)?;
            volume.set_parent(other, from.0)
        })
    }
}

impl<D: Device> Volume for Redox<D> {
    fn root(&self) -> Ino {
        1
    }

    fn read_only(&self) -> bool {
        self.is_read_only() || self.failed
    }

    fn attributes(&mut self, ino: Ino) -> Result<Attributes> {
        self.read_attributes(ino)
    }

    fn set_attributes(&mut self, ino: Ino, to: &Attributes) -> Result<()> {
        self.make_room(ROOM, false)?;
        self.write_attributes(ino, to)
    }

    fn lookup(&mut self, directory: Ino, name: &[u8]) -> Result<Ino> {
        check_name(name)?;
        self.named(directory, name)
    }

    fn parent(&mut self, directory: Ino) -> Result<Ino> {
        let node = self.node_of(directory, kind::DIRECTORY, Errno::ENOTDIR)?;
        match node::parent(&node) {
            _ if directory == self.root() => Ok(directory),
            0 => Err(Errno::ENOENT),
            parent => Ok(parent),
        }
    }

    fn entries(&mut self, directory: Ino, each: &mut dyn FnMut(&[u8], Ino)) -> Result<()> {
        self.list(directory, each)
    }

    fn is_empty(&mut self, directory: Ino) -> Result<bool> {
        self.has_no_name(directory)
    }

    fn create(&mut self, new: &NewNode<'_>) -> Result<Ino> {
        let link = new.mode & kind::MASK == kind::SYMLINK;
        if new.mode & !(kind::MASK | 0o7777) != 0 || link == new.target.is_empty() || new.target.len() > TARGET_MAX {
            return Err(if new.target.len() > TARGET_MAX { Errno::ENAMETOOLONG } else { Errno::EINVAL });
        }
        self.make_room(ROOM, true)?;
        let ino = self.new_node(new)?;
        self.orphans.insert(ino as u32);
        self.holds.insert(ino as u32, 1);
        let mut done = 0;
        while done < new.target.len() {
            match self.write_some(ino, done as u64, &new.target[done..]) {
                Ok(count) => done += count,
                Err(errno) => {
                    self.release(ino)?;
                    return Err(errno);
                }
            }
        }
        Ok(ino)
    }

    fn link(&mut self, directory: Ino, name: &[u8], ino: Ino) -> Result<()> {
        check_name(name)?;
        if self.find(directory, name)?.is_some() {
            return Err(Errno::EEXIST);
        }
        let node = self.node(ino)?;
        let links = node::links(&node);
        if self.is_directory(ino)? && links > 0 {
            return Err(Errno::EPERM);
        }
        if links >= u64::from(u32::MAX) {
            return Err(Errno::EMLINK);
        }
        self.make_room(ROOM, true)?;
        self.edit_node(ino)?;
        self.insert_name(directory, name, ino)?;
        self.set_links(ino, links + 1)?;
        self.set_parent(ino, directory)?;
        self.orphans.remove(&(ino as u32));
        Ok(())
    }

    fn unlink(&mut self, directory: Ino, name: &[u8]) -> Result<Ino> {
        check_name(name)?;
        let ino = self.named(directory, name)?;
        if self.is_directory(ino)? && !self.has_no_name(ino)? {
            return Err(Errno::ENOTEMPTY);
        }
        self.make_room(ROOM, false)?;
        self.edit_node(ino)?;
        self.prepare_name(directory, name)?;
        self.together(|volume| {
            volume.remove_name(directory, name)?;
            volume.drop_link(ino)
        })?;
        self.reap(ino);
        Ok(ino)
    }

    fn rename(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), exchange: bool) -> Result<()> {
        check_name(from.1)?;
        check_name(to.1)?;
        let ino = self.named(from.0, from.1)?;
        let target = self.find(to.0, to.1)?;
        if target == Some(ino) {
            return Ok(());
        }
        if exchange {
            let other = target.ok_or(Errno::ENOENT)?;
            self.make_room(ROOM, false)?;
            return self.exchange(from, to, ino, other);
        }
        if let Some(target) = target {
            self.check_replace(ino, target)?;
        }
        self.make_room(ROOM, target.is_none())?;
        self.edit_node(ino)?;
        self.prepare_name(from.0, from.1)?;
        match target {
            Some(target) => {
                self.edit_node(target)?;
                self.prepare_name(to.0, to.1)?;
                self.together(|volume| {
                    volume.redirect_name(to.0, to.1, ino)?;
                    volume.drop_link(target)
                })?;
            }
            None => self.insert_name(to.0, to.1, ino)?,
        }
        self.together(|volume| {
            volume.remove_name(from.0, from.1)?;
            volume.set_parent(ino, to.0)
        })?;
        if let Some(target) = target {
            self.reap(target);
        }
        Ok(())
    }

    fn hold(&mut self, ino: Ino) -> Result<()> {
        self.node(ino)?;
        *self.holds.entry(ino as u32).or_insert(0) += 1;
        Ok(())
    }

    fn release(&mut self, ino: Ino) -> Result<()> {
        let number = u32::try_from(ino).map_err(|_| Errno::ENOENT)?;
        let holds = self.holds.get_mut(&number).ok_or(Errno::EINVAL)?;
        *holds -= 1;
        if *holds == 0 {
            self.holds.remove(&number);
            if !self.read_only() {
                self.reap(ino);
            }
        }
        Ok(())
    }

    fn read(&mut self, ino: Ino, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.node_of(ino, kind::FILE, Errno::EINVAL)?;
        self.read_content(ino, offset, buffer)
    }

    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8]) -> Result<()> {
        self.node_of(ino, kind::FILE, Errno::EINVAL)?;
        if offset.checked_add(bytes.len() as u64).is_none_or(|end| end > i64::MAX as u64) {
            return Err(Errno::EFBIG);
        }
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let level = self.level_of_write(ino, at, bytes.len() - done)?;
            self.make_room_for(level)?;
            done += self.write_some(ino, at, &bytes[done..])?;
        }
        Ok(())
    }

    fn resize(&mut self, ino: Ino, size: u64) -> Result<()> {
        self.node_of(ino, kind::FILE, Errno::EINVAL)?;
        if size > i64::MAX as u64 {
            return Err(Errno::EFBIG);
        }
        loop {
            self.make_room(ROOM, false)?;
            if self.set_size(ino, size)? {
                return Ok(());
            }
        }
    }

    fn punch(&mut self, ino: Ino, offset: u64, len: u64) -> Result<()> {
        let node = self.node_of(ino, kind::FILE, Errno::EINVAL)?;
        let end = offset.saturating_add(len).min(node::size(&node));
        let mut at = offset;
        while at < end {
            self.make_room(ROOM, false)?;
            at = self.punch_some(ino, at, end)?;
        }
        Ok(())
    }

    fn next_data(&mut self, ino: Ino, offset: u64) -> Result<Option<u64>> {
        self.next(ino, offset, false)
    }

    fn next_hole(&mut self, ino: Ino, offset: u64) -> Result<Option<u64>> {
        self.next(ino, offset, true)
    }

    fn target(&mut self, ino: Ino) -> Result<Vec<u8>> {
        let node = self.node_of(ino, kind::SYMLINK, Errno::EINVAL)?;
        let size = usize::try_from(node::size(&node)).ok().filter(|&size| size <= TARGET_MAX).ok_or(Errno::EIO)?;
        let mut target = vec![0; size];
        self.read_content(ino, 0, &mut target)?;
        Ok(target)
    }

    fn xattr(&mut self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        let found = self.read_xattrs(ino)?.into_iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value).ok_or(Errno::ENODATA)
    }

    fn set_xattr(&mut self, ino: Ino, name: &[u8], value: &[u8]) -> Result<()> {
        let all = self.with_xattr(ino, name, value)?;
        self.make_room_for(super::layout::TOP_LEVEL)?;
        self.write_xattrs(ino, &all)
    }

    fn remove_xattr(&mut self, ino: Ino, name: &[u8]) -> Result<()> {
        let mut all = self.read_xattrs(ino)?;
        let before = all.len();
        all.retain(|(other, _)| other != name);
        if all.len() == before {
            return Err(Errno::ENODATA);
        }
        self.make_room(ROOM, false)?;
        self.write_xattrs(ino, &all)
    }

    fn list_xattrs(&mut self, ino: Ino) -> Result<Vec<Vec<u8>>> {
        Ok(self.read_xattrs(ino)?.into_iter().map(|(name, _)| name).collect())
    }

    fn usage(&mut self) -> Result<Usage> {
        let pending: u64 = self.pending.iter().map(|ptr| ptr.blocks()).sum();
        let free = self.free.free() + pending;
        let room = self.room() + pending;
        let available = room.saturating_sub(self.reserve() + ROOM + self.commit_cost());
        // A node takes a block; there are 254 branches in each of four levels.
        Ok(Usage {
            block_size: BLOCK as u32,
            blocks: self.blocks,
            free,
            available,
            files: self.blocks.min(254u64.pow(4)),
            free_files: available.min(254u64.pow(4)),
        })
    }

    fn commit(&mut self) -> Result<()> {
        self.commit_now()
    }
}

impl<D: Device> Redox<D> {
    fn next(&mut self, ino: Ino, offset: u64, hole: bool) -> Result<Option<u64>> {
        let node = self.node_of(ino, kind::FILE, Errno::EINVAL)?;
        let size = node::size(&node);
        if offset >= size {
            return Ok(None);
        }
        if node::is_inline(&node) {
            return Ok(Some(if hole { size } else { offset }));
        }
        let bytes = (BLOCK << node::checked_level(&node)?) as u64;
        let record = self.next_record(&node, offset / bytes, hole)?;
        let found = record.map(|record| offset.max(record.saturating_mul(bytes)));
        Ok(match hole {
            true => Some(found.unwrap_or(size).min(size)),
            false => found.filter(|&found| found < size),
        })
    }
}
