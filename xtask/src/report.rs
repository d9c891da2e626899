//! What is said about a guest that ended without its command's exit status.

use crate::symbolise::Symboliser;
use crate::vm::console;
use crate::vm::outcome::Outcome;
use crate::vm::run::Finished;
use std::fmt::Write;
use std::path::Path;

/// Why there is no exit status, the last `lines` of the log, and where the CPUs stood; nothing if the command ended.
pub fn failure(finished: &Finished, symboliser: &mut Symboliser, log_file: &Path, lines: usize) -> Option<String> {
    let reason = match &finished.outcome {
        Outcome::Exited(_) => return None,
        Outcome::TimedOut => format!("the guest was still running after {:.0} s", finished.elapsed.as_secs_f64()),
        Outcome::Off => "the guest reset or powered off without a report (a triple fault does that)".to_owned(),
        Outcome::Killed => "the machine's power was cut".to_owned(),
        Outcome::KernelFault => "the guest died: its kernel met a fault".to_owned(),
        Outcome::Died(reason) => format!("the guest died: {reason}"),
    };
    let tail = symboliser.annotate(&console::tail(&finished.log, lines));
    let mut text = format!("{reason}\nthe last lines of its serial log ({}):\n{tail}", log_file.display());
    for (cpu, addr) in finished.stuck_at.iter().enumerate() {
        let name = symboliser.kernel_name(*addr).map_or_else(String::new, |name| format!("  [{name}]"));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "CPU {cpu} was at {addr:#x}{name}");
    }
    Some(text)
}

/// Whether the line tells that a process died of an exception, as kernel/src/crash.rs writes it.
fn is_crash(line: &str) -> bool {
    line.contains("]: SIG") && line.contains(" at address 0x")
}

/// The lines of a log about processes that died: each such line and the indented ones after it.
pub fn crashes(log: &str) -> String {
    let mut inside = false;
    let mut out = String::new();
    for line in log.lines() {
        inside = is_crash(line) || (inside && line.starts_with("  "));
        if inside {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_the_lines_about_crashes() {
        let log = "boot\nx[3.3]: SIGSEGV at address 0x0, rip 0x1, rsp 0x2\n  at /bin/x+0x1\n  at /bin/x+0x2\nafter\n";
        assert_eq!(
            crashes(log),
            "x[3.3]: SIGSEGV at address 0x0, rip 0x1, rsp 0x2\n  at /bin/x+0x1\n  at /bin/x+0x2\n"
        );
    }
}
