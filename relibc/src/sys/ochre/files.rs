//! Calls on open files.

use super::{Args, Result, bytes_mut, int, native};
use ochre_rt::abi::Errno;
use ochre_rt::abi::call::*;
use ochre_rt::abi::file::Stat;
use ochre_rt::abi::syscall as sys;
use ochre_rt::call::Call;

/// No offset: the file's own position.
const NO_OFFSET: usize = usize::MAX;

/// An operation on an open handle that takes and gives numbers only.
pub fn operate(fd: usize, op: u16, args: [u64; 3]) -> Result {
    Call::new(op, args).send(fd as i32)
}

pub unsafe fn read(a: Args) -> Result {
    native(sys::READ, [int(a[0]), a[1], a[2], 0, 0, 0])
}

pub unsafe fn write(a: Args) -> Result {
    native(sys::WRITE, [int(a[0]), a[1], a[2], 0, 0, 0])
}

pub unsafe fn pread(a: Args) -> Result {
    checked(a[3])?;
    native(sys::PREAD, [int(a[0]), a[1], a[2], a[3], 0, 0])
}

pub unsafe fn pwrite(a: Args) -> Result {
    checked(a[3])?;
    native(sys::PWRITE, [int(a[0]), a[1], a[2], a[3], 0, 0])
}

/// An offset, which is not negative.
fn checked(offset: usize) -> Result<usize> {
    if (offset as isize) < 0 { Err(Errno::EINVAL) } else { Ok(offset) }
}

pub unsafe fn readv(a: Args) -> Result {
    native(sys::READV, [int(a[0]), a[1], a[2], NO_OFFSET, 0, 0])
}

pub unsafe fn writev(a: Args) -> Result {
    native(sys::WRITEV, [int(a[0]), a[1], a[2], NO_OFFSET, 0, 0])
}

pub unsafe fn preadv(a: Args) -> Result {
    native(sys::READV, [int(a[0]), a[1], a[2], checked(a[3])?, 0, 0])
}

pub unsafe fn pwritev(a: Args) -> Result {
    native(sys::WRITEV, [int(a[0]), a[1], a[2], checked(a[3])?, 0, 0])
}

/// preadv2(2) without flags. An offset of −1 is the file's own.
pub unsafe fn preadv2(a: Args) -> Result {
    plain(a)?;
    if a[3] == NO_OFFSET { readv(a) } else { preadv(a) }
}

/// As [`preadv2`].
pub unsafe fn pwritev2(a: Args) -> Result {
    plain(a)?;
    if a[3] == NO_OFFSET { writev(a) } else { pwritev(a) }
}

fn plain(a: Args) -> Result<()> {
    if a[5] as u32 != 0 { Err(Errno::EOPNOTSUPP) } else { Ok(()) }
}

pub unsafe fn lseek(a: Args) -> Result {
    native(sys::LSEEK, [int(a[0]), a[1], a[2] as u32 as usize, 0, 0, 0])
}

pub unsafe fn fstat(a: Args) -> Result {
    let out = bytes_mut(a[1], size_of::<Stat>())?;
    Call::new(OP_STAT, [0; 3]).output(out).send(a[0] as i32)?;
    Ok(0)
}

/// The kernel keeps the position; one answer holds at most a page of entries.
pub unsafe fn getdents64(a: Args) -> Result {
    let len = (a[2] as u32 as usize).min(PAYLOAD_MAX);
    let out = bytes_mut(a[1], len)?;
    Call::new(OP_GETDENTS, [0, len as u64, 0]).output(out).send(a[0] as i32)
}

pub unsafe fn ftruncate(a: Args) -> Result {
    operate(a[0], OP_TRUNCATE, [checked(a[1])? as u64, 0, 0])
}

pub unsafe fn fallocate(a: Args) -> Result {
    if checked(a[2]).is_err() || (a[3] as isize) <= 0 {
        return Err(Errno::EINVAL);
    }
    operate(a[0], OP_FALLOCATE, [u64::from(a[1] as u32), a[2] as u64, a[3] as u64])
}

/// posix_fadvise: a hint, for which the descriptor must be open and no pipe.
pub unsafe fn fadvise(a: Args) -> Result {
    need_position(a[0])?;
    if a[3] as u32 > libc::POSIX_FADV_NOREUSE as u32 || (a[2] as isize) < 0 {
        return Err(Errno::EINVAL);
    }
    advise(a[0], a[1] as u64, a[2] as u64, u64::from(a[3] as u32))
}

/// readahead(2): a hint.
pub unsafe fn readahead(a: Args) -> Result {
    need_position(a[0])?;
    if a[2] == 0 { Ok(0) } else { advise(a[0], a[1] as u64, a[2] as u64, libc::POSIX_FADV_WILLNEED as u64) }
}

/// EBADF, or ESPIPE for what has no position.
fn need_position(fd: usize) -> Result {
    const SEEK_CUR: usize = 1;
    // SAFETY: changes nothing.
    unsafe { native(sys::LSEEK, [int(fd), 0, SEEK_CUR, 0, 0, 0]) }
}

/// OP_ADVISE; what takes no advice needs none.
fn advise(fd: usize, offset: u64, len: u64, advice: u64) -> Result {
    let _ = operate(fd, OP_ADVISE, [offset, len, advice]);
    Ok(0)
}

pub unsafe fn fsync(a: Args) -> Result {
    operate(a[0], OP_SYNC, [0; 3])
}

pub unsafe fn fdatasync(a: Args) -> Result {
    operate(a[0], OP_SYNC, [1, 0, 0])
}

/// syncfs(2).
pub unsafe fn syncfs(a: Args) -> Result {
    operate(a[0], OP_SYNC, [2, 0, 0])
}

/// sync(2): of the root's file system.
pub unsafe fn sync(_: Args) -> Result {
    use ochre_rt::abi::file::{AT_FDCWD, O_CLOEXEC, O_RDONLY};
    // sync cannot fail, and what cannot be reached has nothing to write.
    if let Ok(root) = ochre_rt::syscall::openat(AT_FDCWD, b"/", O_RDONLY | O_CLOEXEC, 0) {
        let root = ochre_rt::OwnedFd::new(root);
        let _ = Call::new(OP_SYNC, [2, 0, 0]).send(root.get());
    }
    Ok(0)
}

pub unsafe fn flock(a: Args) -> Result {
    operate(a[0], OP_FLOCK, [u64::from(a[1] as u32), 0, 0])
}

pub unsafe fn fchmod(a: Args) -> Result {
    operate(a[0], OP_CHMOD, [super::paths::umask_free(a[1]), 0, 0])
}

pub unsafe fn fchown(a: Args) -> Result {
    operate(a[0], OP_CHOWN, [u64::from(a[1] as u32), u64::from(a[2] as u32), 0])
}

pub unsafe fn fstatfs(a: Args) -> Result {
    let out = bytes_mut(a[1], size_of::<libc::statfs>())?;
    Call::new(OP_STATFS, [0; 3]).output(out).send(a[0] as i32)?;
    Ok(0)
}

pub unsafe fn fchdir(a: Args) -> Result {
    native(sys::FCHDIR, [int(a[0]), 0, 0, 0, 0, 0])
}
