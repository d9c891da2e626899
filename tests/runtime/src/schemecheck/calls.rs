//! Requests and answers of every kind.

use crate::echo::{ADD, DEFERRED, FORGET, RETURN_FD, start};
use ochre_rt::call::Call;
use ochre_scheme::Errno;
use runtime_tests::sys::{self, Take};
use runtime_tests::{Result, checks, ensure, errno, same};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
use std::thread;
use std::time::Duration;

checks!("calls": opens, small_and_large_data, private, descriptors, forgotten, deferred, cancelled, readiness, redirected, many_at_once);

const SOON: Duration = Duration::from_millis(50);

fn opens() -> Result {
    let _file = start()?;
    same!(errno(File::open("/scheme/schemecheck/none")), libc::ENOENT);
    same!(errno(File::open("/scheme/no-such-scheme/e")), libc::ENOENT);
    ensure!(std::fs::metadata("/scheme/schemecheck/e")?.file_type().is_char_device());
    Ok(())
}

/// A page passes as payload, more through a window.
fn small_and_large_data() -> Result {
    let mut file = start()?;
    for len in [1, 64, 4096, 4097, 100_000] {
        let mut data = vec![0; len];
        same!(file.read(&mut data)?, len);
        ensure!(data.iter().enumerate().all(|(n, byte)| *byte == n as u8));
        same!(file.write(&data)?, len);
        data[len / 2] ^= 1;
        same!(errno(file.write(&data)), libc::EILSEQ);
    }
    Ok(())
}

fn private() -> Result {
    let file = start()?;
    for n in 0..10_000 {
        same!(Call::new(ADD, [n, 4, 0]).send(file.as_raw_fd())?, n as usize + 4);
    }
    same!(Call::new(0x1ff, [0; 3]).send(file.as_raw_fd()), Err(Errno::ENOSYS));
    Ok(())
}

/// Descriptors pass to the server and back, and name the same open file.
fn descriptors() -> Result {
    let file = start()?;
    let (mut reader, writer) = std::io::pipe()?;
    let fds = [writer.as_raw_fd()];
    let back = Call::new(RETURN_FD, [0; 3]).fds(&fds).send(file.as_raw_fd())? as i32;
    ensure!(back != writer.as_raw_fd());
    drop(writer);
    same!(ochre_rt::syscall::write(back, b"through")?, 7);
    ochre_rt::syscall::close(back)?;
    let mut text = String::new();
    // The server keeps no copy: the pipe comes to its end.
    reader.read_to_string(&mut text)?;
    same!(text, "through");
    Ok(())
}

fn forgotten() -> Result {
    let file = start()?;
    same!(Call::new(FORGET, [0; 3]).send(file.as_raw_fd()), Err(Errno::EIO));
    Ok(())
}

fn deferred() -> Result {
    let mut file = start()?;
    let mut other = file.try_clone()?;
    let thread = thread::spawn(move || {
        thread::sleep(SOON);
        other.write(&[0, 1])
    });
    let mut data = [0; DEFERRED];
    same!(file.read(&mut data)?, 4);
    same!(&data[..4], b"late");
    thread.join().map_err(|_| "a thread panicked")??;
    Ok(())
}

/// A signal's handler ends a call that waits; the server goes on.
fn cancelled() -> Result {
    let file = start()?;
    sys::take(libc::SIGUSR1, Take::Note, 0, 0)?;
    let (pid, tid) = (sys::pid(), sys::tid());
    thread::spawn(move || {
        thread::sleep(SOON);
        sys::tgkill(pid, tid, libc::SIGUSR1)
    });
    same!(errno(sys::read(file.as_raw_fd(), &mut [0; DEFERRED])), libc::EINTR);
    same!(sys::count(), 1);
    same!(Call::new(ADD, [1, 2, 0]).send(file.as_raw_fd())?, 3);
    Ok(())
}

fn readiness() -> Result {
    let mut file = start()?;
    same!(sys::ppoll(file.as_raw_fd(), Duration::ZERO, 0)?, 0);
    let mut other = file.try_clone()?;
    let thread = thread::spawn(move || {
        thread::sleep(SOON);
        other.write(&[0])
    });
    same!(sys::ppoll(file.as_raw_fd(), Duration::from_secs(10), 0)?, 1);
    thread.join().map_err(|_| "a thread panicked")??;
    same!(file.write(&[0])?, 1);
    Ok(())
}

fn redirected() -> Result {
    let _file = start()?;
    std::fs::write("/tmp/schemecheck", "moved here")?;
    let text = std::fs::read_to_string("/scheme/schemecheck/moved");
    std::fs::remove_file("/tmp/schemecheck")?;
    same!(text?, "moved here");
    same!(errno(File::open("/scheme/schemecheck/moved")), libc::ENOENT);
    Ok(())
}

/// More requests than the port has slots.
fn many_at_once() -> Result {
    let file = start()?;
    let fd = file.as_raw_fd();
    let right = thread::scope(|scope| {
        let callers: Vec<_> = (0..100_u64)
            .map(|id| {
                scope.spawn(move || (0..100).all(|n| Call::new(ADD, [id, n, 0]).send(fd) == Ok((id + n) as usize)))
            })
            .collect();
        callers.into_iter().all(|caller| caller.join().is_ok_and(|right| right))
    });
    ensure!(right);
    Ok(())
}
