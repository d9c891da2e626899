//! A pty with what the checks do to it. Linux passes bytes between its sides in the background, so every look has a time limit.

use runtime_tests::{Result, sys};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Until what should come counts as missing.
pub const LIMIT: Duration = Duration::from_secs(20);
/// How long nothing may come where nothing should.
pub const QUIET: Duration = Duration::from_millis(150);

/// Both sides of a pty.
pub struct Pair {
    pub master: File,
    pub slave: File,
}

impl Pair {
    /// A new one.
    pub fn new() -> io::Result<Pair> {
        let (master, slave) = sys::open_pty()?;
        Ok(Pair { master, slave })
    }

    /// A new one with other settings.
    pub fn with(change: impl FnOnce(&mut libc::termios)) -> io::Result<Pair> {
        let pair = Pair::new()?;
        pair.change(change)?;
        Ok(pair)
    }

    /// Other settings.
    pub fn change(&self, change: impl FnOnce(&mut libc::termios)) -> io::Result<()> {
        let mut termios = sys::settings(self.slave())?;
        change(&mut termios);
        sys::set(self.slave(), libc::TCSANOW, &termios)
    }

    pub fn master(&self) -> i32 {
        self.master.as_raw_fd()
    }

    pub fn slave(&self) -> i32 {
        self.slave.as_raw_fd()
    }

    /// Keys are pressed.
    pub fn keys(&self, keys: &[u8]) -> io::Result<()> {
        match sys::write(self.master(), keys)? {
            count if count == keys.len() => Ok(()),
            count => Err(io::Error::other(format!("only {count} bytes"))),
        }
    }

    /// What a program reads next.
    pub fn line(&self) -> Result<String> {
        ready(self.slave())?;
        let mut buffer = [0; 8192];
        let got = sys::read(self.slave(), &mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..got]).into_owned())
    }

    /// What the screen shows, once it is as long as what is expected.
    pub fn screen(&self, expected: &str) -> Result {
        let shown = take(self.master(), expected.len())?;
        if shown == expected.as_bytes() && !is_ready(self.master(), Duration::from_millis(20))? {
            return Ok(());
        }
        Err(format!("the screen shows {:?}, not {expected:?}", String::from_utf8_lossy(&shown)))?
    }
}

/// Reads at least so many bytes.
pub fn take(fd: i32, len: usize) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    let end = Instant::now() + LIMIT;
    while all.len() < len {
        if !is_ready(fd, end.saturating_duration_since(Instant::now()))? {
            Err(format!("after {:?} nothing more comes", String::from_utf8_lossy(&all)))?;
        }
        let mut buffer = [0; 4096];
        let got = sys::read(fd, &mut buffer)?;
        all.extend_from_slice(&buffer[..got]);
    }
    Ok(all)
}

/// Something can be read within the time.
pub fn is_ready(fd: i32, timeout: Duration) -> io::Result<bool> {
    Ok(sys::poll_for(fd, libc::POLLIN, timeout)? & libc::POLLIN != 0)
}

/// Waits until something can be read.
pub fn ready(fd: i32) -> Result {
    if is_ready(fd, LIMIT)? { Ok(()) } else { Err("nothing comes to be read")? }
}
