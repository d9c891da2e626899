//! `dirent.h`: reading directories.

use crate::errno;
use crate::lock::Lock;
use crate::sys;
use core::ffi::{c_char, c_int, c_long};
use core::ptr;
use libc::dirent64;

const BUFFER: usize = 32 << 10;

/// An open directory. Entries are handed out in place: Linux's getdents64 and `struct dirent` agree.
pub struct Dir {
    fd: c_int,
    state: Lock<State>,
}

#[repr(C, align(8))]
struct Entries([u8; BUFFER]);

struct State {
    /// Next entry, and end of the entries, in the buffer.
    at: usize,
    end: usize,
    /// What telldir tells.
    position: c_long,
    entries: Entries,
}

/// Makes a stream of an open directory. Null when memory is exhausted.
unsafe fn make(fd: c_int) -> *mut Dir {
    let block = crate::heap::allocate(size_of::<Dir>()).cast::<Dir>();
    if block.is_null() {
        errno::set(libc::ENOMEM);
        return block;
    }
    // The buffer may stay uninitialised: entries are read only after the kernel wrote them.
    (&raw mut (*block).fd).write(fd);
    crate::string::memset((&raw mut (*block).state).cast(), 0, size_of::<Lock<State>>() - BUFFER);
    block
}

impl State {
    /// The next entry; null at the end, or with an error number.
    unsafe fn next(&mut self, fd: c_int) -> Result<*mut dirent64, c_int> {
        if self.at >= self.end {
            let got = sys::result(sys::getdents64(fd, self.entries.0.as_mut_ptr().cast(), BUFFER))?;
            self.at = 0;
            self.end = got;
            if got == 0 {
                return Ok(ptr::null_mut());
            }
        }
        let entry = self.entries.0.as_mut_ptr().add(self.at).cast::<dirent64>();
        self.at += (*entry).d_reclen as usize;
        self.position = (*entry).d_off;
        Ok(entry)
    }

    fn forget(&mut self, position: c_long) {
        self.at = 0;
        self.end = 0;
        self.position = position;
    }
}

c_api! {
    /// opendir(3).
    fn opendir(path: *const c_char) -> *mut Dir {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        match sys::result(sys::openat(libc::AT_FDCWD, path, flags, 0)) {
            Ok(fd) => {
                let dir = make(fd as c_int);
                if dir.is_null() {
                    sys::close(fd as c_int);
                }
                dir
            }
            Err(errno) => {
                errno::set(errno);
                ptr::null_mut()
            }
        }
    }

    /// fdopendir(3).
    fn fdopendir(fd: c_int) -> *mut Dir {
        let mut stat: libc::stat = core::mem::zeroed();
        if errno::int(sys::fstat(fd, &mut stat)) < 0 {
            return ptr::null_mut();
        }
        if stat.st_mode & libc::S_IFMT != libc::S_IFDIR {
            errno::set(libc::ENOTDIR);
            return ptr::null_mut();
        }
        make(fd)
    }

    /// closedir(3).
    fn closedir(dir: *mut Dir) -> c_int {
        let fd = (*dir).fd;
        crate::heap::release(dir.cast());
        errno::int(sys::close(fd))
    }

    /// readdir(3).
    fn readdir(dir: *mut Dir) -> *mut dirent64 {
        let mut state = (*dir).state.lock();
        match state.next((*dir).fd) {
            Ok(entry) => entry,
            // A directory removed while it is read has simply ended.
            Err(libc::ENOENT) => ptr::null_mut(),
            Err(errno) => {
                errno::set(errno);
                ptr::null_mut()
            }
        }
    }

    /// readdir_r(3).
    fn readdir_r(dir: *mut Dir, to: *mut dirent64, out: *mut *mut dirent64) -> c_int {
        let mut state = (*dir).state.lock();
        match state.next((*dir).fd) {
            Ok(entry) if entry.is_null() => *out = ptr::null_mut(),
            Ok(entry) => {
                ptr::copy_nonoverlapping(entry.cast::<u8>(), to.cast::<u8>(), (*entry).d_reclen as usize);
                *out = to;
            }
            Err(errno) => return errno,
        }
        0
    }

    /// rewinddir(3).
    fn rewinddir(dir: *mut Dir) { seekdir(dir, 0) }

    /// seekdir(3).
    fn seekdir(dir: *mut Dir, position: c_long) {
        let mut state = (*dir).state.lock();
        sys::lseek((*dir).fd, position, libc::SEEK_SET);
        state.forget(position);
    }

    /// telldir(3).
    fn telldir(dir: *mut Dir) -> c_long { (*dir).state.lock().position }

    /// dirfd(3).
    fn dirfd(dir: *mut Dir) -> c_int { (*dir).fd }
}

c_alias! {
    fn readdir64 = readdir[dir: *mut Dir] -> *mut dirent64;
    fn readdir64_r = readdir_r[dir: *mut Dir, to: *mut dirent64, out: *mut *mut dirent64] -> c_int;
}
