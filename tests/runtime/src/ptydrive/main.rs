//! `ptydrive [--size ROWSxCOLUMNS] [--timeout SECONDS] SCRIPT COMMAND [ARGUMENT]...` runs a command on a pty and presses keys.
//!
//! SCRIPT is a file (`-`: standard input), a step a line; empty lines and lines that start with `#` are passed over. Texts have Rust's
//! escapes `\n \r \t \\ \e \xHH`, and `^X` for a control character (`\^` for the sign itself).
//!
//! | step | meaning |
//! |---|---|
//! | `expect TEXT` | waits until the screen has shown TEXT since the last match |
//! | `send TEXT` | presses these keys |
//! | `resize ROWSxCOLUMNS` | changes the size |
//! | `quiet MILLISECONDS` | waits until nothing has come for that long |
//! | `eof` | waits until the command has closed the terminal |
//! | `clock` | starts a clock |
//! | `row NAME` | prints, at the end, `row NAME N ms`: the time since the last `clock` |
//!
//! It prints what the screen showed, and ends with the command's status (128 and the signal, if one ended it); with 124 when a step's time,
//! 20 s if nothing else is given, is over, and with 2 if its own arguments are wrong. At the end of the script it waits for the command.
#![forbid(unsafe_code)]

mod script;

use runtime_tests::sys::{self, Ended};
use script::Step;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// Status when a step takes too long, as timeout(1)'s.
const TOO_LONG: u8 = 124;

struct Options {
    size: (u16, u16),
    timeout: Duration,
    script: String,
    command: Vec<String>,
}

/// The command's terminal, and what it showed.
struct Drive {
    master: File,
    timeout: Duration,
    shown: Vec<u8>,
    /// Up to here the script has seen it.
    seen: usize,
    ended: bool,
    clock: Instant,
    rows: String,
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("usage: ptydrive [--size ROWSxCOLUMNS] [--timeout SECONDS] SCRIPT COMMAND [ARGUMENT]...");
        return ExitCode::from(2);
    };
    let steps = match read_script(&options.script) {
        Ok(steps) => steps,
        Err(why) => {
            eprintln!("ptydrive: {}: {why}", options.script);
            return ExitCode::from(2);
        }
    };
    match run(&options, &steps) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("ptydrive: {error}");
            ExitCode::from(2)
        }
    }
}

fn options() -> Option<Options> {
    let mut words = std::env::args().skip(1);
    let (mut size, mut timeout) = ((24, 80), Duration::from_secs(20));
    let script = loop {
        match words.next()?.as_str() {
            "--size" => size = script::size(&words.next()?)?,
            "--timeout" => timeout = Duration::from_secs(words.next()?.parse().ok()?),
            script => break script.to_owned(),
        }
    };
    let command: Vec<String> = words.collect();
    (!command.is_empty()).then_some(Options { size, timeout, script, command })
}

fn read_script(name: &str) -> Result<Vec<(usize, Step)>, String> {
    let mut text = String::new();
    let read = match name {
        "-" => io::stdin().read_to_string(&mut text),
        name => File::open(name).and_then(|mut file| file.read_to_string(&mut text)),
    };
    read.map_err(|error| error.to_string())?;
    script::parse(&text)
}

fn run(options: &Options, steps: &[(usize, Step)]) -> io::Result<u8> {
    let (pid, master) = sys::fork_pty(|| {
        let error = Command::new(&options.command[0]).args(&options.command[1..]).exec();
        eprintln!("ptydrive: {}: {error}", options.command[0]);
        127
    })?;
    sys::resize(master.as_raw_fd(), options.size.0, options.size.1)?;
    let mut drive = Drive {
        master,
        timeout: options.timeout,
        shown: Vec::new(),
        seen: 0,
        ended: false,
        clock: Instant::now(),
        rows: String::new(),
    };
    let mut failed = None;
    for (line, step) in steps {
        if !drive.step(step)? {
            failed = Some((line, step));
            break;
        }
    }
    let ended = failed.is_none() && drive.until(|drive| drive.ended)?;
    io::stdout().write_all(&drive.shown)?;
    if !drive.rows.is_empty() {
        print!("\n{}", drive.rows);
    }
    if let Some((line, step)) = failed {
        println!("\nptydrive: line {line}: {step:?}: its time is over");
    } else if !ended {
        println!("\nptydrive: the command does not end");
    }
    if failed.is_some() || !ended {
        sys::kill(pid, libc::SIGKILL)?;
        sys::wait(pid, 0)?;
        return Ok(TOO_LONG);
    }
    Ok(match sys::wait(pid, 0)? {
        Ended::Status(status) => status as u8,
        Ended::Signal(signal) | Ended::Stopped(signal) => 128 + signal as u8,
        Ended::Continued => TOO_LONG,
    })
}

impl Drive {
    /// Carries a step out; false if its time is over.
    fn step(&mut self, step: &Step) -> io::Result<bool> {
        match step {
            Step::Expect(text) => {
                let found = self.until(|drive| drive.find(text).is_some())?;
                if let Some(end) = self.find(text) {
                    self.seen = end;
                }
                Ok(found)
            }
            Step::Send(keys) => self.send(keys),
            Step::Resize(rows, columns) => sys::resize(self.master.as_raw_fd(), *rows, *columns).map(|()| true),
            Step::Quiet(time) => {
                while !self.ended && self.receive(*time)? {}
                Ok(true)
            }
            Step::Eof => self.until(|drive| drive.ended),
            Step::Clock => {
                self.clock = Instant::now();
                Ok(true)
            }
            Step::Row(name) => {
                self.rows += &format!("row {name} {} ms\n", self.clock.elapsed().as_millis());
                Ok(true)
            }
        }
    }

    /// Where the first match since the last one ends.
    fn find(&self, text: &[u8]) -> Option<usize> {
        let new = &self.shown[self.seen..];
        new.windows(text.len()).position(|window| window == text).map(|at| self.seen + at + text.len())
    }

    /// Receives until it is so; false if the time is over, or the terminal is closed.
    fn until(&mut self, done: impl Fn(&Drive) -> bool) -> io::Result<bool> {
        let end = Instant::now() + self.timeout;
        while !done(self) {
            let left = end.saturating_duration_since(Instant::now());
            if self.ended || left.is_zero() {
                return Ok(false);
            }
            self.receive(left)?;
        }
        Ok(true)
    }

    /// Receives once, within the time; false if nothing came.
    fn receive(&mut self, within: Duration) -> io::Result<bool> {
        let ready = sys::poll_for(self.master.as_raw_fd(), libc::POLLIN, within)?;
        if ready == 0 {
            return Ok(false);
        }
        let mut buffer = [0; 4096];
        match sys::read(self.master.as_raw_fd(), &mut buffer) {
            Ok(0) => self.ended = true,
            Ok(got) => self.shown.extend_from_slice(&buffer[..got]),
            // The other side is closed.
            Err(error) if error.raw_os_error() == Some(libc::EIO) => self.ended = true,
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Presses keys, and receives meanwhile, so that neither side waits for the other.
    fn send(&mut self, keys: &[u8]) -> io::Result<bool> {
        let end = Instant::now() + self.timeout;
        let mut rest = keys;
        while !rest.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.ended {
                return Ok(false);
            }
            let ready = sys::poll_for(self.master.as_raw_fd(), libc::POLLIN | libc::POLLOUT, left)?;
            if ready & libc::POLLOUT != 0 {
                let put = sys::write(self.master.as_raw_fd(), &rest[..rest.len().min(256)])?;
                rest = &rest[put..];
            }
            if ready & (libc::POLLIN | libc::POLLHUP) != 0 {
                self.receive(Duration::ZERO)?;
            }
        }
        Ok(true)
    }
}
