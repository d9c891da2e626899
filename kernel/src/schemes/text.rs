//! Files and directories that are snapshots: what they hold was true when they were opened.

use crate::file::{File, Object};
use crate::io::{anonymous_stat, answer_stat, need_room};
use crate::user::{self, UserSlice};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ochre_abi::call::{CallArgs, OP_GETDENTS, OP_STAT};
use ochre_abi::file::{DT_DIR, DT_REG, O_ACCMODE, O_DIRECTORY, O_RDONLY, S_IFDIR, S_IFREG, Stat, put_dirent};
use ochre_abi::{Errno, Result};

/// A file whose text was made when it was opened.
pub struct Text(Vec<u8>);

impl Text {
    /// What `write` writes. EACCES if the open flags ask for more than reading, ENOTDIR for a directory.
    pub fn open(flags: u32, write: impl FnOnce(&mut String)) -> Result<Arc<dyn Object>> {
        Text::of(flags, || {
            let mut text = String::new();
            write(&mut text);
            text.into_bytes()
        })
    }

    /// The same, of bytes.
    pub fn of(flags: u32, bytes: impl FnOnce() -> Vec<u8>) -> Result<Arc<dyn Object>> {
        check(flags)?;
        if flags & O_DIRECTORY != 0 {
            return Err(Errno::ENOTDIR);
        }
        need_room(64 * 1024)?;
        Ok(Arc::new(Text(bytes())))
    }
}

fn check(flags: u32) -> Result<()> {
    if flags & O_ACCMODE == O_RDONLY { Ok(()) } else { Err(Errno::EACCES) }
}

impl Object for Text {
    fn kind(&self) -> &'static str {
        "text"
    }

    fn read(&self, _file: &File, to: UserSlice, offset: Option<u64>) -> Result<usize> {
        let start = usize::try_from(offset.unwrap_or(0)).unwrap_or(usize::MAX).min(self.0.len());
        let len = to.len.min(self.0.len() - start);
        to.copy_out(0, &self.0[start..start + len])?;
        Ok(len)
    }

    fn seekable(&self) -> bool {
        true
    }

    fn size(&self) -> Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn stat(&self, file: &File) -> Result<Stat> {
        Ok(Stat { ino: file.path_inode(), size: self.0.len() as i64, ..anonymous_stat(S_IFREG | 0o444, 0) })
    }
}

/// A list of names.
pub struct Directory(Vec<(String, u8)>);

impl Directory {
    /// Names, and whether each is a directory. EISDIR if the open flags ask for more than reading.
    pub fn open(flags: u32, names: impl Iterator<Item = (String, bool)>) -> Result<Arc<dyn Object>> {
        check(flags).map_err(|_| Errno::EISDIR)?;
        need_room(64 * 1024)?;
        Ok(Arc::new(Directory(
            names.map(|(name, directory)| (name, if directory { DT_DIR } else { DT_REG })).collect(),
        )))
    }

    /// Of files only.
    pub fn of_files(flags: u32, names: &[&str]) -> Result<Arc<dyn Object>> {
        Directory::open(flags, names.iter().map(|name| (String::from(*name), false)))
    }

    /// As much of the list from the file's position on as fits.
    fn entries(&self, file: &File, args: &CallArgs) -> Result<usize> {
        let mut page = [0u8; 1024];
        let room = page.len().min(usize::try_from(args.output_len).unwrap_or(usize::MAX));
        let start = usize::try_from(file.position()).unwrap_or(usize::MAX).min(self.0.len());
        let mut len = 0;
        let mut next = start;
        for (name, kind) in &self.0[start..] {
            if !put_dirent(&mut page[..room], &mut len, next as u64 + 1, next as u64 + 1, *kind, name.as_bytes()) {
                break;
            }
            next += 1;
        }
        if len == 0 && start < self.0.len() {
            return Err(Errno::EINVAL);
        }
        user::copy_out(args.output, &page[..len])?;
        file.set_position(next as u64);
        Ok(len)
    }
}

impl Object for Directory {
    fn kind(&self) -> &'static str {
        "directory"
    }

    fn read(&self, _file: &File, _to: UserSlice, _offset: Option<u64>) -> Result<usize> {
        Err(Errno::EISDIR)
    }

    fn seekable(&self) -> bool {
        true
    }

    fn stat(&self, file: &File) -> Result<Stat> {
        Ok(Stat { ino: file.path_inode(), nlink: 2, ..anonymous_stat(S_IFDIR | 0o555, 0) })
    }

    fn call(&self, file: &File, args: &CallArgs) -> Result<usize> {
        match args.op as u16 {
            OP_STAT => answer_stat(&self.stat(file)?, args),
            OP_GETDENTS => self.entries(file, args),
            _ => Err(Errno::EINVAL),
        }
    }
}
