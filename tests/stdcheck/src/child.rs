//! What `stdcheck --child MODE` does: the other side of the process checks.

use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::hash::BuildHasher;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{self, Command, ExitCode};
use std::time::Duration;
use std::{env, hint, thread};

/// A command that runs this program again in the mode.
///
/// # Errors
/// Those of [`env::current_exe`].
pub fn command(mode: &str) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("--child").arg(mode);
    Ok(command)
}

/// Runs the mode in `args[0]`. The status is what the mode says; 2 for an unknown mode, 3 after an I/O error.
pub fn run(args: &[OsString]) -> ExitCode {
    let Some((mode, args)) = args.split_first() else { return ExitCode::from(2) };
    let done = match mode.to_str() {
        Some("cat") => io::copy(&mut io::stdin(), &mut io::stdout()).map(|_| 0),
        Some("args") => print_hex(args.iter().map(|arg| arg.as_bytes())),
        Some("env") => print_env(),
        Some("cwd") => env::current_dir().and_then(|path| print_hex([path.as_os_str().as_bytes()].into_iter())),
        Some("both") => both(),
        Some("exit") => Ok(number(args)),
        Some("sleep") => {
            thread::sleep(Duration::from_millis(number(args).into()));
            Ok(0)
        }
        Some("eof") => io::stdin().read(&mut [0; 16]).map(|count| u8::from(count != 0)),
        Some("flood") => flood(),
        Some("hash") => {
            println!("{:016x}", RandomState::new().hash_one(1));
            Ok(0)
        }
        Some("lines") => lines(),
        Some("halves") => halves(),
        Some("abort") => process::abort(),
        Some("panic") => {
            stdcheck_panic_marker(args.len());
            Ok(0)
        }
        Some("overflow") => overflow(),
        _ => Ok(2),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("{mode:?}: {error}");
            ExitCode::from(3)
        }
    }
}

fn number(args: &[OsString]) -> u8 {
    args.first().and_then(|arg| arg.to_str()).and_then(|arg| arg.parse().ok()).unwrap_or(2)
}

/// One line of hexadecimal digits for each byte string.
fn print_hex<'a>(strings: impl Iterator<Item = &'a [u8]>) -> io::Result<u8> {
    let mut out = io::stdout().lock();
    for bytes in strings {
        writeln!(out, "{}", hex(bytes))?;
    }
    Ok(0)
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn print_env() -> io::Result<u8> {
    let mut out = io::stdout().lock();
    for (name, value) in env::vars_os() {
        writeln!(out, "{}={}", hex(name.as_bytes()), hex(value.as_bytes()))?;
    }
    Ok(0)
}

/// Answers on standard output and on standard error.
fn both() -> io::Result<u8> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    io::stdout().write_all(format!("out {text}").as_bytes())?;
    io::stderr().write_all(format!("err {text}").as_bytes())?;
    Ok(7)
}

/// Writes until the reader is gone; a `BrokenPipe` error is success.
fn flood() -> io::Result<u8> {
    let block = [b'x'; 4096];
    let mut out = io::stdout().lock();
    // 64 MiB: more than any pipe holds.
    for _ in 0..16 * 1024 {
        match out.write_all(&block) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(0),
            Err(error) => return Err(error),
        }
    }
    Ok(4)
}

/// 16 threads print 100 lines each.
fn lines() -> io::Result<u8> {
    thread::scope(|scope| {
        for thread in 0..16 {
            scope.spawn(move || {
                for line in 0..100 {
                    println!("thread {thread} line {line} {}", "=".repeat(thread * 4));
                }
            });
        }
    });
    Ok(0)
}

/// A whole line and a half one, then the rest of it on request.
fn halves() -> io::Result<u8> {
    print!("first\nsec");
    let mut go = [0];
    io::stdin().read_exact(&mut go)?;
    println!("ond");
    Ok(0)
}

/// The backtrace of this panic must show this name.
#[inline(never)]
fn stdcheck_panic_marker(depth: usize) {
    if hint::black_box(depth) < 100 {
        panic!("marked panic");
    }
    hint::black_box(&depth);
}

/// Uses up the stack of a thread.
fn overflow() -> io::Result<u8> {
    let thread = thread::Builder::new().name("deep".into()).spawn(|| descend(0))?;
    Ok(u8::from(thread.join().is_err()))
}

#[inline(never)]
#[expect(unconditional_recursion, reason = "to overflow the stack")]
fn descend(depth: u64) -> u64 {
    let frame = hint::black_box([depth; 64]);
    let below = descend(depth + 1);
    hint::black_box(below + frame[0])
}
