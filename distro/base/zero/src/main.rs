//! The scheme zero, bound to /dev/zero: reads give zero bytes, writes vanish (zero(4)).

use ochre_scheme::abi::file::{S_IFCHR, Stat};
use ochre_scheme::{Answer, Request, Result, Scheme, Server};

/// Bytes given at a time.
const CHUNK: usize = 64 * 1024;

struct Zero;

impl Scheme for Zero {
    fn open(&mut self, _: &mut Request, _flags: u32, _mode: u32) -> Result<Answer> {
        Ok(Answer::opened(1))
    }

    fn read(&mut self, request: &mut Request, _: Option<u64>, len: usize) -> Result<Answer> {
        static ZEROES: [u8; CHUNK] = [0; CHUNK];
        let mut left = len;
        while left > 0 {
            let part = left.min(CHUNK);
            request.put(&ZEROES[..part])?;
            left -= part;
        }
        request.data_answer()
    }

    fn write(&mut self, _: &mut Request, _: Option<u64>, len: usize) -> Result<Answer> {
        Ok(Answer::value(len))
    }

    fn stat(&mut self, handle: u64) -> Result<Stat> {
        // Linux's device number of /dev/zero: 1, 5.
        Ok(Stat { ino: handle, nlink: 1, mode: S_IFCHR | 0o666, rdev: 1 << 8 | 5, blksize: 4096, ..Stat::default() })
    }
}

fn main() -> Result<()> {
    let mut server = Server::register("zero")?;
    ochre_scheme::ready();
    server.run(&mut Zero)
}
