//! The serial ports COM1 (console) and COM2, 16550 UARTs at 115200 8N1.
//!
//! Writing polls and is bounded: a port that does not drain, or is not there, loses bytes instead of hanging the
//! kernel. Source: National Semiconductor PC16550D data sheet.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::io::port;
use crate::irq::{self, IrqError};
use crate::time;

/// One serial port.
pub struct Serial {
    base: u16,
    isa_irq: u8,
    present: AtomicBool,
    receiving: crate::Once<u8>,
    writing: AtomicBool,
}

/// COM1: the kernel's console.
pub static COM1: Serial = Serial::new(0x3f8, 4);
/// COM2.
pub static COM2: Serial = Serial::new(0x2f8, 3);

const DATA: u16 = 0;
const INTERRUPT_ENABLE: u16 = 1;
const FIFO_CONTROL: u16 = 2;
const LINE_CONTROL: u16 = 3;
const MODEM_CONTROL: u16 = 4;
const LINE_STATUS: u16 = 5;
const SCRATCH: u16 = 7;

const RECEIVED: u8 = 1;
const TRANSMIT_EMPTY: u8 = 0x20;
/// Polls of the line status before a byte is given up: some 10 ms, 100 times what a byte takes at 115200 baud.
const PATIENCE: u32 = 10_000;
/// How long a CPU waits for its turn to write: in tries, since the clock may not run yet, and in nanoseconds.
const TURN: u32 = 1_000_000;
const TURN_NS: u64 = 100_000_000;
/// Bytes that fit in a 16550's transmit FIFO once it is empty.
const FIFO: usize = 16;

/// Sets both ports up. Before this, and where there is no port, writes vanish and reads find nothing.
pub(crate) fn init() {
    COM1.init();
    COM2.init();
}

impl Serial {
    const fn new(base: u16, isa_irq: u8) -> Self {
        Self {
            base,
            isa_irq,
            present: AtomicBool::new(false),
            receiving: crate::Once::new(),
            writing: AtomicBool::new(false),
        }
    }

    fn init(&self) {
        // SAFETY: the UART's own registers, which hal alone drives (`io::Ports` refuses them); 115200 baud, 8N1, FIFOs on,
        // and OUT2, which lets its interrupt through.
        unsafe {
            port::out8(self.base + SCRATCH, 0x5a);
            if port::in8(self.base + SCRATCH) != 0x5a {
                return;
            }
            port::out8(self.base + INTERRUPT_ENABLE, 0);
            port::out8(self.base + LINE_CONTROL, 0x80);
            port::out8(self.base + DATA, 1);
            port::out8(self.base + INTERRUPT_ENABLE, 0);
            port::out8(self.base + LINE_CONTROL, 0x03);
            port::out8(self.base + FIFO_CONTROL, 0x07);
            port::out8(self.base + MODEM_CONTROL, 0x0b);
        }
        self.present.store(true, Ordering::Release);
    }

    /// Sends all of `bytes`, or gives up where the port does not drain. One call's bytes stay together, unless another
    /// CPU died or was stopped in the midst of its own: this one waits for 100 ms at most.
    pub fn write(&self, bytes: &[u8]) {
        if !self.present.load(Ordering::Acquire) {
            return;
        }
        let mut patience = TURN;
        let start = time::now();
        while self.writing.swap(true, Ordering::Acquire) && patience > 0 && time::now() - start < TURN_NS {
            core::hint::spin_loop();
            patience -= 1;
        }
        self.send(bytes);
        self.writing.store(false, Ordering::Release);
    }

    fn send(&self, bytes: &[u8]) {
        for chunk in bytes.chunks(FIFO) {
            let mut patience = PATIENCE;
            // SAFETY: reads the UART's status.
            while unsafe { port::in8(self.base + LINE_STATUS) } & TRANSMIT_EMPTY == 0 {
                core::hint::spin_loop();
                patience -= 1;
                if patience == 0 {
                    return;
                }
            }
            for &byte in chunk {
                // SAFETY: the transmit FIFO was empty and takes a chunk.
                unsafe { port::out8(self.base + DATA, byte) };
            }
        }
    }

    /// A received byte, if there is one.
    pub fn read(&self) -> Option<u8> {
        if !self.present.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: reads the UART's status, and its data when there is some.
        unsafe { (port::in8(self.base + LINE_STATUS) & RECEIVED != 0).then(|| port::in8(self.base + DATA)) }
    }

    /// Lets received bytes interrupt; returns the vector that [`Kernel::interrupt`](crate::Kernel::interrupt) then gets.
    /// The handler reads until [`Serial::read`] finds nothing.
    pub fn enable_interrupt(&self) -> Result<u8, IrqError> {
        if let Some(&vector) = self.receiving.get() {
            return Ok(vector);
        }
        if !self.present.load(Ordering::Acquire) {
            return Err(IrqError::NoSuchLine);
        }
        let line = irq::isa(self.isa_irq)?;
        let vector = line.vector();
        if let Err(other) = self.receiving.set(vector) {
            return Ok(other);
        }
        line.unmask();
        core::mem::forget(line);
        // SAFETY: the UART's own register; bit 0 is "received data available".
        unsafe { port::out8(self.base + INTERRUPT_ENABLE, 1) };
        Ok(vector)
    }
}

/// Text output to COM1, piece by piece.
pub(crate) struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        COM1.write(s.as_bytes());
        Ok(())
    }
}
