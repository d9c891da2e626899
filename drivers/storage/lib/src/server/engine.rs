//! All disks of a driver, who has them open, and the memory that clients attached.

use super::announce::Announcer;
use super::drive::{Kind, Pages};
use super::identity::Identity;
use super::job::{Job, Reply, What};
use super::unit::Unit;
use crate::partition::Partition;
use crate::protocol::{Info, TRANSFER_MAX, Transfer};
use ochre_scheme::{Errno, Request, Result};
use std::collections::HashMap;
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const PAGE: u64 = 4096;

/// Everything, shared by the threads of a driver.
pub struct Engine {
    state: Mutex<State>,
    /// For the watchdog, while nothing is under way.
    work: Condvar,
    announcer: Mutex<Option<Announcer>>,
}

pub struct State {
    pub units: Vec<Unit>,
    /// Of each unit: its partitions, and the medium that they are of.
    pub tables: Vec<(u64, Vec<Partition>)>,
    pub handles: HashMap<u64, Handle>,
    next_handle: u64,
    pages: Box<dyn Pages>,
    objects: HashMap<u64, Object>,
    next_object: u64,
    /// The watchdog sleeps.
    idle: bool,
}

/// Memory that a client attached.
struct Object {
    /// Physical addresses of its pages; also held by each job with them.
    pages: Arc<[u64]>,
    /// The handle it belongs to.
    owner: u64,
    /// To be released once no job has it.
    gone: bool,
}

/// What a handle of the scheme is.
#[derive(Clone, Debug)]
pub enum Handle {
    /// The directory.
    Root,
    /// A text, as it was when it was opened.
    Text(Arc<[u8]>),
    /// A disk or partition.
    Disk(Opened),
}

/// An open disk or partition.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    pub unit: usize,
    /// 0: the whole disk.
    pub partition: u32,
    /// Bytes from the disk's beginning, and how many; of a whole disk, what it has at the moment.
    start: u64,
    len: u64,
    pub write: bool,
    /// What it was opened with (open(2)).
    pub flags: u32,
    /// Nobody else may open it in that way.
    pub exclusive: bool,
    /// Opened to be looked at.
    pub path: bool,
    medium: u64,
}

impl Engine {
    /// For drives and clients' memory.
    pub fn new(units: Vec<Unit>, pages: Box<dyn Pages>) -> Engine {
        let tables = units.iter().map(|_| (u64::MAX, Vec::new())).collect();
        let state = State {
            units,
            tables,
            handles: HashMap::new(),
            next_handle: 0,
            pages,
            objects: HashMap::new(),
            next_object: 0,
            idle: false,
        };
        Engine { state: Mutex::new(state), work: Condvar::new(), announcer: Mutex::new(None) }
    }

    /// The state. No lock is held while something is waited for.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who tells devd. Only held while devd is told, and never with the state.
    pub fn announcer(&self) -> MutexGuard<'_, Option<Announcer>> {
        self.announcer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a unit a job.
    pub fn add(&self, mut state: MutexGuard<'_, State>, unit: usize, job: Job) {
        if let Some(unit) = state.units.get_mut(unit) {
            unit.add(job);
        }
        if std::mem::take(&mut state.idle) {
            self.work.notify_one();
        }
    }

    /// Has a unit do something for the driver itself, and waits for it.
    pub fn inner(&self, unit: usize, what: What, at: u64, data: Vec<u8>) -> Result<Vec<u8>> {
        let (sender, receiver) = channel();
        let len = data.len() as u64;
        self.add(self.state(), unit, Job::new(what, Reply::Inner(data, sender), at, len));
        receiver.recv().unwrap_or(Err(Errno::EIO))
    }

    /// A command without data and place, for the driver itself.
    pub fn command(&self, unit: usize, kind: Kind) -> Result<()> {
        self.inner(unit, What::Command { kind, most: 0 }, 0, Vec::new()).map(drop)
    }

    /// After an interrupt.
    pub fn complete(&self) {
        let mut state = self.state();
        state.units.iter_mut().for_each(Unit::complete);
        state.sweep();
    }

    /// After an interrupt that says that a device's properties changed. Which units' did.
    pub fn changed(&self) -> Vec<usize> {
        let mut state = self.state();
        state.units.iter_mut().enumerate().filter_map(|(n, unit)| unit.changed().then_some(n)).collect()
    }

    /// The watchdog: never returns.
    pub fn watch(&self) {
        loop {
            let mut state = self.state();
            while !state.units.iter().any(Unit::is_busy) {
                state.idle = true;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            drop(state);
            std::thread::sleep(Duration::from_secs(1));
            let mut state = self.state();
            let now = Instant::now();
            state.units.iter_mut().for_each(|unit| unit.tick(now));
            state.sweep();
        }
    }
}

impl State {
    /// Adds a handle; its number.
    pub fn open(&mut self, handle: Handle) -> u64 {
        self.next_handle += 1;
        let number = Identity::of(&handle).number(self.next_handle);
        self.handles.insert(number, handle);
        number
    }

    /// Goes on with a handle of a driver that died. Errors of [`State::find`]: what it was is no more.
    pub fn adopt(&mut self, number: u64) -> Result<()> {
        let (identity, count) = Identity::parse(number);
        let handle = match identity {
            Identity::Root => Handle::Root,
            Identity::Text => Handle::Text(self.partitions().into_bytes().into()),
            Identity::Disk { unit, partition, write, exclusive, path, flags } => {
                Handle::Disk(Opened { path, flags, ..self.find(unit, partition, write, exclusive)? })
            }
        };
        self.next_handle = self.next_handle.max(count);
        self.handles.insert(number, handle);
        Ok(())
    }

    /// Forgets a handle, and what was attached to it.
    pub fn close(&mut self, handle: u64) {
        self.handles.remove(&handle);
        self.objects.values_mut().filter(|object| object.owner == handle).for_each(|object| object.gone = true);
        self.sweep();
    }

    /// An open disk or partition. EBADF: the handle is none, or was only opened to be looked at.
    pub fn opened(&self, handle: u64) -> Result<Opened> {
        match self.handles.get(&handle) {
            Some(Handle::Disk(opened)) if !opened.path => Ok(*opened),
            Some(Handle::Root) => Err(Errno::EISDIR),
            _ => Err(Errno::EBADF),
        }
    }

    /// What opening a disk (partition 0) or partition gives. ENXIO: there is none; EBUSY: somebody has it for himself.
    pub fn find(&self, unit: usize, partition: u32, write: bool, exclusive: bool) -> Result<Opened> {
        let limits = &self.units.get(unit).ok_or(Errno::ENXIO)?.limits;
        let (start, len) = match partition {
            0 => (0, limits.bytes),
            number => {
                let found = self.tables[unit].1.iter().find(|own| own.number == number).ok_or(Errno::ENXIO)?;
                (found.start * 512, found.sectors * 512)
            }
        };
        let taken = |handle: &Handle| match handle {
            Handle::Disk(other) => {
                let same = other.partition == partition || other.partition == 0 || partition == 0;
                other.exclusive && other.unit == unit && same
            }
            _ => false,
        };
        if exclusive && self.handles.values().any(taken) {
            return Err(Errno::EBUSY);
        }
        Ok(Opened { unit, partition, start, len, write, flags: 0, exclusive, path: false, medium: limits.medium })
    }

    /// Where an open disk or partition begins, and its bytes. ENOMEDIUM: its medium is gone.
    pub fn extent(&self, opened: &Opened) -> Result<(u64, u64)> {
        let limits = &self.units.get(opened.unit).ok_or(Errno::ENXIO)?.limits;
        if limits.removable() && (limits.bytes == 0 || opened.partition != 0 && limits.medium != opened.medium) {
            return Err(Errno::ENOMEDIUM);
        }
        match opened.partition {
            0 => Ok((0, limits.bytes)),
            // A disk may have shrunk.
            _ => Ok((opened.start, opened.len.min(limits.bytes.saturating_sub(opened.start)))),
        }
    }

    /// What a disk or partition is.
    pub fn info(&self, opened: &Opened) -> Result<Info> {
        let (start, len) = self.extent(opened)?;
        let limits = &self.units.get(opened.unit).ok_or(Errno::ENXIO)?.limits;
        let mut info = Info {
            sectors: len / 512,
            start: start / 512,
            read_only: limits.read_only.into(),
            depth: limits.depth as u32,
            logical: limits.logical,
            physical: limits.physical,
            removable: limits.removable().into(),
            discard: (limits.discard != 0).into(),
            id: [0; 24],
            model: [0; 40],
        };
        info.id.iter_mut().zip(limits.id.bytes()).for_each(|(to, from)| *to = from);
        info.model.iter_mut().zip(limits.model.bytes()).for_each(|(to, from)| *to = from);
        Ok(info)
    }

    /// A range of an open disk or partition, as bytes of the drive. EIO: behind the end.
    pub fn range(&self, opened: &Opened, at: u64, len: u64) -> Result<u64> {
        let (start, size) = self.extent(opened)?;
        let inside = at.checked_add(len).is_some_and(|end| end <= size);
        if inside { Ok(start + at) } else { Err(Errno::EIO) }
    }

    /// Attaches an object to a handle; its number.
    pub fn attach(&mut self, owner: u64, object: i32, len: u64) -> Result<u64> {
        let number = self.next_object + 1;
        let pages = self.pages.addresses(object, number, len)?.into();
        self.next_object = number;
        self.objects.insert(number, Object { pages, owner, gone: false });
        Ok(number)
    }

    /// Gives an object up, at once or when no transfer is under way. EINVAL: the handle has none such.
    pub fn detach(&mut self, owner: u64, number: u64) -> Result<()> {
        let object = self.objects.get_mut(&number).filter(|object| object.owner == owner && !object.gone);
        object.ok_or(Errno::EINVAL)?.gone = true;
        self.sweep();
        Ok(())
    }

    /// The job that a client's transfer is. EINVAL, EIO, EROFS, EBADF.
    pub fn transfer(&self, owner: u64, transfer: &Transfer, request: impl FnOnce() -> Request) -> Result<Job> {
        let opened = self.opened(owner)?;
        let len = u64::from(transfer.len);
        let at = self.range(&opened, transfer.disk, len)?;
        let limits = &self.units.get(opened.unit).ok_or(Errno::ENXIO)?.limits;
        let write = transfer.write != 0;
        if write && limits.read_only {
            return Err(Errno::EROFS);
        }
        if write && !opened.write {
            return Err(Errno::EBADF);
        }
        let object = self.objects.get(&transfer.object).filter(|object| object.owner == owner && !object.gone);
        let object = object.ok_or(Errno::EINVAL)?;
        let memory_end = transfer.memory.checked_add(len).ok_or(Errno::EINVAL)?;
        let aligned = [at, len].iter().all(|n| n.is_multiple_of(limits.logical.into()));
        let fits = len > 0 && transfer.len <= TRANSFER_MAX && memory_end <= object.pages.len() as u64 * PAGE;
        if !aligned || !transfer.memory.is_multiple_of(512) || !fits {
            return Err(Errno::EINVAL);
        }
        let what = What::Direct { pages: object.pages.clone(), memory: transfer.memory, write };
        Ok(Job::new(what, Reply::Client(request()), at, len))
    }

    /// Releases objects that are gone and not in use any more.
    fn sweep(&mut self) {
        if !self.objects.values().any(|object| object.gone) {
            return;
        }
        let State { objects, pages, .. } = self;
        objects.retain(|number, object| {
            let over = object.gone && Arc::strong_count(&object.pages) == 1;
            if over {
                if let Err(error) = pages.release(*number) {
                    eprintln!("object {number}: release: {error}");
                }
            }
            !over
        });
    }
}
