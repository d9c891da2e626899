//! A file descriptor that closes itself.

use crate::syscall;

/// A descriptor of this process that is closed when the value is dropped.
///
/// It holds an index, no memory: a wrong index is EBADF, never undefined behaviour, so making one is safe.
#[derive(Debug, PartialEq, Eq)]
pub struct OwnedFd(i32);

impl OwnedFd {
    /// Takes over `fd`.
    pub const fn new(fd: i32) -> Self {
        Self(fd)
    }

    /// The descriptor's number, still owned by `self`.
    pub const fn get(&self) -> i32 {
        self.0
    }

    /// Gives the descriptor up without closing it.
    pub const fn into_raw(self) -> i32 {
        let fd = self.0;
        core::mem::forget(self);
        fd
    }
}

impl Drop for OwnedFd {
    fn drop(&mut self) {
        // The descriptor is gone whatever close says (as on Linux), so there is nothing to do about an error.
        let _ = syscall::close(self.0);
    }
}
