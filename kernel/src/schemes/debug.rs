//! `/scheme/debug`: the serial ports, raw. `debug` is COM1, which the kernel log shares; `debug/com2` is COM2.

use super::{KernelScheme, irq};
use crate::file::{File, Object};
use crate::io::{anonymous_stat, answer_stat};
use crate::log;
use crate::readiness::Readiness;
use crate::thread::Thread;
use crate::user::UserSlice;
use crate::wait::WaitQueue;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering::SeqCst};
use hal::SpinLock;
use hal::serial::{COM1, COM2, Serial};
use ochre_abi::call::{CallArgs, OP_STAT};
use ochre_abi::event::{EPOLLIN, EPOLLOUT};
use ochre_abi::file::{S_IFCHR, Stat};
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// Received bytes that wait for a reader; further ones are lost.
const BUFFER: usize = 4096;
/// Bytes of one write: the port is slow, and nothing else runs on this CPU meanwhile.
const WRITE_MAX: usize = 4096;

/// The scheme.
pub struct Debug;

impl KernelScheme for Debug {
    fn open(&self, _me: &Arc<Thread>, path: &[u8], _flags: u32) -> Result<Arc<dyn Object>> {
        match path {
            b"" | b"com1" => Ok(console()),
            b"com2" => Ok(Arc::new(Port(&SECOND))),
            _ => Err(Errno::ENOENT),
        }
    }
}

struct Line {
    serial: &'static Serial,
    /// Somebody wants input, so that its interrupt is on.
    listening: AtomicBool,
    received: SpinLock<VecDeque<u8>>,
    readers: WaitQueue,
    readiness: Readiness,
}

impl Line {
    const fn new(serial: &'static Serial) -> Line {
        Line {
            serial,
            listening: AtomicBool::new(false),
            received: SpinLock::new(VecDeque::new()),
            readers: WaitQueue::new(),
            readiness: Readiness::new(EPOLLOUT),
        }
    }

    fn listen(&self, handler: fn()) {
        if !self.listening.swap(true, SeqCst) {
            match self.serial.enable_interrupt() {
                Ok(vector) => irq::handle(vector, handler),
                Err(error) => log::write(hal::Level::Warn, format_args!("serial input: no interrupt: {error:?}")),
            }
        }
    }

    fn interrupt(&self) {
        let mut received = self.received.lock();
        while let Some(byte) = self.serial.read() {
            if received.len() < BUFFER {
                received.push_back(byte);
            }
        }
        if !received.is_empty() {
            self.readiness.raise(EPOLLIN);
            drop(received);
            self.readers.wake_one();
        }
    }

    /// Takes up to 64 received bytes.
    fn take(&self, max: usize, nonblocking: bool) -> Option<Result<([u8; 64], usize)>> {
        let mut received = self.received.lock();
        if received.is_empty() {
            return nonblocking.then_some(Err(Errno::EAGAIN));
        }
        let mut bytes = [0; 64];
        let mut len = 0;
        while len < max.min(bytes.len()) {
            let Some(byte) = received.pop_front() else { break };
            bytes[len] = byte;
            len += 1;
        }
        if received.is_empty() {
            self.readiness.clear(EPOLLIN);
        }
        Some(Ok((bytes, len)))
    }
}

static FIRST: Line = Line::new(&COM1);
static SECOND: Line = Line::new(&COM2);

struct Port(&'static Line);

/// The console, COM1.
pub fn console() -> Arc<dyn Object> {
    Arc::new(Port(&FIRST))
}

impl Port {
    fn is_console(&self) -> bool {
        core::ptr::eq(self.0, &FIRST)
    }

    fn listen(&self) {
        let handler: fn() = if self.is_console() { || FIRST.interrupt() } else { || SECOND.interrupt() };
        self.0.listen(handler);
    }
}

impl Object for Port {
    fn kind(&self) -> &'static str {
        "serial"
    }

    fn read(&self, file: &File, to: UserSlice, _offset: Option<u64>) -> Result<usize> {
        if to.len == 0 {
            return Ok(0);
        }
        self.listen();
        let nonblocking = file.nonblocking();
        let (bytes, len) = self.0.readers.wait_until(None, || self.0.take(to.len, nonblocking))??;
        to.copy_out(0, &bytes[..len])?;
        Ok(len)
    }

    fn write(&self, _file: &File, from: UserSlice, _offset: Option<u64>) -> Result<usize> {
        let len = from.len.min(WRITE_MAX);
        let mut bytes = [0u8; 256];
        let mut done = 0;
        while done < len {
            let part = (len - done).min(bytes.len());
            match from.copy_in(done, &mut bytes[..part]) {
                Ok(()) => {}
                Err(_) if done > 0 => break,
                Err(error) => return Err(error),
            }
            if self.is_console() {
                log::console(&bytes[..part])
            } else {
                self.0.serial.write(&bytes[..part])
            }
            done += part;
        }
        Ok(done)
    }

    fn stat(&self, file: &File) -> Result<Stat> {
        Ok(Stat { ino: file.path_inode(), ..anonymous_stat(S_IFCHR | 0o600, 0) })
    }

    fn call(&self, file: &File, args: &CallArgs) -> Result<usize> {
        match args.op as u16 {
            OP_STAT => answer_stat(&self.stat(file)?, args),
            ochre_abi::call::OP_IOCTL => Err(Errno::ENOTTY),
            _ => Err(Errno::EINVAL),
        }
    }

    fn readiness(&self) -> Option<&Readiness> {
        self.listen();
        Some(&self.0.readiness)
    }
}
