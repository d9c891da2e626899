//! The other side: calling a scheme's own operations.

use ochre_abi::file::{AT_FDCWD, O_CLOEXEC};
use ochre_abi::{Errno, Result};
use ochre_rt::call::Call;
use ochre_rt::{OwnedFd, syscall};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// An open handle of a scheme.
#[derive(Debug)]
pub struct Client(OwnedFd);

impl Client {
    /// Opens a path such as `/scheme/log`, close-on-exec.
    pub fn open(path: &str, flags: u32) -> Result<Self> {
        syscall::openat(AT_FDCWD, path.as_bytes(), flags | O_CLOEXEC, 0).map(|fd| Self(OwnedFd::new(fd)))
    }

    /// The handle's descriptor.
    pub fn fd(&self) -> i32 {
        self.0.get()
    }

    /// An operation with arguments only; the answer's value.
    pub fn value(&self, op: u16, args: [u64; 3]) -> Result<usize> {
        Call::new(op, args).send(self.fd())
    }

    /// An operation that takes a structure and returns one.
    pub fn exchange<I: IntoBytes + Immutable, O: FromBytes + IntoBytes>(
        &self,
        op: u16,
        args: [u64; 3],
        input: &I,
    ) -> Result<O> {
        let mut output = O::new_zeroed();
        Call::new(op, args).input(input.as_bytes()).output(output.as_mut_bytes()).send(self.fd())?;
        Ok(output)
    }

    /// Another handle, by a name (`dup("listen")`).
    pub fn dup(&self, name: &str) -> Result<Self> {
        syscall::dup_named(self.fd(), name.as_bytes(), O_CLOEXEC).map(|fd| Self(OwnedFd::new(fd)))
    }

    /// Writes all of `data`. EIO if the scheme takes nothing.
    pub fn write_all(&self, mut data: &[u8]) -> Result<()> {
        while !data.is_empty() {
            match syscall::write(self.fd(), data)? {
                0 => return Err(Errno::EIO),
                written => data = data.get(written..).unwrap_or(&[]),
            }
        }
        Ok(())
    }
}
