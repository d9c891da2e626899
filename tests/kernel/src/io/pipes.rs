//! Pipes.

use super::{UNMAPPED, ready};
use crate::sys::socket::read_to_nowhere;
use crate::{Check, Result, holds, same};
use ochre_rt::abi::event::{EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT};
use ochre_rt::abi::file::{AT_FDCWD, O_NONBLOCK, O_RDWR};
use ochre_rt::{Errno, OwnedFd, syscall};

/// All checks of this subject.
pub const CHECKS: &[Check] = &[
    ("pipes.order", order),
    ("pipes.full", full),
    ("pipes.ends", ends),
    ("pipes.bad-memory", bad_memory),
    ("pipes.blocking", blocking),
    ("pipes.scheme", scheme),
];

/// What a pipe holds.
const CAPACITY: usize = 65536;

fn pair(flags: u32) -> ochre_rt::Result<[OwnedFd; 2]> {
    Ok(syscall::pipe(flags)?.map(OwnedFd::new))
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 % 251) as u8).collect()
}

fn order() -> Result {
    let [reader, writer] = pair(O_NONBLOCK)?;
    let mut buffer = [0; 16];
    same!(syscall::read(reader.get(), &mut buffer), Err(Errno::EAGAIN));
    same!((ready(reader.get(), EPOLLIN, 0)?, ready(writer.get(), EPOLLOUT, 0)?), (0, EPOLLOUT));
    same!(syscall::write(writer.get(), b"hello"), Ok(5));
    same!(ready(reader.get(), EPOLLIN, 0)?, EPOLLIN);
    same!(syscall::read(reader.get(), &mut buffer[..3]), Ok(3));
    same!(&buffer[..3], b"hel");
    same!(syscall::read(reader.get(), &mut buffer), Ok(2));
    same!(&buffer[..2], b"lo");
    Ok(())
}

/// A write of at most PIPE_BUF bytes is all or nothing, see pipe(7).
fn full() -> Result {
    let [reader, writer] = pair(O_NONBLOCK)?;
    let data = pattern(70_000);
    same!(syscall::write(writer.get(), &data), Ok(CAPACITY));
    same!(syscall::write(writer.get(), &data[..1]), Err(Errno::EAGAIN));
    same!(ready(writer.get(), EPOLLOUT, 0)?, 0);
    let (mut got, mut buffer) = (Vec::new(), [0; 5000]);
    while let Ok(len) = syscall::read(reader.get(), &mut buffer) {
        got.extend_from_slice(&buffer[..len]);
    }
    holds!(got == data[..CAPACITY]);
    same!(ready(writer.get(), EPOLLOUT, 0)?, EPOLLOUT);
    same!(syscall::write(writer.get(), &data[..62_000]), Ok(62_000));
    same!(syscall::write(writer.get(), &data[..4096]), Err(Errno::EAGAIN));
    same!(syscall::write(writer.get(), &data[..3000]), Ok(3000));
    Ok(())
}

fn ends() -> Result {
    let [reader, writer] = pair(0)?;
    let mut buffer = [0; 16];
    syscall::write(writer.get(), b"last")?;
    drop(writer);
    same!(ready(reader.get(), EPOLLIN, 0)?, EPOLLIN | EPOLLHUP);
    same!(syscall::read(reader.get(), &mut buffer), Ok(4));
    same!(syscall::read(reader.get(), &mut buffer), Ok(0));
    same!(ready(reader.get(), EPOLLIN, 0)?, EPOLLHUP);
    let [reader, writer] = pair(0)?;
    drop(reader);
    same!(ready(writer.get(), EPOLLOUT, 0)? & EPOLLERR, EPOLLERR);
    same!(syscall::write(writer.get(), b"x"), Err(Errno::EPIPE));
    same!(syscall::write_raw(writer.get(), core::ptr::without_provenance(UNMAPPED), 5), Err(Errno::EPIPE));
    Ok(())
}

/// What cannot be copied out is not lost.
fn bad_memory() -> Result {
    let [reader, writer] = pair(0)?;
    same!(syscall::write_raw(writer.get(), core::ptr::without_provenance(UNMAPPED), 5), Err(Errno::EFAULT));
    same!(syscall::write(writer.get(), b"x"), Ok(1));
    same!(read_to_nowhere(reader.get(), UNMAPPED), Err(Errno::EFAULT));
    same!(syscall::read(reader.get(), &mut [0; 5]), Ok(1));
    Ok(())
}

fn blocking() -> Result {
    let [reader, writer] = pair(0)?;
    let data = pattern(70_000);
    let got = std::thread::scope(|scope| -> Result<_> {
        let thread = scope.spawn(|| -> ochre_rt::Result<(usize, bool)> {
            let (mut total, mut buffer, mut well) = (0, [0; 10_000], true);
            loop {
                let len = syscall::read(reader.get(), &mut buffer)?;
                if len == 0 {
                    return Ok((total, well));
                }
                well &= buffer[..len].iter().enumerate().all(|(i, byte)| *byte == data[(total + i) % data.len()]);
                total += len;
            }
        });
        for _ in 0..50 {
            same!(syscall::write(writer.get(), &data), Ok(data.len()));
        }
        drop(writer);
        Ok(thread.join())
    })?;
    holds!(matches!(got, Ok(Ok((3_500_000, true)))));
    Ok(())
}

fn scheme() -> Result {
    let reader = OwnedFd::new(syscall::openat(AT_FDCWD, b"/scheme/pipe", O_RDWR, 0)?);
    let writer = OwnedFd::new(syscall::dup_named(reader.get(), b"write", 0)?);
    let mut buffer = [0; 4];
    same!(syscall::write(writer.get(), b"ab"), Ok(2));
    same!(syscall::read(reader.get(), &mut buffer), Ok(2));
    drop(writer);
    same!(syscall::read(reader.get(), &mut buffer), Ok(0));
    Ok(())
}
