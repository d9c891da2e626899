//! `getty TERMINAL TYPE PROGRAM [ARGUMENT]...` runs a program in a session of its own, controlled by the terminal, which becomes its standard
//! input, output and error; TYPE is its TERM. It starts in HOME. (There is no login: what it runs, it runs as its caller's user.)

use ochre_rt::call::Call;
use ochre_rt::syscall;
use ochre_scheme::abi::call::OP_IOCTL;
use ochre_scheme::abi::file::{AT_FDCWD, O_RDWR};
use ochre_scheme::{Errno, Result};
use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Asks for the terminal as the controlling one (ioctl_tty(2)).
const TIOCSCTTY: u64 = 0x540e;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let [terminal, kind, program, arguments @ ..] = &words[..] else {
        eprintln!("usage: getty TERMINAL TYPE PROGRAM [ARGUMENT]...");
        return ExitCode::from(2);
    };
    if let Err(error) = take(terminal) {
        eprintln!("getty: {terminal}: {error}");
        return ExitCode::FAILURE;
    }
    let home = env::var("HOME").unwrap_or_else(|_| "/".to_owned());
    let home = if Path::new(&home).is_dir() { &home[..] } else { "/" };
    let error = Command::new(program).args(arguments).env("TERM", kind).current_dir(home).exec();
    eprintln!("getty: {program}: {error}");
    ExitCode::from(127)
}

/// A session of its own, on this terminal. A process that leads a group already keeps its session (EPERM), and then cannot take the terminal.
fn take(terminal: &str) -> Result<()> {
    match syscall::setsid() {
        Ok(_) | Err(Errno::EPERM) => {}
        Err(error) => return Err(error),
    }
    let fd = syscall::openat(AT_FDCWD, terminal.as_bytes(), O_RDWR, 0)?;
    Call::new(OP_IOCTL, [TIOCSCTTY, 0, 0]).send(fd)?;
    for standard in (0..3).filter(|standard| *standard != fd) {
        syscall::dup3(fd, standard, 0)?;
    }
    if fd > 2 {
        syscall::close(fd)?;
    }
    Ok(())
}
