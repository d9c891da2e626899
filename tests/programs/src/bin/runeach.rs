//! `runeach SECONDS FILE`: runs each command of a list, one after the other, and passes on what each of them prints.
//!
//! A line of FILE is a command, its words separated by blanks. It gets empty standard input, an empty folder as TMPDIR, and at most so
//! many seconds; then it is killed. For the command on line N (from 0), standard output has:
//!
//!     @out N BYTES        and so many bytes: its standard output
//!     @err N BYTES        and so many bytes: its standard error
//!     @end N STATUS       its exit status, 128 + the signal that killed it, or 124 if the time was up

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a command has written so far.
type Text = Arc<Mutex<Vec<u8>>>;

/// The status of a command that was killed because its time was up, as timeout(1) has it.
const TIMED_OUT: i32 = 124;
/// The status of a command that could not be started, as in a shell.
const NOT_STARTED: i32 = 127;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(seconds), Some(file), None) = (args.next().and_then(|word| word.parse().ok()), args.next(), args.next())
    else {
        eprintln!("usage: runeach SECONDS FILE");
        return ExitCode::from(2);
    };
    let list = match std::fs::read_to_string(&file) {
        Ok(list) => list,
        Err(error) => {
            eprintln!("runeach: {file}: {error}");
            return ExitCode::from(2);
        }
    };
    let temporary = std::env::temp_dir().join(format!("runeach-{}", std::process::id()));
    for (number, line) in list.lines().enumerate() {
        if let Err(error) = std::fs::create_dir(&temporary) {
            eprintln!("runeach: {}: {error}", temporary.display());
            return ExitCode::FAILURE;
        }
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let (out, err, status) = run(&words, &temporary, Duration::from_secs(seconds));
        // If something stays, the next line says so.
        let _ = std::fs::remove_dir_all(&temporary);
        if report(number, &out, &err, status).is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Runs one command. Returns its output, its error output and its status.
fn run(words: &[&str], temporary: &Path, limit: Duration) -> (Vec<u8>, Vec<u8>, i32) {
    let deadline = Instant::now() + limit;
    let Some((program, args)) = words.split_first() else { return (vec![], vec![], 0) };
    let mut command = Command::new(program);
    command.args(args).env("TMPDIR", temporary).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return (vec![], format!("{program}: {error}\n").into_bytes(), NOT_STARTED),
    };
    let (done, ended) = channel();
    let out = collect(child.stdout.take(), done.clone());
    let err = collect(child.stderr.take(), done);
    // Both ends of file, which may come late if the command has left someone behind who holds them.
    let mut in_time = true;
    for _ in 0..2 {
        let left = deadline.saturating_duration_since(Instant::now());
        in_time = in_time && ended.recv_timeout(left).is_ok();
    }
    if !in_time {
        // It may have ended meanwhile.
        let _ = child.kill();
    }
    let status = match child.wait() {
        Ok(_) if !in_time => TIMED_OUT,
        Ok(status) => status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
        Err(_) => NOT_STARTED,
    };
    let taken = |text: Text| std::mem::take(&mut *text.lock().unwrap_or_else(PoisonError::into_inner));
    (taken(out), taken(err), status)
}

/// Reads all that comes from a pipe, and tells when it has ended.
fn collect(pipe: Option<impl Read + Send + 'static>, done: Sender<()>) -> Text {
    let text = Text::default();
    let kept = Arc::clone(&text);
    std::thread::spawn(move || {
        let mut buffer = [0; 16384];
        if let Some(mut pipe) = pipe {
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
            }
        }
        // Nobody may be waiting any more.
        let _ = done.send(());
    });
    text
}

fn report(number: usize, out: &[u8], err: &[u8], status: i32) -> std::io::Result<()> {
    let mut to = std::io::stdout().lock();
    for (name, text) in [("out", out), ("err", err)] {
        writeln!(to, "@{name} {number} {}", text.len())?;
        to.write_all(text)?;
    }
    writeln!(to, "@end {number} {status}")?;
    to.flush()
}
