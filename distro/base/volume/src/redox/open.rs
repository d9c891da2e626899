//! Opening a volume: the newest header, the allocation log, and what a crash left over.

use std::collections::BTreeMap;

use redoxfs::Header;

use super::cache::{Cache, IndexMap};
use super::commit::Log;
use super::layout::{HEADER_LOG, HEADER_RELEASE, HEADER_TREE, LOG_ENTRIES, Ptr, RELEASE_ENTRIES, RING, get};
use super::space::{Allocator, Ranges};
use super::{Options, Redox};
use crate::device::{BLOCK, Device};
use crate::{Errno, Result};

impl<D: Device> Redox<D> {
    /// Opens a volume. Errors: `EINVAL` if there is no RedoxFS (version 8) on the device; `EOPNOTSUPP` if it is encrypted; `EIO` if the device
    /// fails, is shorter than the volume, or what is read at once is damaged.
    pub fn open(mut device: D, options: Options) -> Result<Redox<D>> {
        let header = newest_header(&mut device)?;
        let size = header.size();
        if size > device.len() || size % BLOCK as u64 != 0 {
            log::error!("volume: {size} bytes, on a device of {}", device.len());
            return Err(Errno::EIO);
        }
        if header.encrypted() {
            return Err(Errno::EOPNOTSUPP);
        }
        let mut volume = Redox::with(device, header, options);
        volume.read_log()?;
        volume.block(volume.root)?;
        volume.read_orphans()?;
        if !options.keep_unnamed {
            volume.free_unheld();
        }
        Ok(volume)
    }

    /// A volume of which nothing but the header is known.
    pub(super) fn with(device: D, header: Header, mut options: Options) -> Redox<D> {
        options.read_only |= device.read_only();
        Redox {
            device,
            blocks: header.size() / BLOCK as u64,
            root: Ptr::read(&header, HEADER_TREE),
            header,
            free: Allocator::default(),
            fresh: IndexMap::default(),
            fresh_blocks: 0,
            pending: Vec::new(),
            dirty: IndexMap::default(),
            dirty_bytes: 0,
            metadata: Cache::new(options.metadata_cache),
            records: Cache::new(options.record_cache),
            log: Log::default(),
            release_blocks: Vec::new(),
            listed: Default::default(),
            orphans: Default::default(),
            holds: BTreeMap::new(),
            owned: 0,
            visits: 0,
            failed: false,
            options,
        }
    }

    /// Ends the use of a volume without a commit and gives the device back.
    pub fn into_device(self) -> D {
        self.device
    }

    /// The number that tells this volume from others.
    pub fn uuid(&self) -> [u8; 16] {
        self.header.uuid()
    }

    /// How many commits there were.
    pub fn generation(&self) -> u64 {
        self.header.generation()
    }

    /// Reads which blocks are free, and checks that the log agrees with itself.
    fn read_log(&mut self) -> Result<()> {
        let newest = Ptr::read(&self.header, HEADER_LOG);
        let mut blocks = Vec::new();
        let mut ptr = newest;
        while !ptr.is_null() {
            if blocks.len() as u64 > self.blocks || ptr.level() != 0 {
                return Err(Errno::EIO);
            }
            let data = self.load(ptr)?;
            let before = Ptr::read(&data, 0);
            blocks.push((ptr, data));
            ptr = before;
        }
        let mut free = Ranges::default();
        for (ptr, data) in blocks.iter().rev() {
            self.log.tail.clear();
            for at in (0..LOG_ENTRIES).map(|slot| Ptr::SIZE + slot * 16) {
                let (start, count) = (get::<8>(data, at), get::<8>(data, at + 8) as i64);
                let end = start.checked_add(count.unsigned_abs()).ok_or(Errno::EIO)?;
                if count != 0 && (start < RING || end > self.blocks) {
                    log::error!("volume: the allocation log names blocks {start} to {end} of {}", self.blocks);
                    return Err(Errno::EIO);
                }
                match count {
                    0 => continue,
                    1.. => free.add(start, count as u64)?,
                    _ => free.take(start, count.unsigned_abs())?,
                }
                self.log.tail.push((start, count));
            }
            self.log.before = Ptr::read(data, 0);
            self.log.chain.push(ptr.index());
        }
        free.iter().for_each(|(start, count)| self.free.add(start, count));
        Ok(())
    }

    /// Reads which nodes had no name at the last commit.
    fn read_orphans(&mut self) -> Result<()> {
        let mut ptr = Ptr::read(&self.header, HEADER_RELEASE);
        while !ptr.is_null() {
            if self.release_blocks.len() as u64 > self.blocks || ptr.level() != 0 {
                return Err(Errno::EIO);
            }
            let data = self.load(ptr)?;
            let inos = (0..RELEASE_ENTRIES).map(|slot| get::<4>(&data, Ptr::SIZE + slot * 4) as u32);
            self.orphans.extend(inos.filter(|&ino| ino > 1));
            self.release_blocks.push(ptr.index());
            ptr = Ptr::read(&data, 0);
        }
        self.listed = self.orphans.clone();
        Ok(())
    }
}

/// The valid header of the highest generation. One that was being written when the power went is not valid, and the one before is whole.
fn newest_header<D: Device>(device: &mut D) -> Result<Header> {
    if device.len() < RING * BLOCK as u64 {
        return Err(Errno::EINVAL);
    }
    let mut ring = vec![0; RING as usize * BLOCK];
    device.read(0, &mut ring)?;
    let mut newest: Option<Header> = None;
    for (slot, bytes) in ring.chunks_exact(BLOCK).enumerate() {
        let mut header = Header::default();
        header.copy_from_slice(bytes);
        if header.valid()
            && header.generation() % RING == slot as u64
            && newest.is_none_or(|other| header.generation() > other.generation())
        {
            newest = Some(header);
        }
    }
    newest.ok_or(Errno::EINVAL)
}
