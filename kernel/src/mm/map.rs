//! Making and removing mappings: mmap(2), munmap(2).

use super::area::{Access, Area, Backing, Binding, OnFork, View};
use super::object::MemoryObject;
use super::object_file::{F_SEAL_FUTURE_WRITE, F_SEAL_WRITE};
use super::space::{AREAS_MAX, Map, Space, Steps, object_of};
use super::{CHUNK, PAGE, PAGE_SIZE, round_up};
use crate::file::File;
use crate::process::Process;
use alloc::sync::Arc;
use core::ops::Range;
use ochre_abi::file::O_PATH;
use ochre_abi::layout::{USER_END, USER_START};
use ochre_abi::memory::*;
use ochre_abi::process::{RLIM_INFINITY, RLIMIT_AS, RLIMIT_DATA};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// mmap flags that the abi crate does not name, of `asm-generic/mman.h`.
const MAP_TYPE: u64 = 0xf;
const MAP_32BIT: u64 = 0x40;
const MAP_DENYWRITE: u64 = 0x800;
const MAP_EXECUTABLE: u64 = 0x1000;
const MAP_NONBLOCK: u64 = 0x10000;
const MAP_HUGETLB: u64 = 0x40000;
/// What MAP_SHARED_VALIDATE accepts.
const MAP_KNOWN: u64 = MAP_TYPE
    | MAP_FIXED
    | MAP_ANONYMOUS
    | MAP_32BIT
    | MAP_GROWSDOWN
    | MAP_DENYWRITE
    | MAP_EXECUTABLE
    | MAP_LOCKED
    | MAP_NORESERVE
    | MAP_POPULATE
    | MAP_NONBLOCK
    | MAP_STACK
    | MAP_FIXED_NOREPLACE;

/// Bytes that no machine is too small for.
const SMALL: usize = 32 << 20;

/// The arguments of mmap(2).
pub struct Request {
    /// Where, or a hint.
    pub addr: u64,
    /// Bytes.
    pub len: u64,
    /// PROT_ bits.
    pub prot: u64,
    /// MAP_ flags.
    pub flags: u64,
    /// What to map; `None` for anonymous memory.
    pub file: Option<Arc<File>>,
    /// Offset in the file.
    pub offset: u64,
}

/// A process's limits that mappings obey, in bytes.
#[derive(Clone, Copy)]
pub struct Limits {
    /// RLIMIT_AS.
    pub address_space: u64,
    /// RLIMIT_DATA.
    pub data: u64,
}

impl Limits {
    /// Those of a process.
    pub fn of(process: &Process) -> Limits {
        Limits { address_space: process.limit(RLIMIT_AS as usize), data: process.limit(RLIMIT_DATA as usize) }
    }
}

/// A range of whole pages of the user half, from a syscall's arguments; `None` if it is not page-aligned, empty, or leaves that half.
pub(super) fn user_range(addr: u64, len: u64) -> Option<Range<usize>> {
    let len = round_up(len)?;
    let start = usize::try_from(addr).ok()?;
    let end = start.checked_add(len)?;
    (start.is_multiple_of(PAGE_SIZE) && len > 0 && end <= USER_END).then_some(start..end)
}

impl Space {
    /// mmap(2), with its errors. Beyond Linux: EACCES for a mapping that is writable and executable.
    pub fn mmap(&self, request: &Request, limits: &Limits) -> Result<usize> {
        let Request { addr, flags, .. } = *request;
        if request.len == 0 || !request.offset.is_multiple_of(PAGE) {
            return Err(Errno::EINVAL);
        }
        let len = round_up(request.len).filter(|len| *len <= USER_END).ok_or(Errno::ENOMEM)?;
        request.offset.checked_add(len as u64).filter(|end| *end <= i64::MAX as u64).ok_or(Errno::EOVERFLOW)?;
        let access = access_of(request.prot)?;
        let shared = match flags & MAP_TYPE {
            MAP_SHARED => true,
            MAP_PRIVATE => false,
            MAP_SHARED_VALIDATE if flags & !MAP_KNOWN == 0 => true,
            MAP_SHARED_VALIDATE => return Err(Errno::EOPNOTSUPP),
            _ => return Err(Errno::EINVAL),
        };
        if flags & MAP_HUGETLB != 0 {
            return Err(Errno::ENOMEM);
        }
        if !super::reclaim::has_room() {
            return Err(Errno::ENOMEM);
        }
        let fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0;
        if fixed && !addr.is_multiple_of(PAGE) {
            return Err(Errno::EINVAL);
        }
        let area = self.new_area(request, access, shared, len)?;
        // Memory that there cannot be is refused now, and more of it to a process that has taken most of it.
        let reserves = area.is_data() && flags & MAP_NORESERVE == 0 || request.file.is_none() && shared;
        let beyond_reason = || len > SMALL && len / PAGE_SIZE > hal::mem::stats().total_frames;
        if reserves && (beyond_reason() || self.account().crowds(len / PAGE_SIZE)) {
            return Err(Errno::ENOMEM);
        }
        let start = if fixed {
            let range = user_range(addr, len as u64).ok_or(Errno::ENOMEM)?;
            if range.start < USER_START {
                return Err(Errno::EPERM);
            }
            self.place_fixed(range.clone(), area, flags & MAP_FIXED_NOREPLACE == 0, limits)?;
            range.start
        } else {
            self.place(addr, len, area, flags & MAP_32BIT != 0, limits)?
        };
        if flags & (MAP_POPULATE | MAP_LOCKED) != 0 && flags & MAP_NONBLOCK == 0 {
            // As on Linux, what cannot be brought in now is left to a fault.
            let _ = self.populate(start..start + len, access.writable() && !shared);
        }
        Ok(start)
    }

    /// The area that a request describes.
    fn new_area(&self, request: &Request, access: Access, shared: bool, len: usize) -> Result<Area> {
        let Some(file) = &request.file else {
            if !shared {
                return Ok(Area::anonymous(access));
            }
            let object = MemoryObject::anonymous_for(len as u64, self.account().clone());
            let view = View {
                binding: Binding::new(object, self.id(), self.weak(), true),
                first: 0,
                end: u64::MAX,
                file: None,
                file_page: 0,
            };
            return Ok(Area { shared, backing: Backing::Object(view), ..Area::anonymous(access) });
        };
        if file.flags() & O_PATH != 0 {
            return Err(Errno::EBADF);
        }
        if !file.readable() || shared && access.writable() && !file.writable() {
            return Err(Errno::EACCES);
        }
        let (object, first, end) = object_of(file, shared && access.writable())?;
        let sealed = object.seals() & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) != 0;
        if shared && access.writable() && sealed {
            return Err(Errno::EPERM);
        }
        if object.is_device() && !shared {
            return Err(Errno::EINVAL);
        }
        let may_write = !shared || file.writable() && !sealed;
        let page = request.offset / PAGE;
        let view = View {
            binding: Binding::new(object, self.id(), self.weak(), shared && may_write),
            first: first.checked_add(page).ok_or(Errno::EOVERFLOW)?,
            end,
            file: Some(file.clone()),
            file_page: page,
        };
        let on_fork = OnFork::Copy;
        Ok(Area { access, shared, may_write, private_pages: false, on_fork, backing: Backing::Object(view) })
    }

    /// Puts an area where there is room: at the hint if that is free, else the kernel chooses.
    fn place(&self, hint: u64, len: usize, area: Area, low: bool, limits: &Limits) -> Result<usize> {
        let mut map = self.map.lock();
        let result = map.check_limits(len, area.is_data(), limits).and_then(|()| {
            let hint = usize::try_from(hint).unwrap_or(0) & !(PAGE_SIZE - 1);
            let free_at_hint = hint >= USER_START
                && hint
                    .checked_add(len)
                    .is_some_and(|end| end <= USER_END && map.areas.overlapping(hint..end).next().is_none());
            if free_at_hint && !low {
                return Ok(hint);
            }
            let top = if low { 1 << 31 } else { map.top() };
            map.find_gap(len, top).ok_or(Errno::ENOMEM)
        });
        match result {
            Ok(start) => match map.areas.insert(start..start + len, area) {
                Ok(()) => Ok(start),
                Err(refused) => {
                    drop(map);
                    drop(refused);
                    Err(Errno::ENOMEM)
                }
            },
            Err(error) => {
                // The area may hold the last reference to a file: give it up without the lock.
                drop(map);
                drop(area);
                Err(error)
            }
        }
    }

    /// Puts an area exactly there, instead of what is there if `replace`.
    fn place_fixed(&self, range: Range<usize>, mut area: Area, replace: bool, limits: &Limits) -> Result<()> {
        loop {
            let mut map = self.map.lock();
            let mut result = map.check_limits(range.len(), area.is_data(), limits);
            if result.is_ok() {
                match map.areas.insert(range.clone(), area) {
                    Ok(()) => return Ok(()),
                    Err(refused) => area = refused,
                }
                if !replace {
                    result = Err(Errno::EEXIST);
                }
            }
            drop(map);
            if let Err(error) = result {
                drop(area);
                return Err(error);
            }
            self.unmap(range.clone())?;
        }
    }

    /// munmap(2).
    pub fn munmap(&self, addr: u64, len: u64) -> Result<()> {
        self.unmap(user_range(addr, len).ok_or(Errno::EINVAL)?)
    }

    /// Removes whatever is mapped in a range. ENOMEM: cutting an area in two would make too many.
    pub(super) fn unmap(&self, range: Range<usize>) -> Result<()> {
        let mut steps = Steps::new(range.clone());
        while let Some(part) = steps.next() {
            let before = self.pages().resident();
            let mut map = self.map.lock();
            if part.start == range.start && map.areas.len() + map.areas.cuts(range.clone()) > AREAS_MAX + 1 {
                return Err(Errno::ENOMEM);
            }
            let removed = self.remove(&mut map, part.clone());
            if part.end < range.end {
                match map.areas.overlapping(part.end..range.end).next() {
                    Some((next, _)) => steps.skip_to(next.start),
                    None => steps.skip_to(range.end),
                }
            }
            drop(map);
            drop(removed);
            steps.done(before.saturating_sub(self.pages().resident()));
        }
        Ok(())
    }

    /// Brings the pages of a range in, for reading or writing. ENOMEM where nothing is mapped or memory is short, EFAULT where the
    /// mapping does not allow it.
    pub(super) fn populate(&self, range: Range<usize>, write: bool) -> Result<()> {
        for (n, page) in range.step_by(PAGE_SIZE).enumerate() {
            self.fault_for(page, write)?;
            if n % CHUNK == CHUNK - 1 {
                super::breathe()?;
            }
        }
        Ok(())
    }

    fn fault_for(&self, page: usize, write: bool) -> Result<()> {
        use super::fault::FaultError;
        self.fault(page, write, false).map_err(|error| match error {
            FaultError::NoMapping | FaultError::OutOfMemory => Errno::ENOMEM,
            FaultError::Protection | FaultError::Bus => Errno::EFAULT,
        })
    }
}

/// The rights in mmap's and mprotect's argument; EACCES for writable and executable memory.
pub(super) fn access_of(prot: u64) -> Result<Access> {
    if prot & PROT_WRITE != 0 && prot & PROT_EXEC != 0 { Err(Errno::EACCES) } else { Ok(Access::from_prot(prot)) }
}

impl Map {
    /// ENOMEM if `len` bytes more would be too many.
    pub(super) fn check_limits(&self, len: usize, data: bool, limits: &Limits) -> Result<()> {
        let total = self.areas.covered() as u64 + len as u64;
        if self.areas.len() >= AREAS_MAX || total > limits.address_space {
            return Err(Errno::ENOMEM);
        }
        if data && limits.data != RLIM_INFINITY {
            let used: u64 =
                self.areas.iter().filter(|(_, area)| area.is_data()).map(|(range, _)| range.len() as u64).sum();
            if used + len as u64 > limits.data {
                return Err(Errno::ENOMEM);
            }
        }
        Ok(())
    }

    /// ENOMEM unless all of the range is mapped.
    pub(super) fn check_covered(&self, range: &Range<usize>) -> Result<()> {
        if self.areas.covers(range.clone()) { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// ENOMEM if cutting at the ends of a range would make too many areas.
    pub(super) fn check_cuts(&self, range: &Range<usize>) -> Result<()> {
        if self.areas.len() + self.areas.cuts(range.clone()) > AREAS_MAX { Err(Errno::ENOMEM) } else { Ok(()) }
    }
}
