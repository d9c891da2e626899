//! `/scheme/serio`: the i8042 keyboard controller's two ports, raw: `serio/0` is the keyboard, `serio/1` the mouse. Needs RIGHT_DEVICE.
//!
//! Both ports share registers and a status bit tells whose byte it is, so the kernel reads them; what the bytes mean is the drivers'.
//! Source: Intel 8042 (UPI-41) controller as in the IBM PC AT and PS/2 technical references.

use super::text::Directory;
use super::{KernelScheme, irq};
use crate::file::{File, Object};
use crate::readiness::Readiness;
use crate::thread::Thread;
use crate::user::UserSlice;
use crate::wait::WaitQueue;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use hal::io::Ports;
use hal::irq::Line;
use hal::{Once, SpinLock};
use ochre_abi::event::{EPOLLIN, EPOLLOUT};
use ochre_abi::process::RIGHT_DEVICE;
use ochre_abi::{Errno, Result};
use ochre_hal as hal;

/// Bytes that wait for a reader; further ones are lost.
const BUFFER: usize = 1024;
/// Looks at the status before the controller is given up, some 10 ms.
const PATIENCE: u32 = 10_000;

const OUTPUT_FULL: u8 = 1;
const INPUT_FULL: u8 = 2;
const FROM_MOUSE: u8 = 0x20;
const READ_CONFIG: u8 = 0x20;
const WRITE_CONFIG: u8 = 0x60;
const ENABLE_MOUSE: u8 = 0xa8;
const ENABLE_KEYBOARD: u8 = 0xae;
const TO_MOUSE: u8 = 0xd4;

/// The scheme.
pub struct Serio;

impl KernelScheme for Serio {
    fn open(&self, me: &Arc<Thread>, path: &[u8], flags: u32) -> Result<Arc<dyn Object>> {
        let port = match path {
            b"" => return Directory::of_files(flags, &["0", "1"]),
            b"0" => 0,
            b"1" => 1,
            _ => return Err(Errno::ENOENT),
        };
        me.process.need_right(RIGHT_DEVICE)?;
        controller()?;
        Ok(Arc::new(Port(port)))
    }
}

/// The controller.
struct Controller {
    data: Ports,
    status: Ports,
    lines: [Line; 2],
}

/// What a port received.
struct Input {
    bytes: SpinLock<VecDeque<u8>>,
    readers: WaitQueue,
    readiness: Readiness,
}

impl Input {
    const fn new() -> Input {
        Input { bytes: SpinLock::new(VecDeque::new()), readers: WaitQueue::new(), readiness: Readiness::new(EPOLLOUT) }
    }

    fn push(&self, byte: u8) {
        let mut bytes = self.bytes.lock();
        if bytes.len() < BUFFER {
            bytes.push_back(byte);
        }
        self.readiness.raise(EPOLLIN);
        drop(bytes);
        self.readers.wake_one();
    }

    fn take(&self, max: usize, nonblocking: bool) -> Option<Result<([u8; 64], usize)>> {
        let mut bytes = self.bytes.lock();
        if bytes.is_empty() {
            return nonblocking.then_some(Err(Errno::EAGAIN));
        }
        let mut taken = [0; 64];
        let mut len = 0;
        while len < max.min(taken.len()) {
            let Some(byte) = bytes.pop_front() else { break };
            taken[len] = byte;
            len += 1;
        }
        if bytes.is_empty() {
            self.readiness.clear(EPOLLIN);
        }
        Some(Ok((taken, len)))
    }
}

static CONTROLLER: Once<Controller> = Once::new();
static INPUT: [Input; 2] = [const { Input::new() }; 2];
/// One user of the registers at a time.
static REGISTERS: SpinLock<()> = SpinLock::new(());

/// The controller, set up on first use; ENODEV where there is none.
fn controller() -> Result<&'static Controller> {
    if CONTROLLER.get().is_none() {
        let _guard = REGISTERS.lock();
        if CONTROLLER.get().is_none() {
            let new = Controller::set_up()?;
            // Set once, under the lock.
            let _ = CONTROLLER.set(new);
        }
    }
    CONTROLLER.get().ok_or(Errno::ENODEV)
}

fn interrupt() {
    if let Some(controller) = CONTROLLER.get() {
        let _guard = REGISTERS.lock();
        controller.drain();
    }
}

impl Controller {
    fn set_up() -> Result<Controller> {
        let data = Ports::claim(0x60, 1).ok_or(Errno::EBUSY)?;
        let status = Ports::claim(0x64, 1).ok_or(Errno::EBUSY)?;
        let line = |n| hal::irq::isa(n).map_err(|_| Errno::EBUSY);
        let controller = Controller { data, status, lines: [line(1)?, line(12)?] };
        if controller.status() == 0xff {
            return Err(Errno::ENODEV);
        }
        for _ in 0..16 {
            if controller.status() & OUTPUT_FULL != 0 {
                controller.data.in8(0);
            }
        }
        controller.command(ENABLE_KEYBOARD)?;
        controller.command(ENABLE_MOUSE)?;
        controller.command(READ_CONFIG)?;
        let config = controller.answer()?;
        // Interrupts of both ports on, their clocks too; scan-code translation stays as the firmware left it.
        controller.command(WRITE_CONFIG)?;
        controller.send((config | 3) & !0x30)?;
        for line in &controller.lines {
            irq::handle(line.vector(), interrupt);
            line.unmask();
        }
        Ok(controller)
    }

    fn status(&self) -> u8 {
        self.status.in8(0).unwrap_or(0xff)
    }

    fn wait(&self, done: impl Fn(u8) -> bool) -> Result<()> {
        for _ in 0..PATIENCE {
            if done(self.status()) {
                return Ok(());
            }
            hal::cpu::spin_hint();
        }
        Err(Errno::EIO)
    }

    fn command(&self, command: u8) -> Result<()> {
        self.wait(|status| status & INPUT_FULL == 0)?;
        self.status.out8(0, command).ok_or(Errno::EIO)
    }

    fn send(&self, byte: u8) -> Result<()> {
        self.wait(|status| status & INPUT_FULL == 0)?;
        self.data.out8(0, byte).ok_or(Errno::EIO)
    }

    fn answer(&self) -> Result<u8> {
        self.wait(|status| status & OUTPUT_FULL != 0)?;
        self.data.in8(0).ok_or(Errno::EIO)
    }

    /// Hands what arrived to the ports it is from.
    fn drain(&self) {
        for _ in 0..BUFFER {
            let status = self.status();
            if status & OUTPUT_FULL == 0 {
                break;
            }
            if let Some(byte) = self.data.in8(0) {
                INPUT[usize::from(status & FROM_MOUSE != 0)].push(byte);
            }
        }
    }
}

struct Port(usize);

impl Object for Port {
    fn kind(&self) -> &'static str {
        "serio"
    }

    fn read(&self, file: &File, to: UserSlice, _offset: Option<u64>) -> Result<usize> {
        if to.len == 0 {
            return Ok(0);
        }
        let input = &INPUT[self.0];
        let nonblocking = file.nonblocking();
        let (bytes, len) = input.readers.wait_until(None, || input.take(to.len, nonblocking))??;
        to.copy_out(0, &bytes[..len])?;
        Ok(len)
    }

    fn write(&self, _file: &File, from: UserSlice, _offset: Option<u64>) -> Result<usize> {
        let mut bytes = [0u8; 64];
        let len = from.len.min(bytes.len());
        from.copy_in(0, &mut bytes[..len])?;
        let controller = controller()?;
        let _guard = REGISTERS.lock();
        for (done, byte) in bytes[..len].iter().enumerate() {
            let sent = match self.0 {
                0 => controller.send(*byte),
                _ => controller.command(TO_MOUSE).and_then(|()| controller.send(*byte)),
            };
            match sent {
                Ok(()) => {}
                Err(_) if done > 0 => return Ok(done),
                Err(error) => return Err(error),
            }
        }
        Ok(len)
    }

    fn readiness(&self) -> Option<&Readiness> {
        Some(&INPUT[self.0].readiness)
    }
}
