//! Calls to schemes, safely: a builder that borrows what it lends.

use crate::syscall;
use core::marker::PhantomData;
use ochre_abi::call::{CallArgs, PathPair, WINDOW_READ, WINDOW_WRITE, WINDOWS_MAX, Window};
use ochre_abi::{Errno, Result};

/// An operation with what it lends to the server, to be sent to a handle or a path.
#[derive(Debug)]
pub struct Call<'a> {
    args: CallArgs,
    windows: [Window; WINDOWS_MAX],
    lent: PhantomData<&'a mut [u8]>,
}

impl<'a> Call<'a> {
    /// An operation of [`ochre_abi::call`] (`OP_`) with its arguments.
    pub fn new(op: u16, args: [u64; 3]) -> Self {
        Self {
            args: CallArgs { op: op.into(), args, ..CallArgs::default() },
            windows: [Window::default(); WINDOWS_MAX],
            lent: PhantomData,
        }
    }

    /// The payload, up to [`ochre_abi::call::PAYLOAD_MAX`] bytes. Not with a path.
    pub fn input(mut self, data: &'a [u8]) -> Self {
        self.args.input = data.as_ptr() as u64;
        self.args.input_len = data.len() as u64;
        self
    }

    /// Where an answer's payload goes.
    pub fn output(mut self, buffer: &'a mut [u8]) -> Self {
        self.args.output = buffer.as_mut_ptr() as u64;
        self.args.output_len = buffer.len() as u64;
        self
    }

    /// Another window: memory that the server may copy from.
    pub fn lend(self, data: &'a [u8]) -> Self {
        self.window(data.as_ptr() as u64, data.len(), WINDOW_READ)
    }

    /// Another window: memory that the server may copy to and from.
    pub fn lend_mut(self, buffer: &'a mut [u8]) -> Self {
        self.window(buffer.as_mut_ptr() as u64, buffer.len(), WINDOW_READ | WINDOW_WRITE)
    }

    /// Descriptors that go along; the server gets copies.
    pub fn fds(mut self, fds: &'a [i32]) -> Self {
        self.args.fds = fds.as_ptr() as u64;
        self.args.fd_count = fds.len() as u64;
        self
    }

    /// Sends it to the handle behind `fd`.
    pub fn send(&mut self, fd: i32) -> Result<usize> {
        let args = self.finish()?;
        // SAFETY: the builder borrows all that it lends, buffers to be written mutably, until it is dropped.
        unsafe { syscall::call(fd, &args) }
    }

    /// Sends it to the scheme of a path, which is the payload.
    pub fn send_path(&mut self, dirfd: i32, path: &[u8]) -> Result<usize> {
        let args = self.finish()?;
        // SAFETY: as in `send`.
        unsafe { syscall::path_call(dirfd, path, &args) }
    }

    /// Sends it to the scheme of two paths (rename, link).
    pub fn send_paths(&mut self, (dirfd, path): (i32, &[u8]), (dirfd2, path2): (i32, &[u8])) -> Result<usize> {
        let args = self.finish()?;
        let pair = PathPair {
            dirfd,
            dirfd2,
            path: path.as_ptr() as u64,
            path_len: path.len() as u64,
            path2: path2.as_ptr() as u64,
            path2_len: path2.len() as u64,
        };
        // SAFETY: as in `send`; the paths are only read.
        unsafe { syscall::path_call2(&pair, &args) }
    }

    fn window(mut self, addr: u64, len: usize, access: u64) -> Self {
        let index = self.args.window_count as usize;
        if let Some(window) = self.windows.get_mut(index) {
            *window = Window { addr, len: len as u64, access };
        }
        // One too many is noticed when the call is sent.
        self.args.window_count += 1;
        self
    }

    fn finish(&self) -> Result<CallArgs> {
        if self.args.window_count as usize > WINDOWS_MAX {
            return Err(Errno::EINVAL);
        }
        Ok(CallArgs { windows: self.windows.as_ptr() as u64, ..self.args })
    }
}
