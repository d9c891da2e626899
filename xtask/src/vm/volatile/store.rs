//! What a disk with a volatile cache holds: a stable file, and sectors that have not been flushed.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What a disk writes in one piece, in bytes.
pub const SECTOR: usize = 512;

/// How many sectors the cache holds; when there are more, the disk writes half of them of its own accord, in no order.
const CACHE: usize = 65_536;

/// Whether the disk does what it is told by a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushes {
    /// It does.
    Kept,
    /// It says that it has, and has not: so a file system without barriers can be seen to fail.
    Ignored,
}

type Sector = [u8; SECTOR];

/// The disk.
pub struct Store {
    file: File,
    len: u64,
    flushes: Flushes,
    random: u64,
    /// Each sector's contents since the last flush, the newest last.
    cache: BTreeMap<u64, Vec<Sector>>,
}

impl Store {
    /// With the stable part in `file`.
    pub fn open(file: &Path, seed: u64, flushes: Flushes) -> Result<Store> {
        let open = OpenOptions::new().read(true).write(true).open(file);
        let open = open.with_context(|| format!("cannot open {}", file.display()))?;
        let len = open.metadata()?.len() / SECTOR as u64 * SECTOR as u64;
        Ok(Store { file: open, len, flushes, random: seed, cache: BTreeMap::new() })
    }

    /// The disk's length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether `len` bytes at `offset` are whole sectors of the disk.
    pub fn holds(&self, offset: u64, len: usize) -> bool {
        let end = offset.checked_add(len as u64);
        offset.is_multiple_of(SECTOR as u64) && len.is_multiple_of(SECTOR) && end.is_some_and(|end| end <= self.len)
    }

    /// Reads what was written last.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)?;
        let first = offset / SECTOR as u64;
        for (sector, versions) in self.cache.range(first..first + (buffer.len() / SECTOR) as u64) {
            if let Some(newest) = versions.last() {
                buffer[(sector - first) as usize * SECTOR..][..SECTOR].copy_from_slice(newest);
            }
        }
        Ok(())
    }

    /// Writes to the cache.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        for (sector, at) in bytes.as_chunks::<SECTOR>().0.iter().zip(offset / SECTOR as u64..) {
            self.cache.entry(at).or_default().push(*sector);
        }
        if self.cache.len() > CACHE {
            let sectors: Vec<u64> = self.cache.keys().copied().collect();
            for sector in sectors {
                if self.below(2) == 0 {
                    self.settle(sector)?;
                }
            }
        }
        Ok(())
    }

    /// Makes these sectors stable, as a write with "force unit access" wants.
    pub fn force(&mut self, offset: u64, len: usize) -> io::Result<()> {
        if self.flushes == Flushes::Kept {
            for sector in offset / SECTOR as u64..(offset + len as u64) / SECTOR as u64 {
                self.settle(sector)?;
            }
        }
        Ok(())
    }

    /// Makes all that was written stable.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.flushes == Flushes::Kept {
            while let Some((sector, _)) = self.cache.first_key_value() {
                self.settle(*sector)?;
            }
        }
        Ok(())
    }

    /// The power fails: of each sector any version since the flush may have come through, or none. Returns how many sectors that were.
    pub fn cut(&mut self) -> Result<usize> {
        let at_risk = self.cache.len();
        // Some cuts lose much and some little: the cases that matter are often those where one sector is missing, or one is there.
        let chance = [0, 1, 50, 99, 100][self.below(5) as usize];
        for (sector, versions) in std::mem::take(&mut self.cache) {
            let which = self.below(versions.len() as u64) as usize;
            if self.below(100) < chance {
                self.file.write_all_at(&versions[which], sector * SECTOR as u64).context("writing the disk")?;
            }
        }
        Ok(at_risk)
    }

    fn settle(&mut self, sector: u64) -> io::Result<()> {
        match self.cache.remove(&sector).and_then(|versions| versions.last().copied()) {
            Some(newest) => self.file.write_all_at(&newest, sector * SECTOR as u64),
            None => Ok(()),
        }
    }

    /// A random number below `limit` (SplitMix64).
    fn below(&mut self, limit: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(name: &str, seed: u64, flushes: Flushes) -> (std::path::PathBuf, Store) {
        let file = std::env::temp_dir().join(format!("xtask-store-{}-{name}-{seed}", std::process::id()));
        File::create(&file).unwrap().set_len(64 << 10).unwrap();
        let store = Store::open(&file, seed, flushes).unwrap();
        (file, store)
    }

    fn sector(byte: u8) -> Sector {
        [byte; SECTOR]
    }

    #[test]
    fn what_is_flushed_survives_the_cut() {
        let mut lost = 0;
        for seed in 0..20 {
            let (file, mut store) = disk("kept", seed, Flushes::Kept);
            store.write(1024, &[1; 1024]).unwrap();
            store.flush().unwrap();
            store.write(1536, &sector(2)).unwrap();
            store.write(0, &sector(3)).unwrap();
            store.force(0, 512).unwrap();
            let mut read = [0; 2048];
            store.read(0, &mut read).unwrap();
            assert_eq!([read[0], read[512], read[1024], read[1536]], [3, 0, 1, 2]);
            assert_eq!(store.cut().unwrap(), 1);
            let left = std::fs::read(&file).unwrap();
            assert_eq!([left[0], left[512], left[1024]], [3, 0, 1]);
            assert!([1, 2].contains(&left[1536]));
            lost += u32::from(left[1536] == 1);
            std::fs::remove_file(file).unwrap();
        }
        assert!((4..17).contains(&lost), "{lost} of 20");
    }

    #[test]
    fn ignored_flushes_lose() {
        let (file, mut store) = disk("ignored", 0, Flushes::Ignored);
        store.write(0, &sector(1)).unwrap();
        store.force(0, 512).unwrap();
        store.flush().unwrap();
        assert_eq!(store.cut().unwrap(), 1);
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn only_whole_sectors_of_the_disk() {
        let (file, store) = disk("whole", 0, Flushes::Kept);
        assert!(store.holds(0, 64 << 10) && store.holds(512, 0));
        for (offset, len) in [(0, 65 << 10), (64 << 10, 512), (1, 512), (0, 100), (u64::MAX - 511, 512)] {
            assert!(!store.holds(offset, len), "{offset} {len}");
        }
        std::fs::remove_file(file).unwrap();
    }
}
