//! `/scheme/memory/ports/BASE/LENGTH` (hexadecimal): a range of I/O ports, for one driver at a time. Needs RIGHT_DEVICE.
//!
//! pread and pwrite of 1, 2 or 4 bytes are one `in` or `out` at BASE + offset. EINVAL: another length, or out of the range. Opening is EPERM
//! for ports that the kernel drives itself, and for those that somebody has open.

use crate::file::{File, Object};
use crate::user::{self, UserSlice};
use alloc::sync::Arc;
use hal::io::Ports;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// An open range.
pub struct PortRange(Ports);

impl PortRange {
    /// ENOENT: no such ports; EPERM.
    pub fn open(base: u64, len: u64) -> Result<Arc<dyn Object>> {
        let base = u16::try_from(base).map_err(|_| Errno::ENOENT)?;
        let len = u16::try_from(len).ok().filter(|len| *len > 0).ok_or(Errno::ENOENT)?;
        Ok(Arc::new(PortRange(Ports::claim(base, len).ok_or(Errno::EPERM)?)))
    }
}

fn port(offset: Option<u64>) -> Result<u16> {
    u16::try_from(offset.unwrap_or(0)).map_err(|_| Errno::EINVAL)
}

impl Object for PortRange {
    fn kind(&self) -> &'static str {
        "ports"
    }

    fn read(&self, _file: &File, to: UserSlice, offset: Option<u64>) -> Result<usize> {
        let at = port(offset)?;
        // A read of a port may change the device: nothing is read that could not be handed over.
        user::zero(to.addr, to.len.min(4))?;
        match to.len {
            1 => user::write(to.addr, &self.0.in8(at).ok_or(Errno::EINVAL)?)?,
            2 => user::write(to.addr, &self.0.in16(at).ok_or(Errno::EINVAL)?)?,
            4 => user::write(to.addr, &self.0.in32(at).ok_or(Errno::EINVAL)?)?,
            _ => return Err(Errno::EINVAL),
        }
        Ok(to.len)
    }

    fn write(&self, _file: &File, from: UserSlice, offset: Option<u64>) -> Result<usize> {
        let at = port(offset)?;
        let written = match from.len {
            1 => self.0.out8(at, user::read(from.addr)?),
            2 => self.0.out16(at, user::read(from.addr)?),
            4 => self.0.out32(at, user::read(from.addr)?),
            _ => None,
        };
        written.map(|()| from.len).ok_or(Errno::EINVAL)
    }

    fn takes_offsets(&self) -> bool {
        true
    }
}
