//! QEMU's monitor: asked where the CPUs stand when a guest hangs, and used to nudge them.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How often CPUs are nudged.
const NUDGE: Duration = Duration::from_millis(100);

/// How long the monitor gets for its answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// The instruction pointer of each CPU, or nothing if the monitor does not answer.
pub fn instruction_pointers(socket: &Path) -> Vec<u64> {
    let registers = ask(socket, "info registers -a").unwrap_or_default();
    parse(&registers)
}

/// Halts and continues the machine every now and then until its log contains `done`, or it ends.
///
/// Under -icount, QEMU before 8.1 runs the CPUs in turn, but each may use up the whole time to the next timer: a CPU that
/// waits for another in a loop without PAUSE leaves none to the other, for ever. Linux does that while it starts its
/// CPUs. After a halt, the turn goes on with another CPU.
pub fn nudge_until(socket: &Path, log: &Path, done: &str) {
    std::thread::sleep(NUDGE);
    let Ok(mut monitor) = UnixStream::connect(socket) else { return };
    let reached = || std::fs::read(log).is_ok_and(|log| String::from_utf8_lossy(&log).contains(done));
    let mut buffer = [0; 4096];
    let _ = monitor.set_nonblocking(true);
    while !reached() {
        // A machine that has ended takes no more. What the monitor echoes is of no interest, but must not pile up.
        if monitor.write_all(b"stop\ncont\n").is_err() {
            return;
        }
        while matches!(monitor.read(&mut buffer), Ok(1..)) {}
        std::thread::sleep(NUDGE);
    }
}

/// Gives one command, without waiting for what it does.
pub fn tell(socket: &Path, command: &str) -> std::io::Result<()> {
    ask(socket, command).map(drop)
}

fn ask(socket: &Path, question: &str) -> std::io::Result<String> {
    let mut monitor = UnixStream::connect(socket)?;
    monitor.set_read_timeout(Some(PATIENCE))?;
    monitor.set_write_timeout(Some(PATIENCE))?;
    writeln!(monitor, "{question}")?;
    let mut answer = Vec::new();
    // The monitor keeps the connection open: the answer ends when nothing more comes.
    let _ = monitor.read_to_end(&mut answer);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn parse(registers: &str) -> Vec<u64> {
    let word = |word: &str| u64::from_str_radix(word.strip_prefix("RIP=")?, 16).ok();
    registers.split_whitespace().filter_map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_instruction_pointers() {
        let text = "CPU#0\nRAX=0 RBX=1\nRIP=ffffffff80100000 RFL=00000002 [-------]\nCPU#1\nRIP=10 RFL=1\n";
        assert_eq!(parse(text), [0xffff_ffff_8010_0000, 0x10]);
    }
}
