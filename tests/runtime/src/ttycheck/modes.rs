//! Non-canonical input with VMIN and VTIME, flow control, waiting, packet mode.

use super::pair::{LIMIT, Pair, QUIET, is_ready, ready, take};
use libc::*;
use runtime_tests::{Result, checks, ensure, errno, same, sys};
use std::time::{Duration, Instant};

checks!("modes": least_bytes, least_and_time, time_only, neither, raw, nonblocking, back_pressure, stop_and_start,
    any_starts, stop_by_call, characters_by_call, flushes, packets, packet_flow, master_waits);

/// Packet mode's status bits (ioctl_tty(2)).
const FLUSHREAD: u8 = 1;
const STOP: u8 = 4;
const START: u8 = 8;
const NOSTOP: u8 = 16;
const DOSTOP: u8 = 32;

fn by(min: u8, time: u8) -> Result<Pair> {
    Ok(Pair::with(|t| {
        sys::make_raw(t);
        t.c_cc[VMIN] = min;
        t.c_cc[VTIME] = time;
    })?)
}

fn read(pair: &Pair, len: usize) -> Result<Vec<u8>> {
    let mut buffer = vec![0; len];
    let got = sys::read(pair.slave(), &mut buffer)?;
    buffer.truncate(got);
    Ok(buffer)
}

/// Presses keys some time from now, from another process.
fn keys_later(pair: &Pair, pauses: &[u64]) -> Result<i32> {
    Ok(sys::fork(|| {
        for (n, pause) in pauses.iter().enumerate() {
            let _ = sys::sleep(Duration::from_millis(*pause));
            if pair.keys(&[b'a' + n as u8]).is_err() {
                return 1;
            }
        }
        0
    })?)
}

fn least_bytes() -> Result {
    let pair = by(3, 0)?;
    pair.keys(b"ab")?;
    ensure!(!is_ready(pair.slave(), QUIET)?);
    let child = keys_later(&pair, &[50])?;
    same!(read(&pair, 10)?, b"aba");
    sys::wait(child, 0)?;
    // A shorter read needs no more than it asks for.
    pair.keys(b"x")?;
    same!(read(&pair, 1)?, b"x");
    pair.keys(b"12345")?;
    ready(pair.slave())?;
    same!(read(&pair, 4)?.len() >= 3, true);
    Ok(())
}

fn least_and_time() -> Result {
    let pair = by(5, 2)?;
    let start = Instant::now();
    let child = keys_later(&pair, &[100, 30])?;
    same!(read(&pair, 10)?, b"ab");
    ensure!(start.elapsed() >= Duration::from_millis(300));
    sys::wait(child, 0)?;
    Ok(())
}

fn time_only() -> Result {
    let pair = by(0, 2)?;
    let start = Instant::now();
    same!(read(&pair, 10)?, b"");
    ensure!(start.elapsed() >= Duration::from_millis(150) && start.elapsed() < LIMIT);
    let child = keys_later(&pair, &[20])?;
    same!(read(&pair, 10)?, b"a");
    sys::wait(child, 0)?;
    Ok(())
}

fn neither() -> Result {
    let pair = by(0, 0)?;
    same!(read(&pair, 10)?, b"");
    pair.keys(b"abc")?;
    ready(pair.slave())?;
    same!(read(&pair, 10)?, b"abc");
    Ok(())
}

fn raw() -> Result {
    let pair = by(1, 0)?;
    let all: Vec<u8> = (0..=255).collect();
    pair.keys(&all)?;
    same!(take(pair.slave(), 256)?, all);
    sys::write(pair.slave(), &all)?;
    same!(take(pair.master(), 256)?, all);
    Ok(())
}

fn nonblocking() -> Result {
    let pair = Pair::new()?;
    sys::set_nonblocking(pair.slave(), true)?;
    same!(errno(sys::read(pair.slave(), &mut [0; 8])), EAGAIN);
    pair.keys(b"half")?;
    super::pair::take(pair.master(), 4)?;
    same!(errno(sys::read(pair.slave(), &mut [0; 8])), EAGAIN);
    pair.keys(b"\n")?;
    same!(pair.line()?, "half\n");
    sys::set_nonblocking(pair.master(), true)?;
    super::pair::take(pair.master(), 2)?;
    same!(errno(sys::read(pair.master(), &mut [0; 8])), EAGAIN);
    same!(sys::poll_for(pair.slave(), POLLIN | POLLOUT, QUIET)?, POLLOUT);
    // FIONBIO does the same as fcntl.
    sys::control(pair.slave(), FIONBIO, 0)?;
    sys::control(pair.slave(), FIONBIO, 1)?;
    same!(errno(sys::read(pair.slave(), &mut [0; 8])), EAGAIN);
    Ok(())
}

/// Writers wait (or are told) when nobody reads, on both sides, and nothing is lost.
fn back_pressure() -> Result {
    let pair = by(1, 0)?;
    for (from, to) in [(pair.slave(), pair.master()), (pair.master(), pair.slave())] {
        sys::set_nonblocking(from, true)?;
        let block: Vec<u8> = (0..1000_u32).map(|n| (n % 251) as u8).collect();
        let mut put = Vec::new();
        let end = Instant::now() + LIMIT;
        while put.len() < 10 << 20 {
            match sys::write(from, &block) {
                Ok(count) => put.extend_from_slice(&block[..count]),
                Err(error) if error.raw_os_error() == Some(EAGAIN) => break,
                Err(error) => Err(error)?,
            }
            ensure!(Instant::now() < end);
        }
        ensure!(put.len() < 10 << 20 && put.len() >= 4096);
        same!(take(to, put.len())? == put, true);
        ensure!(sys::poll_for(from, POLLOUT, LIMIT)? & POLLOUT != 0);
        sys::set_nonblocking(from, false)?;
        // One that waits goes on when there is room.
        let total = put.len() * 2;
        let writer = sys::fork(|| {
            let data = vec![7; total];
            let mut done = 0;
            while done < data.len() {
                match sys::write(from, &data[done..]) {
                    Ok(count) => done += count,
                    Err(_) => return 1,
                }
            }
            0
        })?;
        ensure!(take(to, total)?.iter().all(|byte| *byte == 7));
        same!(sys::wait(writer, 0)?, sys::Ended::Status(0));
    }
    Ok(())
}

fn stop_and_start() -> Result {
    let pair = Pair::with(|t| t.c_lflag &= !ECHO)?;
    pair.keys(b"\x13")?;
    // The character takes effect when it arrives.
    pair.keys(b"seen\n")?;
    same!(pair.line()?, "seen\n");
    sys::set_nonblocking(pair.slave(), true)?;
    same!(errno(sys::write(pair.slave(), b"x")), EAGAIN);
    pair.keys(b"\x11")?;
    ensure!(sys::poll_for(pair.slave(), POLLOUT, LIMIT)? & POLLOUT != 0);
    sys::set_nonblocking(pair.slave(), false)?;
    sys::write(pair.slave(), b"go")?;
    pair.screen("go")
}

fn any_starts() -> Result {
    let pair = Pair::with(|t| {
        t.c_lflag &= !ECHO;
        t.c_iflag |= IXANY;
    })?;
    pair.keys(b"\x13a\n")?;
    same!(pair.line()?, "a\n");
    sys::write(pair.slave(), b"go")?;
    pair.screen("go")
}

fn stop_by_call() -> Result {
    let pair = Pair::new()?;
    sys::flow(pair.slave(), TCOOFF)?;
    let writer = sys::fork(|| i32::from(sys::write(pair.slave(), b"late").is_err()))?;
    ensure!(!is_ready(pair.master(), QUIET)?);
    sys::flow(pair.slave(), TCOON)?;
    pair.screen("late")?;
    same!(sys::wait(writer, 0)?, sys::Ended::Status(0));
    same!(errno(sys::flow(pair.slave(), 99)), EINVAL);
    Ok(())
}

fn characters_by_call() -> Result {
    let pair = Pair::new()?;
    sys::flow(pair.slave(), TCIOFF)?;
    sys::flow(pair.slave(), TCION)?;
    pair.screen("\x13\x11")
}

fn flushes() -> Result {
    let pair = Pair::new()?;
    pair.keys(b"old\n")?;
    ready(pair.slave())?;
    let termios = sys::settings(pair.slave())?;
    sys::set(pair.slave(), TCSAFLUSH, &termios)?;
    ensure!(!is_ready(pair.slave(), QUIET)?);
    sys::set(pair.slave(), TCSADRAIN, &termios)?;
    pair.keys(b"new\n")?;
    same!(pair.line()?, "new\n");
    same!(errno(sys::flush(pair.slave(), 99)), EINVAL);
    same!(errno(sys::set(pair.slave(), 99, &termios)), EINVAL);
    Ok(())
}

fn packets() -> Result {
    let pair = Pair::new()?;
    sys::control(pair.master(), TIOCPKT, 1)?;
    same!(sys::control(pair.master(), 0x8004_5438, 0)?, 1);
    sys::write(pair.slave(), b"data")?;
    same!(take(pair.master(), 5)?, b"\0data");
    sys::flow(pair.slave(), TCOOFF)?;
    ensure!(sys::poll_for(pair.master(), POLLIN | POLLPRI, LIMIT)? & POLLPRI != 0);
    same!(take(pair.master(), 1)?, [STOP]);
    sys::flow(pair.slave(), TCOON)?;
    same!(take(pair.master(), 1)?, [START]);
    sys::flush(pair.slave(), TCIFLUSH)?;
    same!(take(pair.master(), 1)?, [FLUSHREAD]);
    sys::control(pair.master(), TIOCPKT, 0)?;
    sys::write(pair.slave(), b"plain")?;
    same!(take(pair.master(), 5)?, b"plain");
    same!(errno(sys::control(pair.slave(), TIOCPKT, 1)), ENOTTY);
    Ok(())
}

fn packet_flow() -> Result {
    let pair = Pair::new()?;
    sys::control(pair.master(), TIOCPKT, 1)?;
    pair.change(|t| t.c_iflag &= !IXON)?;
    same!(take(pair.master(), 1)?, [NOSTOP]);
    pair.change(|t| t.c_iflag |= IXON)?;
    same!(take(pair.master(), 1)?, [DOSTOP]);
    Ok(())
}

fn master_waits() -> Result {
    let pair = Pair::new()?;
    let writer = sys::fork(|| {
        let _ = sys::sleep(Duration::from_millis(50));
        i32::from(sys::write(pair.slave(), b"late").is_err())
    })?;
    let mut buffer = [0; 16];
    same!(sys::read(pair.master(), &mut buffer)?, 4);
    sys::wait(writer, 0)?;
    Ok(())
}
