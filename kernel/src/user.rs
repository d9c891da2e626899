//! Memory of the current process: checked copies that bring absent pages in.
//!
//! hal's copies stop at the first address that the page table does not allow. Here the current address space then gets its say
//! (demand paging, copy-on-write), and the copy starts over; copies are idempotent, so starting over is harmless.
//! All of this may block on a pager: never with a [`hal::SpinLock`] held.

use crate::{stats, thread};
use hal::mem::Frame;
use hal::user::Fault;
use ochre_abi::layout::USER_END;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Runs a hal access until it succeeds or the address space refuses the address (EFAULT).
fn resolve<T>(mut access: impl FnMut() -> core::result::Result<T, Fault>) -> Result<T> {
    loop {
        match access() {
            Ok(value) => return Ok(value),
            Err(fault) => {
                let space = thread::current().process.space();
                space.fault(fault.addr, fault.write, false).map_err(|_| Errno::EFAULT)?;
            }
        }
    }
}

/// Copies from user memory.
pub fn copy_in(dst: &mut [u8], src: u64) -> Result<()> {
    stats::copied(dst.len());
    resolve(|| hal::user::copy_from_user(dst, src as usize))
}

/// Copies to user memory.
pub fn copy_out(dst: u64, src: &[u8]) -> Result<()> {
    stats::copied(src.len());
    resolve(|| hal::user::copy_to_user(dst as usize, src))
}

/// Reads one value.
pub fn read<T: FromBytes>(addr: u64) -> Result<T> {
    resolve(|| hal::user::read_user(addr as usize))
}

/// Writes one value.
pub fn write<T: IntoBytes + Immutable>(addr: u64, value: &T) -> Result<()> {
    resolve(|| hal::user::write_user(addr as usize, value))
}

/// Copies from user memory into a page.
pub fn frame_in(frame: &Frame, offset: usize, src: u64, len: usize) -> Result<()> {
    stats::copied(len);
    resolve(|| hal::user::copy_user_to_frame(frame, offset, src as usize, len))
}

/// Copies from a page to user memory.
pub fn frame_out(dst: u64, frame: &Frame, offset: usize, len: usize) -> Result<()> {
    stats::copied(len);
    resolve(|| hal::user::copy_frame_to_user(dst as usize, frame, offset, len))
}

/// Clears user memory.
pub fn zero(dst: u64, len: usize) -> Result<()> {
    resolve(|| hal::user::zero_user(dst as usize, len))
}

/// Reads a futex word.
pub fn load_u32(addr: u64) -> Result<u32> {
    resolve(|| hal::user::load_u32(addr as usize))
}

/// Atomic compare and exchange of a futex word; the inner result is as `AtomicU32::compare_exchange`'s.
pub fn compare_exchange_u32(addr: u64, current: u32, new: u32) -> Result<core::result::Result<u32, u32>> {
    resolve(|| hal::user::compare_exchange_u32(addr as usize, current, new))
}

/// A range of the current process's memory that a syscall was given.
#[derive(Clone, Copy, Debug)]
pub struct UserSlice {
    /// First address.
    pub addr: u64,
    /// Bytes.
    pub len: usize,
}

impl UserSlice {
    /// EFAULT if the range leaves the user half. Whether something is mapped there shows at the access.
    pub fn new(addr: u64, len: u64) -> Result<UserSlice> {
        match addr.checked_add(len) {
            Some(end) if end <= USER_END as u64 + 0x2000 => Ok(UserSlice { addr, len: len as usize }),
            _ if len == 0 => Ok(UserSlice { addr: 0, len: 0 }),
            _ => Err(Errno::EFAULT),
        }
    }

    /// The part from `offset` on, `len` bytes at the most.
    pub fn part(&self, offset: usize, len: usize) -> UserSlice {
        let offset = offset.min(self.len);
        UserSlice { addr: self.addr + offset as u64, len: len.min(self.len - offset) }
    }

    /// Copies from `offset` of the range; EFAULT if that leaves it.
    pub fn copy_in(&self, offset: usize, dst: &mut [u8]) -> Result<()> {
        copy_in(dst, self.checked(offset, dst.len())?)
    }

    /// Copies to `offset` of the range; EFAULT if that leaves it.
    pub fn copy_out(&self, offset: usize, src: &[u8]) -> Result<()> {
        copy_out(self.checked(offset, src.len())?, src)
    }

    fn checked(&self, offset: usize, len: usize) -> Result<u64> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len => Ok(self.addr + offset as u64),
            _ => Err(Errno::EFAULT),
        }
    }
}
