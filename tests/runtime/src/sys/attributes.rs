//! Extended attributes, fallocate(2) and what else files can do that std does not offer.

use super::checked;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

/// Which file an attribute belongs to.
#[derive(Clone, Copy)]
pub enum Of<'f> {
    /// What a path leads to.
    Path(&'f Path),
    /// What a path names, be it a symbolic link.
    Link(&'f Path),
    /// An open file.
    Open(&'f File),
}

fn text(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
}

fn path_text(path: &Path) -> io::Result<CString> {
    text(path.as_os_str().as_bytes())
}

/// The result of a C function that gives a length.
fn length(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// getxattr(2) and its forms; how long the value is.
pub fn get_xattr(of: Of<'_>, name: &str, value: &mut [u8]) -> io::Result<usize> {
    let (name, out, room) = (text(name.as_bytes())?, value.as_mut_ptr().cast(), value.len());
    // SAFETY: strings with their NULs, and a buffer with its length.
    length(match of {
        Of::Path(path) => unsafe { libc::getxattr(path_text(path)?.as_ptr(), name.as_ptr(), out, room) },
        Of::Link(path) => unsafe { libc::lgetxattr(path_text(path)?.as_ptr(), name.as_ptr(), out, room) },
        Of::Open(file) => unsafe { libc::fgetxattr(file.as_raw_fd(), name.as_ptr(), out, room) },
    })
}

/// setxattr(2) and its forms.
pub fn set_xattr(of: Of<'_>, name: &str, value: &[u8], flags: i32) -> io::Result<()> {
    let (name, from, len) = (text(name.as_bytes())?, value.as_ptr().cast(), value.len());
    // SAFETY: strings with their NULs, and a buffer with its length.
    checked(match of {
        Of::Path(path) => unsafe { libc::setxattr(path_text(path)?.as_ptr(), name.as_ptr(), from, len, flags) },
        Of::Link(path) => unsafe { libc::lsetxattr(path_text(path)?.as_ptr(), name.as_ptr(), from, len, flags) },
        Of::Open(file) => unsafe { libc::fsetxattr(file.as_raw_fd(), name.as_ptr(), from, len, flags) },
    })
    .map(drop)
}

/// listxattr(2) and its forms; how long the list is.
pub fn list_xattr(of: Of<'_>, list: &mut [u8]) -> io::Result<usize> {
    let (out, room) = (list.as_mut_ptr().cast(), list.len());
    // SAFETY: a string with its NUL, and a buffer with its length.
    length(match of {
        Of::Path(path) => unsafe { libc::listxattr(path_text(path)?.as_ptr(), out, room) },
        Of::Link(path) => unsafe { libc::llistxattr(path_text(path)?.as_ptr(), out, room) },
        Of::Open(file) => unsafe { libc::flistxattr(file.as_raw_fd(), out, room) },
    })
}

/// removexattr(2) and its forms.
pub fn remove_xattr(of: Of<'_>, name: &str) -> io::Result<()> {
    let name = text(name.as_bytes())?;
    // SAFETY: strings with their NULs.
    checked(match of {
        Of::Path(path) => unsafe { libc::removexattr(path_text(path)?.as_ptr(), name.as_ptr()) },
        Of::Link(path) => unsafe { libc::lremovexattr(path_text(path)?.as_ptr(), name.as_ptr()) },
        Of::Open(file) => unsafe { libc::fremovexattr(file.as_raw_fd(), name.as_ptr()) },
    })
    .map(drop)
}

/// fallocate(2).
pub fn fallocate(file: &File, mode: i32, offset: i64, len: i64) -> io::Result<()> {
    // SAFETY: plain numbers.
    checked(unsafe { libc::fallocate(file.as_raw_fd(), mode, offset, len) }).map(drop)
}

/// fstatfs(2)'s type of the file system.
pub fn fs_type(file: &File) -> io::Result<i64> {
    // SAFETY: numbers and arrays of them, for which zero is a value.
    let mut statfs: libc::statfs = unsafe { core::mem::zeroed() };
    // SAFETY: a valid, writable structure.
    checked(unsafe { libc::fstatfs(file.as_raw_fd(), &mut statfs) })?;
    Ok(statfs.f_type)
}

/// linkat(2) of what a path below a descriptor (without one, the working directory) names.
pub fn link_at(from: Option<&File>, path: &str, to: &Path, flags: i32) -> io::Result<()> {
    let (path, to) = (text(path.as_bytes())?, path_text(to)?);
    let from = from.map_or(libc::AT_FDCWD, AsRawFd::as_raw_fd);
    // SAFETY: strings with their NULs.
    checked(unsafe { libc::linkat(from, path.as_ptr(), libc::AT_FDCWD, to.as_ptr(), flags) }).map(drop)
}

/// faccessat(2).
pub fn access(path: &Path, mode: i32, flags: i32) -> io::Result<()> {
    let path = path_text(path)?;
    // SAFETY: a string with its NUL.
    checked(unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), mode, flags) }).map(drop)
}

/// setgroups(2), setresgid(2), setresuid(2) in this order: the ids are (real, effective); the saved ones are the effective ones.
pub fn become_user(groups: &[u32], gid: (u32, u32), uid: (u32, u32)) -> io::Result<()> {
    // SAFETY: a list with its length, and plain numbers.
    unsafe {
        checked(libc::setgroups(groups.len(), groups.as_ptr()))?;
        checked(libc::setresgid(gid.0, gid.1, gid.1))?;
        checked(libc::setresuid(uid.0, uid.1, uid.1)).map(drop)
    }
}

/// copy_file_range(2) at the given offsets; how much.
pub fn copy_range(from: (&File, i64), to: (&File, i64), len: usize) -> io::Result<usize> {
    let (mut from_at, mut to_at) = (from.1, to.1);
    // SAFETY: the offsets are this function's own.
    length(unsafe { libc::copy_file_range(from.0.as_raw_fd(), &mut from_at, to.0.as_raw_fd(), &mut to_at, len, 0) })
}

/// sendfile(2) from the file's position, or from an offset that is moved on.
pub fn sendfile(to: &impl AsRawFd, from: &File, offset: Option<&mut i64>, len: usize) -> io::Result<usize> {
    let offset = offset.map_or(ptr::null_mut(), ptr::from_mut);
    // SAFETY: the offset is the caller's own, or none.
    length(unsafe { libc::sendfile(to.as_raw_fd(), from.as_raw_fd(), offset, len) })
}
