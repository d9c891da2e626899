//! `/scheme/pipe`: opening it makes a pipe and gives its end to write (O_WRONLY) or to read (otherwise). DUP_NAMED "write" or "read"
//! gives the other: open for reading and writing if both ends are wanted, since a duplicate has the same access mode.

use super::KernelScheme;
use crate::file::Object;
use crate::io::{need_room, pipe};
use crate::thread::Thread;
use alloc::sync::Arc;
use ochre_abi::file::{O_ACCMODE, O_WRONLY};
use ochre_abi::{Errno, Result};

/// The scheme.
pub struct Pipe;

impl KernelScheme for Pipe {
    fn open(&self, _me: &Arc<Thread>, path: &[u8], flags: u32) -> Result<Arc<dyn Object>> {
        if !path.is_empty() {
            return Err(Errno::ENOENT);
        }
        need_room(0)?;
        let (read, write) = pipe::new();
        Ok(if flags & O_ACCMODE == O_WRONLY { write } else { read })
    }
}
