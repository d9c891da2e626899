//! What the disk tests share: reproducible places and patterns, and a worker that checks what it reads.

pub mod sys;

use native_tests::{Result, check};
use ochre_block::Disk;
use ochre_block::protocol::{SECTOR, Transfer};
use ochre_rt::mapping::Mapping;

/// The first virtio disk.
pub const DISK: &str = "/scheme/disk.virtio-0/0";

/// The scheme of the disks that a test is told to use: the second argument, or the first virtio disk's.
pub fn scheme() -> String {
    std::env::args().nth(2).unwrap_or_else(|| "disk.virtio-0".to_owned())
}

/// The first disk of it.
pub fn path() -> String {
    format!("/scheme/{}/0", scheme())
}

/// Bytes of each worker's memory: what it writes, and behind that what it reads.
pub const SHARE: usize = 2 * HALF;
const HALF: usize = 64 << 10;

/// Numbers that are the same in every run (Marsaglia's xorshift64).
pub struct Numbers(pub u64);

impl Numbers {
    /// The next one.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Writes a random pattern to a random place of worker `n`'s own part (of `workers`) of the disk, and reads it back.
pub fn round(disk: &Disk, memory: &Mapping, numbers: &mut Numbers, n: u64, workers: u64, sectors: u64) -> Result<()> {
    let len = (numbers.next() % (HALF as u64 / SECTOR) + 1) * SECTOR;
    let part = sectors / workers;
    let place = (n * part + numbers.next() % (part - len / SECTOR)) * SECTOR;
    let base = n as usize * SHARE;
    let pattern: Vec<u8> = (0..len / 8).flat_map(|_| numbers.next().to_le_bytes()).collect();
    memory.copy_in(base, &pattern)?;
    memory.copy_in(base + HALF, &vec![0; pattern.len()])?;
    let what = Transfer { object: 0, memory: base as u64, disk: place, len: len as u32, write: 1 };
    disk.transfer(what)?;
    disk.transfer(Transfer { memory: (base + HALF) as u64, write: 0, ..what })?;
    let mut back = vec![0; pattern.len()];
    memory.copy_out(base + HALF, &mut back)?;
    check(back == pattern, format!("worker {n}: other bytes came back from {place}, {len} bytes"))
}
