//! ioctl(2), as C programs call it.

use std::io::{Error, Result};
use std::os::fd::AsRawFd;

/// Calls with a pointer to a buffer, which must be as large as the request says; the call's value.
pub fn ioctl<const N: usize>(file: &impl AsRawFd, request: u64, buffer: &mut [u8; N]) -> Result<i32> {
    // SAFETY: the descriptor is open; the requests of these tests write no more than the buffer's bytes.
    let value = unsafe { libc::ioctl(file.as_raw_fd(), request, buffer.as_mut_ptr()) };
    if value < 0 { Err(Error::last_os_error()) } else { Ok(value) }
}

/// Calls with a number.
pub fn command(file: &impl AsRawFd, request: u64, argument: u64) -> Result<i32> {
    // SAFETY: the descriptor is open; these requests take no pointer.
    let value = unsafe { libc::ioctl(file.as_raw_fd(), request, argument) };
    if value < 0 { Err(Error::last_os_error()) } else { Ok(value) }
}
