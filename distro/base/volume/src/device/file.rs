//! A file, or anything else that pread, pwrite and fdatasync work on.

use std::io;
use std::os::unix::fs::FileExt;

use super::{BLOCK, Device, check};
use crate::{Errno, Result};

/// A device in a file of the system this program runs on.
pub struct File {
    file: std::fs::File,
    len: u64,
    read_only: bool,
}

impl File {
    /// Takes a file that is as long as the device shall be (its last part of a block is not used).
    pub fn new(file: std::fs::File, read_only: bool) -> io::Result<File> {
        let len = file.metadata()?.len() / BLOCK as u64 * BLOCK as u64;
        Ok(File { file, len, read_only })
    }
}

/// What a failed system call means to a file system.
fn errno(error: io::Error) -> Errno {
    log::error!("volume: {error}");
    Errno::EIO
}

impl Device for File {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_only(&self) -> bool {
        self.read_only
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        check(self.len, offset, buffer.len())?;
        self.file.read_exact_at(buffer, offset).map_err(errno)
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        check(self.len, offset, bytes.len())?;
        if self.read_only {
            return Err(Errno::EROFS);
        }
        self.file.write_all_at(bytes, offset).map_err(errno)
    }

    fn flush(&mut self) -> Result<()> {
        self.file.sync_data().map_err(errno)
    }
}
