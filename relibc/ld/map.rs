//! Mapping an ELF file.
//!
//! Checked before anything is mapped: the header ([`super::header`]); that the program headers are
//! in the file; that segments ascend without overlap, are congruent to their file offsets, and lie in the
//! file (else a later access would be SIGBUS). What the dynamic section says is checked by
//! [`Object::new`].

use super::elf::*;
use super::error::{Error, Result, show};
use super::header::{self, OTHER_CLASS, Verdict};
use super::object::{Mapping, Object};
use crate::sys;
use alloc::vec::Vec;
use core::ffi::{c_int, c_void};
use core::ptr;

/// A file that is open for reading; closed when dropped.
pub struct File {
    fd: c_int,
    /// Path, ending in NUL.
    pub path: Vec<u8>,
    /// Device and inode.
    pub identity: (u64, u64),
    size: u64,
}

impl File {
    /// Opens `path` (ending in NUL).
    ///
    /// # Errors
    /// The errno of open or fstat; EISDIR for a directory.
    pub fn open(path: Vec<u8>) -> core::result::Result<File, c_int> {
        // SAFETY: the path ends in NUL; an all-zero stat is valid.
        unsafe {
            let raw = sys::openat(libc::AT_FDCWD, path.as_ptr().cast(), libc::O_RDONLY | libc::O_CLOEXEC, 0);
            let fd = sys::result(raw)? as c_int;
            let mut file = File { fd, path, identity: (0, 0), size: 0 };
            let mut stat: libc::stat = core::mem::zeroed();
            sys::result(sys::fstat(fd, &mut stat))?;
            if stat.st_mode & libc::S_IFMT == libc::S_IFDIR {
                return Err(libc::EISDIR);
            }
            file.identity = (stat.st_dev, stat.st_ino);
            file.size = stat.st_size as u64;
            Ok(file)
        }
    }

    /// Fills the buffer from `offset` on; fewer bytes at the end of the file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            // SAFETY: the buffer is ours.
            let raw = unsafe {
                sys::pread(
                    self.fd,
                    buffer[done..].as_mut_ptr().cast(),
                    buffer.len() - done,
                    offset as i64 + done as i64,
                )
            };
            match sys::result(raw) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(libc::EINTR) => {}
                Err(errno) => return Err(self.error("cannot read file data", errno)),
            }
        }
        Ok(done)
    }

    /// The first `most` bytes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read_all(&self, most: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::from([0; 4096]);
        let mut len = 0;
        loop {
            len += self.read_at(&mut bytes[len..], len as u64)?;
            if len < bytes.len() || len >= most {
                bytes.truncate(len);
                return Ok(bytes);
            }
            bytes.resize(bytes.len() * 2, 0);
        }
    }

    fn error(&self, what: &str, errno: c_int) -> Error {
        Error::new(self.shown(), what, errno)
    }

    /// The path for messages.
    pub fn shown(&self) -> alloc::borrow::Cow<'_, str> {
        show(self.path.strip_suffix(&[0]).unwrap_or(&self.path))
    }

    /// The error of a file that is not what it should be.
    pub fn bad(&self, what: &str) -> Error {
        Error::new(self.shown(), what, 0)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours.
        unsafe { sys::close(self.fd) };
    }
}

/// Maps `file`. `program` says whether it may have a fixed address.
///
/// # Errors
/// A sentence that names the file and what is wrong with it.
pub fn map(file: File, program: bool) -> Result<Object> {
    let header = match header::read(&file)? {
        Verdict::Good(header) => header,
        Verdict::OtherClass => return Err(file.bad(OTHER_CLASS)),
        Verdict::OtherMachine => return Err(file.error("cannot open shared object file", libc::ENOENT)),
    };
    let fixed = header.e_type == ET_EXEC;
    if fixed && !program {
        return Err(file.bad("cannot dynamically load executable"));
    }
    let count = header.e_phnum as usize;
    if count == 0 {
        return Err(file.bad("object file has no loadable segments"));
    }
    let mut phdrs = Vec::<Phdr>::with_capacity(count);
    let bytes = count * size_of::<Phdr>();
    // SAFETY: room for `count` headers, any bytes are valid ones.
    unsafe {
        let buffer = core::slice::from_raw_parts_mut(phdrs.as_mut_ptr().cast::<u8>(), bytes);
        buffer.fill(0);
        if header.e_phoff > file.size || file.read_at(buffer, header.e_phoff)? < bytes {
            return Err(file.bad("cannot read file data"));
        }
        phdrs.set_len(count);
    }
    // They live as long as the object, which an unload gives up; objects are few.
    let phdrs: &'static [Phdr] = phdrs.leak();
    let (low, high) = check_segments(&file, phdrs)?;

    let base = map_segments(&file, phdrs, low, high, fixed)?;
    let mapping = Mapping {
        path: file.path.clone(),
        identity: file.identity,
        base,
        phdrs,
        entry: base.wrapping_add(header.e_entry as usize),
        is_self: false,
    };
    // SAFETY: all of low..high is mapped.
    let object = unsafe { Object::new(mapping) };
    if object.is_err() {
        // SAFETY: nobody refers to the mapping.
        unsafe { sys::munmap(base.wrapping_add(low) as *mut c_void, high - low) };
    }
    object
}

/// Checks the PT_LOADs and returns the page-aligned range of addresses they cover.
fn check_segments(file: &File, phdrs: &[Phdr]) -> Result<(usize, usize)> {
    const ADDRESS_MAX: u64 = 1 << 47;
    let mut low = None;
    let mut end = 0;
    for phdr in phdrs.iter().filter(|phdr| phdr.p_type == PT_LOAD) {
        let in_file = phdr.p_offset.checked_add(phdr.p_filesz).is_some_and(|last| last <= file.size);
        let last = phdr.p_vaddr.checked_add(phdr.p_memsz);
        let page = PAGE as u64;
        if !in_file {
            return Err(file.bad("file too short: a segment lies outside"));
        }
        if phdr.p_vaddr % page != phdr.p_offset % page {
            return Err(file.bad("ELF load command address/offset not page-aligned"));
        }
        if phdr.p_filesz > phdr.p_memsz
            || last.is_none_or(|last| last > ADDRESS_MAX)
            || phdr.p_vaddr & !(page - 1) < end
        {
            return Err(file.bad("damaged segments"));
        }
        low.get_or_insert(phdr.p_vaddr & !(page - 1));
        end = last.unwrap_or(0).next_multiple_of(page);
    }
    match low {
        Some(low) if end > low => Ok((low as usize, end as usize)),
        _ => Err(file.bad("object file has no loadable segments")),
    }
}

/// PROT_* of a segment.
pub fn protection(phdr: &Phdr) -> c_int {
    let mut prot = 0;
    for (flag, value) in [(PF_R, libc::PROT_READ), (PF_W, libc::PROT_WRITE), (PF_X, libc::PROT_EXEC)] {
        if phdr.p_flags & flag != 0 {
            prot |= value;
        }
    }
    prot
}

fn map_segments(file: &File, phdrs: &[Phdr], low: usize, high: usize, fixed: bool) -> Result<usize> {
    let flags = libc::MAP_PRIVATE
        | libc::MAP_ANONYMOUS
        | libc::MAP_NORESERVE
        | if fixed { libc::MAP_FIXED_NOREPLACE } else { 0 };
    let hint = if fixed { low } else { 0 };
    // SAFETY: a fresh reservation, then segments inside it, as `check_segments` made sure.
    unsafe {
        let raw = sys::mmap(hint as *mut c_void, high - low, libc::PROT_NONE, flags, -1, 0);
        let start = sys::result(raw).map_err(|errno| file.error("failed to map segment from shared object", errno))?;
        if fixed && start != low {
            sys::munmap(start as *mut c_void, high - low);
            return Err(file.error("failed to map segment from shared object", libc::EEXIST));
        }
        let base = start.wrapping_sub(low);
        for phdr in phdrs.iter().filter(|phdr| phdr.p_type == PT_LOAD) {
            let done = map_segment(file, phdr, base);
            if let Err(errno) = done {
                sys::munmap(start as *mut c_void, high - low);
                return Err(file.error("failed to map segment from shared object", errno));
            }
        }
        Ok(base)
    }
}

unsafe fn map_segment(file: &File, phdr: &Phdr, base: usize) -> core::result::Result<(), c_int> {
    let prot = protection(phdr);
    let address = base.wrapping_add(phdr.p_vaddr as usize);
    let start = address & !(PAGE - 1);
    let file_end = address + phdr.p_filesz as usize;
    let end = address + phdr.p_memsz as usize;
    let mut zero_from = start;
    if phdr.p_filesz > 0 {
        let len = (file_end - start).next_multiple_of(PAGE);
        let offset = (phdr.p_offset & !(PAGE as u64 - 1)) as i64;
        let raw = sys::mmap(start as *mut c_void, len, prot, libc::MAP_PRIVATE | libc::MAP_FIXED, file.fd, offset);
        sys::result(raw)?;
        zero_from = start + len;
        if phdr.p_memsz > phdr.p_filesz && phdr.p_flags & PF_W != 0 {
            // What the file has behind the segment is not the program's.
            ptr::write_bytes(file_end as *mut u8, 0, end.min(zero_from) - file_end);
        }
    }
    if end > zero_from {
        let flags = libc::MAP_PRIVATE | libc::MAP_FIXED | libc::MAP_ANONYMOUS;
        let len = (end - zero_from).next_multiple_of(PAGE);
        sys::result(sys::mmap(zero_from as *mut c_void, len, prot, flags, -1, 0))?;
    }
    Ok(())
}
