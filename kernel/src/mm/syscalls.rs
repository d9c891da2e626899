//! The memory syscalls, as the table in `syscall.rs` names them.

use super::CHUNK;
use super::PAGE;
use super::map::{Limits, Request, user_range};
use crate::thread::Thread;
use crate::user;
use alloc::sync::Arc;
use ochre_abi::layout::PAGE_SIZE;
use ochre_abi::memory::MAP_ANONYMOUS;
use ochre_abi::process::RLIMIT_RESIDENT;
use ochre_abi::{Errno, Result};

pub use super::dirty::pager_limit;
pub use super::object_syscalls::{
    object_clean, object_create, object_evict, object_limit, object_pager, object_phys, object_slice, object_stored,
    object_supply,
};
pub use super::space_syscalls::{space_create, space_map, space_write};

/// MMAP: mmap(2).
pub fn mmap(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [addr, len, prot, flags, fd, offset] = *a;
    let space = me.process.space();
    // The limit may have been changed since; this is the call that every growing process makes.
    space.set_resident_limit(me.process.limit(RLIMIT_RESIDENT as usize));
    let file = if flags & MAP_ANONYMOUS != 0 { None } else { Some(me.process.file(fd as i32)?) };
    space.mmap(&Request { addr, len, prot, flags, file, offset }, &Limits::of(&me.process))
}

/// MUNMAP: munmap(2).
pub fn munmap(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.process.space().munmap(a[0], a[1]).map(|()| 0)
}

/// MPROTECT: mprotect(2).
pub fn mprotect(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.process.space().mprotect(a[0], a[1], a[2]).map(|()| 0)
}

/// MREMAP: mremap(2).
pub fn mremap(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.process.space().mremap(a[0], a[1], a[2], a[3], a[4], &Limits::of(&me.process))
}

/// MADVISE: madvise(2).
pub fn madvise(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.process.space().madvise(a[0], a[1], a[2]).map(|()| 0)
}

/// MSYNC: msync(2).
pub fn msync(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    me.process.space().msync(a[0], a[1], a[2]).map(|()| 0)
}

/// MLOCK: mlock(2) and munlock(2). Pages never leave memory once they are in, so locking brings them in and unlocking only checks.
pub fn mlock(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [addr, len, on, ..] = *a;
    let within = addr % PAGE;
    let len = len.checked_add(within).ok_or(Errno::EINVAL)?;
    if len == within {
        return Ok(0);
    }
    let range = user_range(addr - within, len).ok_or(Errno::ENOMEM)?;
    let space = me.process.space();
    space.map.lock().check_covered(&range)?;
    if on != 0 {
        space.populate(range, false).or_else(|error| if error == Errno::EFAULT { Ok(()) } else { Err(error) })?;
    }
    Ok(0)
}

/// MINCORE: mincore(2).
pub fn mincore(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [addr, len, out, ..] = *a;
    if !addr.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    let range = user_range(addr, len).ok_or(Errno::ENOMEM)?;
    let space = me.process.space();
    let mut bytes = [0u8; CHUNK];
    for (n, start) in range.clone().step_by(CHUNK * PAGE_SIZE).enumerate() {
        let end = range.end.min(start + CHUNK * PAGE_SIZE);
        let bytes = &mut bytes[..(end - start) / PAGE_SIZE];
        space.resident(start..end, bytes)?;
        user::copy_out(out.checked_add((n * CHUNK) as u64).ok_or(Errno::EFAULT)?, bytes)?;
        super::breathe()?;
    }
    Ok(0)
}

/// MEMORY_READ.
pub fn memory_read(_: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    const MAX: usize = 256;
    let [to, from, len, ..] = *a;
    let mut bytes = [0; MAX];
    let bytes = usize::try_from(len).ok().and_then(|len| bytes.get_mut(..len)).ok_or(Errno::EINVAL)?;
    user::copy_in(bytes, from)?;
    user::copy_out(to, bytes)?;
    Ok(0)
}
