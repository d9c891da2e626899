//! What the one who types sees: echo, and erasing (eraser, process_echoes).

use super::{Line, is_control};
use libc::{ECHO, ECHOCTL, ECHOE, ECHOK, ECHOKE, ECHOPRT, VERASE, VKILL, VWERASE};

/// Goes back a column, blanks it, goes back again.
const RUB_OUT: [u8; 3] = [8, b' ', 8];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Erase {
    Character,
    Word,
    Line,
}

impl Line {
    /// Shows a byte; control characters as `^X` under ECHOCTL.
    pub(super) fn echo(&mut self, byte: u8) {
        if self.shows_caret(byte) && byte != b'\t' {
            self.put(b'^', true);
            self.put(byte ^ 0o100, true);
        } else {
            self.put(byte, true);
        }
    }

    /// Shows a byte as it is.
    pub(super) fn echo_raw(&mut self, byte: u8) {
        self.put(byte, true);
    }

    /// Shows a byte that goes into the line.
    pub(super) fn echo_data(&mut self, byte: u8) {
        if self.queue.len() == self.committed {
            self.line_column = self.column;
        }
        self.echo(byte);
    }

    fn shows_caret(&self, byte: u8) -> bool {
        is_control(byte) && self.termios.local(ECHOCTL)
    }

    /// Ends the `\…/` of ECHOPRT.
    pub(super) fn finish_erasing(&mut self) {
        if std::mem::take(&mut self.erasing) {
            self.echo_raw(b'/');
        }
    }

    /// VERASE, VWERASE or VKILL was typed.
    pub(super) fn erase(&mut self, byte: u8) {
        let termios = self.termios;
        if self.queue.len() == self.committed {
            return;
        }
        let kind = if termios.is(VERASE, byte) {
            Erase::Character
        } else if termios.is(VWERASE, byte) {
            Erase::Word
        } else {
            if !termios.local(ECHO) {
                return self.queue.truncate(self.committed);
            }
            if !(termios.local(ECHOK) && termios.local(ECHOKE) && termios.local(ECHOE)) {
                self.queue.truncate(self.committed);
                self.finish_erasing();
                self.echo(termios.cc[VKILL]);
                if termios.local(ECHOK) {
                    self.echo_raw(b'\n');
                }
                return;
            }
            Erase::Line
        };
        self.erase_characters(kind);
        if self.queue.len() == self.committed && termios.local(ECHO) {
            self.finish_erasing();
        }
    }

    fn erase_characters(&mut self, kind: Erase) {
        let mut in_word = false;
        while self.queue.len() > self.committed {
            let Some((start, first)) = self.last_character() else { return };
            if kind == Erase::Word {
                let of_word = first == b'_' || is_alphanumeric(first);
                if !of_word && in_word {
                    return;
                }
                in_word |= of_word;
            }
            let erased: Vec<u8> = self.queue.drain(start..).map(|cell| cell.byte).collect();
            if self.termios.local(ECHO) {
                self.show_erased(kind, &erased);
            }
            if kind == Erase::Character {
                return;
            }
        }
    }

    /// Where the last character of the line starts, and its first byte; `None` if only a part of one is there.
    fn last_character(&self) -> Option<(usize, u8)> {
        let mut start = self.queue.len();
        while start > self.committed {
            start -= 1;
            let byte = self.queue.get(start)?.byte;
            if !self.continues(byte) {
                return Some((start, byte));
            }
        }
        None
    }

    fn show_erased(&mut self, kind: Erase, erased: &[u8]) {
        let termios = self.termios;
        let Some((&first, rest)) = erased.split_first() else { return };
        if termios.local(ECHOPRT) {
            if !std::mem::replace(&mut self.erasing, true) {
                self.echo_raw(b'\\');
            }
            self.echo(first);
            rest.iter().for_each(|byte| self.echo_raw(*byte));
        } else if kind == Erase::Character && !termios.local(ECHOE) {
            self.echo(termios.cc[VERASE]);
        } else if first == b'\t' {
            for _ in 0..self.tab_width() {
                self.put(8, true);
            }
        } else {
            if self.shows_caret(first) {
                RUB_OUT.iter().for_each(|byte| self.echo_raw(*byte));
            }
            if !is_control(first) || termios.local(ECHOCTL) {
                RUB_OUT.iter().for_each(|byte| self.echo_raw(*byte));
            }
        }
    }

    /// Columns that a tab at the end of the line takes, which is not in the queue any more.
    fn tab_width(&self) -> usize {
        let mut columns = 0;
        let mut after_tab = false;
        for cell in self.queue.iter().skip(self.committed).rev() {
            if cell.byte == b'\t' {
                after_tab = true;
                break;
            }
            columns += if is_control(cell.byte) {
                2 * usize::from(self.termios.local(ECHOCTL))
            } else {
                usize::from(!self.continues(cell.byte))
            };
        }
        if !after_tab {
            columns += self.line_column;
        }
        8 - columns % 8
    }
}

/// As Linux's isalnum, which knows Latin-1: so the first bytes of UTF-8 characters count as letters.
fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0xc0 && byte != 0xd7 && byte != 0xf7
}
