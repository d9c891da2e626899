//! The scheme null, bound to /dev/null: reads are at the end, writes vanish (null(4)).

use ochre_scheme::abi::file::{O_DIRECTORY, S_IFCHR, Stat};
use ochre_scheme::{Answer, Errno, Request, Result, Scheme, Server};

struct Null;

impl Scheme for Null {
    fn open(&mut self, _: &mut Request, flags: u32, _mode: u32) -> Result<Answer> {
        if flags & O_DIRECTORY != 0 {
            return Err(Errno::ENOTDIR);
        }
        Ok(Answer::opened(1).reads_end().writes_vanish())
    }

    fn stat(&mut self, handle: u64) -> Result<Stat> {
        // Linux's device number of /dev/null: 1, 3.
        Ok(Stat { ino: handle, nlink: 1, mode: S_IFCHR | 0o666, rdev: 1 << 8 | 3, blksize: 4096, ..Stat::default() })
    }
}

fn main() -> Result<()> {
    // There is nothing about a handle to remember.
    let (mut server, _) = Server::register_keeping("null")?;
    ochre_scheme::ready();
    ochre_scheme::confine(0)?;
    server.run(&mut Null)
}
