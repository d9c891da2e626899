//! The scheme: what clients ask.

use super::drive::Kind;
use super::engine::{Engine, Handle, State};
use super::job::{Job, Reply, What};
use super::listing::Name;
use crate::protocol::{ATTACH, ATTACH_MAX, DETACH, DISCARD, INFO, TRANSFER, Transfer};
use ochre_scheme::abi::file::{
    O_ACCMODE, O_CREAT, O_DIRECTORY, O_EXCL, O_NONBLOCK, O_PATH, O_RDONLY, S_IFBLK, S_IFDIR, S_IFREG, SEEK_END, Stat,
};
use ochre_scheme::{Answer, Errno, Op, Port, Request, Result, Scheme};
use std::sync::{Arc, MutexGuard};

/// Status flags of open(2), as on x86.
const O_DSYNC: u32 = 0o10000;
const O_DIRECT: u32 = 0o40000;
/// Groups that may open disks and CD drives, as Debian numbers them.
const DISK: u32 = 6;
const CDROM: u32 = 24;

/// The scheme of all of a driver's disks, and the port at which it is served.
pub struct Front(pub Arc<Engine>, pub Port);

impl Front {
    /// Whether a caller may open a unit.
    fn permitted(&self, request: &Request, unit: usize) -> Result<()> {
        let caller = request.caller();
        let state = self.0.state();
        let removable = state.units.get(unit).is_some_and(|unit| unit.limits.removable());
        drop(state);
        let group = if removable { CDROM } else { DISK };
        let member = || request.caller_groups().is_ok_and(|groups| groups.contains(&group));
        if caller.uid == 0 || caller.gid == group || member() { Ok(()) } else { Err(Errno::EACCES) }
    }

    fn open_disk(&self, request: &mut Request, unit: usize, partition: u32, flags: u32) -> Result<Answer> {
        if flags & O_DIRECTORY != 0 {
            return Err(Errno::ENOTDIR);
        }
        let (write, exclusive) = (flags & O_ACCMODE != O_RDONLY, flags & O_EXCL != 0 && flags & O_CREAT == 0);
        let missing = |error| if error == Errno::ENXIO { Errno::ENOENT } else { error };
        if flags & O_PATH != 0 {
            let mut state = self.0.state();
            let mut opened = state.find(unit, partition, false, false).map_err(missing)?;
            opened.path = true;
            return Ok(Answer::opened(state.open(Handle::Disk(opened))));
        }
        self.permitted(request, unit)?;
        let engine = self.0.clone();
        let removable = {
            let state = self.0.state();
            let unit = state.units.get(unit).ok_or(Errno::ENOENT)?;
            if unit.limits.removable() && unit.limits.read_only && write {
                return Err(Errno::EROFS);
            }
            unit.limits.removable()
        };
        let open = move || {
            if removable && engine.check(unit) == Err(Errno::ENOMEDIUM) && flags & O_NONBLOCK == 0 {
                return Err(Errno::ENOMEDIUM);
            }
            let mut state = engine.state();
            let mut opened = state.find(unit, partition, write, exclusive).map_err(missing)?;
            opened.flags = flags;
            Ok(Answer::opened(state.open(Handle::Disk(opened))).seekable().repeatable())
        };
        if !removable {
            return open();
        }
        // The drive may take long to tell what it has; nobody else waits for that.
        let request = request.defer();
        std::thread::spawn(move || request.answer(open()));
        Ok(Answer::later())
    }

    /// read(2) and write(2).
    fn copy(&self, request: &mut Request, position: Option<u64>, len: usize, write: bool) -> Result<Answer> {
        let state = self.0.state();
        if let Some(Handle::Text(text)) = state.handles.get(&request.handle()) {
            if write {
                return Err(Errno::EBADF);
            }
            let start = usize::try_from(position.unwrap_or(0)).unwrap_or(usize::MAX);
            request.put(text.get(start..).unwrap_or_default())?;
            return request.data_answer();
        }
        let opened = state.opened(request.handle())?;
        let (start, size) = state.extent(&opened)?;
        let limits = &state.units.get(opened.unit).ok_or(Errno::ENXIO)?.limits;
        let (position, status) = match request.op() {
            Op::Write { append: true, status, .. } => (size, status),
            Op::Write { status, .. } | Op::Read { status, .. } => (position.ok_or(Errno::EINVAL)?, status),
            _ => return Err(Errno::EINVAL),
        };
        let status = status | opened.flags;
        let logical = u64::from(limits.logical);
        if status & O_DIRECT != 0 && !(position.is_multiple_of(logical) && (len as u64).is_multiple_of(logical)) {
            return Err(Errno::EINVAL);
        }
        let left = size.saturating_sub(position);
        if write && limits.read_only {
            return Err(Errno::EROFS);
        }
        if write && len > 0 && left == 0 {
            return Err(Errno::ENOSPC);
        }
        let len = (len as u64).min(left);
        if len == 0 {
            return Ok(Answer::value(0));
        }
        let job = Job::new(What::Copy { write }, Reply::Client(request.defer()), start + position, len);
        self.0.add(state, opened.unit, Job { sync: write && status & O_DSYNC != 0, ..job });
        Ok(Answer::later())
    }

    /// Everything written before is on the medium when it is answered.
    pub fn flush(&self, request: &mut Request) -> Result<Answer> {
        let state = self.0.state();
        let opened = match state.handles.get(&request.handle()) {
            Some(Handle::Disk(_)) => state.opened(request.handle())?,
            _ => return Err(Errno::EINVAL),
        };
        // Without a cache the device writes through.
        if !state.units.get(opened.unit).ok_or(Errno::ENXIO)?.limits.cache {
            return Ok(Answer::done());
        }
        let what = What::Command { kind: Kind::Flush, most: 0 };
        Ok(self.give(state, opened.unit, what, request, (0, 0)))
    }

    /// Gives up or clears bytes. EBADF without the right to write; EOPNOTSUPP, EINVAL.
    pub fn clear(&self, request: &mut Request, at: u64, len: u64, zero: bool) -> Result<Answer> {
        let state = self.0.state();
        let opened = state.opened(request.handle())?;
        let limits = &state.units.get(opened.unit).ok_or(Errno::ENXIO)?.limits;
        if !opened.write {
            return Err(Errno::EBADF);
        }
        if limits.read_only {
            return Err(Errno::EROFS);
        }
        let place = state.range(&opened, at, len).map_err(|_| Errno::EINVAL)?;
        let logical = u64::from(limits.logical);
        if len == 0 || !place.is_multiple_of(logical) || !len.is_multiple_of(logical) {
            return Err(Errno::EINVAL);
        }
        let what = match (zero, limits.discard, limits.zero) {
            (false, 0, _) => return Err(Errno::EOPNOTSUPP),
            (false, most, _) => What::Command { kind: Kind::Discard, most },
            (true, _, 0) => What::Zeroes,
            (true, _, most) => What::Command { kind: Kind::Zero, most },
        };
        Ok(self.give(state, opened.unit, what, request, (place, len)))
    }

    pub(super) fn give(
        &self,
        state: MutexGuard<'_, State>,
        unit: usize,
        what: What,
        request: &mut Request,
        (at, len): (u64, u64),
    ) -> Answer {
        self.0.add(state, unit, Job::new(what, Reply::Client(request.defer()), at, len));
        Answer::later()
    }
}

impl Scheme for Front {
    fn open(&mut self, request: &mut Request, flags: u32, _mode: u32) -> Result<Answer> {
        let mut state = self.0.state();
        if !matches!((request.handle(), state.handles.get(&request.handle())), (0, _) | (_, Some(Handle::Root))) {
            return Err(Errno::ENOTDIR);
        }
        let looks = flags & O_PATH != 0;
        let reads = flags & O_ACCMODE == O_RDONLY || looks;
        match Name::parse(request.payload()).ok_or(Errno::ENOENT)? {
            Name::Root if !reads => Err(Errno::EISDIR),
            Name::Root => Ok(Answer::opened(state.open(Handle::Root)).seekable().directory()),
            Name::Partitions if flags & O_DIRECTORY != 0 => Err(Errno::ENOTDIR),
            Name::Partitions if !reads => Err(Errno::EACCES),
            Name::Partitions => {
                let text = Handle::Text(state.partitions().into_bytes().into());
                Ok(Answer::opened(state.open(text)).seekable())
            }
            Name::Disk(unit, partition) => {
                drop(state);
                self.open_disk(request, unit, partition, flags)
            }
        }
    }

    fn close(&mut self, handle: u64) {
        self.0.state().close(handle);
        // Most have attached nothing.
        let _ = self.1.unpark(handle);
    }

    fn read(&mut self, request: &mut Request, position: Option<u64>, len: usize) -> Result<Answer> {
        self.copy(request, position, len, false)
    }

    fn write(&mut self, request: &mut Request, position: Option<u64>, len: usize) -> Result<Answer> {
        self.copy(request, position, len, true)
    }

    fn ioctl(&mut self, request: &mut Request, command: u64, argument: u64) -> Result<Answer> {
        self.control(request, command as u32, argument)
    }

    fn stat(&mut self, handle: u64) -> Result<Stat> {
        let state = self.0.state();
        let stat = Stat { ino: handle, nlink: 1, blksize: 4096, ..Stat::default() };
        match state.handles.get(&handle).ok_or(Errno::EBADF)? {
            Handle::Root => Ok(Stat { ino: 1, mode: S_IFDIR | 0o555, ..stat }),
            Handle::Text(text) => Ok(Stat { ino: 2, mode: S_IFREG | 0o444, size: text.len() as i64, ..stat }),
            Handle::Disk(opened) => {
                let limits = &state.units.get(opened.unit).ok_or(Errno::ENXIO)?.limits;
                let gid = if limits.removable() { CDROM } else { DISK };
                let rdev = limits.device_number(opened.partition);
                let ino = 3 + (opened.unit as u64) * 1000 + u64::from(opened.partition);
                Ok(Stat { ino, mode: S_IFBLK | 0o660, gid, rdev, ..stat })
            }
        }
    }

    fn other(&mut self, request: &mut Request, op: Op) -> Result<Answer> {
        match op {
            Op::GetDents { position, .. } => {
                let state = self.0.state();
                match state.handles.get(&request.handle()) {
                    Some(Handle::Root) => state.list(request, position),
                    _ => Err(Errno::ENOTDIR),
                }
            }
            Op::Seek { offset, whence: SEEK_END } => {
                let state = self.0.state();
                let (_, size) = match state.handles.get(&request.handle()) {
                    Some(Handle::Text(text)) => (0, text.len() as u64),
                    _ => state.extent(&state.opened(request.handle())?)?,
                };
                let target = i64::try_from(size).ok().and_then(|size| size.checked_add(offset));
                let target = target.and_then(|target| usize::try_from(target).ok()).ok_or(Errno::EINVAL)?;
                Ok(Answer::value(target))
            }
            Op::Seek { .. } => Err(Errno::EINVAL),
            Op::Sync { .. } => self.flush(request),
            Op::Private { op: INFO, .. } => {
                let state = self.0.state();
                let info = state.info(&state.opened(request.handle())?)?;
                drop(state);
                request.put_value(&info)?;
                Ok(Answer::done())
            }
            Op::Private { op: ATTACH, args: [len, ..] } => {
                if len == 0 || len > ATTACH_MAX || !len.is_multiple_of(4096) {
                    return Err(Errno::EINVAL);
                }
                let object = request.take_fd(0)?;
                self.0.state().opened(request.handle())?;
                // A successor knows by this that the handle had memory, whose addresses are gone: its client opens anew.
                self.1.park(request.handle(), object.get())?;
                let mut state = self.0.state();
                state.attach(request.handle(), object.get(), len).map(|number| Answer::value(number as usize))
            }
            Op::Private { op: DETACH, args: [number, ..] } => {
                self.0.state().detach(request.handle(), number).map(Answer::from)
            }
            Op::Private { op: TRANSFER, .. } => {
                let transfer: Transfer = request.parse()?;
                let state = self.0.state();
                let unit = state.opened(request.handle())?.unit;
                let job = state.transfer(request.handle(), &transfer, || request.defer())?;
                self.0.add(state, unit, job);
                Ok(Answer::later())
            }
            Op::Private { op: DISCARD, args: [at, len, _] } => self.clear(request, at, len, false),
            Op::Readlink | Op::Truncate { .. } => Err(Errno::EINVAL),
            _ => Err(Errno::ENOSYS),
        }
    }
}
