//! The scheme zero, bound to /dev/zero and, its path `full`, to /dev/full: reads give zero bytes; writes vanish, or find no room (zero(4), full(4)).

use ochre_scheme::abi::file::{O_DIRECTORY, S_IFCHR, Stat};
use ochre_scheme::{Answer, Errno, Request, Result, Scheme, Server};

/// Handles: both files have one each, whoever opens them.
const ZERO: u64 = 1;
const FULL: u64 = 2;

struct Zero;

impl Scheme for Zero {
    fn open(&mut self, request: &mut Request, flags: u32, _mode: u32) -> Result<Answer> {
        if flags & O_DIRECTORY != 0 {
            return Err(Errno::ENOTDIR);
        }
        match request.payload() {
            b"" => Ok(Answer::opened(ZERO).reads_zero().writes_vanish()),
            b"full" => Ok(Answer::opened(FULL).reads_zero().repeatable()),
            _ => Err(Errno::ENOENT),
        }
    }

    fn write(&mut self, _request: &mut Request, _position: Option<u64>, _len: usize) -> Result<Answer> {
        // Only of /dev/full: the kernel answers the other's.
        Err(Errno::ENOSPC)
    }

    fn stat(&mut self, handle: u64) -> Result<Stat> {
        // Linux's device numbers: 1, 5 and 1, 7.
        let minor = if handle == FULL { 7 } else { 5 };
        Ok(Stat {
            ino: handle,
            nlink: 1,
            mode: S_IFCHR | 0o666,
            rdev: 1 << 8 | minor,
            blksize: 4096,
            ..Stat::default()
        })
    }
}

fn main() -> Result<()> {
    // There is nothing about a handle to remember.
    let (mut server, _) = Server::register_keeping("zero")?;
    ochre_scheme::ready();
    ochre_scheme::confine(0)?;
    server.run(&mut Zero)
}
