//! Syscalls on address spaces under construction.

use super::map::{Limits, Request};
use super::space::{Space, SpaceFile};
use super::{CHUNK, PAGE_SIZE};
use crate::file::File;
use crate::thread::Thread;
use crate::user;
use alloc::sync::Arc;
use ochre_abi::file::{O_CLOEXEC, O_RDWR};
use ochre_abi::memory::{MAP_ANONYMOUS, MapArgs};
use ochre_abi::process::RLIMIT_RESIDENT;
use ochre_abi::{Errno, Result};

/// SPACE_CREATE.
pub fn space_create(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    if a[0] & !u64::from(O_CLOEXEC) != 0 {
        return Err(Errno::EINVAL);
    }
    let space = Space::new()?;
    space.set_resident_limit(me.process.limit(RLIMIT_RESIDENT as usize));
    let file = File::new(Arc::new(SpaceFile::new(space)), O_RDWR);
    Ok(me.process.install(file, a[0] != 0)? as usize)
}

/// SPACE_MAP: mmap(2) into another space.
pub fn space_map(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let args: MapArgs = user::read(a[1])?;
    let space = space(me, a[0])?;
    let file = if args.flags & MAP_ANONYMOUS != 0 {
        None
    } else {
        Some(me.process.file(i32::try_from(args.fd).map_err(|_| Errno::EBADF)?)?)
    };
    let MapArgs { addr, len, prot, flags, offset, .. } = args;
    space.mmap(&Request { addr, len, prot, flags, file, offset }, &Limits::of(&me.process))
}

/// SPACE_WRITE: fills memory of a space that no process runs in, whatever its protection. The written pages become private
/// to the space; EFAULT in a shared mapping that is not writable, or where nothing is mapped.
pub fn space_write(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [fd, addr, buffer, len, ..] = *a;
    let space = space(me, fd)?;
    let addr = usize::try_from(addr).map_err(|_| Errno::EFAULT)?;
    let len = usize::try_from(len).map_err(|_| Errno::EFAULT)?;
    addr.checked_add(len).ok_or(Errno::EFAULT)?;
    let mut done = 0;
    while done < len {
        let at = addr + done;
        let within = at % PAGE_SIZE;
        let part = (len - done).min(PAGE_SIZE - within);
        let written = space.pin_for_writing(at).and_then(|frame| {
            let from = buffer.checked_add(done as u64).ok_or(Errno::EFAULT)?;
            user::frame_in(&frame, within, from, part)
        });
        match written {
            Ok(()) => done += part,
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
        if done % (CHUNK * PAGE_SIZE) < PAGE_SIZE {
            super::breathe()?;
        }
    }
    Ok(done)
}

/// The space behind a descriptor. EBADF; EINVAL if it is something else, or a process runs in it.
fn space(me: &Arc<Thread>, fd: u64) -> Result<Arc<Space>> {
    let file = me.process.file(fd as i32)?;
    file.object::<SpaceFile>().ok_or(Errno::EINVAL)?.space()
}
