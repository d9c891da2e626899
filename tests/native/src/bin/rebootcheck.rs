//! Whoever is not the superuser can neither ask init to end the machine's run nor do it; words that init does not know are refused.

use native_tests::{Result, check, report};
use ochre_rt::syscall;
use ochre_scheme::Errno;
use std::fs;
use std::process::ExitCode;

const REQUESTS: &str = "/scheme/init/power";

fn main() -> ExitCode {
    report("rebootcheck", run())
}

fn run() -> Result<()> {
    let write = |text: &str| fs::write(REQUESTS, text).map_err(|error| Errno(error.raw_os_error().unwrap_or(0)));
    check(write("explode") == Err(Errno::EINVAL), "init takes any word")?;
    check(write(&"poweroff".repeat(100)) == Err(Errno::EINVAL), "init takes any length")?;
    check(fs::write("/scheme/init/nothing", "poweroff").is_err(), "init has any file")?;
    let mut credentials = syscall::get_credentials()?;
    (credentials.ruid, credentials.euid, credentials.suid) = (1000, 1000, 1000);
    syscall::set_credentials(&credentials)?;
    check(write("poweroff") == Err(Errno::EACCES), "anybody may ask init")
}
