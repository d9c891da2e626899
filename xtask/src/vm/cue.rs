//! Doing something to a machine when its output says so: a button pressed, a medium ejected.

use serde::Deserialize;
use std::io::Write;
use std::path::PathBuf;

/// A command of QEMU's monitor, and when it is given.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cue {
    /// Once the command's output contains this.
    pub after: String,
    /// The monitor's command, such as `system_powerdown`; of a system test, `{dir}` stands for the folder with its disks.
    pub monitor: String,
}

/// Hands output on, and gives the monitor its commands on the way.
pub struct Prompter<W> {
    out: W,
    socket: PathBuf,
    /// In their order, each once.
    cues: Vec<Cue>,
    seen: Vec<u8>,
}

impl<W: Write> Prompter<W> {
    /// For the machine whose monitor listens at `socket`.
    pub fn new(out: W, socket: PathBuf, cues: &[Cue]) -> Prompter<W> {
        Prompter { out, socket, cues: cues.to_vec(), seen: Vec::new() }
    }

    /// The next cue's command, if its text has come. Texts of later cues count only behind it.
    fn due(&mut self) -> Option<String> {
        let after = self.cues.first()?.after.as_bytes();
        let at = self.seen.windows(after.len().max(1)).position(|window| window == after)?;
        let cue = self.cues.remove(0);
        self.seen.drain(..at + cue.after.len());
        Some(cue.monitor)
    }
}

impl<W: Write> Write for Prompter<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !self.cues.is_empty() {
            self.seen.extend_from_slice(bytes);
            while let Some(command) = self.due() {
                super::monitor::tell(&self.socket, &command)?;
            }
        }
        self.out.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cues_come_in_their_order_and_once() {
        let cue = |after: &str, monitor: &str| Cue { after: after.into(), monitor: monitor.into() };
        let cues = [cue("ready", "first"), cue("ready", "second"), cue("x", "third")];
        let mut prompter = Prompter::new(Vec::new(), PathBuf::new(), &cues);
        prompter.seen.extend_from_slice(b"x rea");
        assert_eq!(prompter.due(), None);
        prompter.seen.extend_from_slice(b"dy, ready");
        assert_eq!(prompter.due().as_deref(), Some("first"));
        assert_eq!(prompter.due().as_deref(), Some("second"));
        assert_eq!(prompter.due(), None, "the x came before");
    }
}
