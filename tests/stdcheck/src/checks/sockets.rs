//! Socket pairs of the family AF_UNIX, without names.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::check::{Check, Outcome, ensure, equal, fails_with, join};

pub const CHECKS: &[Check] = &[
    Check { name: "sockets.pair", run: pair },
    Check { name: "sockets.large", run: large },
    Check { name: "sockets.shutdown", run: shutdown },
    Check { name: "sockets.timeout", run: timeout },
    Check { name: "sockets.nonblocking", run: nonblocking },
    Check { name: "sockets.broken-pipe", run: broken_pipe },
    Check { name: "sockets.datagram", run: datagram },
];

fn pair() -> Outcome {
    let (mut left, mut right) = UnixStream::pair()?;
    let mut bytes = [0; 5];
    for _ in 0..100 {
        left.write_all(b"left!")?;
        right.write_all(b"right")?;
        right.read_exact(&mut bytes)?;
        equal!(&bytes, b"left!");
        left.read_exact(&mut bytes)?;
        equal!(&bytes, b"right");
    }
    ensure!(left.take_error()?.is_none());
    let mut twin = left.try_clone()?;
    drop(left);
    twin.write_all(b"still")?;
    right.read_exact(&mut bytes)?;
    equal!(&bytes, b"still");
    drop(twin);
    equal!(right.read(&mut bytes)?, 0);
    Ok(())
}

fn large() -> Outcome {
    const SIZE: usize = 2 << 20;
    let (mut left, mut right) = UnixStream::pair()?;
    let wanted: Vec<u8> = (0..SIZE).map(|n| (n ^ (n >> 8)) as u8).collect();
    // Both ways at once: neither direction may wait for the other.
    let sent = wanted.clone();
    let mut reader = right.try_clone()?;
    let writing = thread::spawn(move || right.write_all(&sent));
    let back = thread::spawn(move || {
        let mut seen = vec![0; SIZE];
        reader.read_exact(&mut seen).map(|()| seen)
    });
    let mut writer = left.try_clone()?;
    let sent = wanted.clone();
    let writing_too = thread::spawn(move || writer.write_all(&sent));
    let mut seen = vec![0; SIZE];
    left.read_exact(&mut seen)?;
    ensure!(seen == wanted);
    ensure!(join(back)?? == wanted);
    join(writing)??;
    join(writing_too)??;
    Ok(())
}

fn shutdown() -> Outcome {
    let (mut left, mut right) = UnixStream::pair()?;
    left.write_all(b"last")?;
    left.shutdown(Shutdown::Write)?;
    let mut text = String::new();
    right.read_to_string(&mut text)?;
    equal!(text, "last");
    fails_with!(left.write(b"x"), ErrorKind::BrokenPipe);
    // The other direction stays open.
    right.write_all(b"answer")?;
    right.shutdown(Shutdown::Both)?;
    text.clear();
    left.read_to_string(&mut text)?;
    equal!(text, "answer");
    Ok(())
}

fn timeout() -> Outcome {
    let (mut left, _right) = UnixStream::pair()?;
    let wanted = Duration::from_millis(50);
    left.set_read_timeout(Some(wanted))?;
    ensure!(left.read_timeout()?.is_some_and(|set| set >= wanted));
    let start = Instant::now();
    fails_with!(left.read(&mut [0; 1]), ErrorKind::WouldBlock);
    // The kernel's clock of time-outs may be coarser than Instant: allow one tick of 100 Hz.
    ensure!(start.elapsed() + Duration::from_millis(10) >= wanted, "waited {:?}", start.elapsed());
    left.set_write_timeout(Some(wanted))?;
    // Until the buffer is full.
    let error = loop {
        if let Err(error) = left.write(&[0; 65536]) {
            break error;
        }
    };
    equal!(error.kind(), ErrorKind::WouldBlock);
    left.set_read_timeout(None)?;
    equal!(left.read_timeout()?, None);
    fails_with!(left.set_read_timeout(Some(Duration::ZERO)), ErrorKind::InvalidInput);
    Ok(())
}

fn nonblocking() -> Outcome {
    let (mut left, mut right) = UnixStream::pair()?;
    left.set_nonblocking(true)?;
    fails_with!(left.read(&mut [0; 1]), ErrorKind::WouldBlock);
    let mut written = 0;
    let error = loop {
        match left.write(&[7; 10_000]) {
            Ok(count) => written += count,
            Err(error) => break error,
        }
    };
    equal!(error.kind(), ErrorKind::WouldBlock);
    drop(left);
    let mut seen = Vec::new();
    right.read_to_end(&mut seen)?;
    equal!(seen.len(), written);
    ensure!(seen.iter().all(|&byte| byte == 7));
    Ok(())
}

fn broken_pipe() -> Outcome {
    let (mut left, right) = UnixStream::pair()?;
    drop(right);
    // An error, not the death of the process by SIGPIPE.
    fails_with!(left.write(b"x"), ErrorKind::BrokenPipe);
    equal!(left.read(&mut [0; 1])?, 0);
    Ok(())
}

fn datagram() -> Outcome {
    let (left, right) = UnixDatagram::pair()?;
    left.send(b"one")?;
    left.send(b"")?;
    left.send(b"three")?;
    let mut bytes = [0; 16];
    equal!(right.recv(&mut bytes)?, 3);
    equal!(&bytes[..3], b"one");
    equal!(right.recv(&mut bytes)?, 0);
    // What does not fit is lost.
    let mut short = [0; 2];
    equal!(right.recv(&mut short)?, 2);
    equal!(&short, b"th");
    right.set_nonblocking(true)?;
    fails_with!(right.recv(&mut bytes), ErrorKind::WouldBlock);
    right.send(b"back")?;
    equal!(left.recv(&mut bytes)?, 4);
    left.set_read_timeout(Some(Duration::from_millis(20)))?;
    fails_with!(left.recv(&mut bytes), ErrorKind::WouldBlock);
    Ok(())
}
