//! System calls on files and devices.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::{env, process};

use super::{Group, Row};
use crate::measure::{Figure, bandwidth, each};
use crate::sys;

pub const ROWS: &[Row] = &[
    Row { group: Group::Os, name: "read_1_byte", what: "read() of 1 byte of /dev/zero", measure: read_byte },
    Row { group: Group::Os, name: "write_1_byte", what: "write() of 1 byte to /dev/null", measure: write_byte },
    Row { group: Group::Os, name: "fstat", what: "fstat() of an open file", measure: fstat },
    Row { group: Group::Os, name: "stat", what: "stat() of a file in the temporary folder", measure: stat },
    Row { group: Group::Os, name: "open_close", what: "open() and close() of the same file", measure: open_close },
    Row { group: Group::Os, name: "pread_4k", what: "pread() of 4 KiB of a cached file", measure: pread },
    Row { group: Group::Os, name: "file_read_bandwidth", what: "read() of a cached file of 1 MiB", measure: file_read },
];

/// A file in the temporary folder, gone when dropped.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A file of that many bytes.
    pub fn new(size: usize) -> io::Result<Self> {
        let path = env::temp_dir().join(format!("bench-{}", process::id()));
        let scratch = Self(path);
        File::create(&scratch.0)?.write_all(&vec![0x5a; size])?;
        Ok(scratch)
    }

    /// Opens it for reading.
    pub fn open(&self) -> io::Result<File> {
        File::open(&self.0)
    }

    fn name(&self) -> io::Result<std::ffi::CString> {
        Ok(std::ffi::CString::new(self.0.as_os_str().as_bytes())?)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A file that stays shows up in the temporary folder.
        drop(fs::remove_file(&self.0));
    }
}

fn read_byte(_: usize) -> io::Result<Figure> {
    let file = File::open("/dev/zero")?;
    each(|| sys::read(file.as_fd(), &mut [0; 1]).map(drop))
}

fn write_byte(_: usize) -> io::Result<Figure> {
    let file = OpenOptions::new().write(true).open("/dev/null")?;
    each(|| sys::write(file.as_fd(), &[0; 1]).map(drop))
}

fn fstat(_: usize) -> io::Result<Figure> {
    let file = Scratch::new(1)?.open()?;
    each(|| sys::fstat(file.as_fd()).map(drop))
}

fn stat(_: usize) -> io::Result<Figure> {
    let scratch = Scratch::new(1)?;
    let name = scratch.name()?;
    each(|| sys::stat(&name).map(drop))
}

fn open_close(_: usize) -> io::Result<Figure> {
    let scratch = Scratch::new(1)?;
    let name = scratch.name()?;
    each(|| sys::open(&name).map(drop))
}

fn pread(_: usize) -> io::Result<Figure> {
    let file = Scratch::new(1 << 20)?.open()?;
    let (mut buffer, mut offset) = ([0; 4096], 0);
    each(|| {
        offset = (offset + 4096) % (1 << 20);
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut buffer, offset)
    })
}

fn file_read(_: usize) -> io::Result<Figure> {
    use std::io::{Read, Seek};
    let mut file = Scratch::new(1 << 20)?.open()?;
    let mut buffer = vec![0; 64 << 10];
    bandwidth(8 << 20, |bytes| {
        let mut moved = 0;
        while moved < bytes {
            match file.read(&mut buffer)? {
                0 => file.rewind()?,
                count => moved += count,
            }
        }
        Ok(moved)
    })
}
