//! The line discipline: what becomes of bytes between a terminal's wire and its programs (termios(3); Linux's N_TTY).
//!
//! Input goes through [`Line::receive`] into a queue that [`Line::read`] empties; output through [`Line::write`] into another one, that
//! [`Line::take_output`] empties: a pty's master reads it, a serial line sends it. Signals and status changes for packet mode are left
//! for the owner to collect. Nothing here waits, calls anybody, or knows of processes.

mod echo;
mod input;
mod output;
mod read;
#[cfg(test)]
mod tests;

use crate::termios::Termios;
pub use read::Wanted;
use std::collections::VecDeque;

/// Bytes that the input queue holds: the greatest line with its end (N_TTY_BUF_SIZE).
pub const INPUT_MAX: usize = 4096;
/// Output bytes that may wait before a writer has to.
pub const OUTPUT_MAX: usize = 16 * 1024;
/// Echoed bytes that may wait beyond that; further ones are lost, as nobody can be made to wait for them.
const ECHO_MAX: usize = 4096;
/// With IXOFF the other side is asked to stop when there is room for this many more bytes, and to go on below the second limit.
const THROTTLE: usize = INPUT_MAX - 128;
const UNTHROTTLE: usize = 128;

/// TIOCPKT_FLUSHREAD: the input queue was emptied.
pub const PACKET_FLUSH_READ: u8 = 1;
/// TIOCPKT_FLUSHWRITE: the output queue was emptied.
pub const PACKET_FLUSH_WRITE: u8 = 2;
/// TIOCPKT_STOP: output stopped.
pub const PACKET_STOP: u8 = 4;
/// TIOCPKT_START: output goes on.
pub const PACKET_START: u8 = 8;
/// TIOCPKT_NOSTOP: ^S and ^Q do not stop and start.
pub const PACKET_NO_STOP: u8 = 16;
/// TIOCPKT_DOSTOP: they do.
pub const PACKET_DO_STOP: u8 = 32;
/// TIOCPKT_IOCTL: the flags changed, under EXTPROC.
pub const PACKET_IOCTL: u8 = 64;

/// A byte of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    byte: u8,
    /// A line ends with it.
    ends: bool,
    /// It is not data but VEOF.
    eof: bool,
}

/// One terminal's line discipline.
#[derive(Debug)]
pub struct Line {
    termios: Termios,
    queue: VecDeque<Cell>,
    /// Cells up to the last one that ends a line: what can be read under ICANON.
    committed: usize,
    /// VLNEXT was typed: the next byte is data.
    literal: bool,
    /// Erased characters are being shown between `\` and `/` (ECHOPRT).
    erasing: bool,
    column: usize,
    /// Where the line being typed starts.
    line_column: usize,
    output: VecDeque<u8>,
    /// What was echoed while output is stopped.
    held: VecDeque<u8>,
    stopped: bool,
    /// It was TCOOFF that stopped it: no character starts it again.
    stopped_by_call: bool,
    packet: Option<u8>,
    signals: Vec<u32>,
    throttled: bool,
}

impl Line {
    /// An idle line.
    pub fn new(termios: Termios) -> Line {
        Line {
            termios,
            queue: VecDeque::new(),
            committed: 0,
            literal: false,
            erasing: false,
            column: 0,
            line_column: 0,
            output: VecDeque::new(),
            held: VecDeque::new(),
            stopped: false,
            stopped_by_call: false,
            packet: None,
            signals: Vec::new(),
            throttled: false,
        }
    }

    /// The settings.
    pub fn termios(&self) -> &Termios {
        &self.termios
    }

    /// Other settings. Input that was typed so far becomes readable as it is when ICANON changes (n_tty_set_termios).
    pub fn set_termios(&mut self, new: Termios) {
        let old = std::mem::replace(&mut self.termios, new);
        if (old.lflag ^ new.lflag) & (libc::ICANON | libc::EXTPROC) != 0 {
            self.queue.iter_mut().for_each(|cell| cell.ends = false);
            self.committed = 0;
            if new.local(libc::ICANON) {
                if let Some(last) = self.queue.back_mut() {
                    last.ends = true;
                    self.committed = self.queue.len();
                }
            }
            self.erasing = false;
            self.literal = false;
        }
        if !new.input(libc::IXON) && old.input(libc::IXON) {
            self.start();
        }
        let flow = |t: &Termios| t.input(libc::IXON) && t.cc[libc::VSTOP] == 0o23 && t.cc[libc::VSTART] == 0o21;
        if let Some(status) = &mut self.packet {
            if flow(&old) != flow(&new) {
                *status &= !(PACKET_DO_STOP | PACKET_NO_STOP);
                *status |= if flow(&new) { PACKET_DO_STOP } else { PACKET_NO_STOP };
            }
            if (old.lflag | new.lflag) & libc::EXTPROC != 0 {
                *status |= PACKET_IOCTL;
            }
        }
    }

    /// Lines are what is read.
    pub fn is_canonical(&self) -> bool {
        self.termios.local(libc::ICANON) && !self.termios.local(libc::EXTPROC)
    }

    /// Switches packet mode; status changes are noted from then on.
    pub fn set_packet(&mut self, on: bool) {
        self.packet = on.then_some(0);
    }

    /// Packet mode is on.
    pub fn is_packet(&self) -> bool {
        self.packet.is_some()
    }

    /// Status changes that have not been taken.
    pub fn has_status(&self) -> bool {
        self.packet.is_some_and(|status| status != 0)
    }

    /// Takes the status changes, if there are any.
    pub fn take_status(&mut self) -> Option<u8> {
        self.packet.as_mut().filter(|status| **status != 0).map(std::mem::take)
    }

    fn note(&mut self, set: u8, clear: u8) {
        if let Some(status) = &mut self.packet {
            *status = *status & !clear | set;
        }
    }

    /// Takes the signals that were typed.
    pub fn take_signals(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.signals)
    }

    /// Output is stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Output stops; `by_call`: until [`Self::start_by_call`].
    pub fn stop(&mut self, by_call: bool) {
        if !self.stopped || by_call {
            if !self.stopped {
                self.note(PACKET_STOP, PACKET_START);
            }
            self.stopped = true;
            self.stopped_by_call |= by_call;
        }
    }

    /// A character starts output again.
    fn start(&mut self) {
        if self.stopped && !self.stopped_by_call {
            self.stopped = false;
            self.note(PACKET_START, PACKET_STOP);
            let held = std::mem::take(&mut self.held);
            self.output.extend(held);
        }
    }

    /// TCOON starts output again, if TCOOFF stopped it.
    pub fn start_by_call(&mut self) {
        if self.stopped_by_call {
            self.stopped_by_call = false;
            self.start();
        }
    }

    /// Forgets input that was not read.
    pub fn flush_input(&mut self) {
        self.queue.clear();
        self.committed = 0;
        self.literal = false;
        self.erasing = false;
        self.note(PACKET_FLUSH_READ, 0);
    }

    /// Forgets output that was not taken.
    pub fn flush_output(&mut self) {
        self.output.clear();
        self.held.clear();
        self.note(PACKET_FLUSH_WRITE, 0);
    }

    /// The character that has to be sent now by IXOFF: stop near a full input queue, start near an empty one.
    pub fn throttle(&mut self) -> Option<u8> {
        let full = self.queue.len() >= THROTTLE;
        let empty = self.queue.len() < UNTHROTTLE;
        let wanted = self.termios.input(libc::IXOFF) && (full || self.throttled && !empty);
        if wanted == self.throttled {
            return None;
        }
        self.throttled = wanted;
        let index = if wanted { libc::VSTOP } else { libc::VSTART };
        Some(self.termios.cc[index]).filter(|byte| *byte != crate::termios::DISABLED)
    }

    /// A byte of a character that started before (IUTF8).
    fn continues(&self, byte: u8) -> bool {
        self.termios.input(libc::IUTF8) && byte & 0xc0 == 0x80
    }
}

/// Control characters of ASCII.
fn is_control(byte: u8) -> bool {
    byte < 32 || byte == 127
}
