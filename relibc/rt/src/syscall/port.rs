//! Ports: the server's side of calls.

use super::{address_mut, id, sys, unit};
use ochre_abi::Result;
use ochre_abi::call::{CallerInfo, PortNext, WINDOW_READ, WINDOW_WRITE, WindowCopy};

/// A new port; its region is mapped with mmap at offset 0 ([`ochre_abi::call::REGION_SIZE`] bytes). `flags`: 0 or O_CLOEXEC.
pub fn port_create(flags: u32) -> Result<i32> {
    id(sys!(PORT_CREATE, flags))
}

/// Passes `completions` answers that stand in the region, then waits for requests; how many were announced.
///
/// 0 after the timeout, or at once with [`ochre_abi::syscall::RECEIVE_NOWAIT`]. EINTR: the answers were taken.
pub fn reply_receive(port: i32, completions: usize, flags: u64, timeout: u64) -> Result<usize> {
    sys!(REPLY_RECEIVE, port, completions, flags, timeout)
}

/// Answers one held request from any thread: `tag` and `result` as in a [`ochre_abi::call::Completion`].
pub fn answer_one(port: i32, tag: u64, result: i64) -> Result<()> {
    unit(sys!(REPLY_RECEIVE, port, 0, ochre_abi::syscall::RECEIVE_ANSWER_ONE, 0, tag, result))
}

/// Copies from a window of a held request into `local`; the number of bytes, less at the window's end.
pub fn window_read(port: i32, tag: u64, window: u32, offset: u64, local: &mut [u8]) -> Result<usize> {
    let copy = WindowCopy {
        window,
        direction: WINDOW_READ as u32,
        offset,
        local: local.as_mut_ptr() as u64,
        len: local.len() as u64,
    };
    sys!(WINDOW_COPY, port, tag, core::ptr::from_ref(&copy))
}

/// Copies `local` into a window of a held request; the number of bytes, less at the window's end.
pub fn window_write(port: i32, tag: u64, window: u32, offset: u64, local: &[u8]) -> Result<usize> {
    let copy = WindowCopy {
        window,
        direction: WINDOW_WRITE as u32,
        offset,
        local: local.as_ptr() as u64,
        len: local.len() as u64,
    };
    sys!(WINDOW_COPY, port, tag, core::ptr::from_ref(&copy))
}

/// A descriptor for one that came with a held request. `flags`: 0 or O_CLOEXEC.
pub fn take_fd(port: i32, tag: u64, index: u32, flags: u32) -> Result<i32> {
    id(sys!(TAKE_FD, port, tag, index, flags))
}

/// Who made a held request.
pub fn caller_info(port: i32, tag: u64) -> Result<CallerInfo> {
    let mut info = CallerInfo::default();
    sys!(CALLER_INFO, port, tag, address_mut(Some(&mut info)))?;
    Ok(info)
}

/// The supplementary groups of who made a held request, sorted: those that fit into the buffer, and how many there are.
pub fn caller_groups(port: i32, tag: u64, groups: &mut [u32]) -> Result<usize> {
    sys!(CALLER_GROUPS, port, tag, groups.as_mut_ptr(), groups.len())
}

/// Sets and clears readiness bits (EPOLL*) of a handle of this port.
pub fn handle_ready(port: i32, handle: u64, set: u32, clear: u32) -> Result<()> {
    unit(sys!(HANDLE_READY, port, handle, set, clear))
}

/// Has reads and maps of a handle served from a memory object (−1: no longer) of `size` bytes.
pub fn handle_attach(port: i32, handle: u64, object: i32, size: u64) -> Result<()> {
    unit(sys!(HANDLE_ATTACH, port, handle, object, size))
}

/// Serves /scheme/NAME from the port. `flags`: 0 or [`ochre_abi::syscall::SCHEME_KEEPS`]. Needs RIGHT_SCHEME (EPERM); EEXIST while
/// another port serves it.
pub fn scheme_register(name: &[u8], port: i32, flags: u64) -> Result<()> {
    unit(sys!(SCHEME_REGISTER, name.as_ptr(), name.len(), port, flags))
}

/// Takes over the port of a scheme's name whose server ended and that was registered with SCHEME_KEEPS. Its region is to be mapped anew;
/// calls wait until the first [`reply_receive`]. `flags`: 0 or O_CLOEXEC. ENOENT: there is none; EEXIST: somebody serves it; EPERM.
pub fn port_adopt(name: &[u8], flags: u32) -> Result<i32> {
    id(sys!(PORT_ADOPT, name.as_ptr(), name.len(), flags))
}

/// What the port has, one by one ([`PortNext`]); ENOENT after the last.
pub fn port_next(port: i32, next: &mut PortNext) -> Result<()> {
    unit(sys!(PORT_NEXT, port, address_mut(Some(next))))
}

/// Keeps a memory object at the port for the server's successors, under a key; −1: no longer (ENOENT). EINVAL: it is no memory object;
/// ENOMEM.
pub fn port_park(port: i32, key: u64, object: i32) -> Result<()> {
    unit(sys!(PORT_PARK, port, key, object))
}

/// Is done with a handle of this port that is still open: EIO for its users. EBADF: there is no such handle.
pub fn handle_drop(port: i32, handle: u64) -> Result<()> {
    unit(sys!(HANDLE_DROP, port, handle))
}

/// Has a scheme's name outlive its server (`flags` 1): opens wait for the next one. `flags` 0 gives that up.
pub fn scheme_reserve(name: &[u8], flags: u64) -> Result<()> {
    unit(sys!(SCHEME_RESERVE, name.as_ptr(), name.len(), flags))
}
