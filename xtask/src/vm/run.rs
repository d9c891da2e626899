//! Running a virtual machine to its end.

use super::console;
use super::cue::{Cue, Prompter};
use super::machine::{Boot, Firmware, Machine, option};
use super::monitor;
use super::outcome::Outcome;
use super::skip::SkipUntil;
use crate::host;
use crate::image::media::FIRMWARE_ENDS;
use crate::process;
use anyhow::{Context, Result};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What is left of a virtual machine that has ended.
pub struct Finished {
    /// How it ended.
    pub outcome: Outcome,
    /// What the guest's kernel and init wrote to the first serial port, cleaned.
    pub log: String,
    /// The file with the same, as it came.
    pub log_file: PathBuf,
    /// Where the CPUs stood when the time was up.
    pub stuck_at: Vec<u64>,
    /// How long it ran.
    pub elapsed: Duration,
}

/// How a machine is run.
pub struct Run<'a> {
    /// The folder for the log and other files of this machine.
    pub dir: &'a Path,
    /// After how long it is ended.
    pub timeout: Duration,
    /// Whether the first serial port is shown on standard error while it runs.
    pub show_console: bool,
    /// Nudges the CPUs until this stands in the log; see [`monitor::nudge_until`].
    pub nudge_until: Option<&'static str>,
    /// What is done to the machine when the command's output says so.
    pub cues: &'a [Cue],
    /// Kills the machine, as a power cut does, once this is true.
    pub kill: Option<&'a AtomicBool>,
}

/// Runs `machine` to its end. What its command writes, to the second serial port, goes to `output` as it comes.
pub fn run<O: Write + Send + 'static>(machine: &Machine, run: &Run, output: O) -> Result<Finished> {
    host::ensure(&machine.needs())?;
    std::fs::create_dir_all(run.dir).with_context(|| format!("cannot make {}", run.dir.display()))?;
    let log_file = run.dir.join("serial.log");
    std::fs::write(&log_file, "").with_context(|| format!("cannot write {}", log_file.display()))?;
    // The name of a socket must be short, which the folder's need not be.
    let monitor = std::env::temp_dir().join(format!("xtask-monitor-{}-{}", std::process::id(), unique()));
    let mut qemu = machine.qemu(run.dir)?;
    qemu.arg("-chardev").arg(option("file,id=com1,path=", &log_file)?);
    qemu.args(["-serial", "chardev:com1", "-chardev", "stdio,id=com2,signal=off", "-serial", "chardev:com2"]);
    qemu.arg("-chardev").arg(option("socket,id=monitor,server=on,wait=off,path=", &monitor)?);
    qemu.args(["-mon", "chardev=monitor,mode=readline"]);
    std::fs::write(run.dir.join("qemu.txt"), process::shown(&qemu) + "\n")?;

    let begin = Instant::now();
    let mut child =
        qemu.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{}`", process::shown(&qemu)))?;
    let out = child.stdout.take().context("QEMU without output")?;
    let firmware_speaks = matches!(machine.boot, Boot::Grub(Firmware::Uefi));
    let output = Prompter::new(output, monitor.clone(), run.cues);
    let copier = std::thread::spawn(move || {
        if firmware_speaks {
            copy(out, SkipUntil::new(output, format!("{FIRMWARE_ENDS}\n\r")));
        } else {
            copy(out, output);
        }
    });
    let (stop_tail, stopped) = channel::<()>();
    let tail = run.show_console.then(|| {
        let file = log_file.clone();
        std::thread::spawn(move || {
            let mut shown = 0;
            let mut last = false;
            while !last {
                last = stopped.recv_timeout(Duration::from_millis(50)) != Err(RecvTimeoutError::Timeout);
                shown = show_more(&file, shown);
            }
        })
    });
    let nudger = run.nudge_until.map(|done| {
        let (monitor, log) = (monitor.clone(), log_file.clone());
        std::thread::spawn(move || monitor::nudge_until(&monitor, &log, done))
    });
    let status = wait(&mut child, begin + run.timeout, run.kill)?;
    let killed = run.kill.is_some_and(|kill| kill.load(Ordering::Relaxed));
    let mut stuck_at = Vec::new();
    if status.is_none() {
        if !killed {
            stuck_at = monitor::instruction_pointers(&monitor);
        }
        child.kill().context("ending QEMU")?;
        child.wait().context("ending QEMU")?;
    }
    let elapsed = begin.elapsed();
    // QEMU removes its socket itself, unless it was killed.
    let _ = std::fs::remove_file(&monitor);
    drop(stop_tail);
    join(copier);
    for thread in [tail, nudger].into_iter().flatten() {
        join(thread);
    }
    let log = console::clean(&std::fs::read(&log_file)?);
    let outcome = match status {
        Some(status) => Outcome::judge(status, &log),
        None if killed => Outcome::Killed,
        None => Outcome::TimedOut,
    };
    Ok(Finished { outcome, log, log_file, stuck_at, elapsed })
}

/// Waits for QEMU's end, but no longer than `deadline`, and until `kill` is true.
fn wait(child: &mut Child, deadline: Instant, kill: Option<&AtomicBool>) -> Result<Option<std::process::ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait().context("waiting for QEMU")? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline || kill.is_some_and(|kill| kill.load(Ordering::Relaxed)) {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Hands on what comes as soon as it comes. A reader that has gone does not stop the machine.
fn copy(mut from: ChildStdout, mut to: impl Write) {
    let mut buffer = [0; 16384];
    let mut open = true;
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        open = open && to.write_all(&buffer[..count]).and_then(|()| to.flush()).is_ok();
    }
}

/// Shows what the file has beyond `shown` bytes, and returns how much it has now.
fn show_more(file: &Path, shown: usize) -> usize {
    let log = std::fs::read(file).unwrap_or_default();
    eprint!("{}", console::clean(log.get(shown..).unwrap_or_default()));
    log.len()
}

fn join(thread: JoinHandle<()>) {
    // These threads only copy text: one that panicked has said so itself.
    let _ = thread.join();
}

/// A number that this process has not used yet.
fn unique() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}
