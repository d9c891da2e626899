//! Files' bytes: in memory objects, from where the kernel reads, maps and writes them, and on the volume.
//!
//! What is written stays in memory until it is written back; room for it on the volume is set aside before, so that write(2) is told
//! ENOSPC and not nobody.

use crate::memory::{Memory, Object};
use crate::shared::{Cache, Cached, Shared};
use ochre_abi::{Errno, Result};
use ochre_rt::OwnedFd;
use ochre_vfs::server::{self, Statfs};
use ochre_vfs::tree::{Ino, NAME_MAX, Status, Store, Usage};
use ochre_volume::Volume;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Bytes given to the volume at a time at the most: a record of RedoxFS.
const RECORD: u64 = 128 * 1024;
/// Dirty pages asked for at a time.
const CLEANED: usize = 512;
/// The greatest file: what offsets of pages in the kernel can say.
const SIZE_MAX: u64 = 1 << 43;
/// Objects of closed files are kept for as many others: an answer that names one may not have been sent yet.
const RETIRED: usize = ochre_abi::call::SLOTS;
/// Bytes written by messages after which the file is written back.
const FRESH_MAX: u64 = 32 << 20;
/// The file system's number in statfs(2): "OCFS" is another's, this is "Ochr".
const MAGIC: i64 = 0x4f63_6872;
/// Room that is never promised, as a share of the volume: what the volume needs for itself when it writes.
const MARGIN: u64 = 64;

/// An open file, or one that was open not long ago.
pub struct Data<O> {
    ino: Ino,
    file: Arc<Cached<O>>,
    /// The volume's size of it.
    saved: u64,
    /// Bytes of room set aside for it.
    reserved: u64,
}

/// The store over a volume.
pub struct Files<M: Memory> {
    volume: Shared,
    cache: Cache<M>,
    device: u64,
    /// Room set aside by all files.
    reserved: u64,
    /// Bytes that can be promised, when the volume was last asked.
    room: u64,
    /// Bytes written by messages since that was last a reason to write back.
    fresh: u64,
    /// Files whose dirty pages the volume got since it was last committed.
    taken: Vec<Arc<Cached<M::Object>>>,
    retired: VecDeque<Arc<Cached<M::Object>>>,
    retired_fds: VecDeque<OwnedFd>,
}

impl<M: Memory> Files<M> {
    /// For a volume with a device number.
    pub fn new(volume: Shared, cache: Cache<M>, device: u64) -> Self {
        Self {
            volume,
            cache,
            device,
            reserved: 0,
            room: 0,
            fresh: 0,
            taken: Vec::new(),
            retired: VecDeque::new(),
            retired_fds: VecDeque::new(),
        }
    }

    /// Sets room aside. ENOSPC.
    fn reserve(&mut self, bytes: u64) -> Result<()> {
        if bytes > self.room.saturating_sub(self.reserved) {
            let usage = self.volume.usage()?;
            let kept = usage.blocks / MARGIN;
            self.room = usage.available.saturating_sub(kept).saturating_mul(usage.block_size.into());
        }
        if bytes > self.room.saturating_sub(self.reserved) {
            return Err(Errno::ENOSPC);
        }
        self.reserved += bytes;
        Ok(())
    }

    /// Gives back the room that was set aside for a file.
    fn unreserve(&mut self, data: &mut Data<M::Object>) {
        self.reserved = self.reserved.saturating_sub(core::mem::take(&mut data.reserved));
    }

    fn writable(&mut self) -> Result<()> {
        if self.volume.read_only() { Err(Errno::EROFS) } else { Ok(()) }
    }

    /// Gives the dirty pages that the kernel tells of to the volume. How many these were.
    fn write_dirty(&mut self, data: &mut Data<M::Object>) -> Result<usize> {
        let size = data.file.size();
        let mut offsets = [0; CLEANED];
        let count = data.file.object.clean(size.next_multiple_of(PAGE), &mut offsets)?;
        let dirty = offsets.get(..count).ok_or(Errno::EIO)?;
        let mut buffer = Vec::new();
        let mut result = Ok(());
        for (start, end) in runs(dirty) {
            let len = end.min(size).saturating_sub(start);
            buffer.resize(len as usize, 0);
            let read = data.file.object.read(start, &mut buffer)?;
            buffer.truncate(read);
            let written = if result.is_ok() { self.volume.write(data.ino, start, &buffer) } else { result };
            match written {
                Ok(()) => data.saved = data.saved.max(start + read as u64),
                Err(error) => {
                    data.file.object.stored(start, end - start, true)?;
                    result = Err(error);
                }
            }
        }
        if count > 0 && !self.taken.iter().any(|file| Arc::ptr_eq(file, &data.file)) {
            self.taken.push(data.file.clone());
        }
        result.map(|()| count)
    }
}

/// Joins neighbouring pages to runs (start, end) that lie within one record each.
fn runs(pages: &[u64]) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &page in pages {
        match runs.last_mut() {
            Some((_, end)) if *end == page && page % RECORD != 0 => *end += PAGE,
            _ => runs.push((page, page + PAGE)),
        }
    }
    runs
}

impl<M: Memory> Store for Files<M> {
    type Data = Data<M::Object>;

    fn volume(&mut self) -> Option<&mut dyn Volume> {
        Some(&mut self.volume)
    }

    fn create(&mut self, ino: Ino, size: u64) -> Result<Self::Data> {
        Ok(Data { ino, file: self.cache.insert(ino, size)?, saved: size, reserved: 0 })
    }

    /// All data can be changed.
    fn copy(&mut self, _data: &Self::Data) -> Result<Self::Data> {
        Err(Errno::EINVAL)
    }

    fn retire(&mut self, mut data: Self::Data) {
        self.unreserve(&mut data);
        self.cache.remove(data.ino);
        self.retired.push_back(data.file);
        if self.retired.len() > RETIRED {
            self.retired.pop_front();
        }
    }

    fn discard(&mut self, data: Self::Data) {
        self.retire(data);
    }

    fn is_read_only(&self, _data: &Self::Data) -> bool {
        false
    }

    fn size(&self, data: &Self::Data) -> u64 {
        data.file.size()
    }

    fn read(&mut self, data: &Self::Data, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        data.file.object.read(offset, buffer)
    }

    fn write(&mut self, data: &mut Self::Data, offset: u64, bytes: &[u8]) -> Result<usize> {
        self.writable()?;
        let end = offset.saturating_add(bytes.len() as u64);
        if end > SIZE_MAX {
            return Err(Errno::EFBIG);
        }
        let size = data.file.size();
        if offset > size {
            self.truncate(data, offset)?;
        }
        // Room for what is new; whole pages, as the volume will take.
        let old_end = size.max(offset).next_multiple_of(PAGE);
        let needed = end.next_multiple_of(PAGE).saturating_sub(old_end);
        if needed > 0 {
            self.reserve(needed)?;
            data.reserved += needed;
        }
        // Before the bytes: a page that is asked for meanwhile must not be cut at the old end.
        if end > size {
            data.file.set_size(end);
        }
        match data.file.object.write(offset, bytes) {
            Ok(written) => {
                data.file.set_size(size.max(offset + written as u64));
                self.fresh = self.fresh.saturating_add(written as u64);
                if self.fresh >= FRESH_MAX {
                    self.fresh = 0;
                    // What it could not write stays dirty: fsync tells of it.
                    let _ = self.write_back(data);
                }
                Ok(written)
            }
            Err(error) => {
                data.file.set_size(size.max(offset));
                Err(error)
            }
        }
    }

    fn truncate(&mut self, data: &mut Self::Data, size: u64) -> Result<()> {
        self.writable()?;
        if size > SIZE_MAX {
            return Err(Errno::EFBIG);
        }
        if size >= data.file.size() {
            // What is not on the volume yet stays, below.
            self.volume.resize(data.ino, size)?;
            data.saved = size;
            data.file.object.resize(size)?;
            data.file.set_size(size);
            return Ok(());
        }
        data.file.object.resize(size)?;
        data.file.set_size(size);
        if size < data.saved {
            self.volume.resize(data.ino, size)?;
            data.saved = size;
        }
        if data.saved >= size {
            self.unreserve(data);
        }
        Ok(())
    }

    fn punch(&mut self, data: &mut Self::Data, offset: u64, len: u64) -> Result<()> {
        self.writable()?;
        self.write_back(data)?;
        self.volume.punch(data.ino, offset, len)?;
        // What is in memory of it is older.
        data.file.object.evict(offset, len)
    }

    fn write_back(&mut self, data: &mut Self::Data) -> Result<()> {
        while self.write_dirty(data)? == CLEANED {}
        let size = data.file.size();
        if data.saved != size {
            self.volume.resize(data.ino, size)?;
            data.saved = size;
        }
        self.unreserve(data);
        // The volume knows now what is left.
        self.room = 0;
        Ok(())
    }

    /// The volume has no room without contents: it is written with zeroes.
    fn allocate(&mut self, data: &mut Self::Data, offset: u64, len: u64) -> Result<()> {
        self.write_back(data)?;
        let zeroes = vec![0; RECORD as usize];
        let end = offset.saturating_add(len).min(data.file.size());
        let mut at = offset;
        while at < end {
            let hole = self.volume.next_hole(data.ino, at)?.unwrap_or(end);
            let hole_end = self.volume.next_data(data.ino, hole)?.unwrap_or(end).min(end);
            at = hole;
            while at < hole_end {
                // To the end of the volume's record.
                let part = (RECORD - at % RECORD).min(hole_end - at);
                let part_zeroes = zeroes.get(..part as usize).ok_or(Errno::EIO)?;
                self.volume.write(data.ino, at, part_zeroes)?;
                at += part;
            }
            at = at.max(hole_end);
        }
        Ok(())
    }

    /// Until now a server that takes over would find them dirty, as the volume's last commit has not got them.
    fn committed(&mut self) {
        for file in self.taken.drain(..) {
            // An object that refuses keeps its pages, no more.
            let _ = file.object.stored(0, file.size().next_multiple_of(PAGE), false);
        }
    }

    fn status(&mut self, data: &mut Self::Data, settled: bool) -> Result<Status> {
        let taken = |files: &mut Self, data: &Self::Data| {
            Ok(files.volume.attributes(data.ino)?.blocks.saturating_mul(512).saturating_add(data.reserved))
        };
        let modified = data.file.object.modified()?;
        let mut allocated = taken(self, data)?;
        // What is written in its holes the kernel alone knows.
        if !settled && allocated < data.file.size() {
            self.write_back(data)?;
            allocated = taken(self, data)?;
        }
        Ok(Status { modified, allocated })
    }

    fn next_data(&mut self, data: &mut Self::Data, offset: u64) -> Result<Option<u64>> {
        self.write_back(data)?;
        self.volume.next_data(data.ino, offset)
    }

    fn next_hole(&mut self, data: &mut Self::Data, offset: u64) -> Result<u64> {
        self.write_back(data)?;
        Ok(self.volume.next_hole(data.ino, offset)?.unwrap_or(data.file.size()))
    }

    fn now(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
    }
}

impl<M: Memory> server::Objects for Files<M> {
    fn object(&self, data: &Self::Data) -> Result<(i32, u64)> {
        Ok((data.file.object.fd(), data.file.size()))
    }

    fn retire_fd(&mut self, fd: OwnedFd) {
        self.retired_fds.push_back(fd);
        if self.retired_fds.len() > RETIRED {
            self.retired_fds.pop_front();
        }
    }

    fn device(&self) -> u64 {
        self.device
    }

    fn statfs(&mut self, _usage: &Usage) -> Result<Statfs> {
        let usage = self.volume.usage()?;
        let block = i64::from(usage.block_size);
        let promised = self.reserved.div_ceil(u64::from(usage.block_size).max(1));
        let kept = promised + usage.blocks / MARGIN;
        const ST_RDONLY: i64 = 1;
        Ok(Statfs {
            kind: MAGIC,
            block_size: block,
            blocks: usage.blocks,
            blocks_free: usage.free.saturating_sub(promised),
            blocks_available: usage.available.saturating_sub(kept),
            files: usage.files,
            files_free: usage.free_files,
            name_max: NAME_MAX as i64,
            fragment_size: block,
            flags: if self.volume.read_only() { ST_RDONLY } else { 0 },
            ..Statfs::default()
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn pages_are_joined_within_records() {
        let page = |n: u64| n * super::PAGE;
        let dirty = [page(0), page(1), page(3), page(30), page(31), page(32), page(33)];
        let runs = super::runs(&dirty);
        assert_eq!(runs, [(0, page(2)), (page(3), page(4)), (page(30), page(32)), (page(32), page(34))]);
        assert!(super::runs(&[]).is_empty());
    }
}
