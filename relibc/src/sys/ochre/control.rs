//! fcntl(2) and ioctl(2).

use super::descriptors::CLOEXEC;
use super::{Args, Result, bytes, bytes_mut, get, int, native};
use ochre_rt::abi::Errno;
use ochre_rt::abi::call::{OP_IOCTL, OP_LOCK, OP_PRIVATE};
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

/// Which way an ioctl's argument goes.
#[derive(Clone, Copy)]
enum Direction {
    /// The number itself.
    Value,
    /// From the caller's memory.
    In,
    /// To the caller's memory.
    Out,
}

use Direction::{In, Out, Value};

/// The ioctls there are: request, direction, bytes. Source: ioctl_tty(2), Linux's asm-generic/ioctls.h.
const TABLE: &[(u32, Direction, usize)] = &[
    (0x5401, Out, 36),      // TCGETS
    (0x5402, In, 36),       // TCSETS
    (0x5403, In, 36),       // TCSETSW
    (0x5404, In, 36),       // TCSETSF
    (0x5409, Value, 0),     // TCSBRK
    (0x540c, Value, 0),     // TIOCEXCL
    (0x540d, Value, 0),     // TIOCNXCL
    (0x5412, In, 1),        // TIOCSTI
    (0x5420, In, 4),        // TIOCPKT
    (0x5423, In, 4),        // TIOCSETD
    (0x5424, Out, 4),       // TIOCGETD
    (0x5425, Value, 0),     // TCSBRKP
    (0x5427, Value, 0),     // TIOCSBRK
    (0x5428, Value, 0),     // TIOCCBRK
    (0x802c_542a, Out, 44), // TCGETS2
    (0x402c_542b, In, 44),  // TCSETS2
    (0x402c_542c, In, 44),  // TCSETSW2
    (0x402c_542d, In, 44),  // TCSETSF2
    (0x8004_5432, Out, 4),  // TIOCGDEV
    (0x5437, Value, 0),     // TIOCVHANGUP
    (0x8004_5438, Out, 4),  // TIOCGPKT
    (0x8004_5439, Out, 4),  // TIOCGPTLCK
    (0x8004_5440, Out, 4),  // TIOCGEXCL
    (0x540a, Value, 0),     // TCXONC
    (0x540b, Value, 0),     // TCFLSH
    (0x540e, Value, 0),     // TIOCSCTTY
    (0x540f, Out, 4),       // TIOCGPGRP
    (0x5410, In, 4),        // TIOCSPGRP
    (0x5411, Out, 4),       // TIOCOUTQ, SIOCOUTQ
    (0x5413, Out, 8),       // TIOCGWINSZ
    (0x5414, In, 8),        // TIOCSWINSZ
    (0x541b, Out, 4),       // FIONREAD
    (0x5422, Value, 0),     // TIOCNOTTY
    (0x5429, Out, 4),       // TIOCGSID
    (0x8004_5430, Out, 4),  // TIOCGPTN
    (0x4004_5431, In, 4),   // TIOCSPTLCK
];

const TIOCGPTN: u32 = 0x8004_5430;
const TIOCGPTPEER: u32 = 0x5441;
const FIONBIO: u32 = 0x5421;
const FIONCLEX: u32 = 0x5450;
const FIOCLEX: u32 = 0x5451;

pub unsafe fn ioctl(a: Args) -> Result {
    let fd = a[0] as i32;
    let request = a[1] as u32;
    match request {
        FIOCLEX => return syscall::fcntl(fd, F_SETFD, FD_CLOEXEC),
        FIONCLEX => return syscall::fcntl(fd, F_SETFD, 0),
        FIONBIO => {
            let on: i32 = get(a[2])?;
            let flags = syscall::fcntl(fd, F_GETFL, 0)? as u64 & !u64::from(O_NONBLOCK);
            let flags = if on != 0 { flags | u64::from(O_NONBLOCK) } else { flags };
            return syscall::fcntl(fd, F_SETFL, flags);
        }
        TIOCGPTPEER => return open_peer(fd, a[2] as u32),
        _ => {}
    }
    let Some(&(_, direction, size)) = TABLE.iter().find(|row| row.0 == request) else {
        // A wrong descriptor is told before a wrong request.
        syscall::fcntl(fd, F_GETFD, 0)?;
        return Err(Errno::ENOTTY);
    };
    let call = Call::new(OP_IOCTL, [u64::from(request), a[2] as u64, 0]);
    let done = match direction {
        Value => call.send_to(fd),
        In => call.input(bytes(a[2], size)?).send_to(fd),
        Out => call.output(bytes_mut(a[2], size)?).send_to(fd),
    };
    // What a server does not know is no terminal's.
    done.map_err(|error| if matches!(error, Errno::ENOSYS | Errno::EOPNOTSUPP) { Errno::ENOTTY } else { error })
}

/// TIOCGPTPEER: opens the other side of a pty's master, by its number.
fn open_peer(master: i32, flags: u32) -> Result {
    let mut number = [0; 4];
    Call::new(OP_IOCTL, [u64::from(TIOCGPTN), 0, 0]).output(&mut number).send_to(master)?;
    let mut path = *b"/dev/pts/          ";
    let (mut rest, mut len) = (u32::from_ne_bytes(number), 9);
    let mut power = 1_000_000_000;
    while power > 0 {
        let digit = (rest / power) as u8;
        rest %= power;
        if digit != 0 || len > 9 || power == 1 {
            path[len] = b'0' + digit;
            len += 1;
        }
        power /= 10;
    }
    syscall::openat(AT_FDCWD, &path[..len], flags, 0).map(|fd| fd as usize)
}

trait SendTo {
    /// Sends a call that was built in one expression.
    fn send_to(self, fd: i32) -> Result;
}

impl SendTo for Call<'_> {
    fn send_to(mut self, fd: i32) -> Result {
        self.send(fd)
    }
}
