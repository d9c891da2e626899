//! `/scheme/irq`: interrupts for drivers; needs RIGHT_DEVICE.
//!
//! - `irq/N`: ISA line N (0 to 15); `irq/gsi/N`: global system interrupt N, level-triggered and active low, as PCI's are.
//! - `irq/msi`: a vector for message-signalled interrupts; OP_PRIVATE on it answers with {u64 address, u32 data, u32 0} for the device.
//!
//! Reading waits for interrupts and gives their number since the last read (u64). Writing acknowledges: a level-triggered line is
//! masked from its interrupt until then.

use super::text::Directory;
use super::{KernelScheme, components, number};
use crate::file::{File, Object};
use crate::io::need_room;
use crate::readiness::Readiness;
use crate::thread::Thread;
use crate::user::{self, UserSlice};
use crate::wait::WaitQueue;
use alloc::sync::Arc;
use hal::SpinLock;
use hal::irq::{IrqError, Line, Msi};
use ochre_abi::call::{CallArgs, OP_PRIVATE, OP_STAT};
use ochre_abi::event::EPOLLIN;
use ochre_abi::process::RIGHT_DEVICE;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// The scheme.
pub struct Irq;

impl KernelScheme for Irq {
    fn open(&self, me: &Arc<Thread>, path: &[u8], flags: u32) -> Result<Arc<dyn Object>> {
        let mut parts = components(path);
        let (first, second, rest) = (parts.next(), parts.next(), parts.next());
        if first.is_none() {
            let names = (0..16).map(|n| (alloc::format!("{n}"), false));
            return Directory::open(flags, names.chain([("msi".into(), false), ("gsi".into(), true)]));
        }
        me.process.need_right(RIGHT_DEVICE)?;
        need_room(0)?;
        let source = match (first, second, rest) {
            (Some(b"msi"), None, None) => Source::Message(hal::irq::alloc_msi().map_err(errno)?),
            (Some(b"gsi"), Some(n), None) => {
                let gsi = number(n).and_then(|n| u32::try_from(n).ok()).ok_or(Errno::ENOENT)?;
                Source::Line(hal::irq::gsi(gsi, true, true).map_err(errno)?)
            }
            (Some(n), None, None) => {
                let line = number(n).and_then(|n| u8::try_from(n).ok()).ok_or(Errno::ENOENT)?;
                Source::Line(hal::irq::isa(line).map_err(errno)?)
            }
            _ => return Err(Errno::ENOENT),
        };
        Ok(Interrupt::new(source))
    }
}

fn errno(error: IrqError) -> Errno {
    match error {
        IrqError::Busy => Errno::EBUSY,
        IrqError::NoVector => Errno::ENOSPC,
        IrqError::NoSuchLine => Errno::ENOENT,
    }
}

/// Who gets an interrupt.
#[derive(Clone)]
enum Handler {
    Nobody,
    Driver(Arc<Count>),
    Kernel(fn()),
}

static HANDLERS: [SpinLock<Handler>; 256] = [const { SpinLock::new(Handler::Nobody) }; 256];

/// The kernel handles this vector itself: `handler` runs in interrupt context.
pub fn handle(vector: u8, handler: fn()) {
    *HANDLERS[usize::from(vector)].lock() = Handler::Kernel(handler);
}

/// A device interrupted.
pub fn interrupt(vector: u8) {
    let handler = HANDLERS[usize::from(vector)].lock().clone();
    match handler {
        Handler::Nobody => {}
        Handler::Driver(count) => count.interrupt(),
        Handler::Kernel(handler) => handler(),
    }
}

/// Interrupts that no read has told yet.
struct Count {
    count: SpinLock<u64>,
    readers: WaitQueue,
    readiness: Readiness,
}

impl Count {
    fn interrupt(&self) {
        let mut count = self.count.lock();
        *count = count.saturating_add(1);
        self.readiness.raise(EPOLLIN);
        drop(count);
        self.readers.wake_one();
    }

    fn take(&self, nonblocking: bool) -> Option<Result<u64>> {
        let mut count = self.count.lock();
        if *count == 0 {
            return nonblocking.then_some(Err(Errno::EAGAIN));
        }
        self.readiness.clear(EPOLLIN);
        Some(Ok(core::mem::take(&mut count)))
    }
}

enum Source {
    Line(Line),
    Message(Msi),
}

/// An interrupt as a driver has it open.
struct Interrupt {
    source: Source,
    count: Arc<Count>,
}

impl Interrupt {
    fn new(source: Source) -> Arc<Interrupt> {
        let count =
            Arc::new(Count { count: SpinLock::new(0), readers: WaitQueue::new(), readiness: Readiness::new(0) });
        let interrupt = Interrupt { source, count };
        *HANDLERS[interrupt.vector()].lock() = Handler::Driver(interrupt.count.clone());
        interrupt.acknowledge();
        Arc::new(interrupt)
    }

    fn vector(&self) -> usize {
        usize::from(match &self.source {
            Source::Line(line) => line.vector(),
            Source::Message(msi) => msi.vector(),
        })
    }

    fn acknowledge(&self) {
        if let Source::Line(line) = &self.source {
            line.unmask();
        }
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        // The vector is this one's until `source` drops, after this.
        let old = core::mem::replace(&mut *HANDLERS[self.vector()].lock(), Handler::Nobody);
        drop(old);
    }
}

impl Object for Interrupt {
    fn kind(&self) -> &'static str {
        "interrupt"
    }

    fn read(&self, file: &File, to: UserSlice, _offset: Option<u64>) -> Result<usize> {
        if to.len < 8 {
            return Err(Errno::EINVAL);
        }
        let nonblocking = file.nonblocking();
        let count = self.count.readers.wait_until(None, || self.count.take(nonblocking))??;
        user::write(to.addr, &count)?;
        Ok(8)
    }

    fn write(&self, _file: &File, from: UserSlice, _offset: Option<u64>) -> Result<usize> {
        self.acknowledge();
        Ok(from.len)
    }

    fn call(&self, file: &File, args: &CallArgs) -> Result<usize> {
        match (args.op as u16, &self.source) {
            (OP_STAT, _) => crate::io::answer_stat(&self.stat(file)?, args),
            (OP_PRIVATE, Source::Message(msi)) if args.output_len >= 16 => {
                user::write(args.output, &[msi.address(), u64::from(msi.data())])?;
                Ok(16)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn readiness(&self) -> Option<&Readiness> {
        Some(&self.count.readiness)
    }
}
