//! I/O ports, 16 bits at a time.

use ochre_rt::{OwnedFd, syscall};
use ochre_scheme::Result;
use ochre_scheme::abi::file::{AT_FDCWD, O_CLOEXEC, O_RDWR};

/// A range of ports.
pub trait Ports {
    /// Reads the 16-bit register at an offset.
    fn read(&self, offset: u16) -> Result<u16>;
    /// Writes it.
    fn write(&self, offset: u16, value: u16) -> Result<()>;
}

/// Ports of the machine (`/scheme/memory/ports`), nobody else's while this lives.
#[derive(Debug)]
pub struct Machine(OwnedFd);

impl Machine {
    /// Takes a range. EPERM: somebody else has it, or the kernel keeps it.
    pub fn take(base: u16, len: u16) -> Result<Machine> {
        let path = format!("/scheme/memory/ports/{base:x}/{len:x}");
        syscall::openat(AT_FDCWD, path.as_bytes(), O_RDWR | O_CLOEXEC, 0).map(|fd| Machine(OwnedFd::new(fd)))
    }

    /// Writes the 8-bit register at the range's start.
    pub fn write8(&self, value: u8) -> Result<()> {
        syscall::pwrite(self.0.get(), &[value], 0).map(drop)
    }
}

impl Ports for Machine {
    fn read(&self, offset: u16) -> Result<u16> {
        let mut value = [0; 2];
        syscall::pread(self.0.get(), &mut value, offset.into())?;
        Ok(u16::from_le_bytes(value))
    }

    fn write(&self, offset: u16, value: u16) -> Result<()> {
        syscall::pwrite(self.0.get(), &value.to_le_bytes(), offset.into()).map(drop)
    }
}
