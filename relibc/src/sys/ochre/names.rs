//! Names of AF_UNIX sockets: unix(7). A path is a file's, and its server keeps what leads to the socket; abstract names are ipcd's.

use super::{Result, bytes, get};
use libc::sa_family_t;
use ochre_rt::abi::Errno;
use ochre_rt::abi::call::{OP_MKNOD, OP_REACH};
use ochre_rt::abi::file::{AT_FDCWD, S_IFSOCK};
use ochre_rt::call::Call;
use ochre_rt::{OwnedFd, syscall};

/// Bytes of an address behind its family: sun_path, and a NUL behind a path that fills it.
pub const NAME_LEN_MAX: usize = 109;
const PATH_MAX: usize = 108;
const FAMILY: usize = size_of::<sa_family_t>();
/// Where ipcd serves names.
const PLACE: &[u8] = b"/scheme/ipc/";
/// ipcd may be on its way back: a call that it had taken ends with EIO, and is made again.
const TRIES: usize = 8;

/// An address.
pub enum Name<'a> {
    /// Whatever is free (autobind).
    Any,
    /// A path, without a NUL.
    Path(&'a [u8]),
    /// Behind the first NUL.
    Abstract(&'a [u8]),
}

impl<'a> Name<'a> {
    /// Reads a struct sockaddr_un. EINVAL: another family, or a wrong length.
    pub unsafe fn read(pointer: usize, len: u32) -> Result<Name<'a>> {
        let len = len as usize;
        if len < FAMILY || len > FAMILY + PATH_MAX {
            return Err(Errno::EINVAL);
        }
        if get::<sa_family_t>(pointer)? != libc::AF_UNIX as sa_family_t {
            return Err(Errno::EINVAL);
        }
        let name = bytes(pointer + FAMILY, len - FAMILY)?;
        Ok(match name.split_first() {
            None => Name::Any,
            Some((0, rest)) => Name::Abstract(rest),
            Some(_) => Name::Path(name.split(|byte| *byte == 0).next().unwrap_or(&[])),
        })
    }
}

/// The path that ipcd knows an abstract name by.
struct Digits {
    path: [u8; PLACE.len() + 2 * PATH_MAX],
    len: usize,
}

impl Digits {
    fn new(kind: i32, name: &[u8]) -> Digits {
        let mut digits = Digits { path: [0; PLACE.len() + 2 * PATH_MAX], len: 0 };
        digits.push(PLACE);
        digits.push(&[b'0' + kind as u8]);
        for byte in name {
            let digit = |value: u8| b"0123456789abcdef"[usize::from(value & 15)];
            digits.push(&[digit(byte >> 4), digit(*byte)]);
        }
        digits
    }

    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(place) = self.path.get_mut(self.len) {
                *place = *byte;
                self.len += 1;
            }
        }
    }

    fn path(&self) -> &[u8] {
        self.path.get(..self.len).unwrap_or(&[])
    }
}

/// Asks ipcd, or the next one if it ends meanwhile.
fn ask(mut call: impl FnMut() -> Result) -> Result {
    for _ in 1..TRIES {
        match call() {
            Err(Errno::EIO) => {}
            answer => return answer,
        }
    }
    call()
}

/// A reference to the socket of a type (SO_TYPE) that has the name: ECONNREFUSED, and for a path ENOENT, EACCES and the like.
pub fn reach(kind: i32, name: &Name<'_>) -> Result<OwnedFd> {
    let fd = match name {
        Name::Any => return Err(Errno::EINVAL),
        Name::Path(path) => Call::new(OP_REACH, [0; 3]).send_path(AT_FDCWD, path).map_err(|error| match error {
            // A server without such names.
            Errno::ENOSYS => Errno::ECONNREFUSED,
            error => error,
        })?,
        Name::Abstract(name) => {
            let digits = Digits::new(kind, name);
            ask(|| Call::new(OP_REACH, [0; 3]).send_path(AT_FDCWD, digits.path()))?
        }
    };
    Ok(OwnedFd::new(fd as i32))
}

/// bind(2) of a socket of a type (SO_TYPE): EADDRINUSE, EINVAL if the socket has a name.
pub fn bind(fd: i32, kind: i32, name: &Name<'_>, mode: u64) -> Result<()> {
    // First the socket, which has one name only; taken back if nobody can be found by it.
    let mut address = [0; NAME_LEN_MAX];
    let (start, bytes, end) = match name {
        Name::Any => return bind_any(fd, kind),
        Name::Path(path) => (0, *path, path.len() + 1),
        Name::Abstract(rest) => (1, *rest, rest.len() + 1),
    };
    for (to, from) in address.iter_mut().skip(start).zip(bytes) {
        *to = *from;
    }
    syscall::set_socket_name(fd, address.get(..end).ok_or(Errno::EINVAL)?)?;
    let node = [u64::from(S_IFSOCK) | mode, 0, 0];
    let bound = match name {
        Name::Abstract(rest) => {
            let digits = Digits::new(kind, rest);
            ask(|| Call::new(OP_MKNOD, node).fds(&[fd]).send_path(AT_FDCWD, digits.path()))
        }
        Name::Path(path) => Call::new(OP_MKNOD, node).fds(&[fd]).send_path(AT_FDCWD, path),
        Name::Any => Err(Errno::EINVAL),
    };
    match bound {
        Ok(_) => Ok(()),
        Err(error) => {
            syscall::set_socket_name(fd, &[])?;
            Err(if error == Errno::EEXIST { Errno::EADDRINUSE } else { error })
        }
    }
}

/// bind(2) without a wish: an abstract name of five digits. As on Linux, nothing happens to a socket that has a name.
pub fn bind_any(fd: i32, kind: i32) -> Result<()> {
    if syscall::socket_name(fd, false, &mut [])? > 0 {
        return Ok(());
    }
    let mut address = [0; NAME_LEN_MAX];
    let mut any = Digits::new(kind, &[]);
    any.push(b"any");
    let len = ask(|| {
        let output = address.get_mut(1..).unwrap_or_default();
        let node = [u64::from(S_IFSOCK), 0, 0];
        Call::new(OP_MKNOD, node).fds(&[fd]).output(output).send_path(AT_FDCWD, any.path())
    })?;
    syscall::set_socket_name(fd, address.get(..len + 1).ok_or(Errno::EIO)?)
}
