//! Stream socket pairs: data, descriptors, credentials, options.

use super::ready;
use crate::sys::socket::{Received, option, receive, send, set_option};
use crate::{Check, Result, holds, same};
use ochre_rt::abi::event::{EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP};
use ochre_rt::abi::file::O_NONBLOCK;
use ochre_rt::{Errno, OwnedFd, syscall};

/// All checks of this subject.
pub const CHECKS: &[Check] = &[
    ("sockets.stream", stream),
    ("sockets.descriptors", descriptors),
    ("sockets.descriptors-cut", descriptors_cut),
    ("sockets.full", full),
    ("sockets.shutdown", shutdown),
    ("sockets.reset", reset),
    ("sockets.credentials", credentials),
    ("sockets.timeout", timeout),
    ("sockets.in-their-own-inboxes", own_inboxes),
];

const SOCK_STREAM: u32 = 1;
const MSG_PEEK: u32 = 2;
const MSG_CTRUNC: u32 = 8;
const SO_TYPE: u32 = 3;
const SO_PASSCRED: u32 = 16;
const SO_PEERCRED: u32 = 17;
const SO_RCVTIMEO: u32 = 20;
const SO_DOMAIN: u32 = 39;

fn pair(flags: u32) -> ochre_rt::Result<[OwnedFd; 2]> {
    Ok(syscall::socketpair(SOCK_STREAM | flags, 0)?.map(OwnedFd::new))
}

/// The descriptors of an SCM_RIGHTS message, closed when dropped.
fn received(control: &[u64], count: usize) -> Vec<OwnedFd> {
    (0..count).map(|i| OwnedFd::new((control[2 + i / 2] >> (32 * (i % 2))) as i32)).collect()
}

fn stream() -> Result {
    let [one, two] = pair(O_NONBLOCK)?;
    let (mut buffer, mut control) = ([0; 64], [0; 8]);
    same!(syscall::read(one.get(), &mut buffer), Err(Errno::EAGAIN));
    same!(syscall::write(one.get(), b"abc"), Ok(3));
    same!(syscall::write(one.get(), b"def"), Ok(3));
    same!(ready(two.get(), EPOLLIN | EPOLLOUT, 0)?, EPOLLIN | EPOLLOUT);
    same!(receive(two.get(), &mut buffer, &mut control, 64, MSG_PEEK)?.len, 6);
    same!(syscall::read(two.get(), &mut buffer), Ok(6));
    same!(&buffer[..6], b"abcdef");
    Ok(())
}

/// Descriptors stay with their bytes: a receive ends behind a message that carries some.
fn descriptors() -> Result {
    let [one, two] = pair(O_NONBLOCK)?;
    let (mut buffer, mut control) = ([0; 64], [0; 8]);
    let event = OwnedFd::new(syscall::eventfd(9, 0)?);
    send(one.get(), b"12", &[])?;
    same!(send(one.get(), b"34", &[event.get(); 3]), Ok(2));
    send(one.get(), b"56", &[])?;
    drop(event);
    same!(receive(two.get(), &mut buffer, &mut control, 64, 0), Ok(Received { len: 4, control_len: 32, flags: 0 }));
    same!(&buffer[..4], b"1234");
    let fds = received(&control, 3);
    same!(syscall::read(fds[1].get(), &mut buffer), Ok(8));
    same!(buffer[0], 9);
    same!(syscall::read(two.get(), &mut buffer), Ok(2));
    same!(&buffer[..2], b"56");
    same!(send(one.get(), b"z", &[9999]), Err(Errno::EBADF));
    Ok(())
}

fn descriptors_cut() -> Result {
    let [one, two] = pair(O_NONBLOCK)?;
    let (mut buffer, mut control) = ([0; 8], [0; 8]);
    let event = OwnedFd::new(syscall::eventfd(9, 0)?);
    send(one.get(), b"q", &[event.get(); 2])?;
    same!(
        receive(two.get(), &mut buffer, &mut control, 24, MSG_PEEK),
        Ok(Received { len: 1, control_len: 24, flags: 0 })
    );
    drop(received(&control, 2));
    let cut = receive(two.get(), &mut buffer, &mut control, 20, 0);
    same!(cut, Ok(Received { len: 1, control_len: 20, flags: MSG_CTRUNC }));
    drop(received(&control, 1));
    Ok(())
}

fn full() -> Result {
    let [one, two] = pair(O_NONBLOCK)?;
    let mut buffer = [0; 4096];
    let sent = syscall::write(one.get(), &vec![7; 300_000])?;
    same!(ready(one.get(), EPOLLOUT, 0)?, 0);
    same!(syscall::write(one.get(), b"z"), Err(Errno::EAGAIN));
    let mut got = 0;
    while let Ok(len) = syscall::read(two.get(), &mut buffer) {
        got += len;
    }
    same!(got, sent);
    same!(ready(one.get(), EPOLLOUT, 0)?, EPOLLOUT);
    Ok(())
}

fn shutdown() -> Result {
    const WRITING: u32 = 1;
    let [one, two] = pair(O_NONBLOCK)?;
    let mut buffer = [0; 8];
    syscall::shutdown(one.get(), WRITING)?;
    same!(syscall::read(two.get(), &mut buffer), Ok(0));
    same!(ready(two.get(), EPOLLIN | EPOLLRDHUP, 0)?, EPOLLIN | EPOLLRDHUP);
    same!(syscall::write(one.get(), b"z"), Err(Errno::EPIPE));
    same!(syscall::write(two.get(), b"back"), Ok(4));
    same!(syscall::read(one.get(), &mut buffer), Ok(4));
    syscall::shutdown(two.get(), WRITING)?;
    same!(ready(two.get(), EPOLLIN, 0)? & EPOLLHUP, EPOLLHUP);
    Ok(())
}

/// Closed with unread data: the other side learns it once.
fn reset() -> Result {
    let [one, two] = pair(0)?;
    let mut buffer = [0; 8];
    syscall::write(one.get(), b"unread")?;
    drop(two);
    same!(ready(one.get(), EPOLLIN, 0)?, EPOLLIN | EPOLLERR | EPOLLHUP);
    same!(syscall::read(one.get(), &mut buffer), Err(Errno::ECONNRESET));
    same!(syscall::read(one.get(), &mut buffer), Ok(0));
    Ok(())
}

fn credentials() -> Result {
    let [one, two] = pair(0)?;
    let (mut value, mut buffer, mut control) = ([0; 4], [0; 8], [0; 8]);
    let pid = std::process::id();
    option(one.get(), SO_TYPE, &mut value)?;
    same!(value[0], SOCK_STREAM);
    option(one.get(), SO_DOMAIN, &mut value)?;
    same!(value[0], 1);
    same!(option(one.get(), SO_PEERCRED, &mut value), Ok(3));
    same!(value[0], pid);
    set_option(two.get(), SO_PASSCRED, &[1])?;
    syscall::write(one.get(), b"hi")?;
    same!(receive(two.get(), &mut buffer, &mut control, 64, 0), Ok(Received { len: 2, control_len: 32, flags: 0 }));
    // SOL_SOCKET, SCM_CREDENTIALS; then struct ucred.
    same!((control[1], control[2] as u32), (1 | 2 << 32, pid));
    Ok(())
}

fn timeout() -> Result {
    let [_one, two] = pair(0)?;
    set_option(two.get(), SO_RCVTIMEO, &[0, 0, 20_000, 0])?;
    let start = std::time::Instant::now();
    same!(syscall::read(two.get(), &mut [0; 8]), Err(Errno::EAGAIN));
    holds!(start.elapsed().as_millis() >= 20);
    Ok(())
}

/// Sockets that only messages in their own inboxes keep alive are found and freed; long chains of them need no deep stack.
fn own_inboxes() -> Result {
    for _ in 0..2000 {
        let [one, two] = pair(0)?;
        send(one.get(), b"1", &[one.get(), two.get()])?;
        send(two.get(), b"1", &[one.get()])?;
    }
    let mut last = pair(0)?;
    for _ in 0..5000 {
        let next = pair(0)?;
        send(next[0].get(), b"1", &[last[0].get(), last[1].get()])?;
        last = next;
    }
    Ok(())
}
