//! QEMU's monitor: asked where the CPUs stand when a guest hangs.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long the monitor gets for its answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// The instruction pointer of each CPU, or nothing if the monitor does not answer.
pub fn instruction_pointers(socket: &Path) -> Vec<u64> {
    let registers = ask(socket, "info registers -a").unwrap_or_default();
    parse(&registers)
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
