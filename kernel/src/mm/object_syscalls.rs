//! Syscalls on memory objects.

use super::object::{MemoryObject, SIZE_MAX};
use super::object_file::{F_SEAL_SEAL, MemoryFile};
use super::{CHUNK, PAGE, pages_of};
use crate::file::File;
use crate::port::PortEnd;
use crate::thread::Thread;
use crate::user::{self, UserSlice};
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;
use hal::mem::Frame;
use ochre_abi::file::{O_RDONLY, O_RDWR};
use ochre_abi::memory::*;
use ochre_abi::process::RIGHT_DEVICE;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// Offsets that one OBJECT_CLEAN returns at the most.
const CLEAN_MAX: u64 = 4096;
/// Pages of one contiguous object at the most: 64 MiB.
const CONTIGUOUS_MAX: u64 = 16384;

/// OBJECT_CREATE.
pub fn object_create(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [size, flags, ..] = *a;
    if size > SIZE_MAX || flags & !(OBJECT_CLOEXEC | OBJECT_CONTIGUOUS | OBJECT_SEALABLE | OBJECT_BELOW_4G) != 0 {
        return Err(Errno::EINVAL);
    }
    if !super::reclaim::has_room() {
        return Err(Errno::ENOMEM);
    }
    let object = if flags & OBJECT_CONTIGUOUS != 0 {
        me.process.need_right(RIGHT_DEVICE)?;
        let pages = pages_of(size);
        if pages == 0 {
            return Err(Errno::EINVAL);
        }
        let below = if flags & OBJECT_BELOW_4G != 0 { 1 << 32 } else { u64::MAX };
        let frames = (pages <= CONTIGUOUS_MAX).then(|| Frame::alloc_contiguous(pages as usize, below)).flatten();
        MemoryObject::from_frames(frames.ok_or(Errno::ENOMEM)?, size)
    } else {
        MemoryObject::anonymous_for(size, me.process.space().account().clone())
    };
    if flags & OBJECT_SEALABLE == 0 {
        object.add_seals(F_SEAL_SEAL)?;
    }
    install(me, object, O_RDWR, flags)
}

/// OBJECT_SLICE.
pub fn object_slice(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [fd, offset, len, flags, ..] = *a;
    if flags & !(OBJECT_CLOEXEC | OBJECT_READ_ONLY) != 0 {
        return Err(Errno::EINVAL);
    }
    if !super::reclaim::has_room() {
        return Err(Errno::ENOMEM);
    }
    let (file, object) = object(me, fd)?;
    if !file.readable() {
        return Err(Errno::EACCES);
    }
    let slice = if file.writable() {
        MemoryObject::slice(&object, offset, len)?
    } else {
        MemoryObject::read_only_part(&object, offset, len)?
    };
    let mode = if flags & OBJECT_READ_ONLY != 0 || !file.writable() { O_RDONLY } else { O_RDWR };
    install(me, slice, mode, flags)
}

/// OBJECT_PHYS.
pub fn object_phys(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [fd, offset, out, count, ..] = *a;
    me.process.need_right(RIGHT_DEVICE)?;
    let (file, object) = object(me, fd)?;
    if !offset.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    if !file.writable() {
        return Err(Errno::EACCES);
    }
    let first = offset / PAGE;
    let count = count.min(pages_of(object.size()).saturating_sub(first));
    for n in 0..count {
        let phys = object.pin(first + n)?;
        user::write(out.checked_add(n * 8).ok_or(Errno::EFAULT)?, &phys)?;
        if n % CHUNK as u64 == CHUNK as u64 - 1 {
            super::breathe()?;
        }
    }
    Ok(count as usize)
}

/// OBJECT_PAGER.
pub fn object_pager(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [fd, port, cookie, ..] = *a;
    let object = writable(me, fd)?;
    if port as i32 == -1 {
        object.drop_pager();
        return Ok(0);
    }
    let port = me.process.file(port as i32)?;
    let end = port.object::<PortEnd>().ok_or(Errno::EINVAL)?;
    me.process.is_pager.store(true, Relaxed);
    end.port.paging.set_server(me.process.pid);
    object.set_pager(end.port.clone(), cookie).map(|()| 0)
}

/// OBJECT_SUPPLY.
pub fn object_supply(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [fd, offset, buffer, len, status, epoch] = *a;
    let object = writable(me, fd)?;
    let len = usize::try_from(len).ok().filter(|len| *len <= i64::MAX as usize).ok_or(Errno::EINVAL)?;
    if status != 0 {
        let error = i32::try_from(status).ok().filter(|error| (1..=4095).contains(error)).ok_or(Errno::EINVAL)?;
        return object.fail(offset, len, Errno(error)).map(|()| 0);
    }
    let from = UserSlice::new(buffer, len as u64)?;
    object.supply(offset, from.addr, from.len, (epoch != 0).then_some(epoch))
}

/// OBJECT_STORED.
pub fn object_stored(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [fd, offset, len, status, ..] = *a;
    writable(me, fd)?.stored(offset, len, status != 0).map(|()| 0)
}

/// OBJECT_LIMIT.
pub fn object_limit(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [fd, limit, ..] = *a;
    if limit > SIZE_MAX {
        return Err(Errno::EINVAL);
    }
    writable(me, fd)?.limit.store(limit, Relaxed);
    Ok(0)
}

/// OBJECT_CLEAN.
pub fn object_clean(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [fd, offset, len, out, max, ..] = *a;
    let object = writable(me, fd)?;
    let max = max.min(CLEAN_MAX) as usize;
    // The result is written only once the pages count as clean: make sure first that it can be.
    let out = UserSlice::new(out, max as u64 * 8)?;
    user::zero(out.addr, out.len)?;
    let offsets = object.clean(offset, len, max)?;
    for (n, offset) in offsets.iter().enumerate() {
        out.copy_out(n * 8, &offset.to_le_bytes())?;
    }
    Ok(offsets.len())
}

/// OBJECT_EVICT.
pub fn object_evict(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [fd, offset, len, ..] = *a;
    writable(me, fd)?.evict(offset, len)
}

/// The object that a descriptor can map. EBADF, ENODEV.
fn object(me: &Arc<Thread>, fd: u64) -> Result<(Arc<File>, Arc<MemoryObject>)> {
    let file = me.process.file(fd as i32)?;
    let object = file.object.memory(&file, false)?;
    Ok((file, object))
}

/// The object of a memory file that is open for writing: what a pager has. EBADF, EINVAL.
fn writable(me: &Arc<Thread>, fd: u64) -> Result<Arc<MemoryObject>> {
    let file = me.process.file(fd as i32)?;
    if !file.writable() {
        return Err(Errno::EBADF);
    }
    Ok(file.object::<MemoryFile>().ok_or(Errno::EINVAL)?.object.clone())
}

/// A descriptor for an object.
fn install(me: &Arc<Thread>, object: Arc<MemoryObject>, mode: u32, flags: u64) -> Result<usize> {
    let file = File::new(Arc::new(MemoryFile::new(object)), mode);
    Ok(me.process.install(file, flags & OBJECT_CLOEXEC != 0)? as usize)
}
