//! How a virtual machine ended.

use super::console;
use std::process::ExitStatus;

/// How a virtual machine ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The command ended with this status, and init powered the machine off.
    Exited(i32),
    /// The guest turned the machine off or restarted it, without telling a status. A triple fault looks the same.
    Off,
    /// The time was up.
    TimedOut,
    /// Its power was cut, as was asked for.
    Killed,
    /// The kernel met a fault of its own and halted the machine.
    KernelFault,
    /// The machine ended otherwise, for this reason.
    Died(String),
}

/// What the guest writes to the exit port, as QEMU's exit status: the command ended with 0.
const SUCCESS: i32 = (0x10 << 1) | 1;
/// The command ended with another status, which the log tells.
const FAILURE: i32 = (0x11 << 1) | 1;
/// The kernel met a fault.
const FAULT: i32 = (0x12 << 1) | 1;

impl Outcome {
    /// Judges by QEMU's exit status and the guest's log.
    pub fn judge(qemu: ExitStatus, log: &str) -> Outcome {
        match qemu.code() {
            Some(SUCCESS) => Outcome::Exited(0),
            Some(FAILURE) => match console::exit_status(log) {
                Some(status) => Outcome::Exited(status),
                None => Outcome::Died("it reported failure, but not with which exit status".into()),
            },
            Some(FAULT) => Outcome::KernelFault,
            Some(0) => Outcome::Off,
            _ => Outcome::Died(format!("QEMU ended with {qemu}")),
        }
    }

    /// The status that a tool which stands for the command ends with: the command's own, or as timeout(1) does.
    pub fn exit_code(&self) -> i32 {
        match self {
            Outcome::Exited(status) => *status,
            Outcome::TimedOut => 124,
            Outcome::Off | Outcome::Killed | Outcome::KernelFault | Outcome::Died(_) => 125,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn judge(code: i32, log: &str) -> Outcome {
        Outcome::judge(ExitStatus::from_raw(code << 8), log)
    }

    #[test]
    fn tells_endings_apart() {
        assert_eq!(judge(33, ""), Outcome::Exited(0));
        assert_eq!(judge(35, "ochre: exit status 7\n"), Outcome::Exited(7));
        for (code, log) in [(35, ""), (37, "ochre: exit status 0\n"), (0, "ochre: exit status 0\n"), (1, "")] {
            assert_eq!(judge(code, log).exit_code(), 125, "{code}");
        }
        assert_eq!(Outcome::judge(ExitStatus::from_raw(9), "").exit_code(), 125);
        assert_eq!(Outcome::TimedOut.exit_code(), 124);
    }
}
