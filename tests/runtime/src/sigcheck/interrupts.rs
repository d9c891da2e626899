//! Waiting calls that a handler interrupts, and those that SA_RESTART starts again: signal(7).

use runtime_tests::sys::{self, Take};
use runtime_tests::{Result, checks, ensure, errno, same};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

checks!("interrupts": read, read_restarted, poll, futex, sleep, wait);

const A: i32 = libc::SIGUSR1;
const SOON: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(20);

/// Sends the signal to the calling thread in a while, does `then` a while later.
fn soon(then: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    let (pid, tid) = (sys::pid(), sys::tid());
    thread::spawn(move || {
        thread::sleep(SOON);
        // If it fails, the check hangs, and the runner says so.
        let _ = sys::tgkill(pid, tid, A);
        thread::sleep(SOON);
        then();
    })
}

fn read() -> Result {
    sys::take(A, Take::Note, 0, 0)?;
    let (reader, mut writer) = std::io::pipe()?;
    let thread = soon(|| ());
    same!(errno(sys::read(reader.as_raw_fd(), &mut [0])), libc::EINTR);
    same!(sys::count(), 1);
    writer.write_all(b"x")?;
    same!(sys::read(reader.as_raw_fd(), &mut [0])?, 1);
    thread.join().map_err(|_| "a thread panicked")?;
    Ok(())
}

fn read_restarted() -> Result {
    sys::take(A, Take::Note, libc::SA_RESTART, 0)?;
    let (reader, mut writer) = std::io::pipe()?;
    let thread = soon(move || {
        let _ = writer.write_all(b"x");
    });
    same!(sys::read(reader.as_raw_fd(), &mut [0])?, 1);
    same!(sys::count(), 1);
    thread.join().map_err(|_| "a thread panicked")?;
    Ok(())
}

/// Never restarted.
fn poll() -> Result {
    sys::take(A, Take::Note, libc::SA_RESTART, 0)?;
    let (reader, _writer) = std::io::pipe()?;
    let _thread = soon(|| ());
    same!(errno(sys::ppoll(reader.as_raw_fd(), LONG, 0)), libc::EINTR);
    same!(sys::count(), 1);
    Ok(())
}

fn futex() -> Result {
    sys::take(A, Take::Note, 0, 0)?;
    let _thread = soon(|| ());
    same!(errno(sys::futex_wait(LONG)), libc::EINTR);
    same!(errno(sys::futex_wait(Duration::from_millis(10))), libc::ETIMEDOUT);
    Ok(())
}

/// Never restarted; tells what is left.
fn sleep() -> Result {
    sys::take(A, Take::Note, libc::SA_RESTART, 0)?;
    let _thread = soon(|| ());
    let start = Instant::now();
    let (result, left) = sys::sleep(LONG);
    same!(errno(result), libc::EINTR);
    let sum = start.elapsed() + left;
    ensure!(left < LONG && sum > LONG - SOON && sum < LONG + Duration::from_secs(5));
    Ok(())
}

fn wait() -> Result {
    sys::take(A, Take::Note, 0, 0)?;
    let child = sys::fork(|| {
        let _ = sys::sleep(LONG);
        0
    })?;
    let _thread = soon(|| ());
    same!(errno(sys::wait(child, 0)), libc::EINTR);
    sys::kill(child, libc::SIGKILL)?;
    same!(sys::wait(child, 0)?, sys::Ended::Signal(libc::SIGKILL));
    Ok(())
}
