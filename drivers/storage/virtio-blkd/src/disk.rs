//! Requests under way.

use crate::queue::{BYTES, DEVICE_RING, DRIVER_RING, Part, Queue};
use crate::transport::{Transport, VERSION_1};
use ochre_block::protocol::{Info, SECTOR, Transfer};
use ochre_pci::{Device, Dma};
use ochre_rt::mapping::Mapping;
use ochre_scheme::{Answer, Errno, Op, Request, Result};
use std::collections::{HashMap, VecDeque};

/// Features: read-only, flush (VIRTIO 1.2, 5.2.3).
const READ_ONLY: u64 = 1 << 5;
const FLUSH: u64 = 1 << 9;

/// What a request's header says (5.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read = 0,
    Write = 1,
    Flush = 4,
    Id = 8,
}

/// Bounce buffers for read(2) and write(2).
const BUFFERS: usize = 16;
const BUFFER: usize = 64 << 10;
/// Headers: 16 bytes, and the status at 16.
const HEADERS: usize = 128;
const HEADER: usize = 32;
const PAGE: u64 = 4096;

/// An object that a client attached.
pub struct Object {
    /// Physical addresses of its pages.
    pub pages: Vec<u64>,
    /// The handle it belongs to.
    pub owner: u64,
    /// Transfers under way.
    busy: usize,
    /// To be released when these are over.
    gone: bool,
}

/// Who waits for what.
enum Job {
    /// read(2) or write(2), in pieces: bytes moved so far, of how many.
    Copy { request: Request, position: u64, done: usize, len: usize, write: bool },
    /// A transfer of an attached object's memory.
    Direct { request: Request, transfer: Transfer },
    /// fsync(2).
    Flush { request: Request },
}

struct Pending {
    job: Job,
    header: usize,
    buffer: Option<usize>,
    piece: usize,
    sector: u64,
}

/// The device with everything under way.
pub struct Disk {
    name: String,
    device: Device,
    transport: Transport,
    queue: Queue,
    rings: Dma,
    headers: Dma,
    buffers: Dma,
    free_headers: Vec<usize>,
    free_buffers: Vec<usize>,
    pending: HashMap<u16, Pending>,
    waiting: VecDeque<Job>,
    /// By number.
    pub objects: HashMap<u64, Object>,
    next_object: u64,
    info: Info,
    flushes: bool,
}

impl Disk {
    /// Sets the device up.
    pub fn start(device: Device, name: &str) -> Result<Disk> {
        let transport = Transport::new(&device)?;
        let features = transport.negotiate(VERSION_1 | READ_ONLY | FLUSH)?;
        let size = transport.queue_size()?.min(crate::queue::SIZE_MAX);
        // Header, status, and a page each of the longest transfer, which may begin inside a page.
        if size < 64 {
            return Err(Errno::ENODEV);
        }
        let (rings, headers) = (device.dma(BYTES)?, device.dma(HEADERS * HEADER)?);
        let buffers = device.dma(BUFFERS * BUFFER)?;
        let at = rings.address;
        transport.start(size, [at, at + DRIVER_RING as u64, at + DEVICE_RING as u64])?;
        let sectors = u64::from(transport.config32(0)?) | u64::from(transport.config32(4)?) << 32;
        let info = Info {
            sectors: sectors.min(i64::MAX as u64 / SECTOR),
            read_only: u32::from(features & READ_ONLY != 0),
            depth: HEADERS as u32,
            id: [0; 24],
        };
        let mut disk = Disk {
            name: name.to_owned(),
            device,
            transport,
            queue: Queue::new(size),
            rings,
            headers,
            buffers,
            free_headers: (0..HEADERS).collect(),
            free_buffers: (0..BUFFERS).collect(),
            pending: HashMap::new(),
            waiting: VecDeque::new(),
            objects: HashMap::new(),
            next_object: 0,
            info,
            flushes: features & FLUSH != 0,
        };
        disk.ask_id()?;
        Ok(disk)
    }

    /// What the disk is.
    pub fn info(&self) -> Info {
        self.info
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.info.sectors * SECTOR
    }

    /// The device's own name, asked for before there are interrupts to wait for. A device that does not know it has none.
    fn ask_id(&mut self) -> Result<()> {
        let part = Part { address: self.buffers.address, len: 20, written: true };
        let head = self.submit(Kind::Id, 0, 0, &[part])?;
        loop {
            if let Some(done) = self.queue.done(&self.rings.memory)? {
                if done == head && self.headers.memory.read8(16)? == 0 {
                    self.buffers.memory.copy_out(0, &mut self.info.id[..20])?;
                }
                return Ok(());
            }
            std::thread::yield_now();
        }
    }

    /// Gives the device a request with the header of this number. The caller made sure that there is room.
    fn submit(&mut self, kind: Kind, header: usize, sector: u64, data: &[Part]) -> Result<u16> {
        let at = header * HEADER;
        let memory = &self.headers.memory;
        memory.write32(at, kind as u32)?;
        memory.write32(at + 4, 0)?;
        memory.write64(at + 8, sector)?;
        memory.write8(at + 16, 0xff)?;
        let address = self.headers.address + at as u64;
        let mut parts = vec![Part { address, len: 16, written: false }];
        parts.extend_from_slice(data);
        parts.push(Part { address: address + 16, len: 1, written: true });
        let head = self.queue.add(&self.rings.memory, &parts)?.ok_or(Errno::EAGAIN)?;
        if self.queue.wants_notice(&self.rings.memory)? {
            self.transport.notify()?;
        }
        Ok(head)
    }

    /// A client's read or write: answered when all of it is done.
    pub fn copy(&mut self, request: &mut Request, position: u64, len: usize, write: bool) -> Result<Answer> {
        let left = self.size().saturating_sub(position);
        if write {
            if self.info.read_only != 0 {
                return Err(Errno::EROFS);
            }
            if len > 0 && left == 0 {
                return Err(Errno::ENOSPC);
            }
            if !position.is_multiple_of(SECTOR) || !(len as u64).is_multiple_of(SECTOR) {
                return Err(Errno::EINVAL);
            }
        }
        let len = len.min(usize::try_from(left).unwrap_or(usize::MAX));
        if len == 0 {
            return Ok(Answer::value(0));
        }
        let request = request.defer();
        self.waiting.push_back(Job::Copy { request, position, done: 0, len, write });
        self.go();
        Ok(Answer::later())
    }

    /// A transfer from or to an attached object.
    pub fn direct(&mut self, request: &mut Request, transfer: Transfer) -> Result<Answer> {
        let end = transfer.disk.checked_add(transfer.len.into()).ok_or(Errno::EIO)?;
        if end > self.size() {
            return Err(Errno::EIO);
        }
        if transfer.write != 0 && self.info.read_only != 0 {
            return Err(Errno::EROFS);
        }
        let owner = request.handle();
        let object = self.objects.get_mut(&transfer.object).filter(|object| object.owner == owner && !object.gone);
        let object = object.ok_or(Errno::EINVAL)?;
        let memory_end = transfer.memory.checked_add(transfer.len.into()).ok_or(Errno::EINVAL)?;
        let aligned = [transfer.disk, transfer.memory, transfer.len.into()].iter().all(|n| n.is_multiple_of(SECTOR));
        let fits = transfer.len > 0 && transfer.len <= ochre_block::protocol::TRANSFER_MAX;
        if !aligned || !fits || memory_end > object.pages.len() as u64 * PAGE {
            return Err(Errno::EINVAL);
        }
        object.busy += 1;
        self.waiting.push_back(Job::Direct { request: request.defer(), transfer });
        self.go();
        Ok(Answer::later())
    }

    /// Everything written before is on the medium when it is answered.
    pub fn flush(&mut self, request: &mut Request) -> Result<Answer> {
        // Without the feature the device writes through.
        if !self.flushes {
            return Ok(Answer::done());
        }
        self.waiting.push_back(Job::Flush { request: request.defer() });
        self.go();
        Ok(Answer::later())
    }

    /// Attaches an object under a new number.
    pub fn attach(&mut self, owner: u64, object: i32, len: u64) -> Result<u64> {
        let number = self.next_object + 1;
        let pages = self.device.addresses(object, number, len)?;
        self.next_object = number;
        self.objects.insert(number, Object { pages, owner, busy: 0, gone: false });
        Ok(number)
    }

    /// Gives an object up, at once or when no transfer is under way.
    pub fn detach(&mut self, number: u64) {
        let Some(object) = self.objects.get_mut(&number) else { return };
        object.gone = true;
        if object.busy == 0 {
            self.objects.remove(&number);
            if let Err(error) = self.device.release(number) {
                eprintln!("virtio-blkd: {}: release: {error}", self.name);
            }
        }
    }

    /// A handle is closed.
    pub fn close(&mut self, owner: u64) {
        let own: Vec<u64> =
            self.objects.iter().filter(|(_, object)| object.owner == owner).map(|(number, _)| *number).collect();
        own.into_iter().for_each(|number| self.detach(number));
    }

    /// Gives the device as much of what waits as there is room for, in order.
    fn go(&mut self) {
        while let Some(job) = self.waiting.pop_front() {
            let buffered = matches!(job, Job::Copy { .. });
            // The longest chain: 33 pages, header and status.
            let room = self.queue.room() >= 36 && !self.free_headers.is_empty();
            if !room || buffered && self.free_buffers.is_empty() {
                self.waiting.push_front(job);
                return;
            }
            let (Some(header), buffer) =
                (self.free_headers.pop(), if buffered { self.free_buffers.pop() } else { None })
            else {
                return;
            };
            if let Err((job, error)) = self.give(job, header, buffer) {
                self.free_headers.push(header);
                self.free_buffers.extend(buffer);
                self.answer(job, Err(error));
            }
        }
    }

    fn give(&mut self, job: Job, header: usize, buffer: Option<usize>) -> std::result::Result<(), (Job, Errno)> {
        let planned = match &job {
            Job::Flush { .. } => Ok((Kind::Flush, 0, 0, vec![])),
            Job::Direct { transfer, .. } => self.plan_direct(transfer),
            Job::Copy { request, position, done, len, write } => {
                self.plan_copy(request, position + *done as u64, *done, len - done, *write, buffer.unwrap_or(0))
            }
        };
        let submitted = planned.and_then(|(kind, sector, piece, parts)| {
            self.submit(kind, header, sector, &parts).map(|head| (head, sector, piece))
        });
        match submitted {
            Ok((head, sector, piece)) => {
                self.pending.insert(head, Pending { job, header, buffer, piece, sector });
                Ok(())
            }
            Err(error) => Err((job, error)),
        }
    }

    fn plan_direct(&self, transfer: &Transfer) -> Result<(Kind, u64, usize, Vec<Part>)> {
        let pages = &self.objects.get(&transfer.object).ok_or(Errno::EINVAL)?.pages;
        let written = transfer.write == 0;
        let mut parts: Vec<Part> = Vec::new();
        let (mut at, end) = (transfer.memory, transfer.memory + u64::from(transfer.len));
        while at < end {
            let len = (PAGE - at % PAGE).min(end - at);
            let address = pages.get((at / PAGE) as usize).ok_or(Errno::EINVAL)? + at % PAGE;
            match parts.last_mut().filter(|last| last.address + u64::from(last.len) == address) {
                Some(last) => last.len += len as u32,
                None => parts.push(Part { address, len: len as u32, written }),
            }
            at += len;
        }
        let kind = if written { Kind::Read } else { Kind::Write };
        Ok((kind, transfer.disk / SECTOR, 0, parts))
    }

    /// The next piece of a copy: whole sectors around it, up to a buffer.
    fn plan_copy(
        &self,
        request: &Request,
        position: u64,
        done: usize,
        left: usize,
        write: bool,
        buffer: usize,
    ) -> Result<(Kind, u64, usize, Vec<Part>)> {
        let inside = (position % SECTOR) as usize;
        let piece = left.min(BUFFER - inside);
        let len = (inside + piece).next_multiple_of(SECTOR as usize);
        if write {
            let mut data = vec![0; piece];
            if request.data_at(done, &mut data)? != piece {
                return Err(Errno::EFAULT);
            }
            self.buffers.memory.copy_in(buffer * BUFFER, &data)?;
        }
        let address = self.buffers.address + (buffer * BUFFER) as u64;
        let part = Part { address, len: len as u32, written: !write };
        Ok((if write { Kind::Write } else { Kind::Read }, position / SECTOR, piece, vec![part]))
    }

    /// Takes what the device has done, answers, and gives it more.
    pub fn complete(&mut self) {
        loop {
            match self.queue.done(&self.rings.memory) {
                Ok(Some(head)) => {
                    if let Some(pending) = self.pending.remove(&head) {
                        self.finish(pending);
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    eprintln!("virtio-blkd: {}: queue: {error}", self.name);
                    break;
                }
            }
        }
        self.go();
    }

    fn finish(&mut self, pending: Pending) {
        let Pending { mut job, header, buffer, piece, sector } = pending;
        let status = self.headers.memory.read8(header * HEADER + 16).unwrap_or(1);
        self.free_headers.push(header);
        let mut result = match status {
            0 => Ok(0),
            2 => Err(Errno::EOPNOTSUPP),
            _ => {
                eprintln!("virtio-blkd: {}: error at sector {sector}", self.name);
                Err(Errno::EIO)
            }
        };
        if let (Job::Copy { request, position, done, len, write }, Ok(_)) = (&mut job, result) {
            let from = buffer.unwrap_or(0) * BUFFER + ((*position + *done as u64) % SECTOR) as usize;
            let moved = if *write { Ok(piece) } else { give_back(&self.buffers.memory, from, piece, request) };
            match moved {
                Ok(_) => {
                    *done += piece;
                    if *done < *len {
                        self.free_buffers.extend(buffer);
                        self.waiting.push_front(job);
                        return;
                    }
                    result = Ok(*len);
                }
                Err(error) => result = Err(error),
            }
        }
        self.free_buffers.extend(buffer);
        self.answer(job, result);
    }

    fn answer(&mut self, job: Job, result: Result<usize>) {
        let answer = result.map(Answer::value);
        match job {
            Job::Copy { request, done, .. } => {
                // What is done of it counts, as everywhere.
                request.answer(if done > 0 { Ok(Answer::value(done)) } else { answer });
            }
            Job::Flush { request } => request.answer(answer),
            Job::Direct { request, transfer } => {
                request.answer(answer);
                if let Some(object) = self.objects.get_mut(&transfer.object) {
                    object.busy -= 1;
                    if object.gone {
                        self.detach(transfer.object);
                    }
                }
            }
        }
    }
}

/// Copies what was read to the caller.
fn give_back(memory: &Mapping, from: usize, len: usize, request: &mut Request) -> Result<usize> {
    let mut data = vec![0; len];
    memory.copy_out(from, &mut data)?;
    match request.op() {
        Op::Read { .. } if request.put(&data)? == len => Ok(len),
        _ => Err(Errno::EFAULT),
    }
}
