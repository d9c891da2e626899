//! The scheme zero, bound to /dev/zero: reads give zero bytes, writes vanish (zero(4)).

use ochre_scheme::abi::file::{S_IFCHR, Stat};
use ochre_scheme::{Answer, Request, Result, Scheme, Server};

struct Zero;

impl Scheme for Zero {
    fn open(&mut self, _: &mut Request, _flags: u32, _mode: u32) -> Result<Answer> {
        Ok(Answer::opened(1).reads_zero().writes_vanish())
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
