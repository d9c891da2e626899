//! One terminal.

use crate::line::Line;
use crate::names::{self, Attributes};
use crate::termios::Termios;
use ochre_scheme::Request;
use std::collections::VecDeque;
use std::time::Instant;

/// Bytes that a master wrote and the line discipline has no room for yet (Linux: the flip buffer's limit).
pub const ARRIVED_MAX: usize = 64 * 1024;

/// Names a terminal: a pty by its number, or [`SERIAL`].
pub type Id = usize;
/// The serial line.
pub const SERIAL: Id = usize::MAX;

/// A request that waits.
pub struct Wait {
    /// It.
    pub request: Request,
    /// Since when.
    pub since: Instant,
    /// Bytes that a write has passed on already.
    pub done: usize,
}

impl Wait {
    /// One that begins now.
    pub fn new(request: Request, done: usize) -> Wait {
        Wait { request, since: Instant::now(), done }
    }
}

/// The master's side of a pty.
#[derive(Debug)]
pub struct Master {
    /// It is open.
    pub open: bool,
    /// The other side may not be opened yet (TIOCSPTLCK).
    pub locked: bool,
    /// The other side was open, and is closed: reads end with EIO.
    pub other_closed: bool,
}

/// A terminal.
pub struct Terminal {
    /// Which.
    pub id: Id,
    /// The line discipline.
    pub line: Line,
    /// Input that the line discipline has not seen.
    pub arrived: VecDeque<u8>,
    /// When the last input came, for VTIME.
    pub last_input: Instant,
    /// struct winsize: rows, columns, pixels.
    pub size: [u8; 8],
    /// The session that it controls.
    pub session: Option<u32>,
    /// The foreground process group.
    pub foreground: Option<u32>,
    /// TIOCEXCL.
    pub exclusive: bool,
    /// For a pty.
    pub master: Option<Master>,
    /// Owner, mode, times.
    pub attributes: Attributes,
    /// Open handles of the terminal's side, without those that are hung up.
    pub opens: usize,
    /// All handles that refer to it.
    pub handles: Vec<u64>,
    /// Who waits, to read and write on this side and on the master's.
    pub readers: VecDeque<Wait>,
    pub writers: VecDeque<Wait>,
    pub master_readers: VecDeque<Wait>,
    pub master_writers: VecDeque<Wait>,
}

impl Terminal {
    /// A new pty, locked, of this user.
    pub fn pty(id: Id, uid: u32) -> Terminal {
        let termios = Termios::initial(libc::B38400 | libc::CS8 | libc::CREAD);
        let master = Master { open: true, locked: true, other_closed: false };
        Terminal::new(id, termios, Some(master), names::pts_attributes(uid))
    }

    /// The serial line.
    pub fn serial() -> Terminal {
        Terminal::new(SERIAL, serial_termios(), None, names::serial_attributes())
    }

    fn new(id: Id, termios: Termios, master: Option<Master>, attributes: Attributes) -> Terminal {
        Terminal {
            id,
            line: Line::new(termios),
            arrived: VecDeque::new(),
            last_input: Instant::now(),
            size: [0; 8],
            session: None,
            foreground: None,
            exclusive: false,
            master,
            attributes,
            opens: 0,
            handles: Vec::new(),
            readers: VecDeque::new(),
            writers: VecDeque::new(),
            master_readers: VecDeque::new(),
            master_writers: VecDeque::new(),
        }
    }

    /// Passes what arrived to the line discipline, as far as that has room; true if it took something.
    pub fn pump(&mut self) -> bool {
        let mut moved = false;
        while self.line.has_room() {
            let Some(byte) = self.arrived.pop_front() else { break };
            self.line.receive(byte);
            moved = true;
        }
        if moved {
            self.last_input = Instant::now();
        }
        moved
    }

    /// Nobody has it open any more: settings and size start anew, as Linux resets a serial line's.
    pub fn reset(&mut self) {
        self.line = Line::new(serial_termios());
        self.arrived.clear();
        self.exclusive = false;
    }

    /// Device number as (major, minor).
    pub fn device(&self) -> (u32, u32) {
        if self.id == SERIAL { names::TTY_S0 } else { (names::PTS_MAJOR, self.id as u32) }
    }

    /// The queue that a waiting request stands in, by its tag.
    pub fn take_wait(&mut self, tag: u64) -> Option<(Wait, Side)> {
        let queues = [
            (&mut self.readers, Side::Reader),
            (&mut self.writers, Side::Writer),
            (&mut self.master_readers, Side::MasterReader),
            (&mut self.master_writers, Side::MasterWriter),
        ];
        for (queue, side) in queues {
            if let Some(index) = queue.iter().position(|wait| wait.request.tag() == tag) {
                return queue.remove(index).map(|wait| (wait, side));
            }
        }
        None
    }
}

/// What a waiting request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Reader,
    Writer,
    MasterReader,
    MasterWriter,
}

fn serial_termios() -> Termios {
    Termios::initial(libc::B115200 | libc::CS8 | libc::CREAD | libc::HUPCL | libc::CLOCAL)
}
