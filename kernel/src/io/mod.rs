//! Pipes, sockets, timers, futexes, and waiting for many things at once.
//!
//! One rule keeps these objects simple: user memory is never touched under a spin lock. A reader or writer takes a *turn* (a flag
//! under the lock), copies without the lock, and takes the lock again to commit what it did.

pub mod event;
pub mod eventfd;
pub mod fifo;
pub mod futex;
pub mod futex_pi;
pub mod inotify;
mod nesting;
pub mod pipe;
pub mod poll;
mod ring_copy;
mod robust;
pub mod signalfd;
pub mod socket;
pub mod timerfd;
mod vectors;

use crate::file::File;
use crate::thread::Thread;
use crate::user;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use ochre_abi::call::CallArgs;
use ochre_abi::event::{EPOLLIN, EPOLLOUT};
use ochre_abi::file::{O_CLOEXEC, O_NONBLOCK, Stat};
use ochre_abi::syscall::FOREVER;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;
pub use vectors::{Vectors, readv, writev};

/// ENOMEM unless the kernel can spare memory for `bytes` more of its own.
pub(crate) fn need_room(bytes: usize) -> Result<()> {
    let reclaimable = crate::mm::reclaim::reclaimable();
    let available = || hal::mem::stats().free_frames + reclaimable;
    let enough = crate::mm::reclaim::has_room() && (bytes <= 4096 || available() / 4 > bytes / 4096);
    if enough { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// Absolute deadline of a relative timeout in ns; `None`: never.
pub(crate) fn deadline_after(timeout: u64) -> Option<u64> {
    if timeout == FOREVER { None } else { hal::time::now().checked_add(timeout) }
}

/// What stat tells of an object without a name. `ino` as from [`new_inode`].
pub(crate) fn anonymous_stat(mode: u32, ino: u64) -> Stat {
    Stat { mode, ino, nlink: 1, blksize: 4096, ..Stat::default() }
}

/// Answers OP_STAT.
pub(crate) fn answer_stat(stat: &Stat, args: &CallArgs) -> Result<usize> {
    if args.output_len < size_of::<Stat>() as u64 {
        return Err(Errno::EINVAL);
    }
    user::write(args.output, stat)?;
    Ok(0)
}

/// A number that no other kernel object has.
pub(crate) fn new_inode() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
}

/// With the bits' synonyms: POLLRDNORM for POLLIN, POLLWRNORM for POLLOUT.
pub(crate) fn with_synonyms(bits: u32) -> u32 {
    bits | (bits & (EPOLLIN | EPOLLOUT)) << 6
}

/// Puts a file into the caller's table under open flags; the number.
pub(crate) fn install(me: &Arc<Thread>, file: Arc<File>, flags: u64) -> Result<usize> {
    Ok(me.process.install(file, flags & u64::from(O_CLOEXEC) != 0)? as usize)
}

/// Puts two files into the caller's table and their numbers, as two i32, to `addr`; all or nothing.
pub(crate) fn install_pair(me: &Arc<Thread>, files: [Arc<File>; 2], cloexec: bool, addr: u64) -> Result<usize> {
    let process = &me.process;
    let [first, second] = files;
    let a = process.install(first, cloexec)?;
    let result = process.install(second, cloexec).and_then(|b| {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&a.to_le_bytes());
        bytes[4..].copy_from_slice(&b.to_le_bytes());
        user::copy_out(addr, &bytes).inspect_err(|_| drop(process.take(b)))
    });
    match result {
        Ok(()) => Ok(0),
        Err(error) => {
            drop(process.take(a));
            Err(error)
        }
    }
}

const FIONREAD: u64 = 0x541b;
const FIONBIO: u64 = 0x5421;
const SIOCOUTQ: u64 = 0x5411;

/// The ioctls that pipes and sockets have: FIONREAD (the answer's payload is an int), SIOCOUTQ, FIONBIO (the payload is an int).
/// ENOTTY for others.
pub(crate) fn ioctl(file: &File, args: &CallArgs, to_read: usize, unsent: Option<usize>) -> Result<usize> {
    let count = match (args.args[0], unsent) {
        (FIONREAD, _) => to_read,
        (SIOCOUTQ, Some(unsent)) => unsent,
        (FIONBIO, _) if args.input_len >= 4 => {
            let on: i32 = user::read(args.input)?;
            file.set_flags(file.flags() & !O_NONBLOCK | if on != 0 { O_NONBLOCK } else { 0 });
            return Ok(0);
        }
        (FIONBIO, _) => return Err(Errno::EINVAL),
        _ => return Err(Errno::ENOTTY),
    };
    if args.output_len < 4 {
        return Err(Errno::EINVAL);
    }
    user::write(args.output, &(count.min(i32::MAX as usize) as i32))?;
    Ok(0)
}
