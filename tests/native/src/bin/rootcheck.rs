//! init's switch of the root file system, in the image `rootswitch`: what was started before it keeps the initial file system, also
//! when it is started again; what comes later, and this program, has the new one.

use native_tests::{Result, check, pid_of, report};
use ochre_rt::syscall;
use ochre_scheme::Errno;
use ochre_scheme::abi::signal::SIGKILL;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// For a service to be there again.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    report("rootcheck", run())
}

fn run() -> Result<()> {
    check(fs::exists("/etc/init.d/30_later")?, "/ is not the new root")?;
    check(!fs::exists("/bin/null")?, "/ has what only the initial file system has")?;
    check(fs::exists("/scheme/initfs/bin/null")?, "the initial file system is not to be had by its name")?;
    check(fs::read_dir("/")?.flatten().any(|entry| entry.file_name() == "elsewhere"), "a bound prefix has no name")?;
    let variable = |name: &str| env::var(name).ok();
    check(variable("LATER").as_deref() == Some("yes"), "a script of the new root did not run")?;
    check(variable("AGAIN").is_none(), "a script whose name had run ran again")?;
    check(variable("LEFT").is_none(), "a script of the initial file system ran after the switch")?;
    check(fs::File::open("/elsewhere").is_ok(), "a prefix that was bound after the switch leads nowhere")?;
    check(env::current_dir()? == *"/", "the working directory is not /")?;
    check(fs::exists("etc/init.d/30_later")?, "the working directory is not the new root")?;

    // /bin/null is in the initial file system only, and /bin/sleepms is started in the new one.
    for service in ["null", "sleepms"] {
        for _ in 0..3 {
            let before = pid_of(service)?;
            syscall::kill(before, SIGKILL)?;
            let killed = Instant::now();
            while pid_of(service).map_or(true, |pid| pid == before) {
                check(killed.elapsed() < PATIENCE, format!("{service} was not started again"))?;
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
    check(fs::File::open("/dev/null").is_ok(), "/dev/null is gone")?;

    let here = syscall::ns_open()?;
    check(syscall::ns_enter(0) == Err(Errno::EINVAL), "the namespace of what is none could be entered")?;
    check(syscall::ns_enter(999) == Err(Errno::EBADF), "the namespace of no descriptor could be entered")?;
    syscall::ns_restrict(b"")?;
    check(fs::File::open("/dev/null").is_err(), "the null namespace opens something")?;
    syscall::ns_enter(here)?;
    check(fs::File::open("/dev/null").is_ok(), "the namespace from before opens nothing")?;
    syscall::rights_drop(u64::MAX)?;
    check(syscall::ns_enter(here) == Err(Errno::EPERM), "a namespace could be entered without the right")?;
    check(syscall::ns_open() == Err(Errno::EPERM), "a namespace could be kept without the right")
}
