//! Names of terminals: ttyname(3), ctermid(3).

use crate::errno;
use crate::pty::Name;
use crate::sys;
use core::ffi::{c_char, c_int};
use core::fmt::Write;
use libc::{size_t, stat};

/// Major number of the pts (Linux's devices.txt).
const PTS_MAJOR: u32 = 136;
/// Bytes of L_ctermid.
const CTERMID_MAX: usize = 9;
const PATH_MAX: usize = 4096;

/// The device of a character device's inode.
unsafe fn device(fd: c_int) -> Option<stat> {
    let mut found: stat = core::mem::zeroed();
    (sys::fstat(fd, &mut found) >= 0 && found.st_mode & libc::S_IFMT == libc::S_IFCHR).then_some(found)
}

/// The path is of the very same device.
unsafe fn is_same(path: *const c_char, wanted: &stat) -> bool {
    let mut found: stat = core::mem::zeroed();
    sys::newfstatat(libc::AT_FDCWD, path, &mut found, 0) >= 0
        && (found.st_dev, found.st_ino, found.st_rdev) == (wanted.st_dev, wanted.st_ino, wanted.st_rdev)
}

/// Writes the name of a terminal, ended by NUL; how long it is, or an error number.
unsafe fn find(fd: c_int, out: &mut [u8; PATH_MAX]) -> Result<usize, c_int> {
    let mut term: libc::termios = core::mem::zeroed();
    let asked = sys::ioctl(fd, libc::TCGETS as usize, (&raw mut term).expose_provenance());
    if asked < 0 {
        return Err(-asked as c_int);
    }
    let wanted = device(fd).ok_or(libc::ENOTTY)?;
    let mut link = Link { bytes: [0; 32], len: 0 };
    // The number of a descriptor fits.
    let _ = write!(link, "/proc/self/fd/{fd}");
    let len = sys::readlinkat(libc::AT_FDCWD, link.bytes.as_ptr().cast(), out.as_mut_ptr().cast(), PATH_MAX - 1);
    if let Ok(len @ 1..) = usize::try_from(len) {
        out[len] = 0;
        if out[0] == b'/' && is_same(out.as_ptr().cast(), &wanted) {
            return Ok(len);
        }
    }
    // Opened by another name, or before another namespace was entered: by its number.
    if libc::major(wanted.st_rdev) == PTS_MAJOR {
        let name = Name::of_pts(libc::minor(wanted.st_rdev));
        if is_same(name.as_ptr(), &wanted) {
            name.copy_to(out.as_mut_ptr().cast(), PATH_MAX);
            return Ok(crate::string::len(name.as_ptr()));
        }
    }
    Err(libc::ENODEV)
}

/// A short path.
struct Link {
    bytes: [u8; 32],
    len: usize,
}

impl Write for Link {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(core::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

c_api! {
    /// ttyname_r(3): 0, or the error number, which errno is set to as well.
    fn ttyname_r(fd: c_int, out: *mut c_char, room: size_t) -> c_int {
        let mut name = [0; PATH_MAX];
        let error = match find(fd, &mut name) {
            _ if out.is_null() => libc::EINVAL,
            // glibc refuses what could not hold the shortest name.
            Ok(_) | Err(_) if room < "/dev/pts/".len() + 1 => libc::ERANGE,
            Ok(len) if len < room => {
                crate::string::memcpy(out.cast(), name.as_ptr().cast(), len + 1);
                0
            }
            Ok(_) => libc::ERANGE,
            Err(error) => error,
        };
        if error != 0 {
            errno::set(error);
        }
        error
    }

    /// ttyname(3): not for several threads.
    fn ttyname(fd: c_int) -> *mut c_char {
        static mut NAME: [u8; PATH_MAX] = [0; PATH_MAX];
        let name = &mut *(&raw mut NAME);
        match find(fd, name) {
            Ok(_) => name.as_mut_ptr().cast(),
            Err(error) => {
                errno::set(error);
                core::ptr::null_mut()
            }
        }
    }

    /// ctermid(3). With null the name stands in the library.
    fn ctermid(out: *mut c_char) -> *mut c_char {
        static mut NAME: [c_char; CTERMID_MAX] = [0; CTERMID_MAX];
        let out = if out.is_null() { (&raw mut NAME).cast() } else { out };
        crate::string::memcpy(out.cast(), c"/dev/tty".as_ptr().cast(), CTERMID_MAX);
        out
    }
}
