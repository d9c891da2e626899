//! The scheme chan: named channels.

use ochre_rt::OwnedFd;
use ochre_rt::syscall;
use ochre_scheme::abi::file::{O_CLOEXEC, O_NONBLOCK};
use runtime_tests::{Result, checks, ensure, errno, same, sys};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::thread;
use std::time::Duration;

checks!("channels": both_ways, end_of_file, would_block, taken_and_missing, listener_is_ready, large);

const NAME: &str = "chan:schemecheck";

fn connect(flags: u32) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(flags as i32).open(NAME)
}

fn accept(listener: &File) -> Result<OwnedFd> {
    Ok(OwnedFd::new(syscall::dup_named(listener.as_raw_fd(), b"listen", O_CLOEXEC)?))
}

fn both_ways() -> Result {
    let listener = File::create(NAME)?;
    let mut client = connect(0)?;
    let server = accept(&listener)?;
    client.write_all(b"ping")?;
    let mut data = [0; 16];
    same!(syscall::read(server.get(), &mut data)?, 4);
    same!(&data[..4], b"ping");
    same!(syscall::write(server.get(), b"pong!")?, 5);
    same!(client.read(&mut data)?, 5);
    same!(&data[..5], b"pong!");
    Ok(())
}

/// The peer reads what is left, then the end; its writes fail.
fn end_of_file() -> Result {
    let listener = File::create(NAME)?;
    let mut client = connect(0)?;
    let server = accept(&listener)?;
    syscall::write(server.get(), b"last words")?;
    drop(server);
    let mut text = String::new();
    client.read_to_string(&mut text)?;
    same!(text, "last words");
    same!(errno(client.write(b"x")), libc::EPIPE);
    Ok(())
}

fn would_block() -> Result {
    let listener = File::create(NAME)?;
    let mut client = connect(O_NONBLOCK)?;
    let server = accept(&listener)?;
    same!(errno(client.read(&mut [0])), libc::EAGAIN);
    let block = [7; 4096];
    let mut total = 0;
    let full = loop {
        match client.write(&block) {
            Ok(count) => total += count,
            Err(error) => break error.raw_os_error(),
        }
        ensure!(total < 1 << 24);
    };
    same!(full, Some(libc::EAGAIN));
    ensure!(total > 0);
    // Room on one side is room for the other.
    same!(syscall::read(server.get(), &mut [0; 4096])?, 4096);
    ensure!(client.write(&block)? > 0);
    Ok(())
}

fn taken_and_missing() -> Result {
    same!(errno(connect(0)), libc::ECONNREFUSED);
    let listener = File::create(NAME)?;
    same!(errno(File::create(NAME)), libc::EADDRINUSE);
    drop(listener);
    // The close is a message too: the name is free soon.
    for _ in 0..100 {
        if errno(connect(0)) == libc::ECONNREFUSED {
            File::create(NAME)?;
            return Ok(());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Err("the name stays taken")?
}

fn listener_is_ready() -> Result {
    let listener = File::create(NAME)?;
    same!(sys::ppoll(listener.as_raw_fd(), Duration::ZERO, 0)?, 0);
    let client = thread::spawn(|| {
        thread::sleep(Duration::from_millis(50));
        connect(0)
    });
    same!(sys::ppoll(listener.as_raw_fd(), Duration::from_secs(10), 0)?, 1);
    let _server = accept(&listener)?;
    let _client = client.join().map_err(|_| "a thread panicked")??;
    same!(sys::ppoll(listener.as_raw_fd(), Duration::ZERO, 0)?, 0);
    Ok(())
}

/// More than the buffer holds: reader and writer wait for each other.
fn large() -> Result {
    let listener = File::create(NAME)?;
    let mut client = connect(0)?;
    let server = accept(&listener)?;
    let sent: Vec<u8> = (0..1_000_000_u32).map(|n| ((n * 7) >> 3) as u8).collect();
    let copy = sent.clone();
    let writer = thread::spawn(move || client.write_all(&copy));
    let (mut got, mut data) = (Vec::<u8>::new(), [0; 10_000]);
    loop {
        match syscall::read(server.get(), &mut data)? {
            0 => break,
            count => got.extend(&data[..count]),
        }
    }
    writer.join().map_err(|_| "a thread panicked")??;
    ensure!(got == sent);
    Ok(())
}
