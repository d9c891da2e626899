//! Calls on paths.

use super::files::operate;
use super::{Args, Result, bytes_mut, get_opt, native, put, start, string};
use core::sync::atomic::Ordering::Relaxed;
use libc::{statx as Statx, statx_timestamp, timespec};
use ochre_rt::abi::Errno;
use ochre_rt::abi::call::*;
use ochre_rt::abi::file::*;
use ochre_rt::abi::syscall as sys;
use ochre_rt::call::Call;
use ochre_rt::signal::process_page;
use ochre_rt::syscall;

const CWD: usize = AT_FDCWD as isize as usize;
/// open's flags that mean nothing here: O_LARGEFILE is how x86-64 opens anyway.
const O_LARGEFILE: u32 = 0o100000;
const MODE_BITS: usize = 0o7777;

/// A path argument. /proc/self/exe is known here, so that it works without /proc too.
pub unsafe fn path<'a>(pointer: usize) -> Result<&'a [u8]> {
    let path = string(pointer)?;
    match path {
        b"/proc/self/exe" => Ok(start::program()),
        _ => Ok(path),
    }
}

/// What an at-call is about.
#[derive(Clone, Copy)]
pub enum Target<'a> {
    Path(i32, &'a [u8]),
    Open(usize),
}

impl<'a> Target<'a> {
    /// By the rules of openat(2) and AT_EMPTY_PATH.
    pub unsafe fn of(dir: usize, pointer: usize, flags: usize) -> Result<Target<'a>> {
        let empty_allowed = flags as u64 & AT_EMPTY_PATH != 0;
        let path = if pointer == 0 && empty_allowed { b"" } else { path(pointer)? };
        Ok(match path {
            b"" if !empty_allowed => return Err(Errno::ENOENT),
            b"" if dir as i32 == AT_FDCWD => Target::Path(AT_FDCWD, b"."),
            b"" => Target::Open(dir),
            path => Target::Path(dir as i32, path),
        })
    }

    pub fn send(self, mut call: Call<'_>) -> Result {
        match self {
            Target::Path(dir, path) => call.send_path(dir, path),
            Target::Open(fd) => call.send(fd as i32),
        }
    }

    fn operate(self, op: u16, args: [u64; 3]) -> Result {
        match self {
            Target::Path(..) => self.send(Call::new(op, args)),
            Target::Open(fd) => operate(fd, op, args),
        }
    }
}

/// A mode for a file that is made.
pub fn masked(mode: usize) -> u64 {
    umask_free(mode) & !u64::from(process_page().umask.load(Relaxed))
}

/// A mode as chmod takes it.
pub fn umask_free(mode: usize) -> u64 {
    (mode & MODE_BITS) as u64
}

pub unsafe fn umask(a: Args) -> Result {
    Ok(process_page().umask.swap(a[0] as u32 & 0o777, Relaxed) as usize)
}

pub unsafe fn openat(a: Args) -> Result {
    let flags = a[2] as u32 & !O_LARGEFILE;
    let makes = flags & O_CREAT != 0 || flags & O_TMPFILE == O_TMPFILE;
    let mode = if makes { masked(a[3]) } else { 0 };
    syscall::openat(a[0] as i32, path(a[1])?, flags, mode as u32).map(|fd| fd as usize)
}

pub unsafe fn open(a: Args) -> Result {
    openat([CWD, a[0], a[1], a[2], 0, 0])
}

pub unsafe fn creat(a: Args) -> Result {
    openat([CWD, a[0], (O_CREAT | O_WRONLY | O_TRUNC) as usize, a[1], 0, 0])
}

pub unsafe fn newfstatat(a: Args) -> Result {
    let flags = a[3] as u64 & AT_SYMLINK_NOFOLLOW;
    let out = bytes_mut(a[2], size_of::<Stat>())?;
    Target::of(a[0], a[1], a[3])?.send(Call::new(OP_STAT, [flags, 0, 0]).output(out))?;
    Ok(0)
}

pub unsafe fn stat(a: Args) -> Result {
    newfstatat([CWD, a[0], a[1], 0, 0, 0])
}

pub unsafe fn lstat(a: Args) -> Result {
    newfstatat([CWD, a[0], a[1], AT_SYMLINK_NOFOLLOW as usize, 0, 0])
}

pub unsafe fn statx(a: Args) -> Result {
    const STATX_BASIC_STATS: u32 = 0x7ff;
    let flags = a[2] as u64 & AT_SYMLINK_NOFOLLOW;
    let target = Target::of(a[0], a[1], a[2])?;
    let mut stat = Stat::default();
    let room = bytes_mut((&raw mut stat).expose_provenance(), size_of::<Stat>())?;
    target.send(Call::new(OP_STAT, [flags, 0, 0]).output(room))?;
    let time = |seconds, nanoseconds| {
        // SAFETY: numbers only.
        let mut time: statx_timestamp = unsafe { core::mem::zeroed() };
        time.tv_sec = seconds;
        time.tv_nsec = nanoseconds as u32;
        time
    };
    let mut out: Statx = core::mem::zeroed();
    out.stx_mask = STATX_BASIC_STATS;
    out.stx_blksize = stat.blksize as u32;
    out.stx_nlink = stat.nlink as u32;
    out.stx_uid = stat.uid;
    out.stx_gid = stat.gid;
    out.stx_mode = stat.mode as u16;
    out.stx_ino = stat.ino;
    out.stx_size = stat.size as u64;
    out.stx_blocks = stat.blocks as u64;
    out.stx_atime = time(stat.atime, stat.atime_nsec);
    out.stx_mtime = time(stat.mtime, stat.mtime_nsec);
    out.stx_ctime = time(stat.ctime, stat.ctime_nsec);
    out.stx_rdev_major = libc::major(stat.rdev);
    out.stx_rdev_minor = libc::minor(stat.rdev);
    out.stx_dev_major = libc::major(stat.dev);
    out.stx_dev_minor = libc::minor(stat.dev);
    put(a[4], out)
}

pub unsafe fn faccessat2(a: Args) -> Result {
    const FLAGS: u64 = AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
    if a[2] as u32 & !7 != 0 || a[3] as u32 as u64 & !FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    Target::of(a[0], a[1], a[3])?.operate(OP_ACCESS, [u64::from(a[2] as u32), a[3] as u32 as u64, 0])
}

pub unsafe fn faccessat(a: Args) -> Result {
    faccessat2([a[0], a[1], a[2], 0, 0, 0])
}

pub unsafe fn access(a: Args) -> Result {
    faccessat2([CWD, a[0], a[1], 0, 0, 0])
}

/// A decimal number.
fn number(text: &[u8]) -> Option<i32> {
    core::str::from_utf8(text).ok()?.parse().ok().filter(|number| *number >= 0)
}

pub unsafe fn readlinkat(a: Args) -> Result {
    if a[3] as isize <= 0 {
        return Err(Errno::EINVAL);
    }
    let out = bytes_mut(a[2], a[3])?;
    let path = string(a[1])?;
    let cut = |text: &[u8], out: &mut [u8]| {
        let len = text.len().min(out.len());
        crate::string::memcpy(out.as_mut_ptr().cast(), text.as_ptr().cast(), len);
        len
    };
    if path == b"/proc/self/exe" {
        return Ok(cut(start::program(), out));
    }
    if let Some(fd) = path.strip_prefix(b"/proc/self/fd/").and_then(number) {
        let mut full = [0; PATH_LEN_MAX];
        let len = syscall::fd_path(fd, &mut full)
            .map_err(|error| if error == Errno::EBADF { Errno::ENOENT } else { error })?;
        // What has no path has another name there, which procd knows.
        if full.first() == Some(&b'/') {
            return Ok(cut(full.get(..len).unwrap_or(&[]), out));
        }
    }
    let room = out.len();
    let target = Target::of(a[0], a[1], AT_EMPTY_PATH as usize)?;
    target.send(Call::new(OP_READLINK, [0; 3]).output(out)).map(|len| len.min(room))
}

pub unsafe fn readlink(a: Args) -> Result {
    readlinkat([CWD, a[0], a[1], a[2], 0, 0])
}

pub unsafe fn unlinkat(a: Args) -> Result {
    let flags = a[2] as u32 as u64;
    if flags & !AT_REMOVEDIR != 0 {
        return Err(Errno::EINVAL);
    }
    Target::of(a[0], a[1], 0)?.operate(OP_UNLINK, [flags, 0, 0])
}

pub unsafe fn unlink(a: Args) -> Result {
    unlinkat([CWD, a[0], 0, 0, 0, 0])
}

pub unsafe fn rmdir(a: Args) -> Result {
    unlinkat([CWD, a[0], AT_REMOVEDIR as usize, 0, 0, 0])
}

pub unsafe fn mkdirat(a: Args) -> Result {
    Target::of(a[0], a[1], 0)?.operate(OP_MKDIR, [masked(a[2]), 0, 0])
}

pub unsafe fn mkdir(a: Args) -> Result {
    mkdirat([CWD, a[0], a[1], 0, 0, 0])
}

pub unsafe fn mknodat(a: Args) -> Result {
    let kind = match a[2] as u32 & S_IFMT {
        0 => S_IFREG,
        kind => kind,
    };
    Target::of(a[0], a[1], 0)?.operate(OP_MKNOD, [u64::from(kind) | masked(a[2]), a[3] as u64, 0])
}

pub unsafe fn mknod(a: Args) -> Result {
    mknodat([CWD, a[0], a[1], a[2], 0, 0])
}

/// An operation on two paths: (directory, path, directory, path).
unsafe fn two(op: u16, flags: usize, a: [usize; 4]) -> Result {
    let (from, to) = (path(a[1])?, path(a[3])?);
    Call::new(op, [flags as u32 as u64, 0, 0]).send_paths((a[0] as i32, from), (a[2] as i32, to))
}

pub unsafe fn renameat2(a: Args) -> Result {
    two(OP_RENAME, a[4], [a[0], a[1], a[2], a[3]])
}

pub unsafe fn renameat(a: Args) -> Result {
    two(OP_RENAME, 0, [a[0], a[1], a[2], a[3]])
}

pub unsafe fn rename(a: Args) -> Result {
    two(OP_RENAME, 0, [CWD, a[0], CWD, a[1]])
}

pub unsafe fn linkat(a: Args) -> Result {
    let flags = a[4] as u32 as u64;
    if flags & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL);
    }
    let from = path(a[1])?;
    // How a file of O_TMPFILE gets a name: by its descriptor, which the superuser may also name by itself (open(2)).
    let own = from.strip_prefix(b"/proc/self/fd/").and_then(number).filter(|_| flags & AT_SYMLINK_FOLLOW != 0);
    let open = match own {
        None if from.is_empty() && flags & AT_EMPTY_PATH != 0 => {
            if syscall::get_credentials()?.euid != 0 {
                return Err(Errno::ENOENT);
            }
            Some(a[0] as i32)
        }
        own => own,
    };
    match open {
        Some(fd) => Call::new(OP_LINK, [AT_EMPTY_PATH, 0, 0]).send_paths((fd, b""), (a[2] as i32, path(a[3])?)),
        None => two(OP_LINK, a[4], [a[0], a[1], a[2], a[3]]),
    }
}

pub unsafe fn link(a: Args) -> Result {
    two(OP_LINK, 0, [CWD, a[0], CWD, a[1]])
}

pub unsafe fn symlinkat(a: Args) -> Result {
    let target = string(a[0])?;
    if target.is_empty() {
        return Err(Errno::ENOENT);
    }
    Call::new(OP_SYMLINK, [0; 3]).lend(target).send_path(a[1] as i32, path(a[2])?)
}

pub unsafe fn symlink(a: Args) -> Result {
    symlinkat([a[0], CWD, a[1], 0, 0, 0])
}

pub unsafe fn fchmodat(a: Args) -> Result {
    Target::of(a[0], a[1], 0)?.operate(OP_CHMOD, [umask_free(a[2]), 0, 0])
}

pub unsafe fn chmod(a: Args) -> Result {
    fchmodat([CWD, a[0], a[1], 0, 0, 0])
}

pub unsafe fn fchownat(a: Args) -> Result {
    let flags = a[4] as u64 & AT_SYMLINK_NOFOLLOW;
    Target::of(a[0], a[1], a[4])?.operate(OP_CHOWN, [u64::from(a[2] as u32), u64::from(a[3] as u32), flags])
}

pub unsafe fn chown(a: Args) -> Result {
    fchownat([CWD, a[0], a[1], a[2], 0, 0])
}

pub unsafe fn lchown(a: Args) -> Result {
    fchownat([CWD, a[0], a[1], a[2], AT_SYMLINK_NOFOLLOW as usize, 0])
}

/// A time for OP_UTIMENS.
fn file_time(time: timespec) -> Result<u64> {
    match (time.tv_sec, time.tv_nsec) {
        (_, libc::UTIME_NOW) => Ok(u64::MAX),
        (_, libc::UTIME_OMIT) => Ok(u64::MAX - 1),
        (seconds, ns @ 0..1_000_000_000) => {
            // Times before 1970 are kept as 1970.
            Ok((seconds.max(0) as u64).saturating_mul(1_000_000_000).saturating_add(ns as u64).min(u64::MAX - 2))
        }
        _ => Err(Errno::EINVAL),
    }
}

pub unsafe fn utimensat(a: Args) -> Result {
    let times = match get_opt::<[timespec; 2]>(a[2])? {
        Some([access, change]) => [file_time(access)?, file_time(change)?],
        None => [u64::MAX; 2],
    };
    // Without a path the descriptor is meant (futimens).
    let target = if a[1] == 0 { Target::Open(a[0]) } else { Target::of(a[0], a[1], a[3])? };
    target.operate(OP_UTIMENS, [times[0], times[1], a[3] as u64 & AT_SYMLINK_NOFOLLOW])
}

pub unsafe fn truncate(a: Args) -> Result {
    if (a[1] as isize) < 0 {
        return Err(Errno::EINVAL);
    }
    Target::of(CWD, a[0], 0)?.operate(OP_TRUNCATE, [a[1] as u64, 0, 0])
}

pub unsafe fn statfs(a: Args) -> Result {
    let out = bytes_mut(a[1], size_of::<libc::statfs>())?;
    Target::of(CWD, a[0], 0)?.send(Call::new(OP_STATFS, [0; 3]).output(out))?;
    Ok(0)
}

pub unsafe fn chdir(a: Args) -> Result {
    let dir = open_directory(AT_FDCWD, path(a[0])?)?;
    syscall::fchdir(dir.get())?;
    Ok(0)
}

/// Opens a directory to work relative to it.
pub fn open_directory(from: i32, path: &[u8]) -> Result<ochre_rt::OwnedFd> {
    syscall::openat(from, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0).map(ochre_rt::OwnedFd::new)
}

/// Where a struct stat has the number of links.
const NLINK: usize = core::mem::offset_of!(Stat, nlink);

pub unsafe fn getcwd(a: Args) -> Result {
    let room = a[1].checked_sub(1).ok_or(Errno::ERANGE)?;
    // A folder that was removed has no path any more.
    let mut stat = [0; size_of::<Stat>()];
    let known = Call::new(OP_STAT, [0; 3]).output(&mut stat).send_path(AT_FDCWD, b".");
    let links =
        stat.as_slice().get(NLINK..).and_then(|bytes| bytes.first_chunk()).map_or(1, |n| u64::from_ne_bytes(*n));
    if known.is_ok() && links == 0 {
        return Err(Errno::ENOENT);
    }
    let len = native(sys::GETCWD, [a[0], room, 0, 0, 0, 0])?;
    put(a[0] + len, 0u8)?;
    Ok(len + 1)
}
