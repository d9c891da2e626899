//! Syscalls on file descriptors.

use crate::call::{self, Call};
use crate::file::File;
use crate::scheme_handle::SchemeHandle;
use crate::thread::Thread;
use crate::user::{self, UserSlice};
use alloc::sync::Arc;
use ochre_abi::call::{CallArgs, OP_FALLOCATE, OP_GIVE_UP, OP_XATTR_GET, OP_XATTR_REMOVE};
use ochre_abi::file::{self as abi, IoVec, O_CLOEXEC};
use ochre_abi::{Errno, Result};

/// The greatest count of one read or write (Linux: MAX_RW_COUNT).
const COUNT_MAX: u64 = 0x7fff_f000;
/// Greatest number of iovecs (IOV_MAX).
const IOVECS_MAX: u64 = 1024;
/// close_range's flag to mark instead of close.
const CLOSE_RANGE_CLOEXEC: u64 = 4;

fn cloexec(flags: u64) -> bool {
    flags & u64::from(O_CLOEXEC) != 0
}

/// CLOSE.
pub fn close(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let file = me.process.take(a[0] as i32)?;
    let told = file.object::<SchemeHandle>().and_then(SchemeHandle::told_port);
    drop(file);
    if let Some(port) = told {
        // Who watches the file shall know of the close when it is over. Requests are served in their order, so any answer will do, and
        // none undoes the close.
        let _ = call::call(me, &port, Call::plain(OP_GIVE_UP, 0, [0; 3]));
    }
    Ok(0)
}

/// DUP.
pub fn dup(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let file = me.process.file(a[0] as i32)?;
    let least = usize::try_from(a[1] as i32).map_err(|_| Errno::EINVAL)?;
    Ok(me.process.install_from(least, file, cloexec(a[2]))? as usize)
}

/// DUP3.
pub fn dup3(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    if a[2] & !u64::from(O_CLOEXEC) != 0 || a[0] as i32 == a[1] as i32 {
        return Err(Errno::EINVAL);
    }
    let file = me.process.file(a[0] as i32)?;
    me.process.install_at(a[1] as i32, file, cloexec(a[2]))?;
    Ok(a[1] as i32 as usize)
}

/// FCNTL.
pub fn fcntl(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let fd = a[0] as i32;
    match a[1] {
        abi::F_GETFD => me.process.with_handles(|table| {
            let entry = table.get(fd).ok_or(Errno::EBADF)?;
            Ok(usize::from(entry.close_on_exec))
        }),
        abi::F_SETFD => me.process.with_handles(|table| {
            table.get_mut(fd).ok_or(Errno::EBADF)?.close_on_exec = a[2] & abi::FD_CLOEXEC != 0;
            Ok(0)
        }),
        abi::F_GETFL => Ok(me.process.file(fd)?.flags() as usize),
        abi::F_SETFL => {
            me.process.file(fd)?.set_flags(a[2] as u32);
            Ok(0)
        }
        abi::F_DUPFD_QUERY => {
            let (one, other) = (me.process.file(fd)?, me.process.file(a[2] as i32)?);
            Ok(usize::from(Arc::ptr_eq(&one, &other)))
        }
        abi::F_DUPFD => dup(me, &[a[0], a[2], 0, 0, 0, 0]),
        abi::F_DUPFD_CLOEXEC => dup(me, &[a[0], a[2], u64::from(O_CLOEXEC), 0, 0, 0]),
        _ => Err(Errno::EINVAL),
    }
}

/// CLOSE_RANGE.
pub fn close_range(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let [first, last, flags, ..] = *a;
    if first > last || flags & !CLOSE_RANGE_CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    let (first, last) = (first.min(u64::from(u32::MAX)) as usize, last.min(u64::from(u32::MAX)) as usize);
    let closed = me.process.with_handles(|table| {
        if flags & CLOSE_RANGE_CLOEXEC != 0 {
            table.mark_close_on_exec(first, last);
            return alloc::vec::Vec::new();
        }
        table.remove_where(|fd, _| (first..=last).contains(&(fd as usize)))
    });
    me.process.closed(closed.iter());
    drop(closed);
    Ok(0)
}

fn slice(addr: u64, len: u64) -> Result<UserSlice> {
    UserSlice::new(addr, len.min(COUNT_MAX))
}

fn offset(value: u64) -> Result<Option<u64>> {
    if value > i64::MAX as u64 { Err(Errno::EINVAL) } else { Ok(Some(value)) }
}

/// READ.
pub fn read(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let file = me.process.file(a[0] as i32)?;
    file.read(slice(a[1], a[2])?, None)
}

/// WRITE.
pub fn write(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let file = me.process.file(a[0] as i32)?;
    file.write(slice(a[1], a[2])?, None)
}

/// A file that has offsets; ESPIPE.
fn positioned(me: &Arc<Thread>, fd: u64) -> Result<Arc<File>> {
    let file = me.process.file(fd as i32)?;
    if file.seekable() || file.object.takes_offsets() { Ok(file) } else { Err(Errno::ESPIPE) }
}

/// PREAD.
pub fn pread(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    positioned(me, a[0])?.read(slice(a[1], a[2])?, offset(a[3])?)
}

/// PWRITE.
pub fn pwrite(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    positioned(me, a[0])?.write(slice(a[1], a[2])?, offset(a[3])?)
}

/// Runs `each` over the vectors until one is short. An error after the first byte is not told: the count is.
fn vectored(a: &[u64; 6], mut each: impl FnMut(UserSlice, Option<u64>) -> Result<usize>) -> Result<usize> {
    let [_, vectors, count, at, ..] = *a;
    if count > IOVECS_MAX {
        return Err(Errno::EINVAL);
    }
    let start = if at == u64::MAX { None } else { offset(at)? };
    let mut total = 0usize;
    for n in 0..count {
        let vector: IoVec = user::read(vectors.wrapping_add(n * size_of::<IoVec>() as u64))?;
        if vector.len == 0 {
            continue;
        }
        let part = slice(vector.base, vector.len.min(COUNT_MAX - total as u64))?;
        match each(part, start.map(|s| s + total as u64)) {
            Ok(bytes) => {
                total += bytes;
                if bytes < part.len {
                    break;
                }
            }
            Err(_) if total > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

/// READV.
pub fn readv(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let file = if a[3] == u64::MAX { me.process.file(a[0] as i32)? } else { positioned(me, a[0])? };
    if let Some(result) = crate::io::readv(&file, a[1], a[2]) {
        return result;
    }
    vectored(a, |part, at| file.read(part, at))
}

/// WRITEV.
pub fn writev(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let file = if a[3] == u64::MAX { me.process.file(a[0] as i32)? } else { positioned(me, a[0])? };
    if let Some(result) = crate::io::writev(&file, a[1], a[2]) {
        return result;
    }
    vectored(a, |part, at| file.write(part, at))
}

/// LSEEK.
pub fn lseek(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    Ok(me.process.file(a[0] as i32)?.seek(a[1] as i64, a[2])? as usize)
}

/// CALL.
pub fn call(me: &Arc<Thread>, a: &[u64; 6]) -> Result<usize> {
    let file = me.process.file(a[0] as i32)?;
    let args: CallArgs = user::read(a[1])?;
    if is_xattr(&args) && file.object::<SchemeHandle>().is_none() {
        return Err(Errno::EOPNOTSUPP);
    }
    if args.op == u32::from(OP_FALLOCATE) && matches!(file.object.kind(), "pipe" | "fifo") {
        return Err(if file.writable() { Errno::ESPIPE } else { Errno::EBADF });
    }
    file.object.call(&file, &args)
}

/// The call is about extended attributes, which only files of servers can have.
pub(crate) fn is_xattr(args: &CallArgs) -> bool {
    u16::try_from(args.op).is_ok_and(|op| (OP_XATTR_GET..=OP_XATTR_REMOVE).contains(&op))
}
