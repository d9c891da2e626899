//! `stdlib.h`: paths.

use crate::errno;
use crate::heap::c_string;
use crate::{string, sys, unistd};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int};
use core::ptr;

const PATH_MAX: usize = 4096;
/// Links followed before ELOOP. path_resolution(7).
const LINKS_MAX: usize = 40;

/// Where a link leads; None when the path is no link.
unsafe fn read_link(path: &[u8]) -> Result<Option<Vec<u8>>, c_int> {
    let mut with_nul = path.to_vec();
    with_nul.push(0);
    let mut buffer = Vec::from([0u8; PATH_MAX]);
    let raw = sys::readlinkat(libc::AT_FDCWD, with_nul.as_ptr().cast(), buffer.as_mut_ptr().cast(), PATH_MAX);
    match sys::result(raw) {
        Ok(len) => {
            buffer.truncate(len);
            Ok(Some(buffer))
        }
        Err(libc::EINVAL) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Resolves links, `.` and `..`.
unsafe fn resolve(path: &[u8]) -> Result<Vec<u8>, c_int> {
    if path.is_empty() {
        return Err(libc::ENOENT);
    }
    let mut done = if path[0] == b'/' { Vec::new() } else { unistd::current_dir()? };
    if done == b"/" {
        done.clear();
    }
    let split = |path: &[u8]| path.split(|&byte| byte == b'/').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let mut left: VecDeque<Vec<u8>> = split(path).into();
    let mut links = 0;
    while let Some(part) = left.pop_front() {
        match part.as_slice() {
            b"" | b"." => {
                // What has a slash behind it must be a directory.
                if left.is_empty() {
                    must_be_directory(&done)?;
                }
                continue;
            }
            b".." => {
                must_be_directory(&done)?;
                let end = done.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                done.truncate(end);
                continue;
            }
            _ => {}
        }
        let before = done.len();
        done.push(b'/');
        done.extend_from_slice(&part);
        if done.len() >= PATH_MAX {
            return Err(libc::ENAMETOOLONG);
        }
        if let Some(target) = read_link(&done)? {
            links += 1;
            if links > LINKS_MAX {
                return Err(libc::ELOOP);
            }
            done.truncate(if target.first() == Some(&b'/') { 0 } else { before });
            for part in split(&target).into_iter().rev() {
                left.push_front(part);
            }
        }
    }
    if done.is_empty() {
        done.push(b'/');
    }
    Ok(done)
}

unsafe fn must_be_directory(path: &[u8]) -> Result<(), c_int> {
    if path.is_empty() {
        return Ok(());
    }
    let mut with_nul = path.to_vec();
    with_nul.push(0);
    let mut stat: libc::stat = core::mem::zeroed();
    sys::result(sys::newfstatat(libc::AT_FDCWD, with_nul.as_ptr().cast(), &mut stat, 0))?;
    if stat.st_mode & libc::S_IFMT == libc::S_IFDIR { Ok(()) } else { Err(libc::ENOTDIR) }
}

c_api! {
    /// realpath(3).
    fn realpath(path: *const c_char, out: *mut c_char) -> *mut c_char {
        if path.is_null() {
            errno::set(libc::EINVAL);
            return ptr::null_mut();
        }
        match resolve(string::bytes(path)) {
            Ok(full) if out.is_null() => c_string(&full),
            Ok(full) => {
                ptr::copy_nonoverlapping(full.as_ptr(), out.cast(), full.len());
                *out.add(full.len()) = 0;
                out
            }
            Err(errno) => {
                errno::set(errno);
                ptr::null_mut()
            }
        }
    }

    /// canonicalize_file_name(3).
    fn canonicalize_file_name(path: *const c_char) -> *mut c_char { realpath(path, ptr::null_mut()) }
}

c_api! {
    /// getloadavg(3), from /proc/loadavg.
    fn getloadavg(out: *mut f64, count: c_int) -> c_int {
        let fd = errno::int(sys::openat(libc::AT_FDCWD, c"/proc/loadavg".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC, 0));
        if fd < 0 {
            return -1;
        }
        let mut text = [0u8; 64];
        let raw = sys::read(fd, text.as_mut_ptr().cast(), text.len() - 1);
        sys::close(fd);
        if errno::long(raw) < 0 {
            return -1;
        }
        let count = count.clamp(0, 3);
        let mut at: *mut c_char = text.as_mut_ptr().cast();
        for index in 0..count {
            let mut end = ptr::null_mut();
            *out.add(index as usize) = crate::numbers::strtod(at, &mut end);
            if end == at {
                return index;
            }
            at = end;
        }
        count
    }
}
