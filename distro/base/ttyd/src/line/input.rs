//! Input: from the wire to the queue (n_tty_receive_char and what it calls).

use super::{Cell, INPUT_MAX, Line};
use ochre_scheme::abi::signal::{SIGINT, SIGQUIT, SIGTSTP};

impl Line {
    /// There is room for another byte. A line that has no end yet always has some: what is too much of it is lost.
    pub fn has_room(&self) -> bool {
        self.queue.len() < INPUT_MAX - 1 || self.is_canonical() && self.committed == 0
    }

    /// A byte arrives; call it only if [`Self::has_room`].
    pub fn receive(&mut self, mut byte: u8) {
        use libc::*;
        let termios = self.termios;
        if termios.input(ISTRIP) {
            byte &= 0x7f;
        }
        if termios.input(IUCLC) && termios.local(IEXTEN) {
            byte = byte.to_ascii_lowercase();
        }
        if termios.local(EXTPROC) {
            return self.push(byte);
        }
        if std::mem::take(&mut self.literal) {
            return self.data(byte);
        }
        if self.flow(byte) || self.signal(byte) {
            return;
        }
        if termios.input(IXANY) && termios.input(IXON) {
            self.start();
        }
        match byte {
            b'\r' if termios.input(IGNCR) => return,
            b'\r' if termios.input(ICRNL) => byte = b'\n',
            b'\n' if termios.input(INLCR) => byte = b'\r',
            _ => {}
        }
        if termios.local(ICANON) && self.edit(byte) {
            return;
        }
        if byte == b'\n' && termios.local(ECHO) {
            self.finish_erasing();
            self.echo_raw(b'\n');
            return self.push(byte);
        }
        self.data(byte);
    }

    /// VSTART and VSTOP; true if it was one.
    fn flow(&mut self, byte: u8) -> bool {
        let termios = self.termios;
        if !termios.input(libc::IXON) {
            return false;
        }
        if termios.is(libc::VSTART, byte) {
            self.start();
        } else if termios.is(libc::VSTOP, byte) {
            self.stop(false);
        } else {
            return false;
        }
        true
    }

    /// VINTR, VQUIT and VSUSP; true if it was one.
    fn signal(&mut self, byte: u8) -> bool {
        let termios = self.termios;
        if !termios.local(libc::ISIG) {
            return false;
        }
        let characters = [(libc::VINTR, SIGINT), (libc::VQUIT, SIGQUIT), (libc::VSUSP, SIGTSTP)];
        let Some((_, signal)) = characters.into_iter().find(|(index, _)| termios.is(*index, byte)) else {
            return false;
        };
        self.signals.push(signal);
        if !termios.local(libc::NOFLSH) {
            self.flush_input();
            self.flush_output();
        }
        if termios.input(libc::IXON) {
            self.start();
        }
        if termios.local(libc::ECHO) {
            self.echo(byte);
        }
        true
    }

    /// What has a meaning in canonical mode; true if that was all.
    fn edit(&mut self, byte: u8) -> bool {
        use libc::*;
        let termios = self.termios;
        let extended = termios.local(IEXTEN);
        let echoes = termios.local(ECHO);
        if termios.is(VERASE, byte) || termios.is(VKILL, byte) || termios.is(VWERASE, byte) && extended {
            self.erase(byte);
        } else if termios.is(VLNEXT, byte) && extended {
            self.literal = true;
            if echoes {
                self.finish_erasing();
                if termios.local(ECHOCTL) {
                    self.echo_raw(b'^');
                    self.echo_raw(8);
                }
            }
        } else if termios.is(VREPRINT, byte) && echoes && extended {
            self.finish_erasing();
            self.echo(byte);
            self.echo_raw(b'\n');
            let typed: Vec<u8> = self.queue.iter().skip(self.committed).map(|cell| cell.byte).collect();
            typed.into_iter().for_each(|byte| self.echo(byte));
        } else if byte == b'\n' {
            if echoes || termios.local(ECHONL) {
                self.echo_raw(b'\n');
            }
            self.end_line(Cell { byte, ends: true, eof: false });
        } else if termios.is(VEOF, byte) {
            self.end_line(Cell { byte, ends: true, eof: true });
        } else if termios.is(VEOL, byte) || termios.is(VEOL2, byte) && extended {
            if echoes {
                self.echo_data(byte);
            }
            self.double_mark(byte);
            self.end_line(Cell { byte, ends: true, eof: false });
        } else {
            return false;
        }
        true
    }

    /// A byte without any meaning of its own.
    fn data(&mut self, byte: u8) {
        if self.termios.local(libc::ECHO) {
            self.finish_erasing();
            self.echo_data(byte);
        }
        self.double_mark(byte);
        self.push(byte);
    }

    /// With PARMRK, 0o377 starts a mark; as data it stands twice (termios(3)).
    fn double_mark(&mut self, byte: u8) {
        if byte == 0o377 && self.termios.input(libc::PARMRK) {
            self.push(byte);
        }
    }

    fn push(&mut self, byte: u8) {
        self.make_room();
        self.queue.push_back(Cell { byte, ends: false, eof: false });
    }

    fn end_line(&mut self, cell: Cell) {
        self.make_room();
        self.queue.push_back(cell);
        self.committed = self.queue.len();
    }

    /// In a line that is too long the last byte gives way.
    fn make_room(&mut self) {
        if self.queue.len() >= INPUT_MAX && self.queue.len() > self.committed {
            self.queue.pop_back();
            if self.termios.input(libc::IMAXBEL) {
                self.echo_raw(7);
            }
        }
    }
}
