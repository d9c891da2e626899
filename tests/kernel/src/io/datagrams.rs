//! Datagram and sequenced-packet socket pairs.

use crate::sys::socket::{Received, receive};
use crate::{Check, Result, same};
use ochre_rt::abi::file::O_NONBLOCK;
use ochre_rt::{Errno, OwnedFd, syscall};

/// All checks of this subject.
pub const CHECKS: &[Check] = &[("datagrams.dgram", dgram), ("datagrams.seqpacket", seqpacket)];

const SOCK_DGRAM: u32 = 2;
const SOCK_SEQPACKET: u32 = 5;
const MSG_PEEK: u32 = 2;
const MSG_TRUNC: u32 = 0x20;

fn dgram() -> Result {
    let [one, two] = exchange(SOCK_DGRAM)?;
    drop(two);
    same!(syscall::write(one.get(), b"a"), Err(Errno::ECONNREFUSED));
    same!(syscall::read(one.get(), &mut [0; 8]), Err(Errno::EAGAIN));
    Ok(())
}

fn seqpacket() -> Result {
    let [one, two] = exchange(SOCK_SEQPACKET)?;
    drop(two);
    same!(syscall::write(one.get(), b"a"), Err(Errno::EPIPE));
    same!(syscall::read(one.get(), &mut [0; 8]), Ok(0));
    Ok(())
}

/// Messages keep their bounds, empty ones too.
fn exchange(kind: u32) -> Result<[OwnedFd; 2]> {
    let [one, two] = syscall::socketpair(kind | O_NONBLOCK, 0)?.map(OwnedFd::new);
    let (mut buffer, mut control) = ([0; 4096], [0; 8]);
    for message in [&b"abc"[..], b"", b"defgh"] {
        same!(syscall::write(one.get(), message), Ok(message.len()));
    }
    same!(syscall::read(two.get(), &mut buffer), Ok(3));
    same!(syscall::read(two.get(), &mut buffer), Ok(0));
    let cut = |len| Ok(Received { len, control_len: 0, flags: MSG_TRUNC });
    same!(receive(two.get(), &mut buffer[..2], &mut control, 64, MSG_PEEK), cut(2));
    same!(receive(two.get(), &mut buffer[..2], &mut control, 64, MSG_TRUNC), cut(5));
    same!(syscall::read(two.get(), &mut buffer), Err(Errno::EAGAIN));
    same!(syscall::write(one.get(), &vec![0; 250_000]), Err(Errno::EMSGSIZE));
    let mut sent = 0;
    while syscall::write(one.get(), &[1; 1000]).is_ok() {
        sent += 1;
    }
    for _ in 0..sent {
        same!(syscall::read(two.get(), &mut buffer), Ok(1000));
    }
    same!(syscall::read(two.get(), &mut buffer), Err(Errno::EAGAIN));
    Ok([one, two])
}
