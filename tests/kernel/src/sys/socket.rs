//! sendmsg(2) and recvmsg(2) with descriptors, and reading to where nothing is mapped.

use ochre_rt::{Errno, Result, syscall};

/// struct msghdr.
#[repr(C)]
struct Header {
    name: u64,
    name_len: u64,
    vectors: *const [u64; 2],
    count: u64,
    control: *mut u64,
    control_len: u64,
    flags: u64,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes of data.
    pub len: usize,
    /// Bytes of control messages.
    pub control_len: u64,
    /// msg_flags.
    pub flags: u32,
}

/// Sends data with descriptors (SCM_RIGHTS).
pub fn send(fd: i32, data: &[u8], fds: &[i32]) -> Result<usize> {
    let mut control = vec![0u64; 2 + fds.len().div_ceil(2)];
    let len = 16 + 4 * fds.len() as u64;
    // cmsg_len; SOL_SOCKET (1) and SCM_RIGHTS (1).
    control[0] = len;
    control[1] = 1 | 1 << 32;
    for (i, fd) in fds.iter().enumerate() {
        control[2 + i / 2] |= u64::from(*fd as u32) << (32 * (i % 2));
    }
    let vectors = [data.as_ptr() as u64, data.len() as u64];
    let control_len = if fds.is_empty() { 0 } else { len };
    let header = Header {
        name: 0,
        name_len: 0,
        vectors: &raw const vectors,
        count: 1,
        control: control.as_mut_ptr(),
        control_len,
        flags: 0,
    };
    syscall::sendmsg_raw(fd, (&raw const header).cast(), 0)
}

/// Receives data, and control messages into at most `control_len` bytes of `control`.
pub fn receive(fd: i32, data: &mut [u8], control: &mut [u64], control_len: usize, flags: u32) -> Result<Received> {
    if control_len > size_of_val(control) {
        return Err(Errno::EINVAL);
    }
    let vectors = [data.as_mut_ptr() as u64, data.len() as u64];
    let control_len = control_len as u64;
    let mut header = Header {
        name: 0,
        name_len: 0,
        vectors: &raw const vectors,
        count: 1,
        control: control.as_mut_ptr(),
        control_len,
        flags: 0,
    };
    // SAFETY: data and control are borrowed mutably, the lengths are theirs, and the header is a local variable.
    let len = unsafe { syscall::recvmsg_raw(fd, (&raw mut header).cast(), flags) }?;
    Ok(Received { len, control_len: header.control_len, flags: header.flags as u32 })
}

/// A socket's option of level SOL_SOCKET; how many words of the value were written.
pub fn option(fd: i32, name: u32, value: &mut [u32; 4]) -> Result<usize> {
    let mut len = size_of_val(value) as u32;
    // SAFETY: as many bytes as `value` has.
    unsafe { syscall::socket_option(fd, 1, name, value.as_mut_ptr().cast(), &raw mut len, false) }?;
    Ok(len as usize / 4)
}

/// Sets an option of level SOL_SOCKET.
pub fn set_option(fd: i32, name: u32, value: &[u32]) -> Result<()> {
    let mut len = size_of_val(value) as u32;
    // SAFETY: setting only reads.
    unsafe { syscall::socket_option(fd, 1, name, value.as_ptr().cast_mut().cast(), &raw mut len, true) }
}

/// read(2) to an address at which nothing is mapped.
pub fn read_to_nowhere(fd: i32, address: usize) -> Result<usize> {
    // SAFETY: below the lowest address that can be mapped, so the kernel writes nothing.
    unsafe { syscall::read_raw(fd, core::ptr::without_provenance_mut(address.min(0x1000)), 5) }
}
