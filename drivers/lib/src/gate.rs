//! What a server asks of the kernel, as a trait, so that tests can play the kernel.

use ochre_abi::Result;
use ochre_abi::call::{CallerInfo, PortNext};
use ochre_rt::{OwnedFd, syscall};

/// The system calls on a port. The functions are those of [`ochre_rt::syscall`] without the port's fd.
pub trait Gate: Send + Sync {
    /// Answers with the region's first completions, then waits for requests.
    fn reply_receive(&self, completions: usize, flags: u64, timeout: u64) -> Result<usize>;
    /// Answers one request from any thread.
    fn answer_one(&self, tag: u64, result: i64) -> Result<()>;
    /// Copies from a window.
    fn window_read(&self, tag: u64, window: u32, offset: u64, local: &mut [u8]) -> Result<usize>;
    /// Copies to a window.
    fn window_write(&self, tag: u64, window: u32, offset: u64, local: &[u8]) -> Result<usize>;
    /// A descriptor that came along, close-on-exec.
    fn take_fd(&self, tag: u64, index: u32) -> Result<OwnedFd>;
    /// More about the caller.
    fn caller_info(&self, tag: u64) -> Result<CallerInfo>;
    /// The caller's supplementary groups: those that fit, and how many there are.
    fn caller_groups(&self, tag: u64, groups: &mut [u32]) -> Result<usize>;
    /// Readiness of a handle.
    fn ready(&self, handle: u64, set: u32, clear: u32) -> Result<()>;
    /// The object that serves a handle's reads and maps.
    fn attach(&self, handle: u64, object: i32, size: u64) -> Result<()>;
    /// What the port has.
    fn next(&self, next: &mut PortNext) -> Result<()>;
    /// Keeps a memory object for the successors (−1: no longer).
    fn park(&self, key: u64, object: i32) -> Result<()>;
    /// Is done with a handle that is still open.
    fn drop_handle(&self, handle: u64) -> Result<()>;
}

/// The kernel's port.
#[derive(Debug)]
pub struct KernelGate(pub OwnedFd);

impl Gate for KernelGate {
    fn reply_receive(&self, completions: usize, flags: u64, timeout: u64) -> Result<usize> {
        syscall::reply_receive(self.0.get(), completions, flags, timeout)
    }

    fn answer_one(&self, tag: u64, result: i64) -> Result<()> {
        syscall::answer_one(self.0.get(), tag, result)
    }

    fn window_read(&self, tag: u64, window: u32, offset: u64, local: &mut [u8]) -> Result<usize> {
        syscall::window_read(self.0.get(), tag, window, offset, local)
    }

    fn window_write(&self, tag: u64, window: u32, offset: u64, local: &[u8]) -> Result<usize> {
        syscall::window_write(self.0.get(), tag, window, offset, local)
    }

    fn take_fd(&self, tag: u64, index: u32) -> Result<OwnedFd> {
        syscall::take_fd(self.0.get(), tag, index, ochre_abi::file::O_CLOEXEC).map(OwnedFd::new)
    }

    fn caller_info(&self, tag: u64) -> Result<CallerInfo> {
        syscall::caller_info(self.0.get(), tag)
    }

    fn caller_groups(&self, tag: u64, groups: &mut [u32]) -> Result<usize> {
        syscall::caller_groups(self.0.get(), tag, groups)
    }

    fn ready(&self, handle: u64, set: u32, clear: u32) -> Result<()> {
        syscall::handle_ready(self.0.get(), handle, set, clear)
    }

    fn attach(&self, handle: u64, object: i32, size: u64) -> Result<()> {
        syscall::handle_attach(self.0.get(), handle, object, size)
    }

    fn next(&self, next: &mut PortNext) -> Result<()> {
        syscall::port_next(self.0.get(), next)
    }

    fn park(&self, key: u64, object: i32) -> Result<()> {
        syscall::port_park(self.0.get(), key, object)
    }

    fn drop_handle(&self, handle: u64) -> Result<()> {
        syscall::handle_drop(self.0.get(), handle)
    }
}
