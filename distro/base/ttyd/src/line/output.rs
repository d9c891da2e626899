//! Output: OPOST's changes, and the queue.

use super::{ECHO_MAX, Line, OUTPUT_MAX, is_control};

impl Line {
    /// Takes as much of a program's output as there is room for (nothing while output is stopped); how much.
    pub fn write(&mut self, data: &[u8]) -> usize {
        let mut taken = 0;
        while taken < data.len() && self.can_write() {
            self.put(data[taken], false);
            taken += 1;
        }
        taken
    }

    /// A writer need not wait.
    pub fn can_write(&self) -> bool {
        !self.stopped && self.output.len() < OUTPUT_MAX
    }

    /// Output that waits to be taken, in bytes.
    pub fn output_len(&self) -> usize {
        self.output.len()
    }

    /// Takes up to `max` bytes of output.
    pub fn take_output(&mut self, max: usize) -> Vec<u8> {
        let count = max.min(self.output.len());
        self.output.drain(..count).collect()
    }

    /// Puts a byte out past OPOST and flow control (TCIOFF, TCION).
    pub fn put_urgent(&mut self, byte: u8) {
        self.output.push_back(byte);
    }

    fn send(&mut self, byte: u8, echo: bool) {
        let queue = if echo && self.stopped { &mut self.held } else { &mut self.output };
        if !echo || queue.len() < OUTPUT_MAX + ECHO_MAX {
            queue.push_back(byte);
        }
    }

    /// A byte on its way out, through OPOST (do_output_char).
    pub(super) fn put(&mut self, mut byte: u8, echo: bool) {
        use libc::*;
        let termios = self.termios;
        if !termios.output(OPOST) {
            return self.send(byte, echo);
        }
        match byte {
            b'\n' => {
                if termios.output(ONLRET) {
                    self.column = 0;
                }
                if termios.output(ONLCR) {
                    self.column = 0;
                    self.send(b'\r', echo);
                }
                self.line_column = self.column;
            }
            b'\r' => {
                if termios.output(ONOCR) && self.column == 0 {
                    return;
                }
                if termios.output(OCRNL) {
                    byte = b'\n';
                    if termios.output(ONLRET) {
                        self.column = 0;
                        self.line_column = 0;
                    }
                } else {
                    self.column = 0;
                    self.line_column = 0;
                }
            }
            b'\t' => {
                let spaces = 8 - self.column % 8;
                self.column += spaces;
                if termios.oflag & TABDLY == TAB3 {
                    for _ in 0..spaces {
                        self.send(b' ', echo);
                    }
                    return;
                }
            }
            8 => self.column = self.column.saturating_sub(1),
            _ if !is_control(byte) => {
                if termios.output(OLCUC) {
                    byte = byte.to_ascii_uppercase();
                }
                if !self.continues(byte) {
                    self.column += 1;
                }
            }
            _ => {}
        }
        self.send(byte, echo);
    }
}
