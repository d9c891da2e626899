//! ioctl(2), by the table of crate `ochre-ioctl`.

use super::{Args, Result, bytes, bytes_mut};
use ochre_ioctl::{Argument, Array, Count, Descriptor, Direction, Found};
use ochre_rt::abi::Errno;
use ochre_rt::abi::call::OP_IOCTL;
use ochre_rt::abi::file::*;
use ochre_rt::call::Call;
use ochre_rt::syscall;

const TIOCGPTN: u32 = 0x8004_5430;
const TIOCGPTPEER: u32 = 0x5441;
const FIONBIO: u32 = 0x5421;
const FIONCLEX: u32 = 0x5450;
const FIOCLEX: u32 = 0x5451;
/// No struct of the table is larger.
const STRUCT_MAX: usize = 128;
/// What is lent of an array at the most: a count that says more is wrong, which the server sees, or asks how many there are.
const ARRAY_MAX: u64 = 16 << 20;

pub unsafe fn ioctl(a: Args) -> Result {
    let fd = a[0] as i32;
    let request = a[1] as u32;
    match request {
        FIOCLEX => return syscall::fcntl(fd, F_SETFD, FD_CLOEXEC),
        FIONCLEX => return syscall::fcntl(fd, F_SETFD, 0),
        FIONBIO => {
            let on: i32 = super::get(a[2])?;
            let flags = syscall::fcntl(fd, F_GETFL, 0)? as u64 & !u64::from(O_NONBLOCK);
            let flags = if on != 0 { flags | u64::from(O_NONBLOCK) } else { flags };
            return syscall::fcntl(fd, F_SETFL, flags);
        }
        TIOCGPTPEER => return open_peer(fd, a[2] as u32),
        _ => {}
    }
    let Some(found) = ochre_ioctl::find(request) else {
        // A wrong descriptor is told before a wrong request.
        syscall::fcntl(fd, F_GETFD, 0)?;
        return Err(Errno::ENOTTY);
    };
    let call = Call::new(OP_IOCTL, [u64::from(request), a[2] as u64, 0]);
    let done = match found.row.argument {
        Argument::Value => { call }.send(fd),
        Argument::Struct { .. } => with_struct(fd, &found, call, a[2]),
    };
    // What a server does not know is no terminal's; a disk that cannot discard says so.
    let block = (request >> 8) as u8 == ochre_ioctl::block::TYPE;
    done.map_err(|error| match error {
        Errno::ENOSYS => Errno::ENOTTY,
        Errno::EOPNOTSUPP if !block => Errno::ENOTTY,
        other => other,
    })
}

/// Sends the struct, and lends what its fields point to.
unsafe fn with_struct(fd: i32, found: &Found, call: Call<'_>, pointer: usize) -> Result {
    let input = bytes(pointer, found.input)?;
    let output = bytes_mut(pointer, found.output)?;
    let call = call.input(input).output(output);
    let (arrays, descriptor) = (found.row.arrays(), found.row.descriptor());
    if arrays.is_empty() && descriptor.is_none() {
        return { call }.send(fd);
    }
    let mut copy = [0; STRUCT_MAX];
    let fields = copy.get_mut(..found.input).ok_or(Errno::EINVAL)?;
    syscall::memory_read(pointer, fields)?;
    let mut call = call;
    for array in arrays {
        let (address, len) = lent(&copy, array)?;
        call = match array.direction {
            Direction::In => call.lend(bytes(address, len)?),
            Direction::Out | Direction::InOut => call.lend_mut(bytes_mut(address, len)?),
        };
    }
    match descriptor {
        None => call.send(fd),
        Some(Descriptor::Sent(at)) => {
            let sent = [field32(&copy, at) as i32];
            // The call only borrows the number.
            call.fds(&sent).send(fd)
        }
        Some(Descriptor::Received(at, flags)) => {
            let received = call.send(fd)?;
            if field32(&copy, flags) & O_CLOEXEC != 0 {
                syscall::fcntl(received as i32, F_SETFD, FD_CLOEXEC)?;
            }
            super::put(pointer + usize::from(at), received as i32)
        }
    }
}

/// Where an array is, and its bytes. A null pointer lends nothing.
fn lent(fields: &[u8; STRUCT_MAX], array: &Array) -> Result<(usize, usize)> {
    let count = match array.count {
        Count::Field32(at) => field32(fields, at).into(),
        Count::Field64(at) => field64(fields, at),
        Count::Sum { pointer, count } => sum(field64(fields, pointer) as usize, field32(fields, count))?,
    };
    let address = field64(fields, array.pointer) as usize;
    let len = count.saturating_mul(array.element.into()).min(ARRAY_MAX);
    Ok((address, if address == 0 { 0 } else { len as usize }))
}

/// The sum of 32-bit numbers in memory.
fn sum(mut address: usize, count: u32) -> Result<u64> {
    let mut left = u64::from(count).min(ARRAY_MAX / 4) as usize;
    let mut sum = 0;
    let mut chunk = [0; 256];
    while left > 0 {
        let part = &mut chunk[..left.min(64) * 4];
        syscall::memory_read(address, part)?;
        sum += part.chunks_exact(4).map(|word| u64::from(field32(word, 0))).sum::<u64>();
        address += part.len();
        left -= part.len() / 4;
    }
    Ok(sum)
}

/// A field; 0 where there is none, as for a struct that is shorter than the table's.
fn field32(fields: &[u8], at: u16) -> u32 {
    let field = fields.get(usize::from(at)..).and_then(<[u8]>::first_chunk);
    field.map_or(0, |field| u32::from_ne_bytes(*field))
}

fn field64(fields: &[u8], at: u16) -> u64 {
    let field = fields.get(usize::from(at)..).and_then(<[u8]>::first_chunk);
    field.map_or(0, |field| u64::from_ne_bytes(*field))
}

/// TIOCGPTPEER: opens the other side of a pty's master, by its number.
fn open_peer(master: i32, flags: u32) -> Result {
    let mut number = [0; 4];
    Call::new(OP_IOCTL, [u64::from(TIOCGPTN), 0, 0]).output(&mut number).send(master)?;
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
