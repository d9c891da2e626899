//! The device's commands.

use crate::queue::{BYTES, DEVICE_RING, DRIVER_RING, Part, Queue};
use crate::transport::{Transport, VERSION_1};
use ochre_block::server::{Drive, Family, Kind, Limits, Work, text};
use ochre_pci::{Device, Dma};
use ochre_scheme::{Errno, Result};
use std::collections::HashMap;

/// Features (VIRTIO 1.2, 5.2.3).
mod feature {
    pub const SEG_MAX: u64 = 1 << 2;
    pub const READ_ONLY: u64 = 1 << 5;
    pub const BLK_SIZE: u64 = 1 << 6;
    pub const FLUSH: u64 = 1 << 9;
    pub const TOPOLOGY: u64 = 1 << 10;
    pub const DISCARD: u64 = 1 << 13;
    pub const WRITE_ZEROES: u64 = 1 << 14;
    pub const ALL: u64 = SEG_MAX | READ_ONLY | BLK_SIZE | FLUSH | TOPOLOGY | DISCARD | WRITE_ZEROES;
}

/// Fields of the device's own structure (5.2.4).
mod field {
    pub const CAPACITY: usize = 0;
    pub const SEG_MAX: usize = 12;
    pub const BLK_SIZE: usize = 20;
    /// Its lowest byte: the exponent of physical over logical sectors.
    pub const TOPOLOGY: usize = 24;
    pub const DISCARD_SECTORS: usize = 36;
    pub const ZERO_SECTORS: usize = 48;
    /// Its lowest byte: zeroing may give room back.
    pub const ZERO_UNMAPS: usize = 56;
}

/// Kinds of requests (5.2.6).
const IN: u32 = 0;
const OUT: u32 = 1;
const FLUSH: u32 = 4;
const GET_ID: u32 = 8;
const DISCARD: u32 = 11;
const WRITE_ZEROES: u32 = 13;
/// A flag of zeroing: room may be given back.
const UNMAP: u32 = 1;

/// Requests at once.
const DEPTH: usize = 128;
/// For each: its header (16 bytes), the range of a discard or zeroing (16), the status (1).
const HEADER: usize = 64;
const RANGE: usize = 16;
const STATUS: usize = 32;
/// Bytes of one read or write at the most; few devices have room for so many segments.
const TRANSFER: u64 = 1 << 20;

/// The device.
pub struct Disk {
    transport: Transport,
    queue: Queue,
    rings: Dma,
    headers: Dma,
    /// Tags by what the queue calls their requests.
    tags: HashMap<u16, usize>,
    features: u64,
    /// Changes are told on the second vector.
    told: bool,
    number: u32,
    capacity: u64,
    id: String,
}

impl Disk {
    /// Sets a reset device up. `number`: which of its kind; `told`: there is an interrupt for changes on vector 1.
    pub fn start(device: &Device, transport: Transport, number: u32, told: bool) -> Result<Disk> {
        let (rings, headers) = (device.dma(BYTES)?, device.dma(DEPTH * HEADER)?);
        let mut disk = Disk {
            transport,
            queue: Queue::new(0),
            rings,
            headers,
            tags: HashMap::new(),
            features: 0,
            told,
            number,
            capacity: 0,
            id: String::new(),
        };
        disk.begin()?;
        disk.ask_id()?;
        Ok(disk)
    }

    /// From a reset device to one that works.
    fn begin(&mut self) -> Result<()> {
        self.features = self.transport.negotiate(VERSION_1 | feature::ALL)?;
        let size = self.transport.queue_size()?.min(crate::queue::SIZE_MAX);
        // Header, status, and a page each of a bounce buffer.
        if size < 32 {
            return Err(Errno::ENODEV);
        }
        self.rings.memory.copy_in(0, &[0; BYTES])?;
        self.queue = Queue::new(size);
        self.tags.clear();
        let at = self.rings.address;
        self.transport.start(size, [at, at + DRIVER_RING as u64, at + DEVICE_RING as u64], self.told)?;
        self.capacity = self.ask_capacity()?;
        Ok(())
    }

    fn ask_capacity(&self) -> Result<u64> {
        // The two halves are of one value only if it did not change meanwhile (4.1.3.1).
        loop {
            let before = self.transport.generation()?;
            let low = self.transport.config32(field::CAPACITY)?;
            let high = self.transport.config32(field::CAPACITY + 4)?;
            if self.transport.generation()? == before {
                return Ok(u64::from(low) | u64::from(high) << 32);
            }
        }
    }

    fn has(&self, feature: u64) -> bool {
        self.features & feature != 0
    }

    fn config_if(&self, feature: u64, field: usize) -> Option<u32> {
        self.has(feature).then(|| self.transport.config32(field).ok()).flatten()
    }

    /// The device's own name, asked for before there are interrupts to wait for. A device that does not know it has none.
    fn ask_id(&mut self) -> Result<()> {
        // The answer goes where the second tag's header will be.
        let part = Part { address: self.headers.address + HEADER as u64, len: 20, written: true };
        let head = self.send(0, GET_ID, 0, &[part])?.ok_or(Errno::EIO)?;
        loop {
            if let Some(done) = self.queue.done(&self.rings.memory)? {
                if done == head && self.headers.memory.read8(STATUS)? == 0 {
                    let mut id = [0; 20];
                    self.headers.memory.copy_out(HEADER, &mut id)?;
                    self.id = text(&id);
                }
                self.tags.clear();
                return Ok(());
            }
            std::thread::yield_now();
        }
    }

    /// Puts a request with a tag's header into the ring. `None`: there is no room now.
    fn send(&mut self, tag: usize, kind: u32, sector: u64, data: &[Part]) -> Result<Option<u16>> {
        let at = tag * HEADER;
        let memory = &self.headers.memory;
        memory.write32(at, kind)?;
        memory.write32(at + 4, 0)?;
        memory.write64(at + 8, sector)?;
        memory.write8(at + STATUS, 0xff)?;
        let address = self.headers.address + at as u64;
        let mut parts = Vec::with_capacity(data.len() + 2);
        parts.push(Part { address, len: 16, written: false });
        parts.extend_from_slice(data);
        parts.push(Part { address: address + STATUS as u64, len: 1, written: true });
        let Some(head) = self.queue.add(&self.rings.memory, &parts)? else { return Ok(None) };
        self.tags.insert(head, tag);
        if self.queue.wants_notice(&self.rings.memory)? {
            self.transport.notify()?;
        }
        Ok(Some(head))
    }
}

impl Drive for Disk {
    fn limits(&self) -> Limits {
        let logical = self.config_if(feature::BLK_SIZE, field::BLK_SIZE).unwrap_or(512);
        let exponent = self.config_if(feature::TOPOLOGY, field::TOPOLOGY).unwrap_or(0) & 0xff;
        let most = self.config_if(feature::SEG_MAX, field::SEG_MAX).unwrap_or(1) as usize;
        let room = usize::from(self.queue.size()).saturating_sub(2);
        let bytes = |sectors: Option<u32>| {
            u64::from(sectors.unwrap_or(0)) * 512 / u64::from(logical.max(1)) * u64::from(logical)
        };
        Limits {
            bytes: self.capacity.saturating_mul(512),
            medium: 1,
            logical,
            physical: logical.checked_shl(exponent).unwrap_or(logical),
            read_only: self.has(feature::READ_ONLY),
            depth: DEPTH,
            segments: most.min(room),
            transfer: TRANSFER,
            // Without the feature the device writes through.
            cache: self.has(feature::FLUSH),
            discard: bytes(self.config_if(feature::DISCARD, field::DISCARD_SECTORS)),
            zero: bytes(self.config_if(feature::WRITE_ZEROES, field::ZERO_SECTORS)),
            // As Linux has it.
            rotational: true,
            family: Family::Virtio(self.number),
            id: self.id.clone(),
            model: "Virtio Block Device".to_owned(),
        }
    }

    fn submit(&mut self, tag: usize, work: &Work<'_>) -> Result<bool> {
        let (kind, written) = match work.kind {
            Kind::Read => (IN, true),
            Kind::Write => (OUT, false),
            Kind::Flush => (FLUSH, false),
            Kind::Discard => (DISCARD, false),
            Kind::Zero => (WRITE_ZEROES, false),
            Kind::Check => return Err(Errno::EOPNOTSUPP),
            Kind::Eject => return Err(Errno::EOPNOTSUPP),
        };
        let mut parts: Vec<Part> = Vec::with_capacity(work.segments.len());
        parts.extend(work.segments.iter().map(|part| Part { address: part.address, len: part.len, written }));
        let mut sector = work.at / 512;
        if matches!(work.kind, Kind::Discard | Kind::Zero) {
            let at = tag * HEADER + RANGE;
            let unmaps = self.transport.config32(field::ZERO_UNMAPS).unwrap_or(0) & 0xff != 0;
            let memory = &self.headers.memory;
            memory.write64(at, sector)?;
            memory.write32(at + 8, (work.len / 512) as u32)?;
            memory.write32(at + 12, if work.kind == Kind::Zero && unmaps { UNMAP } else { 0 })?;
            parts.push(Part { address: self.headers.address + at as u64, len: 16, written: false });
            sector = 0;
        }
        self.send(tag, kind, sector, &parts).map(|head| head.is_some())
    }

    fn completed(&mut self, done: &mut Vec<(usize, Result<()>)>) {
        loop {
            match self.queue.done(&self.rings.memory) {
                Ok(Some(head)) => {
                    let Some(tag) = self.tags.remove(&head) else { continue };
                    let result = match self.headers.memory.read8(tag * HEADER + STATUS) {
                        Ok(0) => Ok(()),
                        Ok(2) => Err(Errno::EOPNOTSUPP),
                        _ => Err(Errno::EIO),
                    };
                    done.push((tag, result));
                }
                Ok(None) => return,
                Err(error) => {
                    eprintln!("virtio-blkd: queue: {error}");
                    return;
                }
            }
        }
    }

    fn recover(&mut self, done: &mut Vec<(usize, Result<()>)>) -> Result<()> {
        // What is done is done; a reset device has nothing under way any more.
        self.completed(done);
        self.transport.reset()?;
        done.extend(self.tags.values().map(|tag| (*tag, Err(Errno::EAGAIN))));
        self.begin()
    }

    fn changed(&mut self) -> bool {
        let new = self.ask_capacity().unwrap_or(self.capacity);
        std::mem::replace(&mut self.capacity, new) != new
    }
}
