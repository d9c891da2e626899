//! Making, copying and closing descriptors.

use super::{Args, Result, int, native, put};
use ochre_rt::abi::Errno;
use ochre_rt::abi::file::{F_GETFD, O_CLOEXEC};
use ochre_rt::abi::memory::{OBJECT_CLOEXEC, OBJECT_SEALABLE};
use ochre_rt::abi::syscall as sys;
use ochre_rt::syscall;

pub unsafe fn close(a: Args) -> Result {
    native(sys::CLOSE, [int(a[0]), 0, 0, 0, 0, 0])
}

pub unsafe fn close_range(a: Args) -> Result {
    const CLOSE_RANGE_UNSHARE: u32 = 2;
    // Unsharing is for tables shared between processes, of which there are none.
    let flags = a[2] as u32 & !CLOSE_RANGE_UNSHARE;
    syscall::close_range(a[0] as u32, a[1] as u32, flags)?;
    Ok(0)
}

pub unsafe fn dup(a: Args) -> Result {
    native(sys::DUP, [int(a[0]), 0, 0, 0, 0, 0])
}

pub unsafe fn dup2(a: Args) -> Result {
    if a[0] as i32 == a[1] as i32 {
        syscall::fcntl(a[0] as i32, F_GETFD, 0)?;
        return Ok(int(a[1]));
    }
    dup3([a[0], a[1], 0, 0, 0, 0])
}

pub unsafe fn dup3(a: Args) -> Result {
    native(sys::DUP3, [int(a[0]), int(a[1]), a[2] as u32 as usize, 0, 0, 0])
}

pub unsafe fn pipe2(a: Args) -> Result {
    native(sys::PIPE, [a[0], a[1] as u32 as usize, 0, 0, 0, 0])
}

pub unsafe fn pipe(a: Args) -> Result {
    pipe2([a[0], 0, 0, 0, 0, 0])
}

pub unsafe fn memfd_create(a: Args) -> Result {
    const MFD_CLOEXEC: u32 = 1;
    const MFD_ALLOW_SEALING: u32 = 2;
    // The name is for listings; only its length is looked at (NAME_MAX less "memfd:").
    if super::string(a[0])?.len() > 249 {
        return Err(Errno::EINVAL);
    }
    let asked = a[1] as u32;
    if asked & !(MFD_CLOEXEC | MFD_ALLOW_SEALING) != 0 {
        return Err(Errno::EINVAL);
    }
    let mut flags = 0;
    if asked & MFD_CLOEXEC != 0 {
        flags |= OBJECT_CLOEXEC;
    }
    if asked & MFD_ALLOW_SEALING != 0 {
        flags |= OBJECT_SEALABLE;
    }
    syscall::object_create(0, flags).map(|fd| fd as usize)
}

/// Two descriptors that a call made, to where the caller wants them.
pub unsafe fn put_pair(pointer: usize, made: impl FnOnce() -> Result<[i32; 2]>) -> Result {
    if pointer == 0 {
        return Err(Errno::EFAULT);
    }
    put(pointer, made()?)
}

/// O_CLOEXEC's place in a native call's flags.
pub const CLOEXEC: usize = O_CLOEXEC as usize;
