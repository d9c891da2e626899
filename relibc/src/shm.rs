//! POSIX shared memory and named semaphores: files below /dev/shm. shm_overview(7), sem_overview(7).

use crate::errno;
use crate::lock::Lock;
use crate::pthread::sem;
use crate::{string, sys};
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_uint};
use core::ptr;
use libc::{mode_t, sem_t};

const DIR: &[u8] = b"/dev/shm/";
/// Longest name, without the prefix of semaphores.
const NAME_MAX: usize = 255;
/// What a semaphore's mapping takes: the size of its file.
const SEM_SIZE: usize = size_of::<sem_t>();

/// The path behind a name, ending in NUL. EINVAL for a name that has a slash after its first characters, or is empty or too long.
unsafe fn path(name: *const c_char, prefix: &[u8]) -> Result<Vec<u8>, c_int> {
    let name = string::bytes(name);
    let start = name.iter().position(|byte| *byte != b'/').unwrap_or(name.len());
    let name = &name[start..];
    if name.is_empty() || name.contains(&b'/') {
        return Err(libc::EINVAL);
    }
    if name.len() + prefix.len() > NAME_MAX {
        return Err(libc::ENAMETOOLONG);
    }
    Ok([DIR, prefix, name, b"\0"].concat())
}

/// A semaphore that this process has open.
struct Open {
    /// Device and inode: the same semaphore has one address, however often it is opened.
    identity: (u64, u64),
    address: usize,
    opens: usize,
}

static OPEN: Lock<Vec<Open>> = Lock::new(Vec::new());

/// Opens the file of an existing semaphore, or makes one. The descriptor.
unsafe fn open_file(path: &[u8], flags: c_int, mode: mode_t, value: c_uint) -> Result<c_int, c_int> {
    let open = libc::O_RDWR | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    loop {
        if flags & (libc::O_CREAT | libc::O_EXCL) != libc::O_CREAT | libc::O_EXCL {
            match sys::result(sys::openat(libc::AT_FDCWD, path.as_ptr().cast(), open, 0)) {
                Ok(fd) => return Ok(fd as c_int),
                Err(libc::ENOENT) if flags & libc::O_CREAT != 0 => {}
                Err(errno) => return Err(errno),
            }
        }
        if value > c_int::MAX as c_uint {
            return Err(libc::EINVAL);
        }
        // Made under another name and linked when it is whole, so that nobody opens half a semaphore.
        let mut template = [DIR, b"sem.XXXXXX\0"].concat();
        let fd = crate::tempfile::mkostemp(template.as_mut_ptr().cast(), libc::O_CLOEXEC);
        if fd < 0 {
            return Err(errno::get());
        }
        let mut semaphore: sem_t = core::mem::zeroed();
        sem::sem_init(&mut semaphore, 1, value);
        let written = sys::write(fd, (&raw const semaphore).cast(), SEM_SIZE);
        sys::fchmod(fd, mode);
        let linked = sys::linkat(libc::AT_FDCWD, template.as_ptr().cast(), libc::AT_FDCWD, path.as_ptr().cast(), 0);
        sys::unlinkat(libc::AT_FDCWD, template.as_ptr().cast(), 0);
        match (sys::result(written), sys::result(linked)) {
            (Ok(SEM_SIZE), Ok(_)) => return Ok(fd),
            (Ok(SEM_SIZE), Err(libc::EEXIST)) if flags & libc::O_EXCL == 0 => {
                sys::close(fd);
            }
            (Ok(SEM_SIZE), Err(errno)) | (Err(errno), _) => {
                sys::close(fd);
                return Err(errno);
            }
            (Ok(_), _) => {
                sys::close(fd);
                return Err(libc::ENOSPC);
            }
        }
    }
}

/// Maps the semaphore behind `fd`, or finds where it is mapped already.
unsafe fn map(fd: c_int) -> Result<*mut sem_t, c_int> {
    let mut stat: libc::stat = core::mem::zeroed();
    sys::result(sys::fstat(fd, &mut stat))?;
    if (stat.st_size as usize) < SEM_SIZE {
        return Err(libc::EINVAL);
    }
    let identity = (stat.st_dev, stat.st_ino);
    let mut list = OPEN.lock();
    if let Some(known) = list.iter_mut().find(|known| known.identity == identity) {
        known.opens += 1;
        return Ok(ptr::with_exposed_provenance_mut(known.address));
    }
    list.try_reserve(1).map_err(|_| libc::ENOMEM)?;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let address = sys::result(sys::mmap(ptr::null_mut(), SEM_SIZE, protection, libc::MAP_SHARED, fd, 0))?;
    list.push(Open { identity, address, opens: 1 });
    Ok(ptr::with_exposed_provenance_mut(address))
}

unsafe fn open_semaphore(name: *const c_char, flags: c_int, mode: mode_t, value: c_uint) -> Result<*mut sem_t, c_int> {
    let path = path(name, b"sem.")?;
    let fd = open_file(&path, flags, mode, value)?;
    let mapped = map(fd);
    sys::close(fd);
    mapped
}

fn int(result: Result<usize, c_int>) -> c_int {
    result.map_or_else(errno::fail, |value| value as c_int)
}

c_api! {
    /// sem_open(3). Mode and value count only with O_CREAT; a call without them passes whatever stands in those registers.
    fn sem_open(name: *const c_char, flags: c_int, mode: mode_t, value: c_uint) -> *mut sem_t {
        open_semaphore(name, flags, mode, value).unwrap_or_else(|errno| {
            errno::set(errno);
            ptr::null_mut()
        })
    }

    /// sem_close(3).
    fn sem_close(at: *mut sem_t) -> c_int {
        let mut list = OPEN.lock();
        let Some(index) = list.iter().position(|known| known.address == at.addr()) else {
            return errno::fail(libc::EINVAL);
        };
        list[index].opens -= 1;
        if list[index].opens > 0 {
            return 0;
        }
        list.swap_remove(index);
        errno::int(sys::munmap(at.cast(), SEM_SIZE))
    }

    /// sem_unlink(3).
    fn sem_unlink(name: *const c_char) -> c_int {
        let path = match path(name, b"sem.") {
            Ok(path) => path,
            // As glibc: a name that cannot be is one that is not.
            Err(errno) => return errno::fail(if errno == libc::EINVAL { libc::ENOENT } else { errno }),
        };
        match errno::int(sys::unlinkat(libc::AT_FDCWD, path.as_ptr().cast(), 0)) {
            -1 if errno::get() == libc::EPERM => errno::fail(libc::EACCES),
            result => result,
        }
    }

    /// shm_open(3).
    fn shm_open(name: *const c_char, flags: c_int, mode: mode_t) -> c_int {
        let flags = flags | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        int(path(name, b"").and_then(|path| {
            sys::result(sys::openat(libc::AT_FDCWD, path.as_ptr().cast(), flags, mode))
        }))
    }

    /// shm_unlink(3).
    fn shm_unlink(name: *const c_char) -> c_int {
        match path(name, b"") {
            Ok(path) => errno::int(sys::unlinkat(libc::AT_FDCWD, path.as_ptr().cast(), 0)),
            Err(errno) => errno::fail(if errno == libc::EINVAL { libc::ENOENT } else { errno }),
        }
    }
}
