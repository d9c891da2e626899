//! A service that is killed is started again by init: while it is gone, opens wait instead of failing, and it is back soon.

use native_tests::{Result, check, pid_of, report};
use ochre_rt::syscall;
use ochre_scheme::Errno;
use ochre_scheme::abi::file::{AT_FDCWD, O_CLOEXEC, O_RDWR};
use ochre_scheme::abi::signal::SIGKILL;
use std::process::ExitCode;
use std::time::Instant;

/// init gives up a service that ends more often than this in ten seconds.
const ROUNDS: usize = 4;

fn main() -> ExitCode {
    report("supervise", run())
}

fn run() -> Result<()> {
    for round in 0..ROUNDS {
        let old = syscall::openat(AT_FDCWD, b"/scheme/log/supervise", O_RDWR | O_CLOEXEC, 0)?;
        check(syscall::write(old, b"before")? == 6, "the service does not work")?;
        let pid = pid_of("logd")?;
        let killed = Instant::now();
        syscall::kill(pid, SIGKILL)?;
        // The descriptor of the dead server fails cleanly once the server is gone.
        let gone = loop {
            match syscall::write(old, b"x") {
                Ok(_) => std::thread::yield_now(),
                Err(error) => break error,
            }
        };
        check(gone == Errno::EIO, format!("the dead server's handle: {gone}"))?;
        // Opening waits for the next server: it neither fails nor hangs.
        let new = syscall::openat(AT_FDCWD, b"/scheme/log/supervise", O_RDWR | O_CLOEXEC, 0);
        let back = killed.elapsed();
        let new = new.map_err(|error| format!("opening in round {round}: {error}"))?;
        check(syscall::write(new, b"after")? == 5, "the new server does not work")?;
        check(pid_of("logd")? != pid, "the old server is still there")?;
        println!("round {round}: back after {} ms", back.as_millis());
        syscall::close(old)?;
        syscall::close(new)?;
    }
    Ok(())
}
