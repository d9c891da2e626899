//! Reading: lines, or bytes by VMIN and VTIME.

use super::Line;
use std::time::Duration;

/// When a read that has been waiting since some time ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Now: there is enough (or nothing is to be waited for).
    Now,
    /// With more input only.
    Input,
    /// With more input, or this long after the read began.
    Within(Duration),
    /// With more input, or this long after the last byte came.
    Pause(Duration),
}

impl Line {
    /// Bytes that a read can get (FIONREAD): whole lines without VEOF, or all.
    pub fn readable(&self) -> usize {
        if self.is_canonical() {
            self.queue.iter().take(self.committed).filter(|cell| !cell.eof).count()
        } else {
            self.queue.len()
        }
    }

    /// poll says that reading does not wait: a line is there, or VMIN bytes where there is no VTIME (input_available_p).
    pub fn polls_readable(&self) -> bool {
        if self.is_canonical() {
            return self.committed > 0;
        }
        let minimum = if self.time() == Duration::ZERO { self.minimum() } else { 1 };
        self.queue.len() >= minimum.max(1)
    }

    /// Something can be read now, were VMIN not to be kept.
    pub fn has_input(&self) -> bool {
        if self.is_canonical() { self.committed > 0 } else { !self.queue.is_empty() }
    }

    fn minimum(&self) -> usize {
        self.termios.cc[libc::VMIN].into()
    }

    fn time(&self) -> Duration {
        Duration::from_millis(100) * self.termios.cc[libc::VTIME].into()
    }

    /// What a read of `len` bytes has to wait for (termios(3), "Canonical and noncanonical mode").
    pub fn wanted(&self, len: usize) -> Wanted {
        if self.is_canonical() {
            return if self.committed > 0 { Wanted::Now } else { Wanted::Input };
        }
        let (minimum, time, there) = (self.minimum(), self.time(), self.queue.len());
        if there >= len || there >= minimum.max(1) {
            return Wanted::Now;
        }
        match (minimum, time) {
            (0, Duration::ZERO) => Wanted::Now,
            (0, time) => Wanted::Within(time),
            (_, Duration::ZERO) => Wanted::Input,
            _ if there == 0 => Wanted::Input,
            (_, time) => Wanted::Pause(time),
        }
    }

    /// Takes up to `max` bytes: of one line, or of all there are.
    pub fn read(&mut self, max: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let canonical = self.is_canonical();
        while bytes.len() < max && (!canonical || self.committed > 0) {
            let Some(cell) = self.queue.pop_front() else { break };
            self.committed = self.committed.saturating_sub(1);
            if !(canonical && cell.eof) {
                // VEOF as data, after ICANON was switched off, reads as the byte that disables characters, as on Linux.
                bytes.push(if cell.eof { crate::termios::DISABLED } else { cell.byte });
            }
            if canonical && cell.ends {
                break;
            }
        }
        bytes
    }
}
