//! Open files and directories.

use super::node::{Attributes, Ino, Kind, Node};
use super::permission::{Caller, EXECUTE, READ, SET_GROUP, SET_IDS, WRITE};
use super::walk::Last;
use super::{At, Fs, Outcome, Store};
use alloc::boxed::Box;
use alloc::vec::Vec;
use ochre_abi::event::{IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, IN_MODIFY, IN_OPEN};
use ochre_abi::file::*;
use ochre_abi::{Errno, Result};

/// An open file description, as far as the file system knows it (positions are the kernel's).
#[derive(Debug)]
pub(super) struct Handle {
    pub ino: Ino,
    pub readable: bool,
    pub writable: bool,
    /// A listing of a volume's directory, from when it was begun.
    pub listing: Option<Box<Vec<(Box<[u8]>, Ino)>>>,
}

/// What opening brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    pub handle: u64,
    pub ino: Ino,
    /// Opened with O_PATH: only a name.
    pub path_only: bool,
    /// The file's data are others than before (a copy was made for writing): handles opened earlier must learn of it.
    pub replaced: bool,
}

/// fallocate(2): the size stays.
pub const FALLOC_KEEP_SIZE: u64 = 1;
/// fallocate(2): the part becomes a hole.
pub const FALLOC_PUNCH_HOLE: u64 = 2;
/// fallocate(2): the part becomes zero.
pub const FALLOC_ZERO_RANGE: u64 = 16;

/// Where to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteAt {
    Offset(u64),
    End,
}

impl<S: Store> Fs<S> {
    /// open(2). Besides Linux's flags, O_EXEC asks for permission to run instead of to read.
    pub fn open(&mut self, at: At<'_>, flags: u32, mode: u32, caller: &Caller) -> Outcome<Opened> {
        let path_only = flags & O_PATH != 0;
        let flags = if path_only { flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW) } else { flags };
        // O_TMPFILE contains O_DIRECTORY's bit.
        let temporary = flags & O_TMPFILE == O_TMPFILE;
        let create = flags & O_CREAT != 0 && !temporary;
        if create && flags & O_DIRECTORY != 0 {
            return Err(Errno::EINVAL.into());
        }
        let access = Access::of(flags, path_only);
        let exclusive = create && flags & O_EXCL != 0;
        let last = if flags & O_NOFOLLOW != 0 || exclusive { Last::Keep } else { Last::Follow };
        let target = self.walk(&at, last, caller)?;
        if temporary {
            let opened = self.open_temporary(target.found()?, access, mode, caller)?;
            self.node_mut(opened.ino)?.linkable = flags & O_EXCL == 0;
            self.settle_node(opened.ino)?;
            return Ok(opened);
        }
        let ino = match target.node {
            Some(_) if exclusive => return Err(Errno::EEXIST.into()),
            Some(ino) => ino,
            None if !create => return Err(Errno::ENOENT.into()),
            None if target.slash => return Err(Errno::EISDIR.into()),
            None => {
                let place = self.free_place(target, caller)?;
                let node = self.new_node(Kind::File(None), place.directory, mode, caller)?;
                let ino = self.link_new(place, node)?;
                // The permissions of a new file do not bind the one who makes it.
                return Ok(self.insert(ino, access, false, false)?);
            }
        };
        self.check_open(ino, flags, access, create, caller)?;
        if (access.writable || flags & O_TRUNC != 0) && matches!(self.node(ino)?.kind, Kind::File(_)) {
            self.changeable()?;
        }
        let mut replaced = false;
        if flags & O_TRUNC != 0 && matches!(self.node(ino)?.kind, Kind::File(_)) {
            replaced = self.set_size(ino, 0)?;
        } else if access.writable {
            replaced = self.make_writable(ino)?;
        }
        Ok(self.insert(ino, access, path_only, replaced)?)
    }

    fn check_open(&self, ino: Ino, flags: u32, access: Access, create: bool, caller: &Caller) -> Result<()> {
        let node = self.node(ino)?;
        if flags & O_DIRECTORY != 0 && !node.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        if flags & O_PATH != 0 {
            return Ok(());
        }
        let execute = flags & O_EXEC != 0;
        match node.kind {
            Kind::Symlink(_) => return Err(Errno::ELOOP),
            Kind::Directory(_) if execute => return Err(Errno::EACCES),
            Kind::Directory(_) if create || access.writable || flags & O_TRUNC != 0 => return Err(Errno::EISDIR),
            _ => {}
        }
        let wanted = if execute {
            EXECUTE
        } else if access.readable {
            READ
        } else {
            0
        };
        let wanted = wanted | if access.writable || flags & O_TRUNC != 0 { WRITE } else { 0 };
        caller.check(&node.attributes, wanted)?;
        match node.kind {
            Kind::Special if execute => Err(Errno::EACCES),
            Kind::Special if node.attributes.mode & S_IFMT == S_IFIFO => Ok(()),
            // A socket is not opened, and no device is behind a name here.
            Kind::Special => Err(Errno::ENXIO),
            _ => Ok(()),
        }
    }

    fn open_temporary(&mut self, directory: Ino, access: Access, mode: u32, caller: &Caller) -> Result<Opened> {
        let node = self.node(directory)?;
        if !node.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        if !access.writable {
            return Err(Errno::EINVAL);
        }
        caller.check(&node.attributes, WRITE | EXECUTE)?;
        let node = self.new_node(Kind::File(None), directory, mode, caller)?;
        let ino = self.insert_node(node)?;
        self.insert(ino, access, false, false)
    }

    fn insert(&mut self, ino: Ino, access: Access, path_only: bool, replaced: bool) -> Result<Opened> {
        let handle = if self.backed { self.telling_id(ino, access)? } else { 0 };
        let first = self.node(ino)?.opens == 0;
        if let (true, Some(volume)) = (first, self.store.volume()) {
            volume.hold(ino)?;
        }
        let node = self.node_mut(ino)?;
        node.opens += 1;
        if access.writable {
            node.writers += 1;
            node.written = true;
            self.unsaved(ino);
        }
        if !path_only {
            self.note(ino, IN_OPEN);
        }
        let handle = if self.backed { handle } else { self.short_id() };
        let Access { readable, writable } = access;
        self.handles.insert(handle, Handle { ino, readable, writable, listing: None });
        Ok(Opened { handle, ino, path_only, replaced })
    }

    /// What is written to a file may not be on the volume.
    pub(super) fn unsaved(&mut self, ino: Ino) {
        if self.backed {
            self.unsaved.insert(ino);
        }
    }

    fn short_id(&mut self) -> u64 {
        self.free_handles.pop().unwrap_or_else(|| {
            self.next_handle += 1;
            self.next_handle - 1
        })
    }

    /// The last descriptor of a handle is gone; an unknown handle is ignored.
    pub fn close(&mut self, handle: u64) {
        if let Some(Handle { ino, readable, writable, .. }) = self.handles.remove(handle) {
            if !self.backed {
                self.free_handles.push(handle);
            }
            // O_PATH opened nothing.
            if readable || writable {
                self.note(ino, if writable { IN_CLOSE_WRITE } else { IN_CLOSE_NOWRITE });
            }
            let mut last = false;
            if let Some(node) = self.nodes.get_mut(ino) {
                node.opens = node.opens.saturating_sub(1);
                last = node.opens == 0;
                if writable {
                    node.writers = node.writers.saturating_sub(1);
                }
            }
            self.release(ino);
            if self.backed && last {
                self.set_idle(ino);
                if let Some(volume) = self.store.volume() {
                    // What is damaged is told by whoever uses it; closing has nobody to tell.
                    let _ = volume.release(ino);
                }
            }
        }
    }

    /// The handles of a file.
    pub fn handles_of(&self, ino: Ino) -> impl Iterator<Item = u64> {
        self.handles.iter().filter(move |(_, handle)| handle.ino == ino).map(|(id, _)| id)
    }

    /// Whether a node is a FIFO.
    pub fn is_fifo(&self, ino: Ino) -> bool {
        self.nodes.get(ino).is_some_and(|node| node.attributes.mode & S_IFMT == S_IFIFO)
    }

    /// Whether a handle was opened for reading, and for writing.
    pub fn access_of(&self, handle: u64) -> Result<(bool, bool)> {
        let handle = self.handles.get(handle).ok_or(Errno::EBADF)?;
        Ok((handle.readable, handle.writable))
    }

    /// The node behind a handle.
    pub fn ino(&self, handle: u64) -> Result<Ino> {
        Ok(self.handles.get(handle).ok_or(Errno::EBADF)?.ino)
    }

    /// A file's data, made if there are none yet. EISDIR, EINVAL for what is no file.
    pub fn data(&mut self, ino: Ino) -> Result<&S::Data> {
        self.ensure_data(ino)?;
        self.existing_data(ino)
    }

    /// A file's data; EINVAL if there are none.
    pub fn existing_data(&self, ino: Ino) -> Result<&S::Data> {
        match &self.node(ino)?.kind {
            Kind::File(Some(data)) => Ok(data),
            _ => Err(Errno::EINVAL),
        }
    }

    fn ensure_data(&mut self, ino: Ino) -> Result<()> {
        match &self.node(ino)?.kind {
            Kind::File(Some(_)) => return Ok(()),
            Kind::File(None) => {}
            Kind::Directory(_) => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
        let size = self.node(ino)?.size;
        let data = self.store.create(ino, size)?;
        self.node_mut(ino)?.kind = Kind::File(Some(data));
        Ok(())
    }

    /// Bytes of a file; of a symbolic link, its target's; else 0.
    pub fn size(&self, ino: Ino) -> Result<u64> {
        Ok(self.node(ino)?.size(&self.store))
    }

    /// read(2) and pread(2).
    pub fn read(&mut self, handle: u64, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let &Handle { ino, readable, .. } = self.handles.get(handle).ok_or(Errno::EBADF)?;
        if !readable {
            return Err(Errno::EBADF);
        }
        if self.backed && matches!(self.node(ino)?.kind, Kind::File(None)) {
            self.ensure_data(ino)?;
        }
        let node = self.nodes.get(ino).ok_or(Errno::EBADF)?;
        match &node.kind {
            Kind::File(None) => Ok(0),
            Kind::File(Some(data)) => self.store.read(data, offset, buffer),
            Kind::Directory(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }

    /// write(2) and pwrite(2). ENOSPC, EFBIG. The flag: the data are others than before.
    pub fn write(&mut self, handle: u64, at: WriteAt, bytes: &[u8]) -> Result<(usize, bool)> {
        let &Handle { ino, writable, .. } = self.handles.get(handle).ok_or(Errno::EBADF)?;
        if !writable {
            return Err(Errno::EBADF);
        }
        if bytes.is_empty() {
            return Ok((0, false));
        }
        let replaced = self.make_writable(ino)?;
        self.ensure_data(ino)?;
        let size = self.size(ino)?;
        let offset = match at {
            WriteAt::Offset(offset) => offset,
            WriteAt::End => size,
        };
        let end = offset.checked_add(bytes.len() as u64).filter(|&end| end <= i64::MAX as u64).ok_or(Errno::EFBIG)?;
        // What fits is written; nothing is ENOSPC.
        let room = self.limit.saturating_sub(self.used).saturating_add(size);
        let bytes = if end <= size.max(room) {
            bytes
        } else {
            let fits = room.saturating_sub(offset) as usize;
            bytes.get(..fits).filter(|part| !part.is_empty()).ok_or(Errno::ENOSPC)?
        };
        let Self { store, nodes, .. } = self;
        let node = nodes.get_mut(ino).ok_or(Errno::EBADF)?;
        let Kind::File(Some(data)) = &mut node.kind else { return Err(Errno::EINVAL) };
        let written = store.write(data, offset, bytes)?;
        node.sparse |= offset > size;
        self.used = self.used.saturating_sub(size) + self.size(ino)?;
        self.drop_set_ids(ino)?;
        self.touch(ino, true);
        self.note(ino, IN_MODIFY);
        Ok((written, replaced))
    }

    /// ftruncate(2). The flag as for [`Self::write`].
    pub fn truncate_handle(&mut self, handle: u64, size: u64) -> Result<bool> {
        let &Handle { ino, writable, .. } = self.handles.get(handle).ok_or(Errno::EBADF)?;
        if !writable {
            return Err(Errno::EINVAL);
        }
        self.set_size(ino, size)
    }

    /// truncate(2). The file's number, and the flag as for [`Self::write`].
    pub fn truncate_path(&mut self, at: At<'_>, size: u64, caller: &Caller) -> Outcome<(Ino, bool)> {
        let ino = self.find(&at, Last::Follow, caller)?;
        caller.check(&self.node(ino)?.attributes, WRITE)?;
        Ok((ino, self.set_size(ino, size)?))
    }

    /// fallocate(2) with no mode, KEEP_SIZE, PUNCH_HOLE with it, or ZERO_RANGE; others are EOPNOTSUPP. The flag as for [`Self::write`].
    ///
    /// In memory room is kept by the file's size alone, on a volume by writing zeroes; what KEEP_SIZE would set aside behind the end is only
    /// checked to be there.
    pub fn allocate(&mut self, handle: u64, mode: u64, offset: u64, len: u64) -> Result<bool> {
        let &Handle { ino, writable, .. } = self.handles.get(handle).ok_or(Errno::EBADF)?;
        if !writable {
            return Err(Errno::EBADF);
        }
        match self.node(ino)?.kind {
            Kind::File(_) => {}
            Kind::Directory(_) => return Err(Errno::EISDIR),
            _ => return Err(Errno::ENODEV),
        }
        let end = offset.checked_add(len).filter(|&end| end <= i64::MAX as u64).ok_or(Errno::EFBIG)?;
        if len == 0 {
            return Err(Errno::EINVAL);
        }
        let size = self.size(ino)?;
        let grows = match mode {
            0 | FALLOC_ZERO_RANGE => end > size,
            _ if mode == FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE => false,
            FALLOC_KEEP_SIZE => false,
            _ if mode == FALLOC_ZERO_RANGE | FALLOC_KEEP_SIZE => false,
            _ => return Err(Errno::EOPNOTSUPP),
        };
        let punches = mode & (FALLOC_PUNCH_HOLE | FALLOC_ZERO_RANGE) != 0;
        if !punches && end.saturating_sub(size) > self.limit.saturating_sub(self.used) {
            return Err(Errno::ENOSPC);
        }
        let mut replaced = false;
        if punches && offset < size {
            replaced = self.make_writable(ino)?;
            self.ensure_data(ino)?;
            let Self { store, nodes, .. } = self;
            if let Some(Node { kind: Kind::File(Some(data)), sparse, .. }) = nodes.get_mut(ino) {
                store.punch(data, offset, end.min(size) - offset)?;
                *sparse = true;
            }
            self.touch(ino, true);
            self.note(ino, IN_MODIFY);
        }
        if grows {
            let sparse = self.node(ino)?.sparse || offset > size;
            replaced |= self.set_size(ino, end)?;
            // What was asked for counts as taken.
            self.node_mut(ino)?.sparse = sparse;
        }
        if mode == 0 && self.backed {
            self.ensure_data(ino)?;
            let Self { store, nodes, .. } = self;
            if let Some(Node { kind: Kind::File(Some(data)), .. }) = nodes.get_mut(ino) {
                store.allocate(data, offset, len)?;
            }
        }
        Ok(replaced)
    }

    /// A file's attributes with times that follow what was written without asking, and the bytes of memory it takes.
    pub fn refresh(&mut self, ino: Ino) -> Result<(Attributes, u64, u64)> {
        let settled = !self.backed || !self.unsaved.contains(&ino);
        let Self { store, nodes, .. } = self;
        let node = nodes.get_mut(ino).ok_or(Errno::ENOENT)?;
        let size = node.size(store);
        let mut allocated = size.next_multiple_of(4096);
        let mut modified = None;
        if let Kind::File(Some(data)) = &mut node.kind
            && (node.written || node.sparse || self.backed)
            && !store.is_read_only(data)
        {
            let status = store.status(data, settled)?;
            // utimes(2) and all that was done here since then have the last word.
            modified = (status.modified > node.attributes.ctime).then_some(status.modified);
            node.written = node.writers > 0;
            if node.sparse || self.backed {
                allocated = status.allocated;
            }
        } else if let Some(volume) = store.volume() {
            allocated = volume.attributes(ino)?.blocks * 512;
        }
        let Some(time) = modified else { return Ok((node.attributes, size, allocated)) };
        let attributes = self.attributes_mut(ino)?;
        attributes.mtime = time;
        attributes.ctime = time;
        Ok((*attributes, size, allocated))
    }

    /// SEEK_DATA, or SEEK_HOLE with `hole`: ENXIO behind the end or if there are no more data.
    pub fn seek(&mut self, handle: u64, offset: u64, hole: bool) -> Result<u64> {
        let ino = self.ino(handle)?;
        if offset >= self.size(ino)? {
            return Err(Errno::ENXIO);
        }
        let Self { store, nodes, .. } = self;
        let node = nodes.get_mut(ino).ok_or(Errno::EBADF)?;
        match &mut node.kind {
            Kind::File(Some(data)) if hole => store.next_hole(data, offset),
            Kind::File(Some(data)) => store.next_data(data, offset)?.ok_or(Errno::ENXIO),
            _ if hole => self.size(ino),
            _ => Ok(offset),
        }
    }

    fn set_size(&mut self, ino: Ino, size: u64) -> Result<bool> {
        if size > i64::MAX as u64 {
            return Err(Errno::EFBIG);
        }
        match self.node(ino)?.kind {
            Kind::File(_) => {}
            Kind::Directory(_) => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
        self.unsaved(ino);
        let old = self.size(ino)?;
        if size > old && size - old > self.limit.saturating_sub(self.used) {
            return Err(Errno::ENOSPC);
        }
        let replaced = if size == 0 { self.replace_by_empty(ino)? } else { self.make_writable(ino)? };
        self.ensure_data(ino)?;
        // A fresh copy counts already; an empty replacement counts as nothing.
        let old = self.size(ino)?;
        let Self { store, nodes, .. } = self;
        if let Some(Node { kind: Kind::File(Some(data)), sparse, .. }) = nodes.get_mut(ino)
            && old != size
        {
            store.truncate(data, size)?;
            *sparse = size > 0 && (*sparse || size > old);
            self.used = self.used.saturating_sub(old) + size;
        }
        self.drop_set_ids(ino)?;
        self.touch(ino, true);
        self.note(ino, IN_MODIFY);
        Ok(replaced)
    }

    /// Copies data that cannot be written; whether it did.
    fn make_writable(&mut self, ino: Ino) -> Result<bool> {
        let Self { store, nodes, used, limit, .. } = self;
        let Some(Node { kind: Kind::File(Some(data)), .. }) = nodes.get_mut(ino) else { return Ok(false) };
        if !store.is_read_only(data) {
            return Ok(false);
        }
        let size = store.size(data);
        if size > limit.saturating_sub(*used) {
            return Err(Errno::ENOSPC);
        }
        let copy = store.copy(data)?;
        store.retire(core::mem::replace(data, copy));
        *used += size;
        Ok(true)
    }

    /// Like [`Self::make_writable`] for data that are about to be cut to nothing.
    fn replace_by_empty(&mut self, ino: Ino) -> Result<bool> {
        let Self { store, nodes, .. } = self;
        let Some(Node { kind: Kind::File(Some(data)), .. }) = nodes.get_mut(ino) else { return Ok(false) };
        if !store.is_read_only(data) {
            return Ok(false);
        }
        let empty = store.create(ino, 0)?;
        store.retire(core::mem::replace(data, empty));
        Ok(true)
    }

    /// Who changes a program's bytes takes its set-id bits away.
    fn drop_set_ids(&mut self, ino: Ino) -> Result<()> {
        let mode = self.node(ino)?.attributes.mode;
        // Set-group-id without group execution means something else (mandatory locking, on old systems).
        let drop = if mode & 0o010 != 0 { SET_IDS } else { SET_IDS & !SET_GROUP };
        if mode & drop != 0 {
            self.attributes_mut(ino)?.mode &= !drop;
        }
        Ok(())
    }

    /// A directory's entries from a position on, until `emit` (inode, next position, type, name) refuses one: the position to go on.
    ///
    /// A volume's directory is listed as it was when the listing was begun.
    pub fn list(
        &mut self,
        handle: u64,
        position: u64,
        mut emit: impl FnMut(Ino, u64, u8, &[u8]) -> bool,
    ) -> Result<u64> {
        let &Handle { ino, .. } = self.handles.get(handle).ok_or(Errno::EBADF)?;
        let directory = self.node(ino)?.directory().ok_or(Errno::ENOTDIR)?;
        let mut next = position;
        let Some(entries) = directory.list(ino, position) else { return self.list_volume(handle, position, emit) };
        for (position, name, entry) in entries {
            let kind = self.nodes.get(entry).map_or(DT_UNKNOWN, Node::entry_type);
            if !emit(entry, position + 1, kind, name) {
                break;
            }
            next = position + 1;
        }
        Ok(next)
    }
}

#[derive(Clone, Copy)]
pub(super) struct Access {
    pub readable: bool,
    pub writable: bool,
}

impl Access {
    fn of(flags: u32, path_only: bool) -> Self {
        let mode = flags & O_ACCMODE;
        Self { readable: !path_only && mode != O_WRONLY, writable: !path_only && (mode == O_WRONLY || mode == O_RDWR) }
    }
}
