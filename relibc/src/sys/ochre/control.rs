//! fcntl(2) and ioctl(2).

use super::descriptors::CLOEXEC;
use super::{Args, Result, bytes, bytes_mut, get, int, native};
use ochre_rt::abi::Errno;
use ochre_rt::abi::call::{OP_LOCK, OP_PRIVATE};
use ochre_rt::abi::file::*;
use ochre_rt::abi::syscall as sys;
use ochre_rt::call::Call;
use ochre_rt::syscall;

const F_SETPIPE_SZ: u64 = 1031;
const F_GETPIPE_SZ: u64 = 1032;
const F_ADD_SEALS: u64 = 1033;
const F_GET_SEALS: u64 = 1034;
/// Operations of the kernel's pipes (`kernel/src/io/pipe.rs`).
const OP_PIPE_SET_SIZE: u16 = OP_PRIVATE;
const OP_PIPE_GET_SIZE: u16 = OP_PRIVATE + 1;

pub unsafe fn fcntl(a: Args) -> Result {
    let fd = a[0] as i32;
    let command = u64::from(a[1] as u32);
    let least = |flags| match a[2] as i32 {
        ..0 => Err(Errno::EINVAL),
        least => native(sys::DUP, [int(a[0]), least as usize, flags, 0, 0, 0]),
    };
    match command {
        F_DUPFD => least(0),
        F_DUPFD_CLOEXEC => least(CLOEXEC),
        F_GETFD | F_SETFD | F_GETFL | F_SETFL => syscall::fcntl(fd, command, a[2] as u64),
        F_GETLK..=F_SETLKW | F_OFD_GETLK..=F_OFD_SETLKW => lock(fd, command, a[2]),
        F_ADD_SEALS | F_GET_SEALS => Call::new(OP_LOCK, [command, a[2] as u32 as u64, 0]).send(fd),
        F_SETPIPE_SZ => Call::new(OP_PIPE_SET_SIZE, [a[2] as u32 as u64, 0, 0]).send(fd),
        F_GETPIPE_SZ => Call::new(OP_PIPE_GET_SIZE, [0; 3]).send(fd),
        _ => Err(Errno::EINVAL),
    }
}

/// A record lock: `struct flock` goes in and comes out. ENOLCK where the file's server keeps no locks.
unsafe fn lock(fd: i32, command: u64, pointer: usize) -> Result {
    let size = size_of::<libc::flock>();
    let mut copy: libc::flock = get(pointer)?;
    let relative = copy.l_whence == libc::SEEK_CUR as i16;
    if relative {
        // Positions are the kernel's; the file's server does not know them.
        let position = syscall::lseek(fd, 0, SEEK_CUR)?;
        copy.l_start = copy.l_start.checked_add(position as i64).ok_or(Errno::EOVERFLOW)?;
        copy.l_whence = libc::SEEK_SET as i16;
    }
    let input = bytes((&raw const copy).expose_provenance(), size)?;
    let done = Call::new(OP_LOCK, [command, 0, 0]).input(input).output(bytes_mut(pointer, size)?).send(fd);
    done.map_err(|error| if error == Errno::ENOSYS { Errno::ENOLCK } else { error })
}
